//! Rows, columns and reductions of Candle's operations.

use super::{accumulate, blocks, column, matrix, numbers, set};
use crate::kernel::access::shape;
use candle_core::{D, Result, Tensor};

pub(in crate::kernel) fn add_row(dst: &Tensor, alpha: f64, row: &Tensor) -> Result<()> {
    set(dst, matrix(dst)?.broadcast_add(&matrix(row)?.affine(alpha, 0.0)?)?)
}

pub(in crate::kernel) fn repeat_row(dst: &Tensor, row: &Tensor) -> Result<()> {
    set(dst, matrix(row)?.broadcast_as(shape(dst))?)
}

pub(in crate::kernel) fn column_sum(dst: &Tensor, beta: f64, alpha: f64, a: &Tensor) -> Result<()> {
    accumulate(dst, beta, matrix(a)?.sum(0)?.affine(alpha, 0.0)?)
}

pub(in crate::kernel) fn column_dot(dst: &Tensor, beta: f64, alpha: f64, a: &Tensor, b: &Tensor) -> Result<()> {
    accumulate(dst, beta, (matrix(a)? * matrix(b)?)?.sum(0)?.affine(alpha, 0.0)?)
}

pub(in crate::kernel) fn row_scale(dst: &Tensor, src: &Tensor, factors: &Tensor) -> Result<()> {
    set(dst, matrix(src)?.broadcast_mul(&matrix(factors)?)?)
}

pub(in crate::kernel) fn row_scale_assign(dst: &Tensor, factors: &Tensor) -> Result<()> {
    row_scale(dst, dst, factors)
}

pub(in crate::kernel) fn block_combine(
    dst: &Tensor,
    beta: f64,
    src: &Tensor,
    factors: &[f64],
    (rows, columns): (usize, usize),
) -> Result<()> {
    let (m, n) = shape(dst);
    let (down, across) = (m / rows, n / columns);
    let blocks = src.detach().reshape((down, rows, across, columns))?;
    let factors = column(factors, dst)?.reshape((down, 1, across, 1))?;
    accumulate(dst, beta, blocks.broadcast_mul(&factors)?)
}

pub(in crate::kernel) fn row_dot(dst: &Tensor, a: &Tensor, b: &Tensor) -> Result<()> {
    set(dst, blocks(a, b)?.broadcast_mul(&matrix(b)?)?.sum(D::Minus1)?)
}

pub(in crate::kernel) fn group_dot(a: &Tensor, b: &Tensor, group: usize) -> Result<Vec<f64>> {
    let (m, _) = shape(a);
    let rows = blocks(a, b)?.broadcast_mul(&matrix(b)?)?.sum(D::Minus1)?;
    numbers(&rows.reshape((m / group, group))?.sum(1)?)
}

pub(in crate::kernel) fn normalise_rows(dst: &Tensor, target: f64) -> Result<()> {
    // A zero row is divided by 1.
    let divided = |rows: &Tensor, by: Tensor| rows.broadcast_div(&(&by + by.eq(0.0)?.to_dtype(by.dtype())?)?);
    let rows = matrix(dst)?;
    // By the largest element first: squares of small numbers vanish.
    let rows = divided(&rows, rows.abs()?.max_keepdim(1)?)?;
    set(dst, divided(&rows, rows.sqr()?.sum_keepdim(1)?.sqrt()?)?.affine(target, 0.0)?)
}

pub(in crate::kernel) fn group_sum(dst: &Tensor, alpha: f64, src: &Tensor, group: usize) -> Result<()> {
    let (m, n) = shape(dst);
    set(dst, src.detach().reshape((m, group, n))?.sum(1)?.affine(alpha, 0.0)?)
}

pub(in crate::kernel) fn group_spread(dst: &Tensor, beta: f64, alpha: f64, src: &Tensor, group: usize) -> Result<()> {
    let (m, n) = shape(src);
    let rows = src.detach().reshape((m, 1, n))?.affine(alpha, 0.0)?;
    accumulate(dst, beta, rows.broadcast_as((m, group, n))?.contiguous()?)
}

pub(in crate::kernel) fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    sum(&(matrix(a)? * matrix(b)?)?)
}

pub(in crate::kernel) fn sum(a: &Tensor) -> Result<f64> {
    Ok(numbers(&a.detach().sum_all()?)?.iter().sum())
}

pub(in crate::kernel) fn softmax(dst: &Tensor, a: &Tensor) -> Result<()> {
    let a = matrix(a)?;
    let exponentials = a.broadcast_sub(&a.max_keepdim(1)?)?.exp()?;
    set(dst, exponentials.broadcast_div(&exponentials.sum_keepdim(1)?)?)
}

pub(in crate::kernel) fn normalise(x: &Tensor, epsilon: f64, normal: &Tensor, inverse: &Tensor) -> Result<()> {
    let x = matrix(x)?;
    let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let factor = centred.sqr()?.mean_keepdim(1)?.affine(1.0, epsilon)?.sqrt()?.recip()?;
    set(normal, centred.broadcast_mul(&factor)?)?;
    set(inverse, factor)
}

pub(in crate::kernel) fn normalise_tangent(
    dst: &Tensor,
    beta: f64,
    dx: &Tensor,
    gain: Option<&Tensor>,
    normal: &Tensor,
    inverse: &Tensor,
) -> Result<()> {
    let mut u = blocks(dx, normal)?;
    if let Some(gain) = gain {
        u = u.broadcast_mul(&matrix(gain)?)?;
    }
    let (normal, inverse) = (matrix(normal)?.unsqueeze(0)?, matrix(inverse)?.unsqueeze(0)?);
    let along = u.broadcast_mul(&normal)?.mean_keepdim(2)?;
    let projected = u.broadcast_sub(&u.mean_keepdim(2)?)?.sub(&normal.broadcast_mul(&along)?)?;
    accumulate(dst, beta, projected.broadcast_mul(&inverse)?)
}
