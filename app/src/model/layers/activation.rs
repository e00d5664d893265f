//! The element-wise activation: X = φ(S), with M = φ'(S) saved in the same pass.

use super::{first, only, second};
use crate::kernel::{self, Activation};
use crate::model::layer::{Along, At, Couples, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor};

/// An activation function applied to every element.
#[derive(Clone, Debug)]
pub struct ActivationLayer {
    /// φ.
    pub function: Activation,
}

impl Layer for ActivationLayer {
    fn kind(&self) -> LayerKind {
        LayerKind::Activation
    }

    fn couples(&self) -> Couples {
        Couples::EACH
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        only(inputs)
    }

    /// M.
    fn saved(&self, batch: usize, inputs: &[Extent]) -> Vec<[usize; 2]> {
        inputs.first().map(|input| [batch * input.rows, input.width]).into_iter().collect()
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.function)
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::activation(self.function, at.x[0], at.y, &at.saved[0])
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::hadamard(dy, dx, &at.saved[0]),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::hadamard_add(dx, beta, dy, &at.saved[0]),
            None => Ok(()),
        }
    }

    /// φ''(S) ⊙ dS ⊙ dX.
    fn adjoint_along(&self, at: At, along: Along, ddx: &[Option<&Tensor>]) -> Result<()> {
        let (Some(ddx), Some(dx)) = (first(ddx), first(along.dx)) else { return Ok(()) };
        match second::activation(self.function, at)? {
            Some(bend) => kernel::hadamard_add(ddx, 1.0, &(bend * dx)?, along.dy),
            None => Ok(()),
        }
    }
}
