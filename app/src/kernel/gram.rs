//! X·Xᵀ: the products on and below the diagonal are computed, those above are copies of them.
#![allow(unsafe_code)]

use super::access::{shape, update};
use super::product::{self, Columns, Lower, Rows};
use super::real::{Real, on_real};
use super::{add_scalar, gemm, general, parallel};
use candle_core::{Result, Tensor, bail};

/// Side of the blocks that are copied at once.
const BLOCK: usize = 16;

/// `dst ← x·xᵀ + shift`, the shift added to every number. Bit for bit what [`gemm()`] and an addition make of it.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with `x`.
pub fn gram(dst: &Tensor, x: &Tensor, shift: f64) -> Result<()> {
    let ((m, n), (rows, k)) = (shape(dst), shape(x));
    if (m, n) != (rows, rows) {
        bail!("gram: {rows} rows do not make {m}×{n}");
    }
    if general::takes(dst) || !product::available() || k == 0 {
        gemm(dst, 0.0, 1.0, x, false, x, true)?;
        return if shift == 0.0 { Ok(()) } else { add_scalar(dst, shift) };
    }
    on_real!(dst, T => update::<T, _, 1, 1>("gram", [dst], [x], |[dst], [x]| {
        let rows = [Rows { rows: n, a: x.as_ptr(), transposed: false, c: dst.as_mut_ptr() }];
        let columns = Columns { columns: n, inner: k, b: x.as_ptr(), transposed: true };
        // SAFETY: the extents were checked above; `update` gives the destination alone and apart from the factor.
        unsafe { product::product(&rows, columns, &Lower { shift: T::of(shift) }) };
        mirror(dst, n);
    }))
}

/// A pointer that threads share, each for its own rows of what it leads to.
struct Apart<T>(*mut T);

// SAFETY: see the type.
unsafe impl<T> Sync for Apart<T> {}

/// Copies the part of an n × n matrix below the diagonal to that above.
fn mirror<T: Real>(matrix: &mut [T], n: usize) {
    let length = matrix.len();
    assert_eq!(length, n * n, "a square matrix");
    let all = &Apart(matrix.as_mut_ptr());
    let blocks = n.div_ceil(BLOCK);
    parallel::tasks(blocks, length, |above| {
        let rows = above * BLOCK..((above + 1) * BLOCK).min(n);
        for beside in above..blocks {
            let columns = beside * BLOCK..((beside + 1) * BLOCK).min(n);
            for row in rows.clone() {
                for column in columns.start.max(row + 1)..columns.end {
                    // SAFETY: row and column are below n. Numbers above the diagonal are written by the task of their rows alone,
                    // and those below it by none.
                    unsafe { all.0.add(row * n + column).write(all.0.add(column * n + row).read()) };
                }
            }
        }
    });
}
