//! Normalisation of rows: x̂ = (x − mean)/√(variance + ε) along each row, its tangent and its adjoint (Ba, Kiros and
//! Hinton, "Layer normalization", 2016).

use super::access::{expect, same_shape, shape, stacked, update};
use super::general;
use super::parallel::{row_pairs, rows};
use super::real::{Real, on_real};
use super::reduce::{dot_pass, norm_squared_pass, sum_pass};
use super::wide::wide;
use candle_core::{Result, Tensor};

wide! {
    fn normalise_row<T: Real>(x: &[T], normal: &mut [T], epsilon: f64) -> f64 {
        let n = x.len() as f64;
        let mean = sum_pass(x) / n;
        for (h, x) in normal.iter_mut().zip(x) {
            *h = T::of(x.wide() - mean);
        }
        let inverse = 1.0 / (norm_squared_pass(normal) / n + epsilon).sqrt();
        let factor = T::of(inverse);
        normal.iter_mut().for_each(|h| *h *= factor);
        inverse
    }
}

wide! {
    /// `dst ← beta·dst + inverse·(u − mean(u) − x̂·mean(u ⊙ x̂))`, u = dx.
    fn project_row<T: Real>(dst: &mut [T], beta: T, u: &[T], normal: &[T], inverse: T) {
        let n = u.len() as f64;
        let (mean, along) = (T::of(sum_pass(u) / n), T::of(dot_pass(u, normal) / n));
        for ((d, u), h) in dst.iter_mut().zip(u).zip(normal) {
            let value = inverse * (*u - mean - *h * along);
            *d = if beta == T::ZERO { value } else { beta * *d + value };
        }
    }
}

wide! {
    /// The same with u = dx ⊙ gain.
    fn project_gained_row<T: Real>(dst: &mut [T], beta: T, dx: &[T], gain: &[T], normal: &[T], inverse: T) {
        const LANES: usize = 16;
        let n = dx.len() as f64;
        let mut sums = [0.0; LANES];
        let (mut x, mut g, mut h) = (dx.chunks_exact(LANES), gain.chunks_exact(LANES), normal.chunks_exact(LANES));
        for ((x, g), h) in (&mut x).zip(&mut g).zip(&mut h) {
            for (((sum, x), g), h) in sums.iter_mut().zip(x).zip(g).zip(h) {
                *sum += (*x * *g).wide() * h.wide();
            }
        }
        let rest = x.remainder().iter().zip(g.remainder()).zip(h.remainder());
        let along = sums.iter().sum::<f64>() + rest.map(|((x, g), h)| (*x * *g).wide() * h.wide()).sum::<f64>();
        let (mean, along) = (T::of(dot_pass(dx, gain) / n), T::of(along / n));
        for (((d, x), g), h) in dst.iter_mut().zip(dx).zip(gain).zip(normal) {
            let value = inverse * (*x * *g - mean - *h * along);
            *d = if beta == T::ZERO { value } else { beta * *d + value };
        }
    }
}

/// `normal ← x̂` (rows × n) and `inverse ← 1/√(variance + epsilon)` (rows × 1).
///
/// # Errors
/// When the extents do not fit, or two operands share a storage.
pub fn normalise(x: &Tensor, epsilon: f64, normal: &Tensor, inverse: &Tensor) -> Result<()> {
    let (m, n) = shape(x);
    same_shape("normalise", normal, x)?;
    expect("normalise", "the inverse deviation", inverse, m, 1)?;
    if general::takes(x) {
        return general::normalise(x, epsilon, normal, inverse);
    }
    on_real!(x, T => update::<T, _, 2, 1>("normalise", [normal, inverse], [x], |[normal, inverse], [x]| {
        row_pairs(normal, inverse, (n, 1), n + 1, |first, rows, inverse| {
            for (i, (row, inverse)) in rows.chunks_exact_mut(n).zip(inverse).enumerate() {
                let from = (first + i) * n;
                *inverse = T::of(normalise_row(&x[from..from + n], row, epsilon));
            }
        });
    }))
}

/// `dst ← beta·dst + J u` of [`normalise`], u = dx or, with a `gain` (1 × n), dx ⊙ gain. J is symmetric, so this is the
/// tangent and the adjoint. `normal` and `inverse` are repeated over the blocks of `dx`.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a source.
pub fn normalise_tangent(
    dst: &Tensor,
    beta: f64,
    dx: &Tensor,
    gain: Option<&Tensor>,
    normal: &Tensor,
    inverse: &Tensor,
) -> Result<()> {
    let (m, n) = shape(dx);
    let name = "normalise_tangent";
    same_shape(name, dst, dx)?;
    stacked(name, dx, normal)?;
    expect(name, "the inverse deviation", inverse, shape(normal).0, 1)?;
    if let Some(gain) = gain {
        expect(name, "the gain", gain, 1, n)?;
    }
    if general::takes(dst) {
        return general::normalise_tangent(dst, beta, dx, gain, normal, inverse);
    }
    if m == 0 || n == 0 {
        return Ok(());
    }
    fn pass<T: Real>(dst: &mut [T], beta: T, dx: &[T], gain: Option<&[T]>, normal: &[T], inverse: &[T], n: usize) {
        rows(dst, n, 4 * n, |first, rows| {
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                let (from, place) = ((first + i) * n, (first + i) % inverse.len());
                let normal = &normal[place * n..(place + 1) * n];
                let dx = &dx[from..from + n];
                match gain {
                    None => project_row(row, beta, dx, normal, inverse[place]),
                    Some(gain) => project_gained_row(row, beta, dx, gain, normal, inverse[place]),
                }
            }
        });
    }
    on_real!(dst, T => match gain {
        None => update::<T, _, 1, 3>(name, [dst], [dx, normal, inverse], |[dst], [dx, normal, inverse]| {
            pass(dst, T::of(beta), dx, None, normal, inverse, n);
        }),
        Some(gain) => update::<T, _, 1, 4>(name, [dst], [dx, gain, normal, inverse], |[dst], [dx, gain, normal, inverse]| {
            pass(dst, T::of(beta), dx, Some(gain), normal, inverse, n);
        }),
    })
}

/// `dst ← beta·dst + a ⊙ gain (+ shift)`: `gain` and `shift` are 1 × n.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a source.
pub fn scale_columns(dst: &Tensor, beta: f64, a: &Tensor, gain: &Tensor, shift: Option<&Tensor>) -> Result<()> {
    let (_, n) = shape(dst);
    let name = "scale_columns";
    same_shape(name, dst, a)?;
    expect(name, "the gain", gain, 1, n)?;
    super::elementwise::hadamard_add(dst, beta, a, gain)?;
    match shift {
        Some(shift) => super::rows::add_row(dst, 1.0, shift),
        None => Ok(()),
    }
}
