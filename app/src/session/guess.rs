//! A lane's strategy at work: calls the plugin, holds what it wrote, hands it to the estimator as directions.
#![forbid(unsafe_code)]

use super::SessionError;
use super::build::Shared;
use super::failure::LaneFailure;
use super::oracle::PointOracle;
use super::plan::LanePlan;
use crate::data::Batch;
use crate::estimate::{Directions, Estimator, GuessKind, Point, Settings};
use crate::kernel;
use crate::model::{Network, Tape};
use crate::record::{EndReason, StrategyCard};
use crate::strategy::{
    Call, CallMode, Direction, Events, Inputs, Instance, Kind, Oracle, Outcome, Outputs, Params, Plan, PluginError,
    RunFacts, SignalAt, StrategyInfo,
};
use crate::workspace::ScalarSource;
use candle_core::Tensor;
use guesswork_plugin::abi::{
    GW_ROLE_OUTPUT_ERROR, GW_ROLE_PREVIOUS_ESTIMATE, GW_ROLE_PREVIOUS_UPDATE, GW_SERVICE_CONTROL, GW_STRATEGY_STATELESS,
};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// No normal draw is larger: Box–Muller on words of 32 bits ends at √(66 ln 2).
const LARGEST_DRAW: f64 = 6.8;

/// One prepared strategy.
pub(super) struct Guesser {
    instance: Instance,
    plan: Plan,
    outputs: Outputs,
    settings: Settings,
    params: Params,
    kind: GuessKind,
    card: StrategyCard,
    signals: Vec<Tensor>,
    weights: Vec<Vec<Tensor>>,
    errors: Vec<Tensor>,
    update: Option<Update>,
    oracle: Option<PointOracle>,
    memory: Memory,
    step: u64,
    progress: f64,
}

/// What a strategy that is cancelled in the midst of a step leaves behind.
enum Memory {
    /// Nothing of it reaches another step.
    Nothing,
    /// It may notice that it is cancelled: its state before the step under way is kept, once there is one.
    Kept(Option<State>),
    /// It has a state, and said that it would not notice.
    Unknown,
}

/// The instance's bytes, and named tensors.
pub(super) type State = (Vec<u8>, Vec<(String, Tensor)>);

/// What the formula card shows, from the strategy's own metadata.
fn card(info: &StrategyInfo) -> StrategyCard {
    StrategyCard {
        name: info.name.clone(),
        version: info.version.clone(),
        kind: info.kind.name().to_owned(),
        formula: info.formula.clone(),
        description: info.description.clone(),
        citation: info.citation.clone(),
        library: info.library.display().to_string(),
    }
}

/// What the estimator makes of a strategy of that kind; `None` where lanes cannot run it.
pub(super) fn kind(kind: Kind) -> Option<GuessKind> {
    match kind {
        Kind::Signal => Some(GuessKind::Signal),
        Kind::Weight => Some(GuessKind::Weight),
        Kind::Estimate => Some(GuessKind::Estimate),
        Kind::Search => None,
    }
}

/// The update of the step before, kept only for a strategy that was granted it.
struct Update {
    theta: Vec<Tensor>,
    change: Vec<Tensor>,
}

impl From<PluginError> for LaneFailure {
    fn from(error: PluginError) -> Self {
        if error.cancelled() {
            return Self { reason: EndReason::Interrupted, fatal: false, again: false };
        }
        let (fatal, again) = (error.fatal_for_run(), error.leaves_usable());
        Self { fatal, again, reason: EndReason::Plugin(error.to_string()) }
    }
}

