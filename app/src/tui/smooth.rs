//! Series derived from the trainer's for showing: magnitudes, and the debiased exponential moving average.
//!
//! With weight β a step, m ← β^Δ m + (1 − β^Δ) x and w ← β^Δ w + (1 − β^Δ), Δ the steps since the last value; shown is m/w, which
//! does not lean towards zero at the start (Kingma & Ba, *Adam*, 2015, section 3). The mean passes over values that are not finite;
//! without smoothing they stay.
//! Each derived series is kept and only extended, so that a frame costs what is new; where much is new, as after a change of β in a
//! long run, it comes in portions over several frames.
#![forbid(unsafe_code)]

use super::progress::{Ruler, Unit};
use crate::record::{Key, LaneId};
use crate::session::history::Series;
use crate::session::protocol::{LaneView, Snapshot};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

struct Entry {
    source: Arc<Series>,
    beta: f64,
    read: usize,
    mean: f64,
    weight: f64,
    step: u64,
    result: Arc<Series>,
    /// Frames since it was asked for.
    idle: u32,
}

/// Frames that a series is kept for while nothing asks for it.
const KEPT: u32 = 300;

impl Entry {
    fn new(source: Arc<Series>, beta: f64) -> Self {
        let result = Arc::new(source.sibling());
        Self { source, beta, read: 0, mean: 0.0, weight: 0.0, step: 0, result, idle: 0 }
    }

    /// Takes in at most `most` new values; returns how many it took.
    fn extend(&mut self, magnitude: bool, most: usize) -> usize {
        let from = self.read;
        let source = Arc::clone(&self.source);
        source.visit(from..from.saturating_add(most), |step, value| self.take(step, value, magnitude));
        self.read - from
    }

    fn take(&mut self, step: u64, value: f64, magnitude: bool) {
        let value = if magnitude { value.abs() } else { value };
        self.read += 1;
        if self.beta == 0.0 {
            self.result.push(step, value);
            return;
        }
        if !value.is_finite() {
            return;
        }
        let gap = if self.weight == 0.0 { 1 } else { step.saturating_sub(self.step).max(1) };
        let keep = if gap == 1 { self.beta } else { self.beta.powi(gap.min(1 << 20) as i32) };
        self.mean = keep * self.mean + (1.0 - keep) * value;
        self.weight = keep * self.weight + (1.0 - keep);
        self.step = step;
        self.result.push(step, self.mean / self.weight);
    }

    fn is_behind(&self) -> bool {
        self.read < self.source.len()
    }
}

/// A lane's series minus the baseline's at the same place along x.
struct Difference {
    source: Arc<Series>,
    base: Arc<Series>,
    read: usize,
    result: Arc<Series>,
}

impl Difference {
    fn new(source: Arc<Series>, base: Arc<Series>) -> Self {
        let result = Arc::new(source.sibling());
        Self { source, base, read: 0, result }
    }

    /// Goes on as far as the baseline has come, by at most `most` values: what is appended never changes. Returns how many it took,
    /// and whether there are more to take.
    fn extend(&mut self, lane: Ruler<'_>, base: Ruler<'_>, most: usize) -> (usize, bool) {
        let from = self.read;
        while let Some((step, value)) = self.source.get(self.read) {
            let Some(other) = base.step_done(lane.at(step)) else { break };
            if self.read - from == most {
                return (most, true);
            }
            if let Some((_, baseline)) = self.base.at(other) {
                self.result.push(step, value - baseline);
            }
            self.read += 1;
        }
        (self.read - from, false)
    }
}

/// Names of a difference: lane, baseline, quantity, whether of the magnitude, whether smoothed, unit of x.
type Pair = (LaneId, LaneId, Key, bool, bool, Unit);

/// The derived series of all lanes.
pub struct Derived {
    differences: RefCell<HashMap<Pair, Difference>>,
    /// By lane, quantity, whether of the magnitude, and weight of the past: charts and verdicts smooth each in their way.
    entries: RefCell<HashMap<(LaneId, Key, bool, u64), Entry>>,
    /// Values that may still be taken in for this frame.
    left: Cell<usize>,
    /// Whether a series asked for in this frame could not be brought up to date.
    behind: Cell<bool>,
}

/// Values taken in for one frame: a few milliseconds' worth.
const PORTION: usize = 200_000;
/// How many values read in a row take as long as one that is looked up at its place in two series.
const LOOKED_UP: usize = 8;

impl Default for Derived {
    /// Nothing yet; all that is asked for is brought up to date, until [`Derived::begin`] sets bounds.
    fn default() -> Self {
        let (left, behind) = (Cell::new(usize::MAX), Cell::new(false));
        Self { entries: RefCell::default(), differences: RefCell::default(), left, behind }
    }
}

impl Derived {
    /// The moving average of a lane's series (of its magnitude when asked) with weight `beta` a step; the series itself when there
    /// is nothing to do. `None` when the quantity was never measured.
    pub fn series(&self, lane: &LaneView, key: Key, magnitude: bool, beta: f64) -> Option<Arc<Series>> {
        let source = lane.history.series(key)?;
        if beta == 0.0 && !magnitude {
            return Some(source);
        }
        let mut entries = self.entries.borrow_mut();
        let name = (lane.info.lane, key, magnitude, beta.to_bits());
        let entry = entries.entry(name).or_insert_with(|| Entry::new(Arc::clone(&source), beta));
        if !Arc::ptr_eq(&entry.source, &source) {
            *entry = Entry::new(source, beta);
        }
        entry.idle = 0;
        // Every series takes in what a running trainer adds between two frames, whatever the others need.
        let taken = entry.extend(magnitude, self.left.get().max(PORTION / 100));
        self.left.set(self.left.get().saturating_sub(taken));
        self.behind.set(self.behind.get() || entry.is_behind());
        Some(Arc::clone(&entry.result))
    }

