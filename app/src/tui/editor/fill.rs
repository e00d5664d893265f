//! Settings as they stand in the fields of a lane's form.
#![forbid(unsafe_code)]

use super::field::FieldId;
use super::lane::LaneForm;
use super::words::{self, BORDERS, COMBINATIONS, NORMALISATIONS, OUTPUTS, SCALINGS, SCOPES, number, word};
use crate::workspace::{LossesSpec, OptimizerSpec, ParamValue, ScalarSource, ScheduleSpec, members};

/// A source of scalars as the form writes it, and the step of its differences.
pub(super) fn words_of(source: ScalarSource) -> (&'static str, f64) {
    match source {
        ScalarSource::Tangent => ("tangent", 1e-3),
        ScalarSource::Central(step) => ("central", step),
        ScalarSource::OneSided(step) => ("one-sided", step),
        ScalarSource::None => ("none", 1e-3),
    }
}

impl LaneForm {
    /// Puts the settings of `base` into the fields.
    pub(super) fn fill(&mut self) {
        let spec = self.base.clone();
        self.set(FieldId::Strategy, &spec.strategy);
        self.set(FieldId::Of, &if spec.of.is_empty() { String::new() } else { members::text(&spec.of) });
        self.set(FieldId::Scope, &spec.scope.map_or(String::new(), |scope| word(SCOPES, &scope)));
        self.set(FieldId::Guesses, &spec.guesses.unwrap_or(1).to_string());
        self.set(FieldId::AtOnce, &spec.at_once.map_or(String::new(), |count| count.to_string()));
        self.set(FieldId::Combine, &word(COMBINATIONS, &spec.combine.unwrap_or_default()));
        self.set(FieldId::Scaling, &word(SCALINGS, &spec.scaling.unwrap_or_default()));
        self.set(FieldId::Normalise, &word(NORMALISATIONS, &spec.normalise.unwrap_or_default()));
        self.set(FieldId::Clip, &spec.clip.map_or(String::new(), number));
        self.set_source(spec.source.or_else(|| Some(self.offer()?.source)).unwrap_or_default());
        self.set(FieldId::Output, &word(OUTPUTS, &spec.output.unwrap_or_default()));
        self.fill_losses(spec.losses.unwrap_or_default());
        self.fill_optimizer(spec.optimizer.unwrap_or_default());
        self.fill_schedule(spec.schedule.unwrap_or_default());
        for (key, value) in &spec.params {
            let id = FieldId::Param { strategy: spec.strategy.clone(), key: key.clone() };
            self.set(id, &written(value));
        }
    }

    fn fill_losses(&mut self, losses: LossesSpec) {
        let (word, greedy, patches, groups, aggregate) = match losses {
            LossesSpec::Global => ("global", true, false, 1, true),
            LossesSpec::Local { greedy, patches, groups, aggregate } => ("local", greedy, patches, groups, aggregate),
        };
        self.set(FieldId::Losses, word);
        self.set(FieldId::Borders, &words::word(BORDERS, &greedy));
        self.set(FieldId::Patches, &patches.to_string());
        self.set(FieldId::Groups, &groups.to_string());
        self.set(FieldId::Aggregate, &aggregate.to_string());
    }

    fn fill_optimizer(&mut self, optimizer: OptimizerSpec) {
        let (mut sgd, mut adam) = ((0.0, false, 0.0), (0.9, 0.999, 1e-8));
        let word = match optimizer {
            OptimizerSpec::Sgd { momentum, nesterov, weight_decay, .. } => {
                sgd = (momentum, nesterov, weight_decay);
                "sgd"
            }
            OptimizerSpec::Adam { beta1, beta2, epsilon, .. } => {
                adam = (beta1, beta2, epsilon);
                "adam"
            }
            OptimizerSpec::AdamW { beta1, beta2, epsilon, weight_decay, .. } => {
                adam = (beta1, beta2, epsilon);
                sgd.2 = weight_decay;
                "adamw"
            }
        };
        self.set(FieldId::Optimizer, word);
        self.set(FieldId::Rate, &number(optimizer.lr()));
        self.set(FieldId::Momentum, &number(sgd.0));
        self.set(FieldId::Nesterov, if sgd.1 { "true" } else { "false" });
        self.set(FieldId::WeightDecay, &number(sgd.2));
        self.set(FieldId::Beta1, &number(adam.0));
        self.set(FieldId::Beta2, &number(adam.1));
        self.set(FieldId::Epsilon, &number(adam.2));
    }

    fn fill_schedule(&mut self, schedule: ScheduleSpec) {
        let (mut every, mut factor, mut warm_up, mut floor) = (100, 0.5, 100, 0.0);
        let word = match schedule {
            ScheduleSpec::Constant => "constant",
            ScheduleSpec::Step { every: steps, factor: times } => {
                (every, factor) = (steps, times);
                "step"
            }
            ScheduleSpec::Cosine { warm_up: rise, floor: end } => {
                (warm_up, floor) = (rise, end);
                "cosine"
            }
            ScheduleSpec::Exponential { factor: times } => {
                factor = times;
                "exponential"
            }
            ScheduleSpec::WarmUp { steps } => {
                warm_up = steps;
                "warm_up"
            }
        };
        self.set(FieldId::Schedule, word);
        self.set(FieldId::Every, &every.to_string());
        self.set(FieldId::Factor, &number(factor));
        self.set(FieldId::WarmUp, &warm_up.to_string());
        self.set(FieldId::Floor, &number(floor));
    }

    /// The source of scalars, with the step of its differences.
    pub(super) fn set_source(&mut self, source: ScalarSource) {
        let (word, step) = words_of(source);
        self.set(FieldId::Source, word);
        self.set(FieldId::Difference, &number(step));
    }
}

/// A value of a parameter as it is typed.
fn written(value: &ParamValue) -> String {
    match value {
        ParamValue::Bool(value) => value.to_string(),
        ParamValue::Int(value) => value.to_string(),
        ParamValue::Float(value) => number(*value),
        ParamValue::Text(value) => value.clone(),
    }
}
