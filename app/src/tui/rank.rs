//! What lanes are ranked by.
#![forbid(unsafe_code)]

use super::context::Context;
use super::lanes::{Group, mean_deviation};
use crate::record::{Key, Quantity};
use crate::session::protocol::LaneView;

/// A quantity that lanes can be ranked by.
#[derive(Debug)]
pub struct Metric {
    /// The quantity, of the whole model.
    pub quantity: Quantity,
    /// Its name for people.
    pub name: &'static str,
    /// Whether more is better.
    pub rising: bool,
    /// Whether it is a share to be written in percent.
    pub share: bool,
}

const fn metric(quantity: Quantity, name: &'static str, rising: bool, share: bool) -> Metric {
    Metric { quantity, name, rising, share }
}

/// All, in the order they are gone through.
pub const METRICS: [Metric; 8] = [
    metric(Quantity::TestAccuracy, "test accuracy", true, true),
    metric(Quantity::TestLoss, "test loss", false, false),
    metric(Quantity::Accuracy, "training accuracy", true, true),
    metric(Quantity::Loss, "training loss", false, false),
    metric(Quantity::ValidationAccuracy, "validation accuracy", true, true),
    metric(Quantity::ValidationLoss, "validation loss", false, false),
    metric(Quantity::Cosine, "cosine", true, false),
    metric(Quantity::OneStep, "one-step effectiveness", true, false),
];

/// Which of a lane's values counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// The best so far.
    #[default]
    Best,
    /// The last.
    Last,
    /// The moving average.
    Smoothed,
}

impl By {
    /// The next one.
    pub fn next(self) -> Self {
        match self {
            Self::Best => Self::Last,
            Self::Last => Self::Smoothed,
            Self::Smoothed => Self::Best,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Last => "last",
            Self::Smoothed => "smoothed",
        }
    }
}

/// A group's standing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Place of the group among the groups.
    pub group: usize,
    /// Mean over its seeds.
    pub mean: f64,
    /// Standard error of the mean; `None` of one seed.
    pub error: Option<f64>,
    /// Seeds that have a value.
    pub seeds: usize,
}

/// The value of one lane, at the crosshair where it stands.
fn value(context: &Context<'_>, lane: &LaneView, metric: &Metric, by: By) -> Option<f64> {
    let key = Key::whole(metric.quantity);
    let beta = if by == By::Smoothed { context.state.beta().max(0.9) } else { 0.0 };
    let series = context.derived.series(lane, key, false, beta)?;
    let (step, last) = context.ruler(lane).read(&series, context.state.crosshair)?;
    if by != By::Best {
        return Some(last);
    }
    let extent = series.column(0..series.before(step.saturating_add(1)));
    extent.is_finite().then_some(if metric.rising { extent.max } else { extent.min })
}

/// The groups that have a value, best first; one whose value is not a number is last.
pub fn standings(context: &Context<'_>, metric: &Metric, by: By) -> Vec<Standing> {
    let standing = |(index, group): (usize, &Group<'_>)| {
        let values: Vec<f64> = group.lanes.iter().filter_map(|lane| value(context, lane, metric, by)).collect();
        let (mean, deviation) = mean_deviation(&values);
        let error = (values.len() > 1).then(|| deviation / (values.len() as f64).sqrt());
        (!values.is_empty()).then_some(Standing { group: index, mean, error, seeds: values.len() })
    };
    let mut found: Vec<Standing> = context.groups.iter().enumerate().filter_map(standing).collect();
    let worth = |standing: &Standing| match (standing.mean.is_nan(), metric.rising) {
        (true, _) => f64::INFINITY,
        (false, true) => -standing.mean,
        (false, false) => standing.mean,
    };
    found.sort_by(|a, b| worth(a).total_cmp(&worth(b)));
    found
}
