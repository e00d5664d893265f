//! A workbench in a pseudo-terminal, with the screen it draws.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a screen may take to show what is expected: generous, as test machines are shared.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Workbench {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
    /// Held while nobody reads what the program writes.
    gate: Arc<Mutex<()>>,
    /// Ends when all that the program wrote has been read.
    reading: std::thread::JoinHandle<()>,
    place: Option<Place>,
}

/// A folder of its own with a workspace `small.ron`, in which runs are kept too; removed at the end.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new(workspace: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("small.ron"), workspace).expect("the workspace is written");
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The runs that were kept where nothing else was said.
    pub fn runs(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path("state/guesswork/runs")) else { return Vec::new() };
        let mut runs: Vec<PathBuf> = entries.map(|entry| entry.expect("a run").path()).collect();
        runs.sort();
        runs
    }

    /// The program in this folder, without a terminal.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_guesswork"));
        command.args(arguments).current_dir(self.0.path()).env("XDG_STATE_HOME", self.path("state"));
        command.stdin(std::process::Stdio::null());
        command
    }

    /// The program in this folder on a terminal.
    pub fn bench(&self, arguments: &[&str], columns: u16, rows: u16, environment: &[(&str, &str)]) -> Workbench {
        Workbench::in_place(self, arguments, columns, rows, environment)
    }
}

/// What each cell shows: its text, its colours and its weight.
pub type Look = Vec<(String, vt100::Color, vt100::Color, [bool; 5])>;

/// The screen model and every byte that made it.
struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has cells")
}

