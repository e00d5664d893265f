//! Micro-kernels: a tile of the result, MR × NR numbers, held in registers while the inner dimension passes by.
//!
//! Both factors come packed: at each place of the inner dimension MR numbers of the first and NR of the second lie side by
//! side. Every number of the tile is one chain of fused multiply-adds in the order of the inner dimension, so it does not
//! depend on where the tile lies.
#![allow(unsafe_code)]
// Only the tiles of x86-64 ask for memory ahead.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
pub(in crate::kernel) use x86::{Narrow32, Narrow64, Wide32, Wide64};

#[cfg(not(target_arch = "x86_64"))]
mod portable;
#[cfg(not(target_arch = "x86_64"))]
pub(in crate::kernel) use portable::{
    Portable32 as Wide32, Portable32 as Narrow32, Portable64 as Wide64, Portable64 as Narrow64,
};

/// Rows of the result that are needed when a tile is done.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Soon<T> {
    /// The first.
    pub start: *const T,
    /// Numbers from one to the next.
    pub stride: usize,
}

impl<T> Soon<T> {
    /// Where row `row` starts; it may lie outside the result.
    #[inline(always)]
    fn row(self, row: usize) -> *const T {
        self.start.wrapping_add(row * self.stride)
    }
}

/// Lines of a factor that are packed next: they are asked for, a cache line after the other, while tiles are computed, so
/// that packing does not wait for memory.
pub(in crate::kernel) struct Ahead {
    line: *const u8,
    /// Bytes of the line that have been asked for, those of a line, and from one line to the next.
    asked: usize,
    length: usize,
    stride: usize,
    /// Cache lines that are left.
    left: usize,
}

impl Ahead {
    /// None.
    pub const NONE: Self = Self { line: std::ptr::null(), asked: 0, length: 0, stride: 0, left: 0 };

    /// `lines` lines of `length` numbers from `start` on, `stride` numbers apart.
    pub fn new<T>(start: *const T, lines: usize, length: usize, stride: usize) -> Self {
        let length = length * size_of::<T>();
        let left = lines * length.div_ceil(Self::STEP);
        Self { line: start.cast(), asked: 0, length, stride: stride * size_of::<T>(), left }
    }

    /// Bytes that are asked for at once.
    const STEP: usize = 64;

    /// Asks for the next.
    #[inline(always)]
    fn advance(&mut self) {
        prefetch_far(self.line.wrapping_add(self.asked));
        self.asked += Self::STEP;
        if self.asked >= self.length {
            self.asked = 0;
            self.line = self.line.wrapping_add(self.stride);
        }
        self.left -= 1;
    }
}

/// One element type on one vector width.
pub(in crate::kernel) trait Unit: 'static {
    /// The element type.
    type T: super::Tiled;
    /// Rows of a tile.
    const MR: usize;
    /// Columns of a tile: two vectors.
    const NR: usize;

    /// `out ← Σ_k a_k b_kᵀ`, MR × NR row-major, from `inner` places of packed factors. The rows of `soon`, and then
    /// some of what lies `ahead`, are asked for meanwhile.
    ///
    /// # Safety
    /// The processor must have the width; `a` holds `inner`·MR, `b` `inner`·NR and `out` MR·NR numbers, `b` and `out`
    /// aligned to a vector.
    unsafe fn tile(
        inner: usize,
        a: *const Self::T,
        b: *const Self::T,
        out: *mut Self::T,
        soon: Soon<Self::T>,
        ahead: &mut Ahead,
    );

    /// The same for the first NR/2 columns: `b` still steps by NR, and `out` keeps rows of NR, the other columns zero.
    ///
    /// # Safety
    /// As [`Unit::tile`].
    unsafe fn half(inner: usize, a: *const Self::T, b: *const Self::T, out: *mut Self::T, soon: Soon<Self::T>);

    /// Transposes `rows` ≤ [`Unit::SIDE`] rows of [`Unit::SIDE`] numbers, `stride` apart, into columns `step` apart of
    /// [`Unit::SIDE`] numbers each, written in order, so that columns may overlap the ones before; missing rows count as
    /// zero.
    ///
    /// # Safety
    /// The processor must have the width; `src` and `dst` reach as far as that says.
    unsafe fn transpose(src: *const Self::T, stride: usize, rows: usize, dst: *mut Self::T, step: usize);

    /// Asks for the cache lines of `length` numbers that will be needed soon.
    #[inline(always)]
    fn prefetch(start: *const Self::T, length: usize) {
        prefetch(start.cast(), length * size_of::<Self::T>());
    }

    /// Side of the blocks that [`Unit::transpose`] takes.
    const SIDE: usize;
}

/// Asks for the cache lines of some bytes.
#[inline(always)]
fn prefetch(start: *const u8, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..bytes).step_by(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(offset).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, bytes);
}

/// Asks for a cache line for the second-level cache.
#[inline(always)]
fn prefetch_far(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// [`Unit::transpose`] of 16 × 16 numbers through memory.
unsafe fn transpose_block<T: super::Tiled>(src: *const T, stride: usize, rows: usize, dst: *mut T, step: usize) {
    for j in 0..16 {
        for i in 0..16 {
            // SAFETY: the caller promises 16 × 16 numbers on both sides, and `rows` rows to read.
            unsafe { *dst.add(j * step + i) = if i < rows { *src.add(i * stride + j) } else { T::ZERO } };
        }
    }
}
