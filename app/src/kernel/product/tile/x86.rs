//! Tiles on the vectors of x86-64: AVX-512, or AVX2 with FMA.
#![allow(unsafe_code)]

use super::hint::{self, Ahead, Soon};
use super::{Unit, transpose_block};
use core::arch::x86_64::*;

// Loops over R are unrolled, so that the sums stay in registers.
macro_rules! unit {
    ($(#[$meta:meta])* $name:ident: $t:ty as $vector:ty, $lanes:literal by $mr:literal, $features:literal,
     $zero:ident, $load:ident, $splat:ident, $fma:ident, $store:ident, $side:literal $transpose:path) => {
        $(#[$meta])*
        pub(in crate::kernel) struct $name;

        impl $name {
            /// Numbers in a cache line.
            const LINE: usize = 64 / size_of::<$t>();
            /// Cache lines that a row of the tile takes.
            const LINES: usize = (2 * $lanes as usize).div_ceil(Self::LINE);

            /// The first R rows; the others become zero.
            #[target_feature(enable = $features)]
            fn both<const R: usize>(
                inner: usize,
                mut a: *const $t,
                mut b: *const $t,
                out: *mut $t,
                soon: Soon<$t>,
                ahead: &mut Ahead,
            ) {
                let mut sums = [[$zero(); 2]; R];
                let mut place = || {
                    // SAFETY: the callers pass `inner` places of packed factors; `b` is aligned and steps by two vectors.
                    unsafe {
                        let (left, right) = ($load(b), $load(b.add($lanes)));
                        for (row, [first, second]) in sums.iter_mut().enumerate() {
                            let factor = $splat(*a.add(row));
                            *first = $fma(factor, left, *first);
                            *second = $fma(factor, right, *second);
                        }
                        a = a.add($mr);
                        b = b.add(2 * $lanes);
                    }
                };
                let asked = inner.min(R * Self::LINES);
                for step in 0..asked {
                    let row = step / Self::LINES;
                    let line = step - row * Self::LINES;
                    hint::near(soon.row(row).wrapping_add(line * Self::LINE).cast(), 1);
                    place();
                }
                let turns = ((inner - asked) / Ahead::UNHURRIED).min(ahead.left);
                for _ in 0..turns {
                    ahead.advance();
                    for _ in 0..Ahead::UNHURRIED {
                        place();
                    }
                }
                for _ in asked + turns * Ahead::UNHURRIED..inner {
                    place();
                }
                for row in 0..$mr {
                    let [first, second] = if row < R { sums[row] } else { [$zero(); 2] };
                    // SAFETY: `out` holds MR × NR numbers, aligned.
                    unsafe {
                        $store(out.add(2 * row * $lanes), first);
                        $store(out.add((2 * row + 1) * $lanes), second);
                    }
                }
            }

            /// The first vector of the first R rows; the others become zero.
            #[target_feature(enable = $features)]
            fn left<const R: usize>(
                inner: usize,
                mut a: *const $t,
                mut b: *const $t,
                out: *mut $t,
                soon: Soon<$t>,
            ) {
                let mut sums = [$zero(); R];
                for row in 0..R {
                    hint::near(soon.row(row).cast(), $lanes * size_of::<$t>());
                }
                for _ in 0..inner {
                    // SAFETY: the callers pass `inner` places of packed factors; `b` is aligned and steps by two vectors.
                    unsafe {
                        let left = $load(b);
                        for (row, sum) in sums.iter_mut().enumerate() {
                            *sum = $fma($splat(*a.add(row)), left, *sum);
                        }
                        a = a.add($mr);
                        b = b.add(2 * $lanes);
                    }
                }
                for row in 0..$mr {
                    // SAFETY: `out` holds MR × NR numbers, aligned.
                    unsafe {
                        $store(out.add(2 * row * $lanes), if row < R { sums[row] } else { $zero() });
                        $store(out.add((2 * row + 1) * $lanes), $zero());
                    }
                }
            }
        }

        impl Unit for $name {
            type T = $t;
            const MR: usize = $mr;
            const NR: usize = 2 * $lanes;
            const SIDE: usize = $side;

            #[inline(always)]
            unsafe fn tile(
                rows: usize,
                inner: usize,
                a: *const $t,
                b: *const $t,
                out: *mut $t,
                soon: Soon<$t>,
                ahead: &mut Ahead,
            ) {
                // SAFETY: as the caller promises.
                unsafe {
                    match (3 * rows).div_ceil($mr) {
                        0 | 1 => Self::both::<{ $mr / 3 }>(inner, a, b, out, soon, ahead),
                        2 => Self::both::<{ 2 * $mr / 3 }>(inner, a, b, out, soon, ahead),
                        _ => Self::both::<$mr>(inner, a, b, out, soon, ahead),
                    }
                }
            }

            #[inline(always)]
            unsafe fn half(
                rows: usize,
                inner: usize,
                a: *const $t,
                b: *const $t,
                out: *mut $t,
                soon: Soon<$t>,
            ) {
                // SAFETY: as the caller promises.
                unsafe {
                    match (3 * rows).div_ceil($mr) {
                        0 | 1 => Self::left::<{ $mr / 3 }>(inner, a, b, out, soon),
                        2 => Self::left::<{ 2 * $mr / 3 }>(inner, a, b, out, soon),
                        _ => Self::left::<$mr>(inner, a, b, out, soon),
                    }
                }
            }

            unsafe fn transpose(src: *const $t, stride: usize, rows: usize, dst: *mut $t, step: usize) {
                // SAFETY: as the caller promises.
                unsafe { $transpose(src, stride, rows, dst, step) }
            }
        }
    };
}

unit!(
    /// f32 on vectors of 512 bits.
    Wide32: f32 as __m512, 16 by 12, "avx512f",
    _mm512_setzero_ps, _mm512_load_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_store_ps, 16 transpose_wide
);
unit!(
    /// f64 on vectors of 512 bits.
    Wide64: f64 as __m512d, 8 by 12, "avx512f",
    _mm512_setzero_pd, _mm512_load_pd, _mm512_set1_pd, _mm512_fmadd_pd, _mm512_store_pd, 16 transpose_block
);
unit!(
    /// f32 on vectors of 256 bits.
    Narrow32: f32 as __m256, 8 by 6, "avx2,fma",
    _mm256_setzero_ps, _mm256_load_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_store_ps, 8 transpose_narrow
);
unit!(
    /// f64 on vectors of 256 bits.
    Narrow64: f64 as __m256d, 4 by 6, "avx2,fma",
    _mm256_setzero_pd, _mm256_load_pd, _mm256_set1_pd, _mm256_fmadd_pd, _mm256_store_pd, 16 transpose_block
);

/// [`Unit::transpose`] of 16 × 16 f32 in registers: pairs of numbers, then of pairs, then of quarters of a vector.
#[target_feature(enable = "avx512f")]
fn transpose_wide(src: *const f32, stride: usize, rows: usize, dst: *mut f32, step: usize) {
    let zero = _mm512_setzero_ps();
    // Blocks and panels of whole height are loaded row by row into registers; another count goes through memory.
    macro_rules! rows {
        ($($i:literal)*) => {
            // SAFETY: the caller promises `rows` rows of 16 numbers.
            unsafe { [$(_mm512_loadu_ps(src.add($i * stride))),*] }
        };
    }
    let row: [__m512; 16] = match rows {
        16 => rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
        12 => {
            let [a, b, c, d, e, f, g, h, i, j, k, l] = rows!(0 1 2 3 4 5 6 7 8 9 10 11);
            [a, b, c, d, e, f, g, h, i, j, k, l, zero, zero, zero, zero]
        }
        _ => {
            let mut row = [zero; 16];
            for (i, row) in row.iter_mut().enumerate().take(rows) {
                // SAFETY: as above.
                *row = unsafe { _mm512_loadu_ps(src.add(i * stride)) };
            }
            row
        }
    };
    let (pd, ps) = (|x| _mm512_castps_pd(x), |x| _mm512_castpd_ps(x));
    let mut pair = [zero; 16];
    for i in 0..8 {
        pair[2 * i] = _mm512_unpacklo_ps(row[2 * i], row[2 * i + 1]);
        pair[2 * i + 1] = _mm512_unpackhi_ps(row[2 * i], row[2 * i + 1]);
    }
    // quad[4·i + c]: of rows 4i to 4i + 3 the columns c, c + 4, c + 8, c + 12, a quarter of the vector each.
    let mut quad = [zero; 16];
    for i in 0..4 {
        let [a, b, c, d] = [pd(pair[4 * i]), pd(pair[4 * i + 2]), pd(pair[4 * i + 1]), pd(pair[4 * i + 3])];
        quad[4 * i] = ps(_mm512_unpacklo_pd(a, b));
        quad[4 * i + 1] = ps(_mm512_unpackhi_pd(a, b));
        quad[4 * i + 2] = ps(_mm512_unpacklo_pd(c, d));
        quad[4 * i + 3] = ps(_mm512_unpackhi_pd(c, d));
    }
    let mut columns = [zero; 16];
    for c in 0..4 {
        let even = |a, b| _mm512_shuffle_f32x4::<0x88>(a, b);
        let odd = |a, b| _mm512_shuffle_f32x4::<0xdd>(a, b);
        let (low, high) = (even(quad[c], quad[4 + c]), even(quad[8 + c], quad[12 + c]));
        let (low_odd, high_odd) = (odd(quad[c], quad[4 + c]), odd(quad[8 + c], quad[12 + c]));
        columns[c] = even(low, high);
        columns[4 + c] = even(low_odd, high_odd);
        columns[8 + c] = odd(low, high);
        columns[12 + c] = odd(low_odd, high_odd);
    }
    for (j, column) in columns.into_iter().enumerate() {
        // SAFETY: the caller promises 16 columns of 16 numbers, `step` apart.
        unsafe { _mm512_storeu_ps(dst.add(j * step), column) };
    }
}

/// [`Unit::transpose`] of 8 × 8 f32 in registers: pairs of numbers, then of pairs, then of halves of a vector.
#[target_feature(enable = "avx2")]
fn transpose_narrow(src: *const f32, stride: usize, rows: usize, dst: *mut f32, step: usize) {
    let mut row = [_mm256_setzero_ps(); 8];
    for (i, row) in row.iter_mut().enumerate() {
        if i < rows {
            // SAFETY: the caller promises `rows` rows of 8 numbers.
            *row = unsafe { _mm256_loadu_ps(src.add(i * stride)) };
        }
    }
    // quad[4·i + c]: of rows 4i to 4i + 3 the columns c and c + 4, half of the vector each.
    let mut quad = [_mm256_setzero_ps(); 8];
    for i in 0..2 {
        let [a, b, c, d] = [row[4 * i], row[4 * i + 1], row[4 * i + 2], row[4 * i + 3]];
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (low_next, high_next) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        quad[4 * i] = _mm256_shuffle_ps::<0x44>(low, low_next);
        quad[4 * i + 1] = _mm256_shuffle_ps::<0xee>(low, low_next);
        quad[4 * i + 2] = _mm256_shuffle_ps::<0x44>(high, high_next);
        quad[4 * i + 3] = _mm256_shuffle_ps::<0xee>(high, high_next);
    }
    for c in 0..8 {
        let (first, second) = (quad[c % 4], quad[4 + c % 4]);
        let column = match c / 4 {
            0 => _mm256_permute2f128_ps::<0x20>(first, second),
            _ => _mm256_permute2f128_ps::<0x31>(first, second),
        };
        // SAFETY: the caller promises 8 columns of 8 numbers, `step` apart.
        unsafe { _mm256_storeu_ps(dst.add(c * step), column) };
    }
}
