//! From scalars to the estimate ĝ, or straight to the parameters: coefficients, combined signals, outer products.
#![forbid(unsafe_code)]

use super::combine;
use super::directions::{Directions, Point};
use super::estimator::Estimator;
use super::scalars::Scalars;
use crate::kernel::{self, Rate};
use crate::workspace::{Combine, GuessScaling};
use candle_core::{DType, Result, Tensor, bail};

/// θ ← θ − η(c·v + λθ) for some parameters; returns ‖c·v‖².
fn descend_all(theta: &[Tensor], v: &[Tensor], c: f64, rate: Rate) -> Result<f64> {
    theta.iter().zip(v).map(|(theta, v)| kernel::descend_along(theta, v, c, rate)).sum()
}

impl Estimator {
    /// The estimate ĝ from the scalars of [`Estimator::derive`], into `estimate`, shaped as the parameters.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn combine(&mut self, point: Point, directions: Directions, estimate: &[Tensor]) -> Result<()> {
        self.weigh(point, directions)?;
        self.form(point, directions, estimate)
    }

    /// The coefficients c from the scalars of [`Estimator::derive`], and for signal guesses Ê_l = Σ_k c_k E_k, of the guesses under way.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn weigh(&mut self, point: Point, directions: Directions) -> Result<()> {
        if self.first == 0 {
            self.coefficients.reset_as(&self.scalars);
        }
        let guesses = self.first..self.first + self.at_once();
        self.coefficients.block_mut(&guesses).copy_from_slice(self.scalars.block(&guesses));
        if let Some(bound) = self.settings.clip {
            let factor = if self.settings.per_example() { point.tape.batch() as f64 } else { 1.0 };
            combine::clip(self.coefficients.block_mut(&guesses), bound, factor);
        }
        self.dropped = 0;
        let all = self.settings.guesses;
        match (self.settings.combine, self.settings.scaling) {
            (Combine::Mean, GuessScaling::Raw) => combine::mean(self.coefficients.block_mut(&guesses), all),
            (Combine::Mean, GuessScaling::Unit) => {
                let mut squared = self.gram.pop().unwrap_or_default();
                squared.reset_as(&self.scalars);
                for k in 0..self.at_once() {
                    self.inner(point, directions, [k, k], &mut squared, self.first + k)?;
                }
                combine::unit(self.coefficients.block_mut(&guesses), squared.block(&guesses), all);
                self.gram.push(squared);
            }
            (Combine::Span, _) => {
                self.gram.resize_with(self.settings.guesses, Scalars::default);
                let mut gram = std::mem::take(&mut self.gram);
                for (j, row) in gram.iter_mut().enumerate() {
                    row.reset_as(&self.scalars);
                    for k in 0..self.settings.guesses {
                        self.inner(point, directions, [j, k], row, k)?;
                    }
                }
                self.dropped = combine::span(&mut self.coefficients, &gram);
                self.gram = gram;
            }
        }
        if point.tape.dtype() == DType::F32 {
            combine::hold(self.coefficients.block_mut(&guesses), f32::MAX.into());
        }
        match directions {
            Directions::Signal(signals) => self.combine_signals(point, signals),
            Directions::Weight(_) => Ok(()),
        }
    }

    /// The estimate ĝ after [`Estimator::weigh`], into `estimate`, shaped as the parameters.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn form(&self, point: Point, directions: Directions, estimate: &[Tensor]) -> Result<()> {
        for site in 0..self.graph.sites.len() {
            self.form_site(point, directions, site, &estimate[self.parameters(site)])?;
        }
        Ok(())
    }

    /// θ ← θ − η(ĝ + λθ) after [`Estimator::weigh`], without storing ĝ where it is one product or one direction; returns
    /// ‖ĝ‖. `estimate` is scratch, shaped as the parameters. The parameters become what [`Estimator::form`] and the
    /// optimizer make of them.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn descend(&self, point: Point, directions: Directions, estimate: &[Tensor], rate: Rate) -> Result<f64> {
        let mut squared = 0.0;
        for site in 0..self.graph.sites.len() {
            let range = self.parameters(site);
            let (theta, scratch) = (&point.theta[range.clone()], &estimate[range.clone()]);
            squared += match self.only_direction(directions, site) {
                Some((v, c)) => descend_all(theta, &v[range], c, rate)?,
                None if self.is_product(directions, site) => {
                    point.tape.descend(point.theta, site, &self.combined[site], scratch, rate)?
                }
                None => {
                    self.form_site(point, directions, site, scratch)?;
                    descend_all(theta, scratch, 1.0, rate)?
                }
            };
        }
        Ok(squared.sqrt())
    }

    /// A bound on the elements of ĝ after [`Estimator::weigh`]; not finite where an element of a guess is not. `largest`
    /// is a bound on the elements of weight directions, if one is known.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn bound(&self, point: Point, directions: Directions, largest: Option<f64>) -> Result<f64> {
        let mut bound = 0f64;
        for site in 0..self.graph.sites.len() {
            let sum = |v: &[Vec<Tensor>]| -> Result<f64> {
                let mut sum = 0.0;
                for (k, v) in v.iter().enumerate() {
                    let mut element = largest.unwrap_or(0.0);
                    if largest.is_none() {
                        for v in &v[self.parameters(site)] {
                            element = element.max(kernel::largest(v)?);
                        }
                    }
                    sum += element * self.coefficients.row(k, self.group(site))[0].abs();
                }
                Ok(sum)
            };
            let here = match directions {
                Directions::Weight(weights) => sum(weights)?,
                Directions::Signal(_) => point.tape.product_bound(point.theta, site, &self.combined[site])?,
            };
            // Not `max`: it would lose a NaN.
            bound = if here > bound || here.is_nan() { here } else { bound };
        }
        Ok(bound)
    }

    /// The one weight direction that is a site's estimate, with its coefficient.
    fn only_direction<'a>(&'a self, directions: Directions<'a>, site: usize) -> Option<(&'a [Tensor], f64)> {
        let all = match directions {
            Directions::Weight(weights) => weights,
            Directions::Signal(_) if self.is_product(directions, site) => return None,
            Directions::Signal(_) => &self.directions,
        };
        match all {
            [v] => Some((v, self.coefficients.row(0, self.group(site))[0])),
            _ => None,
        }
    }

    /// Whether a site's estimate is the outer product of Ê_l with X̃, rather than a sum of formed directions.
    fn is_product(&self, directions: Directions, site: usize) -> bool {
        matches!(directions, Directions::Signal(_)) && (self.exact_output(site) || !self.formed[site])
    }

    fn form_site(&self, point: Point, directions: Directions, site: usize, estimate: &[Tensor]) -> Result<()> {
        if self.is_product(directions, site) {
            return point.tape.adjoint_parameters(point.theta, site, 1.0, &self.combined[site], 0.0, estimate);
        }
        let all = match directions {
            Directions::Weight(weights) => weights,
            Directions::Signal(_) => &self.directions,
        };
        for (k, v) in all.iter().enumerate() {
            let c = self.coefficients.row(k, self.group(site))[0];
            for (into, v) in estimate.iter().zip(&v[self.parameters(site)]) {
                kernel::axpby(into, if k == 0 { 0.0 } else { 1.0 }, c, v)?;
            }
        }
        Ok(())
    }

    fn combine_signals(&mut self, point: Point, signals: &[Tensor]) -> Result<()> {
        for (site, signal) in signals.iter().enumerate() {
            let into = &self.combined[site];
            if let Some(output) = self.graph.sites[site].output.filter(|_| self.exact_output(site)) {
                if self.first == 0 {
                    kernel::copy(into, &point.deltas[output])?;
                }
                continue;
            }
            let rows = into.dim(0)?;
            for k in 0..self.at_once() {
                let e = signal.narrow(0, k * rows, rows)?;
                let k = self.first + k;
                let factors = self.coefficients.row(k, self.group(site));
                let beta = if k == 0 { 0.0 } else { 1.0 };
                let place = &self.graph.sites[site];
                let cells = place.cells.filter(|_| self.settings.per_example());
                match cells.and_then(|cells| Some((cells, self.graph.copies_of(place.part)?))) {
                    Some((cells, copies)) => {
                        cells.reach(copies, factors, &mut self.reached);
                        let block = (rows / (point.tape.batch() * cells.rows), e.dim(1)? / cells.columns);
                        kernel::block_combine(into, beta, &e, &self.reached, block)?;
                    }
                    None => kernel::row_combine(into, beta, &e, factors, rows / factors.len())?,
                }
            }
        }
        Ok(())
    }

    /// Adds ⟨V_j, V_k⟩ (weight space) or ⟨E_j, E_k⟩ (example scopes) of every group to the numbers of guess `at` of `into`.
    fn inner(
        &self,
        point: Point,
        directions: Directions,
        [j, k]: [usize; 2],
        into: &mut Scalars,
        at: usize,
    ) -> Result<()> {
        for site in 0..self.graph.sites.len() {
            if self.exact_output(site) {
                continue;
            }
            match directions {
                Directions::Signal(signals) => {
                    let rows = point.tape.pre_activation(site).dim(0)?;
                    let a = signals[site].narrow(0, j * rows, rows)?;
                    let Some(other) = &self.injection[site] else { bail!("site {site} has no injection") };
                    let b = other.narrow(0, k * rows, rows)?;
                    if self.settings.per_example() {
                        let dots = kernel::group_dot(&a, &b, rows / point.tape.batch())?;
                        into.row_mut(at, self.group(site)).iter_mut().zip(dots).for_each(|(sum, dot)| *sum += dot);
                    } else {
                        into.row_mut(at, self.group(site))[0] += kernel::dot(&a, &b)?;
                    }
                }
                Directions::Weight(weights) => {
                    for index in self.parameters(site) {
                        into.row_mut(at, self.group(site))[0] += kernel::dot(&weights[j][index], &weights[k][index])?;
                    }
                }
            }
        }
        Ok(())
    }
}
