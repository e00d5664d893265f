//! A border: values pass, tangents and signals do not.

use super::{first, only};
use crate::kernel;
use crate::model::layer::{At, Couples, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor};

/// The identity of values, with a derivative that is taken to be zero.
#[derive(Clone, Debug)]
pub struct Stop;

impl Layer for Stop {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn couples(&self) -> Couples {
        Couples::EACH
    }

    fn stops(&self) -> bool {
        true
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        only(inputs)
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::copy(at.y, at.x[0])
    }

    fn tangent(&self, _at: At, _stack: usize, _dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        kernel::fill(dy, 0.0)
    }

    fn adjoint(&self, _at: At, _stack: usize, _dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::scale(dx, beta),
            None => Ok(()),
        }
    }
}
