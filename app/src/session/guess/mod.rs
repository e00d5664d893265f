//! A lane's guess: calls the strategy, or those of a mixture, and hands what they wrote to the estimator as directions.
#![forbid(unsafe_code)]

mod card;
mod chosen;
mod member;
mod state;

pub(super) use card::mixture as mixture_card;
pub(super) use chosen::{Chosen, choose, kind, mixed, own_source};
pub(super) use state::State;

use super::SessionError;
use super::build::Shared;
use super::failure::LaneFailure;
use super::plan::LanePlan;
use crate::data::Batch;
use crate::estimate::{Directions, Estimator, GuessKind, Mixture, Point, Settings};
use crate::kernel;
use crate::model::{Network, Tape};
use crate::record::StrategyCard;
use crate::strategy::{Direction, Events, Inputs, Outcome, RunFacts};
use crate::workspace::ScalarSource;
use candle_core::Tensor;
use guesswork_plugin::abi::{GW_ROLE_OUTPUT_ERROR, GW_ROLE_PREVIOUS_ESTIMATE, GW_ROLE_PREVIOUS_UPDATE};
use member::{Member, Moment, Ready};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// No normal draw is larger: Box–Muller on words of 32 bits ends at √(66 ln 2).
const LARGEST_DRAW: f64 = 6.8;

/// Instances of one strategy that a lane may have: one trains, one makes the guesses of a probe.
const INSTANCES: u64 = 2;

/// What a lane guesses with, prepared.
pub(super) struct Guesser {
    /// One strategy, or those of the mixture in their order; never none.
    members: Vec<Member>,
    /// Adds them up, where the lane is a mixture.
    mixture: Option<Mixture>,
    settings: Settings,
    /// Guesses that are made side by side.
    at_once: usize,
    /// Number of the first of those under way.
    first: usize,
    kind: GuessKind,
    card: StrategyCard,
    errors: Vec<Tensor>,
    update: Option<Update>,
    step: u64,
    progress: f64,
}

/// The update of the step before, kept only for a strategy that was granted it.
struct Update {
    theta: Vec<Tensor>,
    change: Vec<Tensor>,
}

