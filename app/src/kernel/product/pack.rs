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
    pub unsafe fn from(self, row: usize, place: usize) -> *const T {
        let (line, offset) = if self.inner_first { (row, place) } else { (place, row) };
        // SAFETY: as the caller promises.
        unsafe { self.data.add(line * self.stride + offset) }
    }
}

/// Packs `rows` rows from `row` on and `inner` places from `place` on in panels of `width` rows, one after the other: place k
/// of a panel holds `width` numbers at k·width. Up to SIDE − 1 numbers past the end are written too.
///
/// # Safety
/// The processor must have the unit's width; the factor must reach that far, and `dst` hold a whole number of panels and
/// SIDE numbers more.
#[inline(always)]
pub(super) unsafe fn panels<U: Unit>(
    factor: Factor<U::T>,
    (row, rows): (usize, usize),
    (place, inner): (usize, usize),
    width: usize,
    dst: *mut U::T,
) {
    // SAFETY: every access stays within `rows` × `inner` of the factor and the panels at `dst`.
    unsafe {
        if factor.inner_first {
            for first in (0..rows).step_by(width) {
                let count = width.min(rows - first);
                transposed::<U>(factor, (row + first, count), (place, inner), width, dst.add(first * inner));
            }
            return;
        }
        for group in (0..rows).step_by(SIDE_BY_SIDE * width) {
            let src = factor.from(row + group, place);
            let rows = (rows - group).min(SIDE_BY_SIDE * width);
            for k in 0..inner {
                let line = src.add(k * factor.stride);
                // The lines lie far apart: nothing else sees which is next.
                U::prefetch(line.wrapping_add(LINES_AHEAD * factor.stride), rows);
                for first in (0..rows).step_by(width) {
                    let (from, to) = (line.add(first), dst.add((group + first) * inner + k * width));
                    if rows - first >= width {
                        copy::<U>(from, to, width);
                    } else {
                        edge(from, to, rows - first, width);
                    }
                }
            }
        }
    }
}

/// Panels that are written side by side. Often they begin a multiple of a page apart, and a cache holds only so many lines
/// that do.
const SIDE_BY_SIDE: usize = 8;
/// Lines of a factor that are asked for before they are copied.
const LINES_AHEAD: usize = 4;
/// Blocks of a factor that are asked for before they are transposed.
const BLOCKS_AHEAD: usize = 8;

/// One panel of [`panels`], of lines along the inner dimension.
///
/// # Safety
/// As [`panels`].
#[inline(always)]
unsafe fn transposed<U: Unit>(
    factor: Factor<U::T>,
    (row, rows): (usize, usize),
    (place, inner): (usize, usize),
    width: usize,
    dst: *mut U::T,
) {
    // SAFETY: every access stays within `rows` × `inner` of the factor and `inner`·`width` + SIDE of `dst`.
    unsafe {
        let src = factor.from(row, place);
        let whole = inner / U::SIDE * U::SIDE;
        for first in (0..width).step_by(U::SIDE) {
            let lines = rows.saturating_sub(first).min(U::SIDE);
            let src = src.add(first.min(rows) * factor.stride);
            for k in (0..whole).step_by(U::SIDE) {
                // Lines far apart: nothing else sees that the blocks after the next are needed soon.
                for line in 0..lines {
                    U::prefetch(src.wrapping_add(line * factor.stride + k + BLOCKS_AHEAD * U::SIDE), U::SIDE);
                }
                // A block wider than the panel runs over into the next place, which is written after it.
                U::transpose(src.add(k), factor.stride, lines, dst.add(k * width + first), width);
            }
            if whole < inner && inner >= U::SIDE {
                // What is left, with the places before it once more.
                let k = inner - U::SIDE;
                U::transpose(src.add(k), factor.stride, lines, dst.add(k * width + first), width);
                continue;
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

/// Copies `count` < `width` numbers, and zeros to fill up.
///
/// # Safety
/// `from` must hold `count` and `to` `width` numbers, apart from each other.
#[inline(always)]
unsafe fn edge<T: Copy>(from: *const T, to: *mut T, count: usize, width: usize) {
    /// The first N and the last N numbers: all of them, where they are fewer than 2 N.
    #[inline(always)]
    unsafe fn ends<const N: usize, T>(from: *const T, to: *mut T, count: usize) {
        // SAFETY: the caller says that there are N.
        unsafe {
            std::ptr::copy_nonoverlapping(from, to, N);
            std::ptr::copy_nonoverlapping(from.add(count - N), to.add(count - N), N);
        }
    }
    // SAFETY: as the caller promises; zeros are numbers of either type.
    unsafe {
        std::ptr::write_bytes(to.add(count), 0, width - count);
        match count {
            16.. => ends::<16, T>(from, to, count),
            8.. => ends::<8, T>(from, to, count),
            4.. => ends::<4, T>(from, to, count),
            2.. => ends::<2, T>(from, to, count),
            _ => std::ptr::copy_nonoverlapping(from, to, count),
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
