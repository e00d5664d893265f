//! Collecting a summary while a run goes on.
#![forbid(unsafe_code)]

use super::facts::LaneFacts;
use super::number::Number;
use super::summary::{EMA, Figure, LaneSummary, LaneTime, Summary, groups};
use super::{EndReason, Key, LaneChange, LaneEnd, LaneId, LaneInfo, Observer, Quantity, StageSeconds, StepReport};
use crate::filter::Filter;
use crate::workspace::{BACKPROP, field};
use std::collections::BTreeMap;

/// Collects a [`Summary`] while the run goes on.
#[derive(Debug, Default)]
pub struct Tally {
    name: String,
    tuned: Option<String>,
    lanes: BTreeMap<LaneId, LaneTally>,
}

/// Where a lane or a trial stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its number.
    pub lane: LaneId,
    /// Name for people, without the seed.
    pub name: String,
    /// Seed.
    pub seed: u64,
    /// Whether it is a trial of the tuning stage.
    pub trial: bool,
    /// Steps taken.
    pub steps: u64,
    /// Whether it has ended.
    pub ended: bool,
}

#[derive(Debug)]
struct LaneTally {
    info: LaneInfo,
    summary: LaneSummary,
    trial: bool,
    loss: RunningMean,
    accuracy: RunningMean,
    cosine: (f64, u64),
    seconds: StageSeconds,
    /// Guesses drawn, K a step.
    guesses: u64,
}

/// An exponential running mean, debiased: the weights of the values so far sum to 1.
#[derive(Debug, Default)]
struct RunningMean {
    mean: f64,
    weight: f64,
}

impl RunningMean {
    fn add(&mut self, value: f64) -> Number {
        self.mean = EMA * self.mean + (1.0 - EMA) * value;
        self.weight = EMA * self.weight + (1.0 - EMA);
        Number(self.mean / self.weight)
    }
}

impl Tally {
    /// For the workspace of that name; `tuned` is the lanes' field that its tuning stage chooses, as in `Tune::over`.
    pub fn new(name: impl Into<String>, tuned: Option<&str>) -> Self {
        Self { name: name.into(), tuned: tuned.map(Into::into), lanes: BTreeMap::new() }
    }

    /// How things stand.
    pub fn summary(&self, interrupted: bool) -> Summary {
        let lanes: Vec<_> = self
            .lanes
            .values()
            .filter(|lane| !lane.trial)
            .map(|lane| LaneSummary {
                time: LaneTime::new(lane.seconds, lane.summary.steps, lane.guesses),
                ..lane.summary.clone()
            })
            .collect();
        Summary { name: self.name.clone(), interrupted, groups: groups(&lanes), lanes }
    }

    /// Where every lane stands, trials among them.
    pub fn standing(&self) -> Vec<Standing> {
        let standing = |lane: &LaneTally| Standing {
            lane: lane.summary.lane,
            name: lane.summary.name.clone(),
            seed: lane.summary.seed,
            trial: lane.trial,
            steps: lane.summary.steps,
            ended: lane.summary.reason.is_some(),
        };
        self.lanes.values().map(standing).collect()
    }

    /// How the lanes that meet `filter` stand.
    pub fn summary_where(&self, interrupted: bool, filter: &Filter) -> Summary {
        let mut summary = self.summary(interrupted);
        summary.lanes.retain(|lane| self.meets(lane.lane, filter));
        Summary { groups: groups(&summary.lanes), ..summary }
    }

    /// Whether every trial of the lanes of that name has ended badly, so that nothing was chosen and they run as written.
    fn in_vain(&self, name: &str) -> bool {
        let mut trials = self.lanes.values().filter(|lane| lane.trial && lane.summary.name == name).peekable();
        let badly = |lane: &LaneTally| matches!(&lane.summary.reason, Some(reason) if *reason != EndReason::Done);
        trials.peek().is_some() && trials.all(badly)
    }

    /// Whether a lane meets `filter`; trials and lanes that never started do not.
    pub fn meets(&self, lane: LaneId, filter: &Filter) -> bool {
        self.lanes.get(&lane).filter(|lane| !lane.trial).is_some_and(|lane| {
            let LaneSummary { steps, reason, figures, .. } = &lane.summary;
            let figure = |figure: Figure| figures.get(&figure).map(|number: &Number| number.0);
            filter.holds(&LaneFacts { info: &lane.info, steps: *steps, ended: reason.as_ref(), figure })
        })
    }
}

