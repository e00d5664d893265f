//! Choosing a value per lane on the validation split before the real runs (`tune` of a workspace).
//!
//! Every lane of the grid that has the setting runs once for each candidate, with the tuning seed; the best by the metric at the end of its
//! trial is taken for all of the lane's seeds. A trial that diverged or failed loses to any that did not.
#![forbid(unsafe_code)]

use super::SessionError;
use super::plan::{LanePlan, axes, place, problems};
use crate::record::{EndReason, LaneId};
use crate::workspace::{LaneRun, Problem, Tune, TuneMetric, Workspace, apply_axis};

/// Loss and accuracy on the validation split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Validation {
    pub(super) loss: f64,
    pub(super) accuracy: f64,
}

/// The trials under way.
#[derive(Debug)]
pub(super) struct Tuning {
    trials: Vec<Trial>,
    metric: TuneMetric,
    runs: Vec<LaneRun>,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Trial {
    lane: LaneId,
    name: String,
    value: usize,
    score: Option<f64>,
}

impl Tuning {
    /// The lanes to start with: trials where the workspace tunes, else the real runs.
    pub(super) fn plan(workspace: &Workspace) -> Result<(Vec<LanePlan>, Option<Self>), SessionError> {
        let runs = workspace.grid()?;
        let problems = problems(&runs);
        let concerned = |tune: &&Tune| runs.iter().any(|run| tune.concerns(&run.spec));
        let Some(tune) = workspace.tune.as_ref().filter(concerned) else {
            let real = |(lane, run)| LanePlan::real(lane, run, &problems, workspace.steps);
            return Ok((runs.into_iter().enumerate().map(real).collect(), None));
        };
        let mut names: Vec<&str> = Vec::new();
        let (mut plans, mut trials) = (Vec::new(), Vec::new());
        for run in &runs {
            if names.contains(&run.name.as_str()) || !tune.concerns(&run.spec) {
                continue;
            }
            names.push(&run.name);
            for (value, candidate) in tune.values.iter().enumerate() {
                let lane = plans.len();
                let spec = apply_axis(&run.spec, &tune.over, candidate)?;
                plans.push(LanePlan {
                    lane,
                    name: run.name.clone(),
                    spec,
                    problem: place(run, &problems),
                    seed: tune.seed,
                    steps: tune.steps.unwrap_or(workspace.steps),
                    trial: true,
                    added: false,
                    axes: axes(run),
                });
                trials.push(Trial { lane, name: run.name.clone(), value, score: None });
            }
        }
        Ok((plans, Some(Self { trials, metric: tune.metric, runs, problems })))
    }

    /// One more than the number of the last lane that the real runs will have.
    pub(super) fn lanes(&self) -> usize {
        self.trials.len() + self.runs.len()
    }

    /// The real runs with the settings that the workspace writes, before any was chosen.
    pub(super) fn as_written(&self, workspace: &Workspace) -> Vec<LanePlan> {
        let first = self.trials.len();
        let runs = self.runs.iter().cloned().enumerate();
        runs.map(|(offset, run)| LanePlan::real(first + offset, run, &self.problems, workspace.steps)).collect()
    }

    /// Takes note of a trial's end.
    pub(super) fn ended(&mut self, lane: LaneId, found: Option<Validation>, reason: &EndReason) {
        let Some(trial) = self.trials.iter_mut().find(|trial| trial.lane == lane) else { return };
        trial.score = match (found, reason) {
            (Some(found), EndReason::Done) => Some(match self.metric {
                TuneMetric::ValidationLoss => -found.loss,
                TuneMetric::ValidationAccuracy => found.accuracy,
            }),
            _ => None,
        };
        trial.score = trial.score.filter(|score| score.is_finite());
    }

    /// The real runs with the values chosen, and a sentence for each lane.
    pub(super) fn choose(self, workspace: &Workspace) -> (Vec<LanePlan>, Vec<String>) {
        let Some(tune) = &workspace.tune else { return (Vec::new(), Vec::new()) };
        let first = self.trials.len();
        let (mut plans, mut words): (Vec<LanePlan>, Vec<String>) = (Vec::new(), Vec::new());
        let mut told: Vec<String> = Vec::new();
        for (offset, mut run) in self.runs.into_iter().enumerate() {
            if !tune.concerns(&run.spec) {
                plans.push(LanePlan::real(first + offset, run, &self.problems, workspace.steps));
                continue;
            }
            let mine = self.trials.iter().filter(|trial| trial.name == run.name);
            let best = mine
                .filter_map(|trial| trial.score.map(|score| (score, trial.value)))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let sentence = match best {
                Some((score, value)) => {
                    let chosen = &tune.values[value];
                    let metric = match self.metric {
                        TuneMetric::ValidationLoss => format!("validation loss {:.4}", -score),
                        TuneMetric::ValidationAccuracy => format!("validation accuracy {:.2} %", 100.0 * score),
                    };
                    match apply_axis(&run.spec, &tune.over, chosen) {
                        Ok(spec) => run.spec = spec,
                        Err(_) => continue,
                    }
                    format!("{}: {} = {} is the best ({metric})", run.name, tune.over, chosen.text())
                }
                None => format!("{}: every trial of {} diverged or failed; it runs as written", run.name, tune.over),
            };
            if !told.contains(&run.name) {
                told.push(run.name.clone());
                words.push(sentence);
            }
            plans.push(LanePlan::real(first + offset, run, &self.problems, workspace.steps));
        }
        (plans, words)
    }
}
