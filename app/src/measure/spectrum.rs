//! Singular values of each W_l: σ₁, effective rank exp(H(σ/Σσ)), stable rank ‖W‖_F²/σ₁². Source: math.md, "Measurements".
#![forbid(unsafe_code)]

use super::{Spectra, Values};
use crate::kernel;
use crate::model::{LayerKind, Network};
use crate::record::{Key, Quantity};
use candle_core::Result;

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
}
