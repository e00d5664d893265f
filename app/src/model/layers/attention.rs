//! Attention of a token to all tokens of its example, in several heads: queries, keys and values side by side to what the
//! heads make of them. Its weights are those of the dense layers before and after it.

use super::{first, only, second};
use crate::kernel::{self, Heads};
use crate::model::layer::{Along, At, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor, bail};

/// Attention by scaled dot products, without parameters.
#[derive(Clone, Debug)]
pub struct Attention {
    heads: Heads,
}

impl Attention {
    /// Attention among `tokens` rows an example, `heads` heads wide together `width`.
    ///
    /// # Errors
    /// When the heads do not divide the width.
    pub fn new(tokens: usize, width: usize, heads: usize) -> Result<Self> {
        if heads == 0 || !width.is_multiple_of(heads) {
            bail!("a width of {width} cannot be shared by {heads} heads; choose a number that divides it");
        }
        Ok(Self { heads: Heads { tokens, heads, width } })
    }
}

impl Layer for Attention {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        let input = only(inputs)?;
        let Heads { tokens, width, .. } = self.heads;
        if (input.rows, input.width) != (tokens, 3 * width) {
            bail!("takes {tokens} rows of width {}, not {} of {}", 3 * width, input.rows, input.width);
        }
        Ok(Extent { width, ..input })
    }

    /// The weights of attention, A.
    fn saved(&self, batch: usize, _inputs: &[Extent]) -> Vec<[usize; 2]> {
        vec![[batch * self.heads.heads * self.heads.tokens, self.heads.tokens]]
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::attention(at.y, &at.saved[0], at.x[0], self.heads)
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::attention_tangent(dy, dx, at.x[0], &at.saved[0], at.y, self.heads),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::attention_adjoint(dx, beta, dy, at.x[0], &at.saved[0], at.y, self.heads),
            None => Ok(()),
        }
    }

    fn adjoint_along(&self, at: At, along: Along, ddx: &[Option<&Tensor>]) -> Result<()> {
        let (Some(ddx), Some(dx)) = (first(ddx), first(along.dx)) else { return Ok(()) };
        kernel::axpy(ddx, 1.0, &second::attention(self.heads, at.x[0], &at.saved[0], dx, along.dy)?)
    }

    /// Scores and sums: two products of T × T × n.
    fn flop(&self, _inputs: &[Extent]) -> u64 {
        let Heads { tokens, width, .. } = self.heads;
        4 * (tokens * tokens * width) as u64
    }
}
