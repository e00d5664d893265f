//! The architecture.

use serde::{Deserialize, Serialize};

/// The architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelSpec {
    /// Dense layers.
    #[serde(rename = "mlp")]
    Mlp(MlpSpec),
    /// Convolutions, pooling, then a dense layer.
    #[serde(rename = "conv")]
    Conv(ConvSpec),
    /// Residual blocks of convolutions with group norms.
    #[serde(rename = "resnet")]
    Resnet(ResnetSpec),
    /// An MLP-mixer on patches.
    #[serde(rename = "mixer")]
    Mixer(MixerSpec),
    /// A mixer of local losses: norms without parameters, channels mixed in groups.
    #[serde(rename = "local_mixer")]
    LocalMixer(LocalMixerSpec),
    /// A transformer encoder on patches.
    #[serde(rename = "transformer")]
    Transformer(TransformerSpec),
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

/// Convolutions `conv1`, `conv2`, …, then dense layers `fc1`, …, and the dense layer `fc` to the logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvSpec {
    /// The convolutions in order.
    pub layers: Vec<ConvLayerSpec>,
    /// Widths of dense layers with an activation between the convolutions and the logits.
    #[serde(default)]
    pub hidden: Vec<usize>,
    /// Groups of a group norm between each convolution and its activation; 0 is no norm.
    #[serde(default)]
    pub groups: usize,
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

/// A residual network (He et al., 2016): a convolution `stem`, stages of blocks `stage1.block1`, …, the mean over positions, `head`.
/// A block is twice a 3×3 convolution with its group norm, added to its input (through a 1×1 convolution with a norm where the
/// extent changes), with an activation after the first norm and after the sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResnetSpec {
    /// The stages in order; the stem has the channels of the first.
    pub stages: Vec<StageSpec>,
    /// Groups of the group norms; each stage's channels are a multiple of it.
    #[serde(default = "eight")]
    pub groups: usize,
    /// φ.
    #[serde(default)]
    pub activation: ActivationSpec,
    /// How weights start.
    #[serde(default)]
    pub init: InitSpec,
}

/// Blocks of one number of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// Channels.
    pub channels: usize,
    /// Blocks.
    pub blocks: usize,
    /// Step between positions of the first block's first convolution.
    #[serde(default = "one")]
    pub stride: usize,
}

fn eight() -> usize {
    8
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

/// The mixer that Ren et al. (2023) train with local losses, less its local heads: M/8/16 on CIFAR-10 is `(patch: 4, width: 512,
/// groups: 16, blocks: 4)`. A block mixes tokens (from the second on), then channels, then channels within groups, each on
/// normalised input and followed by an activation; then the mean over tokens, `head`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalMixerSpec {
    /// Side of a square patch.
    pub patch: usize,
    /// Width of a token.
    pub width: usize,
    /// Groups that the width is cut into.
    pub groups: usize,
    /// Blocks.
    pub blocks: usize,
    /// φ.
    #[serde(default)]
    pub activation: ActivationSpec,
    /// How weights start.
    #[serde(default)]
    pub init: InitSpec,
}

/// A transformer encoder (Vaswani et al., 2017; on patches as Dosovitskiy et al., 2021) with norms first and fixed positions:
/// `embed`, `block0.norm1`, `block0.qkv`, `block0.out`, `block0.norm2`, `block0.fc1`, …, `final_norm`, mean over tokens, `head`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerSpec {
    /// Side of a square patch.
    pub patch: usize,
    /// Width of a token.
    pub width: usize,
    /// Blocks.
    pub blocks: usize,
    /// Heads of attention; they divide the width.
    pub heads: usize,
    /// Hidden width of the dense layers.
    pub hidden: usize,
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
    /// s for s > 0, else 0.01·s.
    LeakyRelu,
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
