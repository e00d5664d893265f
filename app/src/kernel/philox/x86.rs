//! Philox on the 512-bit vectors of x86-64: a word of eight blocks a vector, in halves of 64 bits, of which a product reads the low ones.
//!
//! A round waits for the one before it, so the four vectors of both rows go through it together. What lies in the high half of a word
//! is never read.
#![allow(unsafe_code)]

use super::{LANES, MULTIPLIERS, WEYL, Words};
use core::arch::x86_64::*;

/// Blocks in a vector.
const WIDTH: usize = 8;
/// Vectors of a word.
const VECTORS: usize = 2 * LANES / WIDTH;

/// As [`super::fill`].
#[target_feature(enable = "avx512f")]
pub(super) fn fill(rows: &mut [[Words; 2]], mut block: u32, counter: [u32; 3], key: [u32; 2]) {
    let of = |word: u32| _mm512_set1_epi64(i64::from(word));
    let xor = |a, b, c| _mm512_ternarylogic_epi64::<0x96>(a, b, c);
    let (m0, m1) = (of(MULTIPLIERS.0), of(MULTIPLIERS.1));
    let steps = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    let low = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    for rows in rows {
        let first = |vector: usize| _mm512_add_epi64(of(block.wrapping_add((vector * WIDTH) as u32)), steps);
        let mut x = [[_mm512_setzero_si512(); VECTORS]; 4];
        x[0] = std::array::from_fn(first);
        for (word, start) in x[1..].iter_mut().zip(counter) {
            *word = [of(start); VECTORS];
        }
        let [mut k0, mut k1] = key;
        for _ in 0..10 {
            let [x0, x1, x2, x3] = &mut x;
            for (((x0, x1), x2), x3) in x0.iter_mut().zip(x1).zip(x2).zip(x3) {
                let (first, second) = (_mm512_mul_epu32(m0, *x0), _mm512_mul_epu32(m1, *x2));
                *x0 = xor(_mm512_srli_epi64::<32>(second), *x1, of(k0));
                *x2 = xor(_mm512_srli_epi64::<32>(first), *x3, of(k1));
                (*x1, *x3) = (second, first);
            }
            (k0, k1) = (k0.wrapping_add(WEYL.0), k1.wrapping_add(WEYL.1));
        }
        for (row, words) in rows.iter_mut().enumerate() {
            for (word, x) in words.iter_mut().zip(&x) {
                let packed = _mm512_permutex2var_epi32(x[2 * row], low, x[2 * row + 1]);
                // SAFETY: a row of a word is as long as the vector.
                unsafe { _mm512_storeu_si512(word.as_mut_ptr().cast(), packed) };
            }
        }
        block = block.wrapping_add(2 * LANES as u32);
    }
}
