//! How a run came out: per lane, and over the seeds of lanes that share a name.
//!
//! Trials of the tuning stage are left out; the value that they chose stands with the lanes that run with it.
#![forbid(unsafe_code)]

use super::number::Number;
use super::{EndReason, LaneId, StageSeconds};
use crate::workspace::Scope;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Weight of the past in the running means of training loss and accuracy.
pub const EMA: f64 = 0.9;

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The workspace's name.
    pub name: String,
    /// Whether the run was cut off by a signal, a time limit or a closed pipe.
    pub interrupted: bool,
    /// Every lane, in order, trials left out.
    pub lanes: Vec<LaneSummary>,
    /// Lanes of one name together, in order of their first.
    pub groups: Vec<GroupSummary>,
}

impl Summary {
    /// Whether a lane ended because the workspace's time was up.
    pub fn was_cut_off_by_time(&self) -> bool {
        self.lanes.iter().any(|lane| lane.reason == Some(EndReason::OutOfTime))
    }
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneSummary {
    /// Its number.
    pub lane: LaneId,
    /// Name for people, without the seed.
    pub name: String,
    /// Id of the strategy.
    pub strategy: String,
    /// Scope it ran at.
    pub scope: Option<Scope>,
    /// Seed.
    pub seed: u64,
    /// Steps taken.
    pub steps: u64,
    /// Why it ended; `None` when the run was cut off before it did.
    pub reason: Option<EndReason>,
    /// What the tuning stage chose: field and value.
    pub chosen: BTreeMap<String, String>,
    /// The results that were measured.
    pub figures: BTreeMap<Figure, Number>,
    /// Time.
    pub time: LaneTime,
}

/// Lanes of one name: the same settings with several seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSummary {
    /// Their name.
    pub name: String,
    /// Id of the strategy.
    pub strategy: String,
    /// Scope.
    pub scope: Option<Scope>,
    /// Number of lanes.
    pub seeds: usize,
    /// Fewest and most steps that one of them took.
    pub steps: (u64, u64),
    /// How many ended for which reason; `running` for those that were cut off.
    pub reasons: BTreeMap<String, usize>,
    /// What the tuning stage chose; several values, where lanes differ, with `/` between them.
    pub chosen: BTreeMap<String, String>,
    /// Mean and standard error of each result.
    pub figures: BTreeMap<Figure, Mean>,
    /// Time, as means over the lanes.
    pub time: LaneTime,
}

/// A result of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Running mean ([`EMA`], debiased) of the training batches' loss.
    TrainLoss,
    /// Running mean of the training batches' accuracy.
    TrainAccuracy,
    /// Last loss on the whole training split.
    TrainSplitLoss,
    /// Last accuracy on the whole training split.
    TrainSplitAccuracy,
    /// Last loss on the validation split.
    ValidationLoss,
    /// Last accuracy on the validation split.
    ValidationAccuracy,
    /// Last loss on the test split.
    TestLoss,
    /// Last accuracy on the test split.
    TestAccuracy,
    /// Best accuracy on the test split.
    BestTestAccuracy,
    /// Last accuracy on the whole training split less that on the test split at the same step.
    GeneralisationGap,
    /// Mean over the run of cos(ĝ, g) of the whole model.
    MeanCosine,
}

impl Figure {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::TrainLoss,
        Self::TrainAccuracy,
        Self::TrainSplitLoss,
        Self::TrainSplitAccuracy,
        Self::ValidationLoss,
        Self::ValidationAccuracy,
        Self::TestLoss,
        Self::TestAccuracy,
        Self::BestTestAccuracy,
        Self::GeneralisationGap,
        Self::MeanCosine,
    ];
}

