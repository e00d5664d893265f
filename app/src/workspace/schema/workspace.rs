//! The whole file.

use super::{Axis, Budget, LaneDefaults, LaneSpec, Measure, Precision, Problem, Quick, Stop, Tune};
use serde::{Deserialize, Serialize};

/// A whole workspace file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Short name: names run folders. The file's stem when left out.
    #[serde(default)]
    pub name: String,
    /// The question this experiment asks, in a sentence or two.
    #[serde(default)]
    pub question: String,
    /// What is trained.
    pub problem: Problem,
    /// Settings that every lane starts from.
    #[serde(default)]
    pub defaults: LaneDefaults,
    /// What is compared.
    pub lanes: Vec<LaneSpec>,
    /// Values to cross with every lane.
    #[serde(default)]
    pub sweep: Vec<Axis>,
    /// Runs of the grid to leave out: filters of their settings, `strategy=downstream guesses>1`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Choose a value per lane on the validation split before the real runs.
    #[serde(default)]
    pub tune: Option<Tune>,
    /// Seeds of initialisation and guesses: each lane runs once a seed.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Seed of the order of the data: all lanes see the same batches.
    #[serde(default)]
    pub data_seed: u64,
    /// Steps each lane takes.
    #[serde(default = "default_steps")]
    pub steps: u64,
    /// End each lane at a target.
    #[serde(default)]
    pub stop: Option<Stop>,
    /// What each lane may use, beside its steps.
    #[serde(default)]
    pub budget: Option<Budget>,
    /// Wall-clock limit of the whole run in seconds.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// What is measured, and every how many steps.
    #[serde(default)]
    pub measure: Measure,
    /// Data type of parameters and activations.
    #[serde(default)]
    pub dtype: Precision,
    /// Allow strategies that ask for the true gradient.
    #[serde(default)]
    pub diagnostic: bool,
    /// What `--quick` changes.
    #[serde(default)]
    pub quick: Option<Quick>,
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

fn default_steps() -> u64 {
    2000
}
