//! Tiles without intrinsics, for processors whose baseline has fused multiply-adds: the compiler makes the vectors.
#![allow(unsafe_code)]

use super::hint::{self, Ahead, Soon};
use super::{Unit, transpose_block};

const MR: usize = 8;
const NR: usize = 8;

macro_rules! unit {
    ($(#[$meta:meta])* $name:ident: $t:ty) => {
        $(#[$meta])*
        pub(in crate::kernel) struct $name;

        impl Unit for $name {
            type T = $t;
            const MR: usize = MR;
            const NR: usize = NR;
            const SIDE: usize = 16;

            unsafe fn tile(
                inner: usize,
                a: *const $t,
                b: *const $t,
                out: *mut $t,
                soon: Soon<$t>,
                ahead: &mut Ahead,
            ) {
                (0..MR).for_each(|row| hint::near(soon.row(row).cast(), NR * size_of::<$t>()));
                let mut sums = [[0.0; NR]; MR];
                for k in 0..inner {
                    if k % Ahead::UNHURRIED == 0 && ahead.left > 0 {
                        ahead.advance();
                    }
                    // SAFETY: the callers pass `inner` places of packed factors.
                    let (a, b) = unsafe { (&*a.add(k * MR).cast::<[$t; MR]>(), &*b.add(k * NR).cast::<[$t; NR]>()) };
                    for (row, a) in sums.iter_mut().zip(a) {
                        for (sum, b) in row.iter_mut().zip(b) {
                            *sum = a.mul_add(*b, *sum);
                        }
                    }
                }
                // SAFETY: `out` holds MR × NR numbers.
                unsafe { *out.cast::<[[$t; NR]; MR]>() = sums };
            }

            unsafe fn half(inner: usize, a: *const $t, b: *const $t, out: *mut $t, soon: Soon<$t>) {
                // SAFETY: as the caller promises.
                unsafe { Self::tile(inner, a, b, out, soon, &mut Ahead::none()) }
            }

            unsafe fn transpose(src: *const $t, stride: usize, rows: usize, dst: *mut $t, step: usize) {
                // SAFETY: as the caller promises.
                unsafe { transpose_block(src, stride, rows, dst, step) }
            }
        }
    };
}

unit!(
    /// f32.
    Portable32: f32
);
unit!(
    /// f64.
    Portable64: f64
);

#[cfg(test)]
mod tests {
    use super::*;

    /// A tile, and what lies ahead afterwards. `exact` makes the numbers, which every type holds.
    fn tile<U: Unit>(
        inner: usize,
        ahead: &mut Ahead,
        exact: impl Fn(f64) -> U::T,
        back: impl Fn(U::T) -> f64,
    ) -> Vec<f64> {
        let number = |i: usize| ((i * 37 + 11) % 64) as f64 / 16.0 - 2.0;
        let a: Vec<U::T> = (0..inner * MR).map(|i| exact(number(i))).collect();
        let b: Vec<U::T> = (0..inner * NR).map(|i| exact(number(i + 5))).collect();
        let mut out = vec![exact(f64::NAN); MR * NR];
        let soon = Soon { start: out.as_ptr(), stride: NR };
        // SAFETY: the factors hold `inner` places, `out` a tile.
        unsafe { U::tile(inner, a.as_ptr(), b.as_ptr(), out.as_mut_ptr(), soon, ahead) };
        let out: Vec<f64> = out.into_iter().map(back).collect();
        for (place, found) in out.iter().enumerate() {
            let (i, j) = (place / NR, place % NR);
            // Products of sixteenths: every sum is exact.
            let sum: f64 = (0..inner).map(|k| number(k * MR + i) * number(k * NR + j + 5)).sum();
            assert_eq!(*found, sum, "{i}, {j} of {inner}");
        }
        out
    }

    #[test]
    fn tiles_are_products_whatever_lies_ahead() {
        for inner in [0, 1, 3, 4, 5, 17, 64] {
            let numbers = vec![0f64; 4 * 32];
            // Four lines of 20 numbers, three cache lines each: one is asked for every four places, until none is left.
            let mut ahead = Ahead::new(numbers.as_ptr(), 4, 20, 32);
            let found = tile::<Portable64>(inner, &mut ahead, |x| x, |x| x);
            assert_eq!(ahead.left, 12usize.saturating_sub(inner.div_ceil(Ahead::UNHURRIED)), "{inner}");
            assert_eq!(found, tile::<Portable64>(inner, &mut Ahead::none(), |x| x, |x| x));
            assert_eq!(found, tile::<Portable32>(inner, &mut Ahead::none(), |x| x as f32, f64::from));
        }
    }
}
