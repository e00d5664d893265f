//! What is compared: strategies with their settings.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings that every lane starts from; a lane's own win.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LaneDefaults {
    /// See [`LaneSpec::scope`].
    pub scope: Option<Scope>,
    /// See [`LaneSpec::guesses`].
    pub guesses: Option<usize>,
    /// See [`LaneSpec::combine`].
    pub combine: Option<Combine>,
    /// See [`LaneSpec::scaling`].
    pub scaling: Option<GuessScaling>,
    /// See [`LaneSpec::normalise`].
    pub normalise: Option<Normalise>,
    /// See [`LaneSpec::clip`].
    pub clip: Option<f64>,
    /// See [`LaneSpec::source`].
    pub source: Option<ScalarSource>,
    /// See [`LaneSpec::output`].
    pub output: Option<OutputSignal>,
    /// See [`LaneSpec::losses`].
    pub losses: Option<LossesSpec>,
    /// See [`LaneSpec::optimizer`].
    pub optimizer: Option<OptimizerSpec>,
    /// See [`LaneSpec::schedule`].
    pub schedule: Option<ScheduleSpec>,
}

/// One thing compared: a strategy with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSpec {
    /// Id of the strategy; `backprop` is the host's reference, `mixture` its sum of the strategies in `of`.
    pub strategy: String,
    /// Name on the screen and in records; made from the strategy and what differs when left out.
    #[serde(default)]
    pub name: Option<String>,
    /// Parameters of the strategy, by the keys of its schema.
    #[serde(default)]
    pub params: BTreeMap<String, ParamValue>,
    /// Of a mixture: the strategies whose guesses are normalised, weighted and added.
    #[serde(default)]
    pub of: Vec<MemberSpec>,
    /// How many scalars share a guess; `example_layer` for signal guesses, `batch` for weight directions when left out.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// Guesses a step, K.
    #[serde(default)]
    pub guesses: Option<usize>,
    /// How many of them go through the layers side by side, a divisor of K: memory grows with it, the numbers stay. As few as keep
    /// products fast when left out.
    #[serde(default)]
    pub at_once: Option<usize>,
    /// How K guesses become one estimate.
    #[serde(default)]
    pub combine: Option<Combine>,
    /// `raw`, or divided by the squared norm of what shares the scalar.
    #[serde(default)]
    pub scaling: Option<GuessScaling>,
    /// Normalisation of a guess' rows, after the mask.
    #[serde(default)]
    pub normalise: Option<Normalise>,
    /// Clip of |B·d_i| (example scopes) or |d| (batch and layer scopes).
    #[serde(default)]
    pub clip: Option<f64>,
    /// Where the scalar comes from.
    #[serde(default)]
    pub source: Option<ScalarSource>,
    /// Whether the output layer uses its exact signal p − y, which needs no backpropagation.
    #[serde(default)]
    pub output: Option<OutputSignal>,
    /// What is trained by which loss: all by that at the logits, or each block by its own.
    #[serde(default)]
    pub losses: Option<LossesSpec>,
    /// The optimizer.
    #[serde(default)]
    pub optimizer: Option<OptimizerSpec>,
    /// The learning rate over time.
    #[serde(default)]
    pub schedule: Option<ScheduleSpec>,
    /// Seeds of this lane in place of the workspace's.
    #[serde(default)]
    pub seeds: Option<Vec<u64>>,
}

/// One of the strategies that a mixture adds, E_l = Σ_m w_m N(E_l^m).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSpec {
    /// Id of the strategy: any that guesses, all of a mixture signals or all directions in weights.
    pub strategy: String,
    /// Its weight w_m in the sum, not 0.
    #[serde(default = "full_weight")]
    pub weight: f64,
    /// Parameters of the strategy, by the keys of its schema.
    #[serde(default)]
    pub params: BTreeMap<String, ParamValue>,
}

fn full_weight() -> f64 {
    1.0
}

/// A value of a strategy's parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected true, false, a number, or text in quotes")]
pub enum ParamValue {
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A choice or text.
    Text(String),
}

/// How many scalars share a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One scalar for the batch.
    Batch,
    /// One a layer.
    Layer,
    /// One an example.
    Example,
    /// One an example and layer.
    ExampleLayer,
}

/// How K guesses become one estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The mean of the K estimates.
    #[default]
    Mean,
    /// The projection on the span of the K directions.
    Span,
}

