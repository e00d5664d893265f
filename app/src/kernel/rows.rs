//! Passes along rows and columns.

use super::access::{expect, same_shape, shape, stacked, update};
use super::general;
use super::parallel::rows;
use super::real::{Real, on_real};
use super::reduce::{dot_pass, norm_squared_pass};
use super::wide::wide;
use candle_core::{Result, Tensor, bail};

wide! {
    fn add_row_pass<T: Real>(dst: &mut [T], alpha: T, row: &[T]) {
        for dst in dst.chunks_exact_mut(row.len()) {
            for (d, r) in dst.iter_mut().zip(row) {
                *d += alpha * *r;
            }
        }
    }
}

wide! {
    fn scaled_row_pass<T: Real>(dst: &mut [T], beta: T, factor: T, src: &[T]) {
        if beta == T::ZERO {
            for (d, s) in dst.iter_mut().zip(src) {
                *d = factor * *s;
            }
        } else {
            for (d, s) in dst.iter_mut().zip(src) {
                *d = beta * *d + factor * *s;
            }
        }
    }
}

wide! {
    fn factors_pass<T: Real>(dst: &mut [T], beta: T, factors: &[f64], src: &[T]) {
        for ((d, s), factor) in dst.iter_mut().zip(src).zip(factors) {
            let kept = if beta == T::ZERO { T::ZERO } else { beta * *d };
            *d = kept + T::of(*factor) * *s;
        }
    }
}

wide! {
    fn accumulate_pass<T: Real>(sums: &mut [f64], src: &[T]) {
        for row in src.chunks_exact(sums.len()) {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x.wide();
            }
        }
    }
}

wide! {
    fn accumulate_products_pass<T: Real>(sums: &mut [f64], a: &[T], b: &[T]) {
        for (a, b) in a.chunks_exact(sums.len()).zip(b.chunks_exact(sums.len())) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a.wide() * b.wide();
            }
        }
    }
}

/// `dst[i, j] ← dst[i, j] + alpha·row[0, j]`.
///
/// # Errors
/// When `row` is not one row as wide as `dst`, or both share a storage.
pub fn add_row(dst: &Tensor, alpha: f64, row: &Tensor) -> Result<()> {
    let (_, n) = shape(dst);
    expect("add_row", "the row", row, 1, n)?;
    if general::takes(dst) {
        return general::add_row(dst, alpha, row);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("add_row", [dst], [row], |[dst], [row]| {
        rows(dst, n, 2 * n, |_, rows| add_row_pass(rows, T::of(alpha), row));
    }))
}

/// `dst[i, j] ← row[0, j]`.
///
/// # Errors
/// When `row` is not one row as wide as `dst`, or both share a storage.
pub fn repeat_row(dst: &Tensor, row: &Tensor) -> Result<()> {
    let (_, n) = shape(dst);
    expect("repeat_row", "the row", row, 1, n)?;
    if general::takes(dst) {
        return general::repeat_row(dst, row);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("repeat_row", [dst], [row], |[dst], [row]| {
        rows(dst, n, 2 * n, |_, rows| rows.chunks_exact_mut(n).for_each(|dst| dst.copy_from_slice(row)));
    }))
}

/// `dst[0, j] ← beta·dst[0, j] + alpha·Σ_i a[i, j]`, summed in double precision.
///
/// # Errors
/// When `dst` is not one row as wide as `a`, or both share a storage.
pub fn column_sum(dst: &Tensor, beta: f64, alpha: f64, a: &Tensor) -> Result<()> {
    let (_, n) = shape(a);
    expect("column_sum", "the destination", dst, 1, n)?;
    if general::takes(dst) {
        return general::column_sum(dst, beta, alpha, a);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("column_sum", [dst], [a], |[dst], [a]| {
        write_sums(dst, beta, alpha, column_sums(a.len(), n, |sums, from, to| accumulate_pass(sums, &a[from..to])));
    }))
}

/// `dst[0, j] ← beta·dst[0, j] + alpha·Σ_i a[i, j]·b[i, j]`, summed in double precision.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a factor.
pub fn column_dot(dst: &Tensor, beta: f64, alpha: f64, a: &Tensor, b: &Tensor) -> Result<()> {
    let (_, n) = shape(a);
    expect("column_dot", "the destination", dst, 1, n)?;
    same_shape("column_dot", a, b)?;
    if general::takes(dst) {
        return general::column_dot(dst, beta, alpha, a, b);
    }
    on_real!(dst, T => update::<T, _, 1, 2>("column_dot", [dst], [a, b], |[dst], [a, b]| {
        let sums = column_sums(a.len(), n, |sums, from, to| accumulate_products_pass(sums, &a[from..to], &b[from..to]));
        write_sums(dst, beta, alpha, sums);
    }))
}

