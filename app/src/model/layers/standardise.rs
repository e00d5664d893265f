//! Normalisation of rows without scale and shift: y = (x − mean)/√(variance + ε) along each row, or along each of G groups of its
//! columns.

use super::layer_norm::EPSILON;
use super::{first, only, second};
use crate::kernel;
use crate::model::layer::{Along, At, Couples, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor, bail};

/// Layer or group normalisation without parameters.
#[derive(Clone, Debug)]
pub struct Standardise {
    /// Groups of columns, G.
    pub groups: usize,
}

impl Standardise {
    /// A row for each group of each row.
    fn parts(&self, rows: &Tensor) -> Result<Tensor> {
        let (count, width) = rows.dims2()?;
        rows.reshape((count * self.groups, width / self.groups))
    }

    /// `dst ← beta·dst + J u`; J is symmetric.
    fn turn(&self, at: At, dst: &Tensor, beta: f64, u: &Tensor) -> Result<()> {
        kernel::normalise_tangent(&self.parts(dst)?, beta, &self.parts(u)?, None, &self.parts(at.y)?, &at.saved[0])
    }
}

impl Layer for Standardise {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn couples(&self) -> Couples {
        Couples::columns(self.groups)
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        let input = only(inputs)?;
        if self.groups == 0 || input.width % self.groups != 0 {
            bail!("{} groups do not divide rows of width {}", self.groups, input.width);
        }
        Ok(input)
    }

    /// 1/√(variance + ε).
    fn saved(&self, batch: usize, inputs: &[Extent]) -> Vec<[usize; 2]> {
        vec![[batch * self.groups * inputs.first().map_or(0, |input| input.rows), 1]]
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::normalise(&self.parts(at.x[0])?, EPSILON, &self.parts(at.y)?, &at.saved[0])
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => self.turn(at, dy, 0.0, dx),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => self.turn(at, dx, beta, dy),
            None => Ok(()),
        }
    }

    fn adjoint_along(&self, at: At, along: Along, ddx: &[Option<&Tensor>]) -> Result<()> {
        let (Some(ddx), Some(dx)) = (first(ddx), first(along.dx)) else { return Ok(()) };
        let (dy, dx, y) = (self.parts(along.dy)?, self.parts(dx)?, self.parts(at.y)?);
        kernel::axpy(&self.parts(ddx)?, 1.0, &second::normalise(&dy, &dx, &y, &at.saved[0])?)
    }
}
