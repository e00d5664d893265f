//! Small dense matrices of a strategy's own, row by row in double precision: what one example or a low rank asks for, a few
//! dozen rows. Large products belong to [`Step::matmul`](crate::Step::matmul).

#![forbid(unsafe_code)]

/// Sweeps of rotations after which a symmetric matrix counts as diagonal; convergence is quadratic, six are usual.
const SWEEPS: usize = 30;

/// Σ a ⊙ b, in eight partial sums.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (left, right) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in left.zip(right) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `y ← y + alpha·x`.
pub fn axpy(y: &mut [f64], alpha: f64, x: &[f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += alpha * x);
}

/// Makes vectors orthonormal, from the first on, by Gram–Schmidt; `shape` is their number, their length, and how far apart they
/// begin. One that depends on those before it, up to `least` of its length, becomes zero. Returns how many do not.
///
/// # Panics
/// When `a` is shorter than the vectors, or they overlap.
pub fn orthonormalise(a: &mut [f64], shape: (usize, usize, usize), least: f64) -> usize {
    let (rows, length, stride) = shape;
    assert!(stride >= length, "vectors of {length} overlap at a stride of {stride}");
    let mut rank = 0;
    for j in 0..rows {
        let (before, rest) = a.split_at_mut(j * stride);
        let vector = &mut rest[..length];
        let whole = dot(vector, vector).sqrt();
        for _ in 0..2 {
            for i in 0..j {
                let other = &before[i * stride..i * stride + length];
                axpy(vector, -dot(other, vector), other);
            }
        }
        let left = dot(vector, vector).sqrt();
        let factor = if left > least * whole { left.recip() } else { 0.0 };
        rank += usize::from(factor > 0.0);
        vector.iter_mut().for_each(|x| *x *= factor);
    }
    rank
}

/// Diagonalises the symmetric n × n matrix `a` by cyclic Jacobi rotations: afterwards its diagonal holds the eigenvalues, in no
/// order, and row j of `vectors` the eigenvector of eigenvalue j.
///
/// # Panics
/// When `a` has not n² elements.
pub fn eigen(a: &mut [f64], n: usize, vectors: &mut Vec<f64>) {
    assert_eq!(a.len(), n * n, "{n} × {n} elements are needed");
    vectors.clear();
    vectors.extend((0..n * n).map(|i| f64::from(u8::from(i / n.max(1) == i % n.max(1)))));
    let size = dot(a, a);
    for _ in 0..SWEEPS {
        let outside: f64 = (0..n * n).filter(|i| i / n != i % n).map(|i| a[i] * a[i]).sum();
        if outside <= 1e-30 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(a, n, vectors, p, q);
            }
        }
    }
}

/// The rotation of axes p and q that makes `a[p, q]` zero.
fn rotate(a: &mut [f64], n: usize, vectors: &mut [f64], p: usize, q: usize) {
    let (diagonal, off) = (a[q * n + q] - a[p * n + p], a[p * n + q]);
    if off == 0.0 {
        return;
    }
    let theta = diagonal / (2.0 * off);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = tangent.hypot(1.0).recip();
    let sine = cosine * tangent;
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
    for m in [a, vectors] {
        for k in 0..n {
            let (x, y) = (m[p * n + k], m[q * n + k]);
            (m[p * n + k], m[q * n + k]) = (cosine * x - sine * y, sine * x + cosine * y);
        }
    }
}

/// `a ← f(a)` for a symmetric n × n matrix: f of its eigenvalues, the same eigenvectors. `work` is memory to use.
///
/// # Panics
/// When `a` has not n² elements.
pub fn apply(a: &mut [f64], n: usize, work: &mut Vec<f64>, f: impl Fn(f64) -> f64) {
    eigen(a, n, work);
    let at = work.len();
    work.extend((0..n).map(|j| f(a[j * n + j])));
    let (vectors, values) = work.split_at(at);
    for i in 0..n {
        for j in 0..n {
            let terms = vectors.chunks_exact(n).zip(values).map(|(vector, value)| vector[i] * value * vector[j]);
            a[i * n + j] = terms.sum();
        }
    }
}