/// Sums of columns over fixed groups of rows, added in order.
fn column_sums(length: usize, n: usize, accumulate: impl Fn(&mut [f64], usize, usize) + Sync) -> Vec<f64> {
    let mut total = vec![0.0; n];
    if n == 0 {
        return total;
    }
    // In units of numbers, a group of rows is as large as a piece.
    let group = (super::parallel::GRAIN / n).max(1);
    let rows = length / n;
    let groups = rows.div_ceil(group);
    let partial = |i: usize| {
        let mut sums = vec![0.0; n];
        accumulate(&mut sums, i * group * n, ((i + 1) * group).min(rows) * n);
        sums
    };
    if groups == 1 {
        return partial(0);
    }
    let partials = super::parallel::tasks(groups, length, partial);
    for sums in partials {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
    total
}

fn write_sums<T: Real>(dst: &mut [T], beta: f64, alpha: f64, sums: Vec<f64>) {
    for (d, sum) in dst.iter_mut().zip(sums) {
        let kept = if beta == 0.0 { 0.0 } else { beta * d.wide() };
        *d = T::of(kept + alpha * sum);
    }
}

/// `dst ← diag(factors)·src`: `factors` is rows × 1.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a source.
pub fn row_scale(dst: &Tensor, src: &Tensor, factors: &Tensor) -> Result<()> {
    let (m, n) = shape(dst);
    same_shape("row_scale", dst, src)?;
    expect("row_scale", "the factors", factors, m, 1)?;
    if general::takes(dst) {
        return general::row_scale(dst, src, factors);
    }
    on_real!(dst, T => update::<T, _, 1, 2>("row_scale", [dst], [src, factors], |[dst], [src, factors]| {
        rows(dst, n, 2 * n, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                let r = first + i;
                scaled_row_pass(row, T::ZERO, factors[r], &src[r * n..(r + 1) * n]);
            }
        });
    }))
}

/// `dst ← diag(factors)·dst`: `factors` is rows × 1.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn row_scale_assign(dst: &Tensor, factors: &Tensor) -> Result<()> {
    let (m, n) = shape(dst);
    expect("row_scale", "the factors", factors, m, 1)?;
    if general::takes(dst) {
        return general::row_scale_assign(dst, factors);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("row_scale", [dst], [factors], |[dst], [factors]| {
        rows(dst, n, n, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                let factor = factors[first + i];
                row.iter_mut().for_each(|x| *x *= factor);
            }
        });
    }))
}

/// `dst[r] ← beta·dst[r] + factors[r div group]·src[r]` for rows r; with `beta` = 0 `dst` is not read.
///
/// # Errors
/// When the extents do not fit, there is not one factor a group, or both share a storage.
pub fn row_combine(dst: &Tensor, beta: f64, src: &Tensor, factors: &[f64], group: usize) -> Result<()> {
    let (_, n) = shape(dst);
    block_combine(dst, beta, src, factors, (group, n))
}

/// `dst ← beta·dst + factor·src`, a factor for each block of `rows` × `columns`, the blocks side by side first, then one row of blocks
/// under the other; with `beta` = 0 `dst` is not read.
///
/// # Errors
/// When the extents do not fit, there is not one factor a block, or both share a storage.
pub fn block_combine(
    dst: &Tensor,
    beta: f64,
    src: &Tensor,
    factors: &[f64],
    (rows_each, columns_each): (usize, usize),
) -> Result<()> {
    let (m, n) = shape(dst);
    same_shape("block_combine", dst, src)?;
    let across = n.checked_div(columns_each).unwrap_or(0);
    if across * columns_each != n || factors.len() * rows_each != m * across {
        let count = factors.len();
        bail!("block_combine: {count} factors for blocks of {rows_each} × {columns_each} do not make {m} × {n}");
    }
    if general::takes(dst) {
        return general::block_combine(dst, beta, src, factors, (rows_each, columns_each));
    }
    on_real!(dst, T => update::<T, _, 1, 1>("block_combine", [dst], [src], |[dst], [src]| {
        rows(dst, n, 2 * n, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                let r = first + i;
                let (factors, src) = (&factors[r / rows_each * across..][..across], &src[r * n..(r + 1) * n]);
                if columns_each == 1 {
                    factors_pass(row, T::of(beta), factors, src);
                    continue;
                }
                let blocks = row.chunks_exact_mut(columns_each).zip(src.chunks_exact(columns_each));
                for ((row, src), factor) in blocks.zip(factors) {
                    scaled_row_pass(row, T::of(beta), T::of(*factor), src);
                }
            }
        });
    }))
}

