//! Micro-kernels: a tile of the result, MR × NR numbers, held in registers while the inner dimension passes by.
//!
//! Both factors come packed: at each place of the inner dimension MR numbers of the first and NR of the second lie side by
//! side. Every number of the tile is one chain of fused multiply-adds in the order of the inner dimension, so it does not
//! depend on where the tile lies.
#![allow(unsafe_code)]

mod hint;
pub(in crate::kernel) use hint::{Ahead, Soon};

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
pub(in crate::kernel) use x86::{Narrow32, Narrow64, Wide32, Wide64};

// Tested on any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable;
#[cfg(not(target_arch = "x86_64"))]
pub(in crate::kernel) use portable::{
    Portable32 as Wide32, Portable32 as Narrow32, Portable64 as Wide64, Portable64 as Narrow64,
};

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
        hint::near(start.cast(), length * size_of::<Self::T>());
    }

    /// Side of the blocks that [`Unit::transpose`] takes.
    const SIDE: usize;
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
