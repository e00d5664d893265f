//! The document a person writes: problem, lanes, sweep, budget, measurements. Every type here is a piece of the RON file;
//! field docs are what the editor and `guesswork schema` show.

use super::axis::AxisValue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A whole workspace file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Short name: names run folders. The file's stem when left out.
    #[serde(default)]
    pub name: String,
    /// The question this experiment asks, in a sentence or two.
    #[serde(default)]
    pub question: String,
    /// What is trained.
    pub problem: Problem,
    /// Settings that every lane starts from.
    #[serde(default)]
    pub defaults: LaneDefaults,
    /// What is compared.
    pub lanes: Vec<LaneSpec>,
    /// Values to cross with every lane.
    #[serde(default)]
    pub sweep: Vec<Axis>,
    /// Choose a value per lane on the validation split before the real runs.
    #[serde(default)]
    pub tune: Option<Tune>,
    /// Seeds of initialisation and guesses: each lane runs once a seed.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Seed of the order of the data: all lanes see the same batches.
    #[serde(default)]
    pub data_seed: u64,
    /// Steps each lane takes.
    #[serde(default = "default_steps")]
    pub steps: u64,
    /// Wall-clock limit in seconds.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// What is measured, and every how many steps.
    #[serde(default)]
    pub measure: Measure,
    /// Data type of parameters and activations.
    #[serde(default)]
    pub dtype: Precision,
    /// Allow strategies that ask for the true gradient.
    #[serde(default)]
    pub diagnostic: bool,
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

fn default_steps() -> u64 {
    2000
}

/// What is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Problem {
    /// A network on a data set.
    Network(NetworkProblem),
}

/// A network on a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkProblem {
    /// The data.
    pub data: DataSpec,
    /// The architecture.
    pub model: ModelSpec,
    /// The loss; cross-entropy when left out.
    #[serde(default)]
    pub loss: LossSpec,
    /// Examples in a batch, B.
    #[serde(default = "default_batch")]
    pub batch: usize,
}

fn default_batch() -> usize {
    128
}

/// Where examples come from and how they are prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// `fashion-mini` and `digits` are embedded; else `mnist`, `fashion-mnist`, `cifar-10`, `cifar-100`, or `idx`, read from `path`.
    pub name: String,
    /// Folder of the files, for sets that are not embedded.
    #[serde(default)]
    pub path: Option<String>,
    /// How pixels become numbers.
    #[serde(default)]
    pub scale: Scaling,
    /// Share of the training examples set apart for validation, 0 to 0.9.
    #[serde(default)]
    pub validation: f64,
    /// Use only the first so many training examples.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// How pixels become numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// To [0, 1].
    Unit,
    /// To [−1, 1].
    Signed,
    /// One mean and one deviation for all pixels of the training set.
    #[default]
    Standard,
}

/// The architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelSpec {
    /// Dense layers.
    #[serde(rename = "mlp")]
    Mlp(MlpSpec),
    /// Convolutions, pooling, then a dense layer.
    #[serde(rename = "conv")]
    Conv(ConvSpec),
    /// An MLP-mixer on patches.
    #[serde(rename = "mixer")]
    Mixer(MixerSpec),
}

/// Dense layers `fc1`, `fc2`, ….
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpSpec {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// φ.
    #[serde(default)]
    pub activation: ActivationSpec,
    /// How weights start.
    #[serde(default)]
    pub init: InitSpec,
    /// Layer norm before each activation.
    #[serde(default)]
    pub norm: bool,
    /// Add each hidden layer of equal width to its input.
    #[serde(default)]
    pub residual: bool,
}

/// Convolutions `conv1`, `conv2`, …, then the dense layer `fc`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvSpec {
    /// The convolutions in order.
    pub layers: Vec<ConvLayerSpec>,
    /// φ.
    #[serde(default)]
    pub activation: ActivationSpec,
    /// How weights start.
    #[serde(default)]
    pub init: InitSpec,
}

/// One convolution, its activation and what pools it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvLayerSpec {
    /// Output channels.
    pub channels: usize,
    /// Height and width of the kernel.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Step between positions.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zeros around the image.
    #[serde(default = "one")]
    pub padding: usize,
    /// What follows the activation.
    #[serde(default)]
    pub pool: PoolSpec,
}

fn three() -> usize {
    3
}

fn one() -> usize {
    1
}

/// Pooling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolSpec {
    /// None.
    #[default]
    None,
    /// Mean of squares of this side, without overlap.
    Average(usize),
    /// Largest of squares of this side, without overlap.
    Max(usize),
}