/// `dst[i] ← Σ_j a[i, j]·b[i, j]`: `dst` is rows × 1; `b` is repeated over the blocks of `a`.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a factor.
pub fn row_dot(dst: &Tensor, a: &Tensor, b: &Tensor) -> Result<()> {
    let (m, n) = shape(a);
    expect("row_dot", "the destination", dst, m, 1)?;
    stacked("row_dot", a, b)?;
    if general::takes(dst) {
        return general::row_dot(dst, a, b);
    }
    on_real!(dst, T => update::<T, _, 1, 2>("row_dot", [dst], [a, b], |[dst], [a, b]| {
        rows(dst, 1, 2 * n, |first, sums| {
            for (i, sum) in sums.iter_mut().enumerate() {
                let (from, repeated) = ((first + i) * n, if n == 0 { 0 } else { (first + i) * n % b.len() });
                *sum = T::of(dot_pass(&a[from..from + n], &b[repeated..repeated + n]));
            }
        });
    }))
}

/// For each `group` consecutive rows of `a` the sum of a ⊙ b, in double precision; `b` is repeated over the blocks of `a`.
///
/// # Errors
/// When the extents do not fit, or `group` does not divide the rows.
pub fn group_dot(a: &Tensor, b: &Tensor, group: usize) -> Result<Vec<f64>> {
    let (m, n) = shape(a);
    stacked("group_dot", a, b)?;
    if group == 0 || m % group != 0 {
        bail!("group_dot: groups of {group} rows do not make {m} rows");
    }
    if general::takes(a) {
        return general::group_dot(a, b, group);
    }
    on_real!(a, T => super::access::read::<T, _, 2>("group_dot", [a, b], |[a, b]| {
        let row = |r: usize| {
            let (from, repeated) = (r * n, if n == 0 { 0 } else { r * n % b.len() });
            dot_pass(&a[from..from + n], &b[repeated..repeated + n])
        };
        super::parallel::tasks(m / group, a.len(), |i| (i * group..(i + 1) * group).map(row).sum())
    }))
}

/// Scales each row of `dst` to the norm `target`, however short it is; zero rows stay zero.
///
/// # Errors
/// When `dst` is not contiguous, or not f32 or f64.
pub fn normalise_rows(dst: &Tensor, target: f64) -> Result<()> {
    let (_, n) = shape(dst);
    if general::takes(dst) {
        return general::normalise_rows(dst, target);
    }
    on_real!(dst, T => update::<T, _, 1, 0>("normalise_rows", [dst], [], |[dst], []| {
        rows(dst, n, 2 * n, |_, rows| {
            for row in rows.chunks_exact_mut(n) {
                let square = norm_squared_pass(row);
                let factor = target / square.sqrt();
                if square > 0.0 && T::of(factor).wide().is_finite() {
                    let factor = T::of(factor);
                    row.iter_mut().for_each(|x| *x *= factor);
                } else if square > 0.0 {
                    // Numbers near the smallest: their type does not hold the factor.
                    row.iter_mut().for_each(|x| *x = T::of(x.wide() * factor));
                }
            }
        });
    }))
}

/// `dst[g] ← alpha·Σ_{r in group g} src[r]`, groups of `group` consecutive rows.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn group_sum(dst: &Tensor, alpha: f64, src: &Tensor, group: usize) -> Result<()> {
    let (m, n) = shape(dst);
    expect("group_sum", "the source", src, m * group, n)?;
    if general::takes(dst) {
        return general::group_sum(dst, alpha, src, group);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("group_sum", [dst], [src], |[dst], [src]| {
        rows(dst, n, (group + 1) * n, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                row.fill(T::ZERO);
                let from = (first + i) * group * n;
                for src in src[from..from + group * n].chunks_exact(n) {
                    scaled_row_pass(row, T::ONE, T::of(alpha), src);
                }
            }
        });
    }))
}

/// `dst[r] ← beta·dst[r] + alpha·src[r div group]`: what [`group_sum`] is the transpose of.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn group_spread(dst: &Tensor, beta: f64, alpha: f64, src: &Tensor, group: usize) -> Result<()> {
    let (m, n) = shape(src);
    expect("group_spread", "the destination", dst, m * group, n)?;
    if general::takes(dst) {
        return general::group_spread(dst, beta, alpha, src, group);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("group_spread", [dst], [src], |[dst], [src]| {
        rows(dst, n, 2 * n, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                let from = (first + i) / group * n;
                scaled_row_pass(row, T::of(beta), T::of(alpha), &src[from..from + n]);
            }
        });
    }))
}

/// Sum of squares of each row, in double precision.
///
/// # Errors
/// When `a` is not contiguous, or not f32 or f64.
pub fn row_norms_squared(a: &Tensor) -> Result<Vec<f64>> {
    let (m, n) = shape(a);
    if general::takes(a) {
        return general::group_dot(a, a, 1);
    }
    on_real!(a, T => super::access::read::<T, _, 1>("row_norms", [a], |[a]| {
        super::parallel::tasks(m, a.len(), |i| norm_squared_pass(&a[i * n..(i + 1) * n]))
    }))
}
