//! From directional derivatives to coefficients: ĝ = Σ_k c_k V_k, for every group that shares a scalar.
//!
//! `mean`, raw: c_k = d_k/K. `mean`, unit: c_k = d_k/(K‖V_k‖²). `span`: c = G⁻¹d with G_jk = ⟨V_j, V_k⟩, so that ĝ is the
//! projection of g on the span of the directions; dependent directions are dropped. Source: math.md, "Directional
//! derivatives".
#![forbid(unsafe_code)]

use super::scalars::Scalars;

/// A direction whose part outside the span of the ones before is below this share of its squared length is dependent.
const DEPENDENT: f64 = 1e-10;

/// Limits each scalar to ±`clip` after multiplication by `factor` (B at example scopes, where d_i carries 1/B).
pub fn clip(d: &mut [f64], clip: f64, factor: f64) {
    let bound = clip / factor;
    for value in d {
        *value = value.clamp(-bound, bound);
    }
}

/// `mean`, raw: divides by K, the number of `guesses` of the step.
pub fn mean(d: &mut [f64], guesses: usize) {
    let share = 1.0 / guesses as f64;
    d.iter_mut().for_each(|value| *value *= share);
}

/// `mean`, unit: divides by K and by `squared`, the squared norm of what shares the scalar; a zero direction gives 0.
pub fn unit(d: &mut [f64], squared: &[f64], guesses: usize) {
    for (value, squared) in d.iter_mut().zip(squared) {
        *value = if *squared > 0.0 { *value / squared } else { 0.0 };
    }
    mean(d, guesses);
}

/// Keeps coefficients within what the numbers of the lane hold: a direction of numbers near the smallest takes one near the
/// largest. Those that are not finite stay as they are.
pub fn hold(c: &mut [f64], largest: f64) {
    c.iter_mut().filter(|value| value.is_finite()).for_each(|value| *value = value.clamp(-largest, largest));
}

/// `span`: solves G c = d in every group. `gram` holds K × K matrices as K blocks of [`Scalars`]: block j is the row j
/// of G for each group. Returns the number of directions dropped as dependent.
pub fn span(d: &mut Scalars, gram: &[Scalars]) -> usize {
    let guesses = d.guesses();
    let groups = d.each();
    let mut dropped = 0;
    let mut matrix = vec![0.0; guesses * guesses];
    let mut right = vec![0.0; guesses];
    for group in 0..groups {
        for j in 0..guesses {
            right[j] = d.values[j * groups + group];
            for k in 0..guesses {
                matrix[j * guesses + k] = gram[j].values[k * groups + group];
            }
        }
        dropped += solve(&mut matrix, &mut right, guesses);
        for (j, value) in right.iter().enumerate() {
            d.values[j * groups + group] = *value;
        }
    }
    dropped
}

/// Solves the symmetric positive semidefinite n × n system in place by Cholesky with diagonal pivoting; unknowns of
/// dependent directions are 0. Returns how many those are.
fn solve(matrix: &mut [f64], right: &mut [f64], n: usize) -> usize {
    let mut order: Vec<usize> = (0..n).collect();
    let largest: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    let mut rank = 0;
    while rank < n {
        let best = (rank..n).max_by(|&a, &b| {
            let (a, b) = (order[a], order[b]);
            matrix[a * n + a].total_cmp(&matrix[b * n + b])
        });
        let Some(best) = best else { break };
        order.swap(rank, best);
        let p = order[rank];
        let pivot = matrix[p * n + p];
        let independent = pivot > 0.0 && pivot > DEPENDENT * largest[p];
        if !independent {
            break;
        }
        let root = pivot.sqrt();
        matrix[p * n + p] = root;
        for &i in &order[rank + 1..] {
            matrix[i * n + p] /= root;
        }
        for (offset, &i) in order[rank + 1..].iter().enumerate() {
            for &j in &order[rank + 1..=rank + 1 + offset] {
                let reduced = matrix[i * n + j] - matrix[i * n + p] * matrix[j * n + p];
                matrix[i * n + j] = reduced;
                matrix[j * n + i] = reduced;
            }
        }
        rank += 1;
    }
    let kept = &order[..rank];
    for (place, &i) in kept.iter().enumerate() {
        let known: f64 = kept[..place].iter().map(|&j| matrix[i * n + j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i * n + i];
    }
    for (place, &i) in kept.iter().enumerate().rev() {
        let known: f64 = kept[place + 1..].iter().map(|&j| matrix[j * n + i] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i * n + i];
    }
    for &i in &order[rank..] {
        right[i] = 0.0;
    }
    n - rank
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gram_of(v: &[Vec<f64>]) -> Vec<Scalars> {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        v.iter().map(|a| Scalars::single(v.iter().map(|b| dot(a, b)).collect())).collect()
    }

    fn estimate(v: &[Vec<f64>], g: &[f64]) -> (Vec<f64>, usize) {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let mut d = Scalars::single(v.iter().map(|a| dot(a, g)).collect());
        let dropped = span(&mut d, &gram_of(v));
        let sum = (0..g.len()).map(|i| v.iter().zip(&d.values).map(|(a, c)| c * a[i]).sum()).collect();
        (sum, dropped)
    }

    #[test]
    fn a_full_basis_gives_the_gradient_itself() {
        let v = vec![vec![1.0, 2.0, 0.5], vec![0.0, -1.0, 3.0], vec![2.0, 0.1, 0.7]];
        let g = [0.3, -1.7, 2.2];
        let (estimate, dropped) = estimate(&v, &g);
        assert_eq!(dropped, 0);
        for (a, b) in estimate.iter().zip(&g) {
            assert!((a - b).abs() < 1e-12, "{estimate:?}");
        }
    }

    #[test]
    fn dependent_directions_are_dropped_and_change_nothing() {
        let v = vec![vec![1.0, 0.0, 1.0], vec![0.0, 1.0, 0.0]];
        let g = [2.0, 3.0, 0.0];
        let mut doubled = v.clone();
        doubled.push(vec![2.0, 3.0, 2.0]);
        doubled.push(vec![0.0, 0.0, 0.0]);
        let (plain, none) = estimate(&v, &g);
        let (same, two) = estimate(&doubled, &g);
        assert_eq!((none, two), (0, 2));
        for (a, b) in plain.iter().zip(&same) {
            assert!((a - b).abs() < 1e-12);
        }
        assert!((plain[0] - 1.0).abs() < 1e-12 && (plain[1] - 3.0).abs() < 1e-12);
    }

    #[test]
    fn coefficients_are_held_in_single_precision_and_what_is_not_finite_shows() {
        let largest = f64::from(f32::MAX);
        let mut c = Scalars::single(vec![1e40, -1e40, 2.5, f64::INFINITY, f64::NAN]);
        hold(&mut c.values, largest);
        assert_eq!(c.values[..4], [largest, -largest, 2.5, f64::INFINITY]);
        assert!(c.values[4].is_nan());
    }

    #[test]
    fn unit_of_a_zero_direction_is_zero() {
        let mut d = Scalars::single(vec![4.0, 0.0]);
        unit(&mut d.values, &[2.0, 0.0], 2);
        assert_eq!(d.values, vec![1.0, 0.0]);
    }
}
