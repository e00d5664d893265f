//! Matrix products on the storages' own memory: tiles of this crate ([`super::product`]) where the processor has vectors for
//! them, else the `gemm` crate.
//!
//! A large product of the crate is cut along the longer side of its result into pieces that the pool's threads take; how
//! many depends on the extents only, and each piece is one single-threaded call, so the result is the same at any thread
//! count.
#![allow(unsafe_code)]

use super::access::{expect, shape, update};
use super::activation::Activation;
use super::general;
use super::optimizer::Rate;
use super::product::{self, Biased, Columns, Descent, Rows, Scaled};
use super::real::{Real, on_real};
use candle_core::{Result, Tensor, bail};

/// Work, in multiply-adds, that a piece is worth.
const PIECE: usize = 1 << 22;
/// Most pieces a product is cut into.
const MOST_PIECES: usize = 16;
/// Cuts fall on multiples of this.
const ALIGNMENT: usize = 16;

/// `dst ← beta·dst + alpha·op(a)·op(b)`, op = transpose where the flag is set; with `beta` = 0 `dst` is not read.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a factor.
pub fn gemm(
    dst: &Tensor,
    beta: f64,
    alpha: f64,
    a: &Tensor,
    a_transposed: bool,
    b: &Tensor,
    b_transposed: bool,
) -> Result<()> {
    let flip = |(rows, columns): (usize, usize), flipped: bool| if flipped { (columns, rows) } else { (rows, columns) };
    let ((m, n), (am, k), (bk, bn)) = (shape(dst), flip(shape(a), a_transposed), flip(shape(b), b_transposed));
    if am != m || bn != n || bk != k {
        bail!("gemm: the product of {am}×{k} and {bk}×{bn} does not make the destination, {m}×{n}");
    }
    if general::takes(dst) {
        return general::gemm(dst, beta, alpha, a, a_transposed, b, b_transposed);
    }
    let strides = |columns: usize, flipped: bool| if flipped { (1, columns as isize) } else { (columns as isize, 1) };
    let (a_strides, b_strides) = (strides(shape(a).1, a_transposed), strides(shape(b).1, b_transposed));
    on_real!(dst, T => update::<T, _, 1, 2>("gemm", [dst], [a, b], |[dst], [a, b]| {
        if m == 0 || n == 0 {
            return;
        }
        if k == 0 {
            let beta = T::of(beta);
            dst.iter_mut().for_each(|x| *x = if beta == 0.0 { 0.0 } else { beta * *x });
            return;
        }
        if product::available() {
            let rows = [Rows { rows: m, a: a.as_ptr(), transposed: a_transposed, c: dst.as_mut_ptr() }];
            let columns = Columns { columns: n, inner: k, b: b.as_ptr(), transposed: b_transposed };
            // SAFETY: the extents were checked above; `update` gives the destination alone and apart from the factors.
            unsafe { product::product(&rows, columns, &Scaled { beta: T::of(beta), alpha: T::of(alpha) }) };
            return;
        }
        let product = Product {
            size: [m, n, k],
            dst: Pointer(dst.as_mut_ptr()),
            a: a.as_ptr(),
            a_strides,
            b: b.as_ptr(),
            b_strides,
            scale: (T::of(beta), T::of(alpha)),
        };
        let pieces = (m * n * k / PIECE).clamp(1, MOST_PIECES).min(m.max(n).div_ceil(ALIGNMENT));
        product.run(0, pieces, pieces);
    }))
}

struct Pointer<T>(*mut T);

/// A product by the `gemm` crate.
struct Product<T> {
    size: [usize; 3],
    dst: Pointer<T>,
    a: *const T,
    a_strides: (isize, isize),
    b: *const T,
    b_strides: (isize, isize),
    /// beta, alpha.
    scale: (T, T),
}

// SAFETY: the pieces write disjoint parts of `dst` and only read `a` and `b`, all of which outlive the product.
unsafe impl<T: Real> Sync for Product<T> {}

