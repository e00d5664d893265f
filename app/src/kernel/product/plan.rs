//! How a product is worked through: what is packed at once, and what threads take in turn.
#![forbid(unsafe_code)]

use super::{Columns, WHOLE};
use std::sync::OnceLock;

/// Most places of the inner dimension that are packed at once.
const INNER: usize = 1024;
/// Longer ones are cut at multiples of this, at the same places for all tiles.
const CUT: usize = 16;
/// Pieces that a thread takes of a product, if none is held up.
const PIECES: usize = 4;
/// Bytes that all threads pack together at once, unless one panel or strip takes more.
const SHARED_BYTES: usize = 2 << 20;

/// Which side of the result the threads take pieces of; the factor of the other side is packed by all together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Panels,
    Strips,
}

/// How a product is worked through.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Whose pieces threads take.
    pub taken: Side,
    /// Places of the inner dimension that are packed at once.
    pub length: usize,
    /// Panels or strips of the other side that are packed at once, for all threads.
    pub shared: usize,
    /// Panels or strips of a piece.
    pub piece: usize,
    /// Strips that stay in the second-level cache while panels pass along them.
    pub group: usize,
    /// Threads.
    pub threads: usize,
}

impl Plan {
    /// For so many panels and strips of a tile's extents, and at most so many threads, `by_rows` of the result if they may.
    pub fn new<T>(
        counts: (usize, usize),
        tile: (usize, usize),
        columns: Columns<T>,
        threads: usize,
        by_rows: bool,
    ) -> Self {
        let blocks = if columns.inner <= WHOLE { 1 } else { columns.inner.div_ceil(INNER) };
        let length = columns.inner.div_ceil(blocks).next_multiple_of(CUT);
        let most = |bytes: usize, side: usize| (bytes / (side * length * size_of::<T>())).max(1);
        // Groups of equal size.
        let share = |count: usize, most: usize| count.div_ceil(count.div_ceil(most).max(1)).max(1);
        let group = share(counts.1, most(strips_bytes(), tile.1));
        // Several pieces a thread: one that is held up takes fewer.
        let piece =
            |count: usize, most: usize| if threads > 1 { most.min(count.div_ceil(PIECES * threads)) } else { most };
        let by_rows = by_rows && counts.0 >= PIECES * threads;
        if threads > 1 && (by_rows || counts.0 * tile.0 > columns.columns) {
            let piece = piece(counts.0, most(strips_bytes() / 2, tile.0)).max(1);
            let shared = share(counts.1, most(SHARED_BYTES, tile.1));
            Self { taken: Side::Panels, length, shared, piece, group, threads: threads.min(counts.0.div_ceil(piece)) }
        } else {
            let piece = piece(counts.1, group).max(1);
            let shared = share(counts.0, most(SHARED_BYTES, tile.0));
            Self {
                taken: Side::Strips,
                length,
                shared,
                piece,
                group,
                threads: threads.min(counts.1.div_ceil(piece)).max(1),
            }
        }
    }
}

/// Bytes of strips that are packed at once: half of the second-level cache, from where every panel of rows, which stays
/// in the first level, reads them. The bits of a result do not depend on it.
fn strips_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| {
        let cache = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index2/size").unwrap_or_default();
        let kib = cache.trim().strip_suffix('K').and_then(|kib| kib.parse().ok()).unwrap_or(1024usize);
        (kib.clamp(256, 4096) << 10) / 2
    })
}
