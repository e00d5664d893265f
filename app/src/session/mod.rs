//! A session: lanes on one trainer thread; commands in, snapshots and events out.
//!
//! Both faces, the screen and the batch, drive a session the same way and neither knows the other.
#![forbid(unsafe_code)]

mod budget;
mod build;
mod checkpoint;
mod describe;
pub mod device;
mod failure;
pub mod frozen;
mod guess;
pub mod history;
mod lane;
mod lanes;
mod memory;
mod messages;
mod obey;
pub mod offer;
mod oracle;
mod past;
mod peek;
mod plan;
mod present;
mod prober;
pub mod protocol;
mod retune;
mod round;
mod shared;
pub mod solo;
mod source;
mod trainer;
mod tuning;
mod until;
mod watch;

pub use device::DeviceError;
pub use memory::TooLarge;
pub use protocol::{Command, LaneView, Origin, Snapshot, Status, Until};
pub use shared::{Prepared, pool};
pub use solo::{Solo, SoloPlan};
pub use source::Source;
pub use watch::Watch;

use crate::data::DataError;
use crate::model::build::BuildError;
use crate::options::{DeviceChoice, OnPluginError, RunOptions};
use crate::record::Observer;
use crate::record::checkpoint::CheckpointError;
use crate::record::paths::Paths;
use crate::record::read::ReadError;
use crate::strategy::Unknown;
use crate::workspace::{Document, EditError, Workspace, WorkspaceError};
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use thiserror::Error;

/// Everything a session is started with.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// What to run.
    pub workspace: Workspace,
    /// Folder of the workspace file: relative paths begin there, and plugins are looked for there.
    pub beside: Option<PathBuf>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Threads of the pool; all cores when `None`.
    pub threads: Option<usize>,
    /// Folders and files to look for plugins in, before all others.
    pub plugin_paths: Vec<PathBuf>,
    /// What happens when a plugin fails.
    pub on_plugin_error: OnPluginError,
    /// Folder that checkpoints go to; none are written without.
    pub checkpoints: Option<PathBuf>,
    /// Continue from the checkpoints there.
    pub resume: bool,
    /// Start paused.
    pub paused: bool,
    /// Stay open for commands when all lanes have ended.
    pub keep_open: bool,
    /// Keep series in memory for a screen.
    pub history: bool,
    /// Records of the run so far, for a screen on a run that goes on: series and messages begin with what they tell.
    pub past: Option<PathBuf>,
    /// Lanes that step at the same time; the others wait.
    pub concurrent: usize,
}

impl Experiment {
    /// What was asked for on the command line.
    ///
    /// # Errors
    /// When the workspace cannot be read or is not sound.
    pub fn from_options(options: &RunOptions) -> Result<Self, WorkspaceError> {
        Ok(Self::of_document(&options.document()?, options))
    }

    /// The workspace of `document`, with what else was asked for on the command line.
    pub fn of_document(document: &Document, options: &RunOptions) -> Self {
        Self {
            beside: document.folder.clone(),
            device: options.device,
            threads: options.threads,
            plugin_paths: options.plugin_path.clone(),
            on_plugin_error: options.on_plugin_error,
            ..Self::new(document.workspace.clone())
        }
    }

    /// A run that was kept, computed anew: what is `first` is looked through before where the run found its strategies.
    pub fn of_run(workspace: Workspace, paths: Paths, first: &[PathBuf]) -> Self {
        Self {
            beside: paths.beside,
            plugin_paths: first.iter().cloned().chain(paths.plugin_paths).collect(),
            ..Self::new(workspace)
        }
    }

    /// What its workspace and its strategies are found by.
    pub fn paths(&self) -> Paths {
        Paths { beside: self.beside.clone(), plugin_paths: self.plugin_paths.clone() }
    }

    /// An experiment with every choice at its default.
    pub fn new(workspace: Workspace) -> Self {
        Self {
            workspace,
            beside: None,
            device: DeviceChoice::Auto,
            threads: None,
            plugin_paths: Vec::new(),
            on_plugin_error: OnPluginError::Stop,
            checkpoints: None,
            resume: false,
            paused: false,
            keep_open: false,
            history: false,
            past: None,
            concurrent: usize::MAX,
        }
    }
}