/// The library of strategies that break rules, which Cargo built beside this test.
pub fn faults() -> String {
    let name = format!("{}faults{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let here = std::env::current_exe().expect("the test has a path");
    here.with_file_name(name).display().to_string()
}

/// The step in the header, `step 1 240/5 000`.
pub fn step_of(screen: &str) -> Option<u64> {
    let (_, rest) = screen.split_once("step ")?;
    let (step, _) = rest.split_once('/')?;
    step.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

impl Workbench {
    pub fn start(workspace: &str, columns: u16, rows: u16, environment: &[(&str, &str)]) -> Self {
        let place = Place::new(workspace);
        let mut bench = place.bench(&["small.ron"], columns, rows, environment);
        bench.place = Some(place);
        bench
    }

    fn in_place(place: &Place, arguments: &[&str], columns: u16, rows: u16, environment: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_guesswork"));
        command.args(arguments);
        command.cwd(place.0.path());
        command.env("XDG_STATE_HOME", place.path("state"));
        command.env_remove("NO_COLOR");
        for (name, value) in environment {
            command.env(name, value);
        }
        Self::of(command, columns, rows)
    }

    /// A test of this very executable, which is otherwise left out, in a pseudo-terminal of its own.
    pub fn of_test(name: &str, columns: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new(std::env::current_exe().expect("the test has a path"));
        command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
        Self::of(command, columns, rows)
    }

    fn of(mut command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        let child = pair.slave.spawn_command(command).expect("the workbench starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let seen =
            Arc::new(Mutex::new(Seen { parser: vt100::Parser::new(cells(rows), cells(columns), 0), raw: Vec::new() }));
        let into = Arc::clone(&seen);
        let gate = Arc::new(Mutex::new(()));
        let open = Arc::clone(&gate);
        let reading = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                drop(open.lock().expect("nobody panics behind the gate"));
                let mut seen = into.lock().expect("the screen is not poisoned");
                seen.parser.process(&buffer[..count]);
                seen.raw.extend_from_slice(&buffer[..count]);
            }
        });
        Self { master: pair.master, writer, child, seen, gate, reading, place: None }
    }

    pub fn text(&self) -> String {
        self.seen.lock().expect("the screen is not poisoned").parser.screen().contents()
    }

    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("the screen is not poisoned").raw).into_owned()
    }

    /// The screen with its colours, to be compared. Where the hidden cursor stands is no part of it.
    pub fn look(&self) -> Look {
        let seen = self.seen.lock().expect("the screen is not poisoned");
        let screen = seen.parser.screen();
        let (rows, columns) = screen.size();
        let cells =
            (0..rows.get()).flat_map(|row| (0..columns.get()).filter_map(move |column| screen.cell(row, column)));
        // A cell that was never written to looks as one with a blank.
        let text = |cell: &vt100::Cell| if cell.has_contents() { cell.contents().to_owned() } else { " ".to_owned() };
        let weight = |cell: &vt100::Cell| [cell.bold(), cell.dim(), cell.italic(), cell.underline(), cell.inverse()];
        cells.map(|cell| (text(cell), cell.fgcolor(), cell.bgcolor(), weight(cell))).collect()
    }

    /// Waits until the screen stays as it is.
    pub fn come_to_rest(&self) {
        let start = Instant::now();
        let mut looked = self.look();
        loop {
            std::thread::park_timeout(Duration::from_millis(80));
            let now = self.look();
            if now == looked {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the screen never came to rest:\n{}", self.text());
            looked = now;
        }
    }

    /// Column and row of the first place that shows `words`.
    pub fn find(&self, words: &str) -> (u16, u16) {
        self.wait_for(words, |screen| screen.contains(words));
        let text = self.text();
        let found = text.lines().enumerate().find_map(|(row, line)| {
            let (before, _) = line.split_once(words)?;
            Some((before.chars().count() as u16, row as u16))
        });
        found.expect("just seen")
    }

    /// Waits until `words` have come out, on whatever screen.
    pub fn wait_for_words(&self, words: &str) {
        self.wait_for(words, |_| self.raw().contains(words));
    }

    pub fn wait_for(&self, what: &str, shown: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !shown(&self.text()) {
            assert!(start.elapsed() < PATIENCE, "the screen never showed {what}:\n{}", self.text());
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    pub fn step(&self) -> u64 {
        self.wait_for("a step", |screen| step_of(screen).is_some());
        step_of(&self.text()).expect("just seen")
    }

    /// The step once it stands still: the same in two looks with a quarter of a second between.
    pub fn settled_step(&self) -> u64 {
        loop {
            let step = self.step();
            std::thread::park_timeout(Duration::from_millis(250));
            if self.step() == step {
                return step;
            }
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).and_then(|()| self.writer.flush()).expect("the terminal takes keys");
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let mut seen = self.seen.lock().expect("the screen is not poisoned");
        seen.parser.screen_mut().set_size(cells(rows), cells(columns));
        drop(seen);
        self.master.resize(size(columns, rows)).expect("the terminal is resized");
    }

    /// Reads nothing of what the program writes while the guard lives: the terminal takes a few kilobytes and then no more.
    pub fn stalled(&self) -> Stalled {
        Stalled(Arc::clone(&self.gate))
    }

    /// The state of the process, as `ps` writes it: `T` when it is stopped.
    pub fn process_state(&self) -> String {
        let process = self.child.process_id().expect("the workbench runs").to_string();
        let output = std::process::Command::new("ps").args(["-o", "stat=", "-p", &process]).output().expect("ps runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn signal(&self, name: &str) {
        let process = self.child.process_id().expect("the workbench runs").to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &process]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Answers questions with `y` until the program ends.
    pub fn answer_yes_until_ended(&mut self) {
        let start = Instant::now();
        while self.child.try_wait().expect("the workbench can be asked").is_none() {
            assert!(start.elapsed() < PATIENCE, "it never ended:\n{}", self.text());
            // A key that comes after the end finds nobody, which is no fault.
            let _ = self.writer.write_all(b"y");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Whether no run was begun in its folder.
    pub fn has_begun_nothing(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.runs().is_empty())
    }

    /// Waits for its end, and for what it wrote last.
    pub fn exit_code(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the workbench can be asked")
                && self.reading.is_finished()
            {
                return status.exit_code();
            }
            assert!(start.elapsed() < PATIENCE, "it never ended:\n{}", self.text());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The alternate screen is left, the cursor is shown and the mouse is let go.
    pub fn assert_restored(&self) {
        self.wait_for("the shell's own screen", |_| {
            let seen = self.seen.lock().expect("the screen is not poisoned");
            let screen = seen.parser.screen();
            let mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
            !screen.alternate_screen() && !screen.hide_cursor() && !mouse && !screen.bracketed_paste()
        });
    }

    /// Whether no cell has a colour of its own.
    pub fn is_colourless(&self) -> bool {
        let seen = self.seen.lock().expect("the screen is not poisoned");
        let screen = seen.parser.screen();
        let (rows, columns) = screen.size();
        let plain =
            |cell: &vt100::Cell| cell.fgcolor() == vt100::Color::Default && cell.bgcolor() == vt100::Color::Default;
        (0..rows.get()).all(|row| (0..columns.get()).all(|column| screen.cell(row, column).is_none_or(plain)))
    }
}

/// A reader that has stopped reading.
pub struct Stalled(Arc<Mutex<()>>);

impl Stalled {
    /// Runs `body` while nobody reads.
    pub fn during<T>(&self, body: impl FnOnce() -> T) -> T {
        let _closed = self.0.lock().expect("nobody panics behind the gate");
        body()
    }
}

/// Waits until `is_so`, which something else makes true.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it never came to {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

impl Drop for Workbench {
    fn drop(&mut self) {
        // A test that failed leaves it running.
        let _ = self.child.kill();
    }
}

/// JSON Lines. A last line without its end is still being written.
pub fn records(text: &str) -> Vec<serde_json::Value> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect()
}

/// The last value of a quantity of each lane, in the order of the lanes.
pub fn last_values(records: &[serde_json::Value], quantity: &str) -> Vec<f64> {
    let mut found = std::collections::BTreeMap::new();
    for record in records {
        if let (Some(lane), Some(value)) = (record["lane"].as_u64(), record[quantity].as_f64()) {
            found.insert(lane, value);
        }
    }
    found.into_values().collect()
}
