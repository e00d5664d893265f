//! What is done with the sums of a tile.

#![allow(unsafe_code)]

use super::{Finish, Place, Tiled, tile_extent};
use crate::kernel::activation::{Activation, overwrite};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// `c ← f(c, sources)` number by number, whole vectors at a time: all of one are read before the first is written, so that
/// the compiler need not know what else `c` may share memory with. The sources are as long as `c`.
#[inline(always)]
fn each<const S: usize, T: Tiled>(c: &mut [T], sources: [&[T]; S], f: impl Fn(T, [T; S]) -> T) {
    let (c, sources) = each_of::<16, S, T>(c, sources, &f);
    let (c, sources) = each_of::<8, S, T>(c, sources, &f);
    for (i, c) in c.iter_mut().enumerate() {
        *c = f(*c, sources.map(|source| source[i]));
    }
}

/// [`each`] for the groups of `N`; returns what is left.
#[inline(always)]
fn each_of<'a, const N: usize, const S: usize, T: Tiled>(
    c: &'a mut [T],
    sources: [&'a [T]; S],
    f: &impl Fn(T, [T; S]) -> T,
) -> (&'a mut [T], [&'a [T]; S]) {
    let (groups, rest) = c.as_chunks_mut::<N>();
    let chunks = sources.map(<[T]>::as_chunks::<N>);
    for (k, group) in groups.iter_mut().enumerate() {
        let read = chunks.map(|(whole, _)| &whole[k]);
        *group = std::array::from_fn(|i| f(group[i], read.map(|numbers| numbers[i])));
    }
    (rest, chunks.map(|(_, rest)| rest))
}

/// `c ← beta·c + alpha·sum`; with `beta` = 0 `c` is not read.
pub(in crate::kernel) struct Scaled<T> {
    pub beta: T,
    pub alpha: T,
}

impl<T: Tiled> Finish<T> for Scaled<T> {
    #[inline(always)]
    fn row(&self, at: Place, sums: &[T], c: &mut [T]) {
        let (beta, alpha) = (if at.first { self.beta } else { T::ONE }, self.alpha);
        if beta == T::ZERO {
            each(c, [sums], |_, [sum]| alpha * sum);
        } else if beta == T::ONE {
            each(c, [sums], |c, [sum]| c + alpha * sum);
        } else {
            each(c, [sums], |c, [sum]| beta * c + alpha * sum);
        }
    }
}

/// `c ← sum + shift` in the tiles that reach the diagonal of a square result, or lie below it; the others are left as they are.
pub(in crate::kernel) struct Lower<T> {
    pub shift: T,
}

impl<T: Tiled> Finish<T> for Lower<T> {
    #[inline(always)]
    fn row(&self, at: Place, sums: &[T], c: &mut [T]) {
        if at.first {
            c.copy_from_slice(sums);
        } else {
            each(c, [sums], |c, [sum]| c + sum);
        }
        if at.last {
            let shift = self.shift;
            each(c, [sums], |c, [_]| c + shift);
        }
    }

    #[inline(always)]
    fn wanted(&self, rows: std::ops::Range<usize>, column: usize) -> bool {
        column < rows.end
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
            each(c, [sums], |c, [sum]| c + sum);
        } else if at.block == 0 {
            each(c, [sums, &self.bias[at.column..at.column + sums.len()]], |_, [sum, bias]| sum + bias);
        } else {
            c.copy_from_slice(sums);
        }
    }
}

/// As [`Biased`], and once the sums of the first matrix are complete X = φ(S) and M = φ'(S) beside them, or X in place of them.
pub(in crate::kernel) struct Activated<'a, T> {
    bias: Biased<'a, T>,
    kind: Activation,
    /// X, where it has a place of its own, and M, laid out as the first matrix.
    x: Option<*mut T>,
    m: *mut T,
    columns: usize,
}

// SAFETY: each part of a row is finished once, and nobody else uses X and M meanwhile.
unsafe impl<T: Tiled> Sync for Activated<'_, T> {}

impl<'a, T: Tiled> Activated<'a, T> {
    /// # Safety
    /// `x`, where it is not the first matrix itself, and `m` must be as large as the first matrix of the product, apart from it,
    /// and unused until it is done.
    pub(in crate::kernel) unsafe fn new(kind: Activation, bias: &'a [T], x: Option<&mut [T]>, m: &mut [T]) -> Self {
        let (x, m) = (x.map(|x| x.as_mut_ptr()), m.as_mut_ptr());
        Self { bias: Biased { bias }, kind, x, m, columns: bias.len() }
    }
}

impl<T: Tiled> Finish<T> for Activated<'_, T> {
    #[inline(always)]
    fn row(&self, at: Place, sums: &[T], c: &mut [T]) {
        self.bias.row(at, sums, c);
        if at.last && at.block == 0 {
            let start = at.row * self.columns + at.column;
            // SAFETY: the row lies within the first matrix, which X and M are as large as; no other row is written here.
            let part = |all: *mut T| unsafe { std::slice::from_raw_parts_mut(all.add(start), c.len()) };
            let (x, m) = (self.x.map(part), part(self.m));
            match x {
                Some(x) => {
                    x.copy_from_slice(c);
                    overwrite(self.kind, x, m);
                }
                None => overwrite(self.kind, c, m),
            }
        }
    }
}

/// Columns of a tile whose squares are summed side by side; every tile has a multiple of them.
const NORMED: usize = 8;

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
    const BY_ROWS: bool = true;

    #[inline(always)]
    fn row(&self, _: Place, sums: &[T], c: &mut [T]) {
        let (rate, decay) = (self.rate, self.decay);
        each(c, [sums], |c, [sum]| c - rate * (sum + decay * c));
    }

    #[inline(always)]
    fn tile(&self, panel: usize, strip: usize, columns: usize, sums: &[T]) {
        // A chain down each column, as short as the tile is high, in the element type; their sum in double precision.
        let mut norm = [0.0; NORMED];
        for column in (0..columns).step_by(NORMED) {
            let mut chains = [T::ZERO; NORMED];
            for row in sums.chunks_exact(columns) {
                for (chain, sum) in chains.iter_mut().zip(&row[column..]) {
                    *chain += *sum * *sum;
                }
            }
            for (norm, chain) in norm.iter_mut().zip(chains) {
                *norm += chain.wide();
            }
        }
        let norm: f64 = norm.iter().sum();
        self.norms[panel * self.strips + strip].store(norm.to_bits(), Ordering::Relaxed);
    }
}
