//! What a filter may ask of a lane, from its settings, its figures and its end: the one answer for screen, session and batch.
#![forbid(unsafe_code)]

use super::summary::Figure;
use super::{EndReason, LaneInfo};
use crate::filter::{Facts, Numeric, State, Wordy};
use crate::workspace::{BACKPROP, Settings};

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

impl<F> LaneFacts<'_, F> {
    fn settings(&self) -> Settings<'_> {
        let LaneInfo { name, spec, scope, seed, .. } = self.info;
        Settings { name, spec, scope: *scope, seed: *seed }
    }
}

impl<F: Fn(Figure) -> Option<f64>> Facts for LaneFacts<'_, F> {
    fn word(&self, field: Wordy) -> Option<String> {
        match field {
            Wordy::Kind if self.info.spec.strategy == BACKPROP => Some("reference".to_owned()),
            Wordy::Kind => Some(self.info.card.kind.clone()),
            Wordy::End => Some(self.ended.map_or("running", EndReason::word).to_owned()),
            field => self.settings().word(field),
        }
    }

    fn number(&self, field: &Numeric) -> Option<f64> {
        let figure = match field {
            Numeric::Steps => return Some(self.steps as f64),
            Numeric::Rate | Numeric::Seed | Numeric::Guesses | Numeric::Param(_) => {
                return self.settings().number(field);
            }
            Numeric::Loss => Figure::TrainLoss,
            Numeric::Accuracy => Figure::TrainAccuracy,
            Numeric::TestLoss => Figure::TestLoss,
            Numeric::TestAccuracy => Figure::TestAccuracy,
            Numeric::BestTestAccuracy => Figure::BestTestAccuracy,
            Numeric::ValidationLoss => Figure::ValidationLoss,
            Numeric::ValidationAccuracy => Figure::ValidationAccuracy,
            Numeric::GeneralisationGap => Figure::GeneralisationGap,
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
            State::Backprop => self.settings().is(state),
        }
    }
}
