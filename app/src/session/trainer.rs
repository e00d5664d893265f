//! The trainer: one thread that owns the lanes, steps them in rounds and tells what happened.
//!
//! A round is one step of every active lane, spread over the pool; commands are applied between rounds. The trainer
//! never waits for a face: snapshots are swapped in, events go to observers that do not block.
#![forbid(unsafe_code)]

use super::build::Shared;
use super::checkpoint;
use super::history::{LaneHistory, Spill};
use super::lane::Lane;
use super::messages::Messages;
use super::past::Past;
use super::plan::LanePlan;
use super::protocol::{Command, LaneView, Snapshot, Status, Until};
use super::tuning::Tuning;
use super::{Experiment, SessionError, Summary};
use crate::data::Batches;
use crate::filter::{self, Filter};
use crate::record::folder::records_of;
use crate::record::observers::{Continued, Shared as SharedObserver};
use crate::record::read::replay;
use crate::record::tally::Tally;
use crate::record::{EndReason, LaneEnd, LaneId, Level, Message, Observer};
use arc_swap::ArcSwap;
use crossbeam_channel::Receiver;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Publications a second at most.
const PUBLISH_EVERY: Duration = Duration::from_millis(16);

/// The state of the trainer thread.
pub(super) struct Trainer {
    pub(super) experiment: Experiment,
    /// Of each problem.
    pub(super) shared: Vec<Arc<Shared>>,
    pub(super) batches: Vec<Batches>,
    pub(super) waiting: VecDeque<LanePlan>,
    pub(super) active: Vec<Lane>,
    pub(super) plans: Vec<LanePlan>,
    pub(super) tuning: Option<Tuning>,
    pub(super) views: Vec<LaneView>,
    pub(super) observers: Vec<Box<dyn Observer>>,
    pub(super) commands: Receiver<Command>,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) cancelled: Arc<AtomicBool>,
    pub(super) messages: Messages,
    pub(super) past: Past,
    /// Where values of series go when they leave memory.
    pub(super) spill: Arc<Spill>,
    pub(super) spill_failed: bool,
    pub(super) base: Snapshot,
    /// Lanes numbered so far: no number is given twice.
    pub(super) numbered: usize,
    /// What the run goes on to.
    pub(super) until: Option<Until>,
    /// Lanes that met it when it was set, or have since.
    pub(super) met: Vec<LaneId>,
    /// Figures of every lane, for targets.
    pub(super) tally: SharedObserver<Tally>,
    /// What ends a lane before its last step.
    pub(super) stop: Option<Filter>,
    pub(super) paused: bool,
    pub(super) steps_left: Option<u64>,
    pub(super) started: Instant,
    published: Instant,
    pub(super) checkpointed: Instant,
    pub(super) rate: Rate,
    pub(super) interrupted: bool,
    pub(super) failed: bool,
    /// The first checkpoint of an ended lane that could not be written.
    pub(super) unsaved: Option<String>,
    /// The checkpoints on disk are of lanes that were started anew since.
    pub(super) stale: bool,
    /// A plugin may have damaged memory: nothing that comes of it goes over what was written before.
    pub(super) untrusted: bool,
}

/// Rounds a second over the last while.
#[derive(Debug)]
pub(super) struct Rate {
    since: Instant,
    rounds: u64,
    value: f64,
}

impl Rate {
    fn new() -> Self {
        Self { since: Instant::now(), rounds: 0, value: 0.0 }
    }

    pub(super) fn restart(&mut self) {
        (self.since, self.rounds) = (Instant::now(), 0);
    }

    pub(super) fn count(&mut self) {
        self.rounds += 1;
        let elapsed = self.since.elapsed().as_secs_f64();
        if elapsed > 0.5 {
            self.value = self.rounds as f64 / elapsed;
            self.restart();
        }
    }
}

