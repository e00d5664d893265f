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
mod answer;
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
mod face;
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

use crate::session::Source;
use crate::session::protocol::Command;
use config::Config;
use config::theme::{Glyphs, Ground};
use crossbeam_channel::{Receiver, Sender, bounded};
use crossterm::event::Event;
use face::Face;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use state::State;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use terminal::Screen;
use theme::{Theme, Tier};

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
    let mut face = Face::new(source, screen, theme, state);
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
