//! Memory that a tile asks for while it is computed, so that nobody waits for it afterwards. Changes no result; where the compiler
//! has no such instruction nothing is asked for.
#![allow(unsafe_code)]

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
    pub(super) fn row(self, row: usize) -> *const T {
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
    pub(super) left: usize,
}

impl Ahead {
    /// Nothing.
    pub const fn none() -> Self {
        Self { line: std::ptr::null(), asked: 0, length: 0, stride: 0, left: 0 }
    }

    /// `lines` lines of `length` numbers from `start` on, `stride` numbers apart.
    pub fn new<T>(start: *const T, lines: usize, length: usize, stride: usize) -> Self {
        let length = length * size_of::<T>();
        let left = lines * length.div_ceil(Self::STEP);
        Self { line: start.cast(), asked: 0, length, stride: stride * size_of::<T>(), left }
    }

    /// Bytes that are asked for at once.
    const STEP: usize = 64;
    /// Places of the inner dimension from one to the next.
    pub(super) const UNHURRIED: usize = 4;

    /// Asks for the next.
    #[inline(always)]
    pub(super) fn advance(&mut self) {
        far(self.line.wrapping_add(self.asked));
        self.asked += Self::STEP;
        if self.asked >= self.length {
            self.asked = 0;
            self.line = self.line.wrapping_add(self.stride);
        }
        self.left -= 1;
    }
}

/// Asks for the cache lines of some bytes.
#[inline(always)]
pub(super) fn near(start: *const u8, bytes: usize) {
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
fn far(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
