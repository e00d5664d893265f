//! The mean over an example's rows: tokens to one row.

use super::{first, only};
use crate::kernel;
use crate::model::layer::{At, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor, bail};

/// The mean over `tokens` rows an example.
#[derive(Clone, Debug)]
pub struct MeanTokens {
    /// Rows an example, P.
    pub tokens: usize,
}

impl Layer for MeanTokens {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        let input = only(inputs)?;
        if input.rows != self.tokens || input.rows == 0 {
            bail!("takes {} rows an example, not {}", self.tokens, input.rows);
        }
        Ok(Extent::dense(input.width))
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::group_sum(at.y, 1.0 / self.tokens as f64, at.x[0], self.tokens)
    }

    fn tangent(&self, _at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::group_sum(dy, 1.0 / self.tokens as f64, dx, self.tokens),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, _at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::group_spread(dx, beta, 1.0 / self.tokens as f64, dy, self.tokens),
            None => Ok(()),
        }
    }
}
