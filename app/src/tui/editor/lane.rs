//! The form of a lane: strategy, settings, optimizer, parameters. It holds what was typed; everything else (which fields there
//! are, what is wrong with them, the settings they come to) is worked out from that, so nothing can disagree.
#![forbid(unsafe_code)]

use super::field::{Field, FieldId};
use super::fill::words_of;
use super::reader::Reader;
use super::words::{self, COMBINATIONS, NORMALISATIONS, OUTPUTS, SCALINGS, SCOPES, meaning};
use crate::estimate::GuessKind;
use crate::record::LaneId;
use crate::session::Command;
use crate::session::offer::{Offer, Offers};
use crate::strategy::ParamSpec;
use crate::workspace::{LaneSpec, MIXTURE, ParamValue, ScalarSource, Scope, members};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the form is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// A lane more, on the problem of this lane.
    Add(Option<LaneId>),
    /// Other settings for these lanes, which differ in their seeds alone.
    Change {
        /// The lanes.
        lanes: Vec<LaneId>,
        /// Their name.
        name: String,
        /// Their settings now.
        before: Box<LaneSpec>,
    },
}

/// The form.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneForm {
    /// What it is for.
    pub purpose: Purpose,
    /// The field that takes the keys.
    pub focus: FieldId,
    /// Characters before the cursor in it.
    pub cursor: usize,
    offers: Arc<Offers>,
    values: BTreeMap<FieldId, String>,
    /// The settings that the form began with.
    pub(super) base: LaneSpec,
}

const KEPT: &str = "a lane keeps its strategy; copy it (c) to compare another";
const NAMED: &str = "records and reports know the lane by its name; copy it (c) to have another";
const BUILT: &str = "the lane's network was built for its losses; copy it (c) to compare others";
const MIXED: &str = "the lane keeps the strategies that it mixes, in their order; copy it (c) to compare others";
const SEEDED: &str = "the weights began from the seed; copy the lane (c) to run another one";

impl LaneForm {
    /// For a lane more, from the workspace's defaults; of the first strategy that is not in `used`.
    pub fn add(offers: &Arc<Offers>, used: &[&str], beside: Option<LaneId>) -> Option<Self> {
        let fresh = offers.strategies.iter().skip(1).find(|offer| !used.contains(&offer.id.as_str()));
        let offer = fresh.or(offers.strategies.get(1)).or(offers.strategies.first())?;
        let nothing = LaneSpec {
            strategy: offer.id.clone(),
            name: None,
            params: BTreeMap::new(),
            of: Vec::new(),
            scope: None,
            guesses: None,
            at_once: None,
            combine: None,
            scaling: None,
            normalise: None,
            clip: None,
            source: None,
            output: None,
            losses: None,
            optimizer: None,
            schedule: None,
            seeds: None,
        };
        let mut form = Self::with(offers, Purpose::Add(beside), nothing.resolved(&offers.defaults));
        form.set(FieldId::Seeds, "0");
        Some(form)
    }

    /// For a lane more that begins as a copy of `lane`.
    pub fn copy(offers: &Arc<Offers>, spec: &LaneSpec, seeds: &[u64], lane: LaneId) -> Option<Self> {
        offers.strategy(&spec.strategy)?;
        let spec = LaneSpec { name: None, ..spec.clone() };
        let mut form = Self::with(offers, Purpose::Add(Some(lane)), spec);
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        form.set(FieldId::Seeds, &seeds.join(","));
        Some(form)
    }

    /// For other settings of lanes that run.
    pub fn change(
        offers: &Arc<Offers>,
        spec: &LaneSpec,
        lanes: Vec<LaneId>,
        name: &str,
        seeds: &[u64],
    ) -> Option<Self> {
        offers.strategy(&spec.strategy)?;
        let spec = spec.resolved(&offers.defaults);
        let purpose = Purpose::Change { lanes, name: name.to_owned(), before: Box::new(spec.clone()) };
        let mut form = Self::with(offers, purpose, spec);
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        form.set(FieldId::Seeds, &seeds.join(","));
        form.set(FieldId::Name, name);
        form.point(FieldId::Rate);
        Some(form)
    }

