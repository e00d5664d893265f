//! What a person can choose from when a lane is added or changed: strategies with their parameters, the workspace's
//! defaults; and what is wrong with a choice, told before the trainer is asked.
#![forbid(unsafe_code)]

use super::describe;
use super::guess;
use crate::estimate::{GuessKind, Settings};
use crate::model::{Extent, build};
use crate::record::StrategyCard;
use crate::strategy::{Catalog, ParamSpec, Params};
use crate::workspace::{
    BACKPROP, LaneDefaults, LaneSpec, LossesSpec, MIXTURE, MemberSpec, ModelSpec, ParamValue, ScalarSource, check_lane,
};
use std::collections::BTreeMap;

/// A strategy that a lane can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// One line of Unicode mathematics.
    pub formula: String,
    /// One or two sentences.
    pub description: String,
    /// What it guesses; `None` for the reference, which does not guess, and for the mixture: see [`Offers::kind`].
    pub kind: Option<GuessKind>,
    /// Where its scalars come from, unless the lane says otherwise.
    pub source: ScalarSource,
    /// Its parameters, in the order of its schema.
    pub params: Vec<ParamSpec>,
}

/// The model that lanes train, as it is built for each lane's losses.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// The workspace's model.
    pub model: ModelSpec,
    /// Extent of an example as the data set has it.
    pub images: Extent,
    /// Classes of the data set.
    pub classes: usize,
}

/// Everything on offer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offers {
    /// The strategies, the reference first, the mixture last.
    pub strategies: Vec<Offer>,
    /// What the workspace's lanes start from.
    pub defaults: LaneDefaults,
    /// What a lane more trains; `None` where a sweep has several.
    pub architecture: Option<Architecture>,
    /// Steps that a lane takes.
    pub steps: u64,
    /// Steps in a pass over the training examples.
    pub per_epoch: u64,
}

/// What is wrong with one field of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The lane's field: `scope`, `optimizer.lr`, `params.depth`.
    pub field: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Offers {
    /// The strategies of `catalog` that lanes can run, and the reference.
    pub(super) fn new(
        catalog: &Catalog,
        defaults: LaneDefaults,
        architecture: Option<Architecture>,
        steps: u64,
        per_epoch: u64,
    ) -> Self {
        let reference = Offer::built_in(BACKPROP, describe::reference_card());
        let found = catalog.strategies.iter().filter_map(|info| {
            Some(Offer {
                id: info.id.clone(),
                name: info.name.clone(),
                formula: info.formula.clone(),
                description: info.description.clone(),
                kind: Some(guess::kind(info.kind)?),
                source: info.own_source(),
                params: info.params.clone(),
            })
        });
        let strategies = std::iter::once(reference).chain(found).chain([Offer::mixture()]).collect();
        Self { strategies, defaults, architecture, steps, per_epoch }
    }

    /// What a lane of `strategy` guesses, made `of` these where it is a mixture: a mixture what its first strategy does. `None` for
    /// the reference and for what is not known.
    pub fn kind(&self, strategy: &str, of: &[MemberSpec]) -> Option<GuessKind> {
        let id = if strategy == MIXTURE { of.first()?.strategy.as_str() } else { strategy };
        self.strategy(id)?.kind
    }

    /// The strategy of that id.
    pub fn strategy(&self, id: &str) -> Option<&Offer> {
        self.strategies.iter().find(|offer| offer.id == id)
    }

    /// What is wrong with a lane, as far as it can be told before its strategy is asked. The lane's fields count as written
    /// by the person: a setting without meaning for the strategy is refused.
    pub fn faults(&self, spec: &LaneSpec) -> Vec<Fault> {
        self.faults_of_file(spec, &LaneDefaults::default(), self.steps)
    }

    /// The same of a lane of a file with these `defaults`, filled in, and so many steps: what comes from the defaults is passed
    /// over where it has no meaning.
    pub fn faults_of_file(&self, spec: &LaneSpec, defaults: &LaneDefaults, steps: u64) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            check_lane(spec, steps).into_iter().map(|(field, message)| Fault { field, message }).collect();
        let Some(offer) = self.strategy(&spec.strategy) else {
            faults.push(Fault { field: "strategy".to_owned(), message: missing(&spec.strategy) });
            return faults;
        };
        if faults.iter().all(|fault| !fault.field.starts_with("of")) {
            self.members(&spec.of, &mut faults);
        }
        if let Some(kind) = self.kind(&spec.strategy, &spec.of)
            && let Err(error) = Settings::resolve(spec, defaults, kind, offer.source)
            && faults.iter().all(|fault| fault.field != error.field)
        {
            let message = format!("{}; {}", error.reason, error.advice);
            faults.push(Fault { field: error.field.to_owned(), message });
        }
        let local = spec.losses.filter(|losses| *losses != LossesSpec::Global);
        if let (Some(losses), Some(Architecture { model, images, classes })) = (local, &self.architecture)
            && let Err(error) = build::build_with(model, losses, *images, *classes)
        {
            let text = error.to_string();
            let message = text.strip_prefix("losses: ").unwrap_or(&text).to_owned();
            faults.push(Fault { field: "losses".to_owned(), message });
        }
        if spec.strategy != MIXTURE {
            parameters(offer, "params", &spec.params, &mut faults);
        }
        faults
    }

    /// What is wrong with the strategies of a mixture.
    fn members(&self, of: &[MemberSpec], faults: &mut Vec<Fault>) {
        let mut kinds = Vec::with_capacity(of.len());
        for (place, member) in of.iter().enumerate() {
            let Some(offer) = self.strategy(&member.strategy) else {
                let field = format!("of[{place}].strategy");
                faults.push(Fault { field, message: missing(&member.strategy) });
                continue;
            };
            parameters(offer, &format!("of[{place}].params"), &member.params, faults);
            kinds.extend(offer.kind.map(|kind| (place, offer.id.as_str(), kind)));
        }
        if let Err((index, message)) = guess::mixed(kinds.iter().map(|(_, id, kind)| (*id, *kind))) {
            let place = kinds.get(index).map_or(index, |(place, ..)| *place);
            faults.push(Fault { field: format!("of[{place}].strategy"), message });
        }
    }
}

impl Offer {
    /// The host's sum of other strategies.
    pub(crate) fn mixture() -> Self {
        Self::built_in(MIXTURE, guess::mixture_card(GuessKind::Signal))
    }

    /// What the host has itself, without a plugin.
    fn built_in(id: &str, card: StrategyCard) -> Self {
        Self {
            id: id.to_owned(),
            name: card.name,
            formula: card.formula,
            description: card.description,
            kind: None,
            source: ScalarSource::Tangent,
            params: Vec::new(),
        }
    }
}

fn missing(strategy: &str) -> String {
    format!("there is no strategy `{strategy}` among those that were found")
}

/// What is wrong with the parameters of a strategy, which stand in the lane's field `at`.
fn parameters(offer: &Offer, at: &str, given: &BTreeMap<String, ParamValue>, faults: &mut Vec<Fault>) {
    let before = faults.len();
    for param in &offer.params {
        if let Some(given) = given.get(&param.key)
            && param.check(&offer.id, given).is_err()
        {
            let message = format!("expected {}", param.expected());
            faults.push(Fault { field: format!("{at}.{}", param.key), message });
        }
    }
    if let Err(error) = Params::check(&offer.id, &offer.params, given)
        && faults.len() == before
    {
        faults.push(Fault { field: at.to_owned(), message: error.to_string() });
    }
}
