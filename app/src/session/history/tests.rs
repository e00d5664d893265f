//! The pyramid against brute force, spikes and holes at any zoom, a reader beside the writer.

use super::*;
use crate::record::{Quantity, StageSeconds};
use proptest::prelude::*;

/// Equal, or the infinities of no value.
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

/// A million values of no pattern, with a spike and a hole.
fn million(spike: usize, hole: usize) -> (Series, Vec<f64>) {
    let noise = |index: usize| (index as f64 * 0.618_033_988_75).fract();
    let mut values: Vec<f64> = (0..1_000_000).map(noise).collect();
    (values[spike], values[hole]) = (1e9, f64::NAN);
    let series = Series::new();
    for (step, value) in values.iter().enumerate() {
        series.push(10 * step as u64, *value);
    }
    (series, values)
}

#[test]
fn a_million_values_come_back_exactly_and_take_a_megabyte() {
    let (series, values) = million(17, 999_990);
    assert!(series.bytes() < 1_000_000, "{} bytes", series.bytes());
    for index in [0, 1, 17, 2047, 2048, 123_456, 960_000, 983_039, 983_616, 999_990, 999_999] {
        let (step, value) = series.get(index).unwrap();
        assert!(step == 10 * index as u64 && same(value, values[index]) || value.is_nan() && values[index].is_nan());
    }
    let mut seen = 0;
    series.visit(5..1_000_000, |step, value| {
        let index = seen + 5;
        assert!(step == 10 * index as u64 && value.to_bits() == values[index].to_bits(), "{index}");
        seen += 1;
    });
    assert_eq!(seen, 999_995);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// At any zoom and any place, also where columns end on blocks to spare the disk: nothing is lost, nothing is told twice, and
    /// spike and hole show in the column they belong to or the one beside it.
    #[test]
    fn spikes_and_holes_show_at_any_zoom(
        spike in 0..1_000_000usize,
        hole in 0..1_000_000usize,
        windows in prop::collection::vec((0..1_000_000usize, 10..1_000_000usize, 2..500usize), 12),
    ) {
        prop_assume!(spike != hole);
        let (series, values) = million(spike, hole);
        for (start, span, columns) in windows {
            let end = (start + span).min(values.len());
            let mut from = start;
            let mut found = Vec::new();
            for column in 1..=columns {
                let exact = start + (end - start) * column / columns;
                let to = if column == columns { exact } else { series.edge(from, exact) };
                prop_assert!(to >= from && exact - to < 128);
                found.push(series.column(from..to));
                from = to;
            }
            let run = &values[start..end];
            prop_assert_eq!(found.iter().map(|column| column.count).sum::<usize>(), run.len());
            let spikes = found.iter().filter(|column| column.max == 1e9).count();
            prop_assert_eq!(spikes, usize::from((start..end).contains(&spike)));
            let holes = found.iter().filter(|column| column.non_finite).count();
            prop_assert_eq!(holes, usize::from((start..end).contains(&hole)));
            let all = found.into_iter().fold(Column::EMPTY, Column::then);
            let plain = Column::of_all(run);
            prop_assert!(same(all.min, plain.min) && same(all.max, plain.max));
            prop_assert!(run.is_empty() || all.first.to_bits() == plain.first.to_bits());
        }
    }
}

#[test]
fn wide_columns_read_nothing_from_disk() {
    let (series, _) = million(3, 4);
    let mut from = 0;
    for column in 1..=400 {
        let to = series.edge(from, 2_000 * column);
        // A column of whole blocks needs no value.
        assert!(from.is_multiple_of(128) && to.is_multiple_of(128));
        from = to;
    }
    assert_eq!(series.edge(300_000, 300_100), 300_100, "where columns are narrow they are exact");
    assert_eq!(series.edge(0, 999_999), 999_999, "what memory holds is exact");
}

#[test]
fn without_a_disk_extents_remain() {
    let folder = tempfile::tempdir().unwrap();
    let spill = Arc::new(Spill::within(folder.path()));
    let series = Series::within(&spill);
    for step in 0..100_000u64 {
        series.push(step, if step == 5_000 { 50.0 } else { 1.0 });
    }
    series.lose_pages();
    assert!(series.get(5_000).unwrap().1.is_nan(), "lost");
    let column = series.column(4_990..5_010);
    assert_eq!((column.max, column.count), (50.0, 20));
    assert_eq!(series.get(99_000).unwrap().1, 1.0);
}

#[test]
fn a_reader_beside_the_writer_sees_a_whole_prefix() {
    let series = Arc::new(Series::new());
    let writer = Arc::clone(&series);
    let total = 400_000u64;
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
