//! From a workspace's `model` to a [`Graph`], a file a family of architectures.

mod conv;
mod describe;
mod local;
mod patches;

pub use describe::describe;

use super::graph::{Graph, GraphBuilder, Source};
use super::layer::{Extent, Start};
use super::layers::{ActivationLayer, Add, LayerNorm, Linear};
use crate::kernel::Activation;
use crate::workspace::{ActivationSpec, InitSpec, LossesSpec, MlpSpec, ModelSpec};
use local::Blocks;

/// Why an architecture cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A width, count or side is zero.
    #[error("{what} is 0; it must be at least 1")]
    Zero {
        /// Which.
        what: String,
    },
    /// The model needs images and the data are not.
    #[error("a {model} model takes images; the data have {rows} rows of width {width} an example — choose an `mlp`")]
    NotAnImage {
        /// Kind of model.
        model: &'static str,
        /// Rows an example.
        rows: usize,
        /// Width of a row.
        width: usize,
    },
    /// Patches do not divide the image.
    #[error("patches of {patch}×{patch} do not divide an image of {height}×{width}; choose a side that divides both")]
    Patch {
        /// Side of a patch.
        patch: usize,
        /// Height of the image.
        height: usize,
        /// Width of the image.
        width: usize,
    },
    /// Groups do not divide what they cut.
    #[error("{layer}: {groups} {what} do not divide a width of {width}; choose a number that does")]
    Groups {
        /// Name of the layer.
        layer: String,
        /// `groups` or `heads`.
        what: &'static str,
        /// How many.
        groups: usize,
        /// What they should divide.
        width: usize,
    },
    /// A kernel or a pooling square is larger than the image it is laid on.
    #[error(
        "{layer}: a {side}×{side} {what} does not fit the {height}×{width} image that reaches it (padding {padding}); \
         make it smaller or use fewer strides and poolings before it"
    )]
    Window {
        /// Name of the layer.
        layer: String,
        /// `kernel` or `pooling square`.
        what: &'static str,
        /// Side of the window.
        side: usize,
        /// Height of the image there.
        height: usize,
        /// Width of the image there.
        width: usize,
        /// Zeros around it.
        padding: usize,
    },
    /// A loss for each of one row.
    #[error("losses: `{layer}` has one row an example, so that `patches: true` would change nothing; leave it out")]
    OneRow {
        /// Name of the head.
        layer: String,
    },
    /// Copies of losses that reach beyond their block.
    #[error(
        "losses: copies for each patch and group need `greedy: true`, since a signal that passes to the next block reaches all copies \
         there; or give each patch and group a head of its own with `aggregate: false`"
    )]
    Copies,
    /// Local losses of nothing.
    #[error("losses: the model has no block before the logits that a local loss could train; write `global`")]
    NoBlock,
    /// A layer refused its place.
    #[error(transparent)]
    Layer(#[from] candle_core::Error),
}

/// What a batch must deliver to the model: an `mlp` takes each example as one row (channel, row, column), the others take
/// the image position by position, one row a position.
pub fn input_extent(model: &ModelSpec, data: Extent) -> Extent {
    match model {
        ModelSpec::Mlp(_) => Extent::dense(data.len()),
        ModelSpec::Conv(_)
        | ModelSpec::Resnet(_)
        | ModelSpec::Mixer(_)
        | ModelSpec::LocalMixer(_)
        | ModelSpec::Transformer(_) => data,
    }
}

/// Builds the architecture for examples of extent `data` (as the data set has them) and `classes` classes.
///
/// # Errors
/// When the extents are impossible: says which layer, what was given and what to change.
pub fn build(model: &ModelSpec, data: Extent, classes: usize) -> Result<Graph, BuildError> {
    build_with(model, LossesSpec::Global, data, classes)
}

