//! A lane: one strategy with its settings, seed and model, stepped on the batches that all lanes see.
//!
//! The flow of a step: forward → guess → scalars → estimate → measurements if due → optimizer. The true gradient is
//! computed only when a measurement needs it, or when the lane is the backprop reference.
#![forbid(unsafe_code)]

use super::budget::Spent;
use super::failure::{LaneFailure, blown_up, check_loss};
use super::guess::Guesser;
use super::plan::LanePlan;
use super::prober::{Place, Prober};
use super::tuning::Validation;
use crate::data::{Batch, Prepared};
use crate::estimate::{Estimator, Optimizer, Point, factor};
use crate::kernel;
use crate::measure::{Measurer, View};
use crate::model::{Network, Tape};
use crate::objective::Loss;
use crate::record::{Key, LaneChange, LaneInfo, Level, Message, Quantity, StageSeconds, StepReport};
use crate::workspace::{Budget, LaneSpec, ScheduleSpec};
use candle_core::Tensor;
use std::sync::Arc;
use std::time::Instant;

/// Elements of ĝ below this can be squared and added to parameters without overflow, in single precision too.
const SAFE: f64 = 1e15;

/// A running lane.
pub(super) struct Lane {
    pub(super) plan: LanePlan,
    pub(super) info: Arc<LaneInfo>,
    pub(super) network: Network,
    pub(super) tape: Tape,
    pub(super) loss: Loss,
    pub(super) deltas: Vec<Tensor>,
    pub(super) guesser: Option<Guesser>,
    pub(super) estimator: Option<Estimator>,
    pub(super) prober: Option<Prober>,
    pub(super) estimate: Vec<Tensor>,
    pub(super) optimizer: Optimizer,
    pub(super) schedule: ScheduleSpec,
    pub(super) measurer: Measurer,
    pub(super) steps_taken: u64,
    /// What it may use; nothing holds a trial but its steps.
    pub(super) budget: Option<Budget>,
    pub(super) spent: Spent,
    /// The step under way was cancelled in its midst.
    pub(super) torn: bool,
    pub(super) seconds: StageSeconds,
    pub(super) first_loss: Option<f64>,
    pub(super) validation: Option<Validation>,
    pub(super) change: Option<LaneChange>,
    pub(super) messages: Vec<Message>,
}

impl Lane {
    pub(super) fn info(&self) -> &Arc<LaneInfo> {
        &self.info
    }

    pub(super) fn plan(&self) -> &LanePlan {
        &self.plan
    }

    pub(super) fn steps_taken(&self) -> u64 {
        self.steps_taken
    }

    pub(super) fn steps(&self) -> u64 {
        self.plan.steps
    }

