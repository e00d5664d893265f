//! What is timed: an MLP on so many examples a step, and a method, each written in a word.

use crate::data::{Layout, Prepared, Split};
use crate::kernel::{self, Draw, DrawKey};
use crate::session::SoloPlan;
use crate::workspace::{
    ActivationSpec, BACKPROP, Combine, GuessScaling, InitSpec, LaneSpec, MlpSpec, ModelSpec, Normalise, OptimizerSpec,
    Scope,
};
use candle_core::{DType, Device, Result, Tensor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Classes of the synthetic data.
pub(super) const CLASSES: usize = 10;
/// Batches of the synthetic data, taken in turn.
const BATCHES: usize = 8;
/// So small that nothing diverges while it is timed; what a step takes does not depend on it.
const LEARNING_RATE: f64 = 1e-12;
/// Examples in a batch where none are named.
const BATCH: usize = 128;

/// An MLP with ReLU and ten classes on a batch: `784-256x3:128` is 784 inputs, three hidden layers of 256, B = 128.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Width of the data.
    pub inputs: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Examples in a batch, B.
    pub batch: usize,
}

/// A strategy with its scope and guesses a step: `weight-transpose@example:8`. The strategy's own choice of scope where
/// none is named, and one guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Id of the strategy.
    pub strategy: String,
    /// Its scope.
    pub scope: Option<Scope>,
    /// Guesses a step, K.
    pub guesses: usize,
}

/// The models and methods of the table in README.md.
pub fn defaults() -> (Vec<Model>, Vec<Method>) {
    let model = |inputs, width, layers, batch| Model { inputs, hidden: vec![width; layers], batch };
    let method = |strategy: &str, scope, guesses| Method { strategy: strategy.to_owned(), scope, guesses };
    let (batch, example) = (Some(Scope::Batch), Some(Scope::Example));
    (
        vec![model(784, 256, 3, 128), model(784, 1024, 3, 512), model(3072, 1024, 6, 128)],
        vec![
            Method::backprop(),
            method("weight-perturbation", batch, 1),
            method("activity-perturbation", example, 1),
            method("weight-transpose", example, 1),
            method("activation-mixing", example, 1),
            method("weight-transpose", batch, 1),
            method("activation-mixing", batch, 1),
            method("activity-perturbation", example, 8),
            method("weight-transpose", example, 8),
        ],
    )
}

impl Model {
    /// Synthetic data for it: inputs from N(0, 1), labels in turn.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn data(&self, device: &Device) -> Result<Prepared> {
        let count = BATCHES * self.batch;
        let x = Tensor::zeros((count, self.inputs), DType::F32, device)?;
        let key = DrawKey { seed: 0, instance: 0, step: 0, site: 0, guess: 0, draw: 0 };
        kernel::fill_draws(&x, Draw::Normal, 1.0, key)?;
        self.prepared(x, (0..count).map(|example| (example % CLASSES) as u32).collect(), CLASSES)
    }

    /// The given examples, whole batches of them, as a data set: `x` is N × n_0.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub(super) fn prepared(&self, x: Tensor, classes: Vec<u32>, count: usize) -> Result<Prepared> {
        let labels = Tensor::from_iter(classes.iter().copied(), x.device())?;
        let labels = labels.to_dtype(x.dtype())?.reshape((classes.len(), 1))?;
        let split = Split { x, labels, classes, rows: 1, width: self.inputs };
        let (channels, height, width) = (1, 1, self.inputs);
        let (train, test) = (split.clone(), split);
        Ok(Prepared { layout: Layout::Flat, channels, height, width, classes: count, train, validation: None, test })
    }

    /// A lane of `method` on `data`.
    pub fn plan(&self, method: &Method, rate: f64, data: Prepared, plugin_paths: &[PathBuf]) -> SoloPlan {
        let model = ModelSpec::Mlp(MlpSpec {
            hidden: self.hidden.clone(),
            activation: ActivationSpec::Relu,
            init: InitSpec::He,
            norm: false,
            residual: false,
        });
        SoloPlan { model, lane: method.lane(rate), data, batch: self.batch, plugin_paths: plugin_paths.to_vec() }
    }
}

impl Method {
    /// The reference.
    pub fn backprop() -> Self {
        Self { strategy: BACKPROP.to_owned(), scope: None, guesses: 1 }
    }

    /// A lane of raw guesses, meaned, with plain gradient descent.
    fn lane(&self, rate: f64) -> LaneSpec {
        let guess = self.strategy != BACKPROP;
        LaneSpec {
            strategy: self.strategy.clone(),
            name: None,
            params: BTreeMap::new(),
            of: Vec::new(),
            scope: self.scope,
            guesses: guess.then_some(self.guesses),
            at_once: None,
            combine: guess.then_some(Combine::Mean),
            scaling: guess.then_some(GuessScaling::Raw),
            normalise: None::<Normalise>,
            clip: None,
            source: None,
            output: None,
            losses: None,
            optimizer: Some(OptimizerSpec::default().with_lr(rate)),
            schedule: None,
            seeds: None,
        }
    }

