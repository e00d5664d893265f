//! The pyramid against brute force, spikes and holes at any zoom, a reader beside the writer.

use super::*;
use crate::record::{Quantity, StageSeconds};
use proptest::prelude::*;

fn same(left: f64, right: f64) -> bool {
    left.to_bits() == right.to_bits() || left == right
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![20 => -1e3..1e3f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(1e300)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_pyramid_equals_brute_force(
        values in prop::collection::vec(value(), 1..5000), cuts in prop::collection::vec((0.0..1.0f64, 0.0..1.0f64), 8),
    ) {
        let series = Series::new();
        for (step, value) in values.iter().enumerate() {
            prop_assert!(series.push(step as u64, *value));
        }
        for (a, b) in cuts {
            let (a, b) = ((a * values.len() as f64) as usize, (b * (values.len() + 70) as f64) as usize);
            let run = values.get(a..b.min(values.len())).unwrap_or(&[]);
            let plain = run.iter().fold(Column::EMPTY, |sum, value| sum.then(Column::of(*value)));
            let quick = series.column(a..b);
            prop_assert_eq!(quick.count, run.len());
            prop_assert!(same(quick.min, plain.min) && same(quick.max, plain.max));
            prop_assert!(same(quick.first, plain.first) && same(quick.last, plain.last));
            prop_assert_eq!(quick.non_finite, run.iter().any(|value| !value.is_finite()));
        }
    }

    #[test]
    fn steps_come_back_whatever_their_cadence(gaps in prop::collection::vec(prop_oneof![8 => Just(5u64), 1 => 0..40u64], 1..400)) {
        let series = Series::new();
        let mut steps = Vec::new();
        let mut step = 3;
        for (index, gap) in gaps.iter().enumerate() {
            series.push(step, index as f64);
            steps.push(step);
            step += gap;
        }
        for (index, step) in steps.iter().enumerate() {
            prop_assert_eq!(series.get(index), Some((*step, index as f64)));
        }
        for (low, high) in [(0, 10), (3, 4), (17, 600), (900, 20)] {
            let expected = steps.partition_point(|&s| s < low)..steps.partition_point(|&s| s < high);
            let found = series.range(low..high);
            prop_assert_eq!(found.start, expected.start);
            prop_assert_eq!(found.len(), expected.len());
        }
    }
}

#[test]
fn a_spike_and_a_nan_survive_at_any_zoom() {
    let series = Series::new();
    let (spike, hole, total) = (123_457, 765_432, 1_000_000);
    for step in 0..total {
        let value = if step == spike {
            1e9
        } else if step == hole {
            f64::NAN
        } else {
            1.0
        };
        series.push(step as u64, value);
    }
    for columns in [1, 7, 80, 400, 10_000] {
        let column = |index: usize| series.column(index * total / columns..(index + 1) * total / columns);
        let all: Vec<Column> = (0..columns).map(column).collect();
        assert_eq!(all.iter().filter(|column| column.max == 1e9).count(), 1, "{columns} columns");
        assert_eq!(all.iter().filter(|column| column.non_finite).count(), 1, "{columns} columns");
        assert_eq!(all.iter().map(|column| column.count).sum::<usize>(), total);
    }
}

#[test]
fn a_regular_series_pays_only_for_its_values() {
    let (regular, ragged) = (Series::new(), Series::new());
    for step in 0..50_000u64 {
        regular.push(step * 10, 1.0);
        ragged.push(step * 10 + step % 2, 1.0);
    }
    assert_eq!(regular.steps.bytes(), 0);
    assert!(regular.bytes() < ragged.bytes());
    assert!(regular.bytes() < 50_000 * 24 && ragged.bytes() < 50_000 * 48);
}

#[test]
fn a_reader_beside_the_writer_sees_a_whole_prefix() {
    let series = Arc::new(Series::new());
    let writer = Arc::clone(&series);
    let total = 200_000u64;
    let handle = std::thread::spawn(move || {
        for step in 0..total {
            writer.push(step, step as f64);
        }
    });
    let mut seen = 0;
    while seen < total as usize {
        let len = series.len();
        assert!(len >= seen, "the length never shrinks");
        if len > 0 {
            assert_eq!(series.get(len - 1), Some((len as u64 - 1, len as f64 - 1.0)));
            let column = series.column(0..len);
            assert_eq!((column.min, column.max, column.count), (0.0, len as f64 - 1.0, len));
        }
        seen = len;
    }
    handle.join().unwrap();
}

#[test]
fn steps_do_not_go_back() {
    let series = Series::new();
    assert!(series.push(7, 1.0));
    assert!(!series.push(6, 2.0));
    assert_eq!((series.len(), series.last()), (1, Some((7, 1.0))));
    assert_eq!((series.at(6), series.at(100)), (None, Some((7, 1.0))));
}

#[test]
fn a_lane_keeps_each_quantity_apart() {
    let history = LaneHistory::new();
    let (loss, cosine) = (Key::whole(Quantity::Loss), Key::site(Quantity::Cosine, 2));
    for step in 0..4 {
        let mut values = vec![(loss, step as f64)];
        if step % 2 == 1 {
            values.push((cosine, 0.5));
        }
        history.push(&StepReport {
            lane: 0,
            step,
            values,
            spectra: Vec::new(),
            metrics: Vec::new(),
            seconds: StageSeconds::default(),
        });
    }
    assert_eq!(history.keys(), [loss, cosine]);
    assert_eq!(history.series(loss).map(|series| series.len()), Some(4));
    assert_eq!(history.series(cosine).and_then(|series| series.last()), Some((3, 0.5)));
    assert!(history.series(Key::whole(Quantity::TestLoss)).is_none());
    assert!(history.bytes() > 0);
}
