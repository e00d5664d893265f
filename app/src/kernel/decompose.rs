//! Factorisations of matrices, by faer in double precision.

use super::access::{expect, read, shape, update};
use super::general;
use super::real::{Real, on_real};
use candle_core::{Result, Tensor, bail};
use faer::{Mat, Side};

fn matrix(name: &'static str, a: &Tensor) -> Result<Mat<f64>> {
    let (m, n) = shape(a);
    let matrix = on_real!(a, T => read::<T, _, 1>(name, [a], |[a]| Mat::from_fn(m, n, |i, j| a[i * n + j].wide())))?;
    if matrix.col_iter().any(|column| column.iter().any(|x| !x.is_finite())) {
        bail!("{name}: the matrix has an element that is infinite or NaN");
    }
    Ok(matrix)
}

fn write(name: &'static str, dst: &Tensor, value: impl Fn(usize, usize) -> f64) -> Result<()> {
    let (_, n) = shape(dst);
    on_real!(dst, T => update::<T, _, 1, 0>(name, [dst], [], |[dst], []| {
        for (i, x) in dst.iter_mut().enumerate() {
            *x = T::of(value(i / n, i % n));
        }
    }))
}

/// `dst ← Q` of the thin QR factorisation of `dst` (rows ≥ columns), R's diagonal positive.
///
/// # Errors
/// When `dst` has more columns than rows, or an element that is not finite.
pub fn orthonormalise(dst: &Tensor) -> Result<()> {
    let (m, n) = shape(dst);
    if n > m {
        bail!("orthonormalise: {m}×{n} has more columns than rows; orthonormalise its transpose instead");
    }
    if general::takes(dst) {
        return general::on_host([dst], [], |[dst], []| orthonormalise(dst));
    }
    let qr = matrix("orthonormalise", dst)?.qr();
    let (q, r) = (qr.compute_thin_Q(), qr.thin_R());
    write("orthonormalise", dst, |i, j| if r[(j, j)] < 0.0 { -q[(i, j)] } else { q[(i, j)] })
}

/// Truncated singular value decomposition `a ≈ u·diag(s)·vᵀ`: `u` is m × k, `s` 1 × k descending, `v` n × k.
///
/// # Errors
/// When the extents do not fit, an element is not finite, or the iteration does not converge.
pub fn svd(a: &Tensor, u: &Tensor, s: &Tensor, v: &Tensor) -> Result<()> {
    let ((m, n), (_, k)) = (shape(a), shape(u));
    if k > m.min(n) {
        bail!("svd: {m}×{n} has {} singular values, {k} were asked for", m.min(n));
    }
    expect("svd", "u", u, m, k)?;
    expect("svd", "s", s, 1, k)?;
    expect("svd", "v", v, n, k)?;
    if general::takes(a) {
        return general::on_host([u, s, v], [a], |[u, s, v], [a]| svd(a, u, s, v));
    }
    let Ok(factors) = matrix("svd", a)?.thin_svd() else { bail!("svd: the iteration did not converge") };
    write("svd", u, |i, j| factors.U()[(i, j)])?;
    write("svd", s, |_, j| factors.S()[j])?;
    write("svd", v, |i, j| factors.V()[(i, j)])
}

/// The min(m, n) singular values of `a`, descending.
///
/// # Errors
/// When an element is not finite, or the iteration does not converge.
pub fn singular_values(a: &Tensor) -> Result<Vec<f64>> {
    if general::takes(a) {
        return general::on_host([], [a], |[], [a]| singular_values(a));
    }
    match matrix("singular_values", a)?.singular_values() {
        Ok(values) => Ok(values),
        Err(_) => bail!("singular_values: the iteration did not converge"),
    }
}

/// Eigenvalues of the symmetric tridiagonal matrix with these elements on and beside its diagonal, falling, and for each the
/// elements of its unit eigenvector.
///
/// # Errors
/// When an element is not finite, or the iteration does not converge.
pub fn tridiagonal_eigen(diagonal: &[f64], beside: &[f64]) -> Result<Vec<(f64, Vec<f64>)>> {
    let n = diagonal.len();
    if diagonal.iter().chain(beside).any(|x| !x.is_finite()) {
        bail!("tridiagonal_eigen: the matrix has an element that is infinite or NaN");
    }
    let matrix = Mat::from_fn(n, n, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => beside[i.min(j)],
        _ => 0.0,
    });
    let Ok(found) = matrix.self_adjoint_eigen(Side::Lower) else {
        bail!("tridiagonal_eigen: the iteration did not converge")
    };
    let pair = |j: usize| (found.S()[j], (0..n).map(|i| found.U()[(i, j)]).collect());
    Ok((0..n).rev().map(pair).collect())
}
