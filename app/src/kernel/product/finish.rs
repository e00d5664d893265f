//! What is done with the sums of a tile.

#![allow(unsafe_code)]

use super::{Finish, Place, Tiled, tile_extent};
use crate::kernel::activation::{Activation, activate};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// `c ← beta·c + alpha·sum`; with `beta` = 0 `c` is not read.
pub(in crate::kernel) struct Scaled<T> {
    pub beta: T,
    pub alpha: T,
}

impl<T: Tiled> Finish<T> for Scaled<T> {
    #[inline(always)]
    fn row(&self, at: Place, sums: &[T], c: &mut [T]) {
        let beta = if at.first { self.beta } else { T::ONE };
        if beta == T::ZERO {
            for (c, sum) in c.iter_mut().zip(sums) {
                *c = self.alpha * *sum;
            }
        } else if beta == T::ONE {
            for (c, sum) in c.iter_mut().zip(sums) {
                *c += self.alpha * *sum;
            }
        } else {
            for (c, sum) in c.iter_mut().zip(sums) {
                *c = beta * *c + self.alpha * *sum;
            }
        }
    }
}

/// `c ← sum + bias` in the first matrix, `c ← sum` in the others.
pub(in crate::kernel) struct Biased<'a, T> {
    pub bias: &'a [T],
}

impl<T: Tiled> Finish<T> for Biased<'_, T> {
    #[inline(always)]
    fn row(&self, at: Place, sums: &[T], c: &mut [T]) {
        if !at.first {
            for (c, sum) in c.iter_mut().zip(sums) {
                *c += *sum;
            }
        } else if at.block == 0 {
            let bias = &self.bias[at.column..at.column + c.len()];
            for ((c, sum), bias) in c.iter_mut().zip(sums).zip(bias) {
                *c = *sum + *bias;
            }
        } else {
            c.copy_from_slice(sums);
        }
    }
}

/// As [`Biased`], and once the sums of the first matrix are complete X = φ(S) and M = φ'(S) beside them.
pub(in crate::kernel) struct Activated<'a, T> {
    bias: Biased<'a, T>,
    kind: Activation,
    /// X and M, laid out as the first matrix.
    results: [*mut T; 2],
    columns: usize,
}

// SAFETY: each part of a row is finished once, and nobody else uses X and M meanwhile.
unsafe impl<T: Tiled> Sync for Activated<'_, T> {}

impl<'a, T: Tiled> Activated<'a, T> {
    /// # Safety
    /// `x` and `m` must be as large as the first matrix of the product, apart from it, and unused until it is done.
    pub(in crate::kernel) unsafe fn new(kind: Activation, bias: &'a [T], x: &mut [T], m: &mut [T]) -> Self {
        Self { bias: Biased { bias }, kind, results: [x.as_mut_ptr(), m.as_mut_ptr()], columns: bias.len() }
    }
}

impl<T: Tiled> Finish<T> for Activated<'_, T> {
    #[inline(always)]
    fn row(&self, at: Place, sums: &[T], c: &mut [T]) {
        self.bias.row(at, sums, c);
        if at.last && at.block == 0 {
            let start = at.row * self.columns + at.column;
            // SAFETY: the row lies within the first matrix, which X and M are as large as; no other row is written here.
            let [x, m] = self.results.map(|all| unsafe { std::slice::from_raw_parts_mut(all.add(start), c.len()) });
            activate(self.kind, c, x, m);
        }
    }
}

/// No tile has more columns.
const WIDEST: usize = 32;

thread_local! {
    /// Memory of the norms, from product to product.
    static NORMS: Cell<Vec<AtomicU64>> = const { Cell::new(Vec::new()) };
}

/// A step of gradient descent: `c ← c − rate·(sum + decay·c)`, for sums that are complete in one.
pub(in crate::kernel) struct Descent<T> {
    rate: T,
    decay: T,
    strips: usize,
    /// Squared norm of each tile, as bits: one writer each, added in order at the end.
    norms: Vec<AtomicU64>,
}

impl<T: Tiled> Descent<T> {
    /// For a result of `rows` × `columns`.
    pub(in crate::kernel) fn new(rate: T, decay: T, rows: usize, columns: usize) -> Self {
        let (height, width) = tile_extent::<T>();
        let strips = columns.div_ceil(width);
        let mut norms = NORMS.take();
        norms.clear();
        norms.resize_with(rows.div_ceil(height) * strips, AtomicU64::default);
        Self { rate, decay, strips, norms }
    }

    /// ‖sums‖², after the product.
    pub(in crate::kernel) fn norm_squared(&self) -> f64 {
        self.norms.iter().map(|bits| f64::from_bits(bits.load(Ordering::Relaxed))).sum()
    }
}

impl<T> Drop for Descent<T> {
    fn drop(&mut self) {
        NORMS.set(std::mem::take(&mut self.norms));
    }
}

impl<T: Tiled> Finish<T> for Descent<T> {
    #[inline(always)]
    fn row(&self, _: Place, sums: &[T], c: &mut [T]) {
        for (c, sum) in c.iter_mut().zip(sums) {
            *c -= self.rate * (*sum + self.decay * *c);
        }
    }

    #[inline(always)]
    fn tile<'a>(&self, panel: usize, strip: usize, sums: impl Iterator<Item = &'a [T]>)
    where
        T: 'a,
    {
        // A chain down each column, as short as the tile is high, in the element type; their sum in double precision.
        let mut chains = [T::ZERO; WIDEST];
        for row in sums {
            for (chain, sum) in chains.iter_mut().zip(row) {
                *chain += *sum * *sum;
            }
        }
        let norm: f64 = chains.iter().map(|chain| chain.wide()).sum();
        self.norms[panel * self.strips + strip].store(norm.to_bits(), Ordering::Relaxed);
    }
}
