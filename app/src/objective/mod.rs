//! Losses on the logits: value, signal, correct answers.
//!
//! Knows scores and labels; not which model made them.
#![forbid(unsafe_code)]

use crate::kernel::{self, Scores};
use crate::workspace::LossSpec;
use candle_core::{Result, Tensor};

/// A loss: the mean over the batch of what it says of each example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// −log of softmax(S_L) at the label.
    CrossEntropy,
    /// ½‖S_L − onehot(label)‖².
    MeanSquaredError,
}

impl From<LossSpec> for Loss {
    fn from(spec: LossSpec) -> Self {
        match spec {
            LossSpec::CrossEntropy => Self::CrossEntropy,
            LossSpec::MeanSquaredError => Self::MeanSquaredError,
        }
    }
}

/// What a batch scored.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss over the batch.
    pub loss: f64,
    /// Examples whose largest logit is the label's.
    pub correct: usize,
    /// Loss of each example.
    pub examples: Vec<f64>,
}

impl Loss {
    /// Scores `logits` (B × C) against `labels` (B × 1, class indices). With a `signal` (B × C) writes δ_L = ∂L/∂S_L, the
    /// mean's 1/B in it.
    ///
    /// # Errors
    /// When the extents do not fit or a label is no class.
    pub fn evaluate(self, logits: &Tensor, labels: &Tensor, signal: Option<&Tensor>) -> Result<Evaluation> {
        let examples = logits.dims().first().copied().unwrap_or(1).max(1) as f64;
        let Scores { losses, correct } = self.scores(logits, labels, signal.map(|signal| (signal, 1.0 / examples)))?;
        Ok(Evaluation { loss: losses.iter().sum::<f64>() / examples, correct, examples: losses })
    }

    /// `error ← B·δ_L`: p − onehot(label), p = softmax(S_L), for cross-entropy; S_L − onehot(label) for the squared error.
    ///
    /// # Errors
    /// When the extents do not fit or a label is no class.
    pub fn output_error(self, logits: &Tensor, labels: &Tensor, error: &Tensor) -> Result<()> {
        self.scores(logits, labels, Some((error, 1.0))).map(drop)
    }

    fn scores(self, logits: &Tensor, labels: &Tensor, signal: Option<(&Tensor, f64)>) -> Result<Scores> {
        match self {
            Self::CrossEntropy => kernel::cross_entropy(logits, labels, signal),
            Self::MeanSquaredError => kernel::squared_error(logits, labels, signal),
        }
    }
}
