//! Tiles without intrinsics, for processors whose baseline has fused multiply-adds: the compiler makes the vectors.
#![allow(unsafe_code)]

use super::{Ahead, Soon, Unit, transpose_block};

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

            unsafe fn tile(inner: usize, a: *const $t, b: *const $t, out: *mut $t, _: Soon<$t>, _: &mut Ahead) {
                let mut sums = [[0.0; NR]; MR];
                for k in 0..inner {
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
