//! eˣ, tanh and the normal distribution. In single precision they are arithmetic and selections alone, without calls or
//! branches, so that passes over them become vector code; the errors stated are checked below.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Φ(x) and φ(x) in double precision.
pub(super) fn normal_f64(x: f64) -> (f64, f64) {
    let cumulative = 0.5 * (1.0 + candle_core::cpu::erf::erf_f64(x * FRAC_1_SQRT_2));
    (cumulative, (-0.5 * x * x).exp() / TAU.sqrt())
}

/// eˣ with a relative error of about 1e-7; 0 below −87.3, where the results would be subnormal. With n the whole number
/// nearest to x/ln 2 it is 2ⁿ times a polynomial of x − n·ln 2 (Cephes).
#[inline(always)]
pub(super) fn exp_f32(x: f32) -> f32 {
    /// Adding this leaves no room for a fraction.
    const ROUND: f32 = 12_582_912.0;
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4f32;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let power = f32::from_bits(((n as i32).wrapping_add(127) as u32) << 23);
    let value = (p * r * r + r + 1.0) * power;
    let value = if x < -87.3 { 0.0 } else { value };
    if x > 88.0 { f32::INFINITY } else { value }
}

/// tanh x with an absolute error of about 1e-7: a polynomial near 0 (Cephes), else 1 − 2/(e²ˣ + 1).
#[inline(always)]
pub(super) fn tanh_f32(x: f32) -> f32 {
    let magnitude = x.abs();
    let square = x * x;
    let mut p = -5.704_988_7e-3f32;
    p = p * square + 2.063_909e-2;
    p = p * square - 5.373_971_6e-2;
    p = p * square + 1.333_144_2e-1;
    p = p * square - 3.333_328e-1;
    let near = p * square * x + x;
    // Past 10 the result is 1 in single precision.
    let bounded = if magnitude > 10.0 { 10.0 } else { magnitude };
    let far = (1.0 - 2.0 / (exp_f32(2.0 * bounded) + 1.0)).copysign(x);
    if magnitude < 0.625 { near } else { far }
}

/// Φ(x) and φ(x) with an absolute error of about 2e-7, Φ's tail to a relative error of about 1e-6 as well: with z = |x|/√2
/// and t = 1/(1 + 0.4 z), erfc(z) = e^(−z²)·t·P(t), P fitted for the least largest relative error on 0 ≤ z ≤ 9.5.
#[inline(always)]
pub(super) fn normal_f32(x: f32) -> (f32, f32) {
    let bell = exp_f32(-0.5 * x * x);
    let t = 1.0 / (1.0 + (0.4 * FRAC_1_SQRT_2) as f32 * x.abs());
    let mut p = 4.026_749e-2f32;
    p = p * t - 1.354_710_7e-1;
    p = p * t + 7.384_211e-2;
    p = p * t + 9.972_961e-2;
    p = p * t + 7.150_83e-2;
    p = p * t + 1.969_630_3e-1;
    p = p * t + 2.009_585_8e-1;
    p = p * t + 2.265_757_1e-1;
    p = p * t + 2.256_263e-1;
    let tail = 0.5 * bell * t * p;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell * (1.0 / TAU.sqrt()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error of `f` on a fine grid, relative to what `scale` says of the exact value.
    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, range: (f32, f32), scale: impl Fn(f64) -> f64) -> f64 {
        let steps = 400_000u32;
        let grid = (0..=steps).map(|i| range.0 + (range.1 - range.0) * (i as f32 / steps as f32));
        grid.map(|x| (f64::from(f(x)) - exact(f64::from(x))).abs() / scale(exact(f64::from(x)))).fold(0.0, f64::max)
    }

    #[test]
    fn single_precision_keeps_the_stated_errors() {
        let within = |what: &str, found: f64, allowed: f64| assert!(found < allowed, "{what}: {found:.2e}");
        within("exp", worst(exp_f32, f64::exp, (-87.0, 88.0), |y| y), 2e-7);
        within("tanh", worst(tanh_f32, f64::tanh, (-12.0, 12.0), |_| 1.0), 2e-7);
        within("tanh near 0", worst(tanh_f32, f64::tanh, (-0.7, 0.7), |y| y.abs().max(1e-30)), 3e-7);
        let (cumulative, density) = (|x| normal_f32(x).0, |x| normal_f32(x).1);
        within("Φ", worst(cumulative, |x| normal_f64(x).0, (-10.0, 10.0), |_| 1.0), 3e-7);
        within("φ", worst(density, |x| normal_f64(x).1, (-10.0, 10.0), |_| 1.0), 2e-7);
        within("Φ's tail", worst(cumulative, |x| 0.5 * erfc(-x * FRAC_1_SQRT_2), (-5.0, -0.5), |y| y), 2e-6);
    }

    /// erfc by its continued fraction (z ≥ 0.3), independent of the polynomial.
    fn erfc(z: f64) -> f64 {
        let fraction = (1..=400).rev().fold(z, |tail, k| z + f64::from(k) / 2.0 / tail);
        (-z * z).exp() / std::f64::consts::PI.sqrt() / fraction
    }

    #[test]
    fn the_ends_are_right() {
        assert_eq!([exp_f32(0.0), exp_f32(f32::NEG_INFINITY), exp_f32(f32::INFINITY)], [1.0, 0.0, f32::INFINITY]);
        assert!(exp_f32(f32::NAN).is_nan() && tanh_f32(f32::NAN).is_nan() && normal_f32(f32::NAN).0.is_nan());
        assert_eq!([tanh_f32(0.0), tanh_f32(50.0), tanh_f32(f32::NEG_INFINITY)], [0.0, 1.0, -1.0]);
        assert_eq!([normal_f32(-40.0).0, normal_f32(40.0).0], [0.0, 1.0]);
    }
}
