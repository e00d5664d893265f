//! Functions that the standard library lacks, or has only one number at a time: tanh, and the normal distribution, which
//! is what the exact GELU s·Φ(s) needs.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Φ(x) and φ(x) in double precision.
pub(super) fn normal_f64(x: f64) -> (f64, f64) {
    let cumulative = 0.5 * (1.0 + candle_core::cpu::erf::erf_f64(x * FRAC_1_SQRT_2));
    (cumulative, (-0.5 * x * x).exp() / TAU.sqrt())
}

/// Φ(x) and φ(x) in single precision.
pub(super) fn normal_f32(x: f32) -> (f32, f32) {
    let cumulative = 0.5 * (1.0 + candle_core::cpu::erf::erf_f32(x * FRAC_1_SQRT_2 as f32));
    (cumulative, (-0.5 * x * x).exp() * (1.0 / TAU.sqrt()) as f32)
}

/// tanh x in single precision.
pub(super) fn tanh_f32(x: f32) -> f32 {
    x.tanh()
}
