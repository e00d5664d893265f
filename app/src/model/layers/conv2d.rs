//! The two-dimensional convolution, as a dense layer on im2col rows: y = im2col(x) Wᵀ + 1 bᵀ, W out × (in · kh · kw).
//! Its rows are (example, position); stacked tangents and signals go block by block, so the im2col scratch stays that of
//! one batch.

use super::{block, expect, first, image_of, only, windows};
use crate::kernel::{self, Activated, Windows};
use crate::model::layer::{Along, At, Extent, Layer, LayerKind, ParameterSpec, Start, Tangent};
use candle_core::{Result, Tensor};

/// A convolution with a square kernel.
#[derive(Clone, Debug)]
pub struct Conv2d {
    windows: Windows,
    grid: (usize, usize),
    outputs: usize,
    weight: Start,
    bias: Start,
}

impl Conv2d {
    /// A convolution of the image that `input` is, to `outputs` channels.
    ///
    /// # Errors
    /// When `input` is no image or the kernel does not fit it.
    pub fn new(
        input: Extent,
        outputs: usize,
        side: usize,
        stride: usize,
        padding: usize,
        weight: Start,
        bias: Start,
    ) -> Result<Self> {
        let windows = windows(input, side, stride, padding)?;
        Ok(Self { windows, grid: windows.grid().unwrap_or((0, 0)), outputs, weight, bias })
    }

    fn input_rows(&self) -> usize {
        self.windows.height * self.windows.width
    }

    fn output_rows(&self) -> usize {
        self.grid.0 * self.grid.1
    }
}

impl Layer for Conv2d {
    fn kind(&self) -> LayerKind {
        LayerKind::Conv2d
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let Windows { channels, side, .. } = self.windows;
        vec![
            ParameterSpec { name: "weight", shape: vec![self.outputs, channels, side, side], start: self.weight },
            ParameterSpec { name: "bias", shape: vec![self.outputs], start: self.bias },
        ]
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        expect(only(inputs)?, image_of(&self.windows))?;
        Ok(Extent::image(self.outputs, self.grid.0, self.grid.1))
    }

    fn saved(&self, batch: usize, _inputs: &[Extent]) -> Vec<[usize; 2]> {
        vec![[batch * self.output_rows(), self.windows.columns()]]
    }

    fn forward(&self, at: At) -> Result<()> {
        self.forward_beside(at, None, None).map(|_| ())
    }

    fn forward_beside(&self, at: At, activated: Option<Activated>, beside: Option<Tangent>) -> Result<bool> {
        kernel::im2col(&at.saved[0], at.x[0], self.windows)?;
        kernel::affine(at.y, &at.saved[0], (&at.theta[0], &at.theta[1]), activated, None)?;
        if let Some(Tangent { stack, dx, dy }) = beside {
            self.tangent(at, stack, dx, dy)?;
        }
        Ok(activated.is_some())
    }

    fn tangent(&self, at: At, stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        let Some(dx) = first(dx) else { return kernel::fill(dy, 0.0) };
        let (input, output) = (at.batch * self.input_rows(), at.batch * self.output_rows());
        let columns = at.arena.take(output, self.windows.columns())?;
        for index in 0..stack {
            kernel::im2col(&columns, &block(dx, index, input)?, self.windows)?;
            kernel::gemm(&block(dy, index, output)?, 0.0, 1.0, &columns, false, &at.theta[0], true)?;
        }
        Ok(())
    }

    fn adjoint(&self, at: At, stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        let Some((dx, beta)) = first(dx) else { return Ok(()) };
        let (input, output) = (at.batch * self.input_rows(), at.batch * self.output_rows());
        let columns = at.arena.take(output, self.windows.columns())?;
        for index in 0..stack {
            kernel::gemm(&columns, 0.0, 1.0, &block(dy, index, output)?, false, &at.theta[0], false)?;
            kernel::col2im(&block(dx, index, input)?, beta, &columns, self.windows)?;
        }
        Ok(())
    }

    fn tangent_parameters(&self, at: At, v: &[Tensor], beta: f64, dy: &Tensor) -> Result<()> {
        kernel::gemm(dy, beta, 1.0, &at.saved[0], false, &v[0], true)?;
        kernel::add_row(dy, 1.0, &v[1])
    }

    fn adjoint_parameters(&self, at: At, alpha: f64, dy: &Tensor, beta: f64, dtheta: &[Tensor]) -> Result<()> {
        kernel::gemm(&dtheta[0], beta, alpha, dy, true, &at.saved[0], false)?;
        kernel::column_sum(&dtheta[1], beta, alpha, dy)
    }

    fn adjoint_along(&self, at: At, along: Along, ddx: &[Option<&Tensor>]) -> Result<()> {
        let Some(ddx) = first(ddx) else { return Ok(()) };
        let columns = at.arena.take(at.batch * self.output_rows(), self.windows.columns())?;
        kernel::gemm(&columns, 0.0, 1.0, along.dy, false, &along.v[0], false)?;
        kernel::col2im(ddx, 1.0, &columns, self.windows)
    }

    fn adjoint_parameters_along(&self, at: At, along: Along, ddtheta: &[Tensor]) -> Result<()> {
        let Some(dx) = first(along.dx) else { return Ok(()) };
        let columns = at.arena.take(at.batch * self.output_rows(), self.windows.columns())?;
        kernel::im2col(&columns, dx, self.windows)?;
        kernel::gemm(&ddtheta[0], 1.0, 1.0, along.dy, true, &columns, false)
    }

    fn flop(&self, _inputs: &[Extent]) -> u64 {
        2 * (self.output_rows() * self.windows.columns() * self.outputs) as u64
    }

    fn rows<'a>(&self, at: At<'a>) -> Option<&'a Tensor> {
        at.saved.first()
    }
}
