//! Packing: parts of the factors in the order in which the micro-kernels read them, missing rows and columns as zeros.
#![allow(unsafe_code)]

use super::Tiled;
use super::tile::Unit;

/// A factor in memory: `rows` × `inner` numbers of op(A), or of op(B)ᵀ, from `data` on.
#[derive(Clone, Copy)]
pub(super) struct Factor<T> {
    pub data: *const T,
    /// Numbers from one line in memory to the next.
    pub stride: usize,
    /// Whether the lines in memory run along the inner dimension.
    pub inner_first: bool,
}

impl<T: Tiled> Factor<T> {
    /// The factor without its first rows and inner places.
    ///
    /// # Safety
    /// It must have as many.
    unsafe fn from(self, row: usize, place: usize) -> *const T {
        let (line, offset) = if self.inner_first { (row, place) } else { (place, row) };
        // SAFETY: as the caller promises.
        unsafe { self.data.add(line * self.stride + offset) }
    }
}

/// Packs `rows` rows from `row` on (at most `width`) and `inner` places from `place` on: place k holds `width` numbers at
/// `dst + k·width`. Up to SIDE − 1 numbers past the end are written too.
///
/// # Safety
/// The processor must have the unit's width; the factor must reach that far, and `dst` hold `inner`·`width` + SIDE numbers.
#[inline(always)]
pub(super) unsafe fn panel<U: Unit>(
    factor: Factor<U::T>,
    (row, rows): (usize, usize),
    (place, inner): (usize, usize),
    width: usize,
    dst: *mut U::T,
) {
    // SAFETY: every access stays within `rows` × `inner` of the factor and `inner`·`width` + SIDE of `dst`.
    unsafe {
        let src = factor.from(row, place);
        if !factor.inner_first {
            for k in 0..inner {
                let (from, to) = (src.add(k * factor.stride), dst.add(k * width));
                if rows == width {
                    copy::<U>(from, to, width);
                } else {
                    for i in 0..width {
                        *to.add(i) = if i < rows { *from.add(i) } else { <U::T as crate::kernel::real::Real>::ZERO };
                    }
                }
            }
            return;
        }
        let whole = inner / U::SIDE * U::SIDE;
        for first in (0..width).step_by(U::SIDE) {
            let lines = rows.saturating_sub(first).min(U::SIDE);
            let src = src.add(first.min(rows) * factor.stride);
            for k in (0..whole).step_by(U::SIDE) {
                // Lines far apart: nothing else sees that the block after the next is needed soon.
                for line in 0..lines {
                    U::prefetch(src.wrapping_add(line * factor.stride + k + 2 * U::SIDE), U::SIDE);
                }
                // A block wider than the panel runs over into the next place, which is written after it.
                U::transpose(src.add(k), factor.stride, lines, dst.add(k * width + first), width);
            }
            for k in whole..inner {
                for i in 0..U::SIDE.min(width - first) {
                    let value = if i < lines {
                        *src.add(i * factor.stride + k)
                    } else {
                        <U::T as crate::kernel::real::Real>::ZERO
                    };
                    *dst.add(k * width + first + i) = value;
                }
            }
        }
    }
}

/// Copies `width` numbers.
///
/// # Safety
/// Both sides must hold them, apart from each other.
#[inline(always)]
unsafe fn copy<U: Unit>(from: *const U::T, to: *mut U::T, width: usize) {
    // SAFETY: as the caller promises; constant lengths become vector moves.
    unsafe {
        if width == U::NR {
            std::ptr::copy_nonoverlapping(from, to, U::NR);
        } else if width == U::MR {
            std::ptr::copy_nonoverlapping(from, to, U::MR);
        } else {
            std::ptr::copy_nonoverlapping(from, to, width);
        }
    }
}
