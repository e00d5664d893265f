//! Singular values σ of each W_l, and of the batch's X_l and δ_l: σ₁, effective rank exp(H(σ/Σσ)), stable rank Σσ²/σ₁². Source:
//! math.md, "Measurements".
//!
//! X_l and δ_l have a row for each row of S_l, B·P_l of them. Where there are more than 1024, as behind convolutions, so many
//! evenly spread ones stand for all.
#![forbid(unsafe_code)]

use super::{Spectra, Values};
use crate::kernel;
use crate::model::{LayerKind, Network, Tape};
use crate::record::{Key, Quantity};
use candle_core::{Result, Tensor};

/// Rows of X_l and δ_l that are looked at, at most.
const ROWS: usize = 1024;

/// exp of the entropy of σ/Σσ: between 1 and the number of singular values; NaN when all are zero.
pub fn effective_rank(singular: &[f64]) -> f64 {
    let total: f64 = singular.iter().sum();
    let entropy: f64 = singular.iter().map(|s| s / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
    if total > 0.0 { entropy.exp() } else { f64::NAN }
}

/// Σσ²/σ₁²: between 1 and the rank; NaN when all are zero.
pub fn stable_rank(singular: &[f64]) -> f64 {
    let largest = singular.iter().copied().fold(0.0, f64::max);
    singular.iter().map(|s| (s / largest).powi(2)).sum()
}

/// Appends the spectrum's figures of every dense or convolution weight, and the singular values themselves, falling.
///
/// # Errors
/// When the decomposition fails, as it does on numbers that are not finite.
pub fn measure(network: &Network, values: &mut Values, spectra: &mut Spectra) -> Result<()> {
    for site in 0..network.graph().sites.len() {
        let node = network.graph().site_node(site);
        if !matches!(node.layer.kind(), LayerKind::Linear | LayerKind::Conv2d) {
            continue;
        }
        let singular = kernel::singular_values(&network.theta()[node.first_parameter])?;
        let largest = singular.iter().copied().fold(0.0, f64::max);
        values.push((Key::site(Quantity::EffectiveRank, site), effective_rank(&singular)));
        values.push((Key::site(Quantity::StableRank, site), stable_rank(&singular)));
        values.push((Key::site(Quantity::LargestSingular, site), largest));
        spectra.push((site as u16, singular));
    }
    Ok(())
}

/// Appends both ranks of X_l and δ_l of every site, at the last adjoint pass' signals. Signals that are all zero have none.
///
/// # Errors
/// As [`measure`].
pub fn signals(tape: &Tape, values: &mut Values) -> Result<()> {
    for site in 0..tape.graph().sites.len() {
        let kinds = [
            (Some(tape.activation(site)), Quantity::ActivationEffectiveRank, Quantity::ActivationStableRank),
            (tape.signal(site), Quantity::SignalEffectiveRank, Quantity::SignalStableRank),
        ];
        for (matrix, effective, stable) in kinds {
            let Some(matrix) = matrix else { continue };
            let singular = kernel::singular_values(&spread(matrix)?)?;
            if singular.iter().any(|value| *value > 0.0) {
                values.push((Key::site(effective, site), effective_rank(&singular)));
                values.push((Key::site(stable, site), stable_rank(&singular)));
            }
        }
    }
    Ok(())
}

/// At most [`ROWS`] rows of `matrix`, evenly spread.
fn spread(matrix: &Tensor) -> Result<Tensor> {
    let rows = matrix.dim(0)?;
    if rows <= ROWS {
        return Ok(matrix.clone());
    }
    let chosen: Vec<u32> = (0..ROWS).map(|place| (place * rows / ROWS) as u32).collect();
    matrix.index_select(&Tensor::new(chosen, matrix.device())?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_known_spectra() {
        assert!((effective_rank(&[2.0; 7]) - 7.0).abs() < 1e-12);
        assert!((effective_rank(&[3.0, 0.0, 0.0]) - 1.0).abs() < 1e-12);
        assert!((stable_rank(&[2.0, 1.0, 1.0]) - 1.5).abs() < 1e-12);
        assert!(effective_rank(&[0.0, 0.0]).is_nan() && stable_rank(&[0.0]).is_nan());
    }

    #[test]
    fn rows_are_spread_over_the_whole() {
        let column = |rows: usize| {
            Tensor::arange(0.0, rows as f64, &candle_core::Device::Cpu).unwrap().reshape((rows, 1)).unwrap()
        };
        assert_eq!(spread(&column(ROWS)).unwrap().dims(), [ROWS, 1]);
        let found: Vec<f64> = spread(&column(10 * ROWS + 7)).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let steps: Vec<f64> = found.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((found.len(), found[0]), (ROWS, 0.0));
        assert!(steps.iter().all(|step| [10.0, 11.0].contains(step)) && found[ROWS - 1] > 10.0 * ROWS as f64 - 6.0);
    }
}
