//! The real data sets, where `scripts/fetch-data.sh` (or a package, or a person) has put them: shapes, class counts and the published
//! mean and deviation of their training pixels. A set that is not there is skipped, and the test says so.
//!
//! `GUESSWORK_DATA=DIR` names the folder that holds them; without it the usual places are searched.

use guesswork::data::{Examples, installed};
use std::path::Path;

/// Reads a set, or says that it is skipped.
fn read(name: &str) -> Option<(Examples, Examples)> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let Some(found) = installed(Some(&repository)).into_iter().find(|found| found.name == name) else {
        eprintln!("skipped: {name} is not there; `guesswork data list` says where to get it");
        return None;
    };
    Some(found.read().unwrap_or_else(|error| panic!("{error}")))
}

/// Mean and deviation of the training pixels on [0, 1], channel by channel.
fn moments(examples: &Examples) -> Vec<(f64, f64)> {
    let plane = examples.height * examples.width;
    let moments = |channel: usize| {
        let (mut sum, mut squares) = (0u64, 0u64);
        for image in examples.pixels.chunks_exact(examples.size()) {
            for &pixel in &image[channel * plane..(channel + 1) * plane] {
                sum += u64::from(pixel);
                squares += u64::from(pixel).pow(2);
            }
        }
        let count = (examples.count * plane) as f64;
        let mean = sum as f64 / count;
        (mean / 255.0, (squares as f64 / count - mean * mean).sqrt() / 255.0)
    };
    (0..examples.channels).map(moments).collect()
}

fn assert_moments(examples: &Examples, expected: &[(f64, f64)]) {
    for ((mean, deviation), (published_mean, published_deviation)) in moments(examples).iter().zip(expected) {
        assert!((mean - published_mean).abs() < 1e-4, "mean {mean}, published {published_mean}");
        assert!(
            (deviation - published_deviation).abs() < 1e-4,
            "deviation {deviation}, published {published_deviation}"
        );
    }
}

#[test]
fn mnist() {
    let Some((train, test)) = read("mnist") else { return };
    assert_eq!((train.count, test.count, train.channels, train.height, train.width), (60_000, 10_000, 1, 28, 28));
    assert_eq!(train.class_counts(), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_moments(&train, &[(0.1307, 0.3081)]);
}

#[test]
fn fashion_mnist() {
    let Some((train, test)) = read("fashion-mnist") else { return };
    assert_eq!((train.count, test.count), (60_000, 10_000));
    assert_eq!((train.class_counts(), test.class_counts()), (vec![6000; 10], vec![1000; 10]));
    assert_moments(&train, &[(0.2860, 0.3530)]);
}

#[test]
fn cifar_10() {
    let Some((train, test)) = read("cifar-10") else { return };
    assert_eq!((train.count, test.count, train.channels, train.height, train.width), (50_000, 10_000, 3, 32, 32));
    assert_eq!((train.class_counts(), test.class_counts()), (vec![5000; 10], vec![1000; 10]));
    assert_moments(&train, &[(0.4914, 0.2470), (0.4822, 0.2435), (0.4465, 0.2616)]);
}

#[test]
fn svhn() {
    let Some((train, test)) = read("svhn") else { return };
    assert_eq!((train.count, test.count, train.channels, train.height, train.width), (73_257, 26_032, 3, 32, 32));
    assert_eq!(train.class_counts(), [4948, 13_861, 10_585, 8497, 7458, 6882, 5727, 5595, 5045, 4659]);
    assert_eq!(test.class_counts(), [1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595]);
    assert_moments(&train, &[(0.4377, 0.1980), (0.4438, 0.2010), (0.4728, 0.1970)]);
}
