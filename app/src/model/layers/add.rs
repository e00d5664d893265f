//! The sum of two values of the same extent: the end of a residual branch.

use crate::kernel;
use crate::model::layer::{At, Couples, Extent, Layer, LayerKind};
use candle_core::{Result, Tensor, bail};

/// y = x₁ + x₂.
#[derive(Clone, Debug)]
pub struct Add;

impl Layer for Add {
    fn kind(&self) -> LayerKind {
        LayerKind::Shape
    }

    fn couples(&self) -> Couples {
        Couples::EACH
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        match inputs {
            [a, b] if (a.rows, a.width) == (b.rows, b.width) => Ok(*a),
            [a, b] => bail!("cannot add {}×{} and {}×{}", a.rows, a.width, b.rows, b.width),
            _ => bail!("takes two inputs, not {}", inputs.len()),
        }
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::add(at.y, at.x[0], at.x[1])
    }

    fn tangent(&self, _at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match dx {
            [Some(a), Some(b)] => kernel::add(dy, a, b),
            [Some(one), None] | [None, Some(one)] => kernel::copy(dy, one),
            _ => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, _at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        for (dx, beta) in dx.iter().flatten() {
            kernel::axpby(dx, *beta, 1.0, dy)?;
        }
        Ok(())
    }
}
