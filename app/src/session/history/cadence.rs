//! The steps of a series' entries, as stretches of constant cadence: measured every 10 steps, a million entries take three cells.

use super::cells::Cells;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cells of a stretch: its first entry, that entry's step, steps from one entry to the next.
const FIELDS: usize = 3;

/// A stretch of constant cadence.
#[derive(Clone, Copy)]
struct Stretch {
    entry: usize,
    step: u64,
    stride: u64,
}

/// Steps, never falling, one an entry. One writer, any number of readers of entries that were published after they were pushed.
pub(super) struct Cadence {
    cells: Cells,
    count: AtomicUsize,
}

impl Cadence {
    pub(super) fn new() -> Self {
        Self { cells: Cells::new(), count: AtomicUsize::new(0) }
    }

    fn stretch(&self, index: usize) -> Stretch {
        let [entry, step, stride] = self.cells.read::<FIELDS>(index * FIELDS);
        Stretch { entry: entry as usize, step, stride }
    }

    /// Entry `entry`, the next one, has `step`.
    pub(super) fn push(&self, entry: usize, step: u64) {
        let count = self.count.load(Ordering::Relaxed);
        if let Some(last) = count.checked_sub(1) {
            let stretch = self.stretch(last);
            match (entry - stretch.entry) as u64 {
                // The second entry settles the cadence; nobody has asked for it before it is published.
                1 => return self.cells.set(last * FIELDS + 2, step - stretch.step),
                place if stretch.step + stretch.stride * place == step => return,
                _ => {}
            }
        }
        for (field, value) in [entry as u64, step, 0].into_iter().enumerate() {
            self.cells.set(count * FIELDS + field, value);
        }
        self.count.store(count + 1, Ordering::Release);
    }

    /// Stretches for which `is_before` holds, which it does for the first ones.
    fn partition(&self, is_before: impl Fn(&Stretch) -> bool) -> usize {
        let (mut low, mut high) = (0, self.count.load(Ordering::Acquire));
        // Most questions are about the last stretch.
        if high > 0 && is_before(&self.stretch(high - 1)) {
            return high;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(&self.stretch(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The step of a published entry.
    pub(super) fn step(&self, entry: usize) -> u64 {
        match self.partition(|stretch| stretch.entry <= entry).checked_sub(1) {
            Some(index) => {
                let stretch = self.stretch(index);
                stretch.step + stretch.stride * (entry - stretch.entry) as u64
            }
            None => 0,
        }
    }

    /// How many of the first `len` entries, which are published, lie before `step`.
    pub(super) fn before(&self, step: u64, len: usize) -> usize {
        let after = self.partition(|stretch| stretch.step < step);
        let Some(index) = after.checked_sub(1) else { return 0 };
        let stretch = self.stretch(index);
        let end = if after < self.count.load(Ordering::Acquire) { self.stretch(after).entry.min(len) } else { len };
        match stretch.stride {
            0 => end,
            stride => {
                let entries = usize::try_from((step - stretch.step).div_ceil(stride)).unwrap_or(usize::MAX);
                stretch.entry.saturating_add(entries).min(end)
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.cells.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn steps_come_back_whatever_their_cadence(gaps in prop::collection::vec(prop_oneof![8 => Just(5u64), 1 => 0..40u64], 1..400)) {
            let cadence = Cadence::new();
            let mut steps = vec![3];
            for gap in &gaps {
                steps.push(steps[steps.len() - 1] + gap);
            }
            for (entry, step) in steps.iter().enumerate() {
                cadence.push(entry, *step);
            }
            for (entry, step) in steps.iter().enumerate() {
                prop_assert_eq!(cadence.step(entry), *step);
            }
            for step in 0..steps[steps.len() - 1] + 10 {
                prop_assert_eq!(cadence.before(step, steps.len()), steps.partition_point(|&s| s < step), "before {}", step);
            }
        }
    }

    #[test]
    fn a_constant_cadence_takes_no_memory() {
        let cadence = Cadence::new();
        (0..100_000).for_each(|entry| cadence.push(entry, 10 * entry as u64));
        assert_eq!(cadence.count.load(Ordering::Relaxed), 1);
        assert_eq!(cadence.before(50_001, 100_000), 5_001);
    }
}
