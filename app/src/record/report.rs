//! What happened in a run, as data: the one description that the screen, the records and the reports all read.
#![forbid(unsafe_code)]

use super::quantity::Key;
use crate::workspace::{Difference, LaneSpec, ScalarSource, Scope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the record format, in the first record of every run. A reader refuses a larger major number.
pub const RECORD_SCHEMA: &str = "guesswork-record/1";

/// A lane within a run, counted from 0 in the order of the workspace's grid.
pub type LaneId = usize;

/// Seconds spent, by stage of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageSeconds {
    /// Forward pass and loss.
    pub forward: f64,
    /// The strategy's guess (and row normalisation).
    pub guess: f64,
    /// The scalars.
    pub tangent: f64,
    /// Estimate and optimizer.
    pub update: f64,
    /// Measurements.
    pub measure: f64,
}

impl StageSeconds {
    /// Sum of the training stages, measuring excluded.
    pub fn training(&self) -> f64 {
        self.forward + self.guess + self.tangent + self.update
    }

    /// Sum of all stages.
    pub fn total(&self) -> f64 {
        self.training() + self.measure
    }
}

/// A lane at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneInfo {
    /// Its number.
    pub lane: LaneId,
    /// Name for people, without the seed.
    pub name: String,
    /// The settings it runs with, defaults filled in.
    pub spec: LaneSpec,
    /// Seed of initialisation and guesses.
    pub seed: u64,
    /// Scope it runs at; `None` for backprop and estimates.
    pub scope: Option<Scope>,
    /// Names of the sites.
    pub sites: Vec<String>,
    /// Parameters of each site.
    pub site_parameters: Vec<usize>,
    /// Parameters of the model, n.
    pub parameters: usize,
    /// Parts of the model that no loss is common to: blocks with greedy local losses; else 1.
    #[serde(default = "one")]
    pub parts: usize,
    /// The strategy's formula, name, citation for the formula card.
    pub card: StrategyCard,
    /// FLOP of one training step, counted from shapes.
    pub flop: u64,
    /// Examples of one training step, B; 0 in records written before it was kept.
    #[serde(default)]
    pub batch: usize,
    /// Whether the granted inputs suffice to build the true gradient.
    pub gradient_capable: bool,
    /// Whether this is a trial of the tuning stage.
    pub trial: bool,
    /// Steps it is to take, less where its budget ends before; 0 in records written before it was kept.
    #[serde(default)]
    pub steps: u64,
    /// Scalars of one guess, as scope, parts, sites, batch and copies of losses make them; 0 in records written before it was kept.
    #[serde(default)]
    pub scalars: u64,
    /// The sweep's values it was made with, by path, as the workspace writes them.
    #[serde(default)]
    pub axes: BTreeMap<String, String>,
}

fn one() -> usize {
    1
}

impl LaneInfo {
    /// Directional derivatives of one training step: the scalars that multiply its guesses, K a group of those that share
    /// one. None where the gradient, the strategy's own estimate, or a guess that is taken as it is needs no scalar.
    pub fn derivatives(&self) -> u64 {
        if self.spec.source == Some(ScalarSource::None) {
            return 0;
        }
        let guesses = self.spec.guesses.unwrap_or(1) as u64;
        let (sites, examples) = match self.scope {
            None => return 0,
            Some(_) if self.scalars > 0 => return guesses * self.scalars,
            Some(Scope::Batch) => (self.parts, 1),
            Some(Scope::Layer) => (self.sites.len(), 1),
            Some(Scope::Example) => (self.parts, self.batch),
            Some(Scope::ExampleLayer) => (self.sites.len(), self.batch),
        };
        guesses * sites as u64 * examples as u64
    }
}

/// What the formula card shows of a strategy, from its own metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StrategyCard {
    /// Name for people.
    pub name: String,
    /// Version.
    pub version: String,
    /// `signal`, `weight`, `estimate`, `search` or `reference`.
    pub kind: String,
    /// One line of Unicode mathematics.
    pub formula: String,
    /// One or two sentences.
    pub description: String,
    /// Source.
    pub citation: String,
    /// Where it was loaded from.
    pub library: String,
    /// Of a mixture: what it adds, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberCard>,
}

