//! The exchange of tokens and channels within each example: P × n to n × P.

use super::{first, only};
use crate::kernel;
use crate::model::layer::{At, Couples, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor, bail};

/// The transposition of each example's matrix.
#[derive(Clone, Debug)]
pub struct TransposeTokens {
    /// Rows an example of the input, P.
    pub rows: usize,
    /// Width of the input, n.
    pub width: usize,
}

impl Layer for TransposeTokens {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn couples(&self) -> Couples {
        Couples::Transposed
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        let input = only(inputs)?;
        if (input.rows, input.width) != (self.rows, self.width) {
            bail!("takes {} rows of width {}, not {} of {}", self.rows, self.width, input.rows, input.width);
        }
        Ok(Extent::tokens(self.width, self.rows))
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::transpose_blocks(at.y, 0.0, at.x[0], self.rows)
    }

    fn tangent(&self, _at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::transpose_blocks(dy, 0.0, dx, self.rows),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, _at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::transpose_blocks(dx, beta, dy, self.width),
            None => Ok(()),
        }
    }
}
