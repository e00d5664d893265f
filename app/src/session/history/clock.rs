//! How many seconds of training a lane had taken before each of its steps: a mark now and then, straight lines between.

use super::{Series, Spill};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps between marks, after the first so many.
const EVERY: u64 = 16;

/// Seconds of training over steps. One writer, any number of readers, as a [`Series`].
#[derive(Debug, Default)]
pub(super) struct Clock {
    marks: Series,
    total: AtomicU64,
    steps: AtomicU64,
}

impl Clock {
    /// Marks that leave memory go to `spill`.
    pub(super) fn within(spill: &Arc<Spill>) -> Self {
        Self { marks: Series::within(spill), ..Self::default() }
    }

    /// The seconds taken before the first step pushed: those of the run that is resumed.
    pub(super) fn begin(&self, seconds: f64) {
        self.total.store(seconds.to_bits(), Ordering::Relaxed);
    }

    /// Step `step` took so many seconds.
    pub(super) fn push(&self, step: u64, seconds: f64) {
        let total = f64::from_bits(self.total.load(Ordering::Relaxed));
        if step < EVERY || step.is_multiple_of(EVERY) || self.marks.is_empty() {
            self.marks.push(step, total);
        }
        self.total.store((total + seconds.max(0.0)).to_bits(), Ordering::Relaxed);
        self.steps.store(step + 1, Ordering::Release);
    }

    /// The mark or the end that follows mark `index`.
    fn after(&self, index: usize) -> (u64, f64) {
        self.marks
            .get(index + 1)
            .unwrap_or_else(|| (self.steps.load(Ordering::Acquire), f64::from_bits(self.total.load(Ordering::Relaxed))))
    }

    /// Seconds taken before `step`; those of all steps past the end.
    pub(super) fn before(&self, step: u64) -> f64 {
        let Some(index) = self.marks.before(step.saturating_add(1)).checked_sub(1) else {
            return self.marks.get(0).map_or(0.0, |(_, seconds)| seconds);
        };
        let Some((from, low)) = self.marks.get(index) else { return 0.0 };
        let (to, high) = self.after(index);
        if step >= to || to <= from {
            return high.max(low);
        }
        low + (high - low) * (step - from) as f64 / (to - from) as f64
    }

    /// The first step before which at least so many seconds had been taken; one past the last step when it is not reached.
    pub(super) fn step(&self, seconds: f64) -> u64 {
        let (mut low, mut high) = (0, self.marks.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.marks.get(middle).is_some_and(|(_, mark)| mark < seconds) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(index) = low.checked_sub(1) else { return self.marks.get(0).map_or(0, |(step, _)| step) };
        let Some((from, start)) = self.marks.get(index) else { return 0 };
        let (to, end) = self.after(index);
        if seconds > end || end <= start {
            return to + 1;
        }
        from + ((seconds - start) / (end - start) * (to - from) as f64 - 1e-9).ceil().max(0.0) as u64
    }

    /// Heap memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.marks.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seconds_and_steps_are_each_others_inverse(times in prop::collection::vec(0.001..0.1f64, 1..200), start in 0.0..10.0f64) {
            let clock = Clock::default();
            clock.begin(start);
            let mut sums = vec![start];
            for (step, time) in times.iter().enumerate() {
                clock.push(step as u64, *time);
                sums.push(sums[step] + time);
            }
            for step in 0..=times.len() as u64 {
                let seconds = clock.before(step);
                // Exact at the marks and the end; between them within what sixteen steps can take.
                let exact = step < EVERY || step.is_multiple_of(EVERY) || step == times.len() as u64;
                let slack = if exact { 1e-9 } else { 0.1 * EVERY as f64 };
                prop_assert!((seconds - sums[step as usize]).abs() < slack, "step {step}");
                prop_assert_eq!(clock.step(seconds), step);
            }
            prop_assert_eq!(clock.step(start - 1.0), 0);
            prop_assert_eq!(clock.step(1e9), times.len() as u64 + 1);
        }
    }

    #[test]
    fn a_resumed_lane_goes_on_from_its_seconds() {
        let clock = Clock::default();
        clock.begin(7.0);
        clock.push(500, 0.5);
        clock.push(501, 0.5);
        assert_eq!((clock.before(500), clock.before(501), clock.before(502)), (7.0, 7.5, 8.0));
        assert_eq!((clock.before(3), clock.step(6.0), clock.step(7.6)), (7.0, 500, 502));
    }
}