/// What the formula card shows of a strategy in a mixture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemberCard {
    /// Its id.
    pub strategy: String,
    /// Name for people.
    pub name: String,
    /// Its weight w_m in the sum.
    pub weight: f64,
    /// Parameters other than their defaults: `depth 2, mask "none"`.
    pub params: String,
    /// One line of Unicode mathematics.
    pub formula: String,
}

/// One step of one lane: everything that was measured at it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// The lane.
    pub lane: LaneId,
    /// The step, from 0.
    pub step: u64,
    /// Quantities, loss first.
    pub values: Vec<(Key, f64)>,
    /// Singular values of weights by site, falling, where they were measured.
    pub spectra: Vec<(u16, Vec<f64>)>,
    /// Metrics that the plugin named.
    pub metrics: Vec<(String, Vec<f64>)>,
    /// Seconds of this step.
    pub seconds: StageSeconds,
}

impl StepReport {
    /// The value of `key`, when it was measured at this step.
    pub fn get(&self, key: Key) -> Option<f64> {
        self.values.iter().find(|(other, _)| *other == key).map(|(_, value)| *value)
    }
}

/// Why a lane ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// All steps taken.
    Done,
    /// The workspace's target was met: which.
    Target(String),
    /// Another step would have gone beyond its budget: of what.
    Budget(String),
    /// The loss, the estimate or a parameter stopped being finite, or the loss left all bounds.
    Diverged(String),
    /// The plugin failed: message and place.
    Plugin(String),
    /// The engine failed.
    Failed(String),
    /// The time was up.
    OutOfTime,
    /// Stopped from outside.
    Interrupted,
    /// Dropped by the person.
    Dropped,
}

impl EndReason {
    /// Whether a resumed run leaves the lane ended. What was cut off by time or by a signal goes on.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::OutOfTime | Self::Interrupted)
    }

    /// Whether it went wrong.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Diverged(_) | Self::Plugin(_) | Self::Failed(_))
    }

    /// One word: `done`, `diverged`, ….
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Target(_) => "target",
            Self::Budget(_) => "budget",
            Self::Diverged(_) => "diverged",
            Self::Plugin(_) => "plugin",
            Self::Failed(_) => "failed",
            Self::OutOfTime => "out of time",
            Self::Interrupted => "interrupted",
            Self::Dropped => "dropped",
        }
    }

    /// What went wrong, or what was met.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Target(text) | Self::Budget(text) => Some(text),
            Self::Diverged(text) | Self::Plugin(text) | Self::Failed(text) => Some(text),
            _ => None,
        }
    }
}

/// A lane's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneEnd {
    /// The lane.
    pub lane: LaneId,
    /// Steps taken.
    pub steps: u64,
    /// Why.
    pub reason: EndReason,
    /// Seconds by stage over the whole run of the lane.
    pub seconds: StageSeconds,
}

/// Settings of a lane that a person changed while it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneChange {
    /// The lane.
    pub lane: LaneId,
    /// Steps taken: the first step that runs with the new settings.
    pub step: u64,
    /// What changed.
    pub changes: Vec<Difference>,
    /// All settings from here on.
    pub spec: LaneSpec,
    /// Scope from here on.
    pub scope: Option<Scope>,
    /// FLOP of one training step from here on.
    pub flop: u64,
}

/// A message of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The lane it concerns.
    pub lane: Option<LaneId>,
    /// Step of that lane.
    pub step: Option<u64>,
    /// How grave.
    pub level: Level,
    /// Text.
    pub text: String,
}

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A failure.
    Error,
    /// Something the person should see.
    Warn,
    /// Of ordinary interest.
    Info,
    /// For a plugin's author.
    Debug,
}

/// Told of everything that happens in a run, in order, on the trainer thread. Screen history, record files and progress
/// bars are observers.
pub trait Observer: Send {
    /// A lane starts (or starts anew after a reset).
    fn lane_started(&mut self, _info: &LaneInfo) {}
    /// A lane took a step.
    fn step(&mut self, _report: &StepReport) {}
    /// A lane's settings were changed while it ran.
    fn lane_changed(&mut self, _change: &LaneChange) {}
    /// A lane ended.
    fn lane_ended(&mut self, _end: &LaneEnd) {}
    /// Something to say.
    fn message(&mut self, _message: &Message) {}
    /// Now is a good time to write things out: a round of steps is complete.
    fn flush(&mut self) {}
    /// A checkpoint is about to be written: everything told so far must be on the disk first, so that no record is
    /// missing when the run resumes from it.
    fn sync(&mut self) {}
}
