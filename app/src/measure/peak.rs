//! What the machine's matrix products reach: the yardstick of the cost pane.

use crate::kernel;
use candle_core::{DType, Device, Result, Tensor};
use std::time::Instant;

/// Extent of the products.
const EXTENT: usize = 512;

/// Products timed; the fastest counts.
const TRIES: usize = 6;

/// Floating-point operations a second of the product of two 512 × 512 matrices, the best of a few. Takes some tens of
/// milliseconds on a processor.
///
/// # Errors
/// As the kernels do.
pub fn gemm(dtype: DType, device: &Device) -> Result<f64> {
    let a = Tensor::ones((EXTENT, EXTENT), dtype, device)?;
    let (b, c) = (a.copy()?, a.zeros_like()?);
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let start = Instant::now();
        kernel::gemm(&c, 0.0, 1.0, &a, false, &b, false)?;
        device.synchronize()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(2.0 * (EXTENT as f64).powi(3) / best.max(1e-9))
}
