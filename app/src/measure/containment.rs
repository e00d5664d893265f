//! How much of the true signal lies in the span that a family of guesses draws from: ‖P_U δ_l‖²/‖δ_l‖², a mean over rows.
//!
//! Two spans a row i of site l: the rows of W_{l+1} after the row's mask, W_{l+1} diag(M_{l,i}) (what `weight-transpose` mixes;
//! δ_l = (δ_{l+1} W_{l+1}) ⊙ M_l lies in it, so this is 1 by construction where only the next dense layer reads X_l); and the
//! rows of X_l after it (what `activation-mixing` mixes; a finding). Beside each stands what a subspace of the same rank drawn at
//! random would hold: rank over the number of coordinates that the mask leaves. Rows without signal are passed over.
//! Source: math.md, "Measurements".

use crate::kernel;
use crate::model::{Graph, LayerKind, Network, Source, Tape};
use crate::record::{Key, Quantity};
use candle_core::{DType, Result, Tensor};

/// Rows of a batch that are looked at, evenly spread.
const ROWS: usize = 4;

/// Singular values below this share of the largest span nothing.
const NEGLIGIBLE: f64 = 1e-7;

/// Shares of a signal in a span and in a random one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// ‖P_U δ‖²/‖δ‖².
    pub contained: f64,
    /// Rank of U over the coordinates that the mask leaves.
    pub random: f64,
}

/// The share of `signal`, 1 × n, in the span of the rows of `span`, r × n, both f64, where `free` coordinates are not masked.
/// `None` when the signal is zero.
///
/// # Errors
/// When the decomposition fails, as it does on numbers that are not finite.
pub fn share(signal: &Tensor, span: &Tensor, free: usize) -> Result<Option<Share>> {
    let squared = kernel::norm_squared(signal)?;
    if squared == 0.0 {
        return Ok(None);
    }
    let (rows, width) = span.dims2()?;
    let rank = rows.min(width);
    let zeros = |m: usize, n: usize| Tensor::zeros((m, n), DType::F64, span.device());
    let (u, s, v) = (zeros(rows, rank)?, zeros(1, rank)?, zeros(width, rank)?);
    kernel::svd(span, &u, &s, &v)?;
    let singular: Vec<f64> = s.flatten_all()?.to_vec1()?;
    let parts: Vec<f64> = signal.matmul(&v)?.flatten_all()?.to_vec1()?;
    let least = NEGLIGIBLE * singular.iter().copied().fold(0.0, f64::max);
    let kept = || singular.iter().zip(&parts).filter(|(singular, _)| **singular > least);
    let inside: f64 = kept().map(|(_, part)| part * part).sum();
    Ok(Some(Share { contained: inside / squared, random: kept().count() as f64 / free.max(1) as f64 }))
}

/// The dense layer that alone reads X_l of `site`, as wide as X_l.
fn reader(graph: &Graph, site: usize) -> Option<usize> {
    let [next] = graph.sites[site].following[..] else { return None };
    let node = graph.site_node(next);
    let place = &graph.sites[site];
    let direct = node.inputs.first() == Some(&Source::Node(place.activation.unwrap_or(place.node)));
    (direct && node.layer.kind() == LayerKind::Linear).then_some(next)
}

/// Appends the shares of every site at the last adjoint pass' signals.
///
/// # Errors
/// As [`share`] does.
pub fn measure(network: &Network, tape: &Tape, values: &mut Vec<(Key, f64)>) -> Result<()> {
    let graph = network.graph();
    for site in 0..graph.sites.len() {
        let Some(delta) = tape.signal(site) else { continue };
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64);
        let weights = reader(graph, site).map(|next| &network.theta()[graph.site_node(next).first_parameter]);
        let weights = weights.map(wide).transpose()?;
        let activations = wide(tape.activation(site))?;
        let rows = delta.dim(0)?;
        let (mut by_weights, mut by_activations) = (Vec::new(), Vec::new());
        for place in (0..rows).step_by(rows.div_ceil(ROWS).max(1)) {
            let signal = wide(&delta.narrow(0, place, 1)?)?;
            let mask = match tape.derivative(site) {
                Some(mask) => wide(&mask.narrow(0, place, 1)?)?,
                None => signal.ones_like()?,
            };
            let free = mask.flatten_all()?.to_vec1::<f64>()?.iter().filter(|m| **m != 0.0).count();
            if let Some(weights) = &weights {
                by_weights.extend(share(&signal, &weights.broadcast_mul(&mask)?, free)?);
            }
            by_activations.extend(share(&signal, &activations.broadcast_mul(&mask)?, free)?);
        }
        let pairs = [
            (by_weights, Quantity::WeightContainment, Quantity::WeightContainmentRandom),
            (by_activations, Quantity::ActivationContainment, Quantity::ActivationContainmentRandom),
        ];
        for (shares, contained, random) in pairs.iter().filter(|(shares, ..)| !shares.is_empty()) {
            let mean = |of: fn(&Share) -> f64| shares.iter().map(of).sum::<f64>() / shares.len() as f64;
            values.push((Key::site(*contained, site), mean(|share| share.contained)));
            values.push((Key::site(*random, site), mean(|share| share.random)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn matrix(rows: usize, width: usize, of: impl Fn(usize, usize) -> f64) -> Tensor {
        let values: Vec<f64> = (0..rows * width).map(|index| of(index / width, index % width)).collect();
        Tensor::from_vec(values, (rows, width), &Device::Cpu).unwrap()
    }

    #[test]
    fn a_signal_is_split_by_a_span_of_axes() {
        // Rows 2e₀, e₁ and their sum: rank 2 of 5 coordinates.
        let span = matrix(3, 5, |i, j| match (i, j) {
            (0, 0) | (2, 0) => 2.0,
            (1, 1) | (2, 1) => 1.0,
            _ => 0.0,
        });
        let signal = matrix(1, 5, |_, j| [3.0, 0.0, 4.0, 0.0, 0.0][j]);
        let found = share(&signal, &span, 5).unwrap().unwrap();
        assert!((found.contained - 9.0 / 25.0).abs() < 1e-12 && (found.random - 0.4).abs() < 1e-12, "{found:?}");
        assert_eq!(share(&matrix(1, 5, |_, _| 0.0), &span, 5).unwrap(), None);
    }
}
