//! Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3" (SC 2011), many counters at a time so that the loops become vector code.

#[cfg(target_arch = "x86_64")]
mod x86;

use super::wide::wide;

/// Blocks computed at once.
pub(super) const LANES: usize = 16;

/// Four words for each of [`LANES`] consecutive counters: `words[j][lane]` is word j.
pub(super) type Words = [[u32; LANES]; 4];

const MULTIPLIERS: (u32, u32) = (0xD251_1F53, 0xCD9E_8D57);
const WEYL: (u32, u32) = (0x9E37_79B9, 0xBB67_AE85);

/// The words of consecutive counters from (block, …) on, two rows of [`LANES`] at a time; the first word of the counter wraps at 2³².
pub(super) fn fill(rows: &mut [[Words; 2]], block: u32, counter: [u32; 3], key: [u32; 2]) {
    #[cfg(target_arch = "x86_64")]
    if matches!(super::wide::width(), super::wide::Width::Avx512) {
        #[allow(unsafe_code)]
        // SAFETY: `width` found the processor to have these features.
        return unsafe { x86::fill(rows, block, counter, key) };
    }
    fill_portable(rows, block, counter, key);
}

wide! {
    /// As [`fill`], on any processor.
    fn fill_portable(rows: &mut [[Words; 2]], block: u32, counter: [u32; 3], key: [u32; 2]) {
        let mut block = block;
        for words in rows.as_flattened_mut() {
            *words = philox(block, counter, key);
            block = block.wrapping_add(LANES as u32);
        }
    }
}

/// The words of counters (block, …) to (block + LANES − 1, …).
#[inline(always)]
fn philox(block: u32, counter: [u32; 3], key: [u32; 2]) -> Words {
    let mut words: Words = [[0; LANES]; 4];
    let [w0, w1, w2, w3] = &mut words;
    // Lanes outside, rounds inside: the rounds unroll, and the lanes of the long body become one vector.
    for lane in 0..LANES {
        let [mut x0, mut x1, mut x2, mut x3] = [block.wrapping_add(lane as u32), counter[0], counter[1], counter[2]];
        let [mut k0, mut k1] = key;
        for _ in 0..10 {
            let first = u64::from(MULTIPLIERS.0) * u64::from(x0);
            let second = u64::from(MULTIPLIERS.1) * u64::from(x2);
            [x0, x1, x2, x3] =
                [(second >> 32) as u32 ^ x1 ^ k0, second as u32, (first >> 32) as u32 ^ x3 ^ k1, first as u32];
            k0 = k0.wrapping_add(WEYL.0);
            k1 = k1.wrapping_add(WEYL.1);
        }
        w0[lane] = x0;
        w1[lane] = x1;
        w2[lane] = x2;
        w3[lane] = x3;
    }
    words
}

/// Steele, Lea and Flood's mixing function, by which seed and instance become the key.
pub(super) fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
        philox(counter[0], [counter[1], counter[2], counter[3]], key).map(|word| word[0])
    }

    #[test]
    fn agrees_with_the_published_vectors() {
        assert_eq!(one([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(one([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let (counter, key) = ([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(one(counter, key), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn rows_are_consecutive_counters_on_any_processor() {
        let (counter, key) = ([7, u32::MAX, 0x8000_0001], [0xFFFF_FFF0, 3]);
        for (start, count) in [(0, 1), (u32::MAX - 40, 3), (0x7FFF_FFFF, 8)] {
            let mut rows = vec![[[[0; LANES]; 4]; 2]; count];
            for fill in [fill, fill_portable] {
                rows.as_flattened_mut().fill([[1; LANES]; 4]);
                fill(&mut rows, start, counter, key);
                for (row, words) in rows.as_flattened().iter().enumerate() {
                    let first = start.wrapping_add((row * LANES) as u32);
                    assert_eq!(*words, philox(first, counter, key), "row {row} from {start}");
                }
            }
        }
    }

    #[test]
    fn lanes_are_consecutive_counters() {
        let words = philox(u32::MAX - 3, [7, 8, 9], [10, 11]);
        for lane in 0..LANES {
            let alone = one([(u32::MAX - 3).wrapping_add(lane as u32), 7, 8, 9], [10, 11]);
            assert_eq!(words.map(|word| word[lane]), alone);
        }
    }
}
