//! Working through a product: what all threads need of a factor is packed by all of them, then each takes pieces of the
//! other side, packs them and computes their tiles, until none is left: those of its own part, which is the same rows in product after
//! product and so in its own cache, then what the others have not come to. A thread that is held up takes fewer.
#![allow(unsafe_code)]

use super::pack::{self, Factor};
use super::pieces::Pieces;
use super::plan::{Plan, Side};
use super::scratch::{with_scratch, with_shared};
use super::tile::{Ahead, Soon, Unit};
use super::{Columns, Finish, Place, Rows, Tiled, is_wide};
use crate::kernel::parallel::together;
use std::ops::Range;

/// Numbers that a thread is worth while they are packed.
const PACKED_ALONE: usize = 1 << 13;
/// Numbers past the end of packed panels that may be written.
const GAP: usize = 16;

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
    Compute { other: Range<usize>, packed: Packed<T>, pieces: &'a Pieces, part: usize },
}

/// A product, planned.
pub(super) struct Product<'a, T, F> {
    pub rows: &'a [Rows<T>],
    pub columns: Columns<T>,
    pub finish: &'a F,
    /// Rows and columns of a tile.
    pub tile: (usize, usize),
    /// Panels and strips.
    pub counts: (usize, usize),
    pub plan: Plan,
}

// SAFETY: pieces write disjoint parts of the results and only read the factors, all of which outlive the product.
unsafe impl<T: Tiled, F: Finish<T>> Sync for Product<'_, T, F> {}

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
    /// As [`super::product`].
    pub unsafe fn run(&self) {
        let Plan { taken, length, shared, threads, piece, .. } = self.plan;
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
                    together(runs, |index| {
                        let from = (start + index * run).min(other.end);
                        let range = from..(from + run).min(other.end);
                        // SAFETY: runs of the scratch do not overlap; the range lies within the product.
                        unsafe { self.perform(places, Task::Pack { range, to: { pack }.0.add(index * stride) }) };
                    });
                    let pieces = Pieces::new(piece, threads);
                    together(threads, |part| {
                        let packed = Packed { data: { pack }.0.cast_const(), run, size, stride };
                        let task = Task::Compute { other: other.clone(), packed, pieces: &pieces, part };
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
    /// As [`super::product`]; what is packed must be of these places.
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
                Task::Compute { other, packed, pieces, part } => {
                    let taken = self.plan.taken;
                    let side = if taken == Side::Panels { U::MR } else { U::NR };
                    let take = || match taken {
                        Side::Panels => pieces.take(part, self.rows.iter().map(|block| block.rows.div_ceil(U::MR))),
                        Side::Strips => pieces.take(part, [self.counts.1]),
                    };
                    // The next piece is taken before this one is computed: its lines are brought near meanwhile.
                    let mut following = take();
                    while !following.is_empty() {
                        let piece = std::mem::replace(&mut following, take());
                        let mut ahead = self.ahead::<U>(following.clone(), places);
                        let size = side * places.1;
                        let own_packed = Packed { data: own.as_ptr(), run: usize::MAX, size, stride: 0 };
                        let to = own.as_mut_ptr();
                        if taken == Side::Panels {
                            self.pack_panels::<U>(piece.clone(), places, to);
                            self.tiles::<U>((piece, own_packed), (other.clone(), packed), places, sums, &mut ahead);
                        } else {
                            self.pack_strips::<U>(piece.clone(), places, to);
                            self.tiles::<U>((other.clone(), packed), (piece, own_packed), places, sums, &mut ahead);
                        }
                    }
                }
            }
        }
    }

    /// The lines in memory that packing this piece will read.
    #[inline(always)]
    fn ahead<U: Unit<T = T>>(&self, piece: Range<usize>, places: (usize, usize)) -> Ahead {
        if piece.is_empty() {
            return Ahead::none();
        }
        let (factor, row, count) = match self.plan.taken {
            Side::Strips => {
                let row = piece.start * U::NR;
                (self.strip_factor(), row, (piece.len() * U::NR).min(self.columns.columns - row))
            }
            // Of those that belong to another matrix nothing is asked for.
            Side::Panels => {
                let (block, row) = self.panel(piece.start);
                (self.panel_factor(block), row, (piece.len() * U::MR).min(self.rows[block].rows - row))
            }
        };
        let (lines, length) = if factor.inner_first { (count, places.1) } else { (places.1, count) };
        // SAFETY: the piece lies within the product.
        Ahead::new(unsafe { factor.from(row, places.0) }, lines, length, factor.stride)
    }

    /// op(A) of a block.
    #[inline(always)]
    fn panel_factor(&self, block: usize) -> Factor<T> {
        let rows = &self.rows[block];
        let stride = if rows.transposed { rows.rows } else { self.columns.inner };
        Factor { data: rows.a, stride, inner_first: !rows.transposed }
    }

    /// op(B)ᵀ.
    #[inline(always)]
    fn strip_factor(&self) -> Factor<T> {
        let Columns { columns, inner, b, transposed } = self.columns;
        Factor { data: b, stride: if transposed { inner } else { columns }, inner_first: transposed }
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
            let factor = self.panel_factor(block);
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
        let (factor, columns) = (self.strip_factor(), self.columns.columns);
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
        ahead: &mut Ahead,
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
                    if !self.finish.wanted(row..row + count, column) {
                        continue;
                    }
                    let width = U::NR.min(columns - column);
                    let packed = strips_packed.at(strip - strips.start);
                    // SAFETY: the tile lies within the result; the factors are packed for these places.
                    unsafe {
                        let c = rows.c.add(row * columns + column);
                        let soon = Soon { start: c.cast_const(), stride: columns };
                        if width > U::NR / 2 {
                            U::tile(count, places.1, from, packed, sums.as_mut_ptr(), soon, ahead);
                        } else {
                            U::half(count, places.1, from, packed, sums.as_mut_ptr(), soon);
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
