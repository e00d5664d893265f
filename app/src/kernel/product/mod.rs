//! Matrix products with what follows them, on packed factors: C ← f(C, A·op(B)) tile by tile.
//!
//! The panels of one packed part of B serve all rows of A, from however many matrices these come (a forward pass and its
//! tangents go through a layer as one product); what is done with a finished tile ([`Finish`]) is part of the same pass
//! over C: a bias, an activation with its derivative, a step of gradient descent.
//!
//! A number of the result is one chain of fused multiply-adds along the inner dimension, cut at places that depend on its
//! length alone: the bits depend neither on the number of threads nor on what else is computed beside it.
#![allow(unsafe_code)]

mod finish;
mod pack;
mod scratch;
mod tile;

pub(super) use finish::{Activated, Biased, Descent, Scaled};

use super::real::Real;
#[cfg(target_arch = "x86_64")]
use super::wide::{Width, width};
use pack::Factor;
use scratch::{with_scratch, with_shared};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tile::{Soon, Unit};

/// Most places of the inner dimension that are packed at once.
const INNER: usize = 1024;
/// Longer ones are cut at multiples of this, at the same places for all tiles.
const CUT: usize = 16;
/// Inner lengths up to this are packed whole, so that a tile is finished when it is made.
pub(super) const WHOLE: usize = 1024;
/// Work, in multiply-adds, that a thread is worth.
const PIECE: usize = 1 << 20;
/// Pieces that a thread takes of a product, if none is held up.
const PIECES: usize = 4;
/// Bytes that all threads pack together at once, unless one panel or strip takes more.
const SHARED_BYTES: usize = 2 << 20;
/// Numbers that a thread is worth while they are packed.
const PACKED_ALONE: usize = 1 << 13;
/// Numbers past the end of packed panels that may be written.
const GAP: usize = 16;

/// An element type that tiles exist for.
pub(super) trait Tiled: Real {
    /// On vectors of 512 bits.
    type Wide: Unit<T = Self>;
    /// On vectors of 256 bits.
    type Narrow: Unit<T = Self>;
}

impl Tiled for f32 {
    type Wide = tile::Wide32;
    type Narrow = tile::Narrow32;
}

impl Tiled for f64 {
    type Wide = tile::Wide64;
    type Narrow = tile::Narrow64;
}

/// Rows of a product: op(A), m × k, and where the result goes, m × n.
#[derive(Clone, Copy)]
pub(super) struct Rows<T> {
    /// m.
    pub rows: usize,
    /// A: m × k, or k × m if transposed.
    pub a: *const T,
    /// Whether A is transposed.
    pub transposed: bool,
    /// C.
    pub c: *mut T,
}

/// The common factor: op(B), k × n.
#[derive(Clone, Copy)]
pub(super) struct Columns<T> {
    /// n.
    pub columns: usize,
    /// k.
    pub inner: usize,
    /// B: k × n, or n × k if transposed.
    pub b: *const T,
    /// Whether B is transposed.
    pub transposed: bool,
}

/// Where a row of a tile lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Index of the [`Rows`].
    pub block: usize,
    /// The row there.
    pub row: usize,
    /// Its first column.
    pub column: usize,
    /// Whether nothing of the sum is in C yet.
    pub first: bool,
    /// Whether the sum is complete with this.
    pub last: bool,
}

/// What is done with sums.
pub(super) trait Finish<T>: Sync {
    /// Takes the sums of a part of a row into `c`. Called in order of the inner dimension.
    fn row(&self, at: Place, sums: &[T], c: &mut [T]);

    /// Called after the last row of a tile, `panel` and `strip` counted over the whole product, with all its sums in rows
    /// of `columns`. Those outside the result are zero.
    #[inline(always)]
    fn tile(&self, _panel: usize, _strip: usize, _columns: usize, _sums: &[T]) {}
}

/// Whether the processor has tiles: they need fused multiply-adds.
pub(super) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return !matches!(width(), Width::Baseline);
    #[cfg(not(target_arch = "x86_64"))]
    cfg!(target_arch = "aarch64")
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

/// Whether the processor has the wide tiles.
fn is_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    return matches!(width(), Width::Avx512);
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// Rows and columns of a tile of `T`.
pub(super) fn tile_extent<T: Tiled>() -> (usize, usize) {
    if is_wide() { (T::Wide::MR, T::Wide::NR) } else { (T::Narrow::MR, T::Narrow::NR) }
}

/// Which side of the result the threads take pieces of; the factor of the other side is packed by all together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Panels,
    Strips,
}

