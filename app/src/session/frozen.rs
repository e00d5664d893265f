//! Lanes at their checkpoints: what would be measured at the next step of each, while no lane goes on and nothing is written.
//!
//! A lane is rebuilt as on resume, with its settings, parameters and what its strategy remembers, those that have ended too. It takes
//! its next step, on the batch and with the draws of that step, and is thrown away: everything is measured before the update, so what is
//! found is of the checkpoint's parameters. A run that goes on and measures at that step, with as many guesses, records the same numbers.
#![forbid(unsafe_code)]

use super::build::Shared;
use super::checkpoint;
use super::lane::Lane;
use super::plan::{LanePlan, problems};
use super::shared::Prepared;
use super::tuning::Tuning;
use super::{Experiment, SessionError};
use crate::kernel;
use crate::record::checkpoint::{CheckpointError, lane_of};
use crate::record::{EndReason, LaneId, LaneInfo, StepReport};
use crate::workspace::sheet::hint;
use crate::workspace::{Measure, Workspace};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// What was measured at the checkpoints of a run.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// Estimates that bias, variance and fit come from, M.
    pub guesses: u64,
    /// The lanes that were asked for, in order; trials of a tuning stage are none.
    pub lanes: Vec<FrozenLane>,
}

/// A lane at its checkpoint.
#[derive(Clone, Debug)]
pub struct FrozenLane {
    /// Its number.
    pub lane: LaneId,
    /// Name for people, without the seed.
    pub name: String,
    /// Seed of initialisation and guesses.
    pub seed: u64,
    /// Id of the strategy.
    pub strategy: String,
    /// What was found.
    pub found: Found,
}

/// What was found of a lane.
#[derive(Clone, Debug)]
pub enum Found {
    /// What the lane is, and what was measured at the step that comes next.
    Measured(Arc<LaneInfo>, StepReport),
    /// Nothing: why.
    LeftOut(String),
}

/// Why nothing can be measured.
#[derive(Debug, Error)]
pub enum FrozenError {
    /// No lane of that name.
    #[error("no lane `{name}` in this run; {hint}")]
    Lane {
        /// What was asked for.
        name: String,
        /// The nearest name, and those that there are.
        hint: String,
    },
    /// There is no checkpoint of any lane that was asked for.
    #[error(
        "no checkpoint of {what} in {}; a run with --out DIR writes one every 20 seconds, at the end of each lane and when it is \
         interrupted",
        path.display()
    )]
    NoCheckpoint {
        /// The folder of checkpoints.
        path: PathBuf,
        /// The lanes.
        what: String,
    },
    /// The run cannot be rebuilt, or a lane of it fails.
    #[error(transparent)]
    Session(Box<SessionError>),
}

