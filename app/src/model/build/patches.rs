//! Networks on the patches of an image: mixers and a transformer encoder.

use super::local::Blocks;
use super::{BuildError, activation, divides, image, linear, positive, start};
use crate::model::graph::{Graph, GraphBuilder, Source};
use crate::model::layer::Extent;
use crate::model::layers::{
    Add, Attention, GroupedLinear, LayerNorm, MeanTokens, Patches, Position, Standardise, TransposeTokens,
};
use crate::workspace::{LocalMixerSpec, MixerSpec, TransformerSpec};

/// A graph whose first node cuts the image into square patches: it, its output, the patches and the width of one.
fn cut(model: &'static str, side: usize, input: Extent) -> Result<(GraphBuilder, Source, usize, usize), BuildError> {
    let (height, width) = image(model, input)?;
    positive("the side of a patch", side)?;
    if height % side != 0 || width % side != 0 {
        return Err(BuildError::Patch { patch: side, height, width });
    }
    let mut graph = GraphBuilder::new(input);
    let patches = graph.add("patches", Patches::new(input, side)?, &[Source::Data])?;
    let Extent { rows: tokens, width, .. } = graph.extent(patches);
    Ok((graph, patches, tokens, width))
}

pub(super) fn mixer(spec: &MixerSpec, input: Extent, blocks: Blocks) -> Result<Graph, BuildError> {
    positive("the width of a token", spec.width)?;
    positive("the hidden width of token mixing", spec.token_hidden)?;
    positive("the hidden width of channel mixing", spec.channel_hidden)?;
    let (mut graph, patches, tokens, patch) = cut("mixer", spec.patch, input)?;
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
        at = blocks.end(&mut graph, &format!("block{block}"), at, spec.init)?;
    }
    at = blocks.read_out(&mut graph, at)?;
    at = graph.add("final_norm", LayerNorm { width: spec.width }, &[at])?;
    at = graph.add("mean", MeanTokens { tokens }, &[at])?;
    graph.add("head", linear(spec.init, spec.width, blocks.classes), &[at])?;
    Ok(graph.finish()?)
}

pub(super) fn local_mixer(spec: &LocalMixerSpec, input: Extent, blocks: Blocks) -> Result<Graph, BuildError> {
    positive("the width of a token", spec.width)?;
    divides("block0.group", "groups", spec.groups, spec.width)?;
    let (mut graph, mut at, tokens, _) = cut("local_mixer", spec.patch, input)?;
    for block in 0..spec.blocks {
        let name = |part: &str| format!("block{block}.{part}");
        if block > 0 {
            at = graph.add(name("token.norm"), Standardise { groups: 1 }, &[at])?;
            at = graph.add(name("token.in"), TransposeTokens { rows: tokens, width: spec.width }, &[at])?;
            at = graph.add(name("token.fc"), linear(spec.init, tokens, tokens), &[at])?;
            at = graph.add(name("token.act"), activation(spec.activation), &[at])?;
            at = graph.add(name("token.out"), TransposeTokens { rows: spec.width, width: tokens }, &[at])?;
        }
        let width = graph.extent(at).width;
        at = graph.add(name("channel.norm"), Standardise { groups: 1 }, &[at])?;
        at = graph.add(name("channel.fc"), linear(spec.init, width, spec.width), &[at])?;
        at = graph.add(name("channel.act"), activation(spec.activation), &[at])?;
        let part = spec.width / spec.groups;
        let (weight, bias) = start(spec.init, part, part);
        let grouped = GroupedLinear { groups: spec.groups, inputs: part, outputs: part, weight, bias };
        at = graph.add(name("group.norm"), Standardise { groups: spec.groups }, &[at])?;
        at = graph.add(name("group.fc"), grouped, &[at])?;
        at = graph.add(name("group.act"), activation(spec.activation), &[at])?;
        at = blocks.end(&mut graph, &format!("block{block}"), at, spec.init)?;
    }
    at = blocks.read_out(&mut graph, at)?;
    let width = graph.extent(at).width;
    at = graph.add("mean", MeanTokens { tokens }, &[at])?;
    graph.add("head", linear(spec.init, width, blocks.classes), &[at])?;
    Ok(graph.finish()?)
}

pub(super) fn transformer(spec: &TransformerSpec, input: Extent, blocks: Blocks) -> Result<Graph, BuildError> {
    let width = spec.width;
    positive("the width of a token", width)?;
    positive("the hidden width of the dense layers", spec.hidden)?;
    divides("block0.attention", "heads", spec.heads, width)?;
    let (mut graph, patches, tokens, patch) = cut("transformer", spec.patch, input)?;
    let mut at = graph.add("embed", linear(spec.init, patch, width), &[patches])?;
    at = graph.add("position", Position::new(tokens, width), &[at])?;
    for block in 0..spec.blocks {
        let name = |part: &str| format!("block{block}.{part}");
        let mut branch = graph.add(name("norm1"), LayerNorm { width }, &[at])?;
        branch = graph.add(name("qkv"), linear(spec.init, width, 3 * width), &[branch])?;
        branch = graph.add(name("attention"), Attention::new(tokens, width, spec.heads)?, &[branch])?;
        branch = graph.add(name("out"), linear(spec.init, width, width), &[branch])?;
        at = graph.add(name("attention.add"), Add, &[at, branch])?;
        branch = graph.add(name("norm2"), LayerNorm { width }, &[at])?;
        branch = graph.add(name("fc1"), linear(spec.init, width, spec.hidden), &[branch])?;
        branch = graph.add(name("act"), activation(spec.activation), &[branch])?;
        branch = graph.add(name("fc2"), linear(spec.init, spec.hidden, width), &[branch])?;
        at = graph.add(name("add"), Add, &[at, branch])?;
        at = blocks.end(&mut graph, &format!("block{block}"), at, spec.init)?;
    }
    at = blocks.read_out(&mut graph, at)?;
    at = graph.add("final_norm", LayerNorm { width }, &[at])?;
    at = graph.add("mean", MeanTokens { tokens }, &[at])?;
    graph.add("head", linear(spec.init, width, blocks.classes), &[at])?;
    Ok(graph.finish()?)
}
