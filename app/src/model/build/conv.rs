//! Networks of convolutions: plain ones and residual ones.

use super::local::Blocks;
use super::{BuildError, activation, divides, image, linear, positive, start};
use crate::model::graph::{Graph, GraphBuilder, Source};
use crate::model::layer::Extent;
use crate::model::layers::{Add, AveragePool, Conv2d, Flatten, GroupNorm, MaxPool, MeanTokens};
use crate::workspace::{ConvSpec, InitSpec, PoolSpec, ResnetSpec};

pub(super) fn conv(spec: &ConvSpec, input: Extent, blocks: Blocks) -> Result<Graph, BuildError> {
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
        at = convolve(&mut graph, name, at, [layer.channels, layer.kernel, layer.stride, layer.padding], spec.init)?;
        if spec.groups > 0 {
            at = group_norm(&mut graph, format!("norm{number}"), at, spec.groups)?;
        }
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
        at = blocks.end(&mut graph, &format!("conv{number}"), at, spec.init)?;
    }
    let extent = graph.extent(at);
    image("conv", extent)?;
    at = graph.add("flatten", Flatten { input: extent }, &[at])?;
    for (index, &width) in spec.hidden.iter().enumerate() {
        let number = index + 1;
        positive(&format!("the width of hidden layer {number}"), width)?;
        let before = graph.extent(at).width;
        at = graph.add(format!("fc{number}"), linear(spec.init, before, width), &[at])?;
        at = graph.add(format!("fc{number}.act"), activation(spec.activation), &[at])?;
        at = blocks.end(&mut graph, &format!("fc{number}"), at, spec.init)?;
    }
    at = blocks.read_out(&mut graph, at)?;
    let width = graph.extent(at).width;
    graph.add("fc", linear(spec.init, width, blocks.classes), &[at])?;
    Ok(graph.finish()?)
}

/// Adds a convolution of channels, kernel, stride and padding.
fn convolve(
    graph: &mut GraphBuilder,
    name: String,
    at: Source,
    [channels, kernel, stride, padding]: [usize; 4],
    init: InitSpec,
) -> Result<Source, BuildError> {
    let (before, area) = (graph.extent(at), kernel * kernel);
    let (weight, bias) = start(init, before.width * area, channels * area);
    let convolution = Conv2d::new(before, channels, kernel, stride, padding, weight, bias)?;
    Ok(graph.add(name, convolution, &[at])?)
}

fn group_norm(graph: &mut GraphBuilder, name: String, at: Source, groups: usize) -> Result<Source, BuildError> {
    let extent = graph.extent(at);
    divides(&name, "groups", groups, extent.width)?;
    Ok(graph.add(name, GroupNorm::new(extent, groups)?, &[at])?)
}

pub(super) fn resnet(spec: &ResnetSpec, input: Extent, blocks: Blocks) -> Result<Graph, BuildError> {
    image("resnet", input)?;
    let mut graph = GraphBuilder::new(input);
    let (init, groups) = (spec.init, spec.groups);
    let channels = spec.stages.first().map_or(0, |stage| stage.channels);
    positive("the number of channels of stage1", channels)?;
    let mut at = convolve(&mut graph, "stem".into(), Source::Data, [channels, 3, 1, 1], init)?;
    at = group_norm(&mut graph, "stem.norm".into(), at, groups)?;
    at = graph.add("stem.act", activation(spec.activation), &[at])?;
    for (stage, index) in spec.stages.iter().zip(1..) {
        positive(&format!("the number of channels of stage{index}"), stage.channels)?;
        positive(&format!("the stride of stage{index}"), stage.stride)?;
        for block in 1..=stage.blocks {
            let stride = if block == 1 { stage.stride } else { 1 };
            let name = |part: &str| format!("stage{index}.block{block}.{part}");
            let (before, from) = (at, graph.extent(at));
            let mut branch = convolve(&mut graph, name("conv1"), before, [stage.channels, 3, stride, 1], init)?;
            branch = group_norm(&mut graph, name("norm1"), branch, groups)?;
            branch = graph.add(name("act1"), activation(spec.activation), &[branch])?;
            branch = convolve(&mut graph, name("conv2"), branch, [stage.channels, 3, 1, 1], init)?;
            branch = group_norm(&mut graph, name("norm2"), branch, groups)?;
            let mut shortcut = before;
            if from != graph.extent(branch) {
                shortcut = convolve(&mut graph, name("shortcut"), before, [stage.channels, 1, stride, 0], init)?;
                shortcut = group_norm(&mut graph, name("shortcut.norm"), shortcut, groups)?;
            }
            at = graph.add(name("add"), Add, &[shortcut, branch])?;
            at = graph.add(name("act2"), activation(spec.activation), &[at])?;
            at = blocks.end(&mut graph, &format!("stage{index}.block{block}"), at, init)?;
        }
    }
    at = blocks.read_out(&mut graph, at)?;
    let Extent { rows, width, .. } = graph.extent(at);
    at = graph.add("mean", MeanTokens { tokens: rows }, &[at])?;
    graph.add("head", linear(init, width, blocks.classes), &[at])?;
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
