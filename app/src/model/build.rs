//! From a workspace's `model` to a [`Graph`]: `mlp`, `conv` and `mixer`.

use super::graph::{Graph, GraphBuilder, Source};
use super::layer::{Extent, Start};
use super::layers::{
    ActivationLayer, Add, AveragePool, Conv2d, Flatten, LayerNorm, Linear, MaxPool, MeanTokens, Patches,
    TransposeTokens,
};
use crate::kernel::Activation;
use crate::workspace::{ActivationSpec, ConvSpec, InitSpec, MixerSpec, MlpSpec, ModelSpec, PoolSpec};

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
    /// A layer refused its place.
    #[error(transparent)]
    Layer(#[from] candle_core::Error),
}

/// What a batch must deliver to the model: an `mlp` takes each example as one row (channel, row, column), `conv` and
/// `mixer` take the image position by position, one row a position.
pub fn input_extent(model: &ModelSpec, data: Extent) -> Extent {
    match model {
        ModelSpec::Mlp(_) => Extent::dense(data.len()),
        ModelSpec::Conv(_) | ModelSpec::Mixer(_) => data,
    }
}

/// Builds the architecture for examples of extent `data` (as the data set has them) and `classes` classes.
///
/// # Errors
/// When the extents are impossible: says which layer, what was given and what to change.
pub fn build(model: &ModelSpec, data: Extent, classes: usize) -> Result<Graph, BuildError> {
    positive("the number of classes", classes)?;
    positive("the size of an example", data.len())?;
    let input = input_extent(model, data);
    match model {
        ModelSpec::Mlp(spec) => mlp(spec, input, classes),
        ModelSpec::Conv(spec) => conv(spec, input, classes),
        ModelSpec::Mixer(spec) => mixer(spec, input, classes),
    }
}

/// The architecture in a line: `mlp 784-128-128-128-10`, `conv 3×32×32 → 16@3×3 → max 2 → 10`.
pub fn describe(model: &ModelSpec, data: Extent, classes: usize) -> String {
    let image = |extent: Extent| match extent.image {
        Some((height, width)) => format!("{}×{height}×{width}", extent.width),
        None => format!("{}×{}", extent.rows, extent.width),
    };
    match model {
        ModelSpec::Mlp(spec) => {
            let widths = std::iter::once(data.len()).chain(spec.hidden.iter().copied()).chain([classes]);
            let widths: Vec<String> = widths.map(|width| width.to_string()).collect();
            let options = [(spec.norm, " norm"), (spec.residual, " residual")];
            let options: String = options.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
            format!("mlp {}{options}", widths.join("-"))
        }
        ModelSpec::Conv(spec) => {
            let mut line = format!("conv {}", image(data));
            for layer in &spec.layers {
                line += &format!(" → {}@{k}×{k}", layer.channels, k = layer.kernel);
                if layer.stride > 1 {
                    line += &format!("/{}", layer.stride);
                }
                match layer.pool {
                    PoolSpec::None => {}
                    PoolSpec::Average(side) => line += &format!(" → mean {side}"),
                    PoolSpec::Max(side) => line += &format!(" → max {side}"),
                }
            }
            format!("{line} → {classes}")
        }
        ModelSpec::Mixer(spec) => format!(
            "mixer {} → {p}×{p} patches → {} blocks of {} (token {}, channel {}) → {classes}",
            image(data),
            spec.blocks,
            spec.width,
            spec.token_hidden,
            spec.channel_hidden,
            p = spec.patch,
        ),
    }
}

fn positive(what: &str, value: usize) -> Result<(), BuildError> {
    if value == 0 { Err(BuildError::Zero { what: what.into() }) } else { Ok(()) }
}