    fn with(offers: &Arc<Offers>, purpose: Purpose, spec: LaneSpec) -> Self {
        let mut form = Self {
            purpose,
            focus: FieldId::Strategy,
            cursor: 0,
            offers: Arc::clone(offers),
            values: BTreeMap::new(),
            base: spec,
        };
        form.fill();
        form
    }

    pub(super) fn set(&mut self, id: FieldId, value: &str) {
        self.values.insert(id, value.to_owned());
    }

    /// What stands in a field; empty where nothing was ever put.
    pub fn value(&self, id: &FieldId) -> &str {
        self.values.get(id).map_or("", String::as_str)
    }

    /// Goes to a field, its cursor at the end.
    pub fn point(&mut self, id: FieldId) {
        self.cursor = self.value(&id).chars().count();
        self.focus = id;
    }

    /// Puts `value` into the focused field, the cursor after `cursor` characters. The source of the scalars goes with the strategy, as
    /// long as it is the strategy's own.
    pub fn write(&mut self, value: String, cursor: usize) {
        self.cursor = cursor.min(value.chars().count());
        let own = |form: &Self| form.offer().map(|offer| offer.source);
        let before = own(self).filter(|source| self.value(&FieldId::Source) == words_of(*source).0);
        self.values.insert(self.focus.clone(), value);
        if let (FieldId::Strategy, Some(before), Some(after)) = (&self.focus, before, own(self))
            && before != after
        {
            self.set_source(after);
        }
    }

    /// The strategy chosen.
    pub fn offer(&self) -> Option<&Offer> {
        self.offers.strategy(self.value(&FieldId::Strategy))
    }

    /// What the strategy chosen guesses; a mixture that is not filled in yet signals. `None` for the reference.
    pub fn kind(&self) -> Option<GuessKind> {
        let strategy = self.value(&FieldId::Strategy);
        let of = members::read(self.value(&FieldId::Of)).unwrap_or_default();
        let mixture = (strategy == MIXTURE).then_some(GuessKind::Signal);
        self.offers.kind(strategy, &of).or(mixture)
    }

    /// The scope chosen, where the strategy has it; else the one it has by itself.
    pub fn scope(&self, kind: GuessKind) -> Scope {
        let chosen = meaning(SCOPES, self.value(&FieldId::Scope));
        match kind {
            GuessKind::Signal => chosen.unwrap_or(Scope::ExampleLayer),
            _ => chosen.filter(|scope| matches!(scope, Scope::Batch | Scope::Layer)).unwrap_or(Scope::Batch),
        }
    }

    /// Whether guesses may go through the layers a few at a time.
    pub(super) fn has_at_once(&self) -> bool {
        self.kind() == Some(GuessKind::Signal) && self.value(&FieldId::Guesses).trim() != "1"
    }

    /// The lane's settings, and what could not be read.
    fn read(&self) -> (LaneSpec, Vec<(FieldId, String)>) {
        let mut reader = Reader::new(self);
        let kind = self.kind();
        let guessing = matches!(kind, Some(GuessKind::Signal | GuessKind::Weight));
        let signal = kind == Some(GuessKind::Signal);
        let name = self.value(&FieldId::Name).trim().to_owned();
        let source = match self.value(&FieldId::Source) {
            "central" if guessing => ScalarSource::Central(reader.number(FieldId::Difference)),
            "one-sided" if guessing => ScalarSource::OneSided(reader.number(FieldId::Difference)),
            "none" if guessing => ScalarSource::None,
            _ => ScalarSource::Tangent,
        };
        let mut spec = LaneSpec {
            strategy: self.value(&FieldId::Strategy).to_owned(),
            name: (!name.is_empty()).then_some(name),
            params: reader.params(self.offer()),
            of: reader.of(),
            scope: kind.map(|kind| self.scope(kind)),
            guesses: Some(1),
            at_once: None,
            combine: Some(Default::default()),
            scaling: Some(Default::default()),
            normalise: Some(Default::default()),
            clip: None,
            source: Some(ScalarSource::Tangent),
            output: Some(Default::default()),
            losses: Some(reader.losses()),
            optimizer: Some(reader.optimizer()),
            schedule: Some(reader.schedule()),
            seeds: None,
        };
        if guessing {
            spec.guesses = Some(reader.whole(FieldId::Guesses) as usize);
            let some = self.has_at_once() && !self.value(&FieldId::AtOnce).trim().is_empty();
            spec.at_once = some.then(|| reader.whole(FieldId::AtOnce) as usize);
            spec.combine = meaning(COMBINATIONS, self.value(&FieldId::Combine));
            spec.scaling = meaning(SCALINGS, self.value(&FieldId::Scaling));
            spec.source = Some(source);
            let bounded = !self.value(&FieldId::Clip).trim().is_empty();
            spec.clip = bounded.then(|| reader.number(FieldId::Clip));
        }
        if signal {
            spec.normalise = meaning(NORMALISATIONS, self.value(&FieldId::Normalise));
            spec.output = meaning(OUTPUTS, self.value(&FieldId::Output));
        }
        if !guessing
            && self.base.strategy == spec.strategy
            && (kind.is_none() || !matches!(self.purpose, Purpose::Add(_)))
        {
            // Settings that have no meaning for the strategy have no field; they stay what they were.
            let LaneSpec { scope, guesses, at_once, combine, scaling, normalise, clip, source, output, .. } =
                self.base.clone();
            spec = LaneSpec { scope, guesses, at_once, combine, scaling, normalise, clip, source, output, ..spec };
        }
        if let Err(message) = words::seeds(self.value(&FieldId::Seeds)) {
            reader.faults.push((FieldId::Seeds, message));
        }
        (spec, reader.faults)
    }

