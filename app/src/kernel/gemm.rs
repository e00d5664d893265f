//! Matrix products, through the `gemm` crate on the storages' own memory.
//!
//! A large product is cut along the longer side of its result into pieces that the pool's threads take; how many depends
//! on the extents only, and each piece is one single-threaded call, so the result is the same at any thread count.
//!
//! `x·Wᵀ` reads W down its columns. Where rows of W start at multiples of a KiB those reads fall into few sets of the
//! cache, which can halve the speed; there each piece first transposes its part of W into scratch whose rows do not.
#![allow(unsafe_code)]

use super::access::{shape, update};
use super::general;
use super::real::{Real, on_real};
use super::transpose::transpose_pass;
use candle_core::{Result, Tensor, bail};
use std::cell::RefCell;

/// Work, in multiply-adds, that a piece is worth.
const PIECE: usize = 1 << 22;
/// Most pieces a product is cut into.
const MOST_PIECES: usize = 16;
/// Rows whose starts differ by multiples of this many bytes collide in the cache.
const CACHE_STRIDE: usize = 1024;
/// Rows of the result from which transposing the second factor first is repaid.
const WORTH_TRANSPOSING: usize = 64;
/// Most columns that are transposed at once.
const PANEL: usize = 64;
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
            transposing: b_transposed && m >= WORTH_TRANSPOSING && (k * size_of::<T>()).is_multiple_of(CACHE_STRIDE),
        };
        let pieces = (m * n * k / PIECE).clamp(1, MOST_PIECES).min(product.side().div_ceil(ALIGNMENT));
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
    /// Whether each piece transposes its part of `b` first; then the cuts are along the columns.
    transposing: bool,
}

// SAFETY: the pieces write disjoint parts of `dst` and only read `a` and `b`, all of which outlive the product.
unsafe impl<T: Real> Sync for Product<T> {}

thread_local! {
    /// Scratch for a transposed part of a factor.
    static SCRATCH: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

impl<T: Real> Product<T> {
    /// Whether pieces are groups of rows.
    fn by_rows(&self) -> bool {
        self.size[0] >= self.size[1] && !self.transposing
    }

    /// Length of the side that is cut.
    fn side(&self) -> usize {
        self.size[if self.by_rows() { 0 } else { 1 }]
    }

    /// Computes pieces `first..last` of `pieces`.
    fn run(&self, first: usize, last: usize, pieces: usize) {
        if last - first > 1 {
            let middle = (first + last) / 2;
            rayon::join(|| self.run(first, middle, pieces), || self.run(middle, last, pieces));
            return;
        }
        let [m, n, k] = self.size;
        let side = self.side();
        let cut = |piece: usize| if piece == pieces { side } else { (side * piece / pieces) / ALIGNMENT * ALIGNMENT };
        let (from, to) = (cut(first), cut(last));
        // SAFETY: rows and columns lie inside the m × n destination, whose extents were checked against the factors' in
        // `gemm`; strides are those of contiguous matrices; no other piece writes the same part.
        unsafe {
            if self.by_rows() {
                self.part(from, 0, to - from, n, self.b, self.b_strides);
            } else if !self.transposing {
                let b = self.b.offset(from as isize * self.b_strides.1);
                self.part(0, from, m, to - from, b, self.b_strides);
            } else {
                for column in (from..to).step_by(PANEL) {
                    let columns = PANEL.min(to - column);
                    // `b` lies transposed: its rows are the columns of the product.
                    let rows = std::slice::from_raw_parts(self.b.add(column * k), columns * k);
                    SCRATCH.with_borrow_mut(|scratch| {
                        let stride = columns + ALIGNMENT;
                        scratch.resize(scratch.len().max((k * stride * size_of::<T>()).div_ceil(8)), 0.0);
                        let (panel, _) = T::scratch(scratch).split_at_mut(k * stride);
                        transpose_pass(rows, panel, columns, k, (k, stride));
                        self.part(0, column, m, columns, panel.as_ptr(), (stride as isize, 1));
                    });
                }
            }
        }
    }

    /// Computes a part of the destination from the rows of `a` there and from `b`, which begins at the part's first column.
    ///
    /// # Safety
    /// The part must lie inside the destination, `b` hold k × `columns` numbers at its strides, and no one else may use
    /// the part meanwhile.
    unsafe fn part(
        &self,
        row: usize,
        column: usize,
        rows: usize,
        columns: usize,
        b: *const T,
        strides: (isize, isize),
    ) {
        if rows == 0 || columns == 0 {
            return;
        }
        let [_, n, k] = self.size;
        let (beta, alpha) = self.scale;
        // SAFETY: as the caller promises.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                k,
                self.dst.0.add(row * n + column),
                1,
                n as isize,
                beta != T::ZERO,
                self.a.offset(row as isize * self.a_strides.0),
                self.a_strides.1,
                self.a_strides.0,
                b,
                strides.1,
                strides.0,
                beta,
                alpha,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}
