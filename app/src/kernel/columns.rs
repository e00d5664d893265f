//! Some columns of a matrix, taken out and put back; and a table added to each block of rows.

use super::access::{expect, same_shape, shape, update};
use super::general;
use super::parallel::rows;
use super::real::on_real;
use candle_core::{Result, Tensor, bail};

fn inside(name: &str, whole: &Tensor, part: &Tensor, first: usize) -> Result<()> {
    let ((m, n), (rows, columns)) = (shape(whole), shape(part));
    if rows != m || first + columns > n {
        bail!("{name}: columns {first} to {} of {rows} rows do not lie in {m}×{n}", first + columns);
    }
    Ok(())
}

/// `dst ← src[:, first..first + columns]`, as many columns as `dst` has.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn gather_columns(dst: &Tensor, src: &Tensor, first: usize) -> Result<()> {
    inside("gather_columns", src, dst, first)?;
    if general::takes(dst) {
        return general::gather_columns(dst, src, first);
    }
    let (n, width) = (shape(src).1, shape(dst).1);
    on_real!(dst, T => update::<T, _, 1, 1>("gather_columns", [dst], [src], |[dst], [src]| {
        rows(dst, width, 2 * width, |start, rows| {
            for (row, src) in rows.chunks_exact_mut(width).zip(src[start * n..].chunks_exact(n)) {
                row.copy_from_slice(&src[first..first + width]);
            }
        });
    }))
}

/// `dst[:, first..first + columns] ← beta·dst[:, …] + src`, as many columns as `src` has; the others stay.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn scatter_columns(dst: &Tensor, first: usize, beta: f64, src: &Tensor) -> Result<()> {
    inside("scatter_columns", dst, src, first)?;
    if general::takes(dst) {
        return general::scatter_columns(dst, first, beta, src);
    }
    let (n, width) = (shape(dst).1, shape(src).1);
    if width == 0 {
        return Ok(());
    }
    on_real!(dst, T => update::<T, _, 1, 1>("scatter_columns", [dst], [src], |[dst], [src]| {
        let beta = <T as super::real::Real>::of(beta);
        rows(dst, n, 2 * width, |start, rows| {
            for (row, src) in rows.chunks_exact_mut(n).zip(src[start * width..].chunks_exact(width)) {
                let row = &mut row[first..first + width];
                if beta == 0.0 {
                    row.copy_from_slice(src);
                } else {
                    row.iter_mut().zip(src).for_each(|(d, s)| *d = beta * *d + *s);
                }
            }
        });
    }))
}

/// `dst ← src + table`, the table repeated over the blocks of as many rows as it has: table rows × n, row by row.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn add_table(dst: &Tensor, src: &Tensor, table: &[f64]) -> Result<()> {
    let (m, n) = shape(src);
    same_shape("add_table", dst, src)?;
    let period = table.len().checked_div(n).unwrap_or(0);
    if table.is_empty() || period * n != table.len() || !m.is_multiple_of(period) {
        bail!("add_table: {} numbers do not make whole rows that divide {m}×{n}", table.len());
    }
    expect("add_table", "the source", src, m, n)?;
    if general::takes(dst) {
        return general::add_table(dst, src, table);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("add_table", [dst], [src], |[dst], [src]| {
        super::parallel::pieces(dst, table.len(), |start, piece| {
            let table = &table[start % table.len()..];
            for ((d, s), t) in piece.iter_mut().zip(&src[start..]).zip(table) {
                *d = *s + <T as super::real::Real>::of(*t);
            }
        });
    }))
}
