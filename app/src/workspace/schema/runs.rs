//! Which values are crossed or chosen, when a lane ends, and what is measured how often.

use crate::workspace::axis::AxisValue;
use serde::{Deserialize, Serialize};

/// Values to cross with every lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// A lane's field: `lr`, `scope`, `guesses`, `normalise`, `scaling`, `params.KEY`, …; or one of the problem:
    /// `problem.model`, `problem.model.hidden`, `problem.data.name`, `problem.batch`, ….
    pub path: String,
    /// The values, written as in a lane.
    pub values: Vec<AxisValue>,
    /// Only for lanes of these strategies; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
}

/// A target that ends a lane before its last step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// A lane ends once it meets this filter: `test_accuracy >= 0.8`.
    pub when: String,
}

/// What each lane may use: it ends before the step that would go beyond. Trials of the tuning stage have their own steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Training examples seen.
    pub examples: Option<u64>,
    /// Directional derivatives: the scalars that multiply guesses. Backprop, which has none, is not held by it.
    pub derivatives: Option<u64>,
    /// Floating-point operations of training steps, counted from shapes.
    pub flop: Option<f64>,
    /// Seconds of training, measuring excluded. A clock decides it: two runs need not end at the same step.
    pub seconds: Option<f64>,
}

/// What `--quick` changes: a short run of the same experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quick {
    /// Steps each lane takes.
    pub steps: Option<u64>,
    /// Use only the first so many training examples.
    pub limit: Option<usize>,
    /// Seeds, those of lanes too.
    pub seeds: Option<Vec<u64>>,
    /// More values, as for `--set`: `data=fashion-mini`, `sweep[0].values=[8, 16]`.
    pub set: Vec<String>,
}

/// Choose a value per lane on the validation split before the real runs. Lanes that have no such setting run as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// A lane's field, as `lr`.
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
    /// Quantiles over the batch's examples i of cos(Ê_{l,i}, δ_{l,i}): 5, 25, 50, 75 and 95 %, of each layer's signal.
    pub examples: u64,
    /// One-step effectiveness.
    pub one_step: u64,
    /// Step size η of one-step effectiveness.
    pub one_step_rate: f64,
    /// Singular values of each W_l: effective rank, stable rank, σ₁.
    pub spectrum: u64,
    /// Singular values of the batch's X_l and δ_l, a row for each of their rows: effective rank and stable rank of what flows through
    /// each layer.
    pub signal_spectrum: u64,
    /// Bias and variance of the estimate over fresh guesses at a frozen point, with their standard errors.
    pub bias: u64,
    /// Guesses M of each such probe: each is drawn twice and costs about as much as two steps.
    pub bias_guesses: u64,
    /// Share of each true signal δ_l in the spans that guesses draw from: rows of W_{l+1}, activations.
    pub containment: u64,
    /// Top of the Hessian's spectrum on the batch: share of g and of ĝ in the span of the largest eigenvalues' eigenvectors. A probe
    /// costs some hundred steps and keeps 8k + 20 vectors as long as the parameters.
    pub hessian: u64,
    /// Eigenvalues k of each such probe.
    pub hessian_top: usize,
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
            examples: 0,
            one_step: 0,
            one_step_rate: 0.01,
            spectrum: 0,
            signal_spectrum: 0,
            bias: 0,
            bias_guesses: 64,
            containment: 0,
            hessian: 0,
            hessian_top: 10,
            mask_density: 0,
            test: 50,
            train: 0,
        }
    }
}
