//! An axis of a picture: its range, and ticks at round numbers.

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// The least value shown.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// Logarithmic; both ends are above zero then.
    pub log: bool,
}

impl Axis {
    /// An axis over `low` to `high`; whatever is given, the range is finite, not empty, and above zero where it is logarithmic.
    pub fn new(label: impl Into<String>, low: f64, high: f64, log: bool) -> Self {
        let finite =
            |value: f64, otherwise: f64| if value.is_finite() { value.clamp(-1e300, 1e300) } else { otherwise };
        let (mut low, mut high) = (finite(low, 0.0), finite(high, 1.0));
        if low > high {
            (low, high) = (high, low);
        }
        if log {
            high = high.max(1e-300);
            low = if low > 0.0 { low } else { high / 1e3 };
            if high / low < 1.0 + 1e-9 {
                (low, high) = (low / 1.5, high * 1.5);
            }
        } else if high - low <= 1e-12 * high.abs().max(low.abs()).max(1e-300) {
            let room = 0.5 * high.abs().max(1e-6);
            (low, high) = (low - room, high + room);
        }
        Self { label: label.into(), low, high, log }
    }

    /// Place of `value`: 0 at the low end, 1 at the high end, beyond them outside. Nothing for what cannot be placed.
    pub fn place(&self, value: f64) -> Option<f64> {
        let warp = |value: f64| if self.log { value.ln() } else { value };
        let part = (warp(value) - warp(self.low)) / (warp(self.high) - warp(self.low));
        part.is_finite().then_some(part)
    }

    /// About `count` ticks at round numbers, with their labels.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let count = count.max(2);
        let decades = (self.high / self.low).log10();
        if self.log && decades >= 1.0 {
            let every = (decades / count as f64).ceil().max(1.0) as i32;
            let parts: &[f64] = if decades * 3.0 <= count as f64 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
            let found: Vec<f64> = (first..=last)
                .filter(|decade| decade.rem_euclid(every) == 0)
                .flat_map(|decade| parts.iter().map(move |part| part * 10f64.powi(decade)))
                .filter(|tick| (self.low * 0.9999..=self.high * 1.0001).contains(tick))
                .collect();
            if found.len() >= 2 {
                return found.into_iter().map(|tick| (tick, short(tick))).collect();
            }
        }
        let step = nice((self.high - self.low) / count as f64);
        let first = (self.low / step - 1e-9).ceil();
        let digits = (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize;
        let size = self.high.abs().max(self.low.abs());
        (0..=2 * count)
            .map(|index| (first + index as f64) * step)
            .take_while(|tick| *tick <= self.high + step * 1e-9)
            .map(|tick| if tick.abs() < step * 1e-9 { 0.0 } else { tick })
            .map(|tick| (tick, if size >= 1e5 || digits > 5 { short(tick) } else { minus(format!("{tick:.digits$}")) }))
            .collect()
    }
}

fn nice(rough: f64) -> f64 {
    let rough = rough.max(1e-300);
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= rough * 0.9999).unwrap_or(10.0) * power
}

/// A number without needless zeros: `0.01`, `250k`, `2.5M`, `1e−5`.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    let trimmed = |value: f64, digits: usize| {
        let text = format!("{value:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    minus(match size {
        0.0 => "0".to_owned(),
        size if !(0.001..1e15).contains(&size) => format!("{value:e}"),
        size if size < 1e4 => trimmed(value, 4),
        size if size < 1e6 => trimmed(value / 1e3, 2) + "k",
        size if size < 1e9 => trimmed(value / 1e6, 2) + "M",
        size if size < 1e12 => trimmed(value / 1e9, 2) + "G",
        _ => trimmed(value / 1e12, 2) + "T",
    })
}

fn minus(text: String) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, log: bool) -> Vec<String> {
        Axis::new("", low, high, log).ticks(5).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(0.0, 2.4, false), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(labels(0.0, 5000.0, false), ["0", "1000", "2000", "3000", "4000", "5000"]);
        assert_eq!(labels(0.001, 1.0, true), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(-1.0, 1.0, false), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.0, 2e6, false), ["0", "500k", "1M", "1.5M", "2M"]);
    }

    #[test]
    fn any_range_is_sound() {
        for (low, high) in
            [(0.0, 0.0), (5.0, -5.0), (f64::NAN, f64::INFINITY), (-1e308, 1e308), (1e-320, 1e-320), (-3.0, 7.0)]
        {
            for log in [false, true] {
                let axis = Axis::new("", low, high, log);
                assert!(axis.low < axis.high && axis.low.is_finite() && axis.high.is_finite(), "{axis:?}");
                assert!(axis.place(axis.low).is_some_and(|part| part.abs() < 1e-6), "{axis:?}");
                assert!(axis.ticks(6).len() <= 13, "{axis:?}");
            }
        }
        assert_eq!(Axis::new("", 1.0, 10.0, true).place(-1.0), None);
    }
}