/// The same with losses of its blocks.
///
/// # Errors
/// As [`build`]; when the losses do not fit the model.
pub fn build_with(model: &ModelSpec, losses: LossesSpec, data: Extent, classes: usize) -> Result<Graph, BuildError> {
    positive("the number of classes", classes)?;
    positive("the size of an example", data.len())?;
    let input = input_extent(model, data);
    let blocks = Blocks { losses, classes };
    match model {
        ModelSpec::Mlp(spec) => mlp(spec, input, blocks),
        ModelSpec::Conv(spec) => conv::conv(spec, input, blocks),
        ModelSpec::Resnet(spec) => conv::resnet(spec, input, blocks),
        ModelSpec::Mixer(spec) => patches::mixer(spec, input, blocks),
        ModelSpec::LocalMixer(spec) => patches::local_mixer(spec, input, blocks),
        ModelSpec::Transformer(spec) => patches::transformer(spec, input, blocks),
    }
}

fn positive(what: &str, value: usize) -> Result<(), BuildError> {
    if value == 0 { Err(BuildError::Zero { what: what.into() }) } else { Ok(()) }
}

fn activation(spec: ActivationSpec) -> ActivationLayer {
    let function = match spec {
        ActivationSpec::Relu => Activation::Relu,
        ActivationSpec::LeakyRelu => Activation::LeakyRelu,
        ActivationSpec::Tanh => Activation::Tanh,
        ActivationSpec::Gelu => Activation::Gelu,
        ActivationSpec::Identity => Activation::Identity,
    };
    ActivationLayer { function }
}

/// How weight and bias start, for a layer whose outputs see `inputs` numbers and whose inputs reach `outputs`.
fn start(init: InitSpec, inputs: usize, outputs: usize) -> (Start, Start) {
    let (n_in, n_out) = (inputs as f64, outputs as f64);
    let normal = |variance: f64| (Start::Normal { deviation: variance.sqrt() }, Start::Constant(0.0));
    match init {
        InitSpec::He => normal(2.0 / n_in),
        InitSpec::Lecun => normal(1.0 / n_in),
        InitSpec::Glorot => normal(2.0 / (n_in + n_out)),
        InitSpec::KaimingUniform => {
            let uniform = Start::Uniform { bound: 1.0 / n_in.sqrt() };
            (uniform, uniform)
        }
    }
}

fn linear(init: InitSpec, inputs: usize, outputs: usize) -> Linear {
    let (weight, bias) = start(init, inputs, outputs);
    Linear { inputs, outputs, weight, bias }
}

fn mlp(spec: &MlpSpec, input: Extent, blocks: Blocks) -> Result<Graph, BuildError> {
    let mut graph = GraphBuilder::new(input);
    let mut at = Source::Data;
    for (index, &width) in spec.hidden.iter().enumerate() {
        let number = index + 1;
        positive(&format!("the width of hidden layer {number}"), width)?;
        let before = (at, graph.extent(at).width);
        at = graph.add(format!("fc{number}"), linear(spec.init, before.1, width), &[at])?;
        if spec.norm {
            at = graph.add(format!("norm{number}"), LayerNorm { width }, &[at])?;
        }
        at = graph.add(format!("act{number}"), activation(spec.activation), &[at])?;
        if spec.residual && before.1 == width {
            at = graph.add(format!("add{number}"), Add, &[before.0, at])?;
        }
        at = blocks.end(&mut graph, &format!("fc{number}"), at, spec.init)?;
    }
    at = blocks.read_out(&mut graph, at)?;
    let width = graph.extent(at).width;
    graph.add(format!("fc{}", spec.hidden.len() + 1), linear(spec.init, width, blocks.classes), &[at])?;
    Ok(graph.finish()?)
}

/// Refuses groups that do not divide a width.
fn divides(layer: &str, what: &'static str, groups: usize, width: usize) -> Result<(), BuildError> {
    positive(&format!("the number of {what} of {layer}"), groups)?;
    if width.is_multiple_of(groups) {
        Ok(())
    } else {
        Err(BuildError::Groups { layer: layer.into(), what, groups, width })
    }
}

/// The image that `extent` is.
fn image(model: &'static str, extent: Extent) -> Result<(usize, usize), BuildError> {
    extent.image.ok_or(BuildError::NotAnImage { model, rows: extent.rows, width: extent.width })
}
