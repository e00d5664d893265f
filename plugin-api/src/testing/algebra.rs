//! Small factorisations by the plainest methods: thin QR by Gram–Schmidt, the singular value decomposition by one-sided
//! Jacobi rotations.

#![forbid(unsafe_code)]

use super::Grid;

fn column_dot(a: &Grid, i: usize, j: usize) -> f64 {
    (0..a.rows()).map(|row| a[(row, i)] * a[(row, j)]).sum()
}

/// Q of the thin QR factorisation with R's diagonal positive, by Gram–Schmidt, twice for accuracy. `None` when the
/// columns are dependent.
pub(super) fn orthonormal(a: &Grid) -> Option<Grid> {
    let mut q = a.clone();
    for j in 0..q.columns() {
        let before = column_dot(&q, j, j).sqrt();
        for _ in 0..2 {
            for i in 0..j {
                let along = column_dot(&q, i, j);
                (0..q.rows()).for_each(|row| q[(row, j)] -= along * q[(row, i)]);
            }
        }
        let norm = column_dot(&q, j, j).sqrt();
        if norm <= 1e-14 * before || norm == 0.0 {
            return None;
        }
        (0..q.rows()).for_each(|row| q[(row, j)] /= norm);
    }
    Some(q)
}

/// The largest `k` singular triples of `a`: u (m × k), s (1 × k, descending), v (n × k).
pub(super) fn singular(a: &Grid, k: usize) -> (Grid, Grid, Grid) {
    if a.rows() < a.columns() {
        let (u, s, v) = singular(&a.t(), k);
        return (v, s, u);
    }
    let (mut w, n) = (a.clone(), a.columns());
    let mut v = Grid::from_fn(n, n, |i, j| f64::from(i == j));
    for _ in 0..60 {
        let mut rotated = false;
        for i in 0..n {
            for j in i + 1..n {
                let (aa, bb, ab) = (column_dot(&w, i, i), column_dot(&w, j, j), column_dot(&w, i, j));
                if ab.abs() <= 1e-15 * (aa * bb).sqrt() {
                    continue;
                }
                rotated = true;
                let zeta = (bb - aa) / (2.0 * ab);
                let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                rotate(&mut w, i, j, cosine, cosine * tangent);
                rotate(&mut v, i, j, cosine, cosine * tangent);
            }
        }
        if !rotated {
            break;
        }
    }
    let norms: Vec<f64> = (0..n).map(|j| column_dot(&w, j, j).sqrt()).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| norms[j].total_cmp(&norms[i]));
    let u =
        Grid::from_fn(a.rows(), k, |i, j| if norms[order[j]] > 0.0 { w[(i, order[j])] / norms[order[j]] } else { 0.0 });
    (u, Grid::from_fn(1, k, |_, j| norms[order[j]]), Grid::from_fn(n, k, |i, j| v[(i, order[j])]))
}

fn rotate(a: &mut Grid, i: usize, j: usize, cosine: f64, sine: f64) {
    for row in 0..a.rows() {
        let (x, y) = (a[(row, i)], a[(row, j)]);
        a[(row, i)] = cosine * x - sine * y;
        a[(row, j)] = sine * x + cosine * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize) -> Grid {
        Grid::from_fn(rows, columns, |i, j| ((3 * i + 7 * j) as f64).sin() + f64::from(i == j))
    }

    #[test]
    fn factors_are_orthonormal_and_multiply_back() {
        let a = matrix(5, 3);
        let q = orthonormal(&a).unwrap();
        q.t().matmul(&q).assert_close(&Grid::from_fn(3, 3, |i, j| f64::from(i == j)), 1e-13);
        assert!((0..3).all(|j| q.t().matmul(&a)[(j, j)] > 0.0));
        assert!(orthonormal(&Grid::constant(4, 2, 1.0)).is_none());
    }

    #[test]
    fn singular_values_descend_and_multiply_back() {
        for a in [matrix(5, 3), matrix(3, 5)] {
            let (u, s, v) = singular(&a, 3);
            let scaled = Grid::from_fn(u.rows(), 3, |i, j| u[(i, j)] * s[(0, j)]);
            scaled.matmul(&v.t()).assert_close(&a, 1e-12);
            assert!(s[(0, 0)] >= s[(0, 1)] && s[(0, 1)] >= s[(0, 2)]);
        }
    }
}