    /// The same minus the baseline's, at equal places in `unit`. A place between two steps of the baseline has the earlier one's value.
    pub fn difference(
        &self,
        lane: &LaneView,
        base: &LaneView,
        key: Key,
        magnitude: bool,
        beta: f64,
        unit: Unit,
    ) -> Option<Arc<Series>> {
        let (source, baseline) = (self.series(lane, key, magnitude, beta)?, self.series(base, key, magnitude, beta)?);
        let mut differences = self.differences.borrow_mut();
        let name = (lane.info.lane, base.info.lane, key, magnitude, beta > 0.0, unit);
        let fresh = || Difference::new(Arc::clone(&source), Arc::clone(&baseline));
        let entry = differences.entry(name).or_insert_with(fresh);
        if !Arc::ptr_eq(&entry.source, &source) || !Arc::ptr_eq(&entry.base, &baseline) {
            *entry = fresh();
        }
        let most = self.left.get().max(PORTION / 100) / LOOKED_UP;
        let (taken, behind) = entry.extend(Ruler::new(unit, lane), Ruler::new(unit, base), most);
        self.left.set(self.left.get().saturating_sub(taken.saturating_mul(LOOKED_UP)));
        self.behind.set(self.behind.get() || behind);
        Some(Arc::clone(&entry.result))
    }

    /// Whether the last frame showed series that are not up to date, so that another should follow.
    pub fn is_behind(&self) -> bool {
        self.behind.get()
    }

    /// Begins a frame: forgets lanes that are gone, and series that no frame asks for any more.
    pub fn begin(&self, snapshot: &Snapshot) {
        self.left.set(PORTION);
        self.behind.set(false);
        let here = |id: &LaneId| snapshot.lanes.iter().any(|view| view.info.lane == *id);
        self.differences.borrow_mut().retain(|(lane, base, ..), _| here(lane) && here(base));
        self.entries.borrow_mut().retain(|(lane, ..), entry| {
            entry.idle += 1;
            entry.idle <= KEPT && here(lane)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(values: &[(u64, f64)], beta: f64, magnitude: bool) -> Vec<(u64, f64)> {
        let source = Arc::new(Series::new());
        let mut entry = Entry::new(Arc::clone(&source), beta);
        for (step, value) in values {
            source.push(*step, *value);
            entry.extend(magnitude, 10);
        }
        (0..entry.result.len()).filter_map(|index| entry.result.get(index)).collect()
    }

    #[test]
    fn a_constant_stays_itself_from_the_start() {
        for (step, value) in entry(&[(0, 3.0), (1, 3.0), (50, 3.0)], 0.99, false) {
            assert!((value - 3.0).abs() < 1e-12, "{value} at {step}");
        }
    }

    #[test]
    fn the_formula_by_hand() {
        let found = entry(&[(0, 1.0), (1, 2.0), (3, 4.0)], 0.5, false);
        let (m, w) = (0.25 * (0.5 * 0.5 + 0.5 * 2.0) + 0.75 * 4.0, 0.25 * 0.75 + 0.75);
        assert!((found[2].1 - m / w).abs() < 1e-12);
    }

    #[test]
    fn the_mean_passes_over_holes_and_raw_values_keep_them() {
        let values = [(0, -1.0), (1, f64::NAN), (2, 1.0)];
        assert_eq!(entry(&values, 0.5, true), [(0, 1.0), (2, 1.0)]);
        let raw = entry(&values, 0.0, true);
        assert!(raw.len() == 3 && raw[0] == (0, 1.0) && raw[1].1.is_nan());
    }

    #[test]
    fn a_difference_comes_in_portions_too_and_to_the_same_end() {
        use crate::tui::Source;
        use crate::tui::synthetic::Synthetic;
        let snapshot = Synthetic::new(1, 3000, 5000, false).snapshot();
        let (lane, base) = (&snapshot.lanes[1], &snapshot.lanes[0]);
        let of = |derived: &Derived| {
            let key = Key::whole(crate::record::Quantity::Loss);
            derived.difference(lane, base, key, false, 0.0, Unit::Steps).unwrap()
        };
        let whole = of(&Derived::default());
        assert_eq!(whole.len(), 3000);
        let derived = Derived::default();
        derived.left.set(0);
        let part = of(&derived);
        assert_eq!((part.len(), derived.is_behind()), (PORTION / 100 / LOOKED_UP, true));
        for _ in 0..3000 {
            derived.begin(&snapshot);
            derived.left.set(0);
            if part.len() < 3000 {
                of(&derived);
            }
        }
        assert!(!derived.is_behind() && (0..3000).all(|index| part.get(index) == whole.get(index)));
    }

    #[test]
    fn much_that_is_new_comes_in_portions() {
        let source = Arc::new(Series::new());
        for step in 0..1000 {
            source.push(step, 1.0);
        }
        let mut entry = Entry::new(source, 0.9);
        assert_eq!((entry.extend(false, 600), entry.is_behind()), (600, true));
        assert_eq!((entry.extend(false, 600), entry.is_behind()), (400, false));
        assert_eq!(entry.result.len(), 1000);
    }
}
