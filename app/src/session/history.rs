//! What the screen plots: every value of every series, appended by the trainer and read by the screen at the same time.
//!
//! A [`Series`] is append-only. One thread pushes, any number read, and nobody waits: values lie in buckets that double in
//! size and never move, and the length is published after the value. Above the values stands a pyramid of minima and
//! maxima, so that the extent of a million points costs about as much as that of a thousand and no spike is ever thinned
//! away. Knows nothing of lanes' strategies, files or screens.
#![forbid(unsafe_code)]

use crate::record::{Key, StepReport};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

mod clock;
mod spectra;

use clock::Clock;
use spectra::Spectra;

pub use spectra::Moment;

/// Cells of the first bucket.
const FIRST: usize = 64;
/// Buckets: 64·(2^34 − 1) cells, more than any run fills.
const BUCKETS: usize = 34;
/// Values in a block of each level of the pyramid.
const LEVELS: [usize; 4] = [16, 128, 1024, 16384];
/// Cells of a block: minimum, maximum, first, last, whether a value was not finite.
const FIELDS: usize = 5;

/// A growing array of 64-bit cells whose cells never move.
struct Cells {
    buckets: [OnceLock<Box<[AtomicU64]>>; BUCKETS],
}

impl Cells {
    fn new() -> Self {
        Self { buckets: [const { OnceLock::new() }; BUCKETS] }
    }

    /// Bucket and place of cell `index`: bucket k holds cells 64·(2^k − 1) to 64·(2^{k+1} − 1).
    fn place(index: usize) -> (usize, usize) {
        let shifted = index + FIRST;
        let bucket = (shifted.ilog2() - FIRST.ilog2()) as usize;
        (bucket, shifted - (FIRST << bucket))
    }

    fn set(&self, index: usize, value: u64) {
        let (bucket, place) = Self::place(index);
        if let Some(slot) = self.buckets.get(bucket) {
            let cells = slot.get_or_init(|| (0..FIRST << bucket).map(|_| AtomicU64::new(0)).collect());
            cells[place].store(value, Ordering::Relaxed);
        }
    }

    fn get(&self, index: usize) -> u64 {
        let (bucket, place) = Self::place(index);
        self.buckets.get(bucket).and_then(OnceLock::get).map_or(0, |cells| cells[place].load(Ordering::Relaxed))
    }

    /// Cells `index` to `index + N`, at once where they lie in one bucket.
    fn read<const N: usize>(&self, index: usize) -> [u64; N] {
        let (bucket, place) = Self::place(index);
        match self.buckets.get(bucket).and_then(OnceLock::get).and_then(|cells| cells.get(place..place + N)) {
            Some(cells) => std::array::from_fn(|field| cells[field].load(Ordering::Relaxed)),
            None => std::array::from_fn(|field| self.get(index + field)),
        }
    }

    fn bytes(&self) -> usize {
        self.buckets.iter().filter_map(OnceLock::get).map(|cells| cells.len() * size_of::<AtomicU64>()).sum()
    }
}

/// The extent of a run of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Least finite value; +∞ when there is none.
    pub min: f64,
    /// Greatest finite value; −∞ when there is none.
    pub max: f64,
    /// First value, finite or not; NaN of an empty run.
    pub first: f64,
    /// Last value, finite or not; NaN of an empty run.
    pub last: f64,
    /// Whether any value is NaN or infinite.
    pub non_finite: bool,
    /// Values in the run.
    pub count: usize,
}

impl Column {
    /// The extent of nothing.
    pub const EMPTY: Self = Self {
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        first: f64::NAN,
        last: f64::NAN,
        non_finite: false,
        count: 0,
    };

    /// The extent of one value.
    pub fn of(value: f64) -> Self {
        let finite = value.is_finite();
        Self {
            min: if finite { value } else { f64::INFINITY },
            max: if finite { value } else { f64::NEG_INFINITY },
            first: value,
            last: value,
            non_finite: !finite,
            count: 1,
        }
    }

    /// The extent of this run followed by `next`.
    pub fn then(self, next: Self) -> Self {
        match (self.count, next.count) {
            (0, _) => next,
            (_, 0) => self,
            (count, more) => Self {
                min: self.min.min(next.min),
                max: self.max.max(next.max),
                first: self.first,
                last: next.last,
                non_finite: self.non_finite || next.non_finite,
                count: count + more,
            },
        }
    }

    /// Whether there is a finite value, so that `min` and `max` mean something.
    pub fn is_finite(&self) -> bool {
        self.min <= self.max
    }
}

/// One quantity over steps: append-only, one writer, any number of readers, no locks.
pub struct Series {
    values: Cells,
    /// Steps of the entries from `regular` on; those before follow `first + stride · index`.
    steps: Cells,
    first: AtomicU64,
    stride: AtomicU64,
    regular: AtomicUsize,
    levels: [Cells; LEVELS.len()],
    len: AtomicUsize,
}

impl Default for Series {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").field("len", &self.len()).field("last", &self.last()).finish()
    }
}

impl Series {
    /// An empty series.
    pub fn new() -> Self {
        Self {
            values: Cells::new(),
            steps: Cells::new(),
            first: AtomicU64::new(0),
            stride: AtomicU64::new(0),
            regular: AtomicUsize::new(0),
            levels: LEVELS.map(|_| Cells::new()),
            len: AtomicUsize::new(0),
        }
    }

    /// Appends `value` at `step`. For one writer: pushes from two threads at once would overwrite each other's entries.
    /// Returns false, and keeps nothing, when `step` lies before the last one.
    pub fn push(&self, step: u64, value: f64) -> bool {
        let index = self.len.load(Ordering::Relaxed);
        if self.last().is_some_and(|(last, _)| step < last) {
            return false;
        }
        self.set_step(index, step);
        self.values.set(index, value.to_bits());
        self.fill_blocks(index + 1);
        self.len.store(index + 1, Ordering::Release);
        true
    }

