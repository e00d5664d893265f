//! A run as its records tell it: its lanes with all their series, and what was said.
//!
//! What a resumed session begins with, and what an opened or watched run shows.
#![forbid(unsafe_code)]

use super::history::{LaneHistory, Spill};
use super::messages::Messages;
use super::protocol::LaneView;
use crate::record::follow::{Follow, Next};
use crate::record::read::{ReadError, Record};
use crate::record::{
    Key, LaneChange, LaneEnd, LaneId, LaneInfo, Message, Observer, Quantity, StageSeconds, StepReport,
};
use std::path::Path;
use std::sync::Arc;

/// A run so far.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) lanes: Vec<LaneView>,
    pub(super) messages: Messages,
    /// Whether the run was cut off, once its summary says so or the contrary.
    pub(super) interrupted: Option<bool>,
    spill: Arc<Spill>,
}

impl Past {
    /// Nothing yet; values that leave memory go to `spill`.
    pub(super) fn within(spill: &Arc<Spill>) -> Self {
        Self { spill: Arc::clone(spill), ..Self::default() }
    }

    /// What the records of `path` tell; nothing of a file that is not there.
    pub(super) fn read(path: &Path, spill: &Arc<Spill>) -> Result<Self, ReadError> {
        let (mut follow, mut past) = (Follow::new(path), Self::within(spill));
        loop {
            match follow.advance()? {
                Next::Record(record) => past.hear(&record),
                Next::Anew => past = Self::within(spill),
                Next::Nothing => return Ok(past),
            }
        }
    }

    /// Takes in one record.
    pub(super) fn hear(&mut self, record: &Record) {
        // What follows a summary belongs to a run that went on.
        self.interrupted = match record {
            Record::Summary(summary) => Some(summary.interrupted),
            _ => None,
        };
        record.tell(self);
    }

    /// Takes out the lane of that number.
    pub(super) fn take(&mut self, lane: LaneId) -> Option<LaneView> {
        let place = self.lanes.iter().position(|view| view.info.lane == lane)?;
        Some(self.lanes.remove(place))
    }

    fn lane(&mut self, lane: LaneId) -> Option<&mut LaneView> {
        self.lanes.iter_mut().find(|view| view.info.lane == lane)
    }
}

impl Observer for Past {
    fn lane_started(&mut self, info: &LaneInfo) {
        let view = LaneView {
            info: Arc::new(info.clone()),
            step: 0,
            ended: None,
            seconds: StageSeconds::default(),
            history: Arc::new(LaneHistory::within(&self.spill)),
        };
        match self.lane(info.lane) {
            Some(place) => *place = view,
            None => self.lanes.push(view),
        }
    }

    fn step(&mut self, report: &StepReport) {
        let Some(view) = self.lane(report.lane) else { return };
        view.history.push(report);
        // What is measured after the last step has the number of the steps taken, and no loss of a batch.
        let taken = u64::from(report.get(Key::whole(Quantity::Loss)).is_some());
        view.step = view.step.max(report.step + taken);
        view.ended = None;
        let (sum, more) = (&mut view.seconds, &report.seconds);
        sum.forward += more.forward;
        sum.guess += more.guess;
        sum.tangent += more.tangent;
        sum.update += more.update;
        sum.measure += more.measure;
    }

    fn lane_changed(&mut self, change: &LaneChange) {
        if let Some(view) = self.lane(change.lane) {
            let words: Vec<String> = change.changes.iter().map(ToString::to_string).collect();
            view.history.mark(change.step, words.join(", "));
            view.history.changed(change.step, &view.info);
            view.info = Arc::new(LaneInfo {
                spec: change.spec.clone(),
                scope: change.scope,
                flop: change.flop,
                ..LaneInfo::clone(&view.info)
            });
        }
    }

    fn lane_ended(&mut self, end: &LaneEnd) {
        if let Some(view) = self.lane(end.lane) {
            view.step = end.steps;
            view.seconds = end.seconds;
            view.ended = Some(end.reason.clone());
        }
    }

    fn message(&mut self, message: &Message) {
        self.messages.push(message.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EndReason;
    use crate::record::jsonl::tests::lane as info;

    fn report(step: u64, loss: Option<f64>) -> StepReport {
        let loss = loss.map(|loss| (Key::whole(Quantity::Loss), loss));
        let values = loss.into_iter().chain([(Key::whole(Quantity::TestLoss), 0.5)]).collect();
        let seconds = StageSeconds { forward: 0.25, ..StageSeconds::default() };
        StepReport { lane: 3, step, values, metrics: Vec::new(), spectra: Vec::new(), seconds }
    }

    #[test]
    fn a_lane_is_told_step_by_step() {
        let mut past = Past::default();
        past.lane_started(&info(3, "x", 0));
        past.step(&report(0, Some(2.0)));
        past.step(&report(1, Some(1.0)));
        assert_eq!((past.lanes[0].step, past.lanes[0].seconds.forward), (2, 0.5));
        past.step(&report(2, None));
        assert_eq!(past.lanes[0].step, 2, "measured after the last step");
        let reason = EndReason::Done;
        past.lane_ended(&LaneEnd { lane: 3, steps: 2, reason, seconds: StageSeconds::default() });
        assert_eq!(past.lanes[0].ended, Some(EndReason::Done));
        let losses = past.lanes[0].history.series(Key::whole(Quantity::Loss)).expect("measured");
        assert_eq!((losses.len(), losses.last()), (2, Some((1, 1.0))));
        past.lane_started(&info(3, "x", 0));
        assert!(past.lanes[0].history.keys().is_empty() && past.lanes.len() == 1, "started anew");
        assert!(past.take(3).is_some() && past.take(3).is_none());
    }
}
