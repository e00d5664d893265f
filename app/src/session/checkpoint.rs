//! A lane's state on disk and back, so that a resumed lane goes on bit for bit.
//!
//! Kept: parameters, optimizer moments, the last estimate, the strategy's own state, where the lane stands. Batches and
//! draws are functions of their keys and need no keeping.
#![forbid(unsafe_code)]

use super::SessionError;
use super::budget::Spent;
use super::build::Shared;
use super::failure::LaneFailure;
use super::lane::Lane;
use super::plan::LanePlan;
use super::tuning::Validation;
use crate::kernel;
use crate::record::checkpoint::{self, CheckpointError, LaneCheckpoint, Loaded};
use crate::record::{EndReason, LaneId};
use candle_core::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

impl Lane {
    /// Writes the lane's checkpoint into `folder`. After a step that was cancelled in its midst it is that of the last whole
    /// step; where the strategy's state at that one is not known, the checkpoint before it stays.
    pub(super) fn checkpoint(&mut self, folder: &Path, ended: Option<&EndReason>) -> Result<(), SessionError> {
        let mut tensors = BTreeMap::new();
        for (name, theta) in self.network.names().iter().zip(self.network.theta()) {
            tensors.insert(format!("model.{name}"), theta.clone());
        }
        for (name, estimate) in self.network.names().iter().zip(&self.estimate) {
            tensors.insert(format!("estimate.{name}"), estimate.clone());
        }
        for (name, tensor) in self.optimizer.state() {
            tensors.insert(format!("optimizer.{name}"), tensor);
        }
        let mut plugin_state = Vec::new();
        // A strategy that failed is not asked for its state, and its lane does not go on.
        let broken = matches!(ended, Some(EndReason::Plugin(_) | EndReason::Failed(_)));
        if let Some(guesser) = self.guesser.as_mut().filter(|_| !broken) {
            let state = if self.torn { guesser.state_before() } else { guesser.state().map(Some) };
            let state = state.map_err(|failure| SessionError::Plugin {
                lane: self.plan.name.clone(),
                reason: failure.to_string(),
            })?;
            let Some((bytes, kept)) = state else { return Ok(()) };
            plugin_state = bytes;
            tensors.extend(kept.into_iter().map(|(name, tensor)| (format!("strategy.{name}"), tensor)));
        }
        let mut extras = BTreeMap::new();
        extras.insert("optimizer_steps".to_owned(), self.optimizer.steps().to_string());
        let Spent { examples, derivatives, flop } = self.spent;
        for (key, spent) in [("examples", examples), ("derivatives", derivatives), ("flop", flop)] {
            extras.insert(key.to_owned(), spent.to_string());
        }
        if let Some(loss) = self.first_loss {
            extras.insert("first_loss".to_owned(), exact(loss));
        }
        if let Some(found) = self.validation {
            extras.insert("validation_loss".to_owned(), exact(found.loss));
            extras.insert("validation_accuracy".to_owned(), exact(found.accuracy));
        }
        extras.insert(SPEC.to_owned(), json(&self.plan.spec));
        if self.plan.added {
            extras.insert(ADDED.to_owned(), self.plan.name.clone());
            extras.insert(PROBLEM.to_owned(), json(&(self.plan.problem, &self.plan.axes)));
        }
        if let Some(change) = &self.change {
            extras.insert(CHANGE.to_owned(), json(change));
        }
        let meta = LaneCheckpoint {
            lane: self.plan.lane,
            step: self.steps_taken,
            seed: self.plan.seed,
            strategy: self.plan.spec.strategy.clone(),
            version: self.info.card.version.clone(),
            ended: ended.filter(|reason| reason.is_final()).cloned(),
            seconds: self.seconds,
            plugin_state,
            extras,
        };
        Ok(checkpoint::save(&checkpoint::path(folder, self.plan.lane), &meta, &tensors)?)
    }

    /// Goes to where the lane's checkpoint in `folder` stands, with the settings it had there; stays at the start when there
    /// is none. Returns why the lane had ended for good, if it had.
    pub(super) fn restore(
        &mut self,
        folder: &Path,
        shared: &Shared,
        cancelled: Arc<AtomicBool>,
    ) -> Result<Option<EndReason>, SessionError> {
        let Some(loaded) = self.kept(folder)? else { return Ok(None) };
        self.go_to(&loaded, shared, cancelled)?;
        if loaded.meta.ended.is_none() {
            self.remember(&loaded)?;
        }
        Ok(loaded.meta.ended)
    }

