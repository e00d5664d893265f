//! The terminal workbench: one face of a session. State as data, one [`update::update`], one [`draw::draw`]; panes are functions in
//! a registry, layouts name them, actions stand in one table.
//!
//! ```text
//! terminal events ─→ input ─→ action ─→ update ─→ state ─→ draw ─→ terminal
//!                                         └─→ effects: commands to the trainer
//! trainer ─→ snapshot ─────────────────────────────→ draw
//! ```
//!
//! Knows snapshots, commands and records; no strategy or tensor, and files of workspaces alone, through `workspace`. The trainer never waits for it.
#![forbid(unsafe_code)]

pub mod action;
pub mod browser;
mod capture;
pub mod chart;
pub mod chord;
pub mod colour;
pub mod command;
mod compare;
pub mod config;
mod context;
mod desk;
pub mod draw;
pub mod editor;
pub mod export;
mod fault;
pub mod format;
mod ink;
pub mod input;
pub mod keymap;
pub mod lanes;
pub mod layout;
pub mod navigate;
pub mod overlay;
pub mod panes;
pub mod perf;
pub mod plain;
pub mod progress;
pub mod rank;
pub mod roles;
mod saved;
pub mod smooth;
pub mod state;
mod steer;
pub mod synthetic;
pub mod terminal;
pub mod theme;
pub mod tree;
mod tty;
pub mod update;
pub mod verdict;
pub mod view;
mod watching;

#[cfg(test)]
mod tests;

pub use capture::Early;
pub use context::{Hit, Target};
pub use editor::text::Draft;
pub use saved::Saved;
pub use terminal::available;

use crate::record::{Level, Message};
use crate::session::Source;
use crate::session::protocol::{Command, Origin, Snapshot, Status};
use action::Action;
use capture::Capture;
use config::Config;
use config::theme::{Glyphs, Ground};
use crossbeam_channel::{Receiver, RecvError, Sender, bounded, select};
use crossterm::event::Event;
use input::Input;
use perf::Perf;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use smooth::Derived;
use state::State;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use terminal::Screen;
use theme::{Theme, Tier};
use update::{Effect, update};
use verdict::Evidence;

/// What a person can choose about the screen before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct TuiOptions {
    /// Listen to the mouse.
    pub mouse: bool,
    /// Only ASCII glyphs.
    pub ascii: bool,
    /// Colours on a light ground; found out from the environment when `None`.
    pub light: Option<bool>,
    /// How many colours; found out from the environment when `None`.
    pub tier: Option<Tier>,
    /// The layout to start with, counted from 1.
    pub layout: u8,
    /// Keys, layouts and colours.
    pub config: Config,
    /// How the screen looked when it was left; all at its default when `None`.
    pub view: Option<Saved>,
    /// Something to say until the first key.
    pub notice: Option<String>,
}

impl Default for TuiOptions {
    fn default() -> Self {
        Self {
            mouse: true,
            ascii: false,
            light: None,
            tier: None,
            layout: 1,
            config: Config::default(),
            view: None,
            notice: None,
        }
    }
}

impl TuiOptions {
    /// The state that a screen begins with.
    fn state(&self) -> State {
        let Config { keymap, layouts, .. } = self.config.clone();
        State { layout: self.layout.max(1), keymap: Arc::new(keymap), layouts: Arc::new(layouts), ..State::default() }
    }

    fn theme(&self) -> Theme {
        let variable = |name: &str| std::env::var(name).ok();
        // `COLORFGBG` is "foreground;background" by number; 7 and 15 are the light grounds.
        let light = || variable("COLORFGBG").is_some_and(|value| matches!(value.rsplit(';').next(), Some("7" | "15")));
        let file = &self.config.theme;
        let own = match file.ground {
            Ground::Auto => None,
            ground => Some(ground == Ground::Light),
        };
        Theme {
            tier: self.tier.or(file.colours.tier()).unwrap_or_else(|| Tier::detect(variable)),
            dark: !self.light.or(own).unwrap_or_else(light),
            ascii: self.ascii || file.glyphs == Glyphs::Ascii,
            colours: file.roles,
        }
    }
}

