//! The random numbers of the interface: Philox4x32-10, as the documentation of `gw_rng` states it.
//!
//! Source: Salmon, Moraes, Dror, Shaw, *Parallel Random Numbers: As Easy as 1, 2, 3*, SC 2011.

#![forbid(unsafe_code)]

use crate::abi::{GW_ALL_SITES, GW_DRAW_NORMAL, GW_DRAW_RADEMACHER, GW_DRAW_UNIFORM};
use core::f64::consts::TAU;

/// One block: ten rounds on the counter under the key.
pub fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
    }
    counter
}

fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// The draws of one lane.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Seed of the lane.
    pub seed: u64,
    /// Its instance number.
    pub instance: u64,
    /// Its step.
    pub step: u64,
}

impl Draws {
    fn words(&self, [site, guess, draw]: [u32; 3], block: u64) -> [u32; 4] {
        let mixed = splitmix64(self.seed ^ splitmix64(self.instance));
        let site = if site == GW_ALL_SITES { 65535 } else { site };
        let counter = [
            block as u32,
            self.step as u32,
            site.wrapping_shl(16).wrapping_add(guess),
            draw.wrapping_shl(16).wrapping_add((self.step >> 32) as u32 & 0xFFFF),
        ];
        philox4x32_10(counter, [mixed as u32, (mixed >> 32) as u32])
    }

    /// Element `index` of a draw of kind `GW_DRAW_*`, keyed by (site, guess, draw). `None` for an unknown kind.
    pub fn element(&self, kind: u32, key: [u32; 3], index: u64) -> Option<f64> {
        let words = self.words(key, index / 4);
        let place = (index % 4) as usize;
        let uniform = |place: usize| (f64::from(words[place]) + 0.5) / 4_294_967_296.0;
        match kind {
            GW_DRAW_NORMAL => {
                let pair = place & 2;
                let radius = (-2.0 * uniform(pair).ln()).sqrt();
                let angle = TAU * uniform(pair + 1);
                Some(radius * if place & 1 == 0 { angle.cos() } else { angle.sin() })
            }
            GW_DRAW_UNIFORM => Some(uniform(place)),
            GW_DRAW_RADEMACHER => Some(if words[place] >> 31 == 0 { 1.0 } else { -1.0 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' own test file.
    #[test]
    fn blocks_have_the_known_answers() {
        let zero = philox4x32_10([0; 4], [0; 2]);
        assert_eq!(zero, [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        let ones = philox4x32_10([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
        let pi = philox4x32_10([0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0]);
        assert_eq!(pi, [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]);
    }

    /// The known answers in the documentation of `gw_rng`.
    #[test]
    fn draws_have_the_documented_answers() {
        let draws = Draws { seed: 1, instance: 2, step: 3 };
        let key = [4, 5, 6];
        assert_eq!(draws.words(key, 0), [0x930C_E49B, 0xF588_FFBE, 0x6591_EBA3, 0x1614_9271]);
        assert_eq!(draws.words(key, 1), [0xECBE_434C, 0x86F4_CABA, 0xB39B_D887, 0x9301_3BD7]);
        let expected = [
            (GW_DRAW_UNIFORM, [0.5744154815329239, 0.9591216888511553, 0.39675781957339495, 0.08625140448566526]),
            (GW_DRAW_NORMAL, [1.0184553768226643, -0.26749441785717437, 1.164896038451401, 0.7013384639391699]),
            (GW_DRAW_RADEMACHER, [-1.0, -1.0, 1.0, 1.0]),
        ];
        for (kind, values) in expected {
            for (index, value) in values.into_iter().enumerate() {
                let drawn = draws.element(kind, key, index as u64).unwrap();
                assert!((drawn - value).abs() <= 4.0 * f64::EPSILON, "kind {kind}, element {index}: {drawn}");
            }
        }
        assert_eq!(draws.element(3, key, 0), None);
    }

    #[test]
    fn all_sites_count_as_the_last_number_and_long_runs_do_not_repeat() {
        let draws = Draws { seed: 0, instance: 0, step: 9 };
        let later = Draws { step: 9 + (1 << 32), ..draws };
        assert_eq!(draws.words([GW_ALL_SITES, 1, 0], 0), draws.words([65535, 1, 0], 0));
        assert_ne!(draws.words([0, 0, 0], 0), later.words([0, 0, 0], 0));
    }
}
