//! Matrix products, through the `gemm` crate on the storages' own memory.
//!
//! A large product is cut along the longer side of its result into pieces that the pool's threads take; how many depends
//! on the extents only, and each piece is one single-threaded call, so the result is the same at any thread count.
#![allow(unsafe_code)]

use super::access::{shape, update};
use super::general;
use super::real::{Real, on_real};
use candle_core::{Result, Tensor, bail};

/// Work, in multiply-adds, that a piece is worth.
const PIECE: usize = 1 << 22;
/// Most pieces a product is cut into.
const MOST_PIECES: usize = 16;
/// Cuts fall on multiples of this.
const ALIGNMENT: usize = 16;

/// `dst ← beta·dst + alpha·op(a)·op(b)`, op = transpose where the flag is set; with `beta` = 0 `dst` is not read.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a factor.
pub fn gemm(
    dst: &Tensor,
    beta: f64,
    alpha: f64,
    a: &Tensor,
    a_transposed: bool,
    b: &Tensor,
    b_transposed: bool,
) -> Result<()> {
    let flip = |(rows, columns): (usize, usize), flipped: bool| if flipped { (columns, rows) } else { (rows, columns) };
    let ((m, n), (am, k), (bk, bn)) = (shape(dst), flip(shape(a), a_transposed), flip(shape(b), b_transposed));
    if am != m || bn != n || bk != k {
        bail!("gemm: the product of {am}×{k} and {bk}×{bn} does not make the destination, {m}×{n}");
    }
    if general::takes(dst) {
        return general::gemm(dst, beta, alpha, a, a_transposed, b, b_transposed);
    }
    let strides = |columns: usize, flipped: bool| if flipped { (1, columns as isize) } else { (columns as isize, 1) };
    let (a_strides, b_strides) = (strides(shape(a).1, a_transposed), strides(shape(b).1, b_transposed));
    on_real!(dst, T => update::<T, _, 1, 2>("gemm", [dst], [a, b], |[dst], [a, b]| {
        if m == 0 || n == 0 {
            return;
        }
        if k == 0 {
            let beta = T::of(beta);
            dst.iter_mut().for_each(|x| *x = if beta == 0.0 { 0.0 } else { beta * *x });
            return;
        }
        let product = Product {
            size: [m, n, k],
            dst: Pointer(dst.as_mut_ptr()),
            a: a.as_ptr(),
            a_strides,
            b: b.as_ptr(),
            b_strides,
            scale: (T::of(beta), T::of(alpha)),
        };
        let pieces = (m * n * k / PIECE).clamp(1, MOST_PIECES).min(m.max(n).div_ceil(ALIGNMENT));
        product.run(0, pieces, pieces);
    }))
}

struct Pointer<T>(*mut T);

struct Product<T> {
    size: [usize; 3],
    dst: Pointer<T>,
    a: *const T,
    a_strides: (isize, isize),
    b: *const T,
    b_strides: (isize, isize),
    /// beta, alpha.
    scale: (T, T),
}

// SAFETY: the pieces write disjoint parts of `dst` and only read `a` and `b`, all of which outlive the product.
unsafe impl<T: Real> Sync for Product<T> {}

impl<T: Real> Product<T> {
    /// Computes pieces `first..last` of `pieces`.
    fn run(&self, first: usize, last: usize, pieces: usize) {
        if last - first > 1 {
            let middle = (first + last) / 2;
            rayon::join(|| self.run(first, middle, pieces), || self.run(middle, last, pieces));
            return;
        }
        let [m, n, k] = self.size;
        let side = m.max(n);
        let cut = |piece: usize| if piece == pieces { side } else { (side * piece / pieces) / ALIGNMENT * ALIGNMENT };
        let (from, to) = (cut(first), cut(last));
        let ((ars, acs), (brs, bcs)) = (self.a_strides, self.b_strides);
        let (row, column, rows, columns) = if m >= n { (from, 0, to - from, n) } else { (0, from, m, to - from) };
        if rows == 0 || columns == 0 {
            return;
        }
        // SAFETY: rows `row..row + rows` and columns `column..column + columns` lie inside the m × n destination, whose
        // extents were checked against the factors' in `gemm`; strides are those of contiguous matrices.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                k,
                self.dst.0.add(row * n + column),
                1,
                n as isize,
                self.scale.0 != T::ZERO,
                self.a.offset(row as isize * ars),
                acs,
                ars,
                self.b.offset(column as isize * bcs),
                bcs,
                brs,
                self.scale.0,
                self.scale.1,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}