    /// Learning rate of a lane that is only timed.
    pub(super) const RATE: f64 = LEARNING_RATE;
}

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("`{text}`: write inputs, hidden layers and batch as 784-256x3:128 or 784-256-128:64");
        let number = |text: &str| text.parse::<usize>().ok().filter(|&number| number > 0).ok_or_else(wrong);
        let (widths, batch) = text.split_once(':').unwrap_or((text, ""));
        let batch = if batch.is_empty() { BATCH } else { number(batch)? };
        let mut parts = widths.split('-');
        let inputs = number(parts.next().unwrap_or_default())?;
        let mut hidden = Vec::new();
        for part in parts {
            let (width, layers) = part.split_once('x').unwrap_or((part, "1"));
            hidden.extend(std::iter::repeat_n(number(width)?, number(layers)?));
        }
        if hidden.is_empty() { Err(wrong()) } else { Ok(Self { inputs, hidden, batch }) }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inputs)?;
        for group in self.hidden.chunk_by(|a, b| a == b) {
            match group {
                [width] => write!(f, "-{width}")?,
                group => write!(f, "-{}x{}", group[0], group.len())?,
            }
        }
        write!(f, ":{}", self.batch)
    }
}

const SCOPES: [(&str, Scope); 4] = [
    ("batch", Scope::Batch),
    ("layer", Scope::Layer),
    ("example", Scope::Example),
    ("example-layer", Scope::ExampleLayer),
];

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = |what: String| format!("`{text}`: {what}; write strategy@scope:K, as weight-transpose@example:8");
        let (rest, guesses) = text.split_once(':').unwrap_or((text, "1"));
        let guesses = guesses.parse().ok().filter(|&k| k > 0);
        let guesses = guesses.ok_or_else(|| wrong("the number of guesses is not a whole number above 0".into()))?;
        let (strategy, scope) = match rest.split_once('@') {
            None => (rest, None),
            Some((strategy, name)) => {
                let known = SCOPES.iter().find(|(scope, _)| *scope == name.replace('_', "-"));
                let names: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).collect();
                let unknown = || wrong(format!("there is no scope `{name}`, only {}", names.join(", ")));
                (strategy, Some(known.ok_or_else(unknown)?.1))
            }
        };
        if strategy.is_empty() {
            return Err(wrong("it names no strategy".into()));
        }
        Ok(Self { strategy: strategy.to_owned(), scope, guesses })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.strategy)?;
        if let Some(scope) = self.scope
            && let Some((name, _)) = SCOPES.iter().find(|(_, known)| *known == scope)
        {
            write!(f, "@{name}")?;
        }
        if self.guesses > 1 { write!(f, ":{}", self.guesses) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_written_in_a_word() {
        for text in ["784-256x3:128", "3072-1024x6:128", "8-16-4x2-3:5", "1-1:1"] {
            assert_eq!(text.parse::<Model>().unwrap().to_string(), text);
        }
        let model: Model = "784-256-128".parse().unwrap();
        assert_eq!((model.inputs, &model.hidden[..], model.batch), (784, &[256, 128][..], 128));
        for wrong in ["", "784", "784-", "784-0x3", "784-256x0", "784-256:0", "784-a", "784-256x3:b"] {
            assert!(wrong.parse::<Model>().unwrap_err().contains("784-256x3:128"), "{wrong}");
        }
    }

    #[test]
    fn methods_are_written_in_a_word() {
        for text in ["backprop", "weight-transpose@example:8", "a@example-layer", "b:2"] {
            assert_eq!(text.parse::<Method>().unwrap().to_string(), text);
        }
        assert_eq!("a@example_layer".parse::<Method>().unwrap().scope, Some(Scope::ExampleLayer));
        let error = "a@nowhere".parse::<Method>().unwrap_err();
        assert!(error.contains("batch, layer, example, example-layer"), "{error}");
        for wrong in ["", "@batch", "a:0", "a:x", "a@"] {
            assert!(wrong.parse::<Method>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn synthetic_data_fill_whole_batches() {
        let model: Model = "6-4x2:16".parse().unwrap();
        let data = model.data(&Device::Cpu).unwrap();
        assert_eq!((data.train.x.dims(), data.train.count()), (&[128, 6][..], 128));
        let mean = data.train.x.mean_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(mean.abs() < 0.2, "{mean}");
        assert_eq!(data.train.labels.flatten_all().unwrap().to_vec1::<f32>().unwrap()[11], 1.0);
    }
}