    /// Everything that is wrong, by field.
    pub fn faults(&self) -> Vec<(FieldId, String)> {
        let (spec, mut faults) = self.read();
        if let Purpose::Change { before, .. } = &self.purpose
            && !spec.of.iter().map(|member| &member.strategy).eq(before.of.iter().map(|member| &member.strategy))
        {
            faults.push((FieldId::Of, MIXED.to_owned()));
        }
        for fault in self.offers.faults(&spec) {
            let id = self.field_of(&fault.field);
            if faults.iter().all(|(other, _)| *other != id) {
                faults.push((id, fault.message));
            }
        }
        let shown: Vec<FieldId> = self.rows().into_iter().map(|field| field.id).collect();
        faults.retain(|(id, _)| shown.contains(id));
        faults
    }

    /// The form's field for a lane's field.
    fn field_of(&self, path: &str) -> FieldId {
        match path {
            "scope" => FieldId::Scope,
            "guesses" => FieldId::Guesses,
            "at_once" => FieldId::AtOnce,
            "combine" => FieldId::Combine,
            "scaling" => FieldId::Scaling,
            "normalise" => FieldId::Normalise,
            "clip" => FieldId::Clip,
            "source" => FieldId::Difference,
            "output" => FieldId::Output,
            "losses" => match self.value(&FieldId::Losses) {
                "local" => FieldId::Groups,
                _ => FieldId::Losses,
            },
            "optimizer.lr" => FieldId::Rate,
            "optimizer.momentum" => FieldId::Momentum,
            "optimizer.nesterov" => FieldId::Nesterov,
            "optimizer.weight_decay" => FieldId::WeightDecay,
            "optimizer.beta1" => FieldId::Beta1,
            "optimizer.beta2" => FieldId::Beta2,
            "optimizer.epsilon" => FieldId::Epsilon,
            "schedule.every" => FieldId::Every,
            "schedule.factor" => FieldId::Factor,
            "schedule.warm_up" | "schedule.steps" => FieldId::WarmUp,
            "schedule.floor" => FieldId::Floor,
            other => match other.strip_prefix("params.") {
                Some(key) => self.param(key),
                None if other == "of" || other.starts_with("of[") => FieldId::Of,
                None => FieldId::Strategy,
            },
        }
    }

    /// The field of a parameter of the strategy chosen.
    pub(super) fn param(&self, key: &str) -> FieldId {
        FieldId::Param { strategy: self.value(&FieldId::Strategy).to_owned(), key: key.to_owned() }
    }

    /// The fields to show, with what is wrong.
    pub fn fields(&self) -> Vec<Field> {
        let faults = self.faults();
        let mut rows = self.rows();
        for field in &mut rows {
            field.fault = faults.iter().find(|(id, _)| *id == field.id).map(|(_, message)| message.clone());
        }
        rows
    }

    fn rows(&self) -> Vec<Field> {
        super::rows::rows(self)
    }

