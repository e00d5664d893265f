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

    /// `out ← Σ_k a_k b_kᵀ`, MR × NR row-major, from `inner` places of packed factors, whose places after the first `rows` of
    /// MR are zero: such rows need not be computed. The rows of `soon`, and then some of what lies `ahead`, are asked for
    /// meanwhile.
    ///
    /// # Safety
    /// The processor must have the width; `a` holds `inner`·MR, `b` `inner`·NR and `out` MR·NR numbers, `b` and `out`
    /// aligned to a vector.
    unsafe fn tile(
        rows: usize,
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
    unsafe fn half(
        rows: usize,
        inner: usize,
        a: *const Self::T,
        b: *const Self::T,
        out: *mut Self::T,
        soon: Soon<Self::T>,
    );

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

#[cfg(test)]
mod tests {
    use super::portable::{Portable32, Portable64};
    use super::*;

    /// Room for a tile's factors and sums, aligned to any vector.
    #[repr(C, align(64))]
    struct Aligned<T>([T; 64 * 32]);

    /// Tiles of one unit: every number of the first rows is the exact sum, everything else zero, whatever lies ahead. `exact` makes
    /// the numbers, which every type holds.
    fn check<U: Unit>(exact: impl Fn(f64) -> U::T, back: impl Fn(U::T) -> f64) {
        // Products of sixteenths: every sum is exact.
        let number = |i: usize| ((i * 37 + 11) % 64) as f64 / 16.0 - 2.0;
        let filled = |f: &dyn Fn(usize) -> f64| Box::new(Aligned(std::array::from_fn(|i| exact(f(i)))));
        for (rows, inner) in (1..=U::MR).flat_map(|rows| [0, 1, 3, 4, 5, 17, 64].map(|inner| (rows, inner))) {
            let a = filled(&|i| if i % U::MR < rows { number(i) } else { 0.0 });
            for half in [false, true] {
                let width = if half { U::NR / 2 } else { U::NR };
                let b = filled(&|i| if i % U::NR < width { number(i + 5) } else { 0.0 });
                let sum = |i: usize, j: usize| -> f64 {
                    (0..inner).map(|k| back(a.0[k * U::MR + i]) * back(b.0[k * U::NR + j])).sum()
                };
                let lines = [0f64; 4 * 32];
                // Four lines of 20 numbers, three cache lines each.
                for mut ahead in [Ahead::none(), Ahead::new(lines.as_ptr(), 4, 20, 32)] {
                    let mut out = filled(&|_| f64::NAN);
                    let soon = Soon { start: out.0.as_ptr(), stride: U::NR };
                    let (a, b, to) = (a.0.as_ptr(), b.0.as_ptr(), out.0.as_mut_ptr());
                    // SAFETY: the factors hold `inner` places and `out` a tile, aligned; the caller has asked for the width.
                    unsafe {
                        match half {
                            false => U::tile(rows, inner, a, b, to, soon, &mut ahead),
                            true => U::half(rows, inner, a, b, to, soon),
                        }
                    }
                    for place in 0..U::MR * U::NR {
                        let (i, j) = (place / U::NR, place % U::NR);
                        assert_eq!(back(out.0[place]), sum(i, j), "{i}, {j} of {rows} rows, {inner} places");
                    }
                }
            }
        }
    }

    #[test]
    fn tiles_are_products_whatever_lies_ahead() {
        check::<Portable32>(|x| x as f32, f64::from);
        check::<Portable64>(|x| x, |x| x);
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                check::<Narrow32>(|x| x as f32, f64::from);
                check::<Narrow64>(|x| x, |x| x);
            }
            if is_x86_feature_detected!("avx512f") {
                check::<Wide32>(|x| x as f32, f64::from);
                check::<Wide64>(|x| x, |x| x);
            }
        }
    }

    #[test]
    fn a_cache_line_is_asked_for_every_few_places_until_none_is_left() {
        let numbers = [0f64; 4 * 32];
        let (a, b) = (vec![0.0; 64 * Portable64::MR], vec![0.0; 64 * Portable64::NR]);
        for inner in [0, 1, 3, 4, 5, 17, 64] {
            let mut ahead = Ahead::new(numbers.as_ptr(), 4, 20, 32);
            let mut out = [0.0; Portable64::MR * Portable64::NR];
            let soon = Soon { start: out.as_ptr(), stride: Portable64::NR };
            let rows = Portable64::MR;
            // SAFETY: the factors hold `inner` places, `out` a tile.
            unsafe { Portable64::tile(rows, inner, a.as_ptr(), b.as_ptr(), out.as_mut_ptr(), soon, &mut ahead) };
            assert_eq!(ahead.left, 12usize.saturating_sub(inner.div_ceil(Ahead::UNHURRIED)), "{inner}");
        }
    }
}
