//! Max pooling: the largest of each square of an image, squares side by side; the first of equals. What does not fill a
//! square is left out.

use super::{expect, first, image_of, only, windows};
use crate::kernel::{self, Windows};
use crate::model::layer::{At, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor};

/// Max pooling without overlap.
#[derive(Clone, Debug)]
pub struct MaxPool {
    windows: Windows,
}

impl MaxPool {
    /// Pools squares of this side of the image that `input` is.
    ///
    /// # Errors
    /// When `input` is no image or smaller than the square.
    pub fn new(input: Extent, side: usize) -> Result<Self> {
        Ok(Self { windows: windows(input, side, side, 0)? })
    }
}

impl Layer for MaxPool {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        expect(only(inputs)?, image_of(&self.windows))?;
        let (height, width) = self.windows.grid().unwrap_or((0, 0));
        Ok(Extent::image(self.windows.channels, height, width))
    }

    /// The place of the largest in each square.
    fn saved(&self, batch: usize, _inputs: &[Extent]) -> Vec<[usize; 2]> {
        let (height, width) = self.windows.grid().unwrap_or((0, 0));
        vec![[batch * height * width, self.windows.channels]]
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::max_pool(at.y, &at.saved[0], at.x[0], self.windows)
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::max_pool_tangent(dy, dx, &at.saved[0], self.windows),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::max_pool_adjoint(dx, beta, dy, &at.saved[0], self.windows),
            None => Ok(()),
        }
    }
}
