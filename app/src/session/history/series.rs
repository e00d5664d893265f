//! One quantity over steps.

use super::cadence::Cadence;
use super::cells::Cells;
use super::column::Column;
use super::spill::{PAGE, Page, Spill};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// The newest values, which memory holds; a power of two.
const RING: usize = 32_768;
/// Values older than so many entries are on disk. The half of the ring beyond is room for the writer while somebody reads.
const HELD: usize = RING / 2;
/// Values in a block of each level of the pyramid. Of the first level only the blocks over the ring are kept.
const LEVELS: [usize; 4] = [16, 128, 1024, 16_384];
/// Cells of a block.
const FIELDS: usize = 4;

/// One quantity over steps: append-only, one writer, any number of readers, no locks. About 0.6 MB a million entries.
pub struct Series {
    /// Entry `index` at `index % RING`.
    ring: Cells,
    cadence: Cadence,
    levels: [Cells; LEVELS.len()],
    /// Where page n lies in the spill, plus one; 0 where it could not be written.
    pages: Cells,
    spill: Arc<Spill>,
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

/// Entries before this one are on disk, of a series of so many.
fn on_disk(len: usize) -> usize {
    len.saturating_sub(HELD + 1) / PAGE * PAGE
}

impl Series {
    /// An empty series; values that leave memory go to a temporary file of its own.
    pub fn new() -> Self {
        Self::within(&Arc::default())
    }

    /// An empty series; values that leave memory go to `spill`.
    pub fn within(spill: &Arc<Spill>) -> Self {
        Self {
            ring: Cells::new(),
            cadence: Cadence::new(),
            levels: LEVELS.map(|_| Cells::new()),
            pages: Cells::new(),
            spill: Arc::clone(spill),
            len: AtomicUsize::new(0),
        }
    }

    /// An empty series whose values go where those of this one go.
    pub fn sibling(&self) -> Self {
        Self::within(&self.spill)
    }

    /// Appends `value` at `step`. For one writer: pushes from two threads at once would overwrite each other's entries.
    /// Returns false, and keeps nothing, when `step` lies before the last one.
    pub fn push(&self, step: u64, value: f64) -> bool {
        let index = self.len.load(Ordering::Relaxed);
        if index > 0 && step < self.cadence.step(index - 1) {
            return false;
        }
        if index.is_multiple_of(PAGE) && index >= HELD + PAGE {
            self.spill_page((index - HELD) / PAGE - 1);
        }
        self.cadence.push(index, step);
        // Who reads what follows, over what was there before, will also see a length that tells it so.
        fence(Ordering::Release);
        self.ring.set(index % RING, value.to_bits());
        self.fill_blocks(index + 1);
        self.len.store(index + 1, Ordering::Release);
        true
    }

    fn spill_page(&self, page: usize) {
        let values = std::array::from_fn(|place| self.in_ring(page * PAGE + place));
        if let Some(place) = self.spill.write(&values) {
            self.pages.set(page, place + 1);
        }
    }

    /// Writes the blocks that end at `len`, each from the level below it.
    fn fill_blocks(&self, len: usize) {
        for (level, &size) in LEVELS.iter().enumerate() {
            if !len.is_multiple_of(size) {
                break;
            }
            let block = match level.checked_sub(1) {
                None => (len - size..len).fold(Column::EMPTY, |sum, index| sum.then(Column::of(self.in_ring(index)))),
                Some(below) => (len / LEVELS[below] - size / LEVELS[below]..len / LEVELS[below])
                    .fold(Column::EMPTY, |sum, index| sum.then(self.block(below, index))),
            };
            let at = Self::block_place(level, len / size - 1);
            for (field, bits) in block.pack().into_iter().enumerate() {
                self.levels[level].set(at + field, bits);
            }
        }
    }

    fn block_place(level: usize, index: usize) -> usize {
        let index = if level == 0 { index % (RING / LEVELS[0]) } else { index };
        index * FIELDS
    }

    fn block(&self, level: usize, index: usize) -> Column {
        Column::unpack(self.levels[level].read::<FIELDS>(Self::block_place(level, index)), LEVELS[level])
    }

    fn in_ring(&self, index: usize) -> f64 {
        f64::from_bits(self.ring.get(index % RING))
    }

    /// Page `page` from the disk.
    fn page(&self, page: usize) -> Option<Page> {
        let place = self.pages.get(page).checked_sub(1)?;
        self.spill.read(place)
    }

