//! A small network at a point, in f64, with its exact gradient.

use candle_core::{DType, Device, Result, Tensor};
use guesswork::estimate::Point;
use guesswork::kernel::{self, Draw, DrawKey};
use guesswork::model::{Extent, Network, Tape, build};
use guesswork::objective::Loss;
use guesswork::workspace::{LossesSpec, ModelSpec};
use std::sync::Arc;

/// A network, a batch, and what backpropagation says.
pub struct Fixture {
    pub network: Network,
    pub tape: Tape,
    pub data: Tensor,
    pub labels: Tensor,
    pub deltas: Vec<Tensor>,
    pub gradient: Vec<Tensor>,
    pub loss: f64,
}

pub fn key(seed: u64, site: usize, guess: usize, step: u64) -> DrawKey {
    DrawKey { seed, instance: 7, step, site: site as u32, guess: guess as u32, draw: 0 }
}

impl Fixture {
    /// A model from RON on standard normal data with labels i mod `classes`.
    pub fn new(model: &str, image: Extent, classes: usize, batch: usize, seed: u64) -> Result<Self> {
        Self::with(model, LossesSpec::Global, image, classes, batch, seed)
    }

    /// The same with losses of its blocks.
    pub fn with(
        model: &str,
        losses: LossesSpec,
        image: Extent,
        classes: usize,
        batch: usize,
        seed: u64,
    ) -> Result<Self> {
        let model: ModelSpec = ron::from_str(model).expect("the fixture's model is valid");
        let input = build::input_extent(&model, image);
        let graph = Arc::new(build::build_with(&model, losses, image, classes).map_err(candle_core::Error::wrap)?);
        let network = Network::new(graph.clone(), DType::F64, &Device::Cpu, seed)?;
        for (index, theta) in network.theta().iter().enumerate() {
            if network.names()[index].ends_with("bias") {
                kernel::fill_draws(theta, Draw::Normal, 0.1, key(seed + 1, index, 0, 0))?;
            }
        }
        let data = Tensor::zeros((batch * input.rows, input.width), DType::F64, &Device::Cpu)?;
        kernel::fill_draws(&data, Draw::Normal, 1.0, key(seed + 2, 0, 0, 0))?;
        let labels: Vec<f64> = (0..batch).map(|i| (i % classes) as f64).collect();
        let labels = Tensor::from_vec(labels, (batch, 1), &Device::Cpu)?;
        let tape = Tape::new(graph, batch, DType::F64, &Device::Cpu)?;
        let deltas = tape.outputs().into_iter().map(Tensor::zeros_like).collect::<Result<_>>()?;
        let gradient = network.zeros_like()?;
        let mut fixture = Self { network, tape, data, labels, deltas, gradient, loss: 0.0 };
        fixture.refresh()?;
        Ok(fixture)
    }

    /// Forward and adjoint at the present parameters.
    pub fn refresh(&mut self) -> Result<()> {
        let theta = self.network.theta();
        self.tape.forward(theta, &self.data, None, |_| Ok::<(), candle_core::Error>(()))?;
        self.loss = Loss::CrossEntropy.evaluate_all(&self.tape.outputs(), &self.labels, Some(&self.deltas))?.total();
        self.tape.adjoint(theta, &self.deltas, Some(&self.gradient))
    }

    /// δ_L at the logits.
    pub fn delta(&self) -> &Tensor {
        &self.deltas[self.deltas.len() - 1]
    }

    pub fn point(&self) -> Point<'_> {
        Point {
            tape: &self.tape,
            theta: self.network.theta(),
            data: &self.data,
            labels: &self.labels,
            loss: Loss::CrossEntropy,
            deltas: &self.deltas,
        }
    }

    /// Standard normal directions in weight space, shaped as the parameters.
    pub fn weight_direction(&self, seed: u64, step: u64) -> Result<Vec<Tensor>> {
        let direction = self.network.zeros_like()?;
        for (index, v) in direction.iter().enumerate() {
            kernel::fill_draws(v, Draw::Normal, 1.0, key(seed, index, 0, step))?;
        }
        Ok(direction)
    }

    /// K standard normal signal guesses a site, stacked.
    pub fn signal_guesses(&self, guesses: usize, seed: u64, step: u64) -> Result<Vec<Tensor>> {
        (0..self.tape.graph().sites.len())
            .map(|site| {
                let (rows, width) = self.tape.pre_activation(site).dims2()?;
                let e = Tensor::zeros((guesses * rows, width), DType::F64, &Device::Cpu)?;
                for k in 0..guesses {
                    kernel::fill_draws(&e.narrow(0, k * rows, rows)?, Draw::Normal, 1.0, key(seed, site, k, step))?;
                }
                Ok(e)
            })
            .collect()
    }

    /// The exact gradient as one vector.
    pub fn gradient(&self) -> Vec<f64> {
        flatten(&self.gradient)
    }
}

/// Parameter-shaped tensors as one vector.
pub fn flatten(tensors: &[Tensor]) -> Vec<f64> {
    let values = |tensor: &Tensor| {
        tensor.flatten_all().and_then(|flat| flat.to_vec1::<f64>()).expect("an f64 tensor on the CPU")
    };
    tensors.iter().flat_map(values).collect()
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

pub const MLP: &str = "mlp((hidden: [5, 4]))";
pub const TANH: &str = "mlp((hidden: [5, 4], activation: tanh))";
pub const CONV: &str = "conv((layers: [(channels: 3), (channels: 4, stride: 2, pool: average(2))]))";
pub const MIXER: &str = "mixer((patch: 2, width: 6, blocks: 2, token_hidden: 5, channel_hidden: 7))";
