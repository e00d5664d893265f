//! Reductions to numbers: in double precision, over fixed pieces, so that they are the same at any thread count.

use super::access::{read, same_shape, shape};
use super::general;
use super::parallel::map;
use super::real::{Real, on_real};
use super::wide::wide;
use candle_core::{Result, Tensor};

/// Partial sums a piece keeps, one a vector lane.
const SUMS: usize = 16;

wide! {
    /// Σ a ⊙ b.
    pub(super) fn dot_pass<T: Real>(a: &[T], b: &[T]) -> f64 {
        let mut sums = [0.0; SUMS];
        let (mut left, mut right) = (a.chunks_exact(SUMS), b.chunks_exact(SUMS));
        for (a, b) in (&mut left).zip(&mut right) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a.wide() * b.wide();
            }
        }
        let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a.wide() * b.wide()).sum();
        sums.iter().sum::<f64>() + rest
    }
}

wide! {
    /// Σ a².
    pub(super) fn norm_squared_pass<T: Real>(a: &[T]) -> f64 {
        let mut sums = [0.0; SUMS];
        let mut chunks = a.chunks_exact(SUMS);
        for a in &mut chunks {
            for (sum, a) in sums.iter_mut().zip(a) {
                *sum += a.wide() * a.wide();
            }
        }
        sums.iter().sum::<f64>() + chunks.remainder().iter().map(|a| a.wide() * a.wide()).sum::<f64>()
    }
}

wide! {
    /// Σ a.
    pub(super) fn sum_pass<T: Real>(a: &[T]) -> f64 {
        let mut sums = [0.0; SUMS];
        let mut chunks = a.chunks_exact(SUMS);
        for a in &mut chunks {
            for (sum, a) in sums.iter_mut().zip(a) {
                *sum += a.wide();
            }
        }
        sums.iter().sum::<f64>() + chunks.remainder().iter().map(|a| a.wide()).sum::<f64>()
    }
}

wide! {
    /// Whether all are finite: 0·a is 0 for finite numbers and NaN for the rest.
    fn finite_pass<T: Real>(a: &[T]) -> bool {
        let mut sums = [T::ZERO; SUMS];
        let mut chunks = a.chunks_exact(SUMS);
        for a in &mut chunks {
            for (sum, a) in sums.iter_mut().zip(a) {
                *sum += *a * T::ZERO;
            }
        }
        sums.iter().all(|sum| *sum == T::ZERO) && chunks.remainder().iter().all(|a| a.is_finite())
    }
}

wide! {
    /// max |a| by the bits without their sign, which are in the order of the numbers, the infinite and NaN last.
    pub(super) fn largest_f32(a: &[f32]) -> f32 {
        f32::from_bits(a.iter().fold(0, |largest, a| largest.max(a.to_bits() & (u32::MAX >> 1))))
    }
}

wide! {
    /// As [`largest_f32`].
    pub(super) fn largest_f64(a: &[f64]) -> f64 {
        f64::from_bits(a.iter().fold(0, |largest, a| largest.max(a.to_bits() & (u64::MAX >> 1))))
    }
}

wide! {
    fn equal_signs_pass<T: Real>(a: &[T], b: &[T]) -> usize {
        a.iter().zip(b).map(|(a, b)| usize::from((*a > T::ZERO) == (*b > T::ZERO) && (*a < T::ZERO) == (*b < T::ZERO))).sum()
    }
}

/// Σ a ⊙ b.
///
/// # Errors
/// When the extents or types differ.
pub fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    same_shape("dot", a, b)?;
    if general::takes(a) {
        return general::dot(a, b);
    }
    on_real!(a, T => read::<T, _, 2>("dot", [a, b], |[a, b]| {
        map(a.len(), |from, to| dot_pass(&a[from..to], &b[from..to])).iter().sum()
    }))
}

/// Σ a², the squared Frobenius norm.
///
/// # Errors
/// When `a` is not contiguous, or not f32 or f64.
pub fn norm_squared(a: &Tensor) -> Result<f64> {
    if general::takes(a) {
        return general::dot(a, a);
    }
    on_real!(a, T => read::<T, _, 1>("norm_squared", [a], |[a]| {
        map(a.len(), |from, to| norm_squared_pass(&a[from..to])).iter().sum()
    }))
}

/// Σ a.
///
/// # Errors
/// When `a` is not contiguous, or not f32 or f64.
pub fn sum(a: &Tensor) -> Result<f64> {
    if general::takes(a) {
        return general::sum(a);
    }
    on_real!(a, T => read::<T, _, 1>("sum", [a], |[a]| map(a.len(), |from, to| sum_pass(&a[from..to])).iter().sum()))
}

/// Row and column of the first element that is infinite or NaN.
///
/// # Errors
/// When `a` is not contiguous, or not f32 or f64.
pub fn first_non_finite(a: &Tensor) -> Result<Option<(usize, usize)>> {
    let (_, n) = shape(a);
    if general::takes(a) {
        return general::on_host([], [a], |[], [a]| first_non_finite(a));
    }
    on_real!(a, T => read::<T, _, 1>("first_non_finite", [a], |[a]| {
        let found = map(a.len(), |from, to| {
            if finite_pass(&a[from..to]) { None } else { a[from..to].iter().position(|x| !x.is_finite()).map(|i| from + i) }
        });
        found.into_iter().flatten().next().map(|i| (i / n, i % n))
    }))
}

/// max |a|; infinite or NaN where an element is.
///
/// # Errors
/// When `a` is not contiguous, or not f32 or f64.
pub fn largest(a: &Tensor) -> Result<f64> {
    if general::takes(a) {
        return general::on_host([], [a], |[], [a]| largest(a));
    }
    on_real!(a, T => read::<T, _, 1>("largest", [a], |[a]| {
        let parts = map(a.len(), |from, to| T::largest(&a[from..to]).wide());
        // A NaN wins.
        parts.into_iter().fold(0.0, |largest, part| if part > largest || part.is_nan() { part } else { largest })
    }))
}

/// Number of places where both have the same sign, zero counting as a sign of its own.
///
/// # Errors
/// When the extents or types differ.
pub fn count_equal_signs(a: &Tensor, b: &Tensor) -> Result<usize> {
    same_shape("count_equal_signs", a, b)?;
    if general::takes(a) {
        return general::on_host([], [a, b], |[], [a, b]| count_equal_signs(a, b));
    }
    on_real!(a, T => read::<T, _, 2>("count_equal_signs", [a, b], |[a, b]| {
        map(a.len(), |from, to| equal_signs_pass(&a[from..to], &b[from..to])).iter().sum()
    }))
}
