//! Lanes as the screen shows them: those that differ only in their seed fold into one group with one colour and marker.
#![forbid(unsafe_code)]

use super::format;
use super::state::State;
use crate::record::facts::LaneFacts;
use crate::record::summary::{EMA, Figure};
use crate::record::{EndReason, Key, LaneId, Quantity};
use crate::session::protocol::{LaneView, Snapshot};
use crate::workspace::ScheduleSpec;

/// Lanes of one name.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// Name without the seed.
    pub name: String,
    /// Colour and marker: 0 is the reference, backprop.
    pub colour: usize,
    /// Its lanes, one a seed, never empty.
    pub lanes: Vec<&'a LaneView>,
}

/// The groups in order of their first lanes. Trials of the tuning stage group by their learning rate too.
pub fn groups(snapshot: &Snapshot) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut next_colour = 1;
    for lane in &snapshot.lanes {
        let rate = || lane.info.spec.optimizer.as_ref().map(format::learning_rate);
        let name = match (lane.info.trial, rate()) {
            (true, Some(rate)) => format!("{} η {}", lane.info.name, format::value(rate)),
            _ => lane.info.name.clone(),
        };
        if let Some(group) = groups.iter_mut().find(|group| group.name == name) {
            group.lanes.push(lane);
            continue;
        }
        let colour = if lane.info.card.kind == "reference" && groups.iter().all(|group| group.colour != 0) {
            0
        } else {
            next_colour += 1;
            next_colour - 1
        };
        groups.push(Group { name, colour, lanes: vec![lane] });
    }
    groups
}

/// The groups that the screen shows: those with a lane that meets its filter, without the others of their lanes. Colours stay
/// what they are without the filter.
pub fn shown<'a>(state: &State, snapshot: &'a Snapshot) -> Vec<Group<'a>> {
    let mut groups = groups(snapshot);
    if let Some(filter) = &state.filter {
        for group in &mut groups {
            group.lanes.retain(|lane| filter.holds(&facts(lane)));
        }
        groups.retain(|group| !group.lanes.is_empty());
    }
    groups
}

/// What a filter may ask of a lane: the figures that a report would have, from its curves.
pub fn facts(lane: &LaneView) -> LaneFacts<'_, impl Fn(Figure) -> Option<f64>> {
    let last = |quantity| Some(lane.history.series(Key::whole(quantity))?.last()?.1);
    let figure = move |figure| match figure {
        Figure::TrainLoss => running(lane, Quantity::Loss),
        Figure::TrainAccuracy => running(lane, Quantity::Accuracy),
        Figure::TrainSplitLoss => last(Quantity::TrainLoss),
        Figure::TrainSplitAccuracy => last(Quantity::TrainAccuracy),
        Figure::ValidationLoss => last(Quantity::ValidationLoss),
        Figure::ValidationAccuracy => last(Quantity::ValidationAccuracy),
        Figure::TestLoss => last(Quantity::TestLoss),
        Figure::TestAccuracy => last(Quantity::TestAccuracy),
        Figure::BestTestAccuracy => {
            let series = lane.history.series(Key::whole(Quantity::TestAccuracy))?;
            Some(series.column(0..series.len()).max).filter(|best| best.is_finite())
        }
        Figure::GeneralisationGap => last(Quantity::GeneralisationGap),
        Figure::MeanCosine => {
            let series = lane.history.series(Key::whole(Quantity::Cosine))?;
            let values: Vec<f64> =
                (0..series.len()).filter_map(|index| series.get(index)).map(|(_, value)| value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        }
    };
    LaneFacts { info: &lane.info, steps: lane.step, ended: lane.ended.as_ref(), figure }
}

/// The running mean of reports at the newest step: of the last values alone, as those before weigh less than a double can tell.
fn running(lane: &LaneView, quantity: Quantity) -> Option<f64> {
    const REACH: usize = 400;
    let series = lane.history.series(Key::whole(quantity))?;
    let first = series.len().saturating_sub(REACH);
    let (mut mean, mut weight) = (0.0, 0.0);
    for (_, value) in (first..series.len()).filter_map(|index| series.get(index)) {
        mean = EMA * mean + (1.0 - EMA) * value;
        weight = EMA * weight + (1.0 - EMA);
    }
    (weight > 0.0).then(|| mean / weight)
}

/// Mean and sample deviation of some numbers; the deviation of one is 0, both are NaN of none.
pub fn mean_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 * count })
}

