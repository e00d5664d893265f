//! Cutting a pass into pieces that the pool's threads share.
//!
//! Where the cuts fall depends on extents only, never on the number of threads, and every reduction adds its pieces in
//! order: results are the same bit for bit at any thread count.

use rayon::prelude::*;

/// Numbers that one piece of a pass holds.
pub(super) const GRAIN: usize = 1 << 14;

/// A pass shorter than this runs on the calling thread.
const WORTHWHILE: usize = 4 * GRAIN;

/// Calls `f(start, piece)` for the pieces of `dst`, none of which crosses a multiple of `period`.
pub(super) fn pieces<T: Send>(dst: &mut [T], period: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if dst.is_empty() || period == 0 {
        return;
    }
    let parallel = dst.len() >= WORTHWHILE;
    let block = |first: usize, block: &mut [T]| {
        if parallel {
            block.par_chunks_mut(GRAIN).enumerate().for_each(|(i, piece)| f(first + i * GRAIN, piece));
        } else {
            f(first, block);
        }
    };
    if parallel && period < WORTHWHILE {
        // Whole periods a task, as many as make a grain.
        let group = period * GRAIN.div_ceil(period);
        dst.par_chunks_mut(group).enumerate().for_each(|(i, group_of)| {
            for (j, piece) in group_of.chunks_mut(period).enumerate() {
                f(i * group + j * period, piece);
            }
        });
    } else {
        for (i, piece) in dst.chunks_mut(period).enumerate() {
            block(i * period, piece);
        }
    }
}

/// Calls `f(start, piece)` for fixed pieces of `dst` and adds what it returns, in order.
pub(super) fn sums<T: Send>(dst: &mut [T], f: impl Fn(usize, &mut [T]) -> f64 + Sync) -> f64 {
    if dst.len() < WORTHWHILE {
        return dst.chunks_mut(GRAIN).enumerate().map(|(i, piece)| f(i * GRAIN, piece)).sum();
    }
    let parts: Vec<f64> = dst.par_chunks_mut(GRAIN).enumerate().map(|(i, piece)| f(i * GRAIN, piece)).collect();
    parts.into_iter().sum()
}

/// Calls `f(first_row, rows)` for groups of whole rows of `dst`, each `columns` wide; `cost` is the number of numbers a
/// row reads and writes.
pub(super) fn rows<T: Send>(dst: &mut [T], columns: usize, cost: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if dst.is_empty() || columns == 0 {
        return;
    }
    let count = dst.len() / columns;
    if count * cost < WORTHWHILE {
        return f(0, dst);
    }
    let group = (GRAIN / cost.max(1)).max(1);
    dst.par_chunks_mut(group * columns).enumerate().for_each(|(i, rows)| f(i * group, rows));
}

/// `f(start, end)` over fixed pieces of `0..length`, the results in order.
pub(super) fn map<R: Send>(length: usize, f: impl Fn(usize, usize) -> R + Sync) -> Vec<R> {
    let piece = |i: usize| f(i * GRAIN, ((i + 1) * GRAIN).min(length));
    let count = length.div_ceil(GRAIN);
    if length >= WORTHWHILE { (0..count).into_par_iter().map(piece).collect() } else { (0..count).map(piece).collect() }
}

/// `f(0)` to `f(count − 1)` in order, for a pass over `work` numbers.
pub(super) fn tasks<R: Send>(count: usize, work: usize, f: impl Fn(usize) -> R + Sync) -> Vec<R> {
    if work < WORTHWHILE {
        return (0..count).map(f).collect();
    }
    let least = (GRAIN * count).div_ceil(work.max(1)).max(1);
    (0..count).into_par_iter().with_min_len(least).map(&f).collect()
}

/// Calls `f(start, piece of a, piece of b)` for the pieces of two equally long destinations.
pub(super) fn pairs<T: Send>(a: &mut [T], b: &mut [T], f: impl Fn(usize, &mut [T], &mut [T]) + Sync) {
    if a.len() < WORTHWHILE {
        return f(0, a, b);
    }
    let both = a.par_chunks_mut(GRAIN).zip(b.par_chunks_mut(GRAIN));
    both.enumerate().for_each(|(i, (a, b))| f(i * GRAIN, a, b));
}

/// Calls `f(first_row, rows of a, rows of b)` for groups of whole rows of two destinations with as many rows each.
pub(super) fn row_pairs<T: Send>(
    a: &mut [T],
    b: &mut [T],
    widths: (usize, usize),
    f: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) {
    if a.is_empty() || widths.0 == 0 || widths.1 == 0 {
        return;
    }
    if a.len() + b.len() < WORTHWHILE {
        return f(0, a, b);
    }
    let group = (GRAIN / (widths.0 + widths.1)).max(1);
    let both = a.par_chunks_mut(group * widths.0).zip(b.par_chunks_mut(group * widths.1));
    both.enumerate().for_each(|(i, (a, b))| f(i * group, a, b));
}

/// Calls `f(start, piece of a, piece of b, piece of c)` for the pieces of three equally long destinations.
pub(super) fn triples<T: Send>(
    a: &mut [T],
    b: &mut [T],
    c: &mut [T],
    f: impl Fn(usize, &mut [T], &mut [T], &mut [T]) + Sync,
) {
    if a.len() < WORTHWHILE {
        return f(0, a, b, c);
    }
    let all = a.par_chunks_mut(GRAIN).zip(b.par_chunks_mut(GRAIN)).zip(c.par_chunks_mut(GRAIN));
    all.enumerate().for_each(|(i, ((a, b), c))| f(i * GRAIN, a, b, c));
}