/// Why the screen ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Exit {
    /// The person quit.
    Quit,
    /// The person wants this to run in the place of what runs.
    Open(Box<Draft>),
    /// The person wants the opened run to go on training.
    TrainOn,
    /// This signal came.
    Signal(i32),
    /// The terminal is gone.
    Lost,
}

/// How the screen ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// Why.
    pub exit: Exit,
    /// How it looked.
    pub view: Saved,
}

/// The share of a core that following the trainer may take: a frame is followed by eighty times its own time without one.
const FOLLOW: u32 = 80;
/// The shortest time between frames that follow the trainer.
const SHORTEST: Duration = Duration::from_millis(16);
/// The longest.
const LONGEST: Duration = Duration::from_millis(500);
/// How often a trainer that does not step is looked at.
const IDLE: Duration = Duration::from_millis(250);
/// How often the batch is asked for while it is shown.
const PEEK: Duration = Duration::from_millis(250);
/// How long a resize must be over before it is drawn.
const SETTLE: Duration = Duration::from_millis(30);

/// Runs the screen until the person quits or a signal ends it. The terminal is as it was before when this returns, also with an
/// error or a panic. [`Command::Stop`] has been sent then.
///
/// # Errors
/// When standard output is not a terminal, or writing to it fails.
pub fn run(source: impl Source, options: TuiOptions) -> io::Result<Left> {
    /// Also after a panic, a person can interrupt what follows.
    struct Ours(&'static AtomicBool);
    impl Drop for Ours {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let ours = Ours(defaults()?);
    ours.0.store(false, Ordering::SeqCst);
    run_with(source, options)
}

/// Whether the signals that this module listens to do what they do by default: outside of [`run`], so that a person can still
/// interrupt what follows it.
fn defaults() -> io::Result<&'static Arc<AtomicBool>> {
    static DEFAULTS: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(flag) = DEFAULTS.get() {
        return Ok(flag);
    }
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGHUP, SIGINT, SIGTSTP] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag))?;
    }
    Ok(DEFAULTS.get_or_init(|| flag))
}

fn run_with(source: impl Source, options: TuiOptions) -> io::Result<Left> {
    let signals = signals(&[SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT, SIGWINCH])?;
    let screen = Screen::enter(options.mouse)?;
    let (size, theme) = (screen.size()?, options.theme());
    let mut state = State { size, notice: options.notice.clone(), ..options.state() };
    if let Some(view) = options.view {
        view.restore(&mut state);
    }
    let events = events();
    let mut face = Face {
        source,
        screen,
        theme,
        state,
        derived: Derived::default(),
        hits: Vec::new(),
        input: Input::default(),
        suspended: false,
        peeked: Instant::now(),
        perf: Perf::default(),
        keyed: None,
    };
    let exit = face.run(&events, &signals);
    if !matches!(exit, Ok(Exit::Quit)) {
        face.source.send(Command::Stop);
    }
    Ok(Left { exit: exit?, view: Saved::of(&face.state) })
}

/// What the thread that waits for the terminal reads. There is one for the whole process, as a second screen's would find the
/// first's still waiting and taking a key away from it; it ends with the terminal.
fn events() -> Receiver<io::Result<Event>> {
    static EVENTS: OnceLock<Receiver<io::Result<Event>>> = OnceLock::new();
    let start = || {
        let (sender, receiver): (Sender<io::Result<Event>>, _) = bounded(1024);
        thread::spawn(move || {
            loop {
                let event = crossterm::event::read();
                let lost = event.is_err();
                if sender.send(event).is_err() || lost {
                    break;
                }
            }
        });
        receiver
    };
    EVENTS.get_or_init(start).clone()
}

