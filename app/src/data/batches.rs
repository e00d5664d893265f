//! Batches as a function of (data seed, step): each epoch a permutation of its own, the last partial batch dropped.
//!
//! With N training examples and batches of B, step t lies in epoch ⌊t / ⌊N/B⌋⌋. Nothing else enters, so a lane that is
//! added late or resumed sees what every other lane saw at that step.

use super::permutation::{Purpose, permutation};
use super::{DataError, Prepared, Split};
use candle_core::{Result, Tensor};

/// One batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The step it belongs to (for chunks of a split, the chunk's number).
    pub step: u64,
    /// Inputs, (B·P) × n.
    pub x: Tensor,
    /// Class indices as numbers of the inputs' type, B × 1.
    pub labels: Tensor,
    /// Class indices.
    pub classes: Vec<u32>,
    /// Places of the examples in their split.
    pub indices: Vec<u32>,
}

/// The endless sequence of training batches. Remembers the order of one epoch, so give each lane a clone: clones share
/// the tensors.
#[derive(Clone, Debug)]
pub struct Batches {
    split: Split,
    /// Inputs with an example a row, N × (P·n).
    examples: Tensor,
    size: usize,
    seed: u64,
    epoch: Option<(u64, Vec<u32>)>,
}

impl Batches {
    /// Batches of `size` examples of the training split.
    ///
    /// # Errors
    /// When `size` is zero or larger than the split.
    pub fn new(prepared: &Prepared, size: usize, data_seed: u64) -> std::result::Result<Self, DataError> {
        let split = prepared.train.clone();
        let count = split.count();
        if size == 0 || size > count {
            return Err(DataError::Request(format!("`batch: {size}`: expected 1 to {count}, the training examples")));
        }
        let examples = split.x.reshape((count, split.rows * split.width))?;
        Ok(Self { split, examples, size, seed: data_seed, epoch: None })
    }

    /// Examples in a batch, B.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Batches in an epoch.
    pub fn per_epoch(&self) -> u64 {
        (self.split.count() / self.size) as u64
    }

    /// The batch of `step`, gathered into one new buffer.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn batch(&mut self, step: u64) -> Result<Batch> {
        let per_epoch = self.per_epoch();
        let (epoch, place) = (step / per_epoch, (step % per_epoch) as usize);
        if self.epoch.as_ref().is_none_or(|(current, _)| *current != epoch) {
            self.epoch = Some((epoch, permutation(self.split.count(), self.seed, Purpose::Epoch(epoch))));
        }
        let order = self.epoch.as_ref().map_or(&[][..], |(_, order)| order);
        let indices = order[place * self.size..(place + 1) * self.size].to_vec();
        let chosen = Tensor::new(indices.as_slice(), self.examples.device())?;
        let shape = (self.size * self.split.rows, self.split.width);
        Ok(Batch {
            step,
            x: self.examples.index_select(&chosen, 0)?.reshape(shape)?,
            labels: self.split.labels.index_select(&chosen, 0)?,
            classes: indices.iter().map(|&index| self.split.classes[index as usize]).collect(),
            indices,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Layout};
    use crate::workspace::{DataSpec, Scaling};
    use candle_core::{DType, Device};

    fn prepared() -> Prepared {
        let scale = Scaling::Unit;
        let spec = DataSpec { name: "digits".into(), path: None, scale, validation: 0.0, limit: Some(100) };
        Dataset::load(&spec, None, 0).unwrap().prepare(Layout::Positions, DType::F64, &Device::Cpu).unwrap()
    }

    #[test]
    fn an_epoch_is_a_permutation_without_its_last_partial_batch() {
        let mut batches = Batches::new(&prepared(), 30, 5).unwrap();
        assert_eq!(batches.per_epoch(), 3);
        let epoch = |batches: &mut Batches, epoch: u64| -> Vec<u32> {
            (0..3).flat_map(|step| batches.batch(3 * epoch + step).unwrap().indices).collect()
        };
        let (first, second) = (epoch(&mut batches, 0), epoch(&mut batches, 1));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 90);
        assert_ne!(first, second);
    }

    #[test]
    fn a_batch_depends_on_seed_and_step_alone() {
        let prepared = prepared();
        let mut one = Batches::new(&prepared, 30, 5).unwrap();
        let mut other = one.clone();
        (0..7).for_each(|step| drop(one.batch(step).unwrap()));
        let (a, b) = (one.batch(7).unwrap(), other.batch(7).unwrap());
        assert_eq!(a.indices, b.indices);
        assert_eq!(a.x.to_vec2::<f64>().unwrap(), b.x.to_vec2::<f64>().unwrap());
        assert_ne!(Batches::new(&prepared, 30, 6).unwrap().batch(7).unwrap().indices, a.indices);
    }

    #[test]
    fn rows_labels_and_classes_belong_to_the_indices() {
        let prepared = prepared();
        let batch = Batches::new(&prepared, 4, 1).unwrap().batch(2).unwrap();
        assert_eq!((batch.x.dims(), batch.labels.dims()), (&[4 * 64, 1][..], &[4, 1][..]));
        let whole: Vec<Vec<f64>> = prepared.train.x.to_vec2().unwrap();
        let rows: Vec<Vec<f64>> = batch.x.to_vec2().unwrap();
        let labels: Vec<Vec<f64>> = batch.labels.to_vec2().unwrap();
        for (place, &index) in batch.indices.iter().enumerate() {
            let index = index as usize;
            assert_eq!(rows[place * 64..(place + 1) * 64], whole[index * 64..(index + 1) * 64]);
            assert_eq!(batch.classes[place], prepared.train.classes[index]);
            assert_eq!(labels[place][0], f64::from(batch.classes[place]));
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        let message = |size| Batches::new(&prepared(), size, 0).unwrap_err().to_string();
        assert!(message(0).contains("expected 1 to 100"));
        assert!(message(101).contains("expected 1 to 100"));
        assert!(Batches::new(&prepared(), 100, 0).is_ok());
    }
}