    /// The strategies on offer.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// A parameter as text: what was typed, else its default.
    pub fn param_value(&self, spec: &ParamSpec) -> String {
        let id = self.param(&spec.key);
        match self.values.get(&id) {
            Some(value) => value.clone(),
            None => match spec.default_value() {
                crate::strategy::Value::Choice(text) | crate::strategy::Value::Text(text) => text,
                other => other.to_string(),
            },
        }
    }

    /// The commands that the form comes to.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn commands(&self) -> Result<Vec<Command>, FieldId> {
        if let Some((id, _)) = self.faults().into_iter().next() {
            return Err(id);
        }
        let (spec, _) = self.read();
        match &self.purpose {
            Purpose::Add(beside) => {
                let seeds = words::seeds(self.value(&FieldId::Seeds)).map_err(|_| FieldId::Seeds)?;
                let one = |seed| Box::new(LaneSpec { seeds: Some(vec![seed]), ..spec.clone() });
                let lane = |seed| Command::Add(one(seed), *beside);
                Ok(seeds.into_iter().map(lane).collect())
            }
            Purpose::Change { lanes, before, .. } => {
                let spec = LaneSpec { name: before.name.clone(), seeds: before.seeds.clone(), ..spec };
                Ok(lanes.iter().map(|lane| Command::Retune(*lane, Box::new(spec.clone()))).collect())
            }
        }
    }

    /// What the form changes, in words; empty when nothing.
    pub fn changes(&self) -> Vec<String> {
        let Purpose::Change { before, .. } = &self.purpose else { return Vec::new() };
        let mut before = LaneSpec::clone(before);
        let (after, _) = self.read();
        // A parameter that was left out has its default.
        for (key, value) in &after.params {
            before.params.entry(key.clone()).or_insert_with(|| self.default_of(key).unwrap_or_else(|| value.clone()));
        }
        crate::workspace::differences(&before, &after).iter().map(ToString::to_string).collect()
    }

    /// A parameter's default.
    pub(super) fn default_of(&self, key: &str) -> Option<ParamValue> {
        let spec = self.offer()?.params.iter().find(|spec| spec.key == key)?;
        Some(match spec.default_value() {
            crate::strategy::Value::Int(value) => ParamValue::Int(value),
            crate::strategy::Value::Float(value) => ParamValue::Float(value),
            crate::strategy::Value::Bool(value) => ParamValue::Bool(value),
            crate::strategy::Value::Choice(text) | crate::strategy::Value::Text(text) => ParamValue::Text(text),
        })
    }

    /// Why a field cannot be changed.
    pub fn locked(&self, id: &FieldId) -> Option<&'static str> {
        match (&self.purpose, id) {
            (Purpose::Add(_), _) => None,
            (_, FieldId::Strategy) => Some(KEPT),
            (_, FieldId::Name) => Some(NAMED),
            (_, FieldId::Seeds) => Some(SEEDED),
            (_, FieldId::Losses | FieldId::Borders | FieldId::Patches | FieldId::Groups | FieldId::Aggregate) => {
                Some(BUILT)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::Source;
    use crate::tui::synthetic::Synthetic;

    #[test]
    fn the_source_of_the_scalars_goes_with_the_strategy_until_it_is_chosen() {
        let mut offers = Offers::clone(&Synthetic::new(1, 40, 100, false).snapshot().offers);
        let noise = "activity-perturbation";
        offers.strategies.iter_mut().find(|offer| offer.id == noise).unwrap().source = ScalarSource::Central(0.5);
        let mut form = LaneForm::add(&Arc::new(offers), &[], None).unwrap();
        let mut choose = |id: FieldId, word: &str| {
            form.point(id);
            form.write(word.to_owned(), 0);
            form.read().0.source
        };
        assert_eq!(choose(FieldId::Strategy, noise), Some(ScalarSource::Central(0.5)));
        assert_eq!(choose(FieldId::Strategy, "weight-transpose"), Some(ScalarSource::Tangent));
        assert_eq!(choose(FieldId::Source, "none"), Some(ScalarSource::None));
        assert_eq!(choose(FieldId::Strategy, noise), Some(ScalarSource::None));
        assert_eq!(choose(FieldId::Source, "one-sided"), Some(ScalarSource::OneSided(0.001)));
    }
}
