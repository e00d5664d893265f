//! What a person can choose from when a lane is added or changed: strategies with their parameters, the workspace's
//! defaults; and what is wrong with a choice, told before the trainer is asked.
#![forbid(unsafe_code)]

use super::describe;
use super::guess;
use crate::estimate::{GuessKind, Settings};
use crate::model::{Extent, build};
use crate::strategy::{Catalog, ParamSpec, Params};
use crate::workspace::{BACKPROP, LaneDefaults, LaneSpec, LossesSpec, ModelSpec, ScalarSource, check_lane};

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
    /// What it guesses; `None` for the reference, which does not guess.
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
    /// The strategies, the reference first.
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
        let card = describe::reference_card();
        let reference = Offer {
            id: BACKPROP.to_owned(),
            name: card.name,
            formula: card.formula,
            description: card.description,
            kind: None,
            source: ScalarSource::Tangent,
            params: Vec::new(),
        };
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
        Self { strategies: std::iter::once(reference).chain(found).collect(), defaults, architecture, steps, per_epoch }
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
            let message = format!("there is no strategy `{}` among those that were found", spec.strategy);
            faults.push(Fault { field: "strategy".to_owned(), message });
            return faults;
        };
        if let Some(kind) = offer.kind
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
        for param in &offer.params {
            if let Some(given) = spec.params.get(&param.key)
                && param.check(&offer.id, given).is_err()
            {
                faults.push(Fault {
                    field: format!("params.{}", param.key),
                    message: format!("expected {}", param.expected()),
                });
            }
        }
        if let Err(error) = Params::check(&offer.id, &offer.params, &spec.params)
            && faults.iter().all(|fault| !fault.field.starts_with("params."))
        {
            faults.push(Fault { field: "params".to_owned(), message: error.to_string() });
        }
        faults
    }
}
