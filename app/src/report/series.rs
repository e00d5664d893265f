//! One quantity of one lane over its steps, in a few hundred parts: enough for a picture, whatever the length of the run.

use std::collections::BTreeMap;

/// Parts of a series at most; with more, each two become one.
const PARTS: usize = 480;

/// Means of a quantity over parts of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Steps in a part, a power of two.
    width: u64,
    /// By the part's number.
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

impl Default for Series {
    fn default() -> Self {
        Self { width: 1, parts: BTreeMap::new() }
    }
}

impl Series {
    pub(super) fn push(&mut self, step: u64, seconds: f64, value: f64) {
        let part = self.parts.entry(step / self.width).or_default();
        part.add(&Part { step: step as f64, seconds, value, count: 1.0 });
        if self.parts.len() > PARTS {
            *self = self.coarser(2 * self.width);
        }
    }

    /// The same in parts of `width` steps, a multiple of its own.
    fn coarser(&self, width: u64) -> Self {
        let mut parts: BTreeMap<u64, Part> = BTreeMap::new();
        for (place, part) in &self.parts {
            parts.entry(place * self.width / width).or_default().add(part);
        }
        Self { width, parts }
    }

    /// The parts that hold something, in order.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.parts.values().map(Part::point)
    }

    /// Of squared standard errors of independent values: the standard error of the mean over the parts, each part's value the mean of its
    /// own. With one value a part √Σe²/n.
    pub(super) fn error_of_mean(&self) -> f64 {
        let parts = self.parts.values().map(|part| part.value / (part.count * part.count));
        parts.sum::<f64>().sqrt() / self.len() as f64
    }

    /// Parts that hold something.
    pub fn len(&self) -> usize {
        self.parts.len()
    }
}

impl Part {
    fn add(&mut self, other: &Self) {
        self.step += other.step;
        self.seconds += other.seconds;
        self.value += other.value;
        self.count += other.count;
    }

    fn point(&self) -> Point {
        let Self { step, seconds, value, count } = *self;
        Point { step: step / count, seconds: seconds / count, value: value / count }
    }
}

/// Mean, least and greatest over lanes, part by part.
pub(super) fn over_seeds(lanes: &[&Series]) -> Vec<(Point, f64, f64)> {
    let width = lanes.iter().map(|series| series.width).max().unwrap_or(1);
    let mut parts: BTreeMap<u64, Vec<Point>> = BTreeMap::new();
    for series in lanes {
        for (place, part) in series.coarser(width).parts {
            parts.entry(place).or_default().push(part.point());
        }
    }
    let mean = |points: &[Point], of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    parts
        .into_values()
        .map(|points| {
            let values = || points.iter().map(|point| point.value);
            let point = Point {
                step: mean(&points, |point| point.step),
                seconds: mean(&points, |point| point.seconds),
                value: mean(&points, |point| point.value),
            };
            (point, values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(steps: u64, of: impl Fn(u64) -> f64) -> Series {
        let mut series = Series::default();
        (0..steps).for_each(|step| series.push(step, step as f64 / 8.0, of(step)));
        series
    }

    #[test]
    fn short_runs_are_kept_whole_and_long_ones_in_parts() {
        assert_eq!(lane(480, |step| step as f64).len(), 480);
        let long = lane(1000, |step| step as f64);
        // Parts of four steps from the 961st on.
        assert_eq!((long.width, long.len()), (4, 250));
        assert_eq!(long.points().nth(1), Some(Point { step: 5.5, seconds: 0.6875, value: 5.5 }));
        let mut rare = Series::default();
        (0..100).for_each(|time| rare.push(time * 100_000, 0.0, 1.0));
        assert_eq!((rare.width, rare.len()), (1, 100), "what is measured seldom is kept as it is");
    }

    #[test]
    fn the_error_of_a_mean_is_that_of_its_parts() {
        // Three values of errors 2, 1, 2 in parts of their own: √9/3.
        let errors = lane(3, |step| [4.0, 1.0, 4.0][step as usize]);
        assert_eq!(errors.error_of_mean(), 1.0);
        // Two parts, of errors √(4 + 12)/2 and 1.5: √(4 + 2.25)/2.
        let mut coarse = Series { width: 2, ..Series::default() };
        [4.0, 12.0, 2.25].iter().enumerate().for_each(|(step, error)| coarse.push(step as u64, 0.0, *error));
        assert_eq!(coarse.error_of_mean(), 1.25);
    }

    #[test]
    fn seeds_have_mean_and_range_where_they_were_measured() {
        let one = lane(3, |step| [1.0, 2.0, 9.0][step as usize]);
        let other = lane(2, |step| [3.0, 6.0][step as usize]);
        let found = over_seeds(&[&one, &other]);
        let figures: Vec<_> = found.iter().map(|(point, low, high)| (point.value, *low, *high)).collect();
        assert_eq!(figures, [(2.0, 1.0, 3.0), (4.0, 2.0, 6.0), (9.0, 9.0, 9.0)]);
        // A lane that ended early is put into the parts of the others.
        let found = over_seeds(&[&lane(1000, |_| 1.0), &lane(4, |_| 3.0)]);
        assert_eq!(
            (found.len(), found[0], found[1].0.value),
            (250, (Point { step: 1.5, seconds: 0.1875, value: 2.0 }, 1.0, 3.0), 1.0)
        );
    }
}
