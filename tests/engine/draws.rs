//! Keyed draws: the recipe, its independence of cuts, moments, and single against double precision.

use super::support::{numbers, random};
use candle_core::{DType, Device, Tensor};
use guesswork::kernel::{self, Draw, DrawKey};

const KINDS: [Draw; 3] = [Draw::Normal, Draw::Uniform, Draw::Rademacher];
const KEY: DrawKey = DrawKey { seed: 7, instance: 3, step: (5 << 32) | 11, site: 2, guess: 1, draw: 4 };

fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Word i of the matrix that `key` names, written out from the recipe of the plugin interface.
fn word(key: DrawKey, i: u64) -> u32 {
    let mixed = splitmix64(key.seed ^ splitmix64(key.instance));
    let (mut k0, mut k1) = (mixed as u32, (mixed >> 32) as u32);
    let site = if key.site == u32::MAX { 65535 } else { key.site };
    let mut c = [
        (i / 4) as u32,
        key.step as u32,
        site * 65536 + key.guess,
        key.draw * 65536 + ((key.step >> 32) % 65536) as u32,
    ];
    for _ in 0..10 {
        let (a, b) = (u64::from(c[0]) * 0xD251_1F53, u64::from(c[2]) * 0xCD9E_8D57);
        c = [(b >> 32) as u32 ^ c[1] ^ k0, b as u32, (a >> 32) as u32 ^ c[3] ^ k1, a as u32];
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    c[(i % 4) as usize]
}

#[test]
fn draws_follow_the_recipe() {
    let uniform = |key, i| (f64::from(word(key, i)) + 0.5) / 4_294_967_296.0;
    for key in [KEY, DrawKey { site: u32::MAX, ..KEY }] {
        let mut drawn = [0.0; 150];
        kernel::draws(Draw::Uniform, key, 0, &mut drawn);
        for (i, x) in (0..).zip(drawn) {
            assert_eq!(x, uniform(key, i));
        }
        kernel::draws(Draw::Rademacher, key, 0, &mut drawn);
        for (i, x) in (0..).zip(drawn) {
            assert_eq!(x, if word(key, i) < 1 << 31 { 1.0 } else { -1.0 });
        }
        kernel::draws(Draw::Normal, key, 0, &mut drawn);
        for (i, x) in (0..).zip(drawn) {
            let (u0, u1) = (uniform(key, i / 2 * 2), uniform(key, i / 2 * 2 + 1));
            let angle = std::f64::consts::TAU * u1;
            let expected = (-2.0 * u0.ln()).sqrt() * if i % 2 == 0 { angle.cos() } else { angle.sin() };
            assert!((x - expected).abs() < 1e-14, "element {i}: {x} against {expected}");
        }
    }
}

#[test]
fn any_part_is_the_part_of_the_whole() {
    for kind in KINDS {
        let mut whole = vec![0.0; 1000];
        kernel::draws(kind, KEY, 0, &mut whole);
        for (start, length) in [(0, 1), (1, 1), (3, 2), (5, 130), (64, 64), (127, 873), (998, 2)] {
            let mut part = vec![0.0; length];
            kernel::draws(kind, KEY, start as u64, &mut part);
            assert_eq!(part, whole[start..start + length], "{kind:?} from {start}");
        }
        let rows = Tensor::zeros((3, 40), DType::F64, &Device::Cpu).unwrap();
        kernel::fill_draws_at(&rows, kind, 1.0, KEY, 77).unwrap();
        assert_eq!(numbers(&rows), whole[77..197]);
    }
}

#[test]
fn large_matrices_are_the_same_at_any_number_of_threads() {
    let draw = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let matrix = Tensor::zeros((500, 301), DType::F32, &Device::Cpu).unwrap();
            kernel::fill_draws(&matrix, Draw::Normal, 1.5, KEY).unwrap();
            matrix.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        })
    };
    assert_eq!(draw(1), draw(3));
}

#[test]
fn single_precision_draws_are_close_to_double() {
    for kind in KINDS {
        let single = Tensor::zeros((1000, 1000), DType::F32, &Device::Cpu).unwrap();
        let double = Tensor::zeros((1000, 1000), DType::F64, &Device::Cpu).unwrap();
        kernel::fill_draws(&single, kind, 1.0, KEY).unwrap();
        kernel::fill_draws(&double, kind, 1.0, KEY).unwrap();
        let pairs = numbers(&single).into_iter().zip(numbers(&double));
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst <= 1e-6, "{kind:?}: {worst:.2e}");
    }
}

#[test]
fn moments_are_those_of_the_distributions() {
    let count = 1_000_000;
    let matrix = Tensor::zeros((1000, 1000), DType::F32, &Device::Cpu).unwrap();
    // Mean, variance, third and fourth moment about 0, each within five standard deviations of its estimate.
    let expected = [
        (Draw::Normal, [0.0, 1.0, 0.0, 3.0], [1.0, 2.0, 15.0, 96.0]),
        (Draw::Uniform, [0.5, 1.0 / 3.0, 0.25, 0.2], [1.0 / 12.0, 4.0 / 45.0, 9.0 / 112.0, 16.0 / 225.0]),
        (Draw::Rademacher, [0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]),
    ];
    for (kind, moments, variances) in expected {
        kernel::fill_draws(&matrix, kind, 1.0, KEY).unwrap();
        let drawn = numbers(&matrix);
        for (power, (moment, variance)) in (1..).zip(moments.into_iter().zip(variances)) {
            let found = drawn.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(count);
            let allowed = 5.0 * f64::sqrt(variance / f64::from(count)) + 1e-6;
            assert!(
                (found - moment).abs() <= allowed,
                "{kind:?}, power {power}: {found}, expected {moment} ± {allowed}"
            );
        }
    }
}

#[test]
fn keys_differ_in_every_part() {
    let first = |key: DrawKey| {
        let mut numbers = [0.0; 8];
        kernel::draws(Draw::Uniform, key, 0, &mut numbers);
        numbers
    };
    let others = [
        DrawKey { seed: 8, ..KEY },
        DrawKey { instance: 4, ..KEY },
        DrawKey { step: 11, ..KEY },
        DrawKey { step: (5 << 32) | 12, ..KEY },
        DrawKey { site: 3, ..KEY },
        DrawKey { guess: 2, ..KEY },
        DrawKey { draw: 5, ..KEY },
    ];
    for other in others {
        assert_ne!(first(KEY), first(other), "{other:?}");
    }
}

#[test]
fn classes_are_drawn_with_their_probabilities() {
    let count = 100_000;
    let probabilities = [0.5, 0.0, 0.3, 0.2];
    let rows =
        Tensor::new(&[probabilities], &Device::Cpu).unwrap().broadcast_as((count, 4)).unwrap().contiguous().unwrap();
    let classes = random(count, 1, 1);
    kernel::categorical(&classes, &rows, KEY).unwrap();
    let drawn = numbers(&classes);
    for (class, p) in probabilities.iter().enumerate() {
        let share = drawn.iter().filter(|c| **c == class as f64).count() as f64 / count as f64;
        let allowed = 4.0 * f64::sqrt(p * (1.0 - p) / count as f64);
        assert!((share - p).abs() <= allowed, "class {class}: {share}, expected {p} ± {allowed}");
    }
}
