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
use scratch::with_scratch;
use std::ops::Range;
use std::sync::OnceLock;
use tile::{Soon, Unit};

/// Most places of the inner dimension that are packed at once.
const INNER: usize = 1024;
/// Longer ones are cut at multiples of this, at the same places for all tiles.
const CUT: usize = 16;
/// Inner lengths up to this are packed whole, so that a tile is finished when it is made.
pub(super) const WHOLE: usize = 1024;
/// Work, in multiply-adds, that a thread is worth.
const PIECE: usize = 1 << 20;
/// Bytes of rows that are packed at once, unless one panel takes more.
const ROWS_BYTES: usize = 2 << 20;

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

/// How a part of a product is worked through.
#[derive(Clone, Copy)]
struct Plan {
    /// Places of the inner dimension that are packed at once.
    length: usize,
    /// Panels that are packed at once.
    panels: usize,
    /// Strips that are packed at once.
    strips: usize,
    /// Numbers of scratch.
    scratch: usize,
}

struct Product<'a, T, F> {
    rows: &'a [Rows<T>],
    columns: Columns<T>,
    finish: &'a F,
    /// Rows and columns of a tile.
    tile: (usize, usize),
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
    let product = Product { rows, columns, finish, tile };
    let panels: usize = rows.iter().map(|block| block.rows.div_ceil(tile.0)).sum();
    let strips = columns.columns.div_ceil(tile.1);
    let work = rows.iter().map(|block| block.rows).sum::<usize>() * columns.columns * columns.inner;
    let pieces = (work / PIECE).clamp(1, rayon::current_num_threads());
    let by_panels = panels * tile.0 > columns.columns;
    let pieces = pieces.min(if by_panels { panels } else { strips }).max(1);
    product.cut(0..panels, 0..strips, by_panels, pieces);
}