/// Why a session could not start or go on.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The workspace asks for something that cannot be.
    #[error(transparent)]
    Workspace(#[from] EditError),
    /// The architecture does not fit the data.
    #[error("problem.model: {0}")]
    Model(#[from] BuildError),
    /// The model is larger than the machine.
    #[error("problem.model: {0}")]
    Memory(#[from] TooLarge),
    /// A lane asks for something that cannot be.
    #[error("lane `{lane}`: {reason}")]
    Lane {
        /// Name of the lane.
        lane: String,
        /// Why, and what to write instead.
        reason: String,
    },
    /// The data cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No such strategy, or its library was refused.
    #[error(transparent)]
    Catalog(#[from] Unknown),
    /// A plugin refused the run.
    #[error("lane `{lane}`: {reason}")]
    Plugin {
        /// Name of the lane.
        lane: String,
        /// What it said.
        reason: String,
    },
    /// The device cannot be had.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The records of the run so far cannot be read.
    #[error(transparent)]
    Records(#[from] ReadError),
    /// The engine failed.
    #[error("the engine failed: {0}")]
    Engine(#[from] candle_core::Error),
    /// A lane that is stepped by hand failed.
    #[error("lane `{lane}` failed at step {step}: {reason}")]
    Step {
        /// Name of the lane.
        lane: String,
        /// Its step, from 0.
        step: u64,
        /// Why.
        reason: String,
    },
    /// The thread pool or the trainer thread could not be made, or the trainer died.
    #[error("the trainer failed: {0}")]
    Trainer(String),
}

/// What a session came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The lanes as they ended.
    pub lanes: Vec<LaneView>,
    /// Whether it was stopped from outside.
    pub interrupted: bool,
    /// Whether it was ended by a failure that no lane can survive.
    pub failed: bool,
    /// Why the checkpoint of a lane that ended could not be written, if one could not.
    pub unsaved: Option<String>,
}

/// A running session: the handle a face holds.
#[derive(Debug)]
pub struct Session {
    commands: Sender<Command>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    cancelled: Arc<AtomicBool>,
    thread: JoinHandle<Result<Summary, SessionError>>,
}

impl Session {
    /// Starts the trainer thread. Data, plugins and models are loaded there; a failure shows as [`Status::Failed`] and
    /// is returned by [`Session::join`].
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(experiment: Experiment, observers: Vec<Box<dyn Observer>>) -> Result<Self, SessionError> {
        let first = Snapshot::before(&experiment);
        Self::spawn(first, move |commands, snapshot, cancelled| {
            let mut prepared = Prepared::load(experiment)?;
            prepared.rehearse_if_lanes_wait()?;
            prepared.run(observers, commands, snapshot, cancelled)
        })
    }

    /// Runs `body` as the trainer thread; `first` is what faces see until it publishes.
    fn spawn(
        first: Snapshot,
        body: impl FnOnce(Receiver<Command>, Arc<ArcSwap<Snapshot>>, Arc<AtomicBool>) -> Result<Summary, SessionError>
        + Send
        + 'static,
    ) -> Result<Self, SessionError> {
        let (sender, receiver) = bounded(256);
        let snapshot = Arc::new(ArcSwap::from_pointee(first));
        let cancelled = Arc::new(AtomicBool::new(false));
        let (into, stop) = (snapshot.clone(), cancelled.clone());
        let body = move || {
            let work = std::panic::AssertUnwindSafe(|| body(receiver, into.clone(), stop));
            let result = std::panic::catch_unwind(work)
                .unwrap_or_else(|panic| Err(SessionError::Trainer(trainer::panic_text(&*panic))));
            if let Err(error) = &result {
                let mut last = Snapshot::clone(&into.load());
                last.revision += 1;
                last.status = Status::Failed(error.to_string());
                into.store(Arc::new(last));
            }
            result
        };
        let thread = std::thread::Builder::new().name("trainer".to_owned()).spawn(body);
        let thread = thread.map_err(|error| SessionError::Trainer(error.to_string()))?;
        Ok(Self { commands: sender, snapshot, cancelled, thread })
    }

    /// Sends a command, applied between steps. False when the trainer is gone or 256 commands are waiting.
    pub fn send(&self, command: Command) -> bool {
        if command == Command::Stop {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        self.commands.try_send(command).is_ok()
    }

    /// The session at this moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Waits until the trainer has ended, at most so long; true when it has.
    pub fn wait(&self, timeout: Duration) -> bool {
        let end = std::time::Instant::now() + timeout;
        while !self.thread.is_finished() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10).min(timeout));
        }
        self.thread.is_finished()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// What ended the trainer, when it did not end by itself.
    pub fn join(self) -> Result<Summary, SessionError> {
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => Err(SessionError::Trainer(trainer::panic_text(&*panic))),
        }
    }
}
