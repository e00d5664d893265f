//! A data set as a workspace asks for it: read, cut to its limit, split.

use super::permutation::{Purpose, permutation};
use super::prepare::{self, Layout, Prepared};
use super::{DataError, Examples, locate};
use crate::workspace::{DataSpec, Scaling};
use candle_core::{DType, Device};
use std::path::Path;

/// Largest share of the training examples that may be set apart.
const LARGEST_SHARE: f64 = 0.9;

/// Training, validation and test examples, as raw bytes.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name of the set.
    pub name: String,
    /// Where it was read from: `embedded` or a folder.
    pub source: String,
    /// Planes of an image, C.
    pub channels: usize,
    /// Rows of an image, H.
    pub height: usize,
    /// Columns of an image, W.
    pub width: usize,
    /// Classes.
    pub classes: usize,
    /// What is trained on.
    pub train: Examples,
    /// Training examples set apart, when the workspace asks for some.
    pub validation: Option<Examples>,
    /// What nothing is chosen on.
    pub test: Examples,
    scale: Scaling,
}

impl Dataset {
    /// Reads the set that `spec` names. A relative `path` is looked for from the workspace's folder, then from the
    /// current one. Which examples form the validation split is a function of `data_seed`.
    ///
    /// # Errors
    /// [`DataError`]: no such set, files missing or malformed, or a limit or share that leaves no example.
    pub fn load(spec: &DataSpec, workspace: Option<&Path>, data_seed: u64) -> Result<Self, DataError> {
        let (train, test, source) = locate::read(&spec.name, spec.path.as_deref(), workspace)?;
        let shape = |examples: &Examples| (examples.channels, examples.height, examples.width);
        if shape(&train) != shape(&test) {
            let text = |(c, h, w)| format!("{c}×{h}×{w}");
            return Err(DataError::Format {
                file: source,
                what: "test images",
                found: text(shape(&test)),
                expected: format!("{} as the training images", text(shape(&train))),
            });
        }
        let (train, validation) = Self::split(train, spec, data_seed)?;
        let Examples { channels, height, width, classes, .. } = train;
        let (name, scale) = (spec.name.clone(), spec.scale);
        Ok(Self { name, source, channels, height, width, classes, train, validation, test, scale })
    }

    fn split(train: Examples, spec: &DataSpec, seed: u64) -> Result<(Examples, Option<Examples>), DataError> {
        let all = train.count;
        let count = spec.limit.unwrap_or(all).min(all);
        if count == 0 {
            return Err(DataError::Request("`limit: 0` leaves no training example; give at least 1".into()));
        }
        let share = spec.validation;
        if !(0.0..=LARGEST_SHARE).contains(&share) {
            return Err(DataError::Request(format!(
                "`validation: {share}` is not a share; give a number from 0 to {LARGEST_SHARE}"
            )));
        }
        if share == 0.0 {
            let train = if count == all { train } else { train.select(&(0..count as u32).collect::<Vec<_>>()) };
            return Ok((train, None));
        }
        let apart = ((share * count as f64).round() as usize).max(1);
        if apart >= count {
            return Err(DataError::Request(format!(
                "`validation: {share}` of {count} training examples leaves none to train on"
            )));
        }
        let mut order = permutation(count, seed, Purpose::Validation);
        let mut last = order.split_off(count - apart);
        order.sort_unstable();
        last.sort_unstable();
        Ok((train.select(&order), Some(train.select(&last))))
    }

    /// The tensors of all splits, scaled as the workspace asks.
    ///
    /// # Errors
    /// When the device cannot hold them or the data type is not a floating-point one.
    pub fn prepare(&self, layout: Layout, dtype: DType, device: &Device) -> Result<Prepared, DataError> {
        prepare::prepare(self, self.scale, layout, dtype, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(validation: f64, limit: Option<usize>) -> DataSpec {
        DataSpec { name: "fashion-mini".into(), path: None, scale: Scaling::Standard, validation, limit }
    }

    #[test]
    fn validation_is_a_function_of_the_seed_and_takes_every_example_once() {
        let whole = Dataset::load(&spec(0.0, None), None, 1).unwrap();
        assert_eq!((whole.train.count, whole.validation.is_none(), whole.source.as_str()), (1500, true, "embedded"));
        let one = Dataset::load(&spec(0.2, None), None, 1).unwrap();
        let apart = one.validation.unwrap();
        assert_eq!((one.train.count, apart.count), (1200, 300));
        let sum = |examples: &Examples| examples.pixels.iter().map(|&pixel| u64::from(pixel)).sum::<u64>();
        assert_eq!(sum(&one.train) + sum(&apart), sum(&whole.train));
        assert_eq!(Dataset::load(&spec(0.2, None), None, 1).unwrap().validation.unwrap(), apart);
        assert_ne!(Dataset::load(&spec(0.2, None), None, 2).unwrap().validation.unwrap(), apart);
    }

    #[test]
    fn limit_comes_before_the_split() {
        let few = Dataset::load(&spec(0.25, Some(40)), None, 0).unwrap();
        assert_eq!((few.train.count, few.validation.unwrap().count, few.test.count), (30, 10, 500));
        assert_eq!(Dataset::load(&spec(0.0, Some(9000)), None, 0).unwrap().train.count, 1500);
    }

    #[test]
    fn impossible_requests_say_what_is_possible() {
        let message = |spec: DataSpec| Dataset::load(&spec, None, 0).unwrap_err().to_string();
        assert!(message(spec(0.95, None)).contains("0 to 0.9"));
        assert!(message(spec(f64::NAN, None)).contains("not a share"));
        assert!(message(spec(0.5, Some(1))).contains("leaves none"));
        assert!(message(spec(0.0, Some(0))).contains("at least 1"));
        assert!(
            message(DataSpec { name: "fashion-mnst".into(), ..spec(0.0, None) })
                .contains("did you mean `fashion-mnist`")
        );
        let absent = DataSpec { name: "mnist".into(), path: Some("/no/such/folder".into()), ..spec(0.0, None) };
        let message = message(absent);
        assert!(message.contains("/no/such/folder") && message.contains("scripts/fetch-data.sh mnist"), "{message}");
    }
}