impl<T: Real> Product<T> {
    /// Computes pieces `first..last` of `pieces`.
    fn run(&self, first: usize, last: usize, pieces: usize) {
        if last - first > 1 {
            let middle = (first + last) / 2;
            rayon::join(|| self.run(first, middle, pieces), || self.run(middle, last, pieces));
            return;
        }
        let [m, n, k] = self.size;
        let by_rows = m >= n;
        let side = m.max(n);
        let cut = |piece: usize| if piece == pieces { side } else { (side * piece / pieces) / ALIGNMENT * ALIGNMENT };
        let (from, length) = (cut(first), cut(last) - cut(first));
        if length == 0 {
            return;
        }
        let (rows, columns) = if by_rows { (length, n) } else { (m, length) };
        let (beta, alpha) = self.scale;
        // SAFETY: rows and columns lie inside the m × n destination, whose extents were checked against the factors' in
        // `gemm`; strides are those of contiguous matrices; no other piece writes the same part.
        unsafe {
            let (dst, a, b) = if by_rows {
                (self.dst.0.add(from * n), self.a.offset(from as isize * self.a_strides.0), self.b)
            } else {
                (self.dst.0.add(from), self.a, self.b.offset(from as isize * self.b_strides.1))
            };
            gemm::gemm(
                rows,
                columns,
                k,
                dst,
                1,
                n as isize,
                beta != T::ZERO,
                a,
                self.a_strides.1,
                self.a_strides.0,
                b,
                self.b_strides.1,
                self.b_strides.0,
                beta,
                alpha,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

/// The activation after an affine map: φ, and where X = φ(S) and M = φ'(S) go.
#[derive(Clone, Copy, Debug)]
pub struct Activated<'a> {
    /// φ.
    pub kind: Activation,
    /// X.
    pub x: &'a Tensor,
    /// M.
    pub m: &'a Tensor,
}

/// `y ← x·Wᵀ + 1·biasᵀ` in one pass over y, with the activation of y, which may overwrite y, and against the same packed W
/// `dy ← dx·Wᵀ` where `tangent` is `(dy, dx)`.
///
/// # Errors
/// When the extents do not fit, or a destination shares its storage with another operand.
pub fn affine(
    y: &Tensor,
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    activated: Option<Activated>,
    tangent: Option<(&Tensor, &Tensor)>,
) -> Result<()> {
    let ((m, n), (xm, k)) = (shape(y), shape(x));
    let extents = |dst: (usize, usize), src: (usize, usize)| dst.0 == src.0 && (dst.1, src.1) == (n, k);
    let fits = tangent.is_none_or(|(dy, dx)| extents(shape(dy), shape(dx)));
    if xm != m || shape(weight) != (n, k) || !fits {
        bail!("affine: {xm}×{k} and a weight of {:?} do not make {m}×{n}", weight.dims());
    }
    expect("affine", "the bias", bias, 1, n)?;
    for result in activated.iter().flat_map(|activated| [activated.x, activated.m]) {
        expect("affine", "an activation", result, m, n)?;
    }
    if general::takes(y) || !product::available() || k == 0 {
        super::repeat_row(y, bias)?;
        gemm(y, 1.0, 1.0, x, false, weight, true)?;
        if let Some(Activated { kind, x, m }) = activated {
            super::activation(kind, y, x, m)?;
        }
        return tangent.map_or(Ok(()), |(dy, dx)| gemm(dy, 0.0, 1.0, dx, false, weight, true));
    }
    on_real!(y, T => {
        // The extents were checked above, and `update` gives the destinations alone and apart from the factors: what
        // `product` asks for.
        let columns = |weight: &[T]| Columns { columns: n, inner: k, b: weight.as_ptr(), transposed: true };
        let block = |c: &mut [T], a: &[T]| {
            Rows { rows: c.len() / n.max(1), a: a.as_ptr(), transposed: false, c: c.as_mut_ptr() }
        };
        let biased = |rows: &[Rows<T>], weight: &[T], bias: &[T]| {
            // SAFETY: as above.
            unsafe { product::product(rows, columns(weight), &Biased { bias }) };
        };
        let made = |rows: &[Rows<T>], weight: &[T], bias: &[T], kind: Activation, x: Option<&mut [T]>, m: &mut [T]| {
            // SAFETY: as above; the activation's results are as large as y.
            unsafe { product::product(rows, columns(weight), &product::Activated::new(kind, bias, x, m)) };
        };
        match (activated, tangent) {
            (None, None) => update::<T, _, 1, 3>("affine", [y], [x, weight, bias], |[y], [x, weight, bias]| {
                biased(&[block(y, x)], weight, bias);
            }),
            (None, Some((dy, dx))) => {
                update::<T, _, 2, 4>("affine", [y, dy], [x, dx, weight, bias], |[y, dy], [x, dx, weight, bias]| {
                    biased(&[block(y, x), block(dy, dx)], weight, bias);
                })
            }
            (Some(Activated { kind, x: to, m }), None) if to.id() == y.id() => {
                update::<T, _, 2, 3>("affine", [y, m], [x, weight, bias], |[y, m], [x, weight, bias]| {
                    made(&[block(y, x)], weight, bias, kind, None, m);
                })
            }
            (Some(Activated { kind, x: to, m }), None) => {
                update::<T, _, 3, 3>("affine", [y, to, m], [x, weight, bias], |[y, to, m], [x, weight, bias]| {
                    made(&[block(y, x)], weight, bias, kind, Some(to), m);
                })
            }
            (Some(Activated { kind, x: to, m }), Some((dy, dx))) if to.id() == y.id() => {
                let (dsts, srcs) = ([y, m, dy], [x, dx, weight, bias]);
                update::<T, _, 3, 4>("affine", dsts, srcs, |[y, m, dy], [x, dx, weight, bias]| {
                    made(&[block(y, x), block(dy, dx)], weight, bias, kind, None, m);
                })
            }
            (Some(Activated { kind, x: to, m }), Some((dy, dx))) => {
                let (dsts, srcs) = ([y, to, m, dy], [x, dx, weight, bias]);
                update::<T, _, 4, 4>("affine", dsts, srcs, |[y, to, m, dy], [x, dx, weight, bias]| {
                    made(&[block(y, x), block(dy, dx)], weight, bias, kind, Some(to), m);
                })
            }
        }
    })
}

/// One step of gradient descent along a gradient that is a product and is never stored: with g = eᵀ·x (n × m for e of
/// width n and x of width m), θ ← θ − η(g + λθ). Returns ‖g‖²; `None`, with nothing done, where the
/// gradient must be formed: no tiles for this processor, another device, or more rows than are summed at once.
///
/// Squares are summed in the element type down the columns of a tile, then in double precision. The weight becomes bit for
/// bit what [`gemm()`] and [`super::sgd`] make of it.
///
/// # Errors
/// When the extents do not fit, or `weight` shares its storage with a factor.
pub fn descend(weight: &Tensor, e: &Tensor, x: &Tensor, rate: Rate) -> Result<Option<f64>> {
    let ((m, n), (k, em), (xk, xn)) = (shape(weight), shape(e), shape(x));
    if em != m || xn != n || xk != k {
        bail!("descend: rows of {em} and {xn} ({k} and {xk} of them) do not make {m}×{n}");
    }
    if general::takes(weight) || !product::available() || k == 0 || k > product::WHOLE {
        return Ok(None);
    }
    on_real!(weight, T => update::<T, _, 1, 2>("descend", [weight], [e, x], |[weight], [e, x]| {
        let rows = [Rows { rows: m, a: e.as_ptr(), transposed: true, c: weight.as_mut_ptr() }];
        let columns = Columns { columns: n, inner: k, b: x.as_ptr(), transposed: false };
        let finish = Descent::new(T::of(rate.lr), T::of(rate.weight_decay), m, n);
        // SAFETY: the extents were checked above; `update` gives the destination alone and apart from the factors.
        unsafe { product::product(&rows, columns, &finish) };
        Some(finish.norm_squared())
    }))
}
