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
                unsafe { Self::tile(inner, a, b, out, soon, &mut Ahead::NONE) }
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

    /// A tile in double precision, and what lies ahead afterwards.
    fn tile(inner: usize, ahead: &mut Ahead) -> [[f64; NR]; MR] {
        let number = |i: usize| ((i * 37 + 11) % 64) as f64 / 16.0 - 2.0;
        let a: Vec<f64> = (0..inner * MR).map(number).collect();
        let b: Vec<f64> = (0..inner * NR).map(|i| number(i + 5)).collect();
        let mut out = [[f64::NAN; NR]; MR];
        let soon = Soon { start: out.as_ptr().cast(), stride: NR };
        // SAFETY: the factors hold `inner` places, `out` a tile.
        unsafe { Portable64::tile(inner, a.as_ptr(), b.as_ptr(), out.as_mut_ptr().cast(), soon, ahead) };
        for (i, row) in out.iter().enumerate() {
            for (j, found) in row.iter().enumerate() {
                // Products of sixteenths: every sum is exact.
                let exact: f64 = (0..inner).map(|k| a[k * MR + i] * b[k * NR + j]).sum();
                assert_eq!(*found, exact, "{i}, {j} of {inner}");
            }
        }
        out
    }

    #[test]
    fn tiles_are_products_whatever_lies_ahead() {
        for inner in [0, 1, 3, 4, 5, 17, 64] {
            let numbers = vec![0f64; 4 * 32];
            // Four lines of 20 numbers, three cache lines each: one is asked for every four places, until none is left.
            let mut ahead = Ahead::new(numbers.as_ptr(), 4, 20, 32);
            assert_eq!(tile(inner, &mut ahead), tile(inner, &mut Ahead::NONE));
            assert_eq!(ahead.left, 12usize.saturating_sub(inner.div_ceil(Ahead::UNHURRIED)), "{inner}");
        }
    }
}
