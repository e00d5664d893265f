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
mod pieces;
mod plan;
mod scratch;
mod tile;
mod work;

pub(super) use finish::{Activated, Biased, Descent, Lower, Scaled};

use super::real::Real;
#[cfg(target_arch = "x86_64")]
use super::wide::{Width, width};
use plan::Plan;
use tile::Unit;
use work::Product;

/// Inner lengths up to this are packed whole, so that a tile is finished when it is made.
pub(super) const WHOLE: usize = 1024;
/// Work, in multiply-adds, that a thread is worth.
const PIECE: usize = 1 << 20;

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
    /// Whether threads take rows of the result where there are a few pieces for each, even if it has more columns: those of a weight, which
    /// the next product that reads it takes so too.
    const BY_ROWS: bool = false;

    /// Takes the sums of a part of a row into `c`. Called in order of the inner dimension.
    fn row(&self, at: Place, sums: &[T], c: &mut [T]);

    /// Whether the tile of these rows that begins at `column` is computed at all.
    #[inline(always)]
    fn wanted(&self, _rows: std::ops::Range<usize>, _column: usize) -> bool {
        true
    }

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
    let plan = Plan::new::<T>(counts, tile, columns, threads, F::BY_ROWS);
    // SAFETY: as the caller promises.
    unsafe { Product { rows, columns, finish, tile, counts, plan }.run() };
}
