//! How well the examples of a batch are guessed, one by one: quantiles of cos(Ê_{l,i}, δ_{l,i}) over them, of each site's signal.
//!
//! An example's rows at a site count as one vector. Examples without a signal, or without a guess of it, have no direction and
//! are passed over. At scopes `example` and `example-layer` Ê_{l,i} is the guess times its exact scalar; at `example-layer` no cosine
//! is below zero. Quantile q of n sorted values lies at place q(n − 1), between neighbours by the straight line. Estimates that are
//! not made of signals have none of this. Source: math.md, "Measurements".
#![forbid(unsafe_code)]

use super::{Values, View};
use crate::kernel;
use crate::record::{Key, Quantity};
use candle_core::{Result, Tensor};

const QUANTILES: [(f64, Quantity); 5] = [
    (0.05, Quantity::ExampleCosine5),
    (0.25, Quantity::ExampleCosine25),
    (0.5, Quantity::ExampleCosine50),
    (0.75, Quantity::ExampleCosine75),
    (0.95, Quantity::ExampleCosine95),
];

/// Quantile `q` of `sorted`, which is not empty.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// The cosine of each example that has a direction in both, `rows` rows an example, ascending.
fn cosines(guess: &Tensor, signal: &Tensor, rows: usize) -> Result<Vec<f64>> {
    let inner = kernel::group_dot(guess, signal, rows)?;
    let (ours, theirs) = (kernel::group_dot(guess, guess, rows)?, kernel::group_dot(signal, signal, rows)?);
    let lengths = ours.iter().zip(&theirs).map(|(ours, theirs)| ours.sqrt() * theirs.sqrt());
    let all = inner.iter().zip(lengths).filter(|(_, length)| *length > 0.0).map(|(inner, length)| inner / length);
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    Ok(all)
}

/// Appends the quantiles of every site, at the signals of the last adjoint pass.
///
/// # Errors
/// As the kernels do.
pub fn measure(view: View, values: &mut Values) -> Result<()> {
    let Some(estimator) = view.estimator else { return Ok(()) };
    let graph = view.network.graph();
    for site in 0..graph.sites.len() {
        let (Some(guess), Some(delta)) = (estimator.signal(site), view.point.tape.signal(site)) else { continue };
        let sorted = cosines(guess, delta, graph.site_node(site).extent.rows)?;
        if !sorted.is_empty() {
            values.extend(QUANTILES.map(|(q, quantity)| (Key::site(quantity, site), quantile(&sorted, q))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [-1.0, 0.0, 2.0, 4.0, 8.0];
        let found = [0.0, 0.05, 0.25, 0.5, 0.6, 1.0].map(|q| quantile(&sorted, q));
        for (found, expected) in found.iter().zip([-1.0, -0.8, 0.0, 2.0, 2.8, 8.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(quantile(&[3.0], 0.95), 3.0);
    }
}
