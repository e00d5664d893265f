//! Small synthetic networks of dense layers: chains, chains with skip connections, chains that work on several rows an
//! example.

#![forbid(unsafe_code)]

use super::{Draws, Grid};
use crate::abi::GW_DRAW_NORMAL;

/// An element-wise activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// None: φ(s) = s.
    Identity,
    /// max(s, 0), with φ'(0) = 0.
    Relu,
    /// tanh s.
    Tanh,
}

impl Activation {
    fn value(self, s: f64) -> f64 {
        match self {
            Self::Identity => s,
            Self::Relu => s.max(0.0),
            Self::Tanh => s.tanh(),
        }
    }

    fn derivative(self, s: f64) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Relu => f64::from(s > 0.0),
            Self::Tanh => 1.0 - s.tanh() * s.tanh(),
        }
    }
}

/// What a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Data,
    Site(usize),
}

#[derive(Clone, Debug)]
struct Unit {
    inputs: Vec<From>,
    rows_per_example: usize,
    activation: Activation,
    weight: Grid,
    bias: Grid,
}

/// An architecture with its parameters. Every site is a dense layer; its input is the sum of what it reads, averaged
/// over an example's rows where it has fewer of them.
#[derive(Clone, Debug)]
pub struct Network {
    width: usize,
    rows_per_example: usize,
    units: Vec<Unit>,
}

/// The values of one batch.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) inputs: Vec<Grid>,
    pub(super) pre_activations: Vec<Grid>,
    pub(super) activations: Vec<Grid>,
    pub(super) derivatives: Vec<Grid>,
}

impl Network {
    /// A chain of dense layers: `widths` from the data to the logits, an activation after each but the last.
    ///
    /// # Panics
    /// With fewer than two widths.
    pub fn mlp(widths: &[usize], activation: Activation) -> Self {
        assert!(widths.len() >= 2, "a network needs the widths of its data and its logits");
        Self::build(widths, activation, 1, |site| vec![if site == 0 { From::Data } else { From::Site(site - 1) }])
    }

    /// A chain of layers of one width with skip connections: each layer after the first reads the sum of all before it,
    /// so that several sites follow a site. Data, `layers` hidden layers and logits.
    pub fn residual(data: usize, width: usize, layers: usize, classes: usize, activation: Activation) -> Self {
        let widths: Vec<usize> =
            [data].into_iter().chain(std::iter::repeat_n(width, layers.max(1))).chain([classes]).collect();
        Self::build(&widths, activation, 1, |site| match site {
            0 => vec![From::Data],
            site => (0..site).map(From::Site).collect(),
        })
    }

    /// As [`Network::mlp`], but each layer except the last works on `rows` rows an example; their mean feeds the logits.
    ///
    /// # Panics
    /// As [`Network::mlp`].
    pub fn tokens(rows: usize, widths: &[usize], activation: Activation) -> Self {
        assert!(widths.len() >= 2, "a network needs the widths of its data and its logits");
        Self::build(widths, activation, rows, |site| vec![if site == 0 { From::Data } else { From::Site(site - 1) }])
    }

    fn build(widths: &[usize], activation: Activation, rows: usize, inputs: impl Fn(usize) -> Vec<From>) -> Self {
        let last = widths.len() - 2;
        let draws = Draws { seed: 0x006E_6574_776F_726B, instance: 0, step: 0 };
        let normal = |site: usize, draw: u32, i: usize| {
            draws.element(GW_DRAW_NORMAL, [site as u32, 0, draw], i as u64).unwrap_or_default()
        };
        let units = (0..=last).map(|site| {
            let (n_in, n_out) = (widths[site], widths[site + 1]);
            let deviation = (2.0 / n_in as f64).sqrt();
            Unit {
                inputs: inputs(site),
                rows_per_example: if site == last { 1 } else { rows },
                activation: if site == last { Activation::Identity } else { activation },
                weight: Grid::from_fn(n_out, n_in, |i, j| deviation * normal(site, 0, i * n_in + j)),
                bias: Grid::from_fn(1, n_out, |_, j| 0.1 * normal(site, 1, j)),
            }
        });
        Self { width: widths[0], rows_per_example: rows, units: units.collect() }
    }

    /// Number of sites L.
    pub fn sites(&self) -> usize {
        self.units.len()
    }

    /// Width of the logits, C.
    pub fn classes(&self) -> usize {
        self.units.last().map_or(0, |unit| unit.weight.rows())
    }

    /// Weight of a site, n_l × n_{l-1}.
    pub fn weight(&self, site: usize) -> &Grid {
        &self.units[site].weight
    }

    /// Bias of a site, 1 × n_l.
    pub fn bias(&self, site: usize) -> &Grid {
        &self.units[site].bias
    }

    /// Rows an example at a site, P_l.
    pub fn rows_per_example(&self, site: usize) -> usize {
        self.units[site].rows_per_example
    }

    /// Whether an activation follows a site.
    pub fn activated(&self, site: usize) -> bool {
        self.units[site].activation != Activation::Identity
    }

    /// The sites that read a site's activation.
    pub fn following(&self, site: usize) -> Vec<usize> {
        (0..self.units.len()).filter(|&next| self.units[next].inputs.contains(&From::Site(site))).collect()
    }

