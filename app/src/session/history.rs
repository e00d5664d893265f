//! What the screen plots: every value of every series, appended by the trainer and read by the screen at the same time.
//!
//! A [`Series`] is append-only. One thread pushes, any number read, and nobody waits. Memory holds the newest values and, above
//! them, a pyramid of minima and maxima over all of them, so that the extent of a million points costs about as much as that of a
//! thousand and no spike is ever thinned away; older values lie in a file ([`Spill`]) and are read from there where somebody looks
//! closely. Knows nothing of lanes' strategies, records or screens.
#![forbid(unsafe_code)]

mod cadence;
mod cells;
mod clock;
mod column;
mod series;
mod spectra;
mod spill;

pub use column::Column;
pub use series::Series;
pub use spectra::Moment;
pub use spill::Spill;

use crate::record::{Key, LaneInfo, StepReport};
use clock::Clock;
use spectra::Spectra;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// All series of one lane. The map grows rarely (a quantity seen for the first time) and stands behind a read-write lock;
/// the series themselves are shared without one.
#[derive(Debug, Default)]
pub struct LaneHistory {
    series: RwLock<BTreeMap<Key, Arc<Series>>>,
    clock: Clock,
    spectra: Spectra,
    marks: RwLock<Arc<Vec<Mark>>>,
    paces: RwLock<Arc<Vec<Pace>>>,
    spill: Arc<Spill>,
}

/// What each step cost until a change of the lane's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The first step after the change.
    pub until: u64,
    /// Examples of a step before it.
    pub examples: u64,
    /// Directional derivatives of a step before it.
    pub derivatives: u64,
    /// Floating-point operations of a step before it.
    pub flop: u64,
}

/// A step at which a person changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The first step that runs with the change.
    pub step: u64,
    /// What changed: `lr 0.1 → 0.03`.
    pub text: String,
}

impl LaneHistory {
    /// Nothing yet; values that leave memory go to a temporary file of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing yet; values that leave memory go to `spill`.
    pub fn within(spill: &Arc<Spill>) -> Self {
        Self { clock: Clock::within(spill), spill: Arc::clone(spill), ..Self::default() }
    }

    /// The same, of a lane that had trained so many seconds before: one that is resumed.
    pub fn after(self, seconds: f64) -> Self {
        self.clock.begin(seconds);
        self
    }

    /// Appends every value of `report`. For the trainer thread alone.
    pub fn push(&self, report: &StepReport) {
        // The last report of a lane measures only: it is no step.
        let training = report.seconds.training();
        if training > 0.0 {
            self.clock.push(report.step, training);
        }
        for (site, values) in &report.spectra {
            self.spectra.push(*site, report.step, values);
        }
        let missing = {
            let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
            let mut missing = false;
            for (key, value) in &report.values {
                match series.get(key) {
                    Some(series) => {
                        series.push(report.step, *value);
                    }
                    None => missing = true,
                }
            }
            missing
        };
        if missing {
            let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
            for (key, value) in &report.values {
                let entry = series.entry(*key).or_insert_with(|| Arc::new(Series::within(&self.spill)));
                if entry.last().is_none_or(|(step, _)| step != report.step) {
                    entry.push(report.step, *value);
                }
            }
        }
    }

    /// Keeps what a step has cost up to `step`, from which the lane has other settings than `before`.
    pub fn changed(&self, step: u64, before: &LaneInfo) {
        let (examples, derivatives, flop) = (before.batch as u64, before.derivatives(), before.flop);
        let pace = Pace { until: step, examples, derivatives, flop };
        Arc::make_mut(&mut self.paces.write().unwrap_or_else(PoisonError::into_inner)).push(pace);
    }

    /// What steps cost before each change of the settings, oldest first.
    pub fn paces(&self) -> Arc<Vec<Pace>> {
        Arc::clone(&self.paces.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Marks a step.
    pub fn mark(&self, step: u64, text: String) {
        Arc::make_mut(&mut self.marks.write().unwrap_or_else(PoisonError::into_inner)).push(Mark { step, text });
    }

    /// The marks, oldest first.
    pub fn marks(&self) -> Arc<Vec<Mark>> {
        Arc::clone(&self.marks.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The series of `key`, when anything was measured of it.
    pub fn series(&self, key: Key) -> Option<Arc<Series>> {
        self.series.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// What was measured so far, in order.
    pub fn keys(&self) -> Vec<Key> {
        self.series.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Seconds of training, measuring excluded, before `step`: exact every 16 steps, on straight lines between.
    pub fn seconds_before(&self, step: u64) -> f64 {
        self.clock.before(step)
    }

    /// The first step before which at least so many seconds of training had passed; past the last when it is not reached.
    pub fn step_after(&self, seconds: f64) -> u64 {
        self.clock.step(seconds)
    }

    /// Singular values of a site's weight at or before `step` (the newest when `None`), falling, with the step they are of. A long
    /// run keeps some hundred moments a site.
    pub fn spectrum(&self, site: u16, step: Option<u64>) -> Option<Moment> {
        self.spectra.at(site, step)
    }

    /// The first singular values of a site's weight.
    pub fn first_spectrum(&self, site: u16) -> Option<Moment> {
        self.spectra.first(site)
    }

    /// Heap memory held by all series, in bytes.
    pub fn bytes(&self) -> usize {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        series.values().map(|series| series.bytes()).sum::<usize>() + self.clock.bytes() + self.spectra.bytes()
    }
}

#[cfg(test)]
mod tests;
