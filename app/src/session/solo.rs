//! One lane without a trainer, stepped by hand on a few batches in turn: what a benchmark drives.
//!
//! The lane is the one that trains, with its strategy's library loaded; what is missing is the round around it: gathering
//! the batch, records, snapshots, checkpoints. Nothing is measured beside the steps.
#![forbid(unsafe_code)]

use super::SessionError;
use super::build::Shared;
use super::lane::Lane;
use super::plan::LanePlan;
use crate::data::{Batch, Batches, Prepared};
use crate::kernel;
use crate::model::{Extent, Network, build};
use crate::objective::Loss;
use crate::record::{Key, LaneInfo, Quantity};
use crate::strategy::Catalog;
use crate::workspace::{LaneDefaults, LaneSpec, LossSpec, Measure, ModelSpec};
use std::path::PathBuf;
use std::sync::Arc;

/// A lane to be stepped by hand.
#[derive(Clone, Debug)]
pub struct SoloPlan {
    /// The architecture.
    pub model: ModelSpec,
    /// The lane.
    pub lane: LaneSpec,
    /// The data, on the device and of the data type to compute with: its training split, in order, makes the batches.
    pub data: Prepared,
    /// Examples in a batch, B.
    pub batch: usize,
    /// Folders and files to look for plugins in, before all others.
    pub plugin_paths: Vec<PathBuf>,
}

/// A lane, its data, and the place among its batches.
pub struct Solo {
    shared: Shared,
    lane: Lane,
    batches: Vec<Batch>,
    next: usize,
}

impl Solo {
    /// Builds the lane; cross-entropy, no measurement, seed 0.
    ///
    /// # Errors
    /// Those of a session that starts: a model that does not fit the data, no such strategy, settings without meaning.
    pub fn new(plan: SoloPlan) -> Result<Self, SessionError> {
        let SoloPlan { model, lane, data, batch, plugin_paths } = plan;
        let images = Extent::image(data.channels, data.height, data.width);
        let sequence = Batches::new(&data, batch, 0)?;
        let whole = data.train.count() / batch;
        let batches = data.train.chunks(batch).take(whole).collect::<candle_core::Result<Vec<Batch>>>()?;
        let never = Measure {
            alignment: 0,
            one_step: 0,
            spectrum: 0,
            signal_spectrum: 0,
            mask_density: 0,
            test: 0,
            train: 0,
            ..Measure::default()
        };
        let shared = Shared {
            graph: Arc::new(build::build(&model, images, data.classes)?),
            model,
            images,
            dtype: data.train.x.dtype(),
            device: data.train.x.device().clone(),
            data,
            batches: sequence,
            catalog: Catalog::standard(&plugin_paths, None),
            batch,
            loss: Loss::from(LossSpec::CrossEntropy),
            measure: never,
            defaults: LaneDefaults::default(),
            budget: None,
            diagnostic: false,
        };
        let plan = LanePlan {
            lane: 0,
            name: lane.name.clone().unwrap_or_else(|| lane.strategy.clone()),
            spec: lane,
            problem: 0,
            seed: 0,
            steps: u64::MAX,
            trial: false,
            added: false,
            axes: Default::default(),
        };
        let lane = Lane::new(&shared, plan, Arc::default())?;
        Ok(Self { shared, lane, batches, next: 0 })
    }

    /// One step on the next batch; the loss of the batch before the update. Call it inside the pool that is to work.
    ///
    /// # Errors
    /// [`SessionError::Step`] when the strategy or the engine fails, or the lane diverges.
    pub fn step(&mut self) -> Result<f64, SessionError> {
        let batch = &self.batches[self.next % self.batches.len()];
        self.next += 1;
        let step = self.lane.steps_taken();
        let reason = match kernel::attended(|| self.lane.step(batch, &self.shared.data)) {
            Ok(report) => match report.get(Key::whole(Quantity::Loss)) {
                Some(loss) => return Ok(loss),
                None => "it reports no loss".to_owned(),
            },
            Err(failure) => failure.to_string(),
        };
        Err(SessionError::Step { lane: self.lane.plan().name.clone(), step, reason })
    }

    /// The next step is on the first batch again.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// The model.
    pub fn network(&self) -> &Network {
        &self.lane.network
    }

    /// What the lane is.
    pub fn info(&self) -> &LaneInfo {
        self.lane.info()
    }

    /// FLOP of the products that the strategy has asked for so far.
    pub fn strategy_flop(&self) -> u64 {
        self.lane.guesser.as_ref().map_or(0, |guesser| guesser.flop())
    }
}