impl From<SessionError> for FrozenError {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

/// Measures the lanes called `names` (all of them without one) of the run of `experiment` at their checkpoints in the folder
/// `checkpoints`: loss, alignment, and bias, variance and fit over so many `guesses`, those of the workspace's probes when `None`.
///
/// Nothing is written. The same is found whenever it is asked for, at any number of threads.
///
/// # Errors
/// When no lane has such a name or none has a checkpoint; as a session that resumes; when a strategy fails.
pub fn measure(
    experiment: Experiment,
    checkpoints: &Path,
    names: &[String],
    guesses: Option<u64>,
) -> Result<Frozen, FrozenError> {
    let plans = chosen(plans(&experiment.workspace, checkpoints)?, names)?;
    let kept = kept(checkpoints)?;
    if !plans.iter().any(|plan| kept.contains(&plan.lane)) {
        let what = if names.is_empty() { "a lane".to_owned() } else { format!("`{}`", names.join("`, `")) };
        return Err(FrozenError::NoCheckpoint { path: checkpoints.into(), what });
    }
    let guesses = guesses.unwrap_or(experiment.workspace.measure.bias_guesses);
    let never = Measure { one_step: 0, spectrum: 0, mask_density: 0, test: 0, train: 0, ..Measure::default() };
    let measure = Measure { alignment: 1, bias: 1, bias_guesses: guesses, ..never };
    let workspace = Workspace { measure, ..experiment.workspace };
    let prepared = Prepared::load(Experiment { workspace, ..experiment })?;
    let at = |plan: LanePlan| -> Result<FrozenLane, SessionError> {
        let shared = &prepared.shared[plan.problem];
        let (lane, name, seed, strategy) = (plan.lane, plan.name.clone(), plan.seed, plan.spec.strategy.clone());
        let found = prepared.pool.install(|| look(shared, plan, checkpoints))?;
        Ok(FrozenLane { lane, name, seed, strategy, found })
    };
    Ok(Frozen { guesses, lanes: plans.into_iter().map(at).collect::<Result<_, _>>()? })
}

/// The lanes of the run but its trials: those of the grid, with the settings that the workspace writes, and those added while it ran.
fn plans(workspace: &Workspace, checkpoints: &Path) -> Result<Vec<LanePlan>, SessionError> {
    let (plans, tuning) = Tuning::plan(workspace)?;
    let known = tuning.as_ref().map_or(plans.len(), Tuning::lanes);
    let mut real = tuning.map_or(plans, |tuning| tuning.as_written(workspace));
    let problems = problems(&workspace.grid()?).len().max(1);
    real.extend(checkpoint::added(checkpoints, known, problems, workspace.steps)?);
    Ok(real)
}

/// Those of `plans` that are called one of `names`; all of them where there is none.
fn chosen(plans: Vec<LanePlan>, names: &[String]) -> Result<Vec<LanePlan>, FrozenError> {
    if let Some(name) = names.iter().find(|name| !plans.iter().any(|plan| plan.name == **name)) {
        let mut known: Vec<&str> = Vec::new();
        for plan in &plans {
            if !known.contains(&plan.name.as_str()) {
                known.push(&plan.name);
            }
        }
        return Err(FrozenError::Lane { name: name.clone(), hint: hint(name, &known, "lanes") });
    }
    Ok(plans.into_iter().filter(|plan| names.is_empty() || names.contains(&plan.name)).collect())
}

/// The lanes that have a checkpoint in `folder`; none where there is no such folder.
fn kept(folder: &Path) -> Result<BTreeSet<LaneId>, SessionError> {
    let failed = |error| SessionError::from(CheckpointError::Read { path: folder.into(), error });
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut lanes = BTreeSet::new();
    for entry in entries {
        lanes.extend(entry.map_err(failed)?.file_name().to_str().and_then(lane_of));
    }
    Ok(lanes)
}

/// What the next step of the lane of `plan` measures, from its checkpoint in `folder`.
fn look(shared: &Shared, plan: LanePlan, folder: &Path) -> Result<Found, SessionError> {
    let mut lane = Lane::new(shared, plan, Arc::default())?;
    let Some(loaded) = lane.kept(folder)? else {
        return Ok(Found::LeftOut("it has no checkpoint yet".to_owned()));
    };
    lane.go_to(&loaded, shared, Arc::default())?;
    if lane.guesser.is_some() {
        if let Some(EndReason::Plugin(why) | EndReason::Failed(why)) = &loaded.meta.ended {
            let step = loaded.meta.step;
            return Ok(Found::LeftOut(format!(
                "it failed at step {step}, and what its strategy remembered then is not kept: {why}"
            )));
        }
        lane.remember(&loaded)?;
    }
    let step = lane.steps_taken();
    let batch = shared.batches.clone().batch(step)?;
    match kernel::attended(|| lane.step(&batch, &shared.data)) {
        Ok(report) => Ok(Found::Measured(lane.info().clone(), report)),
        Err(failure) => {
            let (lane, reason) = (lane.plan().name.clone(), failure.to_string());
            match failure.reason {
                EndReason::Diverged(_) => Ok(Found::LeftOut(reason)),
                EndReason::Plugin(_) => Err(SessionError::Plugin { lane, reason }),
                _ => Err(SessionError::Step { lane, step, reason }),
            }
        }
    }
}
