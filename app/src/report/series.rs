//! One quantity of one lane over its steps, in a few hundred parts: enough for a picture, whatever the length of the run.

use std::collections::BTreeMap;

/// Parts of a run.
const PARTS: u64 = 240;

/// Steps in each part of a run of so many steps.
pub(super) fn width(steps: u64) -> u64 {
    steps.div_ceil(PARTS).max(1)
}

/// Means of a quantity over parts of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    parts: BTreeMap<u64, Part>,
}

/// What was measured in a part: sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Part {
    step: f64,
    seconds: f64,
    value: f64,
    count: f64,
}

/// A point of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Steps taken, the mean of those measured in the part.
    pub step: f64,
    /// Seconds of training by then.
    pub seconds: f64,
    /// The mean value.
    pub value: f64,
}

impl Series {
    pub(super) fn push(&mut self, step: u64, width: u64, seconds: f64, value: f64) {
        let part = self.parts.entry(step / width).or_default();
        part.step += step as f64;
        part.seconds += seconds;
        part.value += value;
        part.count += 1.0;
    }

    /// The parts that hold something, with their places in the run.
    pub fn points(&self) -> impl Iterator<Item = (u64, Point)> {
        self.parts.iter().map(|(&place, part)| {
            let Part { step, seconds, value, count } = *part;
            (place, Point { step: step / count, seconds: seconds / count, value: value / count })
        })
    }

    /// Parts that hold something.
    pub fn len(&self) -> usize {
        self.parts.len()
    }
}

/// Mean, least and greatest over lanes, part by part.
pub(super) fn over_seeds(lanes: &[&Series]) -> Vec<(u64, Point, f64, f64)> {
    let mut parts: BTreeMap<u64, Vec<Point>> = BTreeMap::new();
    for (place, point) in lanes.iter().flat_map(|series| series.points()) {
        parts.entry(place).or_default().push(point);
    }
    let mean = |points: &[Point], of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    parts
        .into_iter()
        .map(|(place, points)| {
            let values = || points.iter().map(|point| point.value);
            let point = Point {
                step: mean(&points, |point| point.step),
                seconds: mean(&points, |point| point.seconds),
                value: mean(&points, |point| point.value),
            };
            (place, point, values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_runs_are_kept_whole_and_long_ones_in_parts() {
        assert_eq!((width(0), width(240), width(241), width(24_000)), (1, 1, 2, 100));
        let mut series = Series::default();
        for step in 0..1000 {
            series.push(step, width(1000), step as f64 / 10.0, step as f64);
        }
        assert_eq!(series.len(), 200);
        let points: Vec<_> = series.points().collect();
        assert_eq!(points[1], (1, Point { step: 7.0, seconds: 0.7, value: 7.0 }));
    }

    #[test]
    fn seeds_have_mean_and_range_where_they_were_measured() {
        let lane = |values: &[f64]| {
            let mut series = Series::default();
            values.iter().enumerate().for_each(|(step, value)| series.push(step as u64, 1, 0.0, *value));
            series
        };
        let found = over_seeds(&[&lane(&[1.0, 2.0, 9.0]), &lane(&[3.0, 6.0])]);
        let figures: Vec<_> =
            found.iter().map(|(place, point, low, high)| (*place, point.value, *low, *high)).collect();
        assert_eq!(figures, [(0, 2.0, 1.0, 3.0), (1, 4.0, 2.0, 6.0), (2, 9.0, 9.0, 9.0)]);
    }
}
