//! What lanes are made of: what those of one problem share, and a lane from its plan.
#![forbid(unsafe_code)]

use super::SessionError;
use super::budget::Spent;
use super::describe;
use super::guess::Guesser;
use super::lane::Lane;
use super::memory;
use super::plan::LanePlan;
use super::prober::Prober;
use crate::data::{Batches, Prepared};
use crate::estimate::Optimizer;
use crate::measure::Measurer;
use crate::model::{Extent, Graph, Network, Tape, build};
use crate::objective::Loss;
use crate::record::StageSeconds;
use crate::strategy::Catalog;
use crate::workspace::{BACKPROP, Budget, LaneDefaults, LossesSpec, Measure, ModelSpec};
use candle_core::{DType, Device, Tensor};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What all lanes of a session that train one problem share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) graph: Arc<Graph>,
    pub(super) model: ModelSpec,
    /// Extent of an example as the data set has it.
    pub(super) images: Extent,
    pub(super) data: Prepared,
    pub(super) batches: Batches,
    pub(super) catalog: Catalog,
    pub(super) dtype: DType,
    pub(super) device: Device,
    pub(super) batch: usize,
    pub(super) loss: Loss,
    pub(super) measure: Measure,
    pub(super) defaults: LaneDefaults,
    pub(super) budget: Option<Budget>,
    pub(super) diagnostic: bool,
}

impl Shared {
    /// The architecture with the losses that a lane trains.
    fn graph(&self, losses: LossesSpec) -> Result<Arc<Graph>, SessionError> {
        if losses == LossesSpec::Global {
            return Ok(self.graph.clone());
        }
        let graph = build::build_with(&self.model, losses, self.images, self.data.classes)?;
        if self.device.is_cpu() {
            memory::check(&graph, self.batch, self.dtype)?;
        }
        Ok(Arc::new(graph))
    }
}

impl Lane {
    /// Builds model, guesser, estimator and optimizer; refuses what has no meaning, by name.
    pub(super) fn new(shared: &Shared, plan: LanePlan, cancelled: Arc<AtomicBool>) -> Result<Self, SessionError> {
        let graph = shared.graph(plan.spec.losses.unwrap_or_default()).map_err(|error| match error {
            SessionError::Model(error) => SessionError::Lane { lane: plan.name.clone(), reason: error.to_string() },
            other => other,
        })?;
        let network = Network::new(graph.clone(), shared.dtype, &shared.device, plan.seed)?;
        let tape = Tape::new(graph, shared.batch, shared.dtype, &shared.device)?;
        let reference = plan.spec.strategy == BACKPROP;
        let guesser =
            if reference { None } else { Some(Guesser::new(shared, &plan, &network, &tape, cancelled.clone(), 0)?) };
        let prober = if shared.measure.bias > 0 && !reference {
            let guesses = shared.measure.bias_guesses;
            Some(Prober::new(shared, &plan, &network, &tape, cancelled, guesses)?)
        } else {
            None
        };
        let estimator = match &guesser {
            Some(guesser) => guesser.estimator(&tape, &network)?,
            None => None,
        };
        let estimate = network.zeros_like()?;
        let optimizer = Optimizer::new(plan.spec.optimizer.unwrap_or_default(), network.theta())?;
        let mut info = describe::info(shared, &plan, &network, guesser.as_ref(), estimator.as_ref());
        let budget = shared.budget.filter(|_| !plan.trial);
        match budget.and_then(|budget| Spent::default().left(&budget, &info)) {
            Some((0, what)) => {
                let reason = format!("budget: one step uses more {what} than the budget has; give it more");
                return Err(SessionError::Lane { lane: plan.name, reason });
            }
            Some((left, _)) => info.steps = info.steps.min(left),
            None => {}
        }
        let deltas = tape.outputs().into_iter().map(Tensor::zeros_like).collect::<candle_core::Result<_>>()?;
        Ok(Self {
            schedule: plan.spec.schedule.unwrap_or_default(),
            measurer: if plan.trial { Measurer::trial(shared.measure) } else { Measurer::new(shared.measure) },
            plan,
            info: Arc::new(info),
            network,
            tape,
            loss: shared.loss,
            deltas,
            guesser,
            estimator,
            prober,
            estimate,
            optimizer,
            steps_taken: 0,
            budget,
            spent: Spent::default(),
            torn: false,
            seconds: StageSeconds::default(),
            first_loss: None,
            validation: None,
            change: None,
            messages: Vec::new(),
        })
    }
}
