//! A round: one step of every active lane, what follows from it, and the end of a lane.
#![forbid(unsafe_code)]

use super::SessionError;
use super::failure::LaneFailure;
use super::lane::Lane;
use super::trainer::{Trainer, panic_text};
use crate::data::Batch;
use crate::kernel;
use crate::options::OnPluginError;
use crate::record::{EndReason, LaneEnd, LaneId, Level, Message, StepReport};
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Time between checkpoints of a running lane.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(20);

impl Trainer {
    /// One step of every active lane.
    pub(super) fn round(&mut self) -> Result<(), SessionError> {
        let mut batches: Vec<((usize, u64), Batch)> = Vec::with_capacity(1);
        for lane in &self.active {
            let key = (lane.plan().problem, lane.steps_taken());
            if !batches.iter().any(|(known, _)| *known == key) {
                batches.push((key, self.batches[key.0].batch(key.1)?));
            }
        }
        let shared = &self.shared;
        let step = |lane: &mut Lane| -> Result<StepReport, LaneFailure> {
            let key = (lane.plan().problem, lane.steps_taken());
            let Some((_, batch)) = batches.iter().find(|(known, _)| *known == key) else {
                return Err(LaneFailure::engine("the round has no batch for this step"));
            };
            match catch_unwind(AssertUnwindSafe(|| lane.step(batch, &shared[key.0].data))) {
                Ok(result) => result,
                Err(panic) => Err(LaneFailure::engine(&format!("internal error: {}", panic_text(&*panic)))),
            }
        };
        let active = self.active.as_mut_slice();
        let results: Vec<Result<StepReport, LaneFailure>> = kernel::attended(|| match active {
            [only] => vec![step(only)],
            lanes => lanes.par_iter_mut().map(step).collect(),
        });
        let mut ended = Vec::new();
        for (place, result) in results.into_iter().enumerate() {
            for message in self.active[place].take_messages() {
                self.say(message);
            }
            let lane = &self.active[place];
            let id = lane.info().lane;
            match result {
                Ok(report) => {
                    self.observers.iter_mut().for_each(|observer| observer.step(&report));
                    if let Some(view) = self.views.iter_mut().find(|view| view.info.lane == id) {
                        if self.experiment.history {
                            view.history.push(&report);
                        }
                        view.step = lane.steps_taken();
                        view.seconds = lane.seconds();
                    }
                    let met = self.stop.as_ref().filter(|stop| self.tally.lock().meets(id, stop));
                    if let Some(stop) = met {
                        ended.push((id, EndReason::Target(stop.to_string())));
                    } else if lane.steps_taken() >= lane.steps() {
                        ended.push((id, EndReason::Done));
                    } else if let Some(what) = lane.spent_out() {
                        ended.push((id, EndReason::Budget(what.to_owned())));
                    }
                }
                // The step was not taken; the command to stop is on its way.
                Err(failure) if failure.reason == EndReason::Interrupted => self.active[place].tear(),
                Err(failure) => {
                    let level = Level::Error;
                    let text = failure.to_string();
                    let step = Some(lane.steps_taken());
                    self.say(Message { lane: Some(id), step, level, text });
                    let plugin = matches!(failure.reason, EndReason::Plugin(_));
                    self.untrusted |= failure.fatal;
                    if failure.fatal || (plugin && self.experiment.on_plugin_error == OnPluginError::Abort) {
                        self.failed = true;
                    }
                    let skip = failure.again && self.experiment.on_plugin_error == OnPluginError::Skip;
                    if skip && self.active[place].skip() < self.active[place].steps() {
                        continue;
                    }
                    ended.push((id, if skip { EndReason::Done } else { failure.reason }));
                }
            }
        }
        for (id, reason) in ended {
            self.end_lane(id, reason);
        }
        if self.out_of_time() {
            for id in self.active.iter().map(|lane| lane.info().lane).collect::<Vec<_>>() {
                self.end_lane(id, EndReason::OutOfTime);
            }
            self.waiting.clear();
            self.tuning = None;
        }
        self.observers.iter_mut().for_each(|observer| observer.flush());
        if let Some(failure) = self.spill.failure().filter(|_| !self.spill_failed) {
            let text = failure.to_owned();
            self.spill_failed = true;
            self.say(Message { lane: None, step: None, level: Level::Warn, text });
        }
        self.rate.count();
        self.look_out();
        if let Some(left) = &mut self.steps_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                (self.paused, self.steps_left) = (true, None);
            }
        }
        if std::mem::take(&mut self.stale) || self.checkpointed.elapsed() > CHECKPOINT_EVERY {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn out_of_time(&self) -> bool {
        self.experiment.workspace.seconds.is_some_and(|limit| self.started.elapsed().as_secs_f64() >= limit)
    }

    /// Ends an active lane: last measurements, record, checkpoint.
    pub(super) fn end_lane(&mut self, id: LaneId, reason: EndReason) {
        let Some(place) = self.active.iter().position(|lane| lane.info().lane == id) else { return };
        let mut lane = self.active.remove(place);
        // A reset starts it with the settings it ended with.
        if let Some(plan) = self.plans.iter_mut().find(|plan| plan.lane == id) {
            *plan = lane.plan().clone();
        }
        let measured = [EndReason::Done, EndReason::OutOfTime].contains(&reason);
        if measured || matches!(reason, EndReason::Target(_) | EndReason::Budget(_)) {
            match catch_unwind(AssertUnwindSafe(|| lane.last_report(&self.shared[lane.plan().problem].data))) {
                Ok(Ok(report)) => {
                    self.observers.iter_mut().for_each(|observer| observer.step(&report));
                    if self.experiment.history
                        && let Some(view) = self.views.iter().find(|view| view.info.lane == id)
                    {
                        view.history.push(&report);
                    }
                }
                Ok(Err(failure)) => {
                    let text = failure.to_string();
                    self.say(Message { lane: Some(id), step: Some(lane.steps_taken()), level: Level::Error, text });
                }
                Err(panic) => {
                    let text = format!("internal error: {}", panic_text(&*panic));
                    self.say(Message { lane: Some(id), step: Some(lane.steps_taken()), level: Level::Error, text });
                }
            }
        }
        if let Some(tuning) = &mut self.tuning {
            tuning.ended(id, lane.last_validation(), &reason);
        }
        let end = LaneEnd { lane: id, steps: lane.steps_taken(), reason: reason.clone(), seconds: lane.seconds() };
        self.observers.iter_mut().for_each(|observer| observer.lane_ended(&end));
        if let Some(view) = self.views.iter_mut().find(|view| view.info.lane == id) {
            view.ended = Some(reason.clone());
            view.seconds = lane.seconds();
        }
        if let Some(folder) = &self.experiment.checkpoints
            && !self.untrusted
        {
            // Records first: they may reach further than the checkpoint, never the other way round.
            self.observers.iter_mut().for_each(|observer| observer.sync());
            let Err(error) = lane.checkpoint(folder, Some(&reason)) else { return };
            let text = error.to_string();
            self.unsaved.get_or_insert_with(|| text.clone());
            self.say(Message { lane: Some(id), step: None, level: Level::Error, text });
        }
    }
}
