//! Standard errors of a probe's bias², variance and scalar fit, from M estimates ĝ_i of one point.
//!
//! With the mean m, the residuals r_i = ĝ_i − m and bars for means over i, the probe hands in a_i = ‖r_i‖², e_i = ⟨r_i, m − g⟩ and
//! ⟨r_i, g⟩. Both s² and ‖m − g‖² − s²/M are means over pairs of estimates of ½‖ĝ_i − ĝ_j‖² and ⟨ĝ_i − g, ĝ_j − g⟩ (U-statistics of
//! order 2), so that their delete-one jackknife needs nothing but these:
//!
//! | of | squared standard error |
//! |---|---|
//! | ⟨m, g⟩ | Σ⟨r_i, g⟩²/(M(M − 1)) |
//! | s² | M Σ(a_i − ā)²/((M − 1)(M − 2)²), the jackknife |
//! | ‖m − g‖² − s²/M | J − 2τ/((M − 1)(M − 2)) with the jackknife J = 4 Σ(e_i − (a_i − ā)/(M − 2))²/(M(M − 1)) |
//!
//! J is too large by that last term: of the variance of such a mean, which is 4βᵀCβ/M + 2τ/(M(M − 1)) with the bias β, the covariance C
//! of an estimate and τ = tr C², it counts the second part as 4τ/(M(M − 2)). An unbiased guess has no other part, and J alone would
//! make its standard error √2 too large. τ is found without bias from K = ⌊M/2⌋ differences of disjoint pairs, u_k = (ĝ_{2k−1} −
//! ĝ_{2k})/√2: Σ_k ⟨u_k, Σ_{l < k} u_l⟩² over K(K − 1)/2. What is left is never less than J(M − 2)/(2(M − 1)), its expectation where β = 0,
//! below which the true variance cannot lie. With less than two pairs it is J. For s² the term is 1/M of the whole at most and stays.
//!
//! Sources: Hoeffding 1948 for the variance of U-statistics; Efron and Stein 1981 for the jackknife's bias; the identities are algebra.

use std::ops::AddAssign;

/// How an estimate lies to the mean of all: of one site's parameters, or summed over sites.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// a_i = ‖r_i‖².
    pub square: f64,
    /// e_i = ⟨r_i, m − g⟩.
    pub along_bias: f64,
    /// ⟨r_i, g⟩.
    pub along_gradient: f64,
    /// √2u_k · Σ_{l < k} √2u_l at the second estimate of a pair; 0 at the first, and where one is left over.
    pub pair: f64,
}

impl AddAssign for Deviation {
    fn add_assign(&mut self, other: Self) {
        self.square += other.square;
        self.along_bias += other.along_bias;
        self.along_gradient += other.along_gradient;
        self.pair += other.pair;
    }
}

/// Standard errors, in units of ‖g‖².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Of ‖m − g‖² − s²/M and of s²; there is none of two estimates.
    pub bias_and_variance: Option<(f64, f64)>,
    /// Of ⟨m, g⟩.
    pub fit: f64,
}