impl Guesser {
    /// Finds the strategies, checks their parameters and the lane's settings, and prepares them for the model. Draws are keyed by
    /// the instance's `number`: 0 trains, 1 probes. Each member of a mixture has a key of its own; the first has that of a lane of
    /// its strategy alone.
    pub(super) fn new(
        shared: &Shared,
        plan: &LanePlan,
        network: &Network,
        tape: &Tape,
        cancelled: Arc<AtomicBool>,
        number: u64,
    ) -> Result<Self, SessionError> {
        let (chosen, kind) = choose(shared, plan)?;
        let refuse = |reason: String| SessionError::Lane { lane: plan.name.clone(), reason };
        let settings = Settings::resolve(&plan.spec, &shared.defaults, kind, own_source(&chosen))
            .map_err(|error| refuse(error.to_string()))?;
        let differs = matches!(settings.source, ScalarSource::Central(_) | ScalarSource::OneSided(_));
        if network.graph().outputs.len() > 1 && differs {
            let reason = "source: a difference of losses sees through the borders of local losses, where signals stop; write \
                          tangent or none";
            return Err(refuse(reason.to_owned()));
        }
        let card = card::card(&chosen, kind);
        let mixed = chosen.iter().any(|chosen| chosen.place.is_some());
        let mut ready = Vec::with_capacity(chosen.len());
        for chosen in chosen {
            let facts = RunFacts {
                scope: settings.scope,
                guesses: settings.guesses,
                seed: plan.seed,
                instance: number + INSTANCES * chosen.place.unwrap_or(0) as u64,
                diagnostic: shared.diagnostic,
                // A loss sees through the borders of local losses, where signals stop.
                oracle: network.graph().outputs.len() == 1,
                cancelled: Arc::clone(&cancelled),
            };
            ready.push(Ready::new(chosen, &facts, network, tape, &plan.name)?);
        }
        let independent = ready.iter().all(|ready| ready.plan.independent);
        let at_once = settings.resolve_at_once(kind, independent, tape).map_err(|error| refuse(error.to_string()))?;
        let member = |ready| Member::new(ready, at_once, kind, network, tape, &plan.name);
        let members = ready.into_iter().map(member).collect::<Result<Vec<_>, _>>()?;
        let mixture = if mixed {
            let weights = members.iter().map(|member| member.chosen.weight).collect();
            Some(Mixture::new(weights, kind, at_once, tape, network.theta())?)
        } else {
            None
        };
        let granted = |role| members.iter().any(|member| member.plan.granted.has(role));
        let told = granted(GW_ROLE_OUTPUT_ERROR);
        let outputs_told = tape.outputs().into_iter().filter(|_| told);
        let errors = outputs_told.map(Tensor::zeros_like).collect::<candle_core::Result<_>>()?;
        let update = if granted(GW_ROLE_PREVIOUS_UPDATE) {
            let theta = network.theta().iter().map(Tensor::copy).collect::<candle_core::Result<_>>()?;
            Some(Update { theta, change: network.zeros_like()? })
        } else {
            None
        };
        let (first, step, progress) = Default::default();
        Ok(Self { members, mixture, settings, at_once, first, kind, card, errors, update, step, progress })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it guesses with the strategies of `chosen`, in that order, whatever their parameters and weights.
    pub(super) fn has_strategies(&self, chosen: &[Chosen]) -> bool {
        self.members.iter().map(|member| &member.chosen.info.id).eq(chosen.iter().map(|chosen| &chosen.info.id))
    }

    /// Whether the strategies' parameters, checked and defaulted, are those of `chosen`.
    pub(super) fn has_params(&self, chosen: &[Chosen]) -> bool {
        self.members.iter().map(|member| &member.chosen.params).eq(chosen.iter().map(|chosen| &chosen.params))
    }

    /// Whether the strategies' weights are those of `chosen`.
    pub(super) fn has_weights(&self, chosen: &[Chosen]) -> bool {
        self.members.iter().map(|member| member.chosen.weight).eq(chosen.iter().map(|chosen| chosen.weight))
    }

    pub(super) fn kind(&self) -> GuessKind {
        self.kind
    }

    pub(super) fn card(&self) -> &StrategyCard {
        &self.card
    }

    /// FLOP of the products that the strategies have asked for so far.
    pub(super) fn flop(&self) -> u64 {
        self.members.iter().map(Member::flop).sum()
    }

    /// What makes an estimate of its guesses; `None` where the strategy gives the estimate itself.
    pub(super) fn estimator(&self, tape: &Tape, network: &Network) -> candle_core::Result<Option<Estimator>> {
        match self.kind {
            GuessKind::Estimate => Ok(None),
            kind => {
                let settings = Settings { at_once: Some(self.at_once), ..self.settings };
                Estimator::new(settings, kind, tape, network.theta()).map(Some)
            }
        }
    }

    pub(super) fn gradient_capable(&self) -> bool {
        self.members.iter().any(|member| member.plan.gradient_capable)
    }

    /// Whether all strategies are called site by site during the forward pass.
    pub(super) fn by_layer(&self) -> bool {
        self.members.iter().all(Member::by_layer)
    }

    /// A step begins.
    pub(super) fn begin(&mut self, step: u64, steps: u64) -> Result<(), LaneFailure> {
        self.step = step;
        self.first = 0;
        self.progress = step as f64 / steps.max(1) as f64;
        self.members.iter_mut().try_for_each(Member::begin)
    }

    /// A guess beside training begins at step `step`: its draws are those of `key`.
    pub(super) fn begin_probe(&mut self, key: u64, step: u64, steps: u64) -> Result<(), LaneFailure> {
        self.begin(step, steps)?;
        self.step = key;
        Ok(())
    }

    /// What follows asks for the guesses from number `first` on, as many as are made side by side.
    pub(super) fn turn_to(&mut self, first: usize) {
        self.first = first;
    }

    fn moment<'a>(&self, tape: &'a Tape, network: &'a Network) -> Moment<'a> {
        Moment { tape, theta: network.theta(), step: self.step, first: self.first, progress: self.progress }
    }

    /// All strategies are of call mode `layer`: `site` and its activation exist.
    pub(super) fn at_site(
        &mut self,
        site: usize,
        network: &Network,
        tape: &Tape,
        estimate: &[Tensor],
        batch: &Batch,
    ) -> Result<(), LaneFailure> {
        let moment = self.moment(tape, network);
        let inputs = Inputs {
            labels: Some(&batch.labels),
            previous_estimate: Some(estimate),
            previous_update: self.update.as_ref().map(|update| &update.change[..]),
            ..Inputs::default()
        };
        self.members.iter_mut().try_for_each(|member| member.at_site(site, moment, inputs))
    }

    /// The whole forward pass is done: for strategies of either call mode.
    pub(super) fn whole(
        &mut self,
        network: &Network,
        point: Point,
        estimate: &[Tensor],
        batch: &Batch,
    ) -> Result<(), LaneFailure> {
        let classes = network.graph().output().width;
        for (error, delta) in self.errors.iter().zip(point.deltas) {
            kernel::copy(error, delta)?;
            kernel::scale(error, (delta.elem_count() / classes) as f64)?;
        }
        let moment = self.moment(point.tape, network);
        let inputs = Inputs {
            labels: Some(&batch.labels),
            output_errors: &self.errors,
            previous_estimate: Some(estimate),
            previous_update: self.update.as_ref().map(|update| &update.change[..]),
            ..Inputs::default()
        };
        self.members.iter_mut().try_for_each(|member| member.whole(moment, point, inputs))
    }

    /// Makes the guess ready: masks guesses given at the activation, draws seeded directions, adds a mixture up, normalises rows.
    pub(super) fn finish(&mut self, tape: &Tape, estimator: &Estimator) -> Result<(), LaneFailure> {
        (0..tape.graph().sites.len()).try_for_each(|site| self.finish_site(site, tape, estimator))
    }

    /// The same for one site.
    pub(super) fn finish_site(&mut self, site: usize, tape: &Tape, estimator: &Estimator) -> Result<(), LaneFailure> {
        for (index, member) in self.members.iter().enumerate() {
            member.mask(site, tape)?;
            member.form(site)?;
            let Some(mixture) = &self.mixture else { continue };
            if let Some(signal) = member.signals.get(site) {
                mixture.add_signal(index, site, signal)?;
            }
            for (guess, v) in member.weights.iter().enumerate() {
                mixture.add_direction(index, site, guess, v)?;
            }
        }
        if let Directions::Signal(signals) = self.directions() {
            estimator.normalise(&signals[site])?;
        }
        Ok(())
    }

    /// Whether a strategy reads the estimate of the step before, which must then be stored.
    pub(super) fn reads_estimate(&self) -> bool {
        self.members.iter().any(|member| member.plan.granted.has(GW_ROLE_PREVIOUS_ESTIMATE))
    }

    /// A bound on the elements of weight directions, where it is known: those that the host draws.
    pub(super) fn largest_element(&self) -> Option<f64> {
        let drawn = self.members.iter().all(|member| member.plan.direction == Direction::Seed);
        (drawn && self.mixture.is_none()).then_some(LARGEST_DRAW)
    }

    /// The guesses as the estimator takes them.
    pub(super) fn directions(&self) -> Directions<'_> {
        match (&self.mixture, self.kind) {
            (Some(mixture), _) => mixture.directions(),
            (None, GuessKind::Weight) => Directions::Weight(&self.members[0].weights),
            (None, _) => Directions::Signal(&self.members[0].signals),
        }
    }

