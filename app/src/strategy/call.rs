//! What the host brings to one call of a plugin.
#![forbid(unsafe_code)]

use super::outputs::Outputs;
use crate::model::Tape;
use candle_core::{Result, Tensor};

/// Answers a strategy's questions about the loss, at the lane's parameters, on the step's batch. Directions are those
/// written for the guess of that number: an implementation holds clones of [`Outputs::directions`]' tensors.
pub trait Oracle {
    /// L(θ + t·V_guess).
    ///
    /// # Errors
    /// As the passes do.
    fn loss_at(&mut self, guess: usize, t: f64) -> Result<f64>;

    /// ⟨∇L(θ), V_guess⟩ by the forward mode.
    ///
    /// # Errors
    /// As the passes do.
    fn jvp(&mut self, guess: usize) -> Result<f64>;
}

/// Inputs that are not on the tape. What was not granted need not be given; see `Plan::granted`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// Class indices as a column, B × 1, in the tape's data type.
    pub labels: Option<&'a Tensor>,
    /// p − y at each output, without the mean's share: B × C at the logits, which come last.
    pub output_errors: &'a [Tensor],
    /// The estimate of the step before, shaped as the parameters; zeros when not given.
    pub previous_estimate: Option<&'a [Tensor]>,
    /// The update θ_k − θ_{k-1} of the step before, shaped as the parameters; zeros when not given.
    pub previous_update: Option<&'a [Tensor]>,
    /// The exact gradient, shaped as the parameters: in a diagnostic run.
    pub gradient: Option<&'a [Tensor]>,
}

/// One call of `propose` or `observe`.
pub struct Call<'a> {
    /// The tape whose forward pass is done (call mode `model`) or has reached `site` (call mode `layer`).
    pub tape: &'a Tape,
    /// The lane's parameters.
    pub theta: &'a [Tensor],
    /// Step of the lane, from 0.
    pub step: u64,
    /// The site, in call mode `layer`.
    pub site: Option<usize>,
    /// Number of the first guess that is asked for: above 0 where the guesses of a step are asked for a few at a time.
    pub first_guess: usize,
    /// Share of the run's budget that is used, 0 to 1.
    pub progress: f64,
    /// Inputs that are not on the tape.
    pub inputs: Inputs<'a>,
    /// Where the strategy writes; in `observe` it may read them.
    pub outputs: Option<&'a mut Outputs>,
    /// Answers questions, when oracles were granted.
    pub oracle: Option<&'a mut dyn Oracle>,
}

/// What came of a step.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// Training loss of the batch, before the update.
    pub loss: f64,
    /// The scalars d, guess by guess: 1, L, B or L·B of them by scope; with local losses as many for each part of the
    /// model in place of 1, and for each copy of a loss.
    pub scalars: &'a [f64],
    /// ‖ĝ‖.
    pub estimate_norm: f64,
}