impl<T: Tiled, F: Finish<T>> Product<'_, T, F> {
    /// Shares a part among `pieces` threads.
    fn cut(&self, panels: Range<usize>, strips: Range<usize>, by_panels: bool, pieces: usize) {
        if pieces > 1 {
            let left = pieces / 2;
            let side = if by_panels { &panels } else { &strips };
            let middle = side.start + side.len() * left / pieces;
            let halves = if by_panels {
                [(panels.start..middle, strips.clone()), (middle..panels.end, strips)]
            } else {
                [(panels.clone(), strips.start..middle), (panels, middle..strips.end)]
            };
            let [(p0, s0), (p1, s1)] = halves;
            rayon::join(|| self.cut(p0, s0, by_panels, left), || self.cut(p1, s1, by_panels, pieces - left));
            return;
        }
        // The scratch is taken out here: a closure does not inherit what the compiler may assume of the processor.
        if is_wide() {
            let plan = self.plan::<T::Wide>(panels.len(), strips.len());
            // SAFETY: `is_wide` says what the processor has; the part lies within the product.
            with_scratch::<T, _>(plan.scratch, |scratch| unsafe { self.wide(panels, strips, plan, scratch) });
        } else {
            let plan = self.plan::<T::Narrow>(panels.len(), strips.len());
            // SAFETY: the caller of `product` promises that the processor has tiles; the part lies within the product.
            with_scratch::<T, _>(plan.scratch, |scratch| unsafe { self.narrow(panels, strips, plan, scratch) });
        }
    }

    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))]
    unsafe fn wide(&self, panels: Range<usize>, strips: Range<usize>, plan: Plan, scratch: &mut [T]) {
        // SAFETY: as the caller promises.
        unsafe { self.part::<T::Wide>(panels, strips, plan, scratch) }
    }

    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,fma"))]
    unsafe fn narrow(&self, panels: Range<usize>, strips: Range<usize>, plan: Plan, scratch: &mut [T]) {
        // SAFETY: as the caller promises.
        unsafe { self.part::<T::Narrow>(panels, strips, plan, scratch) }
    }

    /// How a part of `panels` × `strips` tiles is worked through.
    fn plan<U: Unit<T = T>>(&self, panels: usize, strips: usize) -> Plan {
        let inner = self.columns.inner;
        let blocks = if inner <= WHOLE { 1 } else { inner.div_ceil(INNER) };
        let length = inner.div_ceil(blocks).next_multiple_of(CUT);
        // Groups of equal size.
        let share = |count: usize, bytes: usize, side: usize| {
            let most = (bytes / (side * length * size_of::<T>())).max(1);
            count.div_ceil(count.div_ceil(most).max(1)).max(1)
        };
        let (panels, strips) = (share(panels, ROWS_BYTES, U::MR), share(strips, strips_bytes(), U::NR));
        let scratch = (panels * U::MR + strips * U::NR) * length + U::MR * U::NR + 4 * U::SIDE;
        Plan { length, panels, strips, scratch }
    }

    /// Computes the tiles of `panels` × `strips`.
    ///
    /// # Safety
    /// The processor must have the unit's width, and nobody else may write this part; the scratch is as `plan` says.
    #[inline(always)]
    unsafe fn part<U: Unit<T = T>>(&self, panels: Range<usize>, strips: Range<usize>, plan: Plan, scratch: &mut [T]) {
        let inner = self.columns.inner;
        let length = plan.length;
        let (sums, rest) = scratch.split_at_mut(U::MR * U::NR);
        let (strip_pack, row_pack) = rest.split_at_mut(plan.strips * U::NR * length + U::SIDE.next_multiple_of(16));
        for start in panels.clone().step_by(plan.panels) {
            let panels = start..(start + plan.panels).min(panels.end);
            for place in (0..inner).step_by(length) {
                let places = (place, length.min(inner - place));
                // SAFETY: panels, strips and places lie within the product; the scratch was sized for them.
                unsafe {
                    self.rows::<U>(panels.clone(), places, row_pack);
                    for first in strips.clone().step_by(plan.strips) {
                        let now = first..(first + plan.strips).min(strips.end);
                        self.strips::<U>(now, panels.clone(), places, row_pack, strip_pack, sums);
                    }
                }
            }
        }
    }

    /// Packs panels of A.
    ///
    /// # Safety
    /// As [`Product::part`].
    #[inline(always)]
    unsafe fn rows<U: Unit<T = T>>(&self, panels: Range<usize>, places: (usize, usize), row_pack: &mut [T]) {
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
                let to = row_pack.as_mut_ptr().add((next - panels.start) * U::MR * places.1);
                pack::panels::<U>(factor, (row, count), places, U::MR, to);
            }
            next += count.div_ceil(U::MR);
        }
    }

    /// Packs some strips of B and computes their tiles in the packed panels.
    ///
    /// # Safety
    /// As [`Product::part`].
    #[inline(always)]
    unsafe fn strips<U: Unit<T = T>>(
        &self,
        strips: Range<usize>,
        panels: Range<usize>,
        places: (usize, usize),
        row_pack: &[T],
        strip_pack: &mut [T],
        sums: &mut [T],
    ) {
        let Columns { columns, inner, b, transposed } = self.columns;
        let factor = Factor { data: b, stride: if transposed { inner } else { columns }, inner_first: transposed };
        let (first, last) = (places.0 == 0, places.0 + places.1 == inner);
        // SAFETY: as the caller promises.
        unsafe {
            let column = strips.start * U::NR;
            let count = (strips.len() * U::NR).min(columns - column);
            pack::panels::<U>(factor, (column, count), places, U::NR, strip_pack.as_mut_ptr());
            for (index, panel) in panels.enumerate() {
                let from = row_pack.as_ptr().add(index * U::MR * places.1);
                let (block, row) = self.panel(panel);
                let rows = &self.rows[block];
                let count = U::MR.min(rows.rows - row);
                // Rows of C are written along the strips: its lines and pages follow each other.
                for (index, strip) in strips.clone().enumerate() {
                    let column = strip * U::NR;
                    let width = U::NR.min(columns - column);
                    let packed = strip_pack.as_ptr().add(index * U::NR * places.1);
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
