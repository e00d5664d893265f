//! From bytes to tensors: scaling and layout.
//!
//! Scalings of a pixel v with white at m: unit v/m; signed 2v/m − 1; standard (v − μ)/σ with one μ and σ over all
//! pixels of the training split (sums are exact integers, so they do not depend on any order).

use super::{Batch, DataError, Dataset, Examples};
use crate::workspace::Scaling;
use candle_core::{DType, Device, Result, Tensor};

/// How an image becomes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One row an example, in the order channel, row, column: N × (C·H·W).
    Flat,
    /// One row a position, its channels side by side (NHWC): (N·H·W) × C.
    Positions,
}

/// The splits as tensors on a device. Clones share the tensors.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// How images lie in rows.
    pub layout: Layout,
    /// Planes of an image, C.
    pub channels: usize,
    /// Rows of an image, H.
    pub height: usize,
    /// Columns of an image, W.
    pub width: usize,
    /// Classes.
    pub classes: usize,
    /// What is trained on.
    pub train: Split,
    /// What choices are made on, when the workspace sets some examples apart.
    pub validation: Option<Split>,
    /// What nothing is chosen on.
    pub test: Split,
}

/// One split as tensors.
#[derive(Clone, Debug)]
pub struct Split {
    /// Inputs, (N·P) × n.
    pub x: Tensor,
    /// Class indices as numbers of the same type, N × 1.
    pub labels: Tensor,
    /// Class indices.
    pub classes: Vec<u32>,
    /// Rows an example, P.
    pub rows: usize,
    /// Width of a row, n.
    pub width: usize,
}

impl Split {
    /// Examples, N.
    pub fn count(&self) -> usize {
        self.classes.len()
    }

    /// The split in order, `size` examples at a time (the last batch may be smaller). Views, not copies: only the first
    /// starts at the beginning of its storage. `step` counts the chunks.
    pub fn chunks(&self, size: usize) -> impl Iterator<Item = Result<Batch>> + '_ {
        let size = size.max(1);
        (0..self.count()).step_by(size).enumerate().map(move |(step, start)| {
            let count = size.min(self.count() - start);
            Ok(Batch {
                step: step as u64,
                x: self.x.narrow(0, start * self.rows, count * self.rows)?,
                labels: self.labels.narrow(0, start, count)?,
                classes: self.classes[start..start + count].to_vec(),
                indices: (start as u32..(start + count) as u32).collect(),
            })
        })
    }
}

pub(super) fn prepare(
    set: &Dataset,
    scale: Scaling,
    layout: Layout,
    dtype: DType,
    device: &Device,
) -> std::result::Result<Prepared, DataError> {
    let table = table(scale, &set.train);
    let split = |examples: &Examples| -> Result<Split> {
        let (rows, width) = match layout {
            Layout::Flat => (1, examples.size()),
            Layout::Positions => (examples.height * examples.width, examples.channels),
        };
        let classes: Vec<u32> = examples.labels.iter().map(|&label| u32::from(label)).collect();
        let shape = (examples.count * rows, width);
        let x = match dtype {
            DType::F32 => Tensor::from_vec(scaled(examples, layout, &table.map(|value| value as f32)), shape, device)?,
            DType::F64 => Tensor::from_vec(scaled(examples, layout, &table), shape, device)?,
            other => candle_core::bail!("data type {other:?}: expected f32 or f64"),
        };
        let labels =
            Tensor::from_iter(classes.iter().copied(), device)?.to_dtype(dtype)?.reshape((classes.len(), 1))?;
        Ok(Split { x, labels, classes, rows, width })
    };
    Ok(Prepared {
        layout,
        channels: set.channels,
        height: set.height,
        width: set.width,
        classes: set.classes,
        train: split(&set.train)?,
        validation: set.validation.as_ref().map(split).transpose()?,
        test: split(&set.test)?,
    })
}

/// The number for each byte.
fn table(scale: Scaling, train: &Examples) -> [f64; 256] {
    let white = f64::from(train.maximum.max(1));
    let (shift, factor) = match scale {
        Scaling::Unit => (0.0, 1.0 / white),
        Scaling::Signed => (white / 2.0, 2.0 / white),
        Scaling::Standard => {
            let (mean, deviation) = mean_and_deviation(&train.pixels);
            (mean, if deviation > 0.0 { 1.0 / deviation } else { 1.0 })
        }
    };
    std::array::from_fn(|byte| (byte as f64 - shift) * factor)
}