/// Scaling of an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuessScaling {
    /// ĝ = d·V.
    #[default]
    Raw,
    /// ĝ = d·V/‖V‖².
    Unit,
}

/// Normalisation of a guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// As it was drawn.
    #[default]
    None,
    /// Each row to √n_l; zero rows stay zero.
    Row,
    /// The whole of E_l to √(B·n_l).
    Batch,
}

/// Where the scalar comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalarSource {
    /// The exact forward mode.
    #[default]
    Tangent,
    /// (L(θ + hV) − L(θ − hV))/2h, step h.
    Central(f64),
    /// (L(θ + hV) − L(θ))/h, step h: half the losses, an error of order h instead of h².
    OneSided(f64),
    /// No scalar: the guess is taken for the estimate as it is, Σ_i E_{l,i} x_{l−1,i}ᵀ/B or V_l.
    None,
}

/// The output layer's signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputSignal {
    /// Guessed like every other layer's.
    #[default]
    Guess,
    /// p − y: ĝ_L = g_L and layer L leaves the sum d.
    Exact,
}

/// What is trained by which loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LossesSpec {
    /// All layers by the loss at the logits.
    #[default]
    Global,
    /// Each block by the loss of a linear head on its output (Ren et al., 2023); the loss at the logits trains what reads out the last
    /// block.
    Local {
        /// No signal passes from a block to the one before; else later losses train earlier blocks too.
        #[serde(default = "yes")]
        greedy: bool,
        /// A loss for each row (position, token) in place of one for the mean row.
        #[serde(default)]
        patches: bool,
        /// Groups of channels with a loss each.
        #[serde(default = "one_group")]
        groups: usize,
        /// Losses of patches and groups are copies of their block's, whose head reads all of them, with a scalar each (scopes example and
        /// example_layer); else each patch and group has a prediction of its own, and their mean counts.
        #[serde(default = "yes")]
        aggregate: bool,
    },
}

impl LossesSpec {
    /// Whether blocks' losses have copies, one for each patch and group.
    pub fn has_copies(self) -> bool {
        matches!(self, Self::Local { patches, groups, aggregate: true, .. } if patches || groups > 1)
    }
}

fn yes() -> bool {
    true
}

fn one_group() -> usize {
    1
}

/// An optimizer and its learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerSpec {
    /// Stochastic gradient descent.
    Sgd {
        /// Learning rate η.
        lr: f64,
        /// Momentum.
        #[serde(default)]
        momentum: f64,
        /// Nesterov's form of momentum.
        #[serde(default)]
        nesterov: bool,
        /// Weight decay, added to the gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam.
    Adam {
        /// Learning rate η.
        lr: f64,
        /// Decay of the first moment.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the second moment.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of the second moment.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW {
        /// Learning rate η.
        lr: f64,
        /// Decay of the first moment.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the second moment.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of the second moment.
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// Decoupled weight decay.
        #[serde(default = "decay")]
        weight_decay: f64,
    },
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn epsilon() -> f64 {
    1e-8
}

fn decay() -> f64 {
    0.01
}

impl Default for OptimizerSpec {
    fn default() -> Self {
        Self::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

impl OptimizerSpec {
    /// The learning rate η.
    pub fn lr(&self) -> f64 {
        match *self {
            Self::Sgd { lr, .. } | Self::Adam { lr, .. } | Self::AdamW { lr, .. } => lr,
        }
    }

    /// The same with another learning rate.
    pub fn with_lr(mut self, rate: f64) -> Self {
        match &mut self {
            Self::Sgd { lr, .. } | Self::Adam { lr, .. } | Self::AdamW { lr, .. } => *lr = rate,
        }
        self
    }
}

/// The learning rate over time, as a factor of the optimizer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleSpec {
    /// 1.
    #[default]
    Constant,
    /// Times `factor` every `every` steps.
    Step {
        /// Steps between drops.
        every: u64,
        /// Factor of each drop.
        factor: f64,
    },
    /// Half a cosine from 1 to `floor` over the run, after a linear rise over `warm_up` steps.
    Cosine {
        /// Steps of the linear rise.
        #[serde(default)]
        warm_up: u64,
        /// Factor at the end.
        #[serde(default)]
        floor: f64,
    },
    /// Times `factor` every step.
    Exponential {
        /// Factor of each step.
        factor: f64,
    },
    /// A linear rise over so many steps, then 1.
    WarmUp {
        /// Steps of the linear rise.
        steps: u64,
    },
}
