//! Passes over all elements. A factor with fewer rows than the destination is repeated over its stacked blocks.

use super::access::{same_shape, shape, stacked, update};
use super::general;
use super::parallel::pieces;
use super::real::{Real, on_real};
use super::transpose::transpose_pass;
use super::wide::wide;
use candle_core::{Result, Tensor};

wide! {
    fn affine_pass<T: Real>(dst: &mut [T], alpha: T, shift: T) {
        for d in dst {
            *d = *d * alpha + shift;
        }
    }
}

wide! {
    fn axpby_pass<T: Real>(dst: &mut [T], beta: T, alpha: T, x: &[T]) {
        if beta == T::ZERO {
            for (d, x) in dst.iter_mut().zip(x) {
                *d = alpha * *x;
            }
        } else if beta == T::ONE {
            for (d, x) in dst.iter_mut().zip(x) {
                *d += alpha * *x;
            }
        } else {
            for (d, x) in dst.iter_mut().zip(x) {
                *d = beta * *d + alpha * *x;
            }
        }
    }
}

wide! {
    fn product_pass<T: Real>(dst: &mut [T], beta: T, a: &[T], b: &[T]) {
        if beta == T::ZERO {
            for ((d, a), b) in dst.iter_mut().zip(a).zip(b) {
                *d = *a * *b;
            }
        } else {
            for ((d, a), b) in dst.iter_mut().zip(a).zip(b) {
                *d = beta * *d + *a * *b;
            }
        }
    }
}

wide! {
    fn sum_product_pass<T: Real>(dst: &mut [T], a: &[T], e: &[T], b: &[T]) {
        for (((d, a), e), b) in dst.iter_mut().zip(a).zip(e).zip(b) {
            *d = (*a + *e) * *b;
        }
    }
}

wide! {
    fn scale_by_pass<T: Real>(dst: &mut [T], b: &[T]) {
        for (d, b) in dst.iter_mut().zip(b) {
            *d *= *b;
        }
    }
}

wide! {
    fn keep_pass<T: Real>(dst: &mut [T], a: &[T]) {
        for (d, a) in dst.iter_mut().zip(a) {
            *d = if *a == T::ZERO { T::ZERO } else { *d };
        }
    }
}

/// `dst ← value`.
///
/// # Errors
/// When `dst` is not contiguous, or not f32 or f64.
pub fn fill(dst: &Tensor, value: f64) -> Result<()> {
    if general::takes(dst) {
        return general::fill(dst, value);
    }
    on_real!(dst, T => update::<T, _, 1, 0>("fill", [dst], [], |[dst], []| {
        let whole = dst.len();
        pieces(dst, whole, |_, piece| piece.fill(T::of(value)));
    }))
}

/// `dst ← src`.
///
/// # Errors
/// When the extents or types differ, or both share a storage.
pub fn copy(dst: &Tensor, src: &Tensor) -> Result<()> {
    same_shape("copy", dst, src)?;
    if general::takes(dst) {
        return general::copy(dst, src);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("copy", [dst], [src], |[dst], [src]| {
        let whole = dst.len();
        pieces(dst, whole, |start, piece| piece.copy_from_slice(&src[start..start + piece.len()]));
    }))
}

/// `dst ← dst + alpha·x`.
///
/// # Errors
/// When the extents or types differ, or both share a storage.
pub fn axpy(dst: &Tensor, alpha: f64, x: &Tensor) -> Result<()> {
    axpby(dst, 1.0, alpha, x)
}

/// `dst ← beta·dst + alpha·x`; with `beta` = 0 `dst` is not read.
///
/// # Errors
/// When the extents or types differ, or both share a storage.
pub fn axpby(dst: &Tensor, beta: f64, alpha: f64, x: &Tensor) -> Result<()> {
    same_shape("axpy", dst, x)?;
    if general::takes(dst) {
        return general::axpby(dst, beta, alpha, x);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("axpy", [dst], [x], |[dst], [x]| {
        let whole = dst.len();
        pieces(dst, whole, |start, piece| {
            axpby_pass(piece, T::of(beta), T::of(alpha), &x[start..start + piece.len()]);
        });
    }))
}

/// `dst ← alpha·dst`.
///
/// # Errors
/// When `dst` is not contiguous, or not f32 or f64.
pub fn scale(dst: &Tensor, alpha: f64) -> Result<()> {
    affine(dst, alpha, 0.0)
}

/// `dst ← dst + value`.
///
/// # Errors
/// When `dst` is not contiguous, or not f32 or f64.
pub fn add_scalar(dst: &Tensor, value: f64) -> Result<()> {
    affine(dst, 1.0, value)
}

fn affine(dst: &Tensor, alpha: f64, shift: f64) -> Result<()> {
    if general::takes(dst) {
        return general::affine(dst, alpha, shift);
    }
    on_real!(dst, T => update::<T, _, 1, 0>("scale", [dst], [], |[dst], []| {
        let whole = dst.len();
        pieces(dst, whole, |_, piece| affine_pass(piece, T::of(alpha), T::of(shift)));
    }))
}