    /// What of its budget does not suffice for another step.
    pub(super) fn spent_out(&self) -> Option<&'static str> {
        let budget = self.budget?;
        match self.spent.left(&budget, &self.info) {
            Some((0, what)) => Some(what),
            _ => budget.seconds.filter(|seconds| self.seconds.training() >= *seconds).map(|_| "seconds"),
        }
    }

    /// The step at which it will have ended, as far as that can be counted: what schedules take for the length of the run.
    fn length(&self) -> u64 {
        let left = self.budget.and_then(|budget| self.spent.left(&budget, &self.info));
        left.map_or(self.plan.steps, |(left, _)| self.plan.steps.min(self.steps_taken.saturating_add(left)))
    }

    pub(super) fn seconds(&self) -> StageSeconds {
        self.seconds
    }

    /// Loss and accuracy on the validation split when last measured.
    pub(super) fn last_validation(&self) -> Option<Validation> {
        self.validation
    }

    /// What the strategy had to say since the last call.
    pub(super) fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// The settings it runs with.
    pub(super) fn settings(&self) -> LaneSpec {
        self.info.spec.clone()
    }

    /// The last change of its settings.
    pub(super) fn last_change(&self) -> Option<&LaneChange> {
        self.change.as_ref()
    }

    /// The step under way was cancelled: nothing of it is kept.
    pub(super) fn tear(&mut self) {
        self.torn = true;
    }

    /// Leaves a step out; returns the steps taken with it.
    pub(super) fn skip(&mut self) -> u64 {
        self.steps_taken += 1;
        self.steps_taken
    }

    /// One step on `batch`.
    pub(super) fn step(&mut self, batch: &Batch, data: &Prepared) -> Result<StepReport, LaneFailure> {
        let step = self.steps_taken;
        let mut clock = Clock::start();
        let mut seconds = StageSeconds::default();
        let theta = self.network.theta();
        let length = self.length();
        let factor = factor(self.schedule, step, length);
        // Where nobody looks at ĝ, a plain step needs no ĝ that is stored.
        let looked_at = self.measurer.due(step) || self.guesser.as_ref().is_some_and(Guesser::reads_estimate);
        let descent = if looked_at { None } else { self.optimizer.descent(factor) };
        let mut guess_seconds = 0.0;
        // Of the guesses that went through the layers together with the forward pass.
        let mut tangent = None;
        match &mut self.guesser {
            Some(guesser) if guesser.by_layer() => {
                guesser.begin(step, length)?;
                let (network, tape, estimate) = (&self.network, &self.tape, &self.estimate[..]);
                match &mut self.estimator {
                    Some(estimator) if estimator.takes_tangents() => {
                        let (guesses, separate) = (estimator.at_once(), estimator.settings().per_layer());
                        let reads = estimator.reads();
                        let logits =
                            tape.forward_with_tangents(theta, &batch.x, guesses, separate, &reads, |site| {
                                let start = Instant::now();
                                guesser.at_site(site, network, tape, estimate, batch)?;
                                guesser.finish_site(site, tape, estimator)?;
                                guess_seconds += start.elapsed().as_secs_f64();
                                estimator.inject(tape, theta, site, guesser.directions())?;
                                Ok::<_, LaneFailure>(estimator.injection(site).cloned())
                            })?;
                        tangent = Some(logits);
                    }
                    _ => tape.forward(theta, &batch.x, None, |site| {
                        let start = Instant::now();
                        let result = guesser.at_site(site, network, tape, estimate, batch);
                        guess_seconds += start.elapsed().as_secs_f64();
                        result
                    })?,
                }
            }
            _ => self.tape.forward(theta, &batch.x, None, |_| Ok::<(), LaneFailure>(()))?,
        }
        let found = self.loss.evaluate_all(&self.tape.outputs(), &batch.labels, Some(&self.deltas))?;
        seconds.forward = (clock.lap() - guess_seconds).max(0.0);
        check_loss(&mut self.first_loss, found.loss, step)?;

        let point = Point {
            tape: &self.tape,
            theta,
            data: &batch.x,
            labels: &batch.labels,
            loss: self.loss,
            deltas: &self.deltas,
        };
        // ‖ĝ‖, if the parameters have moved already.
        let mut moved = None;
        match &mut self.guesser {
            None => match descent {
                Some(rate) => moved = Some(self.tape.adjoint_descend(theta, &self.deltas, &self.estimate, rate)?),
                None => self.tape.adjoint(theta, &self.deltas, Some(&self.estimate))?,
            },
            Some(guesser) => {
                let by_layer = guesser.by_layer();
                if !by_layer {
                    guesser.begin(step, length)?;
                }
                seconds.guess = guess_seconds;
                if let Some(estimator) = &mut self.estimator {
                    for first in estimator.firsts() {
                        guesser.turn_to(first);
                        estimator.turn_to(first);
                        if let Some(tangent) = tangent.take() {
                            estimator.read_tangent(&tangent, point)?;
                            // They went through the layers together: the time is shared by the products of each.
                            let both = seconds.forward;
                            seconds.forward *= estimator.forward_share();
                            seconds.tangent = both - seconds.forward + clock.lap();
                        } else {
                            if first > 0 || !by_layer {
                                guesser.whole(&self.network, point, &self.estimate, batch)?;
                            }
                            guesser.finish(&self.tape, estimator)?;
                            seconds.guess += clock.lap();
                            estimator.derive(point, guesser.directions())?;
                            seconds.tangent += clock.lap();
                        }
                        if !estimator.scalars().all_finite() {
                            if !blown_up(self.first_loss, found.loss) {
                                guesser.blame("a directional derivative")?;
                            }
                            return Err(LaneFailure::diverged(format!(
                                "a directional derivative is not finite at step {step}"
                            )));
                        }
                        estimator.weigh(point, guesser.directions())?;
                        seconds.update += clock.lap();
                    }
                    let directions = guesser.directions();
                    match descent {
                        // What could overflow is formed and looked at before the parameters move.
                        Some(rate) if estimator.bound(point, directions, guesser.largest_element())? < SAFE => {
                            moved = Some(estimator.descend(point, directions, &self.estimate, rate)?);
                        }
                        _ => estimator.form(point, directions, &self.estimate)?,
                    }
                } else {
                    if !by_layer {
                        guesser.whole(&self.network, point, &self.estimate, batch)?;
                    }
                    guesser.write_estimate(&self.estimate)?;
                    seconds.guess += clock.lap();
                }
            }
        }
        let norm = match moved {
            Some(norm) => norm,
            None => {
                let mut squared = 0.0;
                for tensor in &self.estimate {
                    squared += kernel::norm_squared(tensor)?;
                }
                squared.sqrt()
            }
        };
        if !norm.is_finite() {
            if let Some(guesser) = &mut self.guesser
                && !blown_up(self.first_loss, found.loss)
            {
                guesser.blame("the estimate")?;
            }
            return Err(LaneFailure::diverged(format!("‖ĝ‖ is not finite at step {step}")));
        }
        seconds.update += clock.lap();

        let mut values = vec![
            (Key::whole(Quantity::Loss), found.loss),
            (Key::whole(Quantity::Accuracy), found.correct as f64 / self.tape.batch() as f64),
            (Key::whole(Quantity::EstimateNorm), norm),
            (Key::whole(Quantity::LearningRate), self.optimizer.spec().lr() * factor),
        ];
        let mut spectra = Vec::new();
        if self.measurer.due(step) {
            let view = View {
                point,
                network: &self.network,
                loss: found.total(),
                estimate: &self.estimate,
                estimator: self.estimator.as_ref(),
                exact: self.guesser.is_none(),
                data,
            };
            self.measurer.measure(view, step, &mut values, &mut spectra)?;
            self.validation = validation(&values).or(self.validation);
            if let (Some(prober), Some(guesser), true) =
                (&mut self.prober, &mut self.guesser, self.measurer.bias_due(step))
            {
                prober.begin(guesser)?;
                let (steps, network, previous) = (length, &self.network, &self.estimate[..]);
                let place = Place { step, steps, network, point, previous, batch };
                let fresh = |number, into: &[Tensor]| prober.estimate(number, place, into);
                self.measurer.bias(network, fresh, &mut values)?;
            }
        }
        seconds.measure = clock.lap();
        let mut metrics = Vec::new();
        if let Some(guesser) = &mut self.guesser {
            guesser.observe(&self.network, &self.tape, found.loss, norm, self.estimator.as_ref())?;
            let events = guesser.take_events();
            metrics = events.metrics;
            for (level, text) in events.messages {
                self.messages.push(Message { lane: Some(self.plan.lane), step: Some(step), level: grave(level), text });
            }
        }
        seconds.guess += clock.lap();
        match moved {
            Some(_) => self.optimizer.descended(),
            None => self.optimizer.step(theta, &self.estimate, factor)?,
        }
        seconds.update += clock.lap();
        if let Some(guesser) = &mut self.guesser {
            guesser.end(&self.network)?;
        }
        self.steps_taken += 1;
        self.spent.add(&self.info);
        add(&mut self.seconds, &seconds);
        Ok(StepReport { lane: self.plan.lane, step, values, spectra, metrics, seconds })
    }

    /// The measurements at the end of a run: every split, of a trial the validation split, at the final parameters.
    pub(super) fn last_report(&mut self, data: &Prepared) -> Result<StepReport, LaneFailure> {
        let mut clock = Clock::start();
        let mut values = Vec::new();
        if self.plan.trial {
            self.measurer.validation(&self.network, self.loss, data, &mut values)?;
        } else {
            self.measurer.last(&self.network, self.loss, data, &mut values)?;
        }
        self.validation = validation(&values).or(self.validation);
        let seconds = StageSeconds { measure: clock.lap(), ..StageSeconds::default() };
        add(&mut self.seconds, &seconds);
        let (spectra, metrics) = (Vec::new(), Vec::new());
        Ok(StepReport { lane: self.plan.lane, step: self.steps_taken, values, spectra, metrics, seconds })
    }

    /// The classes that the last forward pass gives the first `count` examples of its batch.
    pub(super) fn predictions(&self, count: usize) -> candle_core::Result<Vec<u32>> {
        self.tape.logits().narrow(0, 0, count)?.argmax(1)?.to_vec1()
    }
}

fn validation(values: &[(Key, f64)]) -> Option<Validation> {
    let find = |quantity| values.iter().find(|(key, _)| *key == Key::whole(quantity)).map(|(_, value)| *value);
    Some(Validation { loss: find(Quantity::ValidationLoss)?, accuracy: find(Quantity::ValidationAccuracy)? })
}

fn add(total: &mut StageSeconds, part: &StageSeconds) {
    total.forward += part.forward;
    total.guess += part.guess;
    total.tangent += part.tangent;
    total.update += part.update;
    total.measure += part.measure;
}

fn grave(level: crate::strategy::Level) -> Level {
    match level {
        crate::strategy::Level::Error => Level::Error,
        crate::strategy::Level::Warn => Level::Warn,
        crate::strategy::Level::Info => Level::Info,
        crate::strategy::Level::Debug => Level::Debug,
    }
}

/// Seconds between laps.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = (now - self.0).as_secs_f64();
        self.0 = now;
        seconds
    }
}
