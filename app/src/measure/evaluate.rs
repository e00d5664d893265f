//! Mean loss and accuracy on a whole split.
#![forbid(unsafe_code)]

use crate::data::Split;
use crate::model::{Network, Tape};
use crate::objective::Loss;
use candle_core::Result;
use std::collections::BTreeMap;

/// Examples evaluated at once, unless they make too many numbers.
const CHUNK: usize = 250;
/// Numbers that the layers of one evaluation may make together: some hundred megabytes with what else is kept of them.
const MOST: usize = 1 << 25;

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Share classified rightly.
    pub accuracy: f64,
}

/// Evaluates a network on splits; keeps a tape a chunk size.
#[derive(Debug, Default)]
pub struct Evaluator {
    tapes: BTreeMap<usize, Tape>,
}

/// How many examples are evaluated at once.
fn chunk(network: &Network) -> usize {
    let numbers = network.graph().nodes.iter().map(|node| node.extent.rows * node.extent.width).sum::<usize>();
    (MOST / numbers.max(1)).clamp(1, CHUNK)
}

impl Evaluator {
    /// Mean loss and accuracy of `network` on `split`.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn evaluate(&mut self, network: &Network, loss: Loss, split: &Split) -> Result<Evaluation> {
        let (mut total, mut correct, mut count) = (0.0, 0, 0);
        for batch in split.chunks(chunk(network)) {
            let batch = batch?;
            let size = batch.labels.dim(0)?;
            let tape = match self.tapes.entry(size) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let theta = &network.theta()[0];
                    entry.insert(Tape::new(network.graph().clone(), size, theta.dtype(), theta.device())?)
                }
            };
            tape.forward(network.theta(), &batch.x, None, |_| Ok::<(), candle_core::Error>(()))?;
            let found = loss.evaluate(tape.logits(), &batch.labels, None)?;
            total += found.loss * size as f64;
            correct += found.correct;
            count += size;
        }
        Ok(Evaluation { loss: total / count as f64, accuracy: correct as f64 / count as f64 })
    }
}
