//! A run on disk as a source of snapshots, read-only: opened once it stands still, or followed while another process writes it.
//!
//! A thread of its own reads the records, from a cold start as fast as they come, then as they are written. It never writes to
//! the run folder and takes no command; it ends when the handle is dropped.
#![forbid(unsafe_code)]

use super::messages::Messages;
use super::past::Past;
use super::protocol::{Command, Origin, Snapshot, Status};
use super::shared;
use super::source::Source;
use crate::record::folder::{self, FolderError};
use crate::record::follow::{Follow, Next};
use crate::record::paths::Paths;
use crate::record::{EndReason, Level, Message};
use crate::workspace::Workspace;
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a run that is written is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often a run that nobody writes is looked at: it may be resumed.
const LOOK_SELDOM: Duration = Duration::from_millis(500);
/// How long records are read before what they say is shown.
const SHOW: Duration = Duration::from_millis(30);
/// Steps a second are told over this while.
const RATE: Duration = Duration::from_millis(900);

/// A run on disk, watched.
#[derive(Debug)]
pub struct Watch {
    snapshot: Arc<ArcSwap<Snapshot>>,
    /// Dropping it ends the thread.
    _alive: Sender<()>,
}

impl Watch {
    /// Opens the run in `folder`: follows it when it is written at this moment or `origin` says so, else reads it once.
    ///
    /// # Errors
    /// When there is no run, or its workspace cannot be read.
    pub fn start(folder: &Path, origin: Origin) -> Result<Self, FolderError> {
        let workspace = folder::read_workspace(folder)?;
        let origin = if folder::is_written(folder) { Origin::Attached } else { origin };
        let first = Snapshot { name: workspace.name.clone(), steps: workspace.steps, origin, ..Snapshot::default() };
        let snapshot = Arc::new(ArcSwap::from_pointee(first));
        let (sender, alive) = bounded(0);
        let body = Body {
            folder: folder.into(),
            workspace,
            follow: Follow::new(&folder::records_of(folder)),
            past: Past::default(),
            own: Messages::default(),
            snapshot: Arc::clone(&snapshot),
            alive,
            rate: Rate { since: Instant::now(), step: 0, value: 0.0 },
        };
        let thread = std::thread::Builder::new().name("reader".to_owned()).spawn(move || body.run(origin));
        thread.map_err(|error| FolderError::Io { path: folder.into(), error })?;
        Ok(Self { snapshot, _alive: sender })
    }
}

impl Source for Watch {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    fn send(&self, _command: Command) -> bool {
        false
    }
}

struct Rate {
    since: Instant,
    step: u64,
    value: f64,
}

/// Whether there is more to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    More,
    All,
}

struct Body {
    folder: PathBuf,
    workspace: Workspace,
    follow: Follow,
    past: Past,
    /// What is said of the watching itself.
    own: Messages,
    snapshot: Arc<ArcSwap<Snapshot>>,
    alive: Receiver<()>,
    rate: Rate,
}

impl Body {
    fn run(mut self, origin: Origin) {
        let beside = Paths::read(&self.folder).unwrap_or_default().beside;
        let title = shared::title(&self.workspace, beside.as_deref());
        self.change(|snapshot| snapshot.title = title);
        let mut written = None;
        loop {
            // Asked before reading: who wrote until now has left nothing to be read after that.
            let now = folder::is_written(&self.folder);
            match self.read() {
                Ok(Read::More) => self.publish(Status::Starting),
                Ok(Read::All) => {
                    if written != Some(now) {
                        self.tell(origin, written, now);
                        written = Some(now);
                    }
                    let status = self.status(now);
                    self.publish(status);
                    if origin == Origin::Opened {
                        return;
                    }
                    if !self.pause(if now { LOOK } else { LOOK_SELDOM }) {
                        return;
                    }
                }
                Err(error) => {
                    self.publish(Status::Failed(error.to_string()));
                    return;
                }
            }
            if !self.pause(Duration::ZERO) {
                return;
            }
        }
    }