impl Observer for Tally {
    fn lane_started(&mut self, info: &LaneInfo) {
        let tuned = self.tuned.iter().filter(|_| !self.in_vain(&info.name));
        let chosen = tuned.filter_map(|path| Some((path.clone(), field(&info.spec, path)?))).collect();
        let summary = LaneSummary {
            lane: info.lane,
            name: info.name.clone(),
            strategy: info.spec.strategy.clone(),
            scope: info.scope,
            seed: info.seed,
            steps: 0,
            reason: None,
            chosen,
            figures: BTreeMap::new(),
            time: LaneTime::default(),
        };
        let lane = LaneTally {
            info: info.clone(),
            summary,
            trial: info.trial,
            loss: RunningMean::default(),
            accuracy: RunningMean::default(),
            cosine: (0.0, 0),
            seconds: StageSeconds::default(),
            guesses: 0,
        };
        self.lanes.insert(info.lane, lane);
    }

    fn step(&mut self, report: &StepReport) {
        if let Some(lane) = self.lanes.get_mut(&report.lane) {
            lane.step(report);
        }
    }

    fn lane_changed(&mut self, change: &LaneChange) {
        if let Some(lane) = self.lanes.get_mut(&change.lane) {
            lane.summary.scope = change.scope;
            (lane.info.scope, lane.info.spec) = (change.scope, change.spec.clone());
        }
    }

    fn lane_ended(&mut self, end: &LaneEnd) {
        if let Some(lane) = self.lanes.get_mut(&end.lane) {
            lane.summary.steps = end.steps;
            lane.summary.reason = Some(end.reason.clone());
            lane.seconds = end.seconds;
        }
    }
}

impl LaneTally {
    fn step(&mut self, report: &StepReport) {
        // What is measured after the last step is no step.
        if report.get(Key::whole(Quantity::Loss)).is_some() {
            self.summary.steps = report.step + 1;
            self.guesses += match self.info.spec.strategy.as_str() {
                BACKPROP => 0,
                _ => self.info.spec.guesses.unwrap_or(1) as u64,
            };
        }
        self.summary.reason = None;
        let seconds = &mut self.seconds;
        seconds.forward += report.seconds.forward;
        seconds.guess += report.seconds.guess;
        seconds.tangent += report.seconds.tangent;
        seconds.update += report.seconds.update;
        seconds.measure += report.seconds.measure;
        for &(key, value) in &report.values {
            if key.site.is_none() {
                self.value(key, value);
            }
        }
    }

