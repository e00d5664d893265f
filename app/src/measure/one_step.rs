//! One-step effectiveness: how much of the gradient step's gain the estimate brings, on the same batch.
//!
//! `[L(θ) − L(θ − η ĝ·‖g‖/‖ĝ‖)] / [L(θ) − L(θ − η g)]`, and the same at matched η without rescaling. A denominator ≤ 0
//! or ĝ = 0 counts as missing and nothing is recorded. Tends to cos(ĝ, g) as η → 0. Source: math.md, "Measurements".
#![forbid(unsafe_code)]

use super::View;
use crate::kernel;
use crate::model::Tape;
use crate::record::{Key, Quantity};
use candle_core::{Result, Tensor};

/// Appends both forms for step size `rate`, using `probe` and `theta` as scratch.
///
/// # Errors
/// As the kernels do.
pub fn measure(
    view: View,
    gradient: &[Tensor],
    rate: f64,
    probe: &Tape,
    theta: &[Tensor],
    values: &mut Vec<(Key, f64)>,
) -> Result<()> {
    let norm = |tensors: &[Tensor]| -> Result<f64> {
        let squared = tensors.iter().map(kernel::norm_squared).sum::<Result<f64>>()?;
        Ok(squared.sqrt())
    };
    let after = |direction: &[Tensor], rate: f64| -> Result<f64> {
        for ((into, theta), direction) in theta.iter().zip(view.point.theta).zip(direction) {
            kernel::copy(into, theta)?;
            kernel::axpy(into, -rate, direction)?;
        }
        probe.forward(theta, view.point.data, None, |_| Ok::<(), candle_core::Error>(()))?;
        Ok(view.point.loss.evaluate_all(&probe.outputs(), view.point.labels, None)?.total())
    };
    let (estimate_norm, gradient_norm) = (norm(view.estimate)?, norm(gradient)?);
    let best = view.loss - after(gradient, rate)?;
    let defined = best > 0.0 && estimate_norm > 0.0;
    if !defined {
        return Ok(());
    }
    let rescaled = view.loss - after(view.estimate, rate * gradient_norm / estimate_norm)?;
    let raw = view.loss - after(view.estimate, rate)?;
    values.push((Key::whole(Quantity::OneStep), rescaled / best));
    values.push((Key::whole(Quantity::OneStepRaw), raw / best));
    Ok(())
}
