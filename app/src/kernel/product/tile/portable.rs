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
                _rows: usize,
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

            unsafe fn half(
                rows: usize,
                inner: usize,
                a: *const $t,
                b: *const $t,
                out: *mut $t,
                soon: Soon<$t>,
            ) {
                // SAFETY: as the caller promises.
                unsafe { Self::tile(rows, inner, a, b, out, soon, &mut Ahead::none()) }
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
