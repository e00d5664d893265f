//! A facility for tests: given matrices in place of what the generator would draw, so that results can be compared with
//! vectors computed elsewhere from draws of their own.
#![forbid(unsafe_code)]

use candle_core::Tensor;
use std::collections::HashMap;

/// Distribution of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DrawKind {
    /// Standard normal.
    Normal,
    /// Uniform in (0, 1).
    Uniform,
    /// ±1.
    Rademacher,
    /// Class indices drawn from rows of probabilities.
    Categorical,
}

/// Where a draw stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DrawPlace {
    /// Distribution.
    pub kind: DrawKind,
    /// Site as the strategy keys it.
    pub site: u32,
    /// Guess.
    pub guess: u32,
    /// Number of the draw.
    pub draw: u32,
}

/// Replaced draws: unscaled, shaped as the destinations, at every step the same. A draw that is not in the table is an
/// error, so that a test cannot pass by accident.
pub type Draws = HashMap<DrawPlace, Tensor>;
