//! A small copy of a lane's last batch for the screen, made only when the screen asks.
#![forbid(unsafe_code)]

use super::lane::Lane;
use super::protocol::BatchView;
use crate::data::{Batches, Layout, Prepared};
use candle_core::{DType, Result};

/// Examples copied at most.
const EXAMPLES: usize = 64;

/// The batch of the lane's last step (the first, before any), as bytes, with the classes that its last forward pass said. `None` of
/// a lane that has ended: its network is gone.
///
/// # Errors
/// When the device cannot give its tensors back.
pub(super) fn peek(lane: Option<&Lane>, batches: &mut Batches, data: &Prepared) -> Result<Option<BatchView>> {
    let Some(lane) = lane else { return Ok(None) };
    let step = lane.steps_taken().saturating_sub(1);
    let batch = batches.batch(step)?;
    let count = batch.classes.len().min(EXAMPLES);
    let (channels, height, width) = (data.channels, data.height, data.width);
    let size = channels * height * width;
    let values: Vec<f64> = batch.x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let byte = |value: f64| ((value - low) / (high - low).max(1e-12) * 255.0).round().clamp(0.0, 255.0) as u8;
    let mut pixels = Vec::with_capacity(count * size);
    for example in values.chunks_exact(size).take(count) {
        for place in 0..height * width {
            for channel in 0..channels {
                let index = match data.layout {
                    Layout::Flat => channel * height * width + place,
                    Layout::Positions => place * channels + channel,
                };
                pixels.push(byte(example[index]));
            }
        }
    }
    let predictions = if lane.steps_taken() == 0 { Vec::new() } else { lane.predictions(count)? };
    let labels = batch.classes[..count].to_vec();
    let lane = lane.info().lane;
    Ok(Some(BatchView { lane, step, channels, height, width, pixels, labels, predictions }))
}
