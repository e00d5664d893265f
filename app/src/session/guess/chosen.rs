//! What a lane's guess is made of: one strategy, or those of a mixture; found, checked, and refused by name where they cannot be.
#![forbid(unsafe_code)]

use crate::estimate::GuessKind;
use crate::session::SessionError;
use crate::session::build::Shared;
use crate::session::plan::LanePlan;
use crate::strategy::{Kind, Params, StrategyInfo};
use crate::workspace::{MIXTURE, MemberSpec, ScalarSource, check_members};
use std::sync::Arc;

/// A strategy as a lane asks for it.
#[derive(Clone, Debug)]
pub(in crate::session) struct Chosen {
    pub(in crate::session) info: Arc<StrategyInfo>,
    pub(in crate::session) params: Params,
    /// w_m; 1 where it is the lane's only one.
    pub(in crate::session) weight: f64,
    /// Its place in `of`; `None` where it is the lane's only one.
    pub(in crate::session) place: Option<usize>,
}

impl Chosen {
    /// What tells it from the other members of a mixture, before messages and metrics: `label-guess[1]`.
    pub(super) fn label(&self) -> Option<String> {
        self.place.map(|place| format!("{}[{place}]", self.info.id))
    }
}

/// What the estimator makes of a strategy of that kind; `None` where lanes cannot run it.
pub(in crate::session) fn kind(kind: Kind) -> Option<GuessKind> {
    match kind {
        Kind::Signal => Some(GuessKind::Signal),
        Kind::Weight => Some(GuessKind::Weight),
        Kind::Estimate => Some(GuessKind::Estimate),
        Kind::Search => None,
    }
}

/// The kind of a mixture of strategies of these ids and kinds.
///
/// # Errors
/// The place of the first that cannot be added to those before it, and why.
pub(in crate::session) fn mixed<'a>(
    members: impl IntoIterator<Item = (&'a str, GuessKind)>,
) -> Result<Option<GuessKind>, (usize, String)> {
    let mut first: Option<(&str, GuessKind)> = None;
    for (place, (id, kind)) in members.into_iter().enumerate() {
        if kind == GuessKind::Estimate {
            let text = format!(
                "`{id}` writes the estimate itself, whose length counts, and a mixture makes its members equally long; mix \
                 strategies of kind signal or of kind weight"
            );
            return Err((place, text));
        }
        let (other, expected) = *first.get_or_insert((id, kind));
        if kind != expected {
            let text = format!(
                "`{id}` guesses {} and `{other}` {}: a signal has a row for each example and a direction in weights has none, so \
                 that they cannot be added; mix strategies of one kind",
                plural(kind),
                plural(expected)
            );
            return Err((place, text));
        }
    }
    Ok(first.map(|(_, kind)| kind))
}

fn plural(kind: GuessKind) -> &'static str {
    match kind {
        GuessKind::Signal => "signals",
        GuessKind::Weight => "directions in weights",
        GuessKind::Estimate => "estimates",
    }
}

/// The strategies that a lane asks for, and the kind of its guess.
///
/// # Errors
/// No such strategy, or one that its library refuses; parameters that it does not take; a mixture of nothing, or of kinds that do
/// not go together. What is wrong with a member says its place: `of[1]`.
pub(in crate::session) fn choose(shared: &Shared, plan: &LanePlan) -> Result<(Vec<Chosen>, GuessKind), SessionError> {
    let spec = &plan.spec;
    let refuse = |reason: String| SessionError::Lane { lane: plan.name.clone(), reason };
    if let Some((field, message)) = check_members(spec).into_iter().next() {
        return Err(refuse(format!("{field}: {message}")));
    }
    if spec.strategy != MIXTURE {
        let info = shared.catalog.get(&spec.strategy)?;
        let kind = runs(info).map_err(refuse)?;
        let params = Params::check(&info.id, &info.params, &spec.params).map_err(|error| refuse(error.to_string()))?;
        return Ok((vec![Chosen { info: Arc::clone(info), params, weight: 1.0, place: None }], kind));
    }
    let at = |place: usize, reason: String| refuse(format!("of[{place}]: {reason}"));
    let mut members = Vec::with_capacity(spec.of.len());
    let mut kinds = Vec::with_capacity(spec.of.len());
    for (place, MemberSpec { strategy, weight, params }) in spec.of.iter().enumerate() {
        let info = shared.catalog.get(strategy).map_err(|error| SessionError::Plugin {
            lane: plan.name.clone(),
            reason: format!("of[{place}]: {error}"),
        })?;
        kinds.push(runs(info).map_err(|reason| at(place, reason))?);
        let params = Params::check(&info.id, &info.params, params).map_err(|error| at(place, error.to_string()))?;
        members.push(Chosen { info: Arc::clone(info), params, weight: *weight, place: Some(place) });
    }
    let named = spec.of.iter().zip(&kinds).map(|(member, kind)| (member.strategy.as_str(), *kind));
    match mixed(named).map_err(|(place, reason)| at(place, reason))? {
        Some(kind) => Ok((members, kind)),
        None => Err(refuse("of: a mixture needs at least one strategy".to_owned())),
    }
}

/// Where the scalars of a lane come from that does not say: what its strategies agree on, else the exact tangent.
pub(in crate::session) fn own_source(chosen: &[Chosen]) -> ScalarSource {
    let mut sources = chosen.iter().map(|chosen| chosen.info.own_source());
    let first = sources.next().unwrap_or_default();
    if sources.all(|source| source == first) { first } else { ScalarSource::Tangent }
}

/// What a strategy guesses, where lanes can run it.
fn runs(info: &StrategyInfo) -> Result<GuessKind, String> {
    kind(info.kind).ok_or_else(|| {
        format!(
            "strategy `{}` is of kind search, which moves the parameters itself; lanes of this version run signal, weight and estimate strategies",
            info.id
        )
    })
}
