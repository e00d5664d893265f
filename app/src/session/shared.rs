//! What the lanes of a session share, loaded before it trains: device, data, model, strategies. Every lane can be built once
//! to see that it can be, so that what a run is refused for is found before a folder is made or a record written.
#![forbid(unsafe_code)]

use super::lane::{Lane, Shared};
use super::offer::Offers;
use super::protocol::{Command, Snapshot};
use super::trainer::Trainer;
use super::tuning::Tuning;
use super::{Experiment, Session, SessionError, Summary, device, memory};
use crate::data::{Batches, Dataset, Layout};
use crate::measure::peak;
use crate::model::{Extent, build};
use crate::objective::Loss;
use crate::record::Observer;
use crate::strategy::Catalog;
use crate::workspace::{LaneSpec, Precision, Problem, Workspace};
use arc_swap::ArcSwap;
use candle_core::DType;
use crossbeam_channel::Receiver;
use rayon::ThreadPool;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// `fashion-mini · mlp 784-128-128-128-10` of a workspace; its name alone where its data cannot be had here.
pub(super) fn title(workspace: &Workspace, beside: Option<&Path>) -> String {
    let Problem::Network(problem) = &workspace.problem;
    match Dataset::load(&problem.data, beside, workspace.data_seed) {
        Ok(data) => {
            let images = Extent::image(data.channels, data.height, data.width);
            format!("{} · {}", data.name, build::describe(&problem.model, images, data.classes))
        }
        Err(_) => problem.data.name.clone(),
    }
}

/// Everything that lanes share, ready to train.
pub struct Prepared {
    experiment: Experiment,
    shared: Arc<Shared>,
    pool: ThreadPool,
    data: String,
    model: String,
    device: String,
    threads: usize,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("model", &self.model).field("device", &self.device).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Loads the data of `experiment`, then as [`Prepared::with_data`].
    ///
    /// # Errors
    /// When the data cannot be had, and as [`Prepared::with_data`].
    pub fn load(experiment: Experiment) -> Result<Self, SessionError> {
        let Problem::Network(problem) = &experiment.workspace.problem;
        let data = Dataset::load(&problem.data, experiment.beside.as_deref(), experiment.workspace.data_seed)?;
        Self::with_data(experiment, &data)
    }

    /// Opens the device, brings `data` to it, builds the graph and loads the strategies' libraries.
    ///
    /// # Errors
    /// When the device cannot be had, the model does not fit the data or the machine, or a batch is larger than the data.
    pub fn with_data(experiment: Experiment, data: &Dataset) -> Result<Self, SessionError> {
        let (opened, device) = device::open(experiment.device)?;
        let dtype = match experiment.workspace.dtype {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        };
        let Problem::Network(problem) = &experiment.workspace.problem;
        let images = Extent::image(data.channels, data.height, data.width);
        let input = build::input_extent(&problem.model, images);
        let graph = Arc::new(build::build(&problem.model, images, data.classes)?);
        let model = build::describe(&problem.model, images, data.classes);
        let name = data.name.clone();
        if opened.is_cpu() {
            memory::check(&graph, problem.batch, dtype)?;
        }
        let layout = if input.image.is_some() { Layout::Positions } else { Layout::Flat };
        let data = data.prepare(layout, dtype, &opened)?;
        let batches = Batches::new(&data, problem.batch, experiment.workspace.data_seed)?;
        let catalog = Catalog::standard(&experiment.plugin_paths, experiment.beside.as_deref());
        let pool = pool(experiment.threads)?;
        let threads = pool.current_num_threads();
        let shared = Shared {
            graph,
            data,
            batches,
            catalog,
            dtype,
            device: opened,
            batch: problem.batch,
            loss: Loss::from(problem.loss),
            measure: experiment.workspace.measure,
            defaults: experiment.workspace.defaults.clone(),
            diagnostic: experiment.workspace.diagnostic,
        };
        Ok(Self { experiment, shared: Arc::new(shared), pool, data: name, model, device, threads })
    }

    /// Builds every lane once, one after the other: what cannot be is told now, not when its turn comes.
    ///
    /// # Errors
    /// The first lane's that cannot be: no such strategy, parameters or settings without meaning, a plugin that refuses.
    pub fn rehearse(&self) -> Result<(), SessionError> {
        let (plans, _) = Tuning::plan(&self.experiment.workspace)?;
        let mut built: Vec<LaneSpec> = Vec::new();
        for plan in plans {
            // What makes no difference to whether it can be built.
            let spec = LaneSpec { name: None, optimizer: None, seeds: None, ..plan.spec.clone() };
            if !built.contains(&spec) {
                self.pool.install(|| Lane::new(&self.shared, plan, Arc::default()).map(drop))?;
                built.push(spec);
            }
        }
        Ok(())
    }

    /// `mlp 784-128-128-128-10`.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What computes: `cpu`, `cuda:0`, `metal`.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Threads of the pool.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Checkpoints go to `folder`; with `resume` the lanes go on from those there.
    pub fn keep(&mut self, folder: PathBuf, resume: bool) {
        (self.experiment.checkpoints, self.experiment.resume) = (Some(folder), resume);
    }

    /// Starts the trainer thread.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(self, observers: Vec<Box<dyn Observer>>) -> Result<Session, SessionError> {
        let first = Snapshot::before(&self.experiment);
        Session::spawn(first, move |commands, snapshot, cancelled| self.run(observers, commands, snapshot, cancelled))
    }

    /// Builds every lane that would have to wait for its turn, if there is one.
    pub(super) fn rehearse_if_lanes_wait(&self) -> Result<(), SessionError> {
        let (plans, _) = Tuning::plan(&self.experiment.workspace)?;
        if plans.len() > self.experiment.concurrent { self.rehearse() } else { Ok(()) }
    }

    /// Trains inside the pool, on this thread's behalf.
    pub(super) fn run(
        self,
        observers: Vec<Box<dyn Observer>>,
        commands: Receiver<Command>,
        snapshot: Arc<ArcSwap<Snapshot>>,
        cancelled: Arc<AtomicBool>,
    ) -> Result<Summary, SessionError> {
        let Self { experiment, shared, pool, data, model, device, threads } = self;
        let workspace = &experiment.workspace;
        let offers =
            Offers::new(&shared.catalog, workspace.defaults.clone(), workspace.steps, shared.batches.per_epoch());
        let base = Snapshot {
            title: format!("{data} · {model}"),
            offers: Arc::new(offers),
            device: if shared.device.is_cpu() { format!("{device}×{threads}") } else { device },
            ..Snapshot::clone(&snapshot.load())
        };
        let (watched, dtype, yardstick) = (experiment.history, shared.dtype, shared.device.clone());
        let mut trainer = Trainer::new(experiment, shared, observers, commands, snapshot, cancelled, base);
        pool.install(|| {
            if watched {
                trainer.set_peak(peak::gemm(dtype, &yardstick)?);
            }
            trainer.run()
        })
    }
}

/// The pool that steps run in: so many threads, or one a core.
///
/// # Errors
/// [`SessionError::Trainer`] when threads cannot be made.
pub fn pool(threads: Option<usize>) -> Result<ThreadPool, SessionError> {
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).thread_name(|index| format!("worker-{index}"));
    pool.build().map_err(|error| SessionError::Trainer(error.to_string()))
}
