//! Lanes before they run, as a workspace's grid or the person at the screen asks for them.
#![forbid(unsafe_code)]

use crate::record::LaneId;
use crate::workspace::{LaneRun, LaneSpec, Problem, Workspace};
use std::collections::BTreeMap;

/// A lane before it runs.
#[derive(Clone, Debug)]
pub(super) struct LanePlan {
    pub(super) lane: LaneId,
    pub(super) name: String,
    pub(super) spec: LaneSpec,
    /// Which of the session's problems it trains.
    pub(super) problem: usize,
    pub(super) seed: u64,
    pub(super) steps: u64,
    pub(super) trial: bool,
    pub(super) added: bool,
    /// The sweep's values it was made with, by path.
    pub(super) axes: BTreeMap<String, String>,
}

impl LanePlan {
    /// A lane of the workspace's grid, whose problem is among `problems`.
    pub(super) fn real(lane: LaneId, run: LaneRun, problems: &[Problem], steps: u64) -> Self {
        let (axes, problem) = (axes(&run), place(&run, problems));
        let LaneRun { name, spec, seed, .. } = run;
        Self { lane, name, spec, problem, seed, steps, trial: false, added: false, axes }
    }

    /// A lane that was added while running: its settings as they are, with the workspace's defaults where it leaves something
    /// out.
    pub(super) fn added(lane: LaneId, name: String, spec: &LaneSpec, workspace: &Workspace) -> Self {
        let seed =
            spec.seeds.as_ref().and_then(|seeds| seeds.first()).or(workspace.seeds.first()).copied().unwrap_or(0);
        let spec = spec.resolved(&workspace.defaults);
        let (steps, axes, problem) = (workspace.steps, BTreeMap::new(), 0);
        Self { lane, name, spec, problem, seed, steps, trial: false, added: true, axes }
    }
}

/// The problems of a grid, each once, in order.
pub(super) fn problems(runs: &[LaneRun]) -> Vec<Problem> {
    let mut found: Vec<Problem> = Vec::new();
    for run in runs {
        if !found.contains(&run.problem) {
            found.push(run.problem.clone());
        }
    }
    found
}

/// Which of `problems` a run trains.
pub(super) fn place(run: &LaneRun, problems: &[Problem]) -> usize {
    problems.iter().position(|problem| *problem == run.problem).unwrap_or(0)
}

/// The sweep's values of a run, as the workspace writes them.
pub(super) fn axes(run: &LaneRun) -> BTreeMap<String, String> {
    run.axes.iter().map(|(path, value)| (path.clone(), value.text().to_owned())).collect()
}
