//! Group normalisation with scale and shift (Wu and He, 2018): x̂ = (x − mean)/√(variance + ε) over the positions of an image and
//! the channels of a group, y = x̂ ⊙ γ + β by channel. γ and β are its weight and bias, x̂ its input to them.
//!
//! Images are held position by position; within the pass they are turned channel by channel, so that a group of an example
//! is one row to the kernels of layer normalisation.

use super::layer_norm::EPSILON;
use super::{expect, first, only, second};
use crate::kernel;
use crate::model::layer::{Along, At, Extent, Layer, LayerKind, ParameterSpec, Start};
use candle_core::{Result, Tensor, bail};

/// Group normalisation of images of one extent.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    input: Extent,
    groups: usize,
}

impl GroupNorm {
    /// Normalises the channels of `input` in `groups` groups.
    ///
    /// # Errors
    /// When the groups do not divide the channels.
    pub fn new(input: Extent, groups: usize) -> Result<Self> {
        if groups == 0 || !input.width.is_multiple_of(groups) {
            bail!("{} channels cannot be cut into {groups} groups; choose a number that divides them", input.width);
        }
        Ok(Self { input, groups })
    }

    /// Numbers that share a mean.
    fn size(&self) -> usize {
        self.input.len() / self.groups
    }

    /// A matrix with as many numbers, one group of an example a row.
    fn grouped(&self, tensor: &Tensor) -> Result<Tensor> {
        tensor.reshape((tensor.elem_count() / self.size(), self.size()))
    }
}

impl Layer for GroupNorm {
    fn kind(&self) -> LayerKind {
        LayerKind::Norm
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        vec![
            ParameterSpec { name: "weight", shape: vec![self.input.width], start: Start::Constant(1.0) },
            ParameterSpec { name: "bias", shape: vec![self.input.width], start: Start::Constant(0.0) },
        ]
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        expect(only(inputs)?, self.input)?;
        Ok(self.input)
    }

    /// x̂ by position, x̂ by group, 1/√(variance + ε).
    fn saved(&self, batch: usize, _inputs: &[Extent]) -> Vec<[usize; 2]> {
        let groups = batch * self.groups;
        vec![[batch * self.input.rows, self.input.width], [groups, self.size()], [groups, 1]]
    }

    fn forward(&self, at: At) -> Result<()> {
        let (rows, width) = (self.input.rows, self.input.width);
        let turned = at.arena.take(at.batch * width, rows)?;
        kernel::transpose_blocks(&turned, 0.0, at.x[0], rows)?;
        kernel::normalise(&self.grouped(&turned)?, EPSILON, &at.saved[1], &at.saved[2])?;
        kernel::transpose_blocks(&at.saved[0], 0.0, &at.saved[1].reshape((at.batch * width, rows))?, width)?;
        kernel::scale_columns(at.y, 0.0, &at.saved[0], &at.theta[0], Some(&at.theta[1]))
    }

    fn tangent(&self, at: At, stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        let Some(dx) = first(dx) else { return kernel::fill(dy, 0.0) };
        let (rows, width) = (self.input.rows, self.input.width);
        let turned = at.arena.take(stack * at.batch * width, rows)?;
        let projected = at.arena.take(stack * at.batch * width, rows)?;
        kernel::transpose_blocks(&turned, 0.0, dx, rows)?;
        let (from, to) = (self.grouped(&turned)?, self.grouped(&projected)?);
        kernel::normalise_tangent(&to, 0.0, &from, None, &at.saved[1], &at.saved[2])?;
        kernel::transpose_blocks(dy, 0.0, &projected, width)?;
        kernel::hadamard_assign(dy, &at.theta[0])
    }

    fn adjoint(&self, at: At, stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        let Some((dx, beta)) = first(dx) else { return Ok(()) };
        let (rows, width) = (self.input.rows, self.input.width);
        let scaled = at.arena.take(stack * at.batch * rows, width)?;
        let turned = at.arena.take(stack * at.batch * width, rows)?;
        kernel::hadamard(&scaled, dy, &at.theta[0])?;
        kernel::transpose_blocks(&turned, 0.0, &scaled, rows)?;
        let (from, to) = (self.grouped(&turned)?, self.grouped(&scaled)?);
        kernel::normalise_tangent(&to, 0.0, &from, None, &at.saved[1], &at.saved[2])?;
        kernel::transpose_blocks(dx, beta, &to.reshape((stack * at.batch * width, rows))?, width)
    }

    fn tangent_parameters(&self, at: At, v: &[Tensor], beta: f64, dy: &Tensor) -> Result<()> {
        kernel::scale_columns(dy, beta, &at.saved[0], &v[0], Some(&v[1]))
    }

    fn adjoint_parameters(&self, at: At, alpha: f64, dy: &Tensor, beta: f64, dtheta: &[Tensor]) -> Result<()> {
        kernel::column_dot(&dtheta[0], beta, alpha, dy, &at.saved[0])?;
        kernel::column_sum(&dtheta[1], beta, alpha, dy)
    }

    fn adjoint_along(&self, at: At, along: Along, ddx: &[Option<&Tensor>]) -> Result<()> {
        let Some(ddx) = first(ddx) else { return Ok(()) };
        let (rows, width) = (self.input.rows, self.input.width);
        let (moved, signal) = (along.dy.broadcast_mul(&along.v[0])?, along.dy.broadcast_mul(&at.theta[0])?);
        let turn = |images: &Tensor| {
            let turned = at.arena.take(at.batch * width, rows)?;
            kernel::transpose_blocks(&turned, 0.0, images, rows)?;
            self.grouped(&turned)?.copy()
        };
        let (normal, inverse) = (&at.saved[1], &at.saved[2]);
        let moved = turn(&moved)?;
        let sum = moved.zeros_like()?;
        kernel::normalise_tangent(&sum, 0.0, &moved, None, normal, inverse)?;
        if let Some(dx) = first(along.dx) {
            kernel::axpy(&sum, 1.0, &second::normalise(&turn(&signal)?, &turn(dx)?, normal, inverse)?)?;
        }
        kernel::transpose_blocks(ddx, 1.0, &sum.reshape((at.batch * width, rows))?, width)
    }

    fn adjoint_parameters_along(&self, at: At, along: Along, ddtheta: &[Tensor]) -> Result<()> {
        let Some(dx) = first(along.dx) else { return Ok(()) };
        let (rows, width) = (self.input.rows, self.input.width);
        let turned = at.arena.take(at.batch * width, rows)?;
        let normal = at.arena.take(at.batch * width, rows)?;
        kernel::transpose_blocks(&turned, 0.0, dx, rows)?;
        let (from, to) = (self.grouped(&turned)?, self.grouped(&normal)?);
        kernel::normalise_tangent(&to, 0.0, &from, None, &at.saved[1], &at.saved[2])?;
        let back = at.arena.take(at.batch * rows, width)?;
        kernel::transpose_blocks(&back, 0.0, &normal, width)?;
        kernel::column_dot(&ddtheta[0], 1.0, 1.0, along.dy, &back)
    }

    fn rows<'a>(&self, at: At<'a>) -> Option<&'a Tensor> {
        at.saved.first()
    }
}