fn mean_and_deviation(pixels: &[u8]) -> (f64, f64) {
    let (mut sum, mut squares) = (0u64, 0u64);
    for pixel in pixels.iter().map(|&pixel| u64::from(pixel)) {
        sum += pixel;
        squares += pixel * pixel;
    }
    let count = pixels.len().max(1) as f64;
    let mean = sum as f64 / count;
    (mean, (squares as f64 / count - mean * mean).max(0.0).sqrt())
}

fn scaled<T: Copy>(examples: &Examples, layout: Layout, table: &[T; 256]) -> Vec<T> {
    let number = |pixel: &u8| table[usize::from(*pixel)];
    if layout == Layout::Flat || examples.channels == 1 {
        return examples.pixels.iter().map(number).collect();
    }
    let plane = examples.height * examples.width;
    let mut numbers = Vec::with_capacity(examples.pixels.len());
    for image in examples.pixels.chunks_exact(examples.size()) {
        for position in 0..plane {
            numbers.extend(image[position..].iter().step_by(plane).map(number));
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::DataSpec;

    fn digits(scale: Scaling) -> Dataset {
        let spec = DataSpec { name: "digits".into(), path: None, scale, validation: 0.1, limit: None };
        Dataset::load(&spec, None, 0).unwrap()
    }

    fn values(set: &Dataset, layout: Layout) -> Vec<f64> {
        let prepared = set.prepare(layout, DType::F64, &Device::Cpu).unwrap();
        prepared.train.x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn scalings_reach_their_ranges() {
        let range = |values: Vec<f64>| values.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        assert_eq!(range(values(&digits(Scaling::Unit), Layout::Flat)), (0.0, 1.0));
        assert_eq!(range(values(&digits(Scaling::Signed), Layout::Flat)), (-1.0, 1.0));
        let standard = values(&digits(Scaling::Standard), Layout::Flat);
        let count = standard.len() as f64;
        let mean = standard.iter().sum::<f64>() / count;
        let square = standard.iter().map(|value| value * value).sum::<f64>() / count;
        assert!(mean.abs() < 1e-12 && (square - 1.0).abs() < 1e-12, "{mean} {square}");
    }

    #[test]
    fn constant_images_stay_finite() {
        let mut set = digits(Scaling::Standard);
        set.train.pixels.fill(3);
        assert!(values(&set, Layout::Flat).iter().all(|&value| value == 0.0));
    }

    #[test]
    fn positions_hold_channels_side_by_side() {
        let mut set = digits(Scaling::Unit);
        let pixels = (0..12).collect();
        set.train =
            Examples { pixels, labels: vec![1], count: 1, channels: 3, height: 2, width: 2, classes: 10, maximum: 1 };
        let expected = [0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.];
        assert_eq!(values(&set, Layout::Positions), expected);
        let prepared = set.prepare(Layout::Positions, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(prepared.train.x.dims(), [4, 3]);
        assert!(set.prepare(Layout::Flat, DType::U8, &Device::Cpu).is_err());
    }

    #[test]
    fn chunks_cover_the_split_in_order() {
        let prepared = digits(Scaling::Unit).prepare(Layout::Positions, DType::F32, &Device::Cpu).unwrap();
        let test = &prepared.test;
        let chunks: Vec<Batch> = test.chunks(100).map(|chunk| chunk.unwrap()).collect();
        assert_eq!(chunks.iter().map(|chunk| chunk.classes.len()).collect::<Vec<_>>(), [100, 100, 100, 60]);
        assert_eq!(chunks[3].x.dims(), [60 * 64, 1]);
        let labels: Vec<f32> =
            chunks.iter().flat_map(|chunk| chunk.labels.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect();
        assert_eq!(labels, test.classes.iter().map(|&class| class as f32).collect::<Vec<_>>());
        let last: Vec<Vec<f32>> = chunks[3].x.to_vec2().unwrap();
        let whole: Vec<Vec<f32>> = test.x.to_vec2().unwrap();
        assert_eq!(last, whole[300 * 64..]);
    }
}
