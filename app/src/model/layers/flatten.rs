//! An example's rows as one row: an image in the order channel, row, column; tokens one after the other.

use super::{first, only};
use crate::kernel;
use crate::model::layer::{At, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor};

/// Flattening of what `input` is.
#[derive(Clone, Debug)]
pub struct Flatten {
    /// The input's extent.
    pub input: Extent,
}

impl Flatten {
    /// `dst` (n × P or P·n an example) `← src` (P × n an example).
    fn flatten(&self, dst: &Tensor, src: &Tensor) -> Result<()> {
        match self.input.image {
            Some(_) => kernel::transpose_blocks(dst, 0.0, src, self.input.rows),
            None => kernel::copy(dst, &src.reshape(dst.dims())?),
        }
    }
}

impl Layer for Flatten {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        super::expect(only(inputs)?, self.input)?;
        Ok(Extent::dense(self.input.len()))
    }

    fn forward(&self, at: At) -> Result<()> {
        self.flatten(at.y, at.x[0])
    }

    fn tangent(&self, _at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => self.flatten(dy, dx),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, _at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        let Some((dx, beta)) = first(dx) else { return Ok(()) };
        match self.input.image {
            Some(_) => kernel::transpose_blocks(dx, beta, &dy.reshape(((), self.input.rows))?, self.input.width),
            None => kernel::axpby(dx, beta, 1.0, &dy.reshape(dx.dims())?),
        }
    }
}
