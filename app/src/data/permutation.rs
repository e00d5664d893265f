//! Permutations that are a function of their key: a Fisher–Yates shuffle driven by SplitMix64.
//!
//! SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. Bounded draws without bias:
//! Lemire, "Fast random integer generation in an interval", 2019. The order of the data needs no more than that, and it
//! must not change with the kernels' generator.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a permutation is for: keeps the epochs apart from the validation split.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// The order of an epoch, counted from 0.
    Epoch(u64),
    /// Which training examples are set apart.
    Validation,
}

/// A permutation of 0..count under (seed, purpose).
pub(super) fn permutation(count: usize, seed: u64, purpose: Purpose) -> Vec<u32> {
    let (domain, index) = match purpose {
        Purpose::Epoch(epoch) => (1, epoch),
        Purpose::Validation => (2, 0),
    };
    let mut stream = SplitMix { state: mix(mix(mix(seed ^ GAMMA).wrapping_add(domain)).wrapping_add(index)) };
    let mut order: Vec<u32> = (0..count as u32).collect();
    for last in (1..count).rev() {
        order.swap(last, stream.below(last as u64 + 1) as usize);
    }
    order
}

struct SplitMix {
    state: u64,
}

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// Uniform in 0..bound.
    fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_splitmix64() {
        // The reference implementation's first outputs for seed 1234567.
        let mut stream = SplitMix { state: 1_234_567 };
        assert_eq!(stream.next(), 6_457_827_717_110_365_317);
        assert_eq!(stream.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn permutes_and_depends_on_every_part_of_the_key() {
        let base = permutation(100, 7, Purpose::Epoch(0));
        let mut sorted = base.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
        assert_eq!(base, permutation(100, 7, Purpose::Epoch(0)));
        for (seed, purpose) in [(8, Purpose::Epoch(0)), (7, Purpose::Epoch(1)), (7, Purpose::Validation)] {
            assert_ne!(base, permutation(100, seed, purpose));
        }
        assert!(permutation(0, 0, Purpose::Epoch(0)).is_empty());
    }

    #[test]
    fn every_place_is_equally_likely() {
        // 6000 permutations of 4: χ² of each place's counts, 3 degrees of freedom, 99.9 % at 16.27.
        let mut counts = [[0f64; 4]; 4];
        for seed in 0..6000 {
            for (place, value) in permutation(4, seed, Purpose::Epoch(3)).into_iter().enumerate() {
                counts[place][value as usize] += 1.0;
            }
        }
        for place in counts {
            let chi: f64 = place.iter().map(|count| (count - 1500.0).powi(2) / 1500.0).sum();
            assert!(chi < 16.27, "{counts:?}");
        }
    }
}
