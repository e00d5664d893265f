//! What a filter may ask of a lane, from its settings, its figures and its end: the one answer for screen, session and batch.
#![forbid(unsafe_code)]

use super::summary::Figure;
use super::{EndReason, LaneInfo};
use crate::filter::{Facts, Numeric, State, Wordy};
use crate::workspace::{BACKPROP, GuessScaling, Normalise, OptimizerSpec, ParamValue, ScheduleSpec, Scope};

/// A lane as a filter sees it.
pub struct LaneFacts<'a, F> {
    /// Its settings.
    pub info: &'a LaneInfo,
    /// Steps taken.
    pub steps: u64,
    /// Why it ended, when it has.
    pub ended: Option<&'a EndReason>,
    /// Its results, asked for only where the filter needs one.
    pub figure: F,
}

impl<F: Fn(Figure) -> Option<f64>> Facts for LaneFacts<'_, F> {
    fn word(&self, field: Wordy) -> Option<String> {
        let spec = &self.info.spec;
        let word = match field {
            Wordy::Name => return Some(self.info.name.clone()),
            Wordy::Strategy => return Some(spec.strategy.clone()),
            Wordy::Kind if spec.strategy == BACKPROP => "reference",
            Wordy::Kind => return Some(self.info.card.kind.clone()),
            Wordy::Scope => match self.info.scope? {
                Scope::Batch => "batch",
                Scope::Layer => "layer",
                Scope::Example => "example",
                Scope::ExampleLayer => "example_layer",
            },
            Wordy::Optimizer => match spec.optimizer? {
                OptimizerSpec::Sgd { .. } => "sgd",
                OptimizerSpec::Adam { .. } => "adam",
                OptimizerSpec::AdamW { .. } => "adamw",
            },
            Wordy::Schedule => match spec.schedule? {
                ScheduleSpec::Constant => "constant",
                ScheduleSpec::Step { .. } => "step",
                ScheduleSpec::Cosine { .. } => "cosine",
                ScheduleSpec::Exponential { .. } => "exponential",
                ScheduleSpec::WarmUp { .. } => "warm_up",
            },
            Wordy::Scaling => match spec.scaling? {
                GuessScaling::Raw => "raw",
                GuessScaling::Unit => "unit",
            },
            Wordy::Normalise => match spec.normalise? {
                Normalise::None => "none",
                Normalise::Row => "row",
                Normalise::Batch => "batch",
            },
            Wordy::End => self.ended.map_or("running", EndReason::word),
        };
        Some(word.to_owned())
    }

    fn number(&self, field: &Numeric) -> Option<f64> {
        let figure = match field {
            Numeric::Rate => return Some(self.info.spec.optimizer?.lr()),
            Numeric::Seed => return Some(self.info.seed as f64),
            Numeric::Steps => return Some(self.steps as f64),
            Numeric::Guesses => return self.info.spec.guesses.map(|guesses| guesses as f64),
            Numeric::Param(key) => {
                return match self.info.spec.params.get(key)? {
                    ParamValue::Int(value) => Some(*value as f64),
                    ParamValue::Float(value) => Some(*value),
                    ParamValue::Bool(value) => Some(f64::from(u8::from(*value))),
                    ParamValue::Text(_) => None,
                };
            }
            Numeric::Loss => Figure::TrainLoss,
            Numeric::Accuracy => Figure::TrainAccuracy,
            Numeric::TestLoss => Figure::TestLoss,
            Numeric::TestAccuracy => Figure::TestAccuracy,
            Numeric::BestTestAccuracy => Figure::BestTestAccuracy,
            Numeric::ValidationLoss => Figure::ValidationLoss,
            Numeric::ValidationAccuracy => Figure::ValidationAccuracy,
            Numeric::MeanCosine => Figure::MeanCosine,
        };
        (self.figure)(figure)
    }

    fn is(&self, state: State) -> bool {
        match state {
            State::Running => self.ended.is_none(),
            State::Ended => self.ended.is_some(),
            State::Done => matches!(self.ended, Some(EndReason::Done)),
            State::Diverged => matches!(self.ended, Some(EndReason::Diverged(_))),
            State::Failed => matches!(self.ended, Some(EndReason::Plugin(_) | EndReason::Failed(_))),
            State::Dropped => matches!(self.ended, Some(EndReason::Dropped)),
            State::Trial => self.info.trial,
            State::Backprop => self.info.spec.strategy == BACKPROP,
        }
    }
}