    /// Steps at a constant cadence are kept as start and stride; only what departs from it takes memory.
    fn set_step(&self, index: usize, step: u64) {
        let regular = self.regular.load(Ordering::Relaxed);
        let first = self.first.load(Ordering::Relaxed);
        match index {
            0 => self.first.store(step, Ordering::Relaxed),
            1 => self.stride.store(step - first, Ordering::Relaxed),
            _ => {}
        }
        if regular == index && self.law(index) == step {
            self.regular.store(index + 1, Ordering::Relaxed);
        } else {
            self.steps.set(index, step);
        }
    }

    /// The step that entry `index` has as long as the cadence holds.
    fn law(&self, index: usize) -> u64 {
        let (first, stride) = (self.first.load(Ordering::Relaxed), self.stride.load(Ordering::Relaxed));
        first.wrapping_add(stride.wrapping_mul(index as u64))
    }

    /// Writes the blocks that end at `len`, each from the level below it.
    fn fill_blocks(&self, len: usize) {
        for (level, &size) in LEVELS.iter().enumerate() {
            if !len.is_multiple_of(size) {
                break;
            }
            let block = match level.checked_sub(1) {
                None => (len - size..len).fold(Column::EMPTY, |sum, index| sum.then(Column::of(self.value(index)))),
                Some(below) => (len / LEVELS[below] - size / LEVELS[below]..len / LEVELS[below])
                    .fold(Column::EMPTY, |sum, index| sum.then(self.block(below, index))),
            };
            let at = (len / size - 1) * FIELDS;
            let fields = [
                block.min.to_bits(),
                block.max.to_bits(),
                block.first.to_bits(),
                block.last.to_bits(),
                u64::from(block.non_finite),
            ];
            for (field, bits) in fields.into_iter().enumerate() {
                self.levels[level].set(at + field, bits);
            }
        }
    }

    fn block(&self, level: usize, index: usize) -> Column {
        let [min, max, first, last, non_finite] = self.levels[level].read::<FIELDS>(index * FIELDS);
        Column {
            min: f64::from_bits(min),
            max: f64::from_bits(max),
            first: f64::from_bits(first),
            last: f64::from_bits(last),
            non_finite: non_finite != 0,
            count: LEVELS[level],
        }
    }

    fn value(&self, index: usize) -> f64 {
        f64::from_bits(self.values.get(index))
    }

    fn step(&self, index: usize) -> u64 {
        if index < self.regular.load(Ordering::Relaxed) { self.law(index) } else { self.steps.get(index) }
    }

    /// Entries published so far. All entries before it are complete and will never change.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Step and value of entry `index`; `None` past the end.
    pub fn get(&self, index: usize) -> Option<(u64, f64)> {
        (index < self.len()).then(|| (self.step(index), self.value(index)))
    }

    /// The newest entry.
    pub fn last(&self) -> Option<(u64, f64)> {
        self.len().checked_sub(1).map(|index| (self.step(index), self.value(index)))
    }

    /// The newest entry at or before `step`.
    pub fn at(&self, step: u64) -> Option<(u64, f64)> {
        self.range(0..step.saturating_add(1)).end.checked_sub(1).and_then(|index| self.get(index))
    }

    /// The entries whose step lies in `steps`.
    pub fn range(&self, steps: Range<u64>) -> Range<usize> {
        let start = self.before(steps.start);
        start..self.before(steps.end).max(start)
    }

    /// Entries before `step`: at once while the cadence holds, else by binary search.
    pub fn before(&self, step: u64) -> usize {
        let len = self.len();
        let (first, stride) = (self.first.load(Ordering::Relaxed), self.stride.load(Ordering::Relaxed));
        if len <= self.regular.load(Ordering::Relaxed) && stride > 0 {
            let entries = step.saturating_sub(first).div_ceil(stride);
            return usize::try_from(entries).unwrap_or(usize::MAX).min(len);
        }
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.step(middle) < step {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The extent of the entries of `range` (cut to what is there), from the largest blocks that fit.
    pub fn column(&self, range: Range<usize>) -> Column {
        let end = range.end.min(self.len());
        let mut index = range.start;
        let mut sum = Column::EMPTY;
        while index < end {
            let fits = |size: usize| index.is_multiple_of(size) && index + size <= end;
            match LEVELS.iter().rposition(|&size| fits(size)) {
                Some(level) => {
                    sum = sum.then(self.block(level, index / LEVELS[level]));
                    index += LEVELS[level];
                }
                None => {
                    sum = sum.then(Column::of(self.value(index)));
                    index += 1;
                }
            }
        }
        sum
    }

    /// Heap memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.values.bytes() + self.steps.bytes() + self.levels.iter().map(Cells::bytes).sum::<usize>()
    }
}

/// All series of one lane. The map grows rarely (a quantity seen for the first time) and stands behind a read-write lock;
/// the series themselves are shared without one.
#[derive(Debug, Default)]
pub struct LaneHistory {
    series: RwLock<BTreeMap<Key, Arc<Series>>>,
    clock: Clock,
    spectra: Spectra,
    marks: RwLock<Arc<Vec<Mark>>>,
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
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A history whose lane had trained so many seconds before: one that is resumed.
    pub fn after(seconds: f64) -> Self {
        let history = Self::default();
        history.clock.begin(seconds);
        history
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
                let entry = series.entry(*key).or_default();
                if entry.last().is_none_or(|(step, _)| step != report.step) {
                    entry.push(report.step, *value);
                }
            }
        }
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
