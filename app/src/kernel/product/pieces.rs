//! Pieces of a product that threads take. Each has a part of its own, the same share of every matrix: what a thread writes in one
//! product it reads in the next, from its own cache. A thread that is through takes what the others have not come to.
#![forbid(unsafe_code)]

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most parts; more threads share them.
const PARTS: usize = 16;

/// What is left of a product.
pub(super) struct Pieces {
    /// Panels or strips of a piece.
    size: usize,
    parts: usize,
    /// Pieces of each part that are taken.
    taken: [AtomicUsize; PARTS],
}

impl Pieces {
    /// Pieces of `size` panels or strips for so many threads.
    pub(super) fn new(size: usize, threads: usize) -> Self {
        Self { size, parts: threads.clamp(1, PARTS), taken: std::array::from_fn(|_| AtomicUsize::new(0)) }
    }

    /// The next piece for a thread whose own part is `part`; empty where none is left. `blocks` are the panels or strips of each matrix,
    /// at every call the same.
    #[inline(always)]
    pub(super) fn take(&self, part: usize, blocks: impl IntoIterator<Item = usize> + Clone) -> Range<usize> {
        for offset in 0..self.parts {
            let part = (part + offset) % self.parts;
            let piece = self.taken[part].fetch_add(1, Ordering::Relaxed);
            if let Some(piece) = self.piece(part, piece, blocks.clone()) {
                return piece;
            }
        }
        0..0
    }

    /// Piece number `piece` of a part.
    #[inline(always)]
    fn piece(&self, part: usize, piece: usize, blocks: impl IntoIterator<Item = usize>) -> Option<Range<usize>> {
        let (mut before, mut left) = (0, piece);
        for count in blocks {
            let share = |part: usize| before + part * count / self.parts;
            let (start, end) = (share(part), share(part + 1));
            let pieces = (end - start).div_ceil(self.size);
            if left < pieces {
                let first = start + left * self.size;
                return Some(first..(first + self.size).min(end));
            }
            left -= pieces;
            before += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(size: usize, threads: usize, blocks: &[usize], order: impl Fn(usize) -> usize) -> Vec<Range<usize>> {
        let pieces = Pieces::new(size, threads);
        let taken = (0..).map(|turn| pieces.take(order(turn), blocks.iter().copied()));
        taken.take_while(|piece| !piece.is_empty()).collect()
    }

    #[test]
    fn each_piece_is_taken_once_whoever_comes() {
        for (size, threads, blocks) in
            [(1, 1, vec![7]), (3, 2, vec![11, 11]), (2, 5, vec![1, 9, 0, 4]), (4, 40, vec![100]), (9, 3, vec![2, 2])]
        {
            let count: usize = blocks.iter().sum();
            for order in [|_| 0, |turn| turn, |turn| turn * 7 + 3] {
                let mut times = vec![0; count];
                for piece in all(size, threads, &blocks, order) {
                    assert!(piece.len() <= size);
                    piece.for_each(|place| times[place] += 1);
                }
                assert!(times.iter().all(|times| *times == 1), "{size} {threads} {blocks:?}: {times:?}");
            }
        }
    }

    /// No piece reaches over a matrix, and a part is the same share of each.
    #[test]
    fn a_part_is_the_same_share_of_every_matrix() {
        let pieces = Pieces::new(3, 2);
        let of = |part| -> Vec<Range<usize>> { (0..).map_while(|piece| pieces.piece(part, piece, [11, 11])).collect() };
        assert_eq!(of(0), [0..3, 3..5, 11..14, 14..16]);
        assert_eq!(of(1), [5..8, 8..11, 16..19, 19..22]);
    }
}
