//! Bias and variance of the estimate at a frozen point, from M fresh guesses.
//!
//! With the mean m of M estimates and s² = Σ‖ĝ − m‖²/(M − 1), both by Welford's recurrence: relative bias²
//! (‖m − g‖² − s²/M)/‖g‖², whose expectation is exact, so that an unbiased guess gives numbers around 0, negative ones too;
//! relative variance s²/‖g‖²; and the best scalar fit c = ⟨m, g⟩/‖g‖², 1 for an unbiased guess. Whole and by site. A point
//! with g = 0 has none of them.
//!
//! Each has its standard error over the M guesses ([`super::jackknife`] says how), which needs how every estimate lies to the mean of all.
//! The estimates are not kept: their draws are keyed, so they are made a second time once the mean is known. Kept are four vectors as long
//! as the parameters, and four numbers for each guess and site. Sources: math.md, "Measurements"; Welford 1962.

use super::jackknife::{Deviation, errors};
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

    /// Relative bias², relative variance, scalar fit, with their standard errors as far as there are any.
    fn figures(self, deviations: &[Deviation]) -> Vec<(Quantity, f64)> {
        let guesses = deviations.len() as f64;
        let variance = self.scatter / (guesses - 1.0);
        let found = errors(deviations);
        let (bias_error, variance_error) = found.bias_and_variance.unzip();
        let figures = [
            (Quantity::BiasSquared, Some(self.distance - variance / guesses)),
            (Quantity::BiasSquaredError, bias_error),
            (Quantity::Variance, Some(variance)),
            (Quantity::VarianceError, variance_error),
            (Quantity::ScalarFit, Some(self.inner)),
            (Quantity::ScalarFitError, Some(found.fit)),
        ];
        figures.into_iter().filter_map(|(quantity, value)| Some((quantity, value? / self.gradient))).collect()
    }
}

/// Buffers of the probe, shaped as the parameters.
#[derive(Debug)]
pub struct Probe {
    /// The running mean.
    mean: Vec<Tensor>,
    /// The estimate under way.
    sample: Vec<Tensor>,
    /// The first of a pair of estimates, then their difference.
    pair: Vec<Tensor>,
    /// Sum of the differences of the pairs so far.
    differences: Vec<Tensor>,
}

impl Probe {
    /// Buffers for parameters shaped as `like`.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(like: &[Tensor]) -> candle_core::Result<Self> {
        let zeros = || like.iter().map(Tensor::zeros_like).collect::<candle_core::Result<Vec<_>>>();
        Ok(Self { mean: zeros()?, sample: zeros()?, pair: zeros()?, differences: zeros()? })
    }

    /// Appends bias², variance and scalar fit against `gradient` with their standard errors, from `guesses` (at least 2) estimates that
    /// `fresh` writes, each given its number. It is asked twice for each, and writes the same both times. Of two estimates only the fit
    /// has an error.
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
        let deviations = self.deviations(graph, gradient, guesses, fresh)?;
        let whole = sites.iter().fold(Sums::default(), |sum, site| sum.plus(*site));
        if whole.gradient > 0.0 {
            let mut all = vec![Deviation::default(); guesses as usize];
            for site in &deviations {
                all.iter_mut().zip(site).for_each(|(sum, found)| *sum += *found);
            }
            values.extend(whole.figures(&all).into_iter().map(|(quantity, value)| (Key::whole(quantity), value)));
        }
        for (site, (sums, deviations)) in sites.iter().zip(&deviations).enumerate() {
            if sums.gradient > 0.0 {
                let found = sums.figures(deviations).into_iter();
                values.extend(found.map(|(quantity, value)| (Key::site(quantity, site), value)));
            }
        }
        Ok(())
    }

    /// How every estimate, made once more, lies to the mean of all: for each site in the order of their numbers.
    fn deviations<E: From<Error>>(
        &self,
        graph: &Graph,
        gradient: &[Tensor],
        guesses: u64,
        mut fresh: impl FnMut(u64, &[Tensor]) -> Result<(), E>,
    ) -> Result<Vec<Vec<Deviation>>, E> {
        let mut deviations = vec![Vec::new(); graph.sites.len()];
        for sum in &self.differences {
            kernel::fill(sum, 0.0)?;
        }
        for number in 0..guesses {
            fresh(number, &self.sample)?;
            for (site, deviations) in deviations.iter_mut().enumerate() {
                let node = graph.site_node(site);
                let mut found = Deviation::default();
                let parameters = node.first_parameter..node.first_parameter + node.parameters;
                for (index, gradient) in parameters.clone().zip(&gradient[parameters]) {
                    let (sample, pair, sum) = (&self.sample[index], &self.pair[index], &self.differences[index]);
                    if number.is_multiple_of(2) {
                        kernel::copy(pair, sample)?;
                    } else {
                        kernel::axpy(pair, -1.0, sample)?;
                        found.pair += kernel::dot(pair, sum)?;
                        kernel::axpy(sum, 1.0, pair)?;
                    }
                    kernel::axpy(sample, -1.0, &self.mean[index])?;
                    let along_gradient = kernel::dot(sample, gradient)?;
                    found.square += kernel::norm_squared(sample)?;
                    found.along_bias += kernel::dot(sample, &self.mean[index])? - along_gradient;
                    found.along_gradient += along_gradient;
                }
                deviations.push(found);
            }
        }
        Ok(deviations)
    }
}