impl Guesser {
    /// Finds the strategy, checks its parameters and the lane's settings, and prepares it for the model. Draws are keyed by the
    /// instance's `number`: 0 trains.
    pub(super) fn new(
        shared: &Shared,
        plan: &LanePlan,
        network: &Network,
        tape: &Tape,
        cancelled: Arc<AtomicBool>,
        number: u64,
    ) -> Result<Self, SessionError> {
        let info = shared.catalog.get(&plan.spec.strategy)?;
        let card = card(info);
        let lane = || plan.name.clone();
        let Some(kind) = kind(info.kind) else {
            let reason = format!(
                "strategy `{}` is of kind search, which moves the parameters itself; lanes of this version run signal, weight and estimate strategies",
                info.id
            );
            return Err(SessionError::Lane { lane: lane(), reason });
        };
        let settings = Settings::resolve(&plan.spec, &shared.defaults, kind, info.own_source())
            .map_err(|error| SessionError::Lane { lane: lane(), reason: error.to_string() })?;
        let differs = matches!(settings.source, ScalarSource::Central(_) | ScalarSource::OneSided(_));
        if network.graph().outputs.len() > 1 && differs {
            let reason = "source: a difference of losses sees through the borders of local losses, where signals stop; write \
                          tangent or none";
            return Err(SessionError::Lane { lane: lane(), reason: reason.to_owned() });
        }
        let params = Params::check(&info.id, &info.params, &plan.spec.params)
            .map_err(|error| SessionError::Lane { lane: lane(), reason: error.to_string() })?;
        let refused = |error: PluginError| SessionError::Plugin { lane: plan.name.clone(), reason: error.to_string() };
        let mut instance = Instance::create(info, &params).map_err(refused)?;
        let facts = RunFacts {
            scope: settings.scope,
            guesses: settings.guesses,
            seed: plan.seed,
            instance: number,
            diagnostic: shared.diagnostic,
            // A loss sees through the borders of local losses, where signals stop.
            oracle: network.graph().outputs.len() == 1,
            cancelled,
        };
        let prepared = instance.prepare(network.graph(), tape, &facts).map_err(refused)?;
        let outputs = instance.outputs(tape).map_err(refused)?;
        let granted = |role| prepared.granted.has(role);
        let told = granted(GW_ROLE_OUTPUT_ERROR);
        let outputs_told = tape.outputs().into_iter().filter(|_| told);
        let errors = outputs_told.map(Tensor::zeros_like).collect::<candle_core::Result<_>>()?;
        let update = if granted(GW_ROLE_PREVIOUS_UPDATE) {
            let theta = network.theta().iter().map(Tensor::copy).collect::<candle_core::Result<_>>()?;
            Some(Update { theta, change: network.zeros_like()? })
        } else {
            None
        };
        let signals: Vec<Tensor> = outputs.signals().iter().flatten().cloned().collect();
        let weights = match (kind, prepared.direction) {
            (GuessKind::Weight, Direction::Dense) => outputs.directions().to_vec(),
            (GuessKind::Weight, _) => {
                (0..settings.guesses).map(|_| network.zeros_like()).collect::<candle_core::Result<_>>()?
            }
            _ => Vec::new(),
        };
        let oracle = if prepared.oracle_budget > 0.0 {
            Some(PointOracle::new(network, tape, outputs.directions().to_vec())?)
        } else {
            None
        };
        let stateless = info.flags & GW_STRATEGY_STATELESS != 0 && prepared.persistent.is_empty();
        let memory = match (stateless, info.services.has(GW_SERVICE_CONTROL)) {
            // The estimate of a step that was cancelled late is not the one before it.
            _ if granted(GW_ROLE_PREVIOUS_ESTIMATE) => Memory::Unknown,
            (true, _) => Memory::Nothing,
            (false, true) => Memory::Kept(None),
            (false, false) => Memory::Unknown,
        };
        Ok(Self {
            instance,
            plan: prepared,
            outputs,
            settings,
            params,
            kind,
            card,
            signals,
            weights,
            errors,
            update,
            oracle,
            memory,
            step: 0,
            progress: 0.0,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The strategy's parameters, checked and defaulted.
    pub(super) fn params(&self) -> &Params {
        &self.params
    }

    pub(super) fn kind(&self) -> GuessKind {
        self.kind
    }

    pub(super) fn card(&self) -> &StrategyCard {
        &self.card
    }

    /// FLOP of the products that the strategy has asked for so far.
    pub(super) fn flop(&self) -> u64 {
        self.instance.flop()
    }

    pub(super) fn needs_estimator(&self) -> bool {
        self.kind != GuessKind::Estimate
    }

    pub(super) fn gradient_capable(&self) -> bool {
        self.plan.gradient_capable
    }

    /// Whether the strategy is called site by site during the forward pass.
    pub(super) fn by_layer(&self) -> bool {
        self.plan.call_mode == CallMode::Layer
    }

    /// A step begins.
    pub(super) fn begin(&mut self, step: u64, steps: u64) -> Result<(), LaneFailure> {
        self.step = step;
        self.progress = step as f64 / steps.max(1) as f64;
        if !matches!(self.memory, Memory::Kept(_)) {
            return Ok(());
        }
        let (bytes, tensors) = self.state()?;
        if let Memory::Kept(Some((kept, copies))) = &mut self.memory {
            *kept = bytes;
            for ((_, copy), (_, tensor)) in copies.iter().zip(&tensors) {
                kernel::copy(copy, tensor)?;
            }
        } else {
            let copies = tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.copy()?)));
            self.memory = Memory::Kept(Some((bytes, copies.collect::<candle_core::Result<_>>()?)));
        }
        Ok(())
    }