/// `dst ← a ⊙ b`; `b` is repeated over the blocks of `a`.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a factor.
pub fn hadamard(dst: &Tensor, a: &Tensor, b: &Tensor) -> Result<()> {
    hadamard_add(dst, 0.0, a, b)
}

/// `dst ← beta·dst + a ⊙ b`; `b` is repeated over the blocks of `a`.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a factor.
pub fn hadamard_add(dst: &Tensor, beta: f64, a: &Tensor, b: &Tensor) -> Result<()> {
    same_shape("hadamard", dst, a)?;
    stacked("hadamard", a, b)?;
    if general::takes(dst) {
        return general::hadamard_add(dst, beta, a, b);
    }
    on_real!(dst, T => update::<T, _, 1, 2>("hadamard", [dst], [a, b], |[dst], [a, b]| {
        pieces(dst, b.len(), |start, piece| {
            let (range, from) = (start..start + piece.len(), start % b.len());
            product_pass(piece, T::of(beta), &a[range], &b[from..from + piece.len()]);
        });
    }))
}

/// `dst ← (a + e) ⊙ b`; `b` is repeated over the blocks of `a` and `e`.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a source.
pub fn hadamard_sum(dst: &Tensor, a: &Tensor, e: &Tensor, b: &Tensor) -> Result<()> {
    same_shape("hadamard", dst, a)?;
    same_shape("hadamard", dst, e)?;
    stacked("hadamard", a, b)?;
    if general::takes(dst) {
        add(dst, a, e)?;
        return general::hadamard_assign(dst, b);
    }
    on_real!(dst, T => update::<T, _, 1, 3>("hadamard", [dst], [a, e, b], |[dst], [a, e, b]| {
        pieces(dst, b.len(), |start, piece| {
            let (range, from) = (start..start + piece.len(), start % b.len());
            sum_product_pass(piece, &a[range.clone()], &e[range], &b[from..from + piece.len()]);
        });
    }))
}

/// `dst ← dst ⊙ b`; `b` is repeated over the blocks of `dst`.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn hadamard_assign(dst: &Tensor, b: &Tensor) -> Result<()> {
    stacked("hadamard", dst, b)?;
    if general::takes(dst) {
        return general::hadamard_assign(dst, b);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("hadamard", [dst], [b], |[dst], [b]| {
        pieces(dst, b.len(), |start, piece| {
            let from = start % b.len();
            scale_by_pass(piece, &b[from..from + piece.len()]);
        });
    }))
}

/// `dst ← dst ⊙ 1[a ≠ 0]`; `a` is repeated over the blocks of `dst`.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn keep_nonzero(dst: &Tensor, a: &Tensor) -> Result<()> {
    stacked("keep_nonzero", dst, a)?;
    if general::takes(dst) {
        return general::keep_nonzero(dst, a);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("keep_nonzero", [dst], [a], |[dst], [a]| {
        pieces(dst, a.len(), |start, piece| {
            let from = start % a.len();
            keep_pass(piece, &a[from..from + piece.len()]);
        });
    }))
}

/// `dst ← a + b`.
///
/// # Errors
/// When the extents or types differ, or `dst` shares its storage with a source.
pub fn add(dst: &Tensor, a: &Tensor, b: &Tensor) -> Result<()> {
    same_shape("add", dst, a)?;
    same_shape("add", dst, b)?;
    if general::takes(dst) {
        copy(dst, a)?;
        return axpy(dst, 1.0, b);
    }
    on_real!(dst, T => update::<T, _, 1, 2>("add", [dst], [a, b], |[dst], [a, b]| {
        let whole = dst.len();
        pieces(dst, whole, |start, piece| {
            let range = start..start + piece.len();
            for ((d, a), b) in piece.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
                *d = *a + *b;
            }
        });
    }))
}

/// `dst[j, i] ← beta·dst[j, i] + src[i, j]` within each of the blocks of `rows` rows of `src`; `dst`'s blocks have as many
/// rows as `src` has columns.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn transpose_blocks(dst: &Tensor, beta: f64, src: &Tensor, rows: usize) -> Result<()> {
    let (total, columns) = shape(src);
    let blocks = total.checked_div(rows).unwrap_or(0);
    super::access::expect("transpose", "the source", src, blocks * rows, columns)?;
    if dst.elem_count() != src.elem_count() {
        candle_core::bail!("transpose: {:?} cannot hold {total}×{columns}", dst.dims());
    }
    if general::takes(dst) {
        return general::transpose_blocks(dst, beta, src, rows);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("transpose", [dst], [src], |[dst], [src]| {
        let (block, beta) = (rows * columns, T::of(beta));
        super::parallel::rows(dst, block, 2 * block, |first, blocks| {
            for (i, dst) in blocks.chunks_exact_mut(block).enumerate() {
                let src = &src[(first + i) * block..(first + i + 1) * block];
                if beta == 0.0 {
                    transpose_pass(src, dst, rows, columns, (columns, rows));
                    continue;
                }
                for (j, row) in dst.chunks_exact_mut(rows).enumerate() {
                    for (d, s) in row.iter_mut().zip(src[j..].iter().step_by(columns)) {
                        *d = beta * *d + *s;
                    }
                }
            }
        });
    }))
}
