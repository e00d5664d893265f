//! Losses on the logits: value, signal, correct answers.
//!
//! Knows scores and labels; not which model made them.
#![forbid(unsafe_code)]

use crate::kernel::{self, Scores};
use crate::workspace::LossSpec;
use candle_core::{Result, Tensor, bail};

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
    /// The mean loss at each head of local losses.
    pub local: Vec<f64>,
}

impl Evaluation {
    /// What is trained: the loss at the logits and those at the heads.
    pub fn total(&self) -> f64 {
        self.loss + self.local.iter().sum::<f64>()
    }
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
        Ok(Evaluation { loss: losses.iter().sum::<f64>() / examples, correct, examples: losses, local: Vec::new() })
    }

    /// Scores every output of a model, the logits (B × C) last. Those before are heads of local losses, B·m·C numbers each: m scores
    /// an example, one after the other, each against its label; their loss is the mean of all. With `signals`, shaped as the outputs,
    /// writes ∂L/∂S of each.
    ///
    /// # Errors
    /// As [`Loss::evaluate`].
    pub fn evaluate_all(self, outputs: &[&Tensor], labels: &Tensor, signals: Option<&[Tensor]>) -> Result<Evaluation> {
        let Some((logits, heads)) = outputs.split_last() else { bail!("a model has at least one output") };
        let mut found = self.evaluate(logits, labels, signals.map(|signals| &signals[heads.len()]))?;
        for (index, head) in heads.iter().enumerate() {
            let (scores, repeated) = scored(head, logits, labels)?;
            let signal = signals.map(|signals| signals[index].reshape(scores.shape())).transpose()?;
            found.local.push(self.evaluate(&scores, &repeated, signal.as_ref())?.loss);
        }
        Ok(found)
    }

    /// How ∂L/∂S of every output, as [`Loss::evaluate_all`] writes it, moves while the outputs move by `tangents`: the Hessian of the
    /// loss in the outputs times these.
    ///
    /// # Errors
    /// When the extents do not fit.
    pub fn curve_all(self, outputs: &[&Tensor], tangents: &[Tensor]) -> Result<Vec<Tensor>> {
        let Some(logits) = outputs.last() else { bail!("a model has at least one output") };
        let (_, classes) = logits.dims2()?;
        let curve = |(output, tangent): (&&Tensor, &Tensor)| {
            let rows = output.elem_count() / classes;
            let moved = tangent.reshape((rows, classes))?;
            let curved = match self {
                // p ⊙ (dS − ⟨p, dS⟩) of each row.
                Self::CrossEntropy => {
                    let p = moved.zeros_like()?;
                    kernel::softmax(&p, &output.reshape((rows, classes))?)?;
                    let weighed = (&p * &moved)?;
                    (&weighed - p.broadcast_mul(&weighed.sum_keepdim(1)?)?)?
                }
                Self::MeanSquaredError => moved,
            };
            (curved * (1.0 / rows as f64))?.reshape(output.shape())
        };
        outputs.iter().zip(tangents).map(curve).collect()
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

/// A head's values as rows of C scores, and the label of each row.
fn scored(head: &Tensor, logits: &Tensor, labels: &Tensor) -> Result<(Tensor, Tensor)> {
    let (batch, classes) = logits.dims2()?;
    let scores = head.reshape((head.elem_count() / classes, classes))?;
    let copies = scores.dim(0)? / batch;
    let repeated = labels.broadcast_as((batch, copies))?.contiguous()?.reshape((batch * copies, 1))?;
    Ok((scores, repeated))
}
