//! A growing array of 64-bit cells that never move: one thread writes, any number read, without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Cells of the first bucket.
const FIRST: usize = 64;
/// Buckets: 64·2^33 cells, more than any run fills.
const BUCKETS: usize = 34;

/// The array. Bucket 0 holds cells 0 to 64, bucket k those from 64·2^(k−1) to 64·2^k: powers of two are filled without a rest.
pub(super) struct Cells {
    buckets: [OnceLock<Box<[AtomicU64]>>; BUCKETS],
}

impl Cells {
    pub(super) fn new() -> Self {
        Self { buckets: [const { OnceLock::new() }; BUCKETS] }
    }

    /// Bucket, its size, and the place in it, of cell `index`.
    fn place(index: usize) -> (usize, usize, usize) {
        match index / FIRST {
            0 => (0, FIRST, index),
            blocks => {
                let size = FIRST << blocks.ilog2();
                (blocks.ilog2() as usize + 1, size, index - size)
            }
        }
    }

    pub(super) fn set(&self, index: usize, value: u64) {
        let (bucket, size, place) = Self::place(index);
        if let Some(slot) = self.buckets.get(bucket) {
            let cells = slot.get_or_init(|| (0..size).map(|_| AtomicU64::new(0)).collect());
            cells[place].store(value, Ordering::Relaxed);
        }
    }

    /// The cell's value; 0 where nothing was written.
    pub(super) fn get(&self, index: usize) -> u64 {
        let (bucket, _, place) = Self::place(index);
        self.buckets.get(bucket).and_then(OnceLock::get).map_or(0, |cells| cells[place].load(Ordering::Relaxed))
    }

    /// Cells `index` to `index + N`, at once where they lie in one bucket.
    pub(super) fn read<const N: usize>(&self, index: usize) -> [u64; N] {
        let (bucket, _, place) = Self::place(index);
        match self.buckets.get(bucket).and_then(OnceLock::get).and_then(|cells| cells.get(place..place + N)) {
            Some(cells) => std::array::from_fn(|field| cells[field].load(Ordering::Relaxed)),
            None => std::array::from_fn(|field| self.get(index + field)),
        }
    }

    /// Heap memory held.
    pub(super) fn bytes(&self) -> usize {
        self.buckets.iter().filter_map(OnceLock::get).map(|cells| cells.len() * size_of::<AtomicU64>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_a_place_of_its_own() {
        let cells = Cells::new();
        for index in 0..5000 {
            cells.set(index, index as u64 + 1);
        }
        for index in 0..5000 {
            assert_eq!(cells.get(index), index as u64 + 1);
        }
        assert_eq!(cells.read::<4>(62), [63, 64, 65, 66]);
        assert_eq!(cells.get(1 << 30), 0);
    }

    #[test]
    fn powers_of_two_are_filled_without_a_rest() {
        let cells = Cells::new();
        (0..32768).for_each(|index| cells.set(index, 1));
        assert_eq!(cells.bytes(), 32768 * 8);
    }
}
