//! Layer normalisation with scale and shift: y = x̂ ⊙ γ + β, x̂ = (x − mean)/√(variance + ε) along each row (Ba, Kiros and
//! Hinton, 2016). γ and β are its weight and bias, x̂ its input to them.

use super::{first, only, second};
use crate::kernel;
use crate::model::layer::{Along, At, Couples, Extent, Layer, LayerKind, ParameterSpec, Start};
use candle_core::{Result, Tensor, bail};

/// ε, added to the variance.
pub const EPSILON: f64 = 1e-5;

/// Layer normalisation of rows of one width.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// Width of a row.
    pub width: usize,
}

impl Layer for LayerNorm {
    fn kind(&self) -> LayerKind {
        LayerKind::Norm
    }

    fn couples(&self) -> Couples {
        Couples::columns(1)
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        vec![
            ParameterSpec { name: "weight", shape: vec![self.width], start: Start::Constant(1.0) },
            ParameterSpec { name: "bias", shape: vec![self.width], start: Start::Constant(0.0) },
        ]
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        let input = only(inputs)?;
        if input.width != self.width {
            bail!("takes rows of width {}, not {}", self.width, input.width);
        }
        Ok(input)
    }

    /// x̂ and 1/√(variance + ε).
    fn saved(&self, batch: usize, inputs: &[Extent]) -> Vec<[usize; 2]> {
        let rows = batch * inputs.first().map_or(0, |input| input.rows);
        vec![[rows, self.width], [rows, 1]]
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::normalise(at.x[0], EPSILON, &at.saved[0], &at.saved[1])?;
        kernel::scale_columns(at.y, 0.0, &at.saved[0], &at.theta[0], Some(&at.theta[1]))
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        let Some(dx) = first(dx) else { return kernel::fill(dy, 0.0) };
        kernel::normalise_tangent(dy, 0.0, dx, None, &at.saved[0], &at.saved[1])?;
        kernel::hadamard_assign(dy, &at.theta[0])
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        let Some((dx, beta)) = first(dx) else { return Ok(()) };
        kernel::normalise_tangent(dx, beta, dy, Some(&at.theta[0]), &at.saved[0], &at.saved[1])
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
        kernel::normalise_tangent(ddx, 1.0, along.dy, Some(&along.v[0]), &at.saved[0], &at.saved[1])?;
        let Some(dx) = first(along.dx) else { return Ok(()) };
        let signal = along.dy.broadcast_mul(&at.theta[0])?;
        kernel::axpy(ddx, 1.0, &second::normalise(&signal, dx, &at.saved[0], &at.saved[1])?)
    }

    fn adjoint_parameters_along(&self, at: At, along: Along, ddtheta: &[Tensor]) -> Result<()> {
        let Some(dx) = first(along.dx) else { return Ok(()) };
        let (rows, width) = dx.dims2()?;
        let normal = at.arena.take(rows, width)?;
        kernel::normalise_tangent(&normal, 0.0, dx, None, &at.saved[0], &at.saved[1])?;
        kernel::column_dot(&ddtheta[0], 1.0, 1.0, along.dy, &normal)
    }

    fn rows<'a>(&self, at: At<'a>) -> Option<&'a Tensor> {
        at.saved.first()
    }
}