/// How a product is worked through.
#[derive(Clone, Copy)]
struct Plan {
    /// Whose pieces threads take.
    taken: Side,
    /// Places of the inner dimension that are packed at once.
    length: usize,
    /// Panels or strips of the other side that are packed at once, for all threads.
    shared: usize,
    /// Panels or strips of a piece.
    piece: usize,
    /// Strips that stay in the second-level cache while panels pass along them.
    group: usize,
    /// Threads.
    threads: usize,
}

/// A packed factor.
#[derive(Clone, Copy)]
struct Packed<T> {
    data: *const T,
    /// Panels or strips that follow each other without a gap.
    run: usize,
    /// Numbers of a panel or strip, and from one run to the next.
    size: usize,
    stride: usize,
}

impl<T> Packed<T> {
    /// Where the panel or strip `index` begins.
    #[inline(always)]
    fn at(self, index: usize) -> *const T {
        self.data.wrapping_add(index / self.run * self.stride + index % self.run * self.size)
    }
}

/// What a thread does for a product.
enum Task<'a, T> {
    /// Packs panels or strips of the side that all share.
    Pack { range: Range<usize>, to: *mut T },
    /// Takes pieces and computes their tiles until none is left.
    Compute { other: Range<usize>, packed: Packed<T>, next: &'a AtomicUsize },
}

struct Product<'a, T, F> {
    rows: &'a [Rows<T>],
    columns: Columns<T>,
    finish: &'a F,
    /// Rows and columns of a tile.
    tile: (usize, usize),
    /// Panels and strips.
    counts: (usize, usize),
    plan: Plan,
}

// SAFETY: pieces write disjoint parts of the results and only read the factors, all of which outlive the product.
unsafe impl<T: Tiled, F: Finish<T>> Sync for Product<'_, T, F> {}

/// Computes the product, on as many of the pool's threads as it is worth.
///
/// # Safety
/// The processor must have tiles ([`available`]). The matrices must be as large as said and contiguous; the results must
/// overlap neither each other nor a factor, and nobody else may use them meanwhile.
pub(super) unsafe fn product<T: Tiled, F: Finish<T>>(rows: &[Rows<T>], columns: Columns<T>, finish: &F) {
    let tile = tile_extent::<T>();
    let panels: usize = rows.iter().map(|block| block.rows.div_ceil(tile.0)).sum();
    let counts = (panels, columns.columns.div_ceil(tile.1));
    let work = rows.iter().map(|block| block.rows).sum::<usize>() * columns.columns * columns.inner;
    let threads = (work / PIECE).clamp(1, rayon::current_num_threads());
    let plan = Plan::new::<T>(counts, tile, columns, threads);
    let product = Product { rows, columns, finish, tile, counts, plan };
    // SAFETY: as the caller promises.
    unsafe { product.run() };
}

