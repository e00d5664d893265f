//! Fresh estimates at the point under way, for the bias and variance of a lane's strategy: a second instance of it that draws
//! from keys of its own, so that training sees nothing of it.
#![forbid(unsafe_code)]

use super::SessionError;
use super::build::Shared;
use super::failure::LaneFailure;
use super::guess::{Guesser, State};
use super::plan::LanePlan;
use crate::data::Batch;
use crate::estimate::{Estimator, Point};
use crate::kernel;
use crate::model::{Network, Tape};
use candle_core::Tensor;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Number of the instance in the keys of draws; the one that trains is 0.
const INSTANCE: u64 = 1;

/// A second instance of a lane's strategy.
pub(super) struct Prober {
    guesser: Guesser,
    estimator: Option<Estimator>,
    guesses: u64,
    /// What the instance that trains remembers.
    state: Option<State>,
}

/// Where a probe takes place.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) step: u64,
    pub(super) steps: u64,
    pub(super) network: &'a Network,
    pub(super) point: Point<'a>,
    /// The estimate of the step before.
    pub(super) previous: &'a [Tensor],
    pub(super) batch: &'a Batch,
}

impl Prober {
    /// Prepares the instance as the lane's own; `guesses` estimates are made a probe.
    pub(super) fn new(
        shared: &Shared,
        plan: &LanePlan,
        network: &Network,
        tape: &Tape,
        cancelled: Arc<AtomicBool>,
        guesses: u64,
    ) -> Result<Self, SessionError> {
        let guesser = Guesser::new(shared, plan, network, tape, cancelled, INSTANCE)?;
        let estimator = guesser.estimator(tape, network)?;
        Ok(Self { guesser, estimator, guesses, state: None })
    }

    /// Estimates a probe.
    pub(super) fn guesses(&self) -> u64 {
        self.guesses
    }

    /// A probe begins at a point where the lane's own instance is `trained`.
    pub(super) fn begin(&mut self, trained: &mut Guesser) -> Result<(), LaneFailure> {
        self.state = Some(trained.state()?);
        Ok(())
    }

    /// Writes estimate `number` of the probe into `estimate`: the strategy remembers what it did when the probe began.
    pub(super) fn estimate(&mut self, number: u64, place: Place<'_>, estimate: &[Tensor]) -> Result<(), LaneFailure> {
        let Place { step, steps, network, point, previous, batch } = place;
        if let Some((bytes, tensors)) = &self.state {
            let find = |name: &str, into: &Tensor| match tensors.iter().find(|(other, _)| other == name) {
                Some((_, tensor)) => Ok(kernel::copy(into, tensor)?),
                None => Err(LaneFailure::engine(&format!("the strategy's matrix `{name}` is not in its state"))),
            };
            self.guesser.restore(bytes, network, find)?;
        }
        self.guesser.begin_probe(step.wrapping_mul(self.guesses).wrapping_add(number), step, steps)?;
        let Some(estimator) = &mut self.estimator else {
            self.guesser.whole(network, point, previous, batch)?;
            return self.guesser.write_estimate(estimate);
        };
        for first in estimator.firsts() {
            self.guesser.turn_to(first);
            estimator.turn_to(first);
            self.guesser.whole(network, point, previous, batch)?;
            self.guesser.finish(point.tape, estimator)?;
            estimator.derive(point, self.guesser.directions())?;
            estimator.weigh(point, self.guesser.directions())?;
        }
        Ok(estimator.form(point, self.guesser.directions(), estimate)?)
    }
}
