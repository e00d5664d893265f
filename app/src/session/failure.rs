//! Why a lane ends before its steps are done.
#![forbid(unsafe_code)]

use crate::record::EndReason;
use std::fmt;

/// A loss this many times the first one counts as diverged.
const DIVERGED: f64 = 1e4;

/// A loss this many times the first one overflows in products of weights before it is itself infinite.
const BLOWN_UP: f64 = 10.0;

/// Why a step failed.
#[derive(Clone, Debug)]
pub(super) struct LaneFailure {
    /// What the lane ends with.
    pub(super) reason: EndReason,
    /// Whether memory is no longer trusted, so that the whole run must end.
    pub(super) fatal: bool,
    /// Whether it is the strategy's and the strategy can be called again.
    pub(super) again: bool,
}

impl LaneFailure {
    pub(super) fn engine(text: &str) -> Self {
        Self { reason: EndReason::Failed(text.to_owned()), fatal: false, again: false }
    }

    pub(super) fn diverged(text: String) -> Self {
        Self { reason: EndReason::Diverged(text), fatal: false, again: false }
    }
}

impl From<candle_core::Error> for LaneFailure {
    fn from(error: candle_core::Error) -> Self {
        Self::engine(&error.to_string())
    }
}

impl fmt::Display for LaneFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            EndReason::Diverged(text) => write!(f, "diverged: {text}"),
            EndReason::Plugin(text) | EndReason::Failed(text) => f.write_str(text),
            other => write!(f, "{other:?}"),
        }
    }
}

/// Whether training has left all bounds, so that numbers overflow in whoever touches them and no strategy is to blame.
pub(super) fn blown_up(first: Option<f64>, loss: f64) -> bool {
    loss > BLOWN_UP * first.unwrap_or(loss).max(1.0)
}

pub(super) fn check_loss(first: &mut Option<f64>, loss: f64, step: u64) -> Result<(), LaneFailure> {
    let first = *first.get_or_insert(loss);
    if !loss.is_finite() {
        return Err(LaneFailure::diverged(format!("the training loss is {loss} at step {step}")));
    }
    if loss > DIVERGED * first.max(1.0) {
        let text = format!("the training loss is {loss:.3e} at step {step}, from {first:.3} at the start");
        return Err(LaneFailure::diverged(text));
    }
    Ok(())
}
