//! What the lanes of a session share, and how the trainer thread comes to it.
#![forbid(unsafe_code)]

use super::device;
use super::lane::Shared;
use super::offer::Offers;
use super::protocol::{Command, Snapshot};
use super::trainer::Trainer;
use super::{Experiment, SessionError, Summary};
use crate::data::{Batches, Dataset, Layout};
use crate::model::{Extent, build};
use crate::objective::Loss;
use crate::record::Observer;
use crate::strategy::Catalog;
use crate::workspace::{Precision, Problem};
use arc_swap::ArcSwap;
use candle_core::DType;
use crossbeam_channel::Receiver;
use rayon::ThreadPool;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The body of the trainer thread: loads what the lanes share, then trains inside the pool.
pub(super) fn run(
    experiment: Experiment,
    observers: Vec<Box<dyn Observer>>,
    commands: Receiver<Command>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    cancelled: Arc<AtomicBool>,
) -> Result<Summary, SessionError> {
    let (device, device_name) = device::open(experiment.device)?;
    let dtype = match experiment.workspace.dtype {
        Precision::F32 => DType::F32,
        Precision::F64 => DType::F64,
    };
    let folder = experiment.beside.as_deref();
    let Problem::Network(problem) = &experiment.workspace.problem;
    let data = Dataset::load(&problem.data, folder, experiment.workspace.data_seed)?;
    let images = Extent::image(data.channels, data.height, data.width);
    let input = build::input_extent(&problem.model, images);
    let graph = Arc::new(build::build(&problem.model, images, data.classes)?);
    let title = format!("{} · {}", data.name, build::describe(&problem.model, images, data.classes));
    let layout = if input.image.is_some() { Layout::Positions } else { Layout::Flat };
    let prepared = data.prepare(layout, dtype, &device)?;
    let batches = Batches::new(&prepared, problem.batch, experiment.workspace.data_seed)?;
    let catalog = Catalog::standard(&experiment.plugin_paths, folder);
    let pool = pool(experiment.threads)?;
    let threads = pool.current_num_threads();
    let workspace = &experiment.workspace;
    let offers = Offers::new(&catalog, workspace.defaults.clone(), workspace.steps, batches.per_epoch());
    let base = Snapshot {
        title,
        offers: Arc::new(offers),
        device: if device.is_cpu() { format!("cpu×{threads}") } else { device_name },
        ..Snapshot::clone(&snapshot.load())
    };
    let shared = Shared {
        graph,
        data: prepared,
        batches,
        catalog,
        dtype,
        device,
        batch: problem.batch,
        loss: Loss::from(problem.loss),
        measure: experiment.workspace.measure,
        defaults: experiment.workspace.defaults.clone(),
        diagnostic: experiment.workspace.diagnostic,
    };
    let trainer = Trainer::new(experiment, Arc::new(shared), observers, commands, snapshot, cancelled, base);
    pool.install(|| trainer.run())
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
