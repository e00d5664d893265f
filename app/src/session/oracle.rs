//! Function values and directional derivatives at a lane's point, for strategies that ask.
#![forbid(unsafe_code)]

use crate::estimate::{Directions, Estimator, GuessKind, Point, Settings};
use crate::kernel;
use crate::model::{Network, Tape};
use crate::objective::Loss;
use crate::strategy::Oracle;
use crate::workspace::Scope;
use candle_core::{Result, Tensor, bail};

/// Answers at the point it was last aimed at, along the directions the strategy writes.
pub(super) struct PointOracle {
    probe: Tape,
    theta: Vec<Tensor>,
    directions: Vec<Vec<Tensor>>,
    estimator: Estimator,
    primal: Tape,
    at: Option<Aim>,
}

/// The point, by its tensors (clones share the storages).
struct Aim {
    theta: Vec<Tensor>,
    data: Tensor,
    labels: Tensor,
    deltas: Vec<Tensor>,
    loss: Loss,
}

impl PointOracle {
    /// Plans the buffers that answers take; `directions` share their storages with the strategy's outputs.
    pub(super) fn new(network: &Network, tape: &Tape, directions: Vec<Vec<Tensor>>) -> Result<Self> {
        let fresh = || Tape::new(tape.graph().clone(), tape.batch(), tape.dtype(), tape.device());
        let settings = Settings::plain(Scope::Batch);
        let primal = fresh()?;
        let estimator = Estimator::new(settings, GuessKind::Weight, &primal, network.theta())?;
        Ok(Self { probe: fresh()?, theta: network.zeros_like()?, directions, estimator, primal, at: None })
    }

    /// The point of the step under way.
    pub(super) fn aim(&mut self, point: Point) {
        self.at = Some(Aim {
            theta: point.theta.to_vec(),
            data: point.data.clone(),
            labels: point.labels.clone(),
            deltas: point.deltas.to_vec(),
            loss: point.loss,
        });
    }
}

impl Oracle for PointOracle {
    fn loss_at(&mut self, guess: usize, t: f64) -> Result<f64> {
        let (Some(at), Some(v)) = (&self.at, self.directions.get(guess)) else {
            bail!("there is no direction {guess}")
        };
        for ((into, theta), v) in self.theta.iter().zip(&at.theta).zip(v) {
            kernel::copy(into, theta)?;
            kernel::axpy(into, t, v)?;
        }
        self.probe.forward(&self.theta, &at.data, None, |_| Ok::<(), candle_core::Error>(()))?;
        Ok(at.loss.evaluate(self.probe.logits(), &at.labels, None)?.loss)
    }

    fn jvp(&mut self, guess: usize) -> Result<f64> {
        let (Some(at), Some(v)) = (&self.at, self.directions.get(guess)) else {
            bail!("there is no direction {guess}")
        };
        self.primal.forward(&at.theta, &at.data, None, |_| Ok::<(), candle_core::Error>(()))?;
        let point = Point {
            tape: &self.primal,
            theta: &at.theta,
            data: &at.data,
            labels: &at.labels,
            loss: at.loss,
            deltas: &at.deltas,
        };
        self.estimator.derive(point, Directions::Weight(std::slice::from_ref(v)))?;
        Ok(self.estimator.scalars().values[0])
    }
}