impl Plan {
    fn new<T>(counts: (usize, usize), tile: (usize, usize), columns: Columns<T>, threads: usize) -> Self {
        let blocks = if columns.inner <= WHOLE { 1 } else { columns.inner.div_ceil(INNER) };
        let length = columns.inner.div_ceil(blocks).next_multiple_of(CUT);
        let most = |bytes: usize, side: usize| (bytes / (side * length * size_of::<T>())).max(1);
        // Groups of equal size.
        let share = |count: usize, most: usize| count.div_ceil(count.div_ceil(most).max(1)).max(1);
        let group = share(counts.1, most(strips_bytes(), tile.1));
        // Several pieces a thread: one that is held up takes fewer.
        let piece =
            |count: usize, most: usize| if threads > 1 { most.min(count.div_ceil(PIECES * threads)) } else { most };
        if threads > 1 && counts.0 * tile.0 > columns.columns {
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

/// Runs `work` with 0 to `threads` − 1, on as many threads as have nothing else to do.
fn together(threads: Range<usize>, work: &(impl Fn(usize) + Sync)) {
    match threads.len() {
        0 => {}
        1 => work(threads.start),
        count => {
            let middle = threads.start + count / 2;
            rayon::join(|| together(threads.start..middle, work), || together(middle..threads.end, work));
        }
    }
}

/// A pointer that threads share, each for its own part of what it leads to.
#[derive(Clone, Copy)]
struct Apart<T>(*mut T);

// SAFETY: see the type.
unsafe impl<T> Send for Apart<T> {}
// SAFETY: see the type.
unsafe impl<T> Sync for Apart<T> {}

impl<T: Tiled, F: Finish<T>> Product<'_, T, F> {
    /// Computes the whole.
    ///
    /// # Safety
    /// As [`product`].
    unsafe fn run(&self) {
        let Plan { taken, length, shared, threads, .. } = self.plan;
        // Panels and strips of the side that is packed by all, and its numbers across.
        let (count, side) = match taken {
            Side::Strips => (self.counts.0, self.tile.0),
            Side::Panels => (self.counts.1, self.tile.1),
        };
        // Each thread packs a run; the last place of a run may be followed by a few numbers that are none.
        let runs = (shared * side * length / PACKED_ALONE).clamp(1, threads);
        let run = shared.div_ceil(runs);
        let stride = run * side * length + GAP;
        with_shared::<T, _>(runs * stride, |pack| {
            let pack = Apart(pack.as_mut_ptr());
            for start in (0..count).step_by(shared) {
                let other = start..(start + shared).min(count);
                for place in (0..self.columns.inner).step_by(length) {
                    let places = (place, length.min(self.columns.inner - place));
                    let size = side * places.1;
                    together(0..runs, &|index| {
                        let from = (start + index * run).min(other.end);
                        let range = from..(from + run).min(other.end);
                        // SAFETY: runs of the scratch do not overlap; the range lies within the product.
                        unsafe { self.perform(places, Task::Pack { range, to: { pack }.0.add(index * stride) }) };
                    });
                    let next = AtomicUsize::new(0);
                    together(0..threads, &|_| {
                        let packed = Packed { data: { pack }.0.cast_const(), run, size, stride };
                        let task = Task::Compute { other: other.clone(), packed, next: &next };
                        // SAFETY: packed as just said; a piece is taken once.
                        unsafe { self.perform(places, task) };
                    });
                }
            }
        });
    }

    /// Does a task with the processor's vectors.
    ///
    /// # Safety
    /// As [`product`]; what is packed must be of these places.
    unsafe fn perform(&self, places: (usize, usize), task: Task<'_, T>) {
        let Plan { taken, length, piece, .. } = self.plan;
        let side = if taken == Side::Panels { self.tile.0 } else { self.tile.1 };
        let scratch = self.tile.0 * self.tile.1 + piece * side * length + GAP;
        // The scratch is taken out here: a closure does not inherit what the compiler may assume of the processor.
        with_scratch::<T, _>(scratch, |scratch| {
            // SAFETY: `is_wide` says what the processor has, and the caller that it has tiles.
            unsafe { if is_wide() { self.wide(places, task, scratch) } else { self.narrow(places, task, scratch) } }
        });
    }

    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))]
    unsafe fn wide(&self, places: (usize, usize), task: Task<'_, T>, scratch: &mut [T]) {
        // SAFETY: as the caller promises.
        unsafe { self.work::<T::Wide>(places, task, scratch) }
    }

    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
    unsafe fn narrow(&self, places: (usize, usize), task: Task<'_, T>, scratch: &mut [T]) {
        // SAFETY: as the caller promises.
        unsafe { self.work::<T::Narrow>(places, task, scratch) }
    }

    /// Does a task.
    ///
    /// # Safety
    /// The processor must have the unit's width; the rest as [`Product::perform`].
    #[inline(always)]
    unsafe fn work<U: Unit<T = T>>(&self, places: (usize, usize), task: Task<'_, T>, scratch: &mut [T]) {
        let (sums, own) = scratch.split_at_mut(U::MR * U::NR);
        // SAFETY: panels, strips and places lie within the product; the scratch was sized for them.
        unsafe {
            match task {
                Task::Pack { range, to } if self.plan.taken == Side::Strips => self.pack_panels::<U>(range, places, to),
                Task::Pack { range, to } => self.pack_strips::<U>(range, places, to),
                Task::Compute { other, packed, next } => {
                    let taken = self.plan.taken;
                    let (count, side) = match taken {
                        Side::Panels => (self.counts.0, U::MR),
                        Side::Strips => (self.counts.1, U::NR),
                    };
                    loop {
                        let first = next.fetch_add(1, Ordering::Relaxed) * self.plan.piece;
                        if first >= count {
                            return;
                        }
                        let piece = first..(first + self.plan.piece).min(count);
                        let size = side * places.1;
                        let own_packed = Packed { data: own.as_ptr(), run: usize::MAX, size, stride: 0 };
                        let to = own.as_mut_ptr();
                        if taken == Side::Panels {
                            self.pack_panels::<U>(piece.clone(), places, to);
                            self.tiles::<U>((piece, own_packed), (other.clone(), packed), places, sums);
                        } else {
                            self.pack_strips::<U>(piece.clone(), places, to);
                            self.tiles::<U>((other.clone(), packed), (piece, own_packed), places, sums);
                        }
                    }
                }
            }
        }
    }

    /// Packs panels of A.
    ///
    /// # Safety
    /// As [`Product::work`]; `to` must hold them and [`GAP`] numbers more.
    #[inline(always)]
    unsafe fn pack_panels<U: Unit<T = T>>(&self, panels: Range<usize>, places: (usize, usize), to: *mut T) {
        let mut next = panels.start;
        while next < panels.end {
            // The panels that belong to one matrix.
            let (block, row) = self.panel(next);
            let rows = &self.rows[block];
            let count = (rows.rows - row).min((panels.end - next) * U::MR);
            let factor = Factor {
                data: rows.a,
                stride: if rows.transposed { rows.rows } else { self.columns.inner },
                inner_first: !rows.transposed,
            };
            // SAFETY: as the caller promises.
            unsafe {
                let to = to.add((next - panels.start) * U::MR * places.1);
                pack::panels::<U>(factor, (row, count), places, U::MR, to);
            }
            next += count.div_ceil(U::MR);
        }
    }

    /// Packs strips of B.
    ///
    /// # Safety
    /// As [`Product::pack_panels`].
    #[inline(always)]
    unsafe fn pack_strips<U: Unit<T = T>>(&self, strips: Range<usize>, places: (usize, usize), to: *mut T) {
        let Columns { columns, inner, b, transposed } = self.columns;
        let factor = Factor { data: b, stride: if transposed { inner } else { columns }, inner_first: transposed };
        let column = (strips.start * U::NR).min(columns);
        let count = (strips.len() * U::NR).min(columns - column);
        // SAFETY: as the caller promises.
        unsafe { pack::panels::<U>(factor, (column, count), places, U::NR, to) };
    }

    /// Computes the tiles of packed panels and strips.
    ///
    /// # Safety
    /// As [`Product::work`]; nobody else may write this part.
    #[inline(always)]
    unsafe fn tiles<U: Unit<T = T>>(
        &self,
        (panels, rows_packed): (Range<usize>, Packed<T>),
        (strips, strips_packed): (Range<usize>, Packed<T>),
        places: (usize, usize),
        sums: &mut [T],
    ) {
        let Columns { columns, inner, .. } = self.columns;
        let (first, last) = (places.0 == 0, places.0 + places.1 == inner);
        for group in strips.clone().step_by(self.plan.group) {
            let group = group..(group + self.plan.group).min(strips.end);
            for panel in panels.clone() {
                let from = rows_packed.at(panel - panels.start);
                let (block, row) = self.panel(panel);
                let rows = &self.rows[block];
                let count = U::MR.min(rows.rows - row);
                // Rows of C are written along the strips: its lines and pages follow each other.
                for strip in group.clone() {
                    let column = strip * U::NR;
                    let width = U::NR.min(columns - column);
                    let packed = strips_packed.at(strip - strips.start);
                    // SAFETY: the tile lies within the result; the factors are packed for these places.
                    unsafe {
                        let c = rows.c.add(row * columns + column);
                        let soon = Soon { start: c.cast_const(), stride: columns };
                        if width > U::NR / 2 {
                            U::tile(places.1, from, packed, sums.as_mut_ptr(), soon);
                        } else {
                            U::half(places.1, from, packed, sums.as_mut_ptr(), soon);
                        }
                        for i in 0..count {
                            let place = Place { block, row: row + i, column, first, last };
                            let c = c.add(i * columns);
                            let sums = &sums[i * U::NR..(i + 1) * U::NR];
                            // A constant width is a constant number of vectors.
                            if width == U::NR {
                                self.finish.row(place, sums, std::slice::from_raw_parts_mut(c, U::NR));
                            } else {
                                self.finish.row(place, &sums[..width], std::slice::from_raw_parts_mut(c, width));
                            }
                        }
                    }
                    self.finish.tile(panel, strip, U::NR, &sums[..U::MR * U::NR]);
                }
            }
        }
    }

    /// The block a panel belongs to, and its first row there.
    #[inline(always)]
    fn panel(&self, panel: usize) -> (usize, usize) {
        let mut left = panel;
        for (block, rows) in self.rows.iter().enumerate() {
            let panels = rows.rows.div_ceil(self.tile.0);
            if left < panels {
                return (block, left * self.tile.0);
            }
            left -= panels;
        }
        (0, 0)
    }
}