impl<'a> Group<'a> {
    /// The first lane.
    pub fn first(&self) -> &'a LaneView {
        self.lanes[0]
    }

    /// The first lane's number, by which the group is selected.
    pub fn id(&self) -> LaneId {
        self.first().info.lane
    }

    /// Seeds of its lanes.
    pub fn seeds(&self) -> Vec<u64> {
        self.lanes.iter().map(|lane| lane.info.seed).collect()
    }

    /// Most steps taken by any of its lanes.
    pub fn step(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.step).max().unwrap_or(0)
    }

    /// Newest values of a quantity at or before `step` (the newest of all when `None`): mean and deviation over the seeds.
    pub fn value(&self, key: Key, step: Option<u64>) -> Option<(f64, f64)> {
        self.collect(|lane| {
            let series = lane.history.series(key)?;
            step.map_or_else(|| series.last(), |step| series.at(step))
        })
    }

    fn collect(&self, of: impl Fn(&LaneView) -> Option<(u64, f64)>) -> Option<(f64, f64)> {
        let values: Vec<f64> = self.lanes.iter().filter_map(|lane| of(lane)).map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| mean_deviation(&values))
    }

    /// Why its first failed lane ended, else why its first ended lane did once all have ended.
    pub fn ended(&self) -> Option<&'a EndReason> {
        let reasons = || self.lanes.iter().filter_map(|lane| lane.ended.as_ref());
        let failed = |reason: &&EndReason| {
            matches!(reason, EndReason::Diverged(_) | EndReason::Plugin(_) | EndReason::Failed(_))
        };
        reasons()
            .find(failed)
            .or_else(|| reasons().next().filter(|_| self.lanes.iter().all(|lane| lane.ended.is_some())))
    }

    /// The learning rate in use: under a schedule that of the newest step, else that of the settings, which no step may have used yet.
    pub fn learning_rate(&self) -> Option<f64> {
        let constant = matches!(self.first().info.spec.schedule, None | Some(ScheduleSpec::Constant));
        if constant { self.base_rate().or_else(|| self.newest_rate()) } else { self.newest_rate().or(self.base_rate()) }
    }

    /// The learning rate of the settings, which a schedule multiplies.
    pub fn base_rate(&self) -> Option<f64> {
        self.first().info.spec.optimizer.as_ref().map(format::learning_rate)
    }

    fn newest_rate(&self) -> Option<f64> {
        let newest = self.value(Key::whole(Quantity::LearningRate), None).map(|(rate, _)| rate);
        newest.filter(|rate| rate.is_finite() && *rate > 0.0)
    }
}

/// A word for an end.
pub fn end_word(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::Done => "done",
        EndReason::Target(_) => "at its target",
        EndReason::Budget(_) => "budget spent",
        EndReason::Diverged(_) => "diverged",
        EndReason::Plugin(_) => "plugin failed",
        EndReason::Failed(_) => "failed",
        EndReason::OutOfTime => "out of time",
        EndReason::Interrupted => "stopped",
        EndReason::Dropped => "dropped",
    }
}

/// An end in full.
pub fn end_sentence(reason: &EndReason) -> String {
    match reason {
        EndReason::Target(what) => format!("at its target, {what}"),
        EndReason::Budget(what) => format!("its budget of {what} is spent"),
        EndReason::Diverged(why) | EndReason::Plugin(why) | EndReason::Failed(why) => {
            format!("{}: {why}", end_word(reason))
        }
        _ => end_word(reason).to_owned(),
    }
}

/// |cos| that directions drawn at random have on average against a gradient of n parameters: √(2/(πn)).
pub fn random_floor(parameters: usize) -> f64 {
    (2.0 / (std::f64::consts::PI * parameters.max(1) as f64)).sqrt()
}

/// Two or four letters for a name where there is no room: the initials of its parts, or its beginning.
pub fn initials(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', ' ', '_']).filter(|part| !part.is_empty()).collect();
    if parts.len() < 2 {
        return name.chars().take(4).collect();
    }
    parts.iter().filter_map(|part| part.chars().next()).flat_map(char::to_uppercase).take(4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_of_the_sample() {
        assert_eq!(mean_deviation(&[1.0, 3.0]), (2.0, 2f64.sqrt()));
        assert_eq!(mean_deviation(&[5.0]), (5.0, 0.0));
        assert!(mean_deviation(&[]).0.is_nan());
    }

    #[test]
    fn the_floor_of_the_readme_model() {
        assert!((random_floor(134_794) - 0.002173).abs() < 1e-6);
    }

    #[test]
    fn short_names() {
        assert_eq!(initials("weight-transpose"), "WT");
        assert_eq!(initials("backprop"), "back");
        assert_eq!(initials(""), "");
    }
}
