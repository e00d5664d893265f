//! Where an estimate is made (the point) and what it is made of (the directions).
#![forbid(unsafe_code)]

use crate::model::Tape;
use crate::objective::Loss;
use candle_core::Tensor;

/// The primal point: a tape that has seen the forward pass of this batch at θ, and the loss' signal.
#[derive(Clone, Copy)]
pub struct Point<'a> {
    /// The batch's values.
    pub tape: &'a Tape,
    /// The parameters θ.
    pub theta: &'a [Tensor],
    /// The batch, (B·P_0) × n_0.
    pub data: &'a Tensor,
    /// Class indices, B × 1.
    pub labels: &'a Tensor,
    /// The loss.
    pub loss: Loss,
    /// ∂L/∂S at each output, with the mean's 1/B: δ_L, B × C, last.
    pub deltas: &'a [Tensor],
}

/// K guesses.
#[derive(Clone, Copy)]
pub enum Directions<'a> {
    /// One stacked matrix a site: (K·B·P_l) × n_l.
    Signal(&'a [Tensor]),
    /// One list a guess, shaped as the parameters.
    Weight(&'a [Vec<Tensor>]),
}
