//! Attention by scaled dot products (Vaswani et al., "Attention is all you need", 2017), with its tangent and its adjoint.
//!
//! Queries, keys and values lie side by side, rows × 3n, one block of n columns each, cut into heads of d = n/H columns. A
//! head of an example with T tokens: Y = A V, A = softmax(Q Kᵀ/√d) along rows. Only A is kept. Row t of the softmax's
//! derivative is diag(a_t) − a_t a_tᵀ, so all that is subtracted is a multiple of what is already there: ⟨dy_t, y_t⟩ in the
//! adjoint, m_t y_t in the tangent.

use super::access::{expect, shape, update};
use super::general;
use super::parallel::{row_pairs, rows};
use super::real::{Real, on_real};
use super::wide::wide;
use candle_core::{Result, Tensor, bail};

/// Extents of attention within an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Rows an example, T.
    pub tokens: usize,
    /// Heads, H.
    pub heads: usize,
    /// Width of a row of the result, n, a multiple of H.
    pub width: usize,
}

impl Heads {
    /// Columns of a head, d.
    fn depth(&self) -> usize {
        self.width / self.heads
    }

    /// 1/√d.
    pub(super) fn scale(&self) -> f64 {
        1.0 / (self.depth() as f64).sqrt()
    }

    /// Where head `head` of row `row` lies in a matrix of `blocks` blocks of n columns: queries 0, keys 1, values 2.
    fn span(&self, blocks: usize, row: usize, block: usize, head: usize) -> std::ops::Range<usize> {
        let from = (row * blocks + block) * self.width + head * self.depth();
        from..from + self.depth()
    }
}

/// Sums of one vector's width, so that the additions of a dot product are independent.
const LANES: usize = 16;

#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let (mut a, mut b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let mut sums = [T::ZERO; LANES];
    for (a, b) in (&mut a).zip(&mut b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += *a * *b;
        }
    }
    let rest: T = a.remainder().iter().zip(b.remainder()).map(|(a, b)| *a * *b).sum();
    sums.into_iter().sum::<T>() + rest
}

#[inline(always)]
fn add<T: Real>(dst: &mut [T], c: T, a: &[T]) {
    dst.iter_mut().zip(a).for_each(|(d, a)| *d += c * *a);
}

wide! {
    /// One example: `y`, T × n, and `weights`, (H·T) × T, from `x`, T × 3n.
    fn forward_example<T: Real>(y: &mut [T], weights: &mut [T], x: &[T], h: Heads) {
        let scale = T::of(h.scale());
        y.fill(T::ZERO);
        for head in 0..h.heads {
            for t in 0..h.tokens {
                let row = head * h.tokens + t;
                let a = &mut weights[row * h.tokens..(row + 1) * h.tokens];
                let q = &x[h.span(3, t, 0, head)];
                let mut largest = T::of(f64::NEG_INFINITY);
                for (u, a) in a.iter_mut().enumerate() {
                    *a = scale * dot(q, &x[h.span(3, u, 1, head)]);
                    largest = Real::max(largest, *a);
                }
                let mut sum = T::ZERO;
                for a in a.iter_mut() {
                    *a = Real::exp(*a - largest);
                    sum += *a;
                }
                let inverse = T::ONE / sum;
                let y = &mut y[h.span(1, t, 0, head)];
                for (u, a) in a.iter_mut().enumerate() {
                    *a *= inverse;
                    add(y, *a, &x[h.span(3, u, 2, head)]);
                }
            }
        }
    }
}

wide! {
    /// One example: `dy`, T × n, from `dx`, T × 3n, at `x`, `weights` and `y`.
    fn tangent_example<T: Real>(dy: &mut [T], dx: &[T], x: &[T], weights: &[T], y: &[T], h: Heads) {
        let scale = T::of(h.scale());
        dy.fill(T::ZERO);
        for head in 0..h.heads {
            for t in 0..h.tokens {
                let row = head * h.tokens + t;
                let a = &weights[row * h.tokens..(row + 1) * h.tokens];
                let (q, dq) = (&x[h.span(3, t, 0, head)], &dx[h.span(3, t, 0, head)]);
                let here = h.span(1, t, 0, head);
                let to = &mut dy[here.clone()];
                let mut mean = T::ZERO;
                for (u, a) in a.iter().enumerate() {
                    let (k, v) = (h.span(3, u, 1, head), h.span(3, u, 2, head));
                    let moved = *a * scale * (dot(dq, &x[k.clone()]) + dot(q, &dx[k]));
                    mean += moved;
                    add(to, *a, &dx[v.clone()]);
                    add(to, moved, &x[v]);
                }
                add(to, -mean, &y[here]);
            }
        }
    }
}

wide! {
    /// One example: `dx ← beta·dx + Jᵀ dy`, T × 3n, from `dy`, T × n, at `x`, `weights` and `y`.
    fn adjoint_example<T: Real>(dx: &mut [T], beta: T, dy: &[T], x: &[T], weights: &[T], y: &[T], h: Heads) {
        let scale = T::of(h.scale());
        if beta == T::ZERO {
            dx.fill(T::ZERO);
        } else if beta != T::ONE {
            dx.iter_mut().for_each(|d| *d *= beta);
        }
        for head in 0..h.heads {
            for t in 0..h.tokens {
                let row = head * h.tokens + t;
                let a = &weights[row * h.tokens..(row + 1) * h.tokens];
                let q = h.span(3, t, 0, head);
                let here = h.span(1, t, 0, head);
                let from = &dy[here.clone()];
                let mean = dot(from, &y[here]);
                for (u, a) in a.iter().enumerate() {
                    let (k, v) = (h.span(3, u, 1, head), h.span(3, u, 2, head));
                    let moved = *a * scale * (dot(from, &x[v.clone()]) - mean);
                    add(&mut dx[v], *a, from);
                    add(&mut dx[q.clone()], moved, &x[k.clone()]);
                    add(&mut dx[k], moved, &x[q.clone()]);
                }
            }
        }
    }
}