fn activation(spec: ActivationSpec) -> ActivationLayer {
    let function = match spec {
        ActivationSpec::Relu => Activation::Relu,
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

fn mlp(spec: &MlpSpec, input: Extent, classes: usize) -> Result<Graph, BuildError> {
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
    }
    let width = graph.extent(at).width;
    graph.add(format!("fc{}", spec.hidden.len() + 1), linear(spec.init, width, classes), &[at])?;
    Ok(graph.finish()?)
}

/// The image that `extent` is.
fn image(model: &'static str, extent: Extent) -> Result<(usize, usize), BuildError> {
    extent.image.ok_or(BuildError::NotAnImage { model, rows: extent.rows, width: extent.width })
}

fn conv(spec: &ConvSpec, input: Extent, classes: usize) -> Result<Graph, BuildError> {
    let mut graph = GraphBuilder::new(input);
    let mut at = Source::Data;
    for (index, layer) in spec.layers.iter().enumerate() {
        let number = index + 1;
        let name = format!("conv{number}");
        positive(&format!("the number of channels of {name}"), layer.channels)?;
        positive(&format!("the kernel of {name}"), layer.kernel)?;
        positive(&format!("the stride of {name}"), layer.stride)?;
        let before = graph.extent(at);
        fits(&name, "kernel", layer.kernel, before, layer.padding)?;
        let area = layer.kernel * layer.kernel;
        let (weight, bias) = start(spec.init, before.width * area, layer.channels * area);
        let convolution = Conv2d::new(before, layer.channels, layer.kernel, layer.stride, layer.padding, weight, bias)?;
        at = graph.add(name, convolution, &[at])?;
        at = graph.add(format!("act{number}"), activation(spec.activation), &[at])?;
        let (name, extent) = (format!("pool{number}"), graph.extent(at));
        at = match layer.pool {
            PoolSpec::None => at,
            PoolSpec::Average(side) => {
                fits(&name, "pooling square", side, extent, 0)?;
                graph.add(name, AveragePool::new(extent, side)?, &[at])?
            }
            PoolSpec::Max(side) => {
                fits(&name, "pooling square", side, extent, 0)?;
                graph.add(name, MaxPool::new(extent, side)?, &[at])?
            }
        };
    }
    let extent = graph.extent(at);
    image("conv", extent)?;
    at = graph.add("flatten", Flatten { input: extent }, &[at])?;
    graph.add("fc", linear(spec.init, extent.len(), classes), &[at])?;
    Ok(graph.finish()?)
}

fn fits(layer: &str, what: &'static str, side: usize, extent: Extent, padding: usize) -> Result<(), BuildError> {
    let (height, width) = image("conv", extent)?;
    positive(&format!("the side of {layer}"), side)?;
    if side > height + 2 * padding || side > width + 2 * padding {
        return Err(BuildError::Window { layer: layer.into(), what, side, height, width, padding });
    }
    Ok(())
}

fn mixer(spec: &MixerSpec, input: Extent, classes: usize) -> Result<Graph, BuildError> {
    let (height, width) = image("mixer", input)?;
    positive("the side of a patch", spec.patch)?;
    positive("the width of a token", spec.width)?;
    positive("the hidden width of token mixing", spec.token_hidden)?;
    positive("the hidden width of channel mixing", spec.channel_hidden)?;
    if height % spec.patch != 0 || width % spec.patch != 0 {
        return Err(BuildError::Patch { patch: spec.patch, height, width });
    }
    let mut graph = GraphBuilder::new(input);
    let patches = graph.add("patches", Patches::new(input, spec.patch)?, &[Source::Data])?;
    let Extent { rows: tokens, width: patch, .. } = graph.extent(patches);
    let mut at = graph.add("embed", linear(spec.init, patch, spec.width), &[patches])?;
    for block in 0..spec.blocks {
        let name = |part: &str| format!("block{block}.{part}");
        let transpose = |rows, width| TransposeTokens { rows, width };
        let hidden = spec.token_hidden;
        let mut branch = graph.add(name("norm1"), LayerNorm { width: spec.width }, &[at])?;
        branch = graph.add(name("token.in"), transpose(tokens, spec.width), &[branch])?;
        branch = graph.add(name("token.fc1"), linear(spec.init, tokens, hidden), &[branch])?;
        branch = graph.add(name("token.act"), activation(spec.activation), &[branch])?;
        branch = graph.add(name("token.fc2"), linear(spec.init, hidden, tokens), &[branch])?;
        branch = graph.add(name("token.out"), transpose(spec.width, tokens), &[branch])?;
        at = graph.add(name("token.add"), Add, &[at, branch])?;
        let hidden = spec.channel_hidden;
        branch = graph.add(name("norm2"), LayerNorm { width: spec.width }, &[at])?;
        branch = graph.add(name("channel.fc1"), linear(spec.init, spec.width, hidden), &[branch])?;
        branch = graph.add(name("channel.act"), activation(spec.activation), &[branch])?;
        branch = graph.add(name("channel.fc2"), linear(spec.init, hidden, spec.width), &[branch])?;
        at = graph.add(name("channel.add"), Add, &[at, branch])?;
    }
    at = graph.add("final_norm", LayerNorm { width: spec.width }, &[at])?;
    at = graph.add("mean", MeanTokens { tokens }, &[at])?;
    graph.add("head", linear(spec.init, spec.width, classes), &[at])?;
    Ok(graph.finish()?)
}
