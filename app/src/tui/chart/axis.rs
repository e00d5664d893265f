//! Scales from values to places, and ticks at round numbers.
//!
//! Linear ticks are 1, 2 or 5 times a power of ten (Heckbert, *Nice numbers for graph labels*, Graphics Gems, 1990);
//! logarithmic ones are decades, with 2 and 5 between them where there is room.
#![forbid(unsafe_code)]

use super::super::format;

/// A scale of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    /// From `low` to `high`; whatever is given, the result is finite and not empty.
    pub fn linear(low: f64, high: f64) -> Self {
        let (low, high) = (finite(low, 0.0), finite(high, 1.0));
        let (low, high) = if low <= high { (low, high) } else { (high, low) };
        let pad = if high - low > 1e-12 * high.abs().max(1e-12) { 0.0 } else { 0.5 * high.abs().max(1e-6) };
        Self { low: low - pad, high: high + pad, log: false }
    }

    /// Logarithmic from `low` to `high`, both above zero (else brought there).
    pub fn log(low: f64, high: f64) -> Self {
        let high = finite(high, 1.0).max(1e-12);
        let low = finite(low, high / 10.0).clamp(1e-15, high);
        let (low, high) = if high / low < 1.05 { (low / 1.5, high * 1.5) } else { (low, high) };
        Self { low, high, log: true }
    }

    /// The least value shown.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The greatest value shown.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// Place of `value`: 0 at the low end, 1 at the high end, beyond them outside; −∞ for what a logarithm cannot show.
    pub fn place(&self, value: f64) -> f64 {
        if !self.log {
            (value - self.low) / (self.high - self.low)
        } else if value > 0.0 {
            (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            f64::NEG_INFINITY
        }
    }

    /// The value at `place`, the inverse of [`Scale::place`].
    pub fn value(&self, place: f64) -> f64 {
        if self.log {
            (self.low.ln() + place * (self.high.ln() - self.low.ln())).exp()
        } else {
            self.low + place * (self.high - self.low)
        }
    }

    /// At most about `count` round values within the scale, rising.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        let count = count.max(1);
        if self.log {
            let decades = self.high.log10() - self.low.log10();
            let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
            let steps: &[f64] = match decades {
                d if d * 3.0 <= count as f64 => &[1.0, 2.0, 5.0],
                d if d * 2.0 <= count as f64 => &[1.0, 3.0],
                _ => &[1.0],
            };
            let every = ((decades / count as f64).ceil() as i32).max(1);
            let found: Vec<f64> = (first..=last)
                .filter(|decade| decade % every == 0)
                .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
                .filter(|tick| (self.low * 0.9999..=self.high * 1.0001).contains(tick))
                .collect();
            if found.len() >= 2 {
                return found;
            }
            return Self { log: false, ..*self }.ticks(count.min(4));
        }
        let step = nice_step((self.high - self.low) / count as f64);
        let first = (self.low / step - 1e-9).ceil();
        (0..=2 * count)
            .map(|index| (first + index as f64) * step)
            .take_while(|tick| *tick <= self.high + step * 1e-9)
            .map(|tick| if tick.abs() < step * 1e-9 { 0.0 } else { tick })
            .collect()
    }

    /// The first ticks, asking for `from` up to `to`, that are `many`.
    fn at_least(&self, many: usize, from: usize, to: usize) -> Option<Vec<f64>> {
        (from..=to).map(|count| self.ticks(count)).find(|ticks| ticks.len() >= many)
    }

    /// Ticks with labels of equal precision.
    pub fn labels(&self, count: usize) -> Vec<(f64, String)> {
        let ticks = self.at_least(3, count, count * 3).or_else(|| self.at_least(2, count, count * 3));
        let ticks = ticks.unwrap_or_else(|| self.ticks(count));
        let gap = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        let digits =
            if gap.is_finite() && gap > 0.0 { (-gap.log10() - 1e-9).ceil().clamp(0.0, 9.0) as usize } else { 1 };
        let size = ticks.iter().fold(0.0f64, |size, tick| size.max(tick.abs()));
        let label = |tick: f64| match () {
            () if tick == 0.0 => "0".to_owned(),
            () if self.log || !gap.is_finite() || size >= 10_000.0 || digits > 4 => short(tick),
            () => format!("{tick:.digits$}").replace('-', "−"),
        };
        ticks.into_iter().map(|tick| (tick, label(tick))).collect()
    }
}

/// A tick without needless zeros: `0.01`, `1`, `2.5k`, `1e−5`.
fn short(tick: f64) -> String {
    let size = tick.abs();
    let text = if (0.001..1000.0).contains(&size) {
        let text = format!("{tick:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else if (1000.0..1e15).contains(&size) {
        let text = format::si(tick);
        let (number, suffix) = text.split_at(text.len() - 1);
        if number.contains('.') {
            format!("{}{suffix}", number.trim_end_matches('0').trim_end_matches('.'))
        } else {
            text
        }
    } else {
        format!("{tick:.0e}")
    };
    text.replace('-', "−")
}

fn finite(value: f64, otherwise: f64) -> f64 {
    if value.is_finite() { value.clamp(-1e300, 1e300) } else { otherwise }
}

fn nice_step(rough: f64) -> f64 {
    let rough = rough.max(1e-300);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= rough * 0.9999).unwrap_or(10.0);
    step * power
}

