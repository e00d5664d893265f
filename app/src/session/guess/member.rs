//! One prepared strategy at work: its instance, what it writes, what it remembers. A lane has one, a mixture several.
#![forbid(unsafe_code)]

use super::chosen::Chosen;
use super::state::State;
use crate::estimate::{GuessKind, Point};
use crate::kernel;
use crate::model::{Network, Tape};
use crate::record::EndReason;
use crate::session::SessionError;
use crate::session::failure::LaneFailure;
use crate::session::oracle::PointOracle;
use crate::strategy::{
    Call, CallMode, Direction, Events, Inputs, Instance, Oracle, Outcome, Outputs, Plan, PluginError, RunFacts,
    SignalAt,
};
use candle_core::Tensor;
use guesswork_plugin::abi::{GW_ROLE_PREVIOUS_ESTIMATE, GW_SERVICE_CONTROL, GW_STRATEGY_STATELESS};

/// A strategy that has seen the model and the run, without memory for its guesses yet.
pub(super) struct Ready {
    pub(super) chosen: Chosen,
    pub(super) plan: Plan,
    instance: Instance,
    guesses: usize,
}

/// One prepared strategy.
pub(super) struct Member {
    pub(super) chosen: Chosen,
    pub(super) plan: Plan,
    /// E_l of the guesses under way by site, (K·B·P_l) × n_l.
    pub(super) signals: Vec<Tensor>,
    /// V of each guess, shaped as the parameters.
    pub(super) weights: Vec<Vec<Tensor>>,
    instance: Instance,
    outputs: Outputs,
    oracle: Option<PointOracle>,
    memory: Memory,
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

/// When and where a strategy is called.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) tape: &'a Tape,
    pub(super) theta: &'a [Tensor],
    pub(super) step: u64,
    /// The first of the guesses that are asked for.
    pub(super) first: usize,
    pub(super) progress: f64,
}

/// A lane whose strategy refuses.
fn refused(place: Option<usize>, lane: &str, error: &PluginError) -> SessionError {
    SessionError::Plugin { lane: lane.to_owned(), reason: placed(place, error.to_string()) }
}

impl Ready {
    /// Checks that the strategy and the lane go together, and prepares it for the model.
    pub(super) fn new(
        chosen: Chosen,
        facts: &RunFacts,
        network: &Network,
        tape: &Tape,
        lane: &str,
    ) -> Result<Self, SessionError> {
        let refused = |error| refused(chosen.place, lane, &error);
        let mut instance = Instance::create(&chosen.info, &chosen.params).map_err(refused)?;
        let plan = instance.prepare(network.graph(), tape, facts).map_err(refused)?;
        Ok(Self { chosen, plan, instance, guesses: facts.guesses })
    }
}

impl Member {
    /// Plans the memory for its guesses, `at_once` of which are made side by side.
    pub(super) fn new(
        ready: Ready,
        at_once: usize,
        kind: GuessKind,
        network: &Network,
        tape: &Tape,
        lane: &str,
    ) -> Result<Self, SessionError> {
        let Ready { chosen, plan, instance, guesses } = ready;
        let outputs = instance.outputs_of(tape, Some(at_once)).map_err(|error| refused(chosen.place, lane, &error))?;
        let signals: Vec<Tensor> = outputs.signals().iter().flatten().cloned().collect();
        let weights = match (kind, plan.direction) {
            (GuessKind::Weight, Direction::Dense) => outputs.directions().to_vec(),
            (GuessKind::Weight, _) => (0..guesses).map(|_| network.zeros_like()).collect::<candle_core::Result<_>>()?,
            _ => Vec::new(),
        };
        let oracle = if plan.oracle_budget > 0.0 && !outputs.directions().is_empty() {
            Some(PointOracle::new(network, tape, outputs.directions().to_vec())?)
        } else {
            None
        };
        let info = &chosen.info;
        let stateless = info.flags & GW_STRATEGY_STATELESS != 0 && plan.persistent.is_empty();
        let memory = match (stateless, info.services.has(GW_SERVICE_CONTROL)) {
            // The estimate of a step that was cancelled late is not the one before it.
            _ if plan.granted.has(GW_ROLE_PREVIOUS_ESTIMATE) => Memory::Unknown,
            (true, _) => Memory::Nothing,
            (false, true) => Memory::Kept(None),
            (false, false) => Memory::Unknown,
        };
        Ok(Self { chosen, plan, signals, weights, instance, outputs, oracle, memory })
    }

    pub(super) fn flop(&self) -> u64 {
        self.instance.flop()
    }

    /// Whether it is called site by site.
    pub(super) fn by_layer(&self) -> bool {
        self.plan.call_mode == CallMode::Layer
    }

