//! What is trained: data, model, loss.

use serde::{Deserialize, Serialize};

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
