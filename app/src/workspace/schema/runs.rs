//! Which values are crossed or chosen, and what is measured how often.

use crate::workspace::axis::AxisValue;
use serde::{Deserialize, Serialize};

/// Values to cross with every lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// A lane's field: `lr`, `scope`, `guesses`, `normalise`, `scaling`, `params.KEY`, ….
    pub path: String,
    /// The values, written as in a lane.
    pub values: Vec<AxisValue>,
    /// Only for lanes of these strategies; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
}

/// Choose a value per lane on the validation split before the real runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// A lane's field, as in [`Axis::path`].
    pub over: String,
    /// The candidates.
    pub values: Vec<AxisValue>,
    /// Steps of a trial; the workspace's when left out.
    #[serde(default)]
    pub steps: Option<u64>,
    /// What is smallest or largest for the best.
    #[serde(default)]
    pub metric: TuneMetric,
    /// Seed of the trials.
    #[serde(default)]
    pub seed: u64,
}

/// What decides between candidates, measured on the validation split at the end of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TuneMetric {
    /// Lowest loss.
    #[default]
    ValidationLoss,
    /// Highest accuracy.
    ValidationAccuracy,
}

/// Cadences: every so many steps; 0 is never. Measuring is the only place where backpropagation may run beside a guess.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Measure {
    /// cos(ĝ, g), whole and per layer, in weight and signal space; norm ratio ‖ĝ‖/‖g‖; sign agreement.
    pub alignment: u64,
    /// One-step effectiveness.
    pub one_step: u64,
    /// Step size η of one-step effectiveness.
    pub one_step_rate: f64,
    /// Singular values of each W_l: effective rank, stable rank, σ₁.
    pub spectrum: u64,
    /// Bias and variance of the estimate over fresh guesses at a frozen point.
    pub bias: u64,
    /// Guesses M of each such probe: each costs about as much as a step.
    pub bias_guesses: u64,
    /// Share of each true signal δ_l in the spans that guesses draw from: rows of W_{l+1}, activations.
    pub containment: u64,
    /// Mean of M_l.
    pub mask_density: u64,
    /// Loss and accuracy on the test and validation splits.
    pub test: u64,
    /// Loss and accuracy on the whole training split.
    pub train: u64,
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            alignment: 20,
            one_step: 0,
            one_step_rate: 0.01,
            spectrum: 0,
            bias: 0,
            bias_guesses: 64,
            containment: 0,
            mask_density: 0,
            test: 50,
            train: 0,
        }
    }
}