    /// Kind `estimate`: ĝ as the strategy wrote it.
    pub(super) fn write_estimate(&self, estimate: &[Tensor]) -> Result<(), LaneFailure> {
        for (into, from) in estimate.iter().zip(self.members[0].outputs().estimate()) {
            kernel::copy(into, from)?;
        }
        Ok(())
    }

    /// Called when a number that came of the guess is not finite: an error that names the element, if a strategy wrote it.
    pub(super) fn blame(&self, what: &str) -> Result<(), LaneFailure> {
        self.members.iter().try_for_each(|member| member.blame(self.step, what))
    }

    /// Tells every strategy what came of the guess: of a mixture, what came of the sum.
    pub(super) fn observe(
        &mut self,
        network: &Network,
        tape: &Tape,
        loss: f64,
        estimate_norm: f64,
        estimator: Option<&Estimator>,
    ) -> Result<(), LaneFailure> {
        let scalars = estimator.map_or(&[][..], |estimator| &estimator.scalars().values);
        let outcome = Outcome { loss, scalars, estimate_norm };
        let moment = self.moment(tape, network);
        self.members.iter_mut().try_for_each(|member| member.observe(moment, &outcome))
    }

    /// A step has ended: the parameters have moved.
    pub(super) fn end(&mut self, network: &Network) -> Result<(), LaneFailure> {
        if let Some(Update { theta, change }) = &self.update {
            for ((old, change), new) in theta.iter().zip(change).zip(network.theta()) {
                kernel::copy(change, new)?;
                kernel::axpy(change, -1.0, old)?;
                kernel::copy(old, new)?;
            }
        }
        Ok(())
    }

