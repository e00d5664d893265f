//! The trainer: one thread that owns the lanes, steps them in rounds and tells what happened.
//!
//! A round is one step of every active lane, spread over the pool; commands are applied between rounds. The trainer
//! never waits for a face: snapshots are swapped in, events go to observers that do not block.
#![forbid(unsafe_code)]

use super::checkpoint;
use super::history::{LaneHistory, Spill};
use super::lane::{Lane, LaneFailure, LanePlan, Shared};
use super::messages::Messages;
use super::past::Past;
use super::peek::peek;
use super::protocol::{Command, LaneView, Snapshot, Status, Until};
use super::tuning::Tuning;
use super::{Experiment, SessionError, Summary};
use crate::data::{Batch, Batches};
use crate::filter::{self, Filter};
use crate::kernel;
use crate::options::OnPluginError;
use crate::record::folder::records_of;
use crate::record::observers::{Continued, Shared as SharedObserver};
use crate::record::read::replay;
use crate::record::summary::Tally;
use crate::record::{EndReason, LaneEnd, LaneId, Level, Message, Observer, StepReport};
use crate::workspace::LaneSpec;
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Publications a second at most.
const PUBLISH_EVERY: Duration = Duration::from_millis(16);
/// With nothing to do, time after which what waits to be written is written.
const REST: Duration = Duration::from_millis(100);
/// Time that a command is waited for after that.
const LONG: Duration = Duration::from_secs(3600);
/// Time between checkpoints of a running lane.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(20);

/// The state of the trainer thread.
pub(super) struct Trainer {
    pub(super) experiment: Experiment,
    /// Of each problem.
    pub(super) shared: Vec<Arc<Shared>>,
    batches: Vec<Batches>,
    pub(super) waiting: VecDeque<LanePlan>,
    pub(super) active: Vec<Lane>,
    pub(super) plans: Vec<LanePlan>,
    pub(super) tuning: Option<Tuning>,
    pub(super) views: Vec<LaneView>,
    pub(super) observers: Vec<Box<dyn Observer>>,
    commands: Receiver<Command>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) cancelled: Arc<AtomicBool>,
    messages: Messages,
    past: Past,
    /// Where values of series go when they leave memory.
    spill: Arc<Spill>,
    spill_failed: bool,
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
    stop: Option<Filter>,
    pub(super) paused: bool,
    pub(super) steps_left: Option<u64>,
    started: Instant,
    published: Instant,
    checkpointed: Instant,
    pub(super) rate: Rate,
    interrupted: bool,
    failed: bool,
    /// The first checkpoint of an ended lane that could not be written.
    unsaved: Option<String>,
    /// The checkpoints on disk are of lanes that were started anew since.
    stale: bool,
    /// A plugin may have damaged memory: nothing that comes of it goes over what was written before.
    untrusted: bool,
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

    fn count(&mut self) {
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
    fn fill(&mut self) -> Result<(), SessionError> {
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

    /// Applies commands; waits for one while there is nothing to do. False when told to stop.
    fn obey(&mut self) -> Result<bool, SessionError> {
        let mut rested = false;
        loop {
            let idle = self.paused || (self.active.is_empty() && self.waiting.is_empty());
            let idle = idle && (self.experiment.keep_open || self.paused);
            let command = if idle {
                self.publish(true);
                match self.commands.recv_timeout(if rested { LONG } else { REST }) {
                    Ok(command) => {
                        rested = false;
                        command
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        // Whoever reads the records finds the last of them too.
                        self.observers.iter_mut().for_each(|observer| observer.flush());
                        rested = true;
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return Ok(false),
                }
            } else {
                match self.commands.try_recv() {
                    Ok(command) => command,
                    Err(TryRecvError::Empty) if self.cancelled.load(Ordering::Relaxed) => Command::Stop,
                    Err(TryRecvError::Empty) => return Ok(true),
                    Err(TryRecvError::Disconnected) => return Ok(false),
                }
            };
            match command {
                Command::Pause => (self.paused, self.until) = (true, None),
                Command::RunUntil(until) => {
                    if self.run_until(until) {
                        return Ok(true);
                    }
                }
                Command::Resume => {
                    (self.paused, self.steps_left, self.until) = (false, None, None);
                    self.rate.restart();
                }
                Command::Step(rounds) => {
                    (self.paused, self.steps_left, self.until) = (false, Some(rounds), None);
                    self.rate.restart();
                    return Ok(true);
                }
                Command::Reset => {
                    self.reset();
                    self.fill()?;
                }
                Command::Add(spec, beside) => {
                    self.add(&spec, beside);
                    self.fill()?;
                }
                Command::Drop(lane) => self.drop_lane(lane),
                Command::LearningRate(lane, lr) => {
                    if let Some(spec) = self.active.iter().find(|active| active.info().lane == lane).map(Lane::settings)
                    {
                        let optimizer = spec.optimizer.unwrap_or_default().with_lr(lr);
                        self.retune(lane, &LaneSpec { optimizer: Some(optimizer), ..spec });
                    }
                }
                Command::Retune(lane, spec) => self.retune(lane, &spec),
                Command::Peek(id) => {
                    let lane = self.active.iter().find(|lane| lane.info().lane == id);
                    let problem = lane.map_or(0, |lane| lane.plan().problem);
                    match peek(lane, &mut self.batches[problem], &self.shared[problem].data) {
                        Ok(view) => self.base.batch = view.map(Arc::new).or(self.base.batch.take()),
                        Err(error) => {
                            let text = format!("the batch cannot be shown: {error}");
                            self.say(Message { lane: Some(id), step: None, level: Level::Warn, text });
                        }
                    }
                }
                Command::Say(message) => {
                    self.say(*message);
                    self.publish(true);
                }
                Command::Stop => {
                    self.interrupted = !self.active.is_empty() || !self.waiting.is_empty();
                    return Ok(false);
                }
            }
        }
    }

    fn reset(&mut self) {
        self.until = None;
        self.views.retain(|view| view.ended != Some(EndReason::Dropped));
        for lane in self.active.drain(..) {
            if let Some(plan) = self.plans.iter_mut().find(|plan| plan.lane == lane.info().lane) {
                *plan = lane.plan().clone();
            }
        }
        let mut plans = std::mem::take(&mut self.plans);
        let trials = self.tuning.is_some();
        plans.retain(|plan| (trials || !plan.trial) && self.views.iter().any(|view| view.info.lane == plan.lane));
        self.views.retain(|view| trials || !view.info.trial);
        plans.extend(self.waiting.drain(..));
        self.waiting = plans.into();
        self.experiment.resume = false;
        self.started = Instant::now();
        // The checkpoints of before would be taken for those of the new start.
        self.stale = true;
        self.say(Message { lane: None, step: None, level: Level::Info, text: "all lanes start anew".to_owned() });
    }

    /// One step of every active lane.
    fn round(&mut self) -> Result<(), SessionError> {
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

    fn checkpoint(&mut self) -> Result<(), SessionError> {
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

    fn publish(&mut self, now: bool) {
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
