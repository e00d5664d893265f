//! What is trained: data and loss, and the model of [`super::model`].

use super::ModelSpec;
use serde::{Deserialize, Serialize};

/// What is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Problem {
    /// A network on a data set.
    Network(NetworkProblem),
}

/// A network on a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkProblem {
    /// The data.
    pub data: DataSpec,
    /// The architecture.
    pub model: ModelSpec,
    /// The loss; cross-entropy when left out.
    #[serde(default)]
    pub loss: LossSpec,
    /// Examples in a batch, B.
    #[serde(default = "default_batch")]
    pub batch: usize,
}

fn default_batch() -> usize {
    128
}

/// Where examples come from and how they are prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// `fashion-mini` and `digits` are embedded; else `mnist`, `fashion-mnist`, `cifar-10`, `cifar-100`, `svhn`, or `idx`, read from `path`.
    pub name: String,
    /// Folder of the files, for sets that are not embedded.
    #[serde(default)]
    pub path: Option<String>,
    /// How pixels become numbers.
    #[serde(default)]
    pub scale: Scaling,
    /// Share of the training examples set apart for validation, 0 to 0.9.
    #[serde(default)]
    pub validation: f64,
    /// Use only the first so many training examples.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// How pixels become numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// To [0, 1].
    Unit,
    /// To [−1, 1].
    Signed,
    /// One mean and one deviation for all pixels of the training set.
    #[default]
    Standard,
}

/// The loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossSpec {
    /// Mean over the batch of −log of softmax(S_L) at the label.
    #[default]
    CrossEntropy,
    /// Mean over the batch of ½‖S_L − onehot(label)‖².
    MeanSquaredError,
}

/// f32 or f64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 64 bits.
    F64,
}