/// An MLP-mixer: `embed`, `block0.norm1`, `block0.token.fc1`, …, `final_norm`, mean over tokens, `head`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixerSpec {
    /// Side of a square patch.
    pub patch: usize,
    /// Width of a token.
    pub width: usize,
    /// Blocks.
    pub blocks: usize,
    /// Hidden width of token mixing.
    pub token_hidden: usize,
    /// Hidden width of channel mixing.
    pub channel_hidden: usize,
    /// φ; GELU when left out.
    #[serde(default = "gelu")]
    pub activation: ActivationSpec,
    /// How weights start.
    #[serde(default)]
    pub init: InitSpec,
}

fn gelu() -> ActivationSpec {
    ActivationSpec::Gelu
}

/// φ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationSpec {
    /// max(0, s).
    #[default]
    Relu,
    /// tanh s.
    Tanh,
    /// s·Φ(s), exact.
    Gelu,
    /// s.
    Identity,
}

/// How weights start; biases start at 0 (at U(±1/√n_in) for `kaiming_uniform`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitSpec {
    /// N(0, 2/n_in): He.
    #[default]
    He,
    /// N(0, 1/n_in): LeCun.
    Lecun,
    /// N(0, 2/(n_in + n_out)): Glorot.
    Glorot,
    /// U(±1/√n_in): Kaiming uniform with a = √5, biases too.
    KaimingUniform,
}

/// The loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossSpec {
    /// Mean over the batch of −log of softmax(S_L) at the label.
    #[default]
    CrossEntropy,
    /// Mean over the batch of ½‖S_L − onehot(label)‖².
    MeanSquaredError,
}

/// f32 or f64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 64 bits.
    F64,
}

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
    /// See [`LaneSpec::optimizer`].
    pub optimizer: Option<OptimizerSpec>,
    /// See [`LaneSpec::schedule`].
    pub schedule: Option<ScheduleSpec>,
}

/// One thing compared: a strategy with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneSpec {
    /// Id of the strategy; `backprop` is the host's reference.
    pub strategy: String,
    /// Name on the screen and in records; made from the strategy and what differs when left out.
    #[serde(default)]
    pub name: Option<String>,
    /// Parameters of the strategy, by the keys of its schema.
    #[serde(default)]
    pub params: BTreeMap<String, ParamValue>,
    /// How many scalars share a guess; `example_layer` for signal guesses, `batch` for weight directions when left out.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// Guesses a step, K.
    #[serde(default)]
    pub guesses: Option<usize>,
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

/// Values to cross with every lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// A lane's field: `lr`, `scope`, `guesses`, `normalise`, `scaling`, `params.KEY`, ….
    pub path: String,
    /// The values, written as in a lane.
    pub values: Vec<AxisValue>,
    /// Only for lanes of these strategies; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
}

/// Choose a value per lane on the validation split before the real runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// A lane's field, as in [`Axis::path`].
    pub over: String,
    /// The candidates.
    pub values: Vec<AxisValue>,
    /// Steps of a trial; the workspace's when left out.
    #[serde(default)]
    pub steps: Option<u64>,
    /// What is smallest or largest for the best.
    #[serde(default)]
    pub metric: TuneMetric,
    /// Seed of the trials.
    #[serde(default)]
    pub seed: u64,
}

/// What decides between candidates, measured on the validation split at the end of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TuneMetric {
    /// Lowest loss.
    #[default]
    ValidationLoss,
    /// Highest accuracy.
    ValidationAccuracy,
}

/// Cadences: every so many steps; 0 is never. Measuring is the only place where backpropagation may run beside a guess.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Measure {
    /// cos(ĝ, g), whole and per layer, in weight and signal space; norm ratio ‖ĝ‖/‖g‖; sign agreement.
    pub alignment: u64,
    /// One-step effectiveness.
    pub one_step: u64,
    /// Step size η of one-step effectiveness.
    pub one_step_rate: f64,
    /// Singular values of each W_l: effective rank, stable rank, σ₁.
    pub spectrum: u64,
    /// Mean of M_l.
    pub mask_density: u64,
    /// Loss and accuracy on the test and validation splits.
    pub test: u64,
    /// Loss and accuracy on the whole training split.
    pub train: u64,
}

impl Default for Measure {
    fn default() -> Self {
        Self { alignment: 20, one_step: 0, one_step_rate: 0.01, spectrum: 0, mask_density: 0, test: 50, train: 0 }
    }
}