/// The standard errors of a probe of at least two estimates, which lie as `deviations` say, in the order of their numbers.
pub fn errors(deviations: &[Deviation]) -> Errors {
    let m = deviations.len() as f64;
    let mean = |of: fn(&Deviation) -> f64| deviations.iter().map(of).sum::<f64>() / m;
    let squares = |of: &dyn Fn(&Deviation) -> f64| deviations.iter().map(|found| of(found).powi(2)).sum::<f64>();
    let (square, along_bias) = (mean(|found| found.square), mean(|found| found.along_bias));
    let along_gradient = mean(|found| found.along_gradient);
    let fit = (squares(&|found| found.along_gradient - along_gradient) / (m * (m - 1.0))).sqrt();
    if deviations.len() < 3 {
        return Errors { bias_and_variance: None, fit };
    }
    let variance = (m * squares(&|found| found.square - square) / (m - 1.0)).sqrt() / (m - 2.0);
    let influence = |found: &Deviation| found.along_bias - along_bias - (found.square - square) / (m - 2.0);
    let jackknife = 4.0 * squares(&influence) / (m * (m - 1.0));
    let pairs = (deviations.len() / 2) as f64;
    let excess = if pairs > 1.0 {
        // Each product is of differences √2 longer than u.
        let trace = squares(&|found| found.pair / 2.0) / (pairs * (pairs - 1.0) / 2.0);
        2.0 * trace / ((m - 1.0) * (m - 2.0))
    } else {
        0.0
    };
    let least = jackknife * (m - 2.0) / (2.0 * (m - 1.0));
    Errors { bias_and_variance: Some(((jackknife - excess).max(least).sqrt(), variance)), fit }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Vector = [f64; 3];

    fn dot(a: Vector, b: Vector) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn less(a: Vector, b: Vector) -> Vector {
        std::array::from_fn(|i| a[i] - b[i])
    }

    fn mean(all: &[Vector]) -> Vector {
        std::array::from_fn(|i| all.iter().map(|one| one[i]).sum::<f64>() / all.len() as f64)
    }

    /// Seven estimates that are far from symmetric, and a gradient.
    const G: Vector = [1.0, -2.0, 0.5];
    const SEEN: [Vector; 7] = [
        [1.5, -1.0, 0.0],
        [0.5, -3.5, 2.0],
        [9.0, 0.25, -1.0],
        [-0.5, 0.0, 0.125],
        [1.0, -2.5, -4.0],
        [2.0, 2.0, 2.0],
        [0.0, -1.0, 6.5],
    ];

    fn deviations(seen: &[Vector]) -> Vec<Deviation> {
        let m = mean(seen);
        let mut sum = [0.0; 3];
        let mut found = Vec::new();
        for (number, one) in seen.iter().enumerate() {
            let r = less(*one, m);
            let mut pair = 0.0;
            if number % 2 == 1 {
                let difference = less(seen[number - 1], *one);
                pair = dot(difference, sum);
                sum = std::array::from_fn(|i| sum[i] + difference[i]);
            }
            found.push(Deviation {
                square: dot(r, r),
                along_bias: dot(r, less(m, G)),
                along_gradient: dot(r, G),
                pair,
            });
        }
        found
    }

    /// ‖m − g‖² − s²/M and s² as they are defined.
    fn figures(seen: &[Vector]) -> [f64; 2] {
        let (m, count) = (mean(seen), seen.len() as f64);
        let off = less(m, G);
        let variance = seen.iter().map(|one| dot(less(*one, m), less(*one, m))).sum::<f64>() / (count - 1.0);
        [dot(off, off) - variance / count, variance]
    }

    /// The delete-one jackknife with every figure found anew.
    fn left_out(seen: &[Vector]) -> [f64; 2] {
        let without = |out: usize| -> Vec<Vector> {
            let kept = seen.iter().enumerate().filter(|(place, _)| *place != out);
            kept.map(|(_, one)| *one).collect()
        };
        let all: Vec<[f64; 2]> = (0..seen.len()).map(|out| figures(&without(out))).collect();
        let count = all.len() as f64;
        std::array::from_fn(|i| {
            let middle = all.iter().map(|found| found[i]).sum::<f64>() / count;
            all.iter().map(|found| (found[i] - middle).powi(2)).sum::<f64>() * (count - 1.0) / count
        })
    }

    #[test]
    fn the_identities_are_the_jackknife() {
        let alone: Vec<Deviation> =
            deviations(&SEEN).into_iter().map(|found| Deviation { pair: 0.0, ..found }).collect();
        let [bias, variance] = left_out(&SEEN);
        let (found_bias, found_variance) = errors(&alone).bias_and_variance.expect("seven");
        assert!((found_bias.powi(2) / bias - 1.0).abs() < 1e-12, "{found_bias} for {}", bias.sqrt());
        assert!((found_variance.powi(2) / variance - 1.0).abs() < 1e-12, "{found_variance} for {}", variance.sqrt());
    }

    #[test]
    fn what_pairs_alone_vary_by_is_counted_once() {
        let u = |k: usize| less(SEEN[2 * k], SEEN[2 * k + 1]).map(|value| value / 2f64.sqrt());
        let products = [dot(u(1), u(0)), dot(u(2), u(0)) + dot(u(2), u(1))];
        let trace = products.iter().map(|product| product * product).sum::<f64>() / 3.0;
        let (jackknife, excess) = (left_out(&SEEN)[0], 2.0 * trace / 30.0);
        let least = jackknife * 5.0 / 12.0;
        assert!(excess > 0.0 && jackknife - excess > least, "the bound is not what is tested here");
        let (found, _) = errors(&deviations(&SEEN)).bias_and_variance.expect("seven");
        assert!((found.powi(2) / (jackknife - excess) - 1.0).abs() < 1e-12);
        // However large it is found to be, no more is taken off than there can be.
        let mut wild = deviations(&SEEN);
        wild[3].pair = 1e6;
        let (found, _) = errors(&wild).bias_and_variance.expect("seven");
        assert!((found.powi(2) / least - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_fit_has_the_error_of_a_mean() {
        let values = SEEN.map(|one| dot(one, G));
        let middle = values.iter().sum::<f64>() / 7.0;
        let expected = values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / 6.0 / 7.0;
        assert!((errors(&deviations(&SEEN)).fit.powi(2) / expected - 1.0).abs() < 1e-12);
        let two = errors(&deviations(&SEEN[..2]));
        assert!(two.bias_and_variance.is_none() && two.fit > 0.0);
        // Of three estimates one pair is no sample: nothing is taken off.
        let three = errors(&deviations(&SEEN[..3])).bias_and_variance.expect("three");
        assert!((three.0.powi(2) / left_out(&SEEN[..3])[0] - 1.0).abs() < 1e-12);
    }
}
