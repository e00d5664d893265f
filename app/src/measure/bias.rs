//! Bias and variance of the estimate at a frozen point, from M fresh guesses.
//!
//! With the mean m of M estimates and s² = Σ‖ĝ − m‖²/(M − 1), both by Welford's recurrence: relative bias²
//! (‖m − g‖² − s²/M)/‖g‖², whose expectation is exact, so that an unbiased guess gives numbers around 0, negative ones too;
//! relative variance s²/‖g‖²; and the best scalar fit c = ⟨m, g⟩/‖g‖², 1 for an unbiased guess. Whole and by site. A point
//! with g = 0 has none of them. Sources: math.md, "Measurements"; Welford 1962.

use crate::kernel;
use crate::model::Graph;
use crate::record::{Key, Quantity};
use candle_core::{Error, Tensor};

/// What the estimates of one site, or of all, sum up to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    /// Σ‖ĝ − m‖².
    scatter: f64,
    /// ‖m − g‖².
    distance: f64,
    /// ⟨m, g⟩.
    inner: f64,
    /// ‖g‖².
    gradient: f64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            scatter: self.scatter + other.scatter,
            distance: self.distance + other.distance,
            inner: self.inner + other.inner,
            gradient: self.gradient + other.gradient,
        }
    }

    /// Relative bias², relative variance, scalar fit.
    fn figures(self, guesses: u64) -> [(Quantity, f64); 3] {
        let variance = self.scatter / (guesses - 1) as f64;
        [
            (Quantity::BiasSquared, (self.distance - variance / guesses as f64) / self.gradient),
            (Quantity::Variance, variance / self.gradient),
            (Quantity::ScalarFit, self.inner / self.gradient),
        ]
    }
}

/// Buffers of the probe: the running mean and the estimate under way, shaped as the parameters.
#[derive(Debug)]
pub struct Probe {
    mean: Vec<Tensor>,
    sample: Vec<Tensor>,
}

impl Probe {
    /// Buffers for parameters shaped as `like`.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(like: &[Tensor]) -> candle_core::Result<Self> {
        let zeros = || like.iter().map(Tensor::zeros_like).collect::<candle_core::Result<Vec<_>>>();
        Ok(Self { mean: zeros()?, sample: zeros()? })
    }

    /// Appends bias², variance and scalar fit against `gradient`, from `guesses` (at least 2) estimates that `fresh` writes, each
    /// given its number.
    ///
    /// # Errors
    /// Those of `fresh` and of the kernels.
    pub fn measure<E: From<Error>>(
        &mut self,
        graph: &Graph,
        gradient: &[Tensor],
        guesses: u64,
        mut fresh: impl FnMut(u64, &[Tensor]) -> Result<(), E>,
        values: &mut Vec<(Key, f64)>,
    ) -> Result<(), E> {
        let guesses = guesses.max(2);
        let mut scatter = vec![0.0; gradient.len()];
        for mean in &self.mean {
            kernel::fill(mean, 0.0)?;
        }
        for number in 0..guesses {
            fresh(number, &self.sample)?;
            let seen = (number + 1) as f64;
            for ((sample, mean), scatter) in self.sample.iter().zip(&self.mean).zip(&mut scatter) {
                kernel::axpy(sample, -1.0, mean)?;
                *scatter += kernel::norm_squared(sample)? * (seen - 1.0) / seen;
                kernel::axpy(mean, 1.0 / seen, sample)?;
            }
        }
        let mut sites = Vec::with_capacity(graph.sites.len());
        for site in 0..graph.sites.len() {
            let node = graph.site_node(site);
            let mut sums = Sums::default();
            for index in node.first_parameter..node.first_parameter + node.parameters {
                let (mean, gradient) = (&self.mean[index], &gradient[index]);
                sums.scatter += scatter[index];
                sums.inner += kernel::dot(mean, gradient)?;
                sums.gradient += kernel::norm_squared(gradient)?;
                kernel::copy(&self.sample[index], mean)?;
                kernel::axpy(&self.sample[index], -1.0, gradient)?;
                sums.distance += kernel::norm_squared(&self.sample[index])?;
            }
            sites.push(sums);
        }
        let whole = sites.iter().fold(Sums::default(), |sum, site| sum.plus(*site));
        if whole.gradient > 0.0 {
            values.extend(whole.figures(guesses).map(|(quantity, value)| (Key::whole(quantity), value)));
        }
        for (site, sums) in sites.iter().enumerate().filter(|(_, sums)| sums.gradient > 0.0) {
            values.extend(sums.figures(guesses).map(|(quantity, value)| (Key::site(quantity, site), value)));
        }
        Ok(())
    }
}
