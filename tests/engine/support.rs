//! Random matrices and comparisons for the tests of this folder.

use candle_core::{DType, Device, Tensor};
use guesswork::kernel::{self, Draw, DrawKey};

/// Standard normal numbers that depend on `seed` alone.
pub fn random(rows: usize, columns: usize, seed: u64) -> Tensor {
    random_shaped(&[rows, columns], seed)
}

/// Standard normal numbers of any shape.
pub fn random_shaped(shape: &[usize], seed: u64) -> Tensor {
    let tensor = Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap();
    let key = DrawKey { seed, instance: 0, step: 0, site: 0, guess: 0, draw: 0 };
    kernel::fill_draws(&tensor, Draw::Normal, 1.0, key).unwrap();
    tensor
}

/// The numbers in double precision.
pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest magnitude.
pub fn largest(tensor: &Tensor) -> f64 {
    numbers(tensor).iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

/// Largest difference over the largest magnitude of `expected`, or over `floor` where that is larger.
fn relative_error(found: &Tensor, expected: &Tensor, floor: f64) -> f64 {
    assert_eq!(found.elem_count(), expected.elem_count(), "{:?} against {:?}", found.dims(), expected.dims());
    let scale = largest(expected).max(floor);
    let (found, expected) = (numbers(found), numbers(expected));
    let difference = found.iter().zip(&expected).map(|(a, b)| if a.is_nan() { f64::INFINITY } else { (a - b).abs() });
    difference.fold(0.0, f64::max) / if scale > 0.0 { scale } else { 1.0 }
}

/// Fails unless both agree.
#[track_caller]
pub fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_close_on_scale(what, found, expected, 0.0, tolerance);
}

/// Fails unless both agree, relative to `scale` where all of `expected` is smaller: a quantity that vanishes by a symmetry
/// is rounding noise of what it is the difference of.
#[track_caller]
pub fn assert_close_on_scale(what: &str, found: &Tensor, expected: &Tensor, scale: f64, tolerance: f64) {
    let error = relative_error(found, expected, scale);
    assert!(error <= tolerance, "{what}: relative error {error:.2e}, allowed {tolerance:.0e}");
}

/// Fails unless both agree.
#[track_caller]
pub fn assert_near(what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
    assert!(
        error <= tolerance,
        "{what}: {found} against {expected}, relative error {error:.2e}, allowed {tolerance:.0e}"
    );
}

pub fn zeros(rows: usize, columns: usize) -> Tensor {
    Tensor::zeros((rows, columns), DType::F64, &Device::Cpu).unwrap()
}

pub fn column(values: Vec<f64>) -> Tensor {
    let rows = values.len();
    Tensor::from_vec(values, (rows, 1), &Device::Cpu).unwrap()
}
