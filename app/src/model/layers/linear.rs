//! The dense layer on the last dimension: y = x Wᵀ + 1 bᵀ, W n_l × n_{l-1}.

use super::{first, only};
use crate::kernel::{self, Activated, Rate};
use crate::model::layer::{Along, At, Couples, Extent, Layer, LayerKind, ParameterSpec, Start, Tangent};
use candle_core::{Result, Tensor, bail};

/// A dense layer; it acts on every row alike.
#[derive(Clone, Debug)]
pub struct Linear {
    /// Width of the input, n_{l-1}.
    pub inputs: usize,
    /// Width of the output, n_l.
    pub outputs: usize,
    /// How the weight starts.
    pub weight: Start,
    /// How the bias starts.
    pub bias: Start,
}

impl Layer for Linear {
    fn kind(&self) -> LayerKind {
        LayerKind::Linear
    }

    fn couples(&self) -> Couples {
        Couples::columns(1)
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        vec![
            ParameterSpec { name: "weight", shape: vec![self.outputs, self.inputs], start: self.weight },
            ParameterSpec { name: "bias", shape: vec![self.outputs], start: self.bias },
        ]
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        let input = only(inputs)?;
        if input.width != self.inputs {
            bail!("takes rows of width {}, not {}", self.inputs, input.width);
        }
        Ok(Extent { width: self.outputs, ..input })
    }

    fn forward(&self, at: At) -> Result<()> {
        kernel::affine(at.y, at.x[0], (&at.theta[0], &at.theta[1]), None, None)
    }

    fn forward_beside(&self, at: At, activated: Option<Activated>, beside: Option<Tangent>) -> Result<bool> {
        let tangent = match beside {
            Some(Tangent { dx, dy, .. }) => match first(dx) {
                Some(dx) => Some((dy, dx)),
                None => {
                    kernel::fill(dy, 0.0)?;
                    None
                }
            },
            None => None,
        };
        kernel::affine(at.y, at.x[0], (&at.theta[0], &at.theta[1]), activated, tangent)?;
        Ok(activated.is_some())
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => kernel::gemm(dy, 0.0, 1.0, dx, false, &at.theta[0], true),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => kernel::gemm(dx, beta, 1.0, dy, false, &at.theta[0], false),
            None => Ok(()),
        }
    }

    fn tangent_parameters(&self, at: At, v: &[Tensor], beta: f64, dy: &Tensor) -> Result<()> {
        kernel::gemm(dy, beta, 1.0, at.x[0], false, &v[0], true)?;
        kernel::add_row(dy, 1.0, &v[1])
    }

    fn adjoint_parameters(&self, at: At, alpha: f64, dy: &Tensor, beta: f64, dtheta: &[Tensor]) -> Result<()> {
        kernel::gemm(&dtheta[0], beta, alpha, dy, true, at.x[0], false)?;
        kernel::column_sum(&dtheta[1], beta, alpha, dy)
    }

    fn adjoint_along(&self, _at: At, along: Along, ddx: &[Option<&Tensor>]) -> Result<()> {
        match first(ddx) {
            Some(ddx) => kernel::gemm(ddx, 1.0, 1.0, along.dy, false, &along.v[0], false),
            None => Ok(()),
        }
    }

    fn adjoint_parameters_along(&self, _at: At, along: Along, ddtheta: &[Tensor]) -> Result<()> {
        match first(along.dx) {
            Some(dx) => kernel::gemm(&ddtheta[0], 1.0, 1.0, along.dy, true, dx, false),
            None => Ok(()),
        }
    }

    fn descend(&self, at: At, dy: &Tensor, rate: Rate) -> Result<Option<f64>> {
        let Some(squared) = kernel::descend(&at.theta[0], dy, at.x[0], rate)? else { return Ok(None) };
        let bias = at.arena.take(1, self.outputs)?;
        kernel::column_sum(&bias, 0.0, 1.0, dy)?;
        Ok(Some(squared + kernel::descend_along(&at.theta[1], &bias, 1.0, rate)?))
    }

    fn flop(&self, inputs: &[Extent]) -> u64 {
        let rows: usize = inputs.iter().map(|input| input.rows).sum();
        2 * (rows * self.inputs * self.outputs) as u64
    }
}