    fn value(&mut self, key: Key, value: f64) {
        let figures = &mut self.summary.figures;
        let (figure, result) = match key.quantity {
            Quantity::Loss => (Figure::TrainLoss, self.loss.add(value)),
            Quantity::Accuracy => (Figure::TrainAccuracy, self.accuracy.add(value)),
            Quantity::TrainLoss => (Figure::TrainSplitLoss, Number(value)),
            Quantity::TrainAccuracy => (Figure::TrainSplitAccuracy, Number(value)),
            Quantity::ValidationLoss => (Figure::ValidationLoss, Number(value)),
            Quantity::ValidationAccuracy => (Figure::ValidationAccuracy, Number(value)),
            Quantity::TestLoss => (Figure::TestLoss, Number(value)),
            Quantity::TestAccuracy => {
                let best = figures.get(&Figure::BestTestAccuracy).map_or(value, |best| best.0.max(value));
                figures.insert(Figure::BestTestAccuracy, Number(best));
                (Figure::TestAccuracy, Number(value))
            }
            Quantity::GeneralisationGap => (Figure::GeneralisationGap, Number(value)),
            Quantity::Cosine => {
                self.cosine = (self.cosine.0 + value, self.cosine.1 + 1);
                (Figure::MeanCosine, Number(self.cosine.0 / self.cosine.1 as f64))
            }
            _ => return,
        };
        figures.insert(figure, result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::jsonl::tests::{lane, report};

    #[test]
    fn the_running_mean_starts_unbiased() {
        let mut mean = RunningMean::default();
        assert!((mean.add(3.0).0 - 3.0).abs() < 1e-15);
        // (0.9·3 + 1·5)/1.9 with weights 0.09 and 0.1.
        assert!((mean.add(5.0).0 - (0.9 * 3.0 + 5.0) / 1.9).abs() < 1e-12);
    }

    fn run(tally: &mut Tally, id: usize, seed: u64, accuracies: &[f64]) {
        tally.lane_started(&lane(id, "weight-transpose", seed));
        for (step, accuracy) in accuracies.iter().enumerate() {
            let mut report = report(id, step as u64, 1.0);
            report.values.push((Key::whole(Quantity::TestAccuracy), *accuracy));
            report.values.push((Key::whole(Quantity::Cosine), 0.1 * step as f64));
            report.seconds = StageSeconds { forward: 1.0, measure: 1.0, ..StageSeconds::default() };
            tally.step(&report);
        }
    }

    #[test]
    fn seeds_fold_and_trials_stay_out() {
        let mut tally = Tally::new("tiny", Some("lr"));
        let mut trial = lane(0, "weight-transpose lr=0.3", 0);
        trial.trial = true;
        tally.lane_started(&trial);
        tally.step(&report(0, 0, 9.0));
        run(&mut tally, 1, 0, &[0.2, 0.8, 0.6]);
        run(&mut tally, 2, 1, &[0.2, 0.4, 0.5]);
        let seconds = StageSeconds { forward: 2.0, measure: 6.0, ..StageSeconds::default() };
        tally.lane_ended(&LaneEnd { lane: 1, steps: 3, reason: EndReason::Done, seconds });
        let standing: Vec<_> = tally.standing().iter().map(|lane| (lane.trial, lane.steps, lane.ended)).collect();
        assert_eq!(standing, [(true, 1, false), (false, 3, true), (false, 3, false)]);
        let summary = tally.summary(true);
        assert_eq!(summary.lanes.len(), 2);
        assert_eq!(summary.lanes[0].figures[&Figure::BestTestAccuracy], Number(0.8));
        assert_eq!(summary.lanes[0].time.steps_per_second, 1.5);
        assert_eq!(summary.lanes[0].time.measuring_share, 0.75);
        assert_eq!(summary.lanes[1].time.steps_per_second, 1.0, "of steps, before the end");
        let [group] = summary.groups.as_slice() else { panic!("one group: {:?}", summary.groups) };
        assert_eq!((group.seeds, group.steps), (2, (3, 3)));
        assert!((group.figures[&Figure::TestAccuracy].mean.0 - 0.55).abs() < 1e-12);
        assert!((group.figures[&Figure::MeanCosine].mean.0 - 0.1).abs() < 1e-12);
        assert_eq!(group.reasons, BTreeMap::from([("done".into(), 1), ("running".into(), 1)]));
        assert_eq!(group.chosen["lr"], "0.25");
        let text = serde_json::to_string(&summary).expect("JSON");
        assert_eq!(serde_json::from_str::<Summary>(&text).expect("read"), summary);
    }

    #[test]
    fn nothing_was_chosen_where_every_trial_ended_badly() {
        let chosen = |reasons: [EndReason; 2]| {
            let mut tally = Tally::new("tiny", Some("lr"));
            for (id, reason) in reasons.into_iter().enumerate() {
                let trial = LaneInfo { trial: true, ..lane(id, "weight-transpose", 0) };
                tally.lane_started(&trial);
                tally.lane_ended(&LaneEnd { lane: id, steps: 1, reason, seconds: StageSeconds::default() });
            }
            run(&mut tally, 2, 0, &[0.5]);
            tally.summary(false).groups[0].chosen.get("lr").cloned()
        };
        let diverged = || EndReason::Diverged("loss is not a number".into());
        assert_eq!(chosen([diverged(), EndReason::Done]).as_deref(), Some("0.25"));
        assert_eq!(chosen([diverged(), diverged()]), None);
    }

    #[test]
    fn a_reset_lane_counts_anew() {
        let mut tally = Tally::new("tiny", None);
        run(&mut tally, 0, 0, &[0.9, 0.9]);
        run(&mut tally, 0, 0, &[0.1]);
        let summary = tally.summary(false);
        assert_eq!(summary.lanes[0].steps, 1);
        assert_eq!(summary.lanes[0].figures[&Figure::BestTestAccuracy], Number(0.1));
    }
}
