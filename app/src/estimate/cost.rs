//! FLOP of a step, counted from shapes: two a multiply-add pair of every matrix product, element-wise work left out.
//!
//! F = one forward pass, F⁻ = F without the layers that read the data. Source: math.md, "Costs on an MLP".
#![forbid(unsafe_code)]

use super::settings::{GuessKind, Settings};
use crate::model::{Extent, Graph, Source};
use crate::workspace::{OutputSignal, ScalarSource};

/// FLOP of one forward pass of each node on a batch of `batch` examples.
pub fn forward(graph: &Graph, batch: usize) -> Vec<u64> {
    graph
        .nodes
        .iter()
        .map(|node| {
            let inputs: Vec<Extent> = node.inputs.iter().map(|source| extent(graph, *source)).collect();
            node.layer.flop(&inputs) * batch as u64
        })
        .collect()
}

/// FLOP of a backpropagation step: forward, signals, gradients; 2F + F⁻.
pub fn backprop(graph: &Graph, batch: usize) -> u64 {
    let layers = forward(graph, batch);
    let whole: u64 = layers.iter().sum();
    2 * whole + carried(graph, &layers)
}

/// FLOP of a guess step without the strategy's own work: forward, scalars, outer products.
pub fn guess(graph: &Graph, batch: usize, kind: GuessKind, settings: &Settings) -> u64 {
    let layers = forward(graph, batch);
    let whole: u64 = layers.iter().sum();
    if kind == GuessKind::Estimate {
        return whole;
    }
    let guesses = settings.guesses as u64;
    let separate = if settings.per_layer() { graph.sites.len() as u64 } else { 1 };
    let injected = injected(graph, &layers, batch, kind, settings);
    let scalars = match settings.source {
        ScalarSource::Central(_) => 2 * guesses * separate * whole,
        ScalarSource::OneSided(_) => guesses * separate * whole,
        ScalarSource::Tangent => guesses * tangents(graph, &layers, settings) + injected,
        ScalarSource::None => 0,
    };
    let outer = match kind {
        GuessKind::Signal if settings.per_example() || settings.source == ScalarSource::None => whole,
        // Differences move the parameters: each V_k is formed, and the update adds them up.
        GuessKind::Signal if settings.source != ScalarSource::Tangent => guesses * whole,
        GuessKind::Signal => site_sum(graph, &layers, |site| match injection(graph, site, batch, settings.guesses) {
            Injected::Formed(_) => 0,
            Injected::Gram(_) => layers[graph.sites[site].node],
        }),
        _ => 0,
    };
    let exact = match settings.output {
        OutputSignal::Exact if !settings.per_example() => graph.outputs.iter().map(|&node| layers[node]).sum(),
        _ => 0,
    };
    whole + scalars + outer + exact
}

/// FLOP of one tangent of the whole network beside a forward pass, F⁻.
pub fn tangent(graph: &Graph, batch: usize) -> u64 {
    carried(graph, &forward(graph, batch))
}

/// Share of the forward pass in the products of a forward pass with the tangents beside it of the guesses that go with it, and what
/// they inject.
pub fn forward_share(graph: &Graph, batch: usize, kind: GuessKind, settings: &Settings) -> f64 {
    let layers = forward(graph, batch);
    let whole: u64 = layers.iter().sum();
    let settings = &Settings { guesses: settings.at_once.unwrap_or(settings.guesses), ..*settings };
    let beside = settings.guesses as u64 * tangents(graph, &layers, settings);
    let all = whole + beside + injected(graph, &layers, batch, kind, settings);
    if all == 0 { 1.0 } else { whole as f64 / all as f64 }
}

/// What makes the injections of all guesses.
fn injected(graph: &Graph, layers: &[u64], batch: usize, kind: GuessKind, settings: &Settings) -> u64 {
    match kind {
        GuessKind::Signal if settings.per_example() => 0,
        GuessKind::Signal => site_sum(graph, layers, |site| injection(graph, site, batch, settings.guesses).min_flop()),
        _ => settings.guesses as u64 * layers.iter().sum::<u64>(),
    }
}

/// Products that the tangents of one guess take beside those of a forward pass.
fn tangents(graph: &Graph, layers: &[u64], settings: &Settings) -> u64 {
    if settings.per_layer() {
        let before = before(graph);
        layers.iter().zip(before).map(|(flop, before)| before as u64 * flop).sum()
    } else {
        carried(graph, layers)
    }
}

/// The cheaper way to the weight part of a tangent at batch and layer scope, with its FLOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injected {
    /// V_l = E_lᵀX̃ is formed, then X̃V_lᵀ; the update is an axpy.
    Formed(u64),
    /// (X̃X̃ᵀ)E_l; the update is one more product.
    Gram(u64),
}

impl Injected {
    /// FLOP of the tangent's part.
    pub fn min_flop(self) -> u64 {
        match self {
            Self::Formed(flop) | Self::Gram(flop) => flop,
        }
    }
}

/// Chooses between forming V_l and the Gram identity at `site`, from the counts over a whole step: with r rows, K
/// guesses, widths n = n_l and m = n_{l-1}, forming takes 4Krnm and the identity r(r + 1)m + 2Kr²n + 2rnm, half of X̃X̃ᵀ being
/// the other half. At K = 1 the identity wins when r < 2nm/(2n + m), as near as makes no difference.
pub fn injection(graph: &Graph, site: usize, batch: usize, guesses: usize) -> Injected {
    use crate::model::LayerKind;
    let node = graph.site_node(site);
    let rows = (batch * node.extent.rows) as u64;
    let width = node.extent.width as u64;
    let guesses = guesses as u64;
    let product = forward_of(graph, site, batch);
    let formed = 2 * guesses * product;
    if !matches!(node.layer.kind(), LayerKind::Linear | LayerKind::Conv2d) || product == 0 {
        return Injected::Formed(formed);
    }
    let inner = product / (2 * rows * width);
    let gram = rows * (rows + 1) * inner + 2 * guesses * rows * rows * width;
    if gram + product < formed { Injected::Gram(gram) } else { Injected::Formed(formed) }
}

fn forward_of(graph: &Graph, site: usize, batch: usize) -> u64 {
    let node = graph.site_node(site);
    let inputs: Vec<Extent> = node.inputs.iter().map(|source| extent(graph, *source)).collect();
    node.layer.flop(&inputs) * batch as u64
}

fn site_sum(graph: &Graph, _layers: &[u64], of: impl Fn(usize) -> u64) -> u64 {
    (0..graph.sites.len()).map(of).sum()
}

/// F⁻: the products of the layers whose input moves with the parameters, or passes a signal on.
fn carried(graph: &Graph, layers: &[u64]) -> u64 {
    layers.iter().zip(before(graph)).filter(|(_, before)| *before > 0).map(|(flop, _)| flop).sum()
}

/// How many sites' tangents come to each node: those of its part so far, none behind a border.
fn before(graph: &Graph) -> Vec<usize> {
    let mut after: Vec<usize> = Vec::with_capacity(graph.nodes.len());
    let mut counts = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let reached = node.inputs.iter().map(|source| match *source {
            Source::Data => 0,
            Source::Node(earlier) => after[earlier],
        });
        let before = if node.layer.stops() { 0 } else { reached.max().unwrap_or(0) };
        counts.push(before);
        after.push(node.site.map_or(before, |site| before.max(graph.sites[site].place + 1)));
    }
    counts
}

fn extent(graph: &Graph, source: Source) -> Extent {
    match source {
        Source::Data => graph.input,
        Source::Node(node) => graph.nodes[node].extent,
    }
}
