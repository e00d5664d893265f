//! The workbench on a pseudo-terminal, against its budgets: `cargo bench --bench terminal`.
//!
//! First frame and training after the start; from a key to the frame that answers it while training; processor time while paused;
//! training against the same run without a screen. Everything is what a person would see: bytes out of the program, keys into it.
#![forbid(unsafe_code)]

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const COLUMNS: u16 = 200;
const ROWS: u16 = 50;
/// Runs of each kind that are compared, in turns, and their steps.
const ROUNDS: usize = 9;
const STEPS: u64 = 3000;
/// As many lanes as threads, so that both faces step them at the same time.
const COMPARED: &str = r#"(
    problem: Network(data: (name: "fashion-mini"), model: mlp(hidden: [128, 128, 128]), batch: 64),
    lanes: [(strategy: "backprop", optimizer: sgd(lr: 0.01)), (strategy: "weight-transpose", optimizer: sgd(lr: 0.001))],
    measure: (alignment: 10, test: 100),
)"#;

fn main() {
    let place = tempfile::tempdir().expect("a temporary folder");
    start(place.path());
    keys(place.path());
    idle(place.path());
    throughput(place.path());
}

struct Bench {
    _master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    chunks: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    begun: Instant,
}

impl Bench {
    fn start(place: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_guesswork"));
        command.args(arguments);
        command.cwd(place);
        command.env("XDG_STATE_HOME", place);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        let begun = Instant::now();
        let child = pair.slave.spawn_command(command).expect("the workbench starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let (sender, chunks) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        let cells = |count| NonZero::new(count).expect("a terminal has cells");
        let screen = vt100::Parser::new(cells(ROWS), cells(COLUMNS), 0);
        Self { _master: pair.master, writer, child, chunks, screen, begun }
    }

    /// Reads until the screen shows what `is_there` looks for; when the last byte of it came.
    fn until(&mut self, what: &str, is_there: impl Fn(&str) -> bool) -> Instant {
        loop {
            let (time, bytes) = self
                .chunks
                .recv_timeout(Duration::from_secs(60))
                .unwrap_or_else(|error| panic!("it never showed {what}: {error}\n{}", self.screen.screen().contents()));
            self.screen.process(&bytes);
            if is_there(&self.screen.screen().contents()) {
                return time;
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).and_then(|()| self.writer.flush()).expect("the terminal takes keys");
    }

    fn quit(mut self) {
        self.press("q");
        while self.child.try_wait().expect("the workbench can be asked").is_none() {
            // A key that comes after the end finds nobody, which is no fault.
            let _ = self.writer.write_all(b"y");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn report(name: &str, mut times: Vec<Duration>, budget: &str) {
    times.sort_unstable();
    let at = |share: usize| format!("{:.1?}", times[(times.len() - 1) * share / 100]);
    println!("{name:<48} median {:>9}   99 % {:>9}   budget {budget}", at(50), at(99));
}

/// The step in the header.
fn step(screen: &str) -> Option<u64> {
    let (step, _) = screen.split_once("step ")?.1.split_once('/')?;
    step.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

fn start(place: &Path) {
    let (mut frames, mut steps) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        let mut bench = Bench::start(place, &[]);
        let begun = bench.begun;
        frames.push(bench.until("a frame", |screen| screen.contains("guesswork") && screen.contains("quit")) - begun);
        steps.push(bench.until("a step", |screen| step(screen).is_some_and(|step| step > 0)) - begun);
        bench.quit();
    }
    report("first frame after the start", frames, "50 ms");
    report("training visible after the start", steps, "1 s");
}

fn keys(place: &Path) {
    let mut bench = Bench::start(place, &["--steps", "1000000"]);
    bench.until("training", |screen| step(screen).is_some_and(|step| step > 20));
    let mut times = Vec::new();
    for key in 0..200 {
        let (key, sign) = if key % 2 == 0 { ("2", "2 curves") } else { ("1", "1 overview") };
        // At no fixed place between two frames that follow the trainer.
        std::thread::sleep(Duration::from_millis(31 + times.len() as u64 % 17));
        let begun = Instant::now();
        bench.press(key);
        times.push(bench.until(sign, |screen| screen.contains(sign)) - begun);
    }
    bench.quit();
    report("from a key to its frame while training", times, "16 ms of 99 %");
}

fn idle(place: &Path) {
    let mut bench = Bench::start(place, &["--steps", "1000000"]);
    bench.until("training", |screen| step(screen).is_some_and(|step| step > 20));
    bench.press(" ");
    bench.until("the pause", |screen| screen.contains("paused"));
    std::thread::sleep(Duration::from_secs(1));
    let process = bench.child.process_id().expect("it runs");
    let (before, begun) = (ticks(process), Instant::now());
    std::thread::sleep(Duration::from_secs(20));
    // A tick is a hundredth of a second on Linux, whatever the kernel's own clock.
    let share = ticks(process).zip(before).map(|(now, before)| (now - before) as f64 / begun.elapsed().as_secs_f64());
    bench.quit();
    let share = share.map_or("?".to_owned(), |share| format!("{share:.2} % of a core"));
    println!("{:<48} {share}   budget 0.5 %", "processor time while paused, over 20 s");
}

/// Hundredths of a second that the process has computed.
fn ticks(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<u64> = fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    Some(fields.get(11)? + fields.get(12)?)
}

/// Seconds from step 20 to the last step of a run, by its records: the same for both faces.
fn timed(records: &Path) -> f64 {
    let seen = |wanted: u64| {
        while newest(records).is_none_or(|step| step < wanted) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Instant::now()
    };
    let begun = seen(20);
    (seen(STEPS - 1) - begun).as_secs_f64()
}

/// The newest step of the first lane, from the end of the file.
fn newest(records: &Path) -> Option<u64> {
    let mut file = std::fs::File::open(records).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(8192))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (_, rest) = text.rsplit_once(r#"{"record":"step","lane":0,"step":"#)?;
    rest.split_once(',')?.0.parse().ok()
}

fn throughput(place: &Path) {
    std::fs::write(place.join("compared.ron"), COMPARED).expect("the workspace is written");
    let steps = STEPS.to_string();
    let common = ["compared.ron", "--threads", "2", "--steps", &steps];
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (screen, batch) = (format!("screen-{round}"), format!("batch-{round}"));
        let bench = Bench::start(place, &[&common[..], &["--out", &screen]].concat());
        with.push(timed(&place.join(&screen).join("records.jsonl")));
        bench.quit();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_guesswork"));
        command.args(common).args(["--quiet", "--batch", "--out", &batch]).current_dir(place).stdout(Stdio::null());
        let mut child = command.spawn().expect("the run starts");
        without.push(timed(&place.join(&batch).join("records.jsonl")));
        child.wait().expect("it ends");
    }
    let middle = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (with, without) = (middle(&mut with), middle(&mut without));
    println!(
        "{:<48} {:.1} % ({with:.2} s for {STEPS} steps of 2 lanes, {without:.2} s without)   budget 2 %",
        "training lost to the screen",
        100.0 * (with / without - 1.0)
    );
}