/// Examples in `x`, rows × 3n.
fn examples(name: &str, x: &Tensor, h: Heads) -> Result<usize> {
    let (m, n) = shape(x);
    if h.heads == 0 || h.tokens == 0 || !h.width.is_multiple_of(h.heads) {
        bail!("{name}: {} columns cannot be cut into {} heads of {} tokens", h.width, h.heads, h.tokens);
    }
    if n != 3 * h.width || !m.is_multiple_of(h.tokens) {
        bail!("{name}: queries, keys and values are {m}×{n}, expected whole examples of {}×{}", h.tokens, 3 * h.width);
    }
    Ok(m / h.tokens)
}

/// `y ← A V` (rows × n) and `weights ← A` ((B·H·T) × T) from `x` = Q, K, V side by side (rows × 3n).
///
/// # Errors
/// When the extents do not fit, or two operands share a storage.
pub fn attention(y: &Tensor, weights: &Tensor, x: &Tensor, h: Heads) -> Result<()> {
    let name = "attention";
    let count = examples(name, x, h)?;
    expect(name, "the result", y, count * h.tokens, h.width)?;
    expect(name, "the weights of attention", weights, count * h.heads * h.tokens, h.tokens)?;
    if general::takes(y) {
        return general::attention(y, weights, x, h);
    }
    let (size, kept) = (h.tokens * h.width, h.heads * h.tokens * h.tokens);
    on_real!(y, T => update::<T, _, 2, 1>(name, [y, weights], [x], |[y, weights], [x]| {
        row_pairs(y, weights, (size, kept), size + kept, |first, y, weights| {
            for (i, (y, weights)) in y.chunks_exact_mut(size).zip(weights.chunks_exact_mut(kept)).enumerate() {
                forward_example(y, weights, &x[(first + i) * 3 * size..(first + i + 1) * 3 * size], h);
            }
        });
    }))
}

/// The tangent of [`attention`]: `dy ← J dx`, for stacked blocks at one primal point.
///
/// # Errors
/// When the extents do not fit, or `dy` shares its storage with a source.
pub fn attention_tangent(dy: &Tensor, dx: &Tensor, x: &Tensor, weights: &Tensor, y: &Tensor, h: Heads) -> Result<()> {
    let name = "attention_tangent";
    let (stacked, count) = (examples(name, dx, h)?, checked(name, x, weights, y, h)?);
    expect(name, "the tangent", dy, stacked * h.tokens, h.width)?;
    if general::takes(dy) {
        return general::attention_tangent(dy, dx, x, weights, y, h);
    }
    let size = h.tokens * h.width;
    on_real!(dy, T => update::<T, _, 1, 4>(name, [dy], [dx, x, weights, y], |[dy], [dx, x, weights, y]| {
        rows(dy, size, size * h.tokens, |first, dy| {
            for (i, dy) in dy.chunks_exact_mut(size).enumerate() {
                let dx = &dx[(first + i) * 3 * size..(first + i + 1) * 3 * size];
                let (x, weights, y) = point(x, weights, y, (first + i) % count, h);
                tangent_example(dy, dx, x, weights, y, h);
            }
        });
    }))
}

/// The adjoint of [`attention`]: `dx ← beta·dx + Jᵀ dy`, for stacked blocks at one primal point.
///
/// # Errors
/// When the extents do not fit, or `dx` shares its storage with a source.
pub fn attention_adjoint(
    dx: &Tensor,
    beta: f64,
    dy: &Tensor,
    x: &Tensor,
    weights: &Tensor,
    y: &Tensor,
    h: Heads,
) -> Result<()> {
    let name = "attention_adjoint";
    let (stacked, count) = (examples(name, dx, h)?, checked(name, x, weights, y, h)?);
    expect(name, "the signal", dy, stacked * h.tokens, h.width)?;
    if general::takes(dx) {
        return general::attention_adjoint(dx, beta, dy, x, weights, y, h);
    }
    let size = h.tokens * h.width;
    on_real!(dx, T => update::<T, _, 1, 4>(name, [dx], [dy, x, weights, y], |[dx], [dy, x, weights, y]| {
        rows(dx, 3 * size, 3 * size * h.tokens, |first, dx| {
            for (i, dx) in dx.chunks_exact_mut(3 * size).enumerate() {
                let dy = &dy[(first + i) * size..(first + i + 1) * size];
                let (x, weights, y) = point(x, weights, y, (first + i) % count, h);
                adjoint_example(dx, T::of(beta), dy, x, weights, y, h);
            }
        });
    }))
}

/// Checks the primal point; returns its examples.
fn checked(name: &str, x: &Tensor, weights: &Tensor, y: &Tensor, h: Heads) -> Result<usize> {
    let count = examples(name, x, h)?;
    expect(name, "the result", y, count * h.tokens, h.width)?;
    expect(name, "the weights of attention", weights, count * h.heads * h.tokens, h.tokens)?;
    Ok(count.max(1))
}

/// The primal point of example `place`.
fn point<'a, T>(x: &'a [T], weights: &'a [T], y: &'a [T], place: usize, h: Heads) -> (&'a [T], &'a [T], &'a [T]) {
    let (size, kept) = (h.tokens * h.width, h.heads * h.tokens * h.tokens);
    let part = |all: &'a [T], size: usize| &all[place * size..(place + 1) * size];
    (part(x, 3 * size), part(weights, kept), part(y, size))
}