impl Trainer {
    /// Takes everything over; nothing has run yet.
    pub(super) fn new(
        experiment: Experiment,
        shared: Vec<Arc<Shared>>,
        observers: Vec<Box<dyn Observer>>,
        commands: Receiver<Command>,
        snapshot: Arc<ArcSwap<Snapshot>>,
        cancelled: Arc<AtomicBool>,
        base: Snapshot,
    ) -> Self {
        let tally = SharedObserver::new(Tally::default());
        let observers: Vec<Box<dyn Observer>> =
            std::iter::once::<Box<dyn Observer>>(Box::new(tally.clone())).chain(observers).collect();
        let paused = experiment.paused;
        // A workspace that was checked has a filter that can be read.
        let stop = experiment.workspace.stop.as_ref().and_then(|stop| filter::parse(&stop.when).ok());
        let run = experiment.checkpoints.as_deref().and_then(Path::parent);
        let spill = run.map_or_else(Spill::default, Spill::within);
        let now = Instant::now();
        Self {
            batches: shared.iter().map(|shared| shared.batches.clone()).collect(),
            experiment,
            shared,
            waiting: VecDeque::new(),
            active: Vec::new(),
            plans: Vec::new(),
            tuning: None,
            views: Vec::new(),
            observers,
            commands,
            snapshot,
            cancelled,
            messages: Messages::default(),
            past: Past::default(),
            spill: Arc::new(spill),
            spill_failed: false,
            base,
            numbered: 0,
            until: None,
            met: Vec::new(),
            tally,
            stop,
            paused,
            steps_left: None,
            started: now,
            published: now - PUBLISH_EVERY,
            checkpointed: now,
            rate: Rate::new(),
            interrupted: false,
            failed: false,
            unsaved: None,
            stale: false,
            untrusted: false,
        }
    }

    /// Tells what the machine's matrix products reach, for the snapshots.
    pub(super) fn set_peak(&mut self, flop_per_second: f64) {
        self.base.peak = flop_per_second;
    }

    /// Runs until all lanes have ended (or, where the session stays open, until it is told to stop).
    pub(super) fn run(mut self) -> Result<Summary, SessionError> {
        let (plans, tuning) = Tuning::plan(&self.experiment.workspace)?;
        self.tuning = tuning;
        self.waiting = plans.into();
        if let Some(folder) = self.experiment.checkpoints.as_ref().filter(|_| self.experiment.resume) {
            let known = self.tuning.as_ref().map_or(self.waiting.len(), Tuning::lanes);
            self.waiting.extend(checkpoint::added(folder, known, self.shared.len(), self.experiment.workspace.steps)?);
        }
        self.recall()?;
        self.rehearse()?;
        loop {
            self.fill()?;
            if self.active.is_empty() && self.waiting.is_empty() && self.next_stage() {
                continue;
            }
            self.publish(false);
            if !self.obey()? {
                break;
            }
            let finished = self.active.is_empty() && self.waiting.is_empty();
            if finished && !self.experiment.keep_open {
                break;
            }
            if finished || self.paused {
                continue;
            }
            self.round()?;
            if self.failed {
                break;
            }
        }
        self.finish()
    }

    /// Takes up the series and messages of a run that goes on.
    fn recall(&mut self) -> Result<(), SessionError> {
        self.recall_figures()?;
        let Some(path) = self.experiment.past.take().filter(|_| self.experiment.resume) else { return Ok(()) };
        self.past = Past::read(&path, &self.spill)?;
        self.messages = std::mem::take(&mut self.past.messages);
        Ok(())
    }

    /// Takes up the figures that targets are held against, as they stood when the run was left.
    fn recall_figures(&mut self) -> Result<(), SessionError> {
        let run = self.experiment.checkpoints.as_deref().and_then(Path::parent).filter(|_| self.experiment.resume);
        let Some(records) = run.map(records_of).filter(|records| records.exists()) else { return Ok(()) };
        replay(&records, &mut self.tally)?;
        let started = self.tally.lock().standing().into_iter().map(|standing| standing.lane).collect();
        if let Some(first) = self.observers.first_mut() {
            *first = Box::new(Continued::new(self.tally.clone(), started));
        }
        Ok(())
    }

    /// Builds once every lane that would have to wait: what cannot be is told now, not when its turn comes.
    fn rehearse(&self) -> Result<(), SessionError> {
        let mut built = Vec::new();
        for plan in self.waiting.iter().filter(|_| self.waiting.len() > self.experiment.concurrent) {
            let spec = crate::workspace::LaneSpec { name: None, optimizer: None, seeds: None, ..plan.spec.clone() };
            if !built.contains(&(spec.clone(), plan.problem)) {
                Lane::new(&self.shared[plan.problem], plan.clone(), self.cancelled.clone())?;
                built.push((spec, plan.problem));
            }
        }
        Ok(())
    }