/// `a ← L` with L Lᵀ = a, L lower triangular, of a symmetric positive definite n × n matrix of which the lower triangle is read and
/// written. A squared pivot below `least` by rounding counts as `least`.
///
/// # Panics
/// When `a` has not n² elements.
pub fn cholesky(a: &mut [f64], n: usize, least: f64) {
    assert_eq!(a.len(), n * n, "{n} × {n} elements are needed");
    for i in 0..n {
        let (above, rest) = a.split_at_mut(i * n);
        let row = &mut rest[..n];
        for j in 0..i {
            let other = &above[j * n..(j + 1) * n];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        row[i] = (row[i] - dot(&row[..i], &row[..i])).max(least).sqrt();
    }
}

/// `x ← x L⁻¹` for a row x of n numbers and the L of [`cholesky`].
///
/// # Panics
/// When `x` has not n elements, or `l` not n².
pub fn divide(x: &mut [f64], l: &[f64], n: usize) {
    assert_eq!((x.len(), l.len()), (n, n * n), "{n} and {n} × {n} elements are needed");
    for j in (0..n).rev() {
        let row = &l[j * n..(j + 1) * n];
        x[j] /= row[j];
        let last = x[j];
        axpy(&mut x[..j], -last, &row[..j]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize) -> Vec<f64> {
        (0..rows * columns).map(|i| ((i * i + 3 * i) as f64).sin()).collect()
    }

    fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
        (0..n * n).map(|i| (0..n).map(|k| a[i / n * n + k] * b[k * n + i % n]).sum()).collect()
    }

    #[test]
    fn rows_become_orthonormal_and_dependent_ones_zero() {
        let mut a = matrix(4, 9);
        let (first, third) = (a[..9].to_vec(), 2 * 9);
        a[third..third + 9].iter_mut().zip(&first).for_each(|(x, y)| *x = -2.0 * y);
        assert_eq!(orthonormalise(&mut a, (4, 9, 9), 1e-10), 3);
        for i in 0..4 {
            for j in 0..4 {
                let expected = if i == j && i != 2 { 1.0 } else { 0.0 };
                assert!((dot(&a[i * 9..i * 9 + 9], &a[j * 9..j * 9 + 9]) - expected).abs() < 1e-14, "{i} {j}");
            }
        }
    }

    #[test]
    fn vectors_may_lie_apart() {
        let mut a = matrix(2, 10);
        let gap = a[4..10].to_vec();
        assert_eq!(orthonormalise(&mut a, (2, 4, 10), 1e-10), 2);
        assert!(dot(&a[..4], &a[10..14]).abs() < 1e-15 && a[4..10] == gap);
    }

    #[test]
    fn functions_of_a_symmetric_matrix() {
        for n in [1, 2, 7] {
            let half = matrix(n, n);
            let symmetric: Vec<f64> = (0..n * n).map(|i| half[i] + half[i % n * n + i / n]).collect();
            let (mut same, mut square, mut work) = (symmetric.clone(), symmetric.clone(), Vec::new());
            apply(&mut same, n, &mut work, |x| x);
            apply(&mut square, n, &mut work, |x| x * x);
            let expected = product(&symmetric, &symmetric, n);
            for i in 0..n * n {
                assert!((same[i] - symmetric[i]).abs() < 1e-13, "identity {i} of {n}");
                assert!((square[i] - expected[i]).abs() < 1e-12, "square {i} of {n}");
            }
        }
    }

    #[test]
    fn a_triangle_times_its_transpose_is_the_matrix_and_divides_a_row() {
        for n in [1, 2, 7, 19] {
            let half = matrix(n, n);
            let transposed: Vec<f64> = (0..n * n).map(|i| half[i % n * n + i / n]).collect();
            let mut definite = product(&half, &transposed, n);
            (0..n).for_each(|i| definite[i * n + i] += 0.5);
            let mut l = definite.clone();
            cholesky(&mut l, n, 0.5);
            let lower: Vec<f64> = (0..n * n).map(|i| if i % n <= i / n { l[i] } else { 0.0 }).collect();
            let upper: Vec<f64> = (0..n * n).map(|i| lower[i % n * n + i / n]).collect();
            for (found, expected) in product(&lower, &upper, n).iter().zip(&definite) {
                assert!((found - expected).abs() < 1e-12, "{n}: {found} for {expected}");
            }
            let x = matrix(1, n);
            let mut divided = x.clone();
            divide(&mut divided, &l, n);
            for (j, expected) in x.iter().enumerate() {
                let found: f64 = (0..n).map(|i| divided[i] * lower[i * n + j]).sum();
                assert!((found - expected).abs() < 1e-12, "{n}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn a_pivot_that_rounding_took_counts_as_the_least_there_is() {
        // Two equal rows and a ridge far below the rounding of their squares.
        let mut a = vec![1e9, 1e9, 1e9, 1e9];
        cholesky(&mut a, 2, 1e-9);
        assert_eq!(a[3], 1e-9_f64.sqrt());
    }
}
