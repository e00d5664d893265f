//! Sentences on what the curves say, from rules with stated thresholds.
//!
//! | rule | says so when |
//! |---|---|
//! | ended | a lane diverged, or its plugin or the engine failed |
//! | diverging | the smoothed loss is at least [`DIVERGING`] times its least value so far and above its first |
//! | at the floor | mean \|cos\| of the last [`RECENT`] measurements is at most [`FLOOR`] times √(2/(πn)) |
//! | halved | that mean is at most half of the greatest such mean before |
//! | measuring | measurements take more than [`MEASURING`] of the time |
#![forbid(unsafe_code)]

use super::context::Context;
use super::format;
use super::lanes::{Group, end_sentence, random_floor};
use crate::record::{EndReason, Key, Quantity};
use crate::session::history::Series;
use crate::session::protocol::Status;

/// Smoothed loss over its least value.
pub const DIVERGING: f64 = 1.3;
/// Measurements that a mean is taken over.
pub const RECENT: usize = 8;
/// |cos| over the random floor.
pub const FLOOR: f64 = 2.0;
/// Share of the time spent measuring.
pub const MEASURING: f64 = 0.5;

/// How grave a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// A failure.
    Bad,
    /// Something to look at.
    Warn,
    /// A finding.
    Note,
}

/// A sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How grave.
    pub weight: Weight,
    /// The sentence.
    pub text: String,
}

fn verdict(weight: Weight, text: String) -> Verdict {
    Verdict { weight, text }
}

/// The verdicts, gravest first; of equal ones those on the selected lane first.
pub fn verdicts(context: &Context<'_>) -> Vec<Verdict> {
    let mut found = Vec::new();
    if let Status::Failed(why) = &context.snapshot.status {
        found.push(verdict(Weight::Bad, format!("the trainer failed: {why}")));
    }
    let selected = context.groups.iter().filter(|group| context.is_selected(group));
    let others = context.groups.iter().filter(|group| !context.is_selected(group));
    for (index, group) in selected.chain(others).enumerate() {
        if let Some(reason @ (EndReason::Diverged(_) | EndReason::Plugin(_) | EndReason::Failed(_))) = group.ended() {
            found.push(verdict(Weight::Bad, format!("{} {}", group.name, end_sentence(reason))));
            continue;
        }
        found.extend(diverging(context, group));
        found.extend(alignment(group, index == 0));
    }
    found.extend(measuring(context));
    found.sort_by_key(|verdict| verdict.weight);
    found
}

fn diverging(context: &Context<'_>, group: &Group<'_>) -> Option<Verdict> {
    let series =
        context.derived.series(group.first(), Key::whole(Quantity::Loss), false, context.state.beta().max(0.9))?;
    let (_, first) = series.get(0)?;
    let (_, last) = series.last()?;
    let least = series.column(0..series.len()).min;
    (series.len() > 20 && least > 0.0 && last > first && last >= DIVERGING * least).then(|| {
        let text = format!(
            "{} is diverging: loss {} is {:.1}× its least {}",
            group.name,
            format::value(last),
            last / least,
            format::value(least)
        );
        verdict(Weight::Warn, text)
    })
}

/// Mean |cos| of `count` measurements ending before `end`.
fn mean(series: &Series, end: usize, count: usize) -> Option<f64> {
    let from = end.checked_sub(count)?;
    let values: Vec<f64> = (from..end)
        .filter_map(|index| series.get(index))
        .map(|(_, value)| value.abs())
        .filter(|value| value.is_finite())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn alignment(group: &Group<'_>, selected: bool) -> Option<Verdict> {
    if group.colour == 0 {
        return None;
    }
    let lane = group.first();
    let series = lane.history.series(Key::whole(Quantity::Cosine))?;
    let len = series.len();
    let now = mean(&series, len, RECENT.min(len.max(1)))?;
    let floor = random_floor(lane.info.parameters);
    let over = now / floor;
    if over <= FLOOR && len >= RECENT {
        let text = format!(
            "{} sits at its random floor: |cos| {} is {over:.1}× {}",
            group.name,
            format::value(now),
            format::value(floor)
        );
        return Some(verdict(Weight::Warn, text));
    }
    // A hundred places are enough to find the peak.
    let stride = (len / 100).max(1);
    let peak = (RECENT..=len.saturating_sub(RECENT))
        .step_by(stride)
        .filter_map(|end| Some((end, mean(&series, end, RECENT)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((end, best)) = peak.filter(|(_, best)| now <= 0.5 * best) {
        let since = series.get(end - 1).map_or(0, |(step, _)| step);
        let text = format!(
            "{}: cosine halved since step {} ({} → {})",
            group.name,
            format::grouped(since),
            format::value(best),
            format::value(now)
        );
        return Some(verdict(Weight::Warn, text));
    }
    selected.then(|| {
        verdict(
            Weight::Note,
            format!("{} sits {}× above its random floor", group.name, format::grouped(over.round() as u64)),
        )
    })
}

fn measuring(context: &Context<'_>) -> Option<Verdict> {
    let (measure, training) = context.snapshot.lanes.iter().fold((0.0, 0.0), |(measure, training), lane| {
        (measure + lane.seconds.measure, training + lane.seconds.training())
    });
    let share = measure / (measure + training).max(1e-12);
    (share > MEASURING && measure + training > 1.0)
        .then(|| verdict(Weight::Warn, format!("measuring takes {} of the time", format::percent(share))))
}
