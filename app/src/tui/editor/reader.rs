//! What the fields of a lane's form say, read as settings.
#![forbid(unsafe_code)]

use super::field::FieldId;
use super::lane::LaneForm;
use super::words::{BORDERS, meaning};
use crate::session::offer::Offer;
use crate::strategy::ParamKind;
use crate::workspace::{LossesSpec, MIXTURE, MemberSpec, OptimizerSpec, ParamValue, ScheduleSpec, members};
use std::collections::BTreeMap;

/// Reads fields, noting what cannot be read.
pub(super) struct Reader<'a> {
    form: &'a LaneForm,
    /// What could not be read.
    pub faults: Vec<(FieldId, String)>,
}

impl<'a> Reader<'a> {
    /// Of the fields of `form`.
    pub fn new(form: &'a LaneForm) -> Self {
        Self { form, faults: Vec::new() }
    }

    pub fn number(&mut self, id: FieldId) -> f64 {
        match self.form.value(&id).trim().parse::<f64>() {
            Ok(value) if value.is_finite() => value,
            _ => {
                self.faults.push((id, "expected a number".to_owned()));
                1.0
            }
        }
    }

    pub fn whole(&mut self, id: FieldId) -> u64 {
        match self.form.value(&id).trim().parse::<u64>() {
            Ok(value) => value,
            Err(_) => {
                self.faults.push((id, "expected a whole number".to_owned()));
                1
            }
        }
    }

    /// What a mixture adds; nothing where the lane is none.
    pub fn of(&mut self) -> Vec<MemberSpec> {
        if self.form.value(&FieldId::Strategy) != MIXTURE {
            return Vec::new();
        }
        match members::read(self.form.value(&FieldId::Of)) {
            Ok(of) => of,
            Err(message) => {
                self.faults.push((FieldId::Of, message));
                self.form.base.of.clone()
            }
        }
    }

    pub fn losses(&mut self) -> LossesSpec {
        match self.form.value(&FieldId::Losses) {
            "local" => LossesSpec::Local {
                greedy: meaning(BORDERS, self.form.value(&FieldId::Borders)).unwrap_or(true),
                patches: self.form.value(&FieldId::Patches) == "true",
                groups: self.whole(FieldId::Groups) as usize,
                aggregate: self.form.value(&FieldId::Aggregate) == "true",
            },
            _ => LossesSpec::Global,
        }
    }

    pub fn optimizer(&mut self) -> OptimizerSpec {
        let lr = self.number(FieldId::Rate);
        match self.form.value(&FieldId::Optimizer) {
            "adam" => OptimizerSpec::Adam {
                lr,
                beta1: self.number(FieldId::Beta1),
                beta2: self.number(FieldId::Beta2),
                epsilon: self.number(FieldId::Epsilon),
            },
            "adamw" => OptimizerSpec::AdamW {
                lr,
                beta1: self.number(FieldId::Beta1),
                beta2: self.number(FieldId::Beta2),
                epsilon: self.number(FieldId::Epsilon),
                weight_decay: self.number(FieldId::WeightDecay),
            },
            _ => OptimizerSpec::Sgd {
                lr,
                momentum: self.number(FieldId::Momentum),
                nesterov: self.form.value(&FieldId::Nesterov) == "true",
                weight_decay: self.number(FieldId::WeightDecay),
            },
        }
    }

    pub fn schedule(&mut self) -> ScheduleSpec {
        match self.form.value(&FieldId::Schedule) {
            "step" => ScheduleSpec::Step { every: self.whole(FieldId::Every), factor: self.number(FieldId::Factor) },
            "cosine" => {
                ScheduleSpec::Cosine { warm_up: self.whole(FieldId::WarmUp), floor: self.number(FieldId::Floor) }
            }
            "exponential" => ScheduleSpec::Exponential { factor: self.number(FieldId::Factor) },
            "warm_up" => ScheduleSpec::WarmUp { steps: self.whole(FieldId::WarmUp) },
            _ => ScheduleSpec::Constant,
        }
    }

    /// The parameters that differ from their defaults or were given before.
    pub fn params(&mut self, offer: Option<&Offer>) -> BTreeMap<String, ParamValue> {
        let mut params = BTreeMap::new();
        for spec in offer.into_iter().flat_map(|offer| &offer.params) {
            let id = self.form.param(&spec.key);
            let text = self.form.param_value(spec);
            let value = match spec.kind {
                ParamKind::Int { .. } => text.trim().parse().ok().map(ParamValue::Int),
                ParamKind::Float { .. } => text.trim().parse().ok().map(ParamValue::Float),
                ParamKind::Bool { .. } => text.trim().parse().ok().map(ParamValue::Bool),
                ParamKind::Choice { .. } | ParamKind::Text { .. } => Some(ParamValue::Text(text)),
            };
            let given = self.form.base.strategy == self.form.value(&FieldId::Strategy)
                && self.form.base.params.contains_key(&spec.key);
            match value {
                Some(value) if given || Some(&value) != self.form.default_of(&spec.key).as_ref() => {
                    params.insert(spec.key.clone(), value);
                }
                Some(_) => {}
                None => self.faults.push((id, format!("expected {}", spec.expected()))),
            }
        }
        params
    }
}