    /// The lane's checkpoint in `folder`, if there is one.
    pub(super) fn kept(&self, folder: &Path) -> Result<Option<Loaded>, SessionError> {
        let path = checkpoint::path(folder, self.plan.lane);
        match checkpoint::load(&path, self.plan.lane, self.tape.device()) {
            Ok(loaded) => Ok(Some(loaded)),
            Err(CheckpointError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes up everything of `loaded` but what the strategy remembers.
    pub(super) fn go_to(
        &mut self,
        loaded: &Loaded,
        shared: &Shared,
        cancelled: Arc<AtomicBool>,
    ) -> Result<(), SessionError> {
        let path = &loaded.path;
        loaded.check(self.plan.seed, &self.plan.spec.strategy, &self.info.card.version)?;
        if let Some(text) = loaded.meta.extras.get(SPEC) {
            self.retune(shared, &parse(text, path)?, cancelled)?;
            self.messages.clear();
        }
        self.change = loaded.meta.extras.get(CHANGE).map(|text| parse(text, path)).transpose()?;
        for (index, name) in self.network.names().iter().enumerate() {
            take(loaded, &format!("model.{name}"), &self.network.theta()[index])?;
            take(loaded, &format!("estimate.{name}"), &self.estimate[index])?;
        }
        for (name, tensor) in self.optimizer.state() {
            take(loaded, &format!("optimizer.{name}"), &tensor)?;
        }
        let number = |key: &str| loaded.meta.extras.get(key).and_then(|text| text.parse::<f64>().ok());
        let steps = loaded.meta.extras.get("optimizer_steps").and_then(|text| text.parse().ok());
        self.optimizer.set_steps(steps.unwrap_or(loaded.meta.step));
        self.first_loss = number("first_loss");
        if let (Some(loss), Some(accuracy)) = (number("validation_loss"), number("validation_accuracy")) {
            self.validation = Some(Validation { loss, accuracy });
        }
        self.steps_taken = loaded.meta.step;
        let kept = |key: &str| loaded.meta.extras.get(key).and_then(|text| text.parse::<u64>().ok());
        self.spent = match (kept("examples"), kept("derivatives"), kept("flop")) {
            (Some(examples), Some(derivatives), Some(flop)) => Spent { examples, derivatives, flop },
            _ => Spent::of(&self.info, self.steps_taken),
        };
        self.seconds = loaded.meta.seconds;
        Ok(())
    }

    /// Takes up what the strategy remembers, which a lane that failed does not keep. After [`Lane::go_to`].
    pub(super) fn remember(&mut self, loaded: &Loaded) -> Result<(), SessionError> {
        let Some(guesser) = &mut self.guesser else { return Ok(()) };
        let find = |name: &str, like: &Tensor| {
            take(loaded, &format!("strategy.{name}"), like).map_err(|error| LaneFailure::engine(&error.to_string()))
        };
        let restored = guesser.restore(&loaded.meta.plugin_state, &self.network, find);
        restored.map_err(|failure| SessionError::Plugin { lane: self.plan.name.clone(), reason: failure.to_string() })
    }
}

/// Lanes that were added while a run was under way, from their checkpoints in `folder`: those of no lane in `known`, which trains one
/// of so many problems.
pub(super) fn added(folder: &Path, known: usize, problems: usize, steps: u64) -> Result<Vec<LanePlan>, SessionError> {
    let mut plans = Vec::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let lanes = entries.filter_map(|entry| checkpoint::lane_of(entry.file_name().to_str()?));
    let lanes: BTreeSet<LaneId> = lanes.filter(|lane| *lane >= known).collect();
    for lane in lanes {
        let path = checkpoint::path(folder, lane);
        let meta = checkpoint::peek(&path, lane)?;
        if let (Some(name), Some(spec)) = (meta.extras.get(ADDED), meta.extras.get(SPEC)) {
            let spec = parse(spec, &path)?;
            let (problem, axes) = match meta.extras.get(PROBLEM) {
                Some(text) => parse::<(usize, BTreeMap<String, String>)>(text, &path)?,
                None => (0, BTreeMap::new()),
            };
            if problem >= problems {
                let why = format!("it trains problem {problem} of a sweep over {problems}, counted from 0");
                return Err(CheckpointError::Damaged { path, why }.into());
            }
            let (name, seed) = (name.clone(), meta.seed);
            plans.push(LanePlan { lane, name, spec, problem, seed, steps, trial: false, added: true, axes });
        }
    }
    Ok(plans)
}

/// What is kept of settings, which may be others than the workspace's: as they are, the name of a lane that was added while
/// running with its problem, the last change.
const SPEC: &str = "spec";
const ADDED: &str = "added";
const PROBLEM: &str = "problem";
const CHANGE: &str = "change";

/// JSON of what always has one.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, SessionError> {
    serde_json::from_str(text).map_err(|error| {
        let why = format!("the settings kept in it cannot be read: {error}");
        CheckpointError::Damaged { path: path.into(), why }.into()
    })
}

/// Copies the checkpoint's tensor of that name into `into`.
fn take(loaded: &Loaded, name: &str, into: &Tensor) -> Result<(), SessionError> {
    let tensor = loaded.tensor(name, into.dims(), into.dtype())?;
    Ok(kernel::copy(into, tensor)?)
}

/// A number that reads back to the same bits.
fn exact(value: f64) -> String {
    format!("{value:?}")
}
