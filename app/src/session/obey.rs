//! Between two rounds: the commands of whoever watches.
#![forbid(unsafe_code)]

use super::SessionError;
use super::lane::Lane;
use super::peek::peek;
use super::protocol::Command;
use super::trainer::Trainer;
use crate::record::{EndReason, Level, Message};
use crate::workspace::LaneSpec;
use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// With nothing to do, time after which what waits to be written is written.
const REST: Duration = Duration::from_millis(100);
/// Time that a command is waited for after that.
const LONG: Duration = Duration::from_secs(3600);

impl Trainer {
    /// Applies commands; waits for one while there is nothing to do. False when told to stop.
    pub(super) fn obey(&mut self) -> Result<bool, SessionError> {
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
}
