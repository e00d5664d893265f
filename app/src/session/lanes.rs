//! Lanes that come, go and change while the others run: what the trainer does with such commands.
//!
//! What cannot be is refused with the reason, and nothing else changes.
#![forbid(unsafe_code)]

use super::lane::Lane;
use super::plan::LanePlan;
use super::protocol::Refusal;
use super::trainer::Trainer;
use super::tuning::Tuning;
use crate::record::{EndReason, LaneId, Level, Message};
use crate::workspace::{Difference, LaneSpec, differences, token};
use std::sync::Arc;

impl Trainer {
    /// Adds a lane: it starts at its own step 0 and sees the batches that every other lane of its problem saw, which is that of the
    /// lane `beside`.
    pub(super) fn add(&mut self, spec: &LaneSpec, beside: Option<LaneId>) {
        let taken = self.views.iter().map(|view| view.info.lane).chain(self.waiting.iter().map(|plan| plan.lane));
        let lane = taken
            .map(|lane| lane + 1)
            .max()
            .unwrap_or(0)
            .max(self.tuning.as_ref().map_or(0, Tuning::lanes))
            .max(self.numbered);
        self.numbered = lane + 1;
        let mut plan = LanePlan::added(lane, String::new(), spec, &self.experiment.workspace);
        let all = self.plans.iter().chain(&self.waiting);
        if let Some(beside) = all.into_iter().find(|plan| Some(plan.lane) == beside) {
            let of_problem = |(path, _): &(&String, &String)| path.starts_with("problem.");
            plan.problem = beside.problem;
            plan.axes =
                beside.axes.iter().filter(of_problem).map(|(path, value)| (path.clone(), value.clone())).collect();
        }
        match Lane::new(&self.shared[plan.problem], plan.clone(), self.cancelled.clone()) {
            Ok(built) => plan.name = self.name_for(spec, &built.info().spec, &plan),
            Err(error) => return self.refuse(None, format!("the lane was not added: {error}")),
        }
        self.experiment.concurrent = self.experiment.concurrent.max(self.active.len() + 1);
        self.waiting.push_front(plan);
    }

    /// A name that no lane of other settings has: the given one or the strategy, its problem where the sweep has several, and what
    /// differs. With the same settings and another seed it is the same name: the two belong together.
    fn name_for(&self, spec: &LaneSpec, written: &LaneSpec, plan: &LanePlan) -> String {
        let given = spec.name.clone().filter(|name| !name.trim().is_empty());
        let base = given.unwrap_or_else(|| {
            let problem = plan.axes.iter().map(|(path, value)| token(path, value));
            problem.fold(spec.strategy.clone(), |name, token| format!("{name} {token}"))
        });
        let free = |name: &str| {
            self.views.iter().filter(|view| view.info.name == name).all(|view| {
                view.info.seed != plan.seed && !view.info.trial && differences(&view.info.spec, written).is_empty()
            })
        };
        if free(&base) {
            return base;
        }
        let namesake = self.views.iter().find(|view| view.info.name == base);
        let differing = namesake.map_or_else(Vec::new, |view| differences(&view.info.spec, written));
        let tokens = differing.iter().filter_map(Difference::token);
        let name = tokens.fold(base, |name, token| format!("{name} {token}"));
        let numbered = (2..).map(|number| format!("{name} #{number}"));
        std::iter::once(name.clone()).chain(numbered).find(|name| free(name)).unwrap_or(name)
    }

    /// Changes a lane's settings.
    pub(super) fn retune(&mut self, id: LaneId, spec: &LaneSpec) {
        let Some(lane) = self.active.iter_mut().find(|lane| lane.info().lane == id) else {
            let text = "the lane was not changed: it has ended; copy it to run it with other settings".to_owned();
            return self.refuse(Some(id), text);
        };
        if lane.plan().trial {
            let text =
                "the lane was not changed: it is a trial of the tuning stage, which compares it as it is".to_owned();
            return self.refuse(Some(id), text);
        }
        let outcome = lane.retune(&self.shared[lane.plan().problem].clone(), spec, self.cancelled.clone());
        let (info, step) = (lane.info().clone(), lane.steps_taken());
        for message in lane.take_messages() {
            self.say(message);
        }
        match outcome {
            Ok(None) => {}
            Ok(Some(change)) => {
                let words: Vec<String> = change.changes.iter().map(ToString::to_string).collect();
                let text = words.join(", ");
                if let Some(view) = self.views.iter_mut().find(|view| view.info.lane == id) {
                    view.history.mark(step, text.clone());
                    view.history.changed(step, &view.info);
                    view.info = info.clone();
                }
                self.observers.iter_mut().for_each(|observer| observer.lane_changed(&change));
                let text = format!("{}: {text}", info.name);
                self.say(Message { lane: Some(id), step: Some(step), level: Level::Info, text });
            }
            Err(error) => self.refuse(Some(id), format!("the lane was not changed: {error}")),
        }
    }

    /// Ends a lane that runs, with its curve left to be seen; takes one that has ended off the screen.
    pub(super) fn drop_lane(&mut self, id: LaneId) {
        if self.active.iter().any(|lane| lane.info().lane == id) {
            return self.end_lane(id, EndReason::Dropped);
        }
        self.views.retain(|view| view.info.lane != id);
        self.plans.retain(|plan| plan.lane != id);
    }

    /// Says why a command was not carried out.
    pub(super) fn refuse(&mut self, lane: Option<LaneId>, text: String) {
        let number = self.base.refused.as_ref().map_or(0, |refused| refused.number) + 1;
        self.base.refused = Some(Arc::new(Refusal { number, text: text.clone() }));
        self.say(Message { lane, step: None, level: Level::Error, text });
    }
}
