//! What a filter may ask of a lane's settings, before it has run.

use super::{BACKPROP, Combine, GuessScaling, LaneSpec, Normalise, OptimizerSpec, ParamValue, ScheduleSpec, Scope};
use crate::filter::{Asked, Facts, Filter, FilterError, Numeric, State, Wordy};

/// A run of the grid as a filter sees it. Only what the workspace says is known: not whether it diverges, nor a figure.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its settings.
    pub spec: &'a LaneSpec,
    /// Its scope: that of the settings, or the one it runs at where that is known.
    pub scope: Option<Scope>,
    /// Its seed.
    pub seed: u64,
}

impl Facts for Settings<'_> {
    fn word(&self, field: Wordy) -> Option<String> {
        let spec = self.spec;
        let word = match field {
            Wordy::Name => return Some(self.name.to_owned()),
            Wordy::Strategy => return Some(spec.strategy.clone()),
            Wordy::Scope => match self.scope? {
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
            Wordy::Combine => match spec.combine? {
                Combine::Mean => "mean",
                Combine::Span => "span",
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
            Wordy::Kind | Wordy::End => return None,
        };
        Some(word.to_owned())
    }

    fn number(&self, field: &Numeric) -> Option<f64> {
        match field {
            Numeric::Rate => Some(self.spec.optimizer?.lr()),
            Numeric::Seed => Some(self.seed as f64),
            Numeric::Guesses => self.spec.guesses.map(|guesses| guesses as f64),
            Numeric::Param(key) => match self.spec.params.get(key)? {
                ParamValue::Int(value) => Some(*value as f64),
                ParamValue::Float(value) => Some(*value),
                ParamValue::Bool(value) => Some(f64::from(u8::from(*value))),
                ParamValue::Text(_) => None,
            },
            _ => None,
        }
    }

    fn is(&self, state: State) -> bool {
        state == State::Backprop && self.spec.strategy == BACKPROP
    }
}

/// Reads a filter of `exclude`; what is wrong with it, when it is none or asks for what only a run tells.
pub(super) fn exclusion(text: &str) -> Result<Filter, String> {
    let filter = crate::filter::parse(text).map_err(|error: FilterError| error.to_string())?;
    let asks = filter.asks();
    if asks.is_empty() {
        return Err("an empty filter would leave out every run".into());
    }
    let late = asks.iter().find_map(|asked| match asked {
        Asked::Word(word @ (Wordy::Kind | Wordy::End)) => Some(word.name().to_owned()),
        Asked::Number(Numeric::Rate | Numeric::Seed | Numeric::Guesses | Numeric::Param(_)) => None,
        Asked::Number(number) => Some(number.name()),
        Asked::State(state) if *state != State::Backprop => Some(state.name().to_owned()),
        _ => None,
    });
    match late {
        Some(name) => Err(format!("`{name}` is not known before a run; only settings can be asked for here")),
        None => Ok(filter),
    }
}
