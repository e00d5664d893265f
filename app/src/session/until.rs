//! Running on to something and pausing there: a step, or a target that a lane meets.
#![forbid(unsafe_code)]

use super::protocol::Until;
use super::trainer::Trainer;
use crate::filter::Filter;
use crate::record::{LaneId, Level, Message};

impl Trainer {
    /// Begins to run on to `until`; false, with the reason told, when there is nothing to run or it is passed already.
    pub(super) fn run_until(&mut self, until: Until) -> bool {
        let Some(taken) = self.active.iter().map(super::lane::Lane::steps_taken).max() else {
            self.refuse(None, "no lane is running; a reset starts them anew".to_owned());
            return false;
        };
        if let Until::Step(step) = until
            && step <= taken
        {
            self.refuse(None, format!("step {step} is passed already: the first lane has taken {taken}"));
            return false;
        }
        self.met = match &until {
            Until::Meets(filter) => self.meeting(filter),
            Until::Step(_) => Vec::new(),
        };
        (self.paused, self.steps_left, self.until) = (false, None, Some(until));
        self.rate.restart();
        true
    }

    /// Pauses where what the run goes on to is reached. A lane that met the target when it was set is waited for no longer: the
    /// next one counts.
    pub(super) fn look_out(&mut self) {
        let Some(until) = &self.until else { return };
        let (lane, text) = match until {
            Until::Step(step) => {
                if !self.active.iter().any(|lane| lane.steps_taken() >= *step) {
                    return;
                }
                (None, format!("paused at step {step}"))
            }
            Until::Meets(filter) => {
                let text = filter.to_string();
                let meeting = self.meeting(filter);
                let new = meeting.iter().find(|lane| !self.met.contains(lane)).copied();
                self.met = meeting;
                let Some(id) = new else { return };
                let name = self.views.iter().find(|view| view.info.lane == id).map(|view| view.info.name.clone());
                (Some(id), format!("paused: {} meets {text}", name.unwrap_or_default()))
            }
        };
        let step = lane.and_then(|id| self.views.iter().find(|view| view.info.lane == id)).map(|view| view.step);
        (self.paused, self.until) = (true, None);
        self.say(Message { lane, step, level: Level::Info, text });
    }

    /// The lanes that meet `filter`.
    fn meeting(&self, filter: &Filter) -> Vec<LaneId> {
        let tally = self.tally.lock();
        self.views.iter().map(|view| view.info.lane).filter(|lane| tally.meets(*lane, filter)).collect()
    }
}
