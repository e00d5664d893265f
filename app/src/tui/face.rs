//! The loop of the screen: what the terminal, the signals and the trainer bring becomes actions, state and frames; effects are carried
//! out. Decides when to draw; what an action means stands in `update`.
#![forbid(unsafe_code)]

use super::action::Action;
use super::capture::Capture;
use super::context::{Hit, Target};
use super::input::Input;
use super::perf::Perf;
use super::smooth::Derived;
use super::state::State;
use super::terminal::{self, Screen};
use super::theme::Theme;
use super::update::{Effect, update};
use super::verdict::Evidence;
use super::{Exit, desk, draw, export, fault, navigate, panes, watching};
use crate::record::{Level, Message};
use crate::session::Source;
use crate::session::protocol::{Command, Origin, Snapshot, Status};
use crossbeam_channel::{Receiver, RecvError, select};
use crossterm::event::Event;
use signal_hook::consts::{SIGCONT, SIGTSTP, SIGWINCH};
use std::io;
use std::time::{Duration, Instant};

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

/// The screen at work.
pub struct Face<S: Source> {
    pub source: S,
    screen: Screen,
    theme: Theme,
    pub state: State,
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
    pub fn new(source: S, screen: Screen, theme: Theme, state: State) -> Self {
        Self {
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
        }
    }

    /// Answers events and signals, and follows the trainer, until something ends it.
    ///
    /// # Errors
    /// When writing to the terminal fails.
    pub fn run(&mut self, events: &Receiver<io::Result<Event>>, signals: &Receiver<i32>) -> io::Result<Exit> {
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