    pub(super) fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// A step begins.
    pub(super) fn begin(&mut self) -> Result<(), LaneFailure> {
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

    /// Call mode `layer`: `site` and its activation exist.
    pub(super) fn at_site(&mut self, site: usize, moment: Moment<'_>, inputs: Inputs<'_>) -> Result<(), LaneFailure> {
        self.propose(Some(site), moment, inputs)
    }

    /// The whole forward pass is done: one call in call mode `model`, one for each site in call mode `layer`.
    pub(super) fn whole(
        &mut self,
        moment: Moment<'_>,
        point: Point<'_>,
        inputs: Inputs<'_>,
    ) -> Result<(), LaneFailure> {
        if self.by_layer() {
            let inputs = Inputs { output_errors: &[], ..inputs };
            return (0..point.tape.graph().sites.len()).try_for_each(|site| self.at_site(site, moment, inputs));
        }
        if let Some(oracle) = &mut self.oracle {
            oracle.aim(point);
        }
        self.propose(None, moment, inputs)
    }

    fn propose(&mut self, site: Option<usize>, moment: Moment<'_>, inputs: Inputs<'_>) -> Result<(), LaneFailure> {
        let Moment { tape, theta, step, first, progress } = moment;
        let oracle = self.oracle.as_mut().filter(|_| site.is_none()).map(|oracle| oracle as &mut dyn Oracle);
        let outputs = Some(&mut self.outputs);
        let mut call = Call { tape, theta, step, site, first_guess: first, progress, inputs, outputs, oracle };
        self.instance.propose(&mut call).map_err(|error| failed(self.chosen.place, &error))
    }

    /// Masks the signals of a site, if they were given at the activation.
    pub(super) fn mask(&self, site: usize, tape: &Tape) -> Result<(), LaneFailure> {
        if self.plan.signal_at == SignalAt::Activation
            && !self.signals.is_empty()
            && let Some(mask) = tape.derivative(site)
        {
            kernel::hadamard_assign(&self.signals[site], mask)?;
        }
        Ok(())
    }

    /// Forms the directions of a site, if they were given as factors or seeds.
    pub(super) fn form(&self, site: usize) -> Result<(), LaneFailure> {
        if self.plan.direction != Direction::Dense {
            for (guess, v) in self.weights.iter().enumerate() {
                self.outputs.direction_at(site, guess, v)?;
            }
        }
        Ok(())
    }

    /// Looks for an element that it wrote and that is not finite, as `what` was not.
    pub(super) fn blame(&self, step: u64, what: &str) -> Result<(), LaneFailure> {
        self.instance.scan(&self.outputs, step).map_err(|error| {
            let text = placed(self.chosen.place, format!("{error}; found because {what} was not finite"));
            let (fatal, again) = (error.fatal_for_run(), error.leaves_usable());
            LaneFailure { reason: EndReason::Plugin(text), fatal, again }
        })
    }

    /// Tells it what came of the guess.
    pub(super) fn observe(&mut self, moment: Moment<'_>, outcome: &Outcome<'_>) -> Result<(), LaneFailure> {
        if !self.instance.observes() {
            return Ok(());
        }
        let Moment { tape, theta, step, progress, .. } = moment;
        let (site, inputs, outputs, oracle) = Default::default();
        let mut call = Call { tape, theta, step, site, first_guess: 0, progress, inputs, outputs, oracle };
        self.instance.observe(&mut call, outcome).map_err(|error| failed(self.chosen.place, &error))
    }

    /// Its metrics and messages since the last call; those of a mixture's member say whose they are.
    pub(super) fn take_events(&mut self) -> Events {
        let mut events = self.instance.take_events();
        let silent = events.metrics.is_empty() && events.messages.is_empty();
        if let Some(label) = self.chosen.label().filter(|_| !silent) {
            events.metrics.iter_mut().for_each(|(name, _)| *name = format!("{label}.{name}"));
            events.messages.iter_mut().for_each(|(_, text)| *text = format!("{label}: {text}"));
        }
        events
    }

    /// Its state at the last whole step, after one that was cancelled in its midst: `None` where that is not known.
    pub(super) fn state_before(&mut self) -> Result<Option<State>, LaneFailure> {
        match &self.memory {
            Memory::Nothing => self.state().map(Some),
            Memory::Kept(before) => Ok(before.clone()),
            Memory::Unknown => Ok(None),
        }
    }

    /// What must be kept to go on later.
    pub(super) fn state(&mut self) -> Result<State, LaneFailure> {
        let tensors = self.instance.state().into_iter().map(|(name, tensor)| (self.key(&name), tensor)).collect();
        Ok((self.instance.save().map_err(|error| failed(self.chosen.place, &error))?, tensors))
    }

    /// Restores what [`Member::state`] gave; `take` fills a tensor by its name.
    pub(super) fn restore(
        &mut self,
        bytes: &[u8],
        take: impl Fn(&str, &Tensor) -> Result<(), LaneFailure>,
    ) -> Result<(), LaneFailure> {
        for (name, tensor) in self.instance.state() {
            take(&self.key(&name), &tensor)?;
        }
        self.instance.load(bytes).map_err(|error| failed(self.chosen.place, &error))
    }

    /// Name of a persistent matrix in the lane's state.
    fn key(&self, name: &str) -> String {
        self.chosen.place.map_or_else(|| name.to_owned(), |place| format!("{place}.{name}"))
    }
}

/// A message about a strategy, with its place in a mixture.
fn placed(place: Option<usize>, text: String) -> String {
    place.map_or_else(|| text.clone(), |place| format!("of[{place}]: {text}"))
}

/// How a lane ends by a failure of the strategy at `place`.
fn failed(place: Option<usize>, error: &PluginError) -> LaneFailure {
    if error.cancelled() {
        return LaneFailure { reason: EndReason::Interrupted, fatal: false, again: false };
    }
    let (fatal, again) = (error.fatal_for_run(), error.leaves_usable());
    LaneFailure { reason: EndReason::Plugin(placed(place, error.to_string())), fatal, again }
}