    /// Metrics and messages of the strategies since the last call.
    pub(super) fn take_events(&mut self) -> Events {
        let mut all = Events::default();
        for member in &mut self.members {
            let Events { metrics, messages, dropped } = member.take_events();
            all.metrics.extend(metrics);
            all.messages.extend(messages);
            all.dropped += dropped;
        }
        all
    }

    /// What must be kept to go on later from the last whole step, after one that was cancelled in its midst: `None` where
    /// that is not known.
    pub(super) fn state_before(&mut self) -> Result<Option<State>, LaneFailure> {
        let mut states = Vec::with_capacity(self.members.len());
        for member in &mut self.members {
            match member.state_before()? {
                Some(state) => states.push(state),
                None => return Ok(None),
            }
        }
        Ok(Some(self.joined(states)))
    }

    /// What must be kept to go on later.
    pub(super) fn state(&mut self) -> Result<State, LaneFailure> {
        let states = self.members.iter_mut().map(Member::state).collect::<Result<_, _>>()?;
        Ok(self.joined(states))
    }

    /// The members' states as one, with the update of the step before, which the step under way does not touch.
    fn joined(&self, states: Vec<State>) -> State {
        let (mut bytes, tensors): (Vec<Vec<u8>>, Vec<_>) = states.into_iter().unzip();
        let mut tensors: Vec<(String, Tensor)> = tensors.into_iter().flatten().collect();
        if let Some(update) = &self.update {
            tensors.extend(
                update.change.iter().enumerate().map(|(index, tensor)| (format!("update.{index}"), tensor.clone())),
            );
        }
        match &self.mixture {
            Some(_) => (state::pack(&bytes), tensors),
            None => (bytes.pop().unwrap_or_default(), tensors),
        }
    }

    /// Restores what [`Guesser::state`] gave, at the parameters of `network`; `take` fills a tensor by its name.
    pub(super) fn restore(
        &mut self,
        bytes: &[u8],
        network: &Network,
        take: impl Fn(&str, &Tensor) -> Result<(), LaneFailure>,
    ) -> Result<(), LaneFailure> {
        let parts = match &self.mixture {
            Some(_) => state::unpack(bytes, self.members.len())
                .ok_or_else(|| LaneFailure::engine("what the mixture's strategies had saved does not come apart"))?,
            None => vec![bytes],
        };
        if let Some(update) = &self.update {
            for (index, change) in update.change.iter().enumerate() {
                take(&format!("update.{index}"), change)?;
                kernel::copy(&update.theta[index], &network.theta()[index])?;
            }
        }
        self.members.iter_mut().zip(parts).try_for_each(|(member, part)| member.restore(part, &take))
    }
}
