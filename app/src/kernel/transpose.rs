//! Transposition by tiles, so that lines of the cache are read and written whole.
//!
//! Not compiled for wider vectors: the compiler would gather the tile's columns, which is no faster.

use super::real::Real;

/// Side of a tile.
const TILE: usize = 16;

/// `dst[j, i] ← src[i, j]` for `rows` × `columns` numbers; rows of `src` start `strides.0` apart, those of `dst`
/// `strides.1`.
pub(super) fn transpose_pass<T: Real>(src: &[T], dst: &mut [T], rows: usize, columns: usize, strides: (usize, usize)) {
    let (from, to) = strides;
    let (whole_rows, whole_columns) = (rows / TILE * TILE, columns / TILE * TILE);
    for i in (0..whole_rows).step_by(TILE) {
        for j in (0..whole_columns).step_by(TILE) {
            let mut tile = [[T::ZERO; TILE]; TILE];
            for (y, line) in tile.iter_mut().enumerate() {
                line.copy_from_slice(&src[(i + y) * from + j..][..TILE]);
            }
            for x in 0..TILE {
                let line = &mut dst[(j + x) * to + i..][..TILE];
                for y in 0..TILE {
                    line[y] = tile[y][x];
                }
            }
        }
    }
    // What is left: columns at the right, then rows at the bottom.
    for j in whole_columns..columns {
        for (d, row) in dst[j * to..][..rows].iter_mut().zip(src.chunks(from)) {
            *d = row[j];
        }
    }
    for i in whole_rows..rows {
        for (j, s) in src[i * from..][..whole_columns].iter().enumerate() {
            dst[j * to + i] = *s;
        }
    }
}