    /// What `read` makes of the series, when nothing it read from the ring on was overwritten meanwhile. It is given the length
    /// and where the ring begins to be read.
    fn steadily<T>(&self, read: impl Fn(usize, usize) -> T) -> T {
        loop {
            let len = self.len();
            let disk = on_disk(len);
            let found = read(len, disk);
            fence(Ordering::Acquire);
            // The entry under way, `len` at that moment, may be over the one a ring before it already.
            if self.len.load(Ordering::Relaxed) < disk + RING {
                return found;
            }
        }
    }

    /// Entries published so far. All entries before it are complete and will never change.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Step and value of entry `index`; `None` past the end. A value that was lost with its page is NaN.
    pub fn get(&self, index: usize) -> Option<(u64, f64)> {
        let value = self.steadily(|len, disk| {
            (index < len).then(|| {
                if index >= disk {
                    return self.in_ring(index);
                }
                self.page(index / PAGE).map_or(f64::NAN, |page| page[index % PAGE])
            })
        })?;
        Some((self.cadence.step(index), value))
    }

    /// Hands the entries of `range` (cut to what is there) to `visit` in order: as [`Series::get`] of each, in less time.
    pub fn visit(&self, range: Range<usize>, mut visit: impl FnMut(u64, f64)) {
        let mut index = range.start;
        loop {
            let chunk: Page = self.steadily(|len, disk| {
                let end = range.end.min(len).min((index / PAGE + 1) * PAGE);
                if index >= end {
                    return Page::from([]);
                }
                if index >= disk {
                    return (index..end).map(|index| self.in_ring(index)).collect();
                }
                match self.page(index / PAGE) {
                    Some(page) => page[index % PAGE..index % PAGE + (end - index)].into(),
                    None => vec![f64::NAN; end - index].into(),
                }
            });
            if chunk.is_empty() {
                return;
            }
            for value in chunk.iter() {
                visit(self.cadence.step(index), *value);
                index += 1;
            }
        }
    }

    /// The newest entry.
    pub fn last(&self) -> Option<(u64, f64)> {
        self.len().checked_sub(1).and_then(|index| self.get(index))
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

    /// Entries before `step`.
    pub fn before(&self, step: u64) -> usize {
        self.cadence.before(step, self.len())
    }

    /// The extent of the entries of `range` (cut to what is there), from the largest blocks that fit; exact to the entry, for which
    /// both ends may be read from disk.
    pub fn column(&self, range: Range<usize>) -> Column {
        self.steadily(|len, disk| self.column_of(range.start..range.end.min(len), disk))
    }

    fn column_of(&self, range: Range<usize>, disk: usize) -> Column {
        let Range { start: mut index, end } = range;
        let mut sum = Column::EMPTY;
        while index < end {
            let fits = |level: usize, size: usize| {
                index.is_multiple_of(size) && index + size <= end && (level > 0 || index >= disk)
            };
            let level = (0..LEVELS.len()).rev().find(|&level| fits(level, LEVELS[level]));
            if let Some(level) = level {
                sum = sum.then(self.block(level, index / LEVELS[level]));
                index += LEVELS[level];
            } else if index >= disk {
                sum = sum.then(Column::of(self.in_ring(index)));
                index += 1;
            } else {
                let next = (index / LEVELS[1] + 1) * LEVELS[1];
                let (page, stop) = (index / PAGE, next.min(end));
                sum = sum.then(match self.page(page) {
                    Some(values) => Column::of_all(&values[index - page * PAGE..stop - page * PAGE]),
                    // Lost: what is known is the extent of the block around.
                    None => Column { count: stop - index, ..self.block(1, index / LEVELS[1]) },
                });
                index = stop;
            }
        }
        sum
    }

    /// Where a column that begins at `from` best ends near `end`: at `end`, unless that lies among entries on disk and the column
    /// is so long that a block more or less does not show. Columns side by side that end there read nothing from disk.
    pub fn edge(&self, from: usize, end: usize) -> usize {
        let block = LEVELS[1];
        if end.saturating_sub(from) < 2 * block || end >= on_disk(self.len()) { end } else { end / block * block }
    }

    /// As if no page had been written.
    #[cfg(test)]
    pub(super) fn lose_pages(&self) {
        (0..self.len() / PAGE).for_each(|page| self.pages.set(page, 0));
    }

    /// Heap memory held, in bytes.
    pub fn bytes(&self) -> usize {
        let levels = self.levels.iter().map(Cells::bytes).sum::<usize>();
        self.ring.bytes() + self.cadence.bytes() + self.pages.bytes() + levels
    }
}
