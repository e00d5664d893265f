//! Average pooling: the mean of each square of an image, squares side by side. What does not fill a square is left out.

use super::{expect, first, image_of, only, windows};
use crate::kernel::{self, Windows};
use crate::model::layer::{At, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor};

/// Average pooling without overlap.
#[derive(Clone, Debug)]
pub struct AveragePool {
    windows: Windows,
}

impl AveragePool {
    /// Pools squares of this side of the image that `input` is.
    ///
    /// # Errors
    /// When `input` is no image or smaller than the square.
    pub fn new(input: Extent, side: usize) -> Result<Self> {
        Ok(Self { windows: windows(input, side, side, 0)? })
    }
}

impl Layer for AveragePool {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        expect(only(inputs)?, image_of(&self.windows))?;
        let (height, width) = self.windows.grid().unwrap_or((0, 0));
        Ok(Extent::image(self.windows.channels, height, width))
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::average_pool(at.y, at.x[0], self.windows)
    }

    fn tangent(&self, _at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::average_pool(dy, dx, self.windows),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, _at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::average_pool_adjoint(dx, beta, dy, self.windows),
            None => Ok(()),
        }
    }
}