/// The thread that waits for signals: these.
fn signals(which: &[i32]) -> io::Result<Receiver<i32>> {
    let mut signals = Signals::new(which)?;
    let (sender, receiver) = bounded(16);
    thread::spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

struct Face<S: Source> {
    source: S,
    screen: Screen,
    theme: Theme,
    state: State,
    derived: Derived,
    hits: Vec<Hit>,
    input: Input,
    suspended: bool,
    peeked: Instant,
    perf: Perf,
    /// When the oldest key that no frame has answered yet was taken.
    keyed: Option<Instant>,
}

impl<S: Source> Face<S> {
    fn run(&mut self, events: &Receiver<io::Result<Event>>, signals: &Receiver<i32>) -> io::Result<Exit> {
        let (tty, printed) = (self.screen.tty(), Capture::lines());
        let mut snapshot = self.source.snapshot();
        let mut cost = self.draw(&snapshot)?;
        let mut drawn = Instant::now();
        // Something to show that no frame shows yet: the terminal was still taking the last one, or curves come in portions.
        let mut pending = false;
        // A command's answer comes soon: until then the trainer is watched closely.
        let mut awaited = Instant::now();
        loop {
            let follow = (cost * FOLLOW).clamp(SHORTEST, LONGEST);
            let calm = !matches!(snapshot.status, Status::Running | Status::Starting) && awaited < Instant::now();
            let wait = match (pending, calm) {
                (true, _) if tty.is_idle() => SHORTEST,
                // The terminal tells when it goes on.
                (true, _) | (false, true) => IDLE,
                (false, false) => follow.saturating_sub(drawn.elapsed()).max(Duration::from_millis(4)),
            };
            let mut changed = false;
            select! {
                recv(events) -> event => match event {
                    Ok(Ok(event)) => {
                        let mut next = Some(event);
                        while let Some(event) = next.take() {
                            let action = self.input.action(&event, &self.state, &self.hits);
                            if let Some(action) = action {
                                self.keyed.get_or_insert_with(Instant::now);
                                snapshot = self.source.snapshot();
                                for effect in update(&mut self.state, action, &snapshot) {
                                    awaited = Instant::now() + Duration::from_millis(400);
                                    if let Some(exit) = self.perform(effect)? {
                                        return Ok(exit);
                                    }
                                }
                                changed = true;
                            }
                            next = events.try_recv().ok().and_then(Result::ok);
                        }
                    }
                    Ok(Err(_)) | Err(_) => return Ok(Exit::Lost),
                },
                recv(signals) -> signal => match self.settled(signal, signals, &mut changed)? {
                    Ok(SIGWINCH) => {}
                    Ok(SIGTSTP) => {
                        self.perform(Effect::Suspend)?;
                        changed = true;
                    }
                    // After a suspension of our own the terminal is ours already.
                    Ok(SIGCONT) if std::mem::take(&mut self.suspended) => {}
                    Ok(SIGCONT) => {
                        self.screen.resume()?;
                        changed = true;
                    }
                    Ok(signal) => return Ok(Exit::Signal(signal)),
                    Err(_) => return Ok(Exit::Lost),
                },
                recv(tty.written()) -> result => if matches!(result, Ok(Err(_))) {
                    return Ok(Exit::Lost);
                },
                recv(printed) -> line => if let Ok(line) = line {
                    self.tell_printed(line);
                },
                default(wait) => {}
            }
            if changed || drawn.elapsed() >= follow {
                let newest = self.source.snapshot();
                changed |= newest.revision != snapshot.revision;
                snapshot = newest;
            }
            if (changed || pending) && tty.is_idle() {
                cost = self.draw(&snapshot)?;
                drawn = Instant::now();
                pending = self.derived.is_behind();
            } else {
                pending |= changed;
            }
            self.peek(&snapshot);
        }
    }

    /// Takes a new size of the terminal, once it has been at rest for a moment: while the window's edge is dragged sizes come fast,
    /// and only the last is drawn. Returns the signal that is still to be answered, if another came meanwhile.
    ///
    /// The signal says so, and not the events of `crossterm`: those forget a size that changes while a key is pressed.
    fn settled(
        &mut self,
        mut signal: Result<i32, RecvError>,
        signals: &Receiver<i32>,
        changed: &mut bool,
    ) -> io::Result<Result<i32, RecvError>> {
        if signal != Ok(SIGWINCH) {
            return Ok(signal);
        }
        while signal == Ok(SIGWINCH) {
            match signals.recv_timeout(SETTLE) {
                Ok(next) => signal = Ok(next),
                Err(_) => break,
            }
        }
        let (width, height) = self.screen.size()?;
        let snapshot = self.source.snapshot();
        for effect in update(&mut self.state, Action::Resize(width, height), &snapshot) {
            self.perform(effect)?;
        }
        *changed = true;
        Ok(signal)
    }

    /// Asks for the batch while it is on the screen, a few times a second.
    fn peek(&mut self, snapshot: &Snapshot) {
        if self.peeked.elapsed() < PEEK {
            return;
        }
        if let Some(lane) = panes::wants_batch(&self.state, snapshot, &self.hits) {
            self.peeked = Instant::now();
            self.source.send(Command::Peek(lane));
        }
    }

    /// Draws a frame; returns what it cost.
    fn draw(&mut self, snapshot: &Snapshot) -> io::Result<Duration> {
        let begin = Instant::now();
        let Self { screen, state, theme, derived, hits, perf, keyed, .. } = self;
        fault::at_frame(perf.drawn());
        derived.begin(snapshot);
        if let Some(figures) = &mut state.perf {
            *figures = perf.figures();
        }
        let bytes = screen.draw(|buffer| {
            state.size = (buffer.area.width, buffer.area.height);
            *hits = draw::draw(state, snapshot, theme, derived, buffer);
            navigate::saw(state, hits);
        })?;
        let cost = begin.elapsed();
        perf.frame(cost, bytes, snapshot.revision, keyed.take().map(|keyed| keyed.elapsed()));
        Ok(cost)
    }

    /// Says in the log what a strategy printed.
    fn tell_printed(&mut self, line: String) {
        let say = |text: String| {
            let message = Message { lane: None, step: None, level: Level::Info, text };
            Command::Say(Box::new(message))
        };
        self.source.send(say(format!("printed: {line}")));
        match Capture::take_dropped() {
            0 => {}
            lines => {
                self.source.send(say(format!("{lines} printed lines came too fast and were left out")));
            }
        }
    }

    fn scene<'a>(&'a self, snapshot: &'a Snapshot) -> export::Scene<'a> {
        export::Scene { state: &self.state, snapshot, derived: &self.derived, theme: &self.theme }
    }

    fn perform(&mut self, effect: Effect) -> io::Result<Option<Exit>> {
        match effect {
            Effect::Send(command) => {
                let stop = command == Command::Stop;
                if !self.source.send(command) && !stop {
                    let why = match self.source.snapshot().origin {
                        Origin::Training => "the trainer is busy and did not take that; try again",
                        Origin::Opened | Origin::Attached => watching::READ_ONLY,
                    };
                    self.state.notice = Some(why.to_owned());
                }
            }
            Effect::TrainOn => return Ok(Some(Exit::TrainOn)),
            Effect::Quit => return Ok(Some(Exit::Quit)),
            Effect::Suspend => {
                terminal::leave();
                self.suspended = true;
                signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
                self.screen.resume()?;
            }
            Effect::Browse => desk::browse(&mut self.state),
            Effect::Edit(item) => desk::edit(&mut self.state, &item, &self.source.snapshot()),
            Effect::EditSession(path) => desk::edit_session(&mut self.state, path.as_deref(), &self.source.snapshot()),
            Effect::Save { path, over } => desk::save(&mut self.state, &path, over),
            Effect::Open(draft) => return Ok(Some(Exit::Open(draft))),
            Effect::Evidence => {
                let verdicts = self.hits.iter().filter_map(|hit| match hit.target {
                    Target::Verdict(evidence) => Some(evidence),
                    _ => None,
                });
                let verdicts: Vec<Evidence> = verdicts.collect();
                match verdicts.get(self.state.verdict % verdicts.len().max(1)) {
                    Some(evidence) => drop(update(&mut self.state, Action::Look(*evidence), &self.source.snapshot())),
                    None => self.state.notice = Some("there is no verdict yet".to_owned()),
                }
            }
            Effect::Redraw => self.screen.clear()?,
            Effect::Export(request) => {
                let snapshot = self.source.snapshot();
                let written = self.scene(&snapshot).export(&request);
                self.state.notice = Some(written.unwrap_or_else(|error| error));
            }
            Effect::Copy(what) => {
                let snapshot = self.source.snapshot();
                let copied = self.scene(&snapshot).text(what);
                self.state.notice = Some(match copied {
                    Ok(text) => {
                        self.screen.copy(&text)?;
                        let lines = text.lines().count();
                        if lines > 1 { format!("copied {lines} lines") } else { format!("copied {text}") }
                    }
                    Err(error) => error,
                });
            }
        }
        Ok(None)
    }
}