    /// The same network with other parameters of a site: the parameters plus `t` times a direction.
    pub(super) fn moved(&self, directions: &[(Grid, Grid)], t: f64) -> Self {
        let mut moved = self.clone();
        for (unit, (weight, bias)) in moved.units.iter_mut().zip(directions) {
            unit.weight = unit.weight.plus(&weight.map(|v| t * v));
            unit.bias = unit.bias.plus(&bias.map(|v| t * v));
        }
        moved
    }

    /// All parameters passed through `f`: rounding to a narrower type.
    pub(super) fn rounded(&self, f: impl Fn(f64) -> f64) -> Self {
        let mut rounded = self.clone();
        for unit in &mut rounded.units {
            (unit.weight, unit.bias) = (unit.weight.map(&f), unit.bias.map(&f));
        }
        rounded
    }

    /// Normal data for `batch` examples.
    pub(super) fn data(&self, batch: usize, draws: Draws) -> Grid {
        Grid::from_fn(batch * self.rows_per_example, self.width, |i, j| {
            let index = (i * self.width + j) as u64;
            draws.element(GW_DRAW_NORMAL, [0, 0, 65535], index).unwrap_or_default()
        })
    }

    fn gather(&self, site: usize, batch: usize, data: &Grid, outputs: &[Grid]) -> Grid {
        let unit = &self.units[site];
        let mut sum = Grid::constant(batch * unit.rows_per_example, unit.weight.columns(), 0.0);
        for &input in &unit.inputs {
            let value = match input {
                From::Data => data,
                From::Site(before) => &outputs[before],
            };
            // As many rows as an example has here share one of the sum's rows, by their mean.
            let share = value.rows() / sum.rows().max(1);
            for i in 0..value.rows() {
                for j in 0..value.columns() {
                    sum[(i / share, j)] += value[(i, j)] / share as f64;
                }
            }
        }
        sum
    }

    pub(super) fn forward(&self, batch: usize, data: &Grid) -> Values {
        let mut values = Values { inputs: vec![], pre_activations: vec![], activations: vec![], derivatives: vec![] };
        for (site, unit) in self.units.iter().enumerate() {
            let input = self.gather(site, batch, data, &values.activations);
            let product = input.matmul(&unit.weight.t());
            let s = Grid::from_fn(product.rows(), product.columns(), |i, j| product[(i, j)] + unit.bias[(0, j)]);
            values.activations.push(s.map(|s| unit.activation.value(s)));
            values.derivatives.push(s.map(|s| unit.activation.derivative(s)));
            values.pre_activations.push(s);
            values.inputs.push(input);
        }
        values
    }

    /// The tangent of the logits along directions (weight, bias) of all sites.
    pub(super) fn tangent(&self, batch: usize, data: &Grid, values: &Values, directions: &[(Grid, Grid)]) -> Grid {
        let still = data.map(|_| 0.0);
        let mut outputs: Vec<Grid> = Vec::new();
        let mut tangent = Grid::constant(0, 0, 0.0);
        for (site, (v, v_bias)) in directions.iter().enumerate().take(self.units.len()) {
            let carried = self.gather(site, batch, &still, &outputs).matmul(&self.units[site].weight.t());
            let own = values.inputs[site].matmul(&v.t());
            tangent = Grid::from_fn(own.rows(), own.columns(), |i, j| carried[(i, j)] + own[(i, j)] + v_bias[(0, j)]);
            outputs.push(tangent.hadamard(&values.derivatives[site]));
        }
        tangent
    }

    /// How the logits move with the activations.
    pub(super) fn logit_tangent(&self, batch: usize, data: &Grid, values: &Values, moved: &[Option<Grid>]) -> Grid {
        let still = data.map(|_| 0.0);
        let mut outputs: Vec<Grid> = Vec::new();
        for (site, moved) in moved.iter().enumerate() {
            let carried = self.gather(site, batch, &still, &outputs).matmul(&self.units[site].weight.t());
            let carried = carried.hadamard(&values.derivatives[site]);
            outputs.push(moved.as_ref().map_or(carried.clone(), |moved| carried.plus(moved)));
        }
        outputs.pop().unwrap_or_else(|| Grid::constant(0, 0, 0.0))
    }

    /// Signals at the sites that follow `site` carried back to its pre-activation.
    pub fn pull_back(&self, site: usize, batch: usize, signals: &[Grid], derivative: &Grid) -> Grid {
        let following = self.following(site);
        if following.is_empty() {
            return signals[0].hadamard(derivative);
        }
        let mut sum = Grid::constant(derivative.rows(), derivative.columns(), 0.0);
        for (&next, signal) in following.iter().zip(signals) {
            let back = signal.matmul(&self.units[next].weight);
            let share = sum.rows() / (batch * self.units[next].rows_per_example).max(1);
            for i in 0..sum.rows() {
                for j in 0..sum.columns() {
                    sum[(i, j)] += back[(i / share, j)] / share as f64;
                }
            }
        }
        sum.hadamard(derivative)
    }
}

/// Mean softmax cross-entropy of the logits.
pub(super) fn cross_entropy(logits: &Grid, labels: &[usize]) -> f64 {
    let p = logits.softmax();
    labels.iter().enumerate().map(|(i, &label)| -p[(i, label)].ln()).sum::<f64>() / labels.len().max(1) as f64
}