    /// Waits; false when nobody looks any more.
    fn pause(&self, time: Duration) -> bool {
        self.alive.recv_timeout(time) != Err(RecvTimeoutError::Disconnected)
    }

    /// Reads what is there, for a while at most.
    fn read(&mut self) -> Result<Read, crate::record::read::ReadError> {
        let begin = Instant::now();
        for count in 1u64.. {
            match self.follow.advance()? {
                Next::Record(record) => self.past.hear(&record),
                Next::Anew => self.past = Past::default(),
                Next::Nothing => break,
            }
            if count.is_multiple_of(64) && begin.elapsed() > SHOW {
                return Ok(Read::More);
            }
        }
        Ok(Read::All)
    }

    fn say(&mut self, level: Level, text: &str) {
        self.own.push(Message { lane: None, step: None, level, text: text.to_owned() });
    }

    /// Says what has changed about the process that writes.
    fn tell(&mut self, origin: Origin, before: Option<bool>, now: bool) {
        match (before, now) {
            _ if origin == Origin::Opened => {}
            (None, true) => self.say(Level::Info, "attached, read-only: another process trains and writes this run"),
            (None, false) => self.say(Level::Warn, "attached, but no process writes this run"),
            (Some(false), true) => self.say(Level::Info, "the run goes on: a process writes it again"),
            (Some(true), false) => match self.status(false) {
                Status::Finished => self.say(Level::Info, "the run has ended"),
                _ => self.say(Level::Warn, "the run was stopped before its end"),
            },
            (Some(false), false) | (Some(true), true) => {}
        }
    }

    fn status(&self, written: bool) -> Status {
        let over = |reason: &EndReason| reason.is_final();
        let lanes = self.workspace.grid().map_or(0, |runs| runs.len());
        let ended = self.past.lanes.iter().filter(|lane| !lane.info.trial && lane.ended.as_ref().is_some_and(over));
        let all = ended.count() >= lanes.max(self.past.lanes.iter().filter(|lane| !lane.info.trial).count());
        match (all, written) {
            (true, _) => Status::Finished,
            (false, true) => Status::Running,
            (false, false) if self.past.interrupted == Some(false) => Status::Finished,
            (false, false) => Status::Stopped,
        }
    }

    fn publish(&mut self, status: Status) {
        let step = self.past.lanes.iter().map(|lane| lane.step).max().unwrap_or(0);
        let elapsed = self.rate.since.elapsed();
        if status != Status::Running || step < self.rate.step {
            self.rate = Rate { since: Instant::now(), step, value: 0.0 };
        } else if elapsed > RATE {
            let value = (step - self.rate.step) as f64 / elapsed.as_secs_f64();
            self.rate = Rate { since: Instant::now(), step, value };
        }
        let mut messages = self.past.messages.clone();
        self.own.list.iter().for_each(|message| messages.push(message.clone()));
        let (lanes, rate) = (self.past.lanes.clone(), self.rate.value);
        self.change(|snapshot| {
            snapshot.status = status;
            snapshot.steps_per_second = rate;
            snapshot.lanes = lanes;
            snapshot.messages = messages.list;
            snapshot.dropped = messages.dropped;
        });
    }

    /// Publishes a snapshot that differs from the last by `change`, if it does differ.
    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let before = self.snapshot.load_full();
        let mut next = Snapshot::clone(&before);
        change(&mut next);
        let same = next.status == before.status
            && next.title == before.title
            && next.steps_per_second == before.steps_per_second
            && next.messages == before.messages
            && next.lanes.len() == before.lanes.len()
            && next.lanes.iter().zip(&before.lanes).all(|(a, b)| a.is_like(b));
        if !same {
            next.revision += 1;
            self.snapshot.store(Arc::new(next));
        }
    }
}
