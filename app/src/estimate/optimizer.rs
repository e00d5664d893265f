//! SGD (momentum, Nesterov, weight decay), Adam and AdamW, in place, one pass over memory a parameter tensor.
//!
//! Semantics are PyTorch's: `v ← μv + (ĝ + λθ)`, `θ ← θ − η v` (Nesterov: `θ ← θ − η(ĝ + λθ + μv)`); Adam with bias
//! correction; AdamW's decay `θ ← θ − ηλθ` apart from the moments.
#![forbid(unsafe_code)]

use crate::kernel::{self, Adam, Rate, Sgd};
use crate::workspace::OptimizerSpec;
use candle_core::{Result, Tensor};

/// An optimizer with its state.
#[derive(Debug)]
pub struct Optimizer {
    spec: OptimizerSpec,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    steps: u64,
}

impl Optimizer {
    /// An optimizer for parameters shaped as `theta`.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(spec: OptimizerSpec, theta: &[Tensor]) -> Result<Self> {
        let zeros = || theta.iter().map(Tensor::zeros_like).collect::<Result<Vec<_>>>();
        let (first, second) = match spec {
            OptimizerSpec::Sgd { momentum: 0.0, .. } => (Vec::new(), Vec::new()),
            OptimizerSpec::Sgd { .. } => (zeros()?, Vec::new()),
            OptimizerSpec::Adam { .. } | OptimizerSpec::AdamW { .. } => (zeros()?, zeros()?),
        };
        Ok(Self { spec, first, second, steps: 0 })
    }

    /// What it was made from, with the present learning rate.
    pub fn spec(&self) -> OptimizerSpec {
        self.spec
    }

    /// Goes over to `spec`. The state stays where both keep the same moments; else it begins at zero. True when it stayed.
    ///
    /// # Errors
    /// When the device cannot allocate; nothing has changed then.
    pub fn retune(&mut self, spec: OptimizerSpec, theta: &[Tensor]) -> Result<bool> {
        let moments = |spec: &OptimizerSpec| match spec {
            OptimizerSpec::Sgd { momentum: 0.0, .. } => 0,
            OptimizerSpec::Sgd { .. } => 1,
            OptimizerSpec::Adam { .. } | OptimizerSpec::AdamW { .. } => 2,
        };
        let same = moments(&spec) == moments(&self.spec);
        if same {
            self.spec = spec;
        } else {
            *self = Self::new(spec, theta)?;
        }
        Ok(same)
    }

    /// One update of `theta` along `grad`, both in the order of the parameters, at `factor` times η.
    ///
    /// # Errors
    /// When shapes differ.
    pub fn step(&mut self, theta: &[Tensor], grad: &[Tensor], factor: f64) -> Result<()> {
        self.steps += 1;
        for (index, (theta, grad)) in theta.iter().zip(grad).enumerate() {
            match self.spec {
                OptimizerSpec::Sgd { lr, momentum, nesterov, weight_decay } => {
                    let settings = Sgd { lr: lr * factor, momentum, nesterov, weight_decay };
                    kernel::sgd(theta, grad, self.first.get(index), settings)?;
                }
                OptimizerSpec::Adam { lr, beta1, beta2, epsilon } => {
                    let settings = Adam { lr: lr * factor, beta1, beta2, epsilon, weight_decay: 0.0 };
                    kernel::adam(theta, grad, &self.first[index], &self.second[index], settings, self.steps)?;
                }
                OptimizerSpec::AdamW { lr, beta1, beta2, epsilon, weight_decay } => {
                    let settings = Adam { lr: lr * factor, beta1, beta2, epsilon, weight_decay };
                    kernel::adam(theta, grad, &self.first[index], &self.second[index], settings, self.steps)?;
                }
            }
        }
        Ok(())
    }

    /// The rate of a step at `factor` times η, where a step is plain descent: SGD without momentum. Whoever takes the step
    /// with it says so with [`Optimizer::descended`].
    pub fn descent(&self, factor: f64) -> Option<Rate> {
        match self.spec {
            OptimizerSpec::Sgd { lr, momentum: 0.0, weight_decay, .. } => Some(Rate { lr: lr * factor, weight_decay }),
            _ => None,
        }
    }

    /// A step was taken at [`Optimizer::descent`]'s rate.
    pub fn descended(&mut self) {
        self.steps += 1;
    }

    /// Updates taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The state as named tensors: `first.N`, `second.N`.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let name = |what: &str, list: &[Tensor]| {
            list.iter()
                .enumerate()
                .map(|(index, tensor)| (format!("{what}.{index}"), tensor.clone()))
                .collect::<Vec<_>>()
        };
        [name("first", &self.first), name("second", &self.second)].concat()
    }

    /// Goes to the state after `steps` updates; its tensors are those of [`Optimizer::state`], written in place.
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }
}