/// Time that a lane took. All of it is decided by a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneTime {
    /// Seconds of training, measuring excluded.
    pub training: f64,
    /// Seconds of measuring.
    pub measuring: f64,
    /// Steps a second of training.
    pub steps_per_second: f64,
    /// Share of the time that measuring took, 0 to 1.
    pub measuring_share: f64,
    /// Seconds of one guess: drawing it and finding its scalars. `None` where nothing is guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_guess: Option<f64>,
}

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean. NaN when one of the values is.
    pub mean: Number,
    /// Its standard error s/√n, with s² = Σ(x − x̄)²/(n − 1); `None` for one value.
    pub error: Option<Number>,
    /// Number of values.
    pub n: usize,
}

impl Mean {
    /// Of `values`; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let error = (n > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            Number((squares / (n - 1) as f64 / n as f64).sqrt())
        });
        Some(Self { mean: Number(mean), error, n })
    }
}

impl LaneTime {
    pub(super) fn new(seconds: StageSeconds, steps: u64, guesses: u64) -> Self {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        Self {
            training: seconds.training(),
            measuring: seconds.measure,
            steps_per_second: share(steps as f64, seconds.training()),
            measuring_share: share(seconds.measure, seconds.total()),
            per_guess: (guesses > 0).then(|| share(seconds.guess + seconds.tangent, guesses as f64)),
        }
    }
}

/// Lanes of one name together, in order of their first.
pub fn groups(lanes: &[LaneSummary]) -> Vec<GroupSummary> {
    let mut names: Vec<&str> = Vec::new();
    for lane in lanes {
        if !names.contains(&lane.name.as_str()) {
            names.push(&lane.name);
        }
    }
    let of = |name: &str| lanes.iter().filter(|lane| lane.name == name).collect::<Vec<_>>();
    names.into_iter().filter_map(|name| group(&of(name))).collect()
}

fn group(lanes: &[&LaneSummary]) -> Option<GroupSummary> {
    let first = lanes.first()?;
    let mut reasons = BTreeMap::new();
    let mut chosen: BTreeMap<String, String> = BTreeMap::new();
    let mut values: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
    for lane in lanes {
        let word = lane.reason.as_ref().map_or("running", EndReason::word);
        *reasons.entry(word.to_owned()).or_insert(0) += 1;
        for (figure, Number(value)) in &lane.figures {
            values.entry(*figure).or_default().push(*value);
        }
        for (path, value) in &lane.chosen {
            let all = chosen.entry(path.clone()).or_insert_with(|| value.clone());
            if !all.split('/').any(|other| other == value) {
                *all = format!("{all}/{value}");
            }
        }
    }
    let average =
        |value: fn(&LaneTime) -> f64| lanes.iter().map(|lane| value(&lane.time)).sum::<f64>() / lanes.len() as f64;
    Some(GroupSummary {
        name: first.name.clone(),
        strategy: first.strategy.clone(),
        scope: first.scope,
        seeds: lanes.len(),
        steps: lanes.iter().fold((u64::MAX, 0), |(low, high), lane| (low.min(lane.steps), high.max(lane.steps))),
        reasons,
        chosen,
        figures: values.into_iter().filter_map(|(figure, values)| Some((figure, Mean::of(&values)?))).collect(),
        time: LaneTime {
            training: average(|time| time.training),
            measuring: average(|time| time.measuring),
            steps_per_second: average(|time| time.steps_per_second),
            measuring_share: average(|time| time.measuring_share),
            per_guess: Mean::of(&lanes.iter().filter_map(|lane| lane.time.per_guess).collect::<Vec<_>>())
                .map(|mean| mean.mean.0),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_error_of_known_values() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]).expect("four values");
        assert_eq!(mean.mean, Number(2.5));
        // s² = 5/3, s/√4 = √(5/12).
        assert!((mean.error.expect("n > 1").0 - (5.0f64 / 12.0).sqrt()).abs() < 1e-15);
        assert_eq!(Mean::of(&[7.0]).expect("one").error, None);
        assert_eq!(Mean::of(&[]), None);
        assert!(Mean::of(&[1.0, f64::NAN]).expect("two").mean.0.is_nan());
    }
}
