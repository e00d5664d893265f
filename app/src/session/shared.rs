//! What the lanes of a session share, loaded before it trains: device, strategies, and data and model of each problem that the
//! workspace's grid has. Every lane can be built once
//! to see that it can be, so that what a run is refused for is found before a folder is made or a record written.
#![forbid(unsafe_code)]

use super::build::Shared;
use super::lane::Lane;
use super::offer::{Architecture, Offers};
use super::plan::problems;
use super::protocol::{Command, Snapshot};
use super::trainer::Trainer;
use super::tuning::Tuning;
use super::{Experiment, Session, SessionError, Summary, device, memory};
use crate::data::{self, Batches, Dataset, Layout};
use crate::measure::peak;
use crate::model::{Extent, build};
use crate::objective::Loss;
use crate::record::Observer;
use crate::strategy::Catalog;
use crate::workspace::{DataSpec, LaneSpec, Precision, Problem, Workspace};
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
    /// Of each problem, in the order of the grid.
    pub(super) shared: Vec<Arc<Shared>>,
    pub(super) pool: ThreadPool,
    /// `fashion-mini`, of the first problem.
    data: String,
    model: String,
    device: String,
    threads: usize,
    /// FLOP of a step of every lane, once they were built.
    costs: Vec<u64>,
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

    /// Opens the device, brings `data` (those of the workspace's own problem) and those of the sweep's problems to it, builds
    /// their graphs and loads the strategies' libraries.
    ///
    /// # Errors
    /// When the device cannot be had, the model does not fit the data or the machine, or a batch is larger than the data.
    pub fn with_data(experiment: Experiment, data: &Dataset) -> Result<Self, SessionError> {
        let (opened, device) = device::open(experiment.device)?;
        let dtype = match experiment.workspace.dtype {
            Precision::F32 => DType::F32,
            Precision::F64 => DType::F64,
        };
        let workspace = &experiment.workspace;
        let Problem::Network(own) = &workspace.problem;
        let catalog = Catalog::standard(&experiment.plugin_paths, experiment.beside.as_deref());
        // What was brought to the device already, for problems that share it.
        let mut brought: Vec<(DataSpec, Layout, data::Prepared)> = Vec::new();
        let (mut shared, mut titles) = (Vec::new(), Vec::new());
        let mut problems = problems(&workspace.grid()?);
        if problems.is_empty() {
            problems.push(workspace.problem.clone());
        }
        for Problem::Network(problem) in &problems {
            let loaded = match problem.data == own.data {
                true => None,
                false => Some(Dataset::load(&problem.data, experiment.beside.as_deref(), workspace.data_seed)?),
            };
            let data = loaded.as_ref().unwrap_or(data);
            let images = Extent::image(data.channels, data.height, data.width);
            let input = build::input_extent(&problem.model, images);
            let graph = Arc::new(build::build(&problem.model, images, data.classes)?);
            titles.push((data.name.clone(), build::describe(&problem.model, images, data.classes)));
            if opened.is_cpu() {
                memory::check(&graph, problem.batch, dtype)?;
            }
            let layout = if input.image.is_some() { Layout::Positions } else { Layout::Flat };
            let known = brought.iter().find(|(spec, other, _)| (spec, *other) == (&problem.data, layout));
            let prepared = match known {
                Some((.., prepared)) => prepared.clone(),
                None => {
                    let prepared = data.prepare(layout, dtype, &opened)?;
                    brought.push((problem.data.clone(), layout, prepared.clone()));
                    prepared
                }
            };
            let batches = Batches::new(&prepared, problem.batch, workspace.data_seed)?;
            shared.push(Arc::new(Shared {
                graph,
                model: problem.model.clone(),
                images,
                data: prepared,
                batches,
                catalog: catalog.clone(),
                dtype,
                device: opened.clone(),
                batch: problem.batch,
                loss: Loss::from(problem.loss),
                measure: workspace.measure,
                defaults: workspace.defaults.clone(),
                budget: workspace.budget,
                diagnostic: workspace.diagnostic,
            }));
        }
        let pool = pool(experiment.threads)?;
        let threads = pool.current_num_threads();
        let (data, mut model) = titles.swap_remove(0);
        match shared.len() - 1 {
            0 => {}
            1 => model.push_str(" and another"),
            more => model.push_str(&format!(" and {more} others")),
        }
        Ok(Self { experiment, shared, pool, data, model, device, threads, costs: Vec::new() })
    }

    /// Builds every lane once, one after the other: what cannot be is told now, not when its turn comes.
    ///
    /// # Errors
    /// The first lane's that cannot be: no such strategy, parameters or settings without meaning, a plugin that refuses.
    pub fn rehearse(&mut self) -> Result<(), SessionError> {
        let (trials, tuning) = Tuning::plan(&self.experiment.workspace)?;
        let real = tuning.map(|tuning| tuning.as_written(&self.experiment.workspace)).unwrap_or_default();
        let mut built: Vec<(LaneSpec, usize, bool, u64)> = Vec::new();
        self.costs.clear();
        for plan in trials.into_iter().chain(real) {
            // What makes no difference to whether it can be built.
            let spec = LaneSpec { name: None, optimizer: None, seeds: None, ..plan.spec.clone() };
            // A budget holds no trial.
            let budget = self.experiment.workspace.budget.is_some();
            let found = built.iter().find(|(other, problem, trial, _)| {
                (other, *problem) == (&spec, plan.problem) && (*trial == plan.trial || !budget)
            });
            let flop = match found {
                Some((.., flop)) => *flop,
                None => {
                    let (problem, trial) = (plan.problem, plan.trial);
                    let build = || Lane::new(&self.shared[problem], plan, Arc::default()).map(|lane| lane.info().flop);
                    let flop = self.pool.install(build)?;
                    built.push((spec, problem, trial, flop));
                    flop
                }
            };
            self.costs.push(flop);
        }
        Ok(())
    }

    /// Whether the networks of all problems have layers of the same names.
    pub fn alike(&self) -> bool {
        let names = |shared: &Shared| -> Vec<String> {
            let sites = 0..shared.graph.sites.len();
            sites.map(|site| shared.graph.site_node(site).name.clone()).collect()
        };
        self.shared.iter().all(|shared| names(shared) == names(&self.shared[0]))
    }

    /// FLOP of a step of every lane, trials first; empty before [`Prepared::rehearse`].
    pub fn costs(&self) -> &[u64] {
        &self.costs
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

    /// What is to be run. How it is kept and shown may still change; what was loaded stays as it is.
    pub fn experiment_mut(&mut self) -> &mut Experiment {
        &mut self.experiment
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
    pub(super) fn rehearse_if_lanes_wait(&mut self) -> Result<(), SessionError> {
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
        let Self { experiment, shared, pool, data, model, device, threads, .. } = self;
        let workspace = &experiment.workspace;
        let first = &shared[0];
        let architecture =
            || Architecture { model: first.model.clone(), images: first.images, classes: first.data.classes };
        let architecture = (shared.len() == 1).then(architecture);
        let (defaults, per_epoch) = (workspace.defaults.clone(), first.batches.per_epoch());
        let offers = Offers::new(&first.catalog, defaults, architecture, workspace.steps, per_epoch);
        let base = Snapshot {
            title: format!("{data} · {model}"),
            offers: Arc::new(offers),
            device: if first.device.is_cpu() { format!("{device}×{threads}") } else { device },
            ..Snapshot::clone(&snapshot.load())
        };
        let (watched, dtype, yardstick) = (experiment.history, first.dtype, first.device.clone());
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
