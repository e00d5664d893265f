//! An image cut into square patches: one token a patch, its numbers in the order channel, row, column.

use super::{expect, first, image_of, only, windows};
use crate::kernel::{self, Windows};
use crate::model::layer::{At, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor, bail};

/// Patches of an image, row by row.
#[derive(Clone, Debug)]
pub struct Patches {
    windows: Windows,
}

impl Patches {
    /// Patches of this side of the image that `input` is.
    ///
    /// # Errors
    /// When `input` is no image, or its sides are no multiples of the patch's.
    pub fn new(input: Extent, side: usize) -> Result<Self> {
        let windows = windows(input, side, side, 0)?;
        if windows.height % side != 0 || windows.width % side != 0 {
            bail!("patches of side {side} do not divide an image of {}×{}", windows.height, windows.width);
        }
        Ok(Self { windows })
    }
}

impl Layer for Patches {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        expect(only(inputs)?, image_of(&self.windows))?;
        let (down, across) = self.windows.grid().unwrap_or((0, 0));
        Ok(Extent::tokens(down * across, self.windows.columns()))
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::im2col(at.y, at.x[0], self.windows)
    }

    fn tangent(&self, _at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::im2col(dy, dx, self.windows),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, _at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::col2im(dx, beta, dy, self.windows),
            None => Ok(()),
        }
    }
}
