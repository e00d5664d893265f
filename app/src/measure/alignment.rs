//! cos(ĝ, g) whole and by site, in weight and signal space; norm ratio ‖ĝ‖/‖g‖; share of equal signs.
//!
//! A site's weight and bias count as one vector. A zero vector has no direction: its cosine is NaN, which records keep
//! and charts show as a gap. Source: math.md, "Measurements".
#![forbid(unsafe_code)]

use super::View;
use crate::kernel;
use crate::record::{Key, Quantity};
use candle_core::{Result, Tensor};

/// Inner product and squared norms of two vectors.
#[derive(Clone, Copy, Debug, Default)]
struct Angle {
    inner: f64,
    estimate: f64,
    gradient: f64,
}

impl Angle {
    fn add(&mut self, estimate: &Tensor, gradient: &Tensor) -> Result<()> {
        self.inner += kernel::dot(estimate, gradient)?;
        self.estimate += kernel::norm_squared(estimate)?;
        self.gradient += kernel::norm_squared(gradient)?;
        Ok(())
    }

    fn plus(self, other: Self) -> Self {
        Self {
            inner: self.inner + other.inner,
            estimate: self.estimate + other.estimate,
            gradient: self.gradient + other.gradient,
        }
    }

    fn cosine(self) -> f64 {
        self.inner / (self.estimate.sqrt() * self.gradient.sqrt())
    }

    fn ratio(self) -> f64 {
        (self.estimate / self.gradient).sqrt()
    }
}

/// Appends the alignment of the view's estimate with `gradient`.
///
/// # Errors
/// As the kernels do.
pub fn measure(view: View, gradient: &[Tensor], values: &mut Vec<(Key, f64)>) -> Result<()> {
    let graph = view.network.graph();
    let mut sites = Vec::with_capacity(graph.sites.len());
    for site in 0..graph.sites.len() {
        let node = graph.site_node(site);
        let mut angle = Angle::default();
        let range = node.first_parameter..node.first_parameter + node.parameters;
        for (estimate, gradient) in view.estimate[range.clone()].iter().zip(&gradient[range]) {
            angle.add(estimate, gradient)?;
        }
        sites.push(angle);
    }
    let whole = sites.iter().fold(Angle::default(), |sum, site| sum.plus(*site));
    values.push((Key::whole(Quantity::Cosine), whole.cosine()));
    values.push((Key::whole(Quantity::NormRatio), whole.ratio()));
    let mut equal = 0;
    for (estimate, gradient) in view.estimate.iter().zip(gradient) {
        equal += kernel::count_equal_signs(estimate, gradient)?;
    }
    let share = equal as f64 / view.network.parameter_count() as f64;
    values.push((Key::whole(Quantity::SignAgreement), share));
    for (site, angle) in sites.iter().enumerate() {
        values.push((Key::site(Quantity::Cosine, site), angle.cosine()));
        values.push((Key::site(Quantity::NormRatio, site), angle.ratio()));
    }
    if let Some(estimator) = view.estimator {
        for site in 0..graph.sites.len() {
            if let (Some(guess), Some(delta)) = (estimator.signal(site), view.point.tape.signal(site)) {
                let mut angle = Angle::default();
                angle.add(guess, delta)?;
                values.push((Key::site(Quantity::SignalCosine, site), angle.cosine()));
            }
        }
    }
    Ok(())
}
