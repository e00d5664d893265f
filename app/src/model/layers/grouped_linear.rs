//! Dense layers side by side: columns in G groups, each with a dense layer of its own. W n_l × (n_{l-1}/G), the rows of a
//! group one under the other.

use super::{first, only};
use crate::kernel;
use crate::model::layer::{Along, At, Couples, Extent, Layer, LayerKind, ParameterSpec, Start};
use candle_core::{Result, Tensor, bail};

/// A dense layer whose weight is block-diagonal; it acts on every row alike.
#[derive(Clone, Debug)]
pub struct GroupedLinear {
    /// Groups, G.
    pub groups: usize,
    /// Width of a group's input, n_{l-1}/G.
    pub inputs: usize,
    /// Width of a group's output, n_l/G.
    pub outputs: usize,
    /// How the weight starts.
    pub weight: Start,
    /// How the bias starts.
    pub bias: Start,
}

impl GroupedLinear {
    /// The rows of group `group` in a weight or its like.
    fn part(&self, weight: &Tensor, group: usize) -> Result<Tensor> {
        weight.narrow(0, group * self.outputs, self.outputs)
    }

    /// `dst ← beta·dst + Σ src_g op(W_g)`: with `forward` rows × n_{l-1} to rows × n_l, else back.
    fn apply(&self, at: At, dst: &Tensor, beta: f64, src: &Tensor, weight: &Tensor, forward: bool) -> Result<()> {
        let rows = src.dim(0)?;
        let (from, to) = if forward { (self.inputs, self.outputs) } else { (self.outputs, self.inputs) };
        let (input, output) = (at.arena.take(rows, from)?, at.arena.take(rows, to)?);
        for group in 0..self.groups {
            kernel::gather_columns(&input, src, group * from)?;
            kernel::gemm(&output, 0.0, 1.0, &input, false, &self.part(weight, group)?, forward)?;
            kernel::scatter_columns(dst, group * to, beta, &output)?;
        }
        Ok(())
    }

    /// `dweight ← beta·dweight + alpha·dyᵀ x`, group by group.
    fn weigh(&self, at: At, alpha: f64, dy: &Tensor, x: &Tensor, beta: f64, dweight: &Tensor) -> Result<()> {
        let rows = dy.dim(0)?;
        let (input, signal) = (at.arena.take(rows, self.inputs)?, at.arena.take(rows, self.outputs)?);
        for group in 0..self.groups {
            kernel::gather_columns(&input, x, group * self.inputs)?;
            kernel::gather_columns(&signal, dy, group * self.outputs)?;
            kernel::gemm(&self.part(dweight, group)?, beta, alpha, &signal, true, &input, false)?;
        }
        Ok(())
    }
}

impl Layer for GroupedLinear {
    fn kind(&self) -> LayerKind {
        LayerKind::GroupedLinear
    }

    fn couples(&self) -> Couples {
        Couples::columns(self.groups)
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let outputs = self.groups * self.outputs;
        vec![
            ParameterSpec { name: "weight", shape: vec![outputs, self.inputs], start: self.weight },
            ParameterSpec { name: "bias", shape: vec![outputs], start: self.bias },
        ]
    }

    fn output(&self, inputs: &[Extent]) -> Result<Extent> {
        let input = only(inputs)?;
        if self.groups == 0 || input.width != self.groups * self.inputs {
            bail!("takes {} groups of {} columns, not rows of width {}", self.groups, self.inputs, input.width);
        }
        Ok(Extent { width: self.groups * self.outputs, ..input })
    }

    fn forward(&self, at: At) -> Result<()> {
        self.apply(at, at.y, 0.0, at.x[0], &at.theta[0], true)?;
        kernel::add_row(at.y, 1.0, &at.theta[1])
    }

    fn tangent(&self, at: At, _stack: usize, dx: &[Option<&Tensor>], dy: &Tensor) -> Result<()> {
        match first(dx) {
            Some(dx) => self.apply(at, dy, 0.0, dx, &at.theta[0], true),
            None => kernel::fill(dy, 0.0),
        }
    }

    fn adjoint(&self, at: At, _stack: usize, dy: &Tensor, dx: &[Option<(&Tensor, f64)>]) -> Result<()> {
        match first(dx) {
            Some((dx, beta)) => self.apply(at, dx, beta, dy, &at.theta[0], false),
            None => Ok(()),
        }
    }

    fn tangent_parameters(&self, at: At, v: &[Tensor], beta: f64, dy: &Tensor) -> Result<()> {
        self.apply(at, dy, beta, at.x[0], &v[0], true)?;
        kernel::add_row(dy, 1.0, &v[1])
    }

    fn adjoint_parameters(&self, at: At, alpha: f64, dy: &Tensor, beta: f64, dtheta: &[Tensor]) -> Result<()> {
        self.weigh(at, alpha, dy, at.x[0], beta, &dtheta[0])?;
        kernel::column_sum(&dtheta[1], beta, alpha, dy)
    }

    fn adjoint_along(&self, at: At, along: Along, ddx: &[Option<&Tensor>]) -> Result<()> {
        match first(ddx) {
            Some(ddx) => self.apply(at, ddx, 1.0, along.dy, &along.v[0], false),
            None => Ok(()),
        }
    }

    fn adjoint_parameters_along(&self, at: At, along: Along, ddtheta: &[Tensor]) -> Result<()> {
        match first(along.dx) {
            Some(dx) => self.weigh(at, 1.0, along.dy, dx, 1.0, &ddtheta[0]),
            None => Ok(()),
        }
    }

    fn flop(&self, inputs: &[Extent]) -> u64 {
        let rows: usize = inputs.iter().map(|input| input.rows).sum();
        2 * (rows * self.groups * self.inputs * self.outputs) as u64
    }
}