    /// Starts waiting lanes while there is room.
    pub(super) fn fill(&mut self) -> Result<(), SessionError> {
        while self.active.len() < self.experiment.concurrent.max(1) {
            let Some(plan) = self.waiting.pop_front() else { break };
            let shared = self.shared[plan.problem].clone();
            let mut lane = Lane::new(&shared, plan.clone(), self.cancelled.clone())?;
            self.plans.push(plan);
            let ended = match &self.experiment.checkpoints {
                Some(folder) if self.experiment.resume => lane.restore(folder, &shared, self.cancelled.clone())?,
                _ => None,
            };
            let past = self.past.take(lane.info().lane).filter(|_| self.experiment.resume);
            let view = LaneView {
                info: lane.info().clone(),
                step: lane.steps_taken(),
                ended: ended.clone(),
                seconds: lane.seconds(),
                history: past.map_or_else(
                    || Arc::new(LaneHistory::within(&self.spill).after(lane.seconds().training())),
                    |past| past.history,
                ),
            };
            let id = view.info.lane;
            match self.views.iter_mut().find(|view| view.info.lane == id) {
                Some(place) => *place = view,
                None => self.views.push(view),
            }
            // Of a resumed run too: sinks that go on know which starts are in their records.
            let info = lane.info().clone();
            self.observers.iter_mut().for_each(|observer| observer.lane_started(&info));
            // A change at the very step of the checkpoint is not in the records that led up to it.
            if let Some(change) = lane.last_change().filter(|change| change.step == lane.steps_taken()) {
                self.observers.iter_mut().for_each(|observer| observer.lane_changed(change));
            }
            match ended {
                Some(reason) => {
                    if let Some(tuning) = &mut self.tuning {
                        tuning.ended(id, lane.last_validation(), &reason);
                    }
                }
                None => self.active.push(lane),
            }
        }
        Ok(())
    }

    /// Goes from the trials to the real lanes; false when there is no stage left.
    fn next_stage(&mut self) -> bool {
        let Some(tuning) = self.tuning.take() else { return false };
        let (plans, words) = tuning.choose(&self.experiment.workspace);
        for text in words {
            self.say(Message { lane: None, step: None, level: Level::Info, text });
        }
        self.waiting = plans.into();
        !self.waiting.is_empty()
    }

    pub(super) fn checkpoint(&mut self) -> Result<(), SessionError> {
        self.checkpointed = Instant::now();
        if let Some(folder) = self.experiment.checkpoints.as_ref().filter(|_| !self.untrusted) {
            self.observers.iter_mut().for_each(|observer| observer.sync());
            for lane in &mut self.active {
                lane.checkpoint(folder, None)?;
            }
        }
        Ok(())
    }

    pub(super) fn say(&mut self, message: Message) {
        self.observers.iter_mut().for_each(|observer| observer.message(&message));
        self.messages.push(message);
    }

    pub(super) fn publish(&mut self, now: bool) {
        if !now && self.published.elapsed() < PUBLISH_EVERY {
            return;
        }
        self.published = Instant::now();
        let finished = self.active.is_empty() && self.waiting.is_empty();
        self.base.revision += 1;
        self.base.status = match (finished, self.paused) {
            (true, _) => Status::Finished,
            (false, true) => Status::Paused,
            (false, false) => Status::Running,
        };
        self.base.steps_per_second = if self.paused || finished { 0.0 } else { self.rate.value };
        self.base.lanes.clone_from(&self.views);
        self.base.messages = self.messages.list.clone();
        self.base.dropped = self.messages.dropped;
        self.base.until = self.until.clone().filter(|_| !finished);
        self.snapshot.store(Arc::new(self.base.clone()));
    }

    fn finish(mut self) -> Result<Summary, SessionError> {
        self.cancelled.store(true, Ordering::Relaxed);
        let reason = if self.failed { "the run was ended after a failure" } else { "stopped" };
        if self.interrupted || self.failed || self.stale {
            self.checkpoint()?;
            for lane in &self.active {
                let (id, steps, seconds) = (lane.info().lane, lane.steps_taken(), lane.seconds());
                let end = LaneEnd { lane: id, steps, reason: EndReason::Interrupted, seconds };
                self.observers.iter_mut().for_each(|observer| observer.lane_ended(&end));
                if let Some(view) = self.views.iter_mut().find(|view| view.info.lane == id) {
                    view.ended = Some(EndReason::Interrupted);
                }
            }
            self.say(Message { lane: None, step: None, level: Level::Info, text: reason.to_owned() });
        }
        self.observers.iter_mut().for_each(|observer| observer.sync());
        // The screen may stay: nothing runs any more.
        self.active.clear();
        self.waiting.clear();
        self.publish(true);
        let Self { views: lanes, interrupted, failed, unsaved, .. } = self;
        Ok(Summary { lanes, interrupted, failed, unsaved })
    }
}

/// The text of a panic, as far as it has one.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
