//! What the formula card shows of a lane's guess: the strategy's own metadata, or a mixture's formula with its members'.
#![forbid(unsafe_code)]

use super::chosen::Chosen;
use crate::estimate::GuessKind;
use crate::record::{MemberCard, StrategyCard};
use crate::strategy::{Params, StrategyInfo};

/// The card of a lane that guesses with `chosen`.
pub(super) fn card(chosen: &[Chosen], kind: GuessKind) -> StrategyCard {
    match chosen {
        [Chosen { info, place: None, .. }] => of_strategy(info),
        members => StrategyCard { members: members.iter().map(of_member).collect(), ..of_mixture(members, kind) },
    }
}

fn of_strategy(info: &StrategyInfo) -> StrategyCard {
    StrategyCard {
        name: info.name.clone(),
        version: info.version.clone(),
        kind: info.kind.name().to_owned(),
        formula: info.formula.clone(),
        description: info.description.clone(),
        citation: info.citation.clone(),
        library: info.library.display().to_string(),
        members: Vec::new(),
    }
}

fn of_mixture(members: &[Chosen], kind: GuessKind) -> StrategyCard {
    StrategyCard {
        // Those of the members: with another of them a lane does not go on from its checkpoint.
        version: listed(members, |info| format!("{} {}", info.id, info.version)),
        citation: listed(members, |info| info.citation.clone()),
        library: listed(members, |info| info.library.display().to_string()),
        ..mixture(kind)
    }
}

/// The card of a mixture whose members are not known yet.
pub(in crate::session) fn mixture(kind: GuessKind) -> StrategyCard {
    let (kind, formula) = match kind {
        GuessKind::Weight => ("weight", "V_l = Σ_m w_m N(V_l^m),  N: each layer to length √(number of its entries)"),
        _ => ("signal", "E_l = Σ_m w_m N(E_l^m),  N: each row to length √n_l"),
    };
    StrategyCard {
        name: "Mixture".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kind: kind.to_owned(),
        formula: formula.to_owned(),
        description:
            "The weighted sum of the guesses of other strategies, each made equally long, with draws of its own."
                .to_owned(),
        citation: "The combination of the methods of Singhal et al. 2023, arXiv 2312.04709".to_owned(),
        library: "built in".to_owned(),
        members: Vec::new(),
    }
}

fn of_member(Chosen { info, params, weight, .. }: &Chosen) -> MemberCard {
    MemberCard {
        strategy: info.id.clone(),
        name: info.name.clone(),
        weight: *weight,
        params: other_than_default(info, params),
        formula: info.formula.clone(),
    }
}

/// `depth 2, mask "none"`: what tells two members of one strategy apart.
fn other_than_default(info: &StrategyInfo, params: &Params) -> String {
    let changed = params.values().iter().zip(&info.params).filter(|((_, value), spec)| *value != spec.default_value());
    changed.map(|((key, value), _)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
}

/// What the members have, each once, in their order.
fn listed(members: &[Chosen], of: impl Fn(&StrategyInfo) -> String) -> String {
    let mut found: Vec<String> = Vec::new();
    for member in members {
        let text = of(&member.info);
        if !text.is_empty() && !found.contains(&text) {
            found.push(text);
        }
    }
    found.join("; ")
}