/// The x axis: from the first to the last position shown, over a number of columns. A position is a whole number of steps, or of
/// another unit that grows with them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// First position shown.
    pub first: u64,
    /// Last position shown.
    pub last: u64,
    /// Logarithmic in position + 1.
    pub log: bool,
}

impl Steps {
    fn warp(&self, step: f64) -> f64 {
        if self.log { (step.max(0.0) + 1.0).ln() } else { step }
    }

    /// Where every one of `columns` columns begins, and where the last ends.
    pub fn begins(&self, columns: usize) -> Vec<u64> {
        (0..=columns).map(|column| self.begin(column, columns)).collect()
    }

    /// The step where column `column` of `columns` begins. Column `columns` begins after the last step.
    pub fn begin(&self, column: usize, columns: usize) -> u64 {
        let (low, high) = (self.warp(self.first as f64), self.warp(self.last as f64 + 1.0));
        let warped = low + (high - low) * column as f64 / columns.max(1) as f64;
        let step = if self.log { warped.exp() - 1.0 } else { warped };
        // Tiny errors of the logarithm must not move a boundary below the step it stands for.
        (step + 1e-6).floor().max(0.0) as u64
    }

    /// The column that holds `step`; `None` when it is not shown.
    pub fn column(&self, step: u64, columns: usize) -> Option<usize> {
        if step < self.first || step > self.last || columns == 0 {
            return None;
        }
        let (low, high) = (self.warp(self.first as f64), self.warp(self.last as f64 + 1.0));
        let place = (self.warp(step as f64 + 0.5) - low) / (high - low) * columns as f64;
        Some((place.max(0.0) as usize).min(columns - 1))
    }

    /// The step in the middle of a column.
    pub fn step(&self, column: usize, columns: usize) -> u64 {
        let (begin, end) = (self.begin(column, columns), self.begin(column + 1, columns));
        (begin + end.saturating_sub(begin + 1) / 2).clamp(self.first, self.last.max(self.first))
    }

    /// Round steps that fit in `columns`, with their columns.
    pub fn ticks(&self, columns: usize) -> Vec<(usize, u64)> {
        let count = (columns / 14).max(1);
        let scale = if self.log {
            Scale::log(self.first.max(1) as f64, self.last.max(2) as f64)
        } else {
            Scale::linear(self.first as f64, self.last.max(self.first + 1) as f64)
        };
        let mut ticks: Vec<(usize, u64)> = scale
            .at_least(3, count, columns / 8)
            .or_else(|| scale.at_least(2, count, columns / 6))
            .unwrap_or_else(|| scale.ticks(count))
            .into_iter()
            .filter(|tick| tick.fract().abs() < 1e-6 && *tick >= 0.0)
            .filter_map(|tick| Some((self.column(tick as u64, columns)?, tick as u64)))
            .collect();
        ticks.dedup_by_key(|(column, _)| *column);
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(Scale::linear(0.0, 2.4).ticks(5), [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(Scale::linear(-1.0, 1.0).ticks(4), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(Scale::log(0.001, 1.0).ticks(4), [0.001, 0.01, 0.1, 1.0]);
        let labels: Vec<String> = Scale::log(0.001, 1.0).labels(4).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0.001", "0.01", "0.1", "1"]);
        let labels: Vec<String> = Scale::linear(0.0, 5000.0).labels(5).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0", "1000", "2000", "3000", "4000", "5000"]);
    }

    #[test]
    fn short_ranges_of_a_logarithm_still_have_ticks() {
        assert!(Scale::log(0.4, 0.6).ticks(5).len() >= 2);
        assert!(Scale::log(2.1, 2.4).ticks(5).len() >= 2);
    }

    proptest! {
        #[test]
        fn any_scale_is_sound(a in any::<f64>(), b in any::<f64>(), count in 0usize..20) {
            for scale in [Scale::linear(a, b), Scale::log(a, b)] {
                prop_assert!(scale.low().is_finite() && scale.high().is_finite() && scale.low() < scale.high());
                prop_assert!((scale.place(scale.low())).abs() < 1e-6);
                prop_assert!((scale.place(scale.high()) - 1.0).abs() < 1e-6);
                let middle = scale.value(0.5);
                prop_assert!(scale.low() <= middle && middle <= scale.high());
                prop_assert!((scale.place(middle) - 0.5).abs() < 1e-3, "{:?}", scale);
                let labels = scale.labels(count);
                prop_assert!(labels.len() <= 3 * count.max(1) + 6, "{} labels for {count}", labels.len());
            }
        }

        #[test]
        fn columns_part_the_steps(first in 0u64..10_000, span in 0u64..100_000, columns in 1usize..300, log in any::<bool>()) {
            let steps = Steps { first, last: first + span, log };
            prop_assert_eq!(steps.begin(0, columns), first);
            prop_assert_eq!(steps.begin(columns, columns), first + span + 1);
            for column in 0..columns {
                prop_assert!(steps.begin(column, columns) <= steps.begin(column + 1, columns));
                let step = steps.step(column, columns);
                prop_assert!(step >= first && step <= first + span);
            }
            prop_assert_eq!(steps.column(first + span + 1, columns), None);
            prop_assert!(steps.column(first, columns).is_some());
            for (column, step) in steps.ticks(columns) {
                prop_assert!(column < columns && step >= first && step <= first + span);
            }
        }
    }
}
