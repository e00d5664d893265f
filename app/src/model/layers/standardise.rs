//! Normalisation of rows without scale and shift: y = (x − mean)/√(variance + ε) along each row.

use super::layer_norm::EPSILON;
use super::{first, only, second};
use crate::kernel;
use crate::model::layer::{Along, At, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor};

/// Layer normalisation without parameters.
#[derive(Clone, Debug)]
pub struct Standardise;

impl Layer for Standardise {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        only(inputs)
    }

    /// 1/√(variance + ε).
    fn saved(&self, batch: usize, inputs: &[Extent]) -> Vec<[usize; 2]> {
        vec![[batch * inputs.first().map_or(0, |input| input.rows), 1]]
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::normalise(at.x[0], EPSILON, at.y, &at.saved[0])
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::normalise_tangent(dy, 0.0, dx, None, at.y, &at.saved[0]),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::normalise_tangent(dx, beta, dy, None, at.y, &at.saved[0]),
            None => Ok(()),
        }
    }

    fn adjoint_along(&self, at: At, along: Along, ddx: &[Option<&Tensor>]) -> Result<()> {
        let (Some(ddx), Some(dx)) = (first(ddx), first(along.dx)) else { return Ok(()) };
        kernel::axpy(ddx, 1.0, &second::normalise(along.dy, dx, at.y, &at.saved[0])?)
    }
}