    /// A guess beside training begins at step `step`: its draws are those of `key`.
    pub(super) fn begin_probe(&mut self, key: u64, step: u64, steps: u64) -> Result<(), LaneFailure> {
        self.begin(step, steps)?;
        self.step = key;
        Ok(())
    }

    /// Call mode `layer`: `site` and its activation exist.
    pub(super) fn at_site(
        &mut self,
        site: usize,
        network: &Network,
        tape: &Tape,
        estimate: &[Tensor],
        batch: &Batch,
    ) -> Result<(), LaneFailure> {
        let inputs = Inputs {
            labels: Some(&batch.labels),
            previous_estimate: Some(estimate),
            previous_update: self.update.as_ref().map(|update| &update.change[..]),
            ..Inputs::default()
        };
        let mut call = Call {
            tape,
            theta: network.theta(),
            step: self.step,
            site: Some(site),
            progress: self.progress,
            inputs,
            outputs: Some(&mut self.outputs),
            oracle: None,
        };
        Ok(self.instance.propose(&mut call)?)
    }

    /// Call mode `model`: the whole forward pass is done.
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
        if let Some(oracle) = &mut self.oracle {
            oracle.aim(point);
        }
        let inputs = Inputs {
            labels: Some(&batch.labels),
            output_errors: &self.errors,
            previous_estimate: Some(estimate),
            previous_update: self.update.as_ref().map(|update| &update.change[..]),
            ..Inputs::default()
        };
        let mut call = Call {
            tape: point.tape,
            theta: network.theta(),
            step: self.step,
            site: None,
            progress: self.progress,
            inputs,
            outputs: Some(&mut self.outputs),
            oracle: self.oracle.as_mut().map(|oracle| oracle as &mut dyn Oracle),
        };
        Ok(self.instance.propose(&mut call)?)
    }

    /// Makes the guess ready: masks a guess given at the activation, normalises rows, draws seeded directions.
    pub(super) fn finish(&mut self, tape: &Tape, estimator: &Estimator) -> Result<(), LaneFailure> {
        for site in 0..self.signals.len() {
            self.finish_site(site, tape, estimator)?;
        }
        if self.plan.direction != Direction::Dense {
            for (guess, v) in self.weights.iter().enumerate() {
                self.outputs.direction_into(guess, v)?;
            }
        }
        Ok(())
    }

    /// The same for the signals of one site.
    pub(super) fn finish_site(&mut self, site: usize, tape: &Tape, estimator: &Estimator) -> Result<(), LaneFailure> {
        let guess = &self.signals[site];
        if self.plan.signal_at == SignalAt::Activation
            && let Some(mask) = tape.derivative(site)
        {
            kernel::hadamard_assign(guess, mask)?;
        }
        Ok(estimator.normalise(guess)?)
    }

    /// Whether the guess of a site is whole as soon as the strategy has been called for it.
    pub(super) fn by_site(&self) -> bool {
        self.by_layer() && self.kind == GuessKind::Signal
    }

    /// Whether the strategy reads the estimate of the step before, which must then be stored.
    pub(super) fn reads_estimate(&self) -> bool {
        self.plan.granted.has(GW_ROLE_PREVIOUS_ESTIMATE)
    }

    /// A bound on the elements of weight directions, where it is known: those that the host draws.
    pub(super) fn largest_element(&self) -> Option<f64> {
        (self.plan.direction == Direction::Seed).then_some(LARGEST_DRAW)
    }

    /// The guesses as the estimator takes them.
    pub(super) fn directions(&self) -> Directions<'_> {
        match self.kind {
            GuessKind::Weight => Directions::Weight(&self.weights),
            _ => Directions::Signal(&self.signals),
        }
    }

    /// Kind `estimate`: ĝ as the strategy wrote it.
    pub(super) fn write_estimate(&self, estimate: &[Tensor]) -> Result<(), LaneFailure> {
        for (into, from) in estimate.iter().zip(self.outputs.estimate()) {
            kernel::copy(into, from)?;
        }
        Ok(())
    }

    /// Called when a number that came of the guess is not finite: an error that names the element, if the strategy wrote it.
    pub(super) fn blame(&self, what: &str) -> Result<(), LaneFailure> {
        match self.instance.scan(&self.outputs, self.step) {
            Ok(()) => Ok(()),
            Err(error) => {
                let text = format!("{error}; found because {what} was not finite");
                let (fatal, again) = (error.fatal_for_run(), error.leaves_usable());
                Err(LaneFailure { reason: EndReason::Plugin(text), fatal, again })
            }
        }
    }

    /// Tells the strategy what came of its guess.
    pub(super) fn observe(
        &mut self,
        network: &Network,
        tape: &Tape,
        loss: f64,
        estimate_norm: f64,
        estimator: Option<&Estimator>,
    ) -> Result<(), LaneFailure> {
        if !self.instance.observes() {
            return Ok(());
        }
        let scalars = estimator.map_or(&[][..], |estimator| &estimator.scalars().values);
        let outcome = Outcome { loss, scalars, estimate_norm };
        let mut call = Call {
            tape,
            theta: network.theta(),
            step: self.step,
            site: None,
            progress: self.progress,
            inputs: Inputs::default(),
            outputs: None,
            oracle: None,
        };
        Ok(self.instance.observe(&mut call, &outcome)?)
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

    /// Metrics and messages of the strategy since the last call.
    pub(super) fn take_events(&mut self) -> Events {
        self.instance.take_events()
    }

    /// What must be kept to go on later from the last whole step, after one that was cancelled in its midst: `None` where
    /// that is not known.
    pub(super) fn state_before(&mut self) -> Result<Option<State>, LaneFailure> {
        match &self.memory {
            Memory::Nothing => self.state().map(Some),
            Memory::Kept(before) => Ok(before.clone()),
            Memory::Unknown => Ok(None),
        }
    }

    /// What must be kept to go on later.
    pub(super) fn state(&mut self) -> Result<State, LaneFailure> {
        let mut tensors = self.instance.state();
        if let Some(update) = &self.update {
            tensors.extend(
                update.change.iter().enumerate().map(|(index, tensor)| (format!("update.{index}"), tensor.clone())),
            );
        }
        Ok((self.instance.save()?, tensors))
    }

    /// Restores what [`Guesser::state`] gave, at the parameters of `network`; `take` fills a tensor by its name.
    pub(super) fn restore(
        &mut self,
        bytes: &[u8],
        network: &Network,
        take: impl Fn(&str, &Tensor) -> Result<(), LaneFailure>,
    ) -> Result<(), LaneFailure> {
        for (name, tensor) in self.instance.state() {
            take(&name, &tensor)?;
        }
        if let Some(update) = &self.update {
            for (index, change) in update.change.iter().enumerate() {
                take(&format!("update.{index}"), change)?;
                kernel::copy(&update.theta[index], &network.theta()[index])?;
            }
        }
        Ok(self.instance.load(bytes)?)
    }
}
