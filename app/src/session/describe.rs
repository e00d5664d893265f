//! What is told of a lane at its start and after a change: settings written out, sites, cost, the strategy's card.
#![forbid(unsafe_code)]

use super::build::Shared;
use super::guess::Guesser;
use super::plan::LanePlan;
use crate::estimate::{Estimator, cost};
use crate::model::Network;
use crate::record::{LaneInfo, StrategyCard};
use candle_core::Tensor;

/// The description of a lane that runs as `plan` says, with `guesser` and `estimator` built for it.
pub(super) fn info(
    shared: &Shared,
    plan: &LanePlan,
    network: &Network,
    guesser: Option<&Guesser>,
    estimator: Option<&Estimator>,
) -> LaneInfo {
    let graph = network.graph();
    let settings = guesser.map(|guesser| *guesser.settings());
    let site_parameters = |site: usize| {
        let node = graph.site_node(site);
        let range = node.first_parameter..node.first_parameter + node.parameters;
        network.theta()[range].iter().map(Tensor::elem_count).sum()
    };
    LaneInfo {
        lane: plan.lane,
        name: plan.name.clone(),
        spec: settings.map_or_else(|| plan.spec.clone(), |settings| settings.written(&plan.spec)),
        seed: plan.seed,
        scope: estimator.and(settings).map(|settings| settings.scope),
        sites: (0..graph.sites.len()).map(|site| graph.site_node(site).name.clone()).collect(),
        site_parameters: (0..graph.sites.len()).map(site_parameters).collect(),
        parameters: network.parameter_count(),
        parts: graph.parts.len(),
        card: guesser.map_or_else(reference_card, |guesser| guesser.card().clone()),
        flop: match guesser {
            None => cost::backprop(graph, shared.batch),
            Some(guesser) => cost::guess(graph, shared.batch, guesser.kind(), guesser.settings()),
        },
        batch: shared.batch,
        gradient_capable: guesser.is_none_or(Guesser::gradient_capable),
        trial: plan.trial,
        steps: plan.steps,
        scalars: estimator.map_or(0, Estimator::scalars_each),
        axes: plan.axes.clone(),
    }
}

/// The card of backpropagation, which is no plugin.
pub(super) fn reference_card() -> StrategyCard {
    StrategyCard {
        name: "Backpropagation".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kind: "reference".to_owned(),
        formula: "g_l = δ_lᵀ X_{l−1},  δ_l = (δ_{l+1} W_{l+1}) ⊙ M_l".to_owned(),
        description: "The exact gradient by the adjoint: the reference that guesses are measured against.".to_owned(),
        citation: "Rumelhart, Hinton and Williams 1986".to_owned(),
        library: "built in".to_owned(),
        members: Vec::new(),
    }
}
