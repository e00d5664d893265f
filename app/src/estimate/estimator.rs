//! The estimate ĝ of a step: directional derivatives of K guesses by the forward mode (or differences), combined.
//!
//! For a signal guess E and a site's parameter adjoint A (A(E) = EᵀX̃) and tangent T = Aᵀ (T(V) = X̃Vᵀ), everything
//! follows from J = T(A(E)): at batch and layer scope J is what the guess' weight direction V = A(E) adds to the
//! pre-activation, ⟨V_j, V_k⟩ = ⟨E_j, J_k⟩, and ĝ = A(Σ_k c_k E_k). V itself is formed only where that is cheaper.
//! At example scopes the guess is added to the pre-activation as it is. Source: math.md, "Directional derivatives".
#![forbid(unsafe_code)]

use super::combine;
use super::cost::{self, Injected};
use super::directions::{Directions, Point};
use super::scalars::Scalars;
use super::settings::{GuessKind, Settings};
use crate::kernel;
use crate::model::{Graph, Tape};
use crate::workspace::{Combine, GuessScaling, Normalise, OutputSignal, ScalarSource};
use candle_core::{Result, Tensor, bail};
use std::sync::Arc;

/// Makes estimates for one architecture, batch size and set of settings; holds the buffers that takes.
#[derive(Debug)]
pub struct Estimator {
    settings: Settings,
    graph: Arc<Graph>,
    formed: Vec<bool>,
    injection: Vec<Option<Tensor>>,
    combined: Vec<Tensor>,
    directions: Vec<Vec<Tensor>>,
    probe: Option<Probe>,
    scalars: Scalars,
    coefficients: Scalars,
    gram: Vec<Scalars>,
    dropped: usize,
}

/// What differences need: a second tape and a second set of parameters.
#[derive(Debug)]
struct Probe {
    tape: Tape,
    theta: Vec<Tensor>,
}

impl Estimator {
    /// Plans the buffers for estimates at `tape`'s batch size with parameters shaped as `theta`.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(settings: Settings, kind: GuessKind, tape: &Tape, theta: &[Tensor]) -> Result<Self> {
        let graph = tape.graph().clone();
        let guesses = settings.guesses;
        let central = matches!(settings.source, ScalarSource::Central(_));
        let in_weights = kind == GuessKind::Signal && !settings.per_example();
        let formed: Vec<bool> = (0..graph.sites.len())
            .map(|site| {
                let choice = cost::injection(&graph, site, tape.batch(), guesses);
                in_weights && (central || matches!(choice, Injected::Formed(_)))
            })
            .collect();
        let stacked = |site: usize, blocks: usize| {
            let value = tape.pre_activation(site);
            Tensor::zeros((blocks * value.dim(0)?, value.dim(1)?), tape.dtype(), tape.device())
        };
        let sites = 0..graph.sites.len();
        let injection = match kind {
            GuessKind::Signal if settings.per_example() => vec![None; graph.sites.len()],
            GuessKind::Estimate => Vec::new(),
            _ => sites.clone().map(|site| stacked(site, guesses).map(Some)).collect::<Result<_>>()?,
        };
        let combined = match kind {
            GuessKind::Signal => sites.map(|site| stacked(site, 1)).collect::<Result<_>>()?,
            _ => Vec::new(),
        };
        let directions = if formed.contains(&true) {
            (0..guesses).map(|_| theta.iter().map(Tensor::zeros_like).collect()).collect::<Result<_>>()?
        } else {
            Vec::new()
        };
        let probe = if central {
            Some(Probe {
                tape: Tape::new(graph.clone(), tape.batch(), tape.dtype(), tape.device())?,
                theta: theta.iter().map(Tensor::zeros_like).collect::<Result<_>>()?,
            })
        } else {
            None
        };
        let (scalars, coefficients, gram) = Default::default();
        Ok(Self {
            settings,
            graph,
            formed,
            injection,
            combined,
            directions,
            probe,
            scalars,
            coefficients,
            gram,
            dropped: 0,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The directional derivatives d of the last estimate, before clip and combination.
    pub fn scalars(&self) -> &Scalars {
        &self.scalars
    }

    /// The coefficients c of the last estimate.
    pub fn coefficients(&self) -> &Scalars {
        &self.coefficients
    }

    /// Directions dropped as dependent in the last estimate (`span`).
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The signal Ê_l = Σ_k c_k E_k of the last estimate from signal guesses: ĝ_l is its outer product with X̃.
    pub fn signal(&self, site: usize) -> Option<&Tensor> {
        self.combined.get(site)
    }

    /// Normalises the rows of a signal guess, (K·B·P_l) × n_l, as the settings say: `row` to √n_l, `batch` to √(B·n_l)
    /// for each guess. Zero rows stay zero.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn normalise(&self, guess: &Tensor) -> Result<()> {
        let (rows, width) = guess.dims2()?;
        match self.settings.normalise {
            Normalise::None => Ok(()),
            Normalise::Row => kernel::normalise_rows(guess, (width as f64).sqrt()),
            Normalise::Batch => {
                let rows = rows / self.settings.guesses;
                for k in 0..self.settings.guesses {
                    let block = guess.narrow(0, k * rows, rows)?;
                    let squared = kernel::norm_squared(&block)?;
                    if squared > 0.0 {
                        kernel::scale(&block, ((rows * width) as f64 / squared).sqrt())?;
                    }
                }
                Ok(())
            }
        }
    }

    /// The scalars of `directions` at `point`: read them with [`Estimator::scalars`].
    ///
    /// # Errors
    /// As the kernels do.
    pub fn derive(&mut self, point: Point, directions: Directions) -> Result<()> {
        self.inject(point, directions)?;
        match self.settings.source {
            ScalarSource::Tangent => self.by_tangent(point),
            ScalarSource::Central(h) => self.by_difference(point, directions, h),
        }
    }

    /// The estimate ĝ from the scalars of [`Estimator::derive`], into `estimate`, shaped as the parameters.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn combine(&mut self, point: Point, directions: Directions, estimate: &[Tensor]) -> Result<()> {
        self.coefficients.clone_from(&self.scalars);
        if let Some(bound) = self.settings.clip {
            let factor = if self.settings.per_example() { point.tape.batch() as f64 } else { 1.0 };
            combine::clip(&mut self.coefficients, bound, factor);
        }
        self.dropped = 0;
        match (self.settings.combine, self.settings.scaling) {
            (Combine::Mean, GuessScaling::Raw) => combine::mean(&mut self.coefficients),
            (Combine::Mean, GuessScaling::Unit) => {
                let mut squared = Scalars::zeros(self.scalars.guesses, self.scalars.sites, self.scalars.examples);
                for k in 0..self.settings.guesses {
                    self.inner(point, directions, k, k, &mut squared)?;
                }
                combine::unit(&mut self.coefficients, &squared);
            }
            (Combine::Span, _) => {
                self.gram.resize_with(self.settings.guesses, Scalars::default);
                let mut gram = std::mem::take(&mut self.gram);
                for (j, row) in gram.iter_mut().enumerate() {
                    row.reset(self.scalars.guesses, self.scalars.sites, self.scalars.examples);
                    for k in 0..self.settings.guesses {
                        self.inner(point, directions, j, k, row)?;
                    }
                }
                self.dropped = combine::span(&mut self.coefficients, &gram);
                self.gram = gram;
            }
        }
        match directions {
            Directions::Signal(guesses) => self.combine_signals(point, guesses, estimate),
            Directions::Weight(guesses) => self.combine_weights(guesses, estimate),
        }
    }

    fn exact_output(&self, site: usize) -> bool {
        self.settings.output == OutputSignal::Exact && site + 1 == self.graph.sites.len()
    }

    fn parameters(&self, site: usize) -> std::ops::Range<usize> {
        let node = self.graph.site_node(site);
        node.first_parameter..node.first_parameter + node.parameters
    }

    /// Fills the injections: E itself at example scopes, J = T(V) at batch and layer scope.
    fn inject(&mut self, point: Point, directions: Directions) -> Result<()> {
        let guesses = self.settings.guesses;
        for site in 0..self.graph.sites.len() {
            if self.exact_output(site) {
                self.injection[site] = None;
                continue;
            }
            let range = self.parameters(site);
            let rows = point.tape.pre_activation(site).dim(0)?;
            match directions {
                Directions::Signal(signals) if self.settings.per_example() => {
                    self.injection[site] = Some(signals[site].clone());
                }
                Directions::Signal(signals) => {
                    let Some(into) = &self.injection[site] else { bail!("site {site} has no injection buffer") };
                    if self.formed[site] {
                        for (k, v) in self.directions.iter().enumerate() {
                            let e = signals[site].narrow(0, k * rows, rows)?;
                            let j = into.narrow(0, k * rows, rows)?;
                            let v = &v[range.clone()];
                            point.tape.adjoint_parameters(point.theta, site, 1.0, &e, 0.0, v)?;
                            point.tape.tangent_parameters(point.theta, site, v, &j)?;
                        }
                    } else {
                        gram_product(point, &self.graph, site, &signals[site], guesses, into)?;
                    }
                }
                Directions::Weight(weights) => {
                    let Some(into) = &self.injection[site] else { bail!("site {site} has no injection buffer") };
                    for (k, v) in weights.iter().enumerate() {
                        let j = into.narrow(0, k * rows, rows)?;
                        point.tape.tangent_parameters(point.theta, site, &v[range.clone()], &j)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn by_tangent(&mut self, point: Point) -> Result<()> {
        let guesses = self.settings.guesses;
        let separate = self.settings.per_layer();
        let tangent = point.tape.tangent(point.theta, &self.injection, guesses, separate)?;
        let group = self.graph.output().rows;
        let dots = kernel::group_dot(&tangent, point.delta, group)?;
        let batch = point.tape.batch();
        let sites = if separate { self.graph.sites.len() } else { 1 };
        let examples = if self.settings.per_example() { batch } else { 1 };
        self.scalars.reset(guesses, sites, examples);
        for (block, dots) in dots.chunks_exact(batch).enumerate() {
            let (site, guess) = (block / guesses, block % guesses);
            let row = self.scalars.row_mut(guess, site);
            if examples == 1 {
                row[0] = dots.iter().sum();
            } else {
                row.copy_from_slice(dots);
            }
        }
        Ok(())
    }

    fn by_difference(&mut self, point: Point, directions: Directions, h: f64) -> Result<()> {
        let (guesses, batch) = (self.settings.guesses, point.tape.batch());
        let sites = if self.settings.per_layer() { self.graph.sites.len() } else { 1 };
        let examples = if self.settings.per_example() { batch } else { 1 };
        self.scalars.reset(guesses, sites, examples);
        let Some(probe) = &self.probe else { bail!("differences need a probe") };
        for guess in 0..guesses {
            for place in 0..sites {
                let moved = |site: usize| (sites == 1 || site == place) && !self.exact_output(site);
                let mut losses = [Vec::new(), Vec::new()];
                for (side, sign) in losses.iter_mut().zip([h, -h]) {
                    let (theta, injected);
                    if self.settings.per_example() {
                        let mut blocks = Vec::with_capacity(self.graph.sites.len());
                        for (site, matrix) in self.injection.iter().enumerate() {
                            let rows = point.tape.pre_activation(site).dim(0)?;
                            blocks.push(match matrix {
                                Some(matrix) if moved(site) => Some(matrix.narrow(0, guess * rows, rows)?),
                                _ => None,
                            });
                        }
                        (theta, injected) = (point.theta, Some(blocks));
                    } else {
                        let v: &[Tensor] = match directions {
                            Directions::Signal(_) => &self.directions[guess],
                            Directions::Weight(weights) => &weights[guess],
                        };
                        for site in 0..self.graph.sites.len() {
                            for index in self.parameters(site) {
                                kernel::copy(&probe.theta[index], &point.theta[index])?;
                                if moved(site) {
                                    kernel::axpy(&probe.theta[index], sign, &v[index])?;
                                }
                            }
                        }
                        (theta, injected) = (&probe.theta[..], None);
                    }
                    let injection = injected.as_ref().map(|blocks| (&blocks[..], sign));
                    probe.tape.forward(theta, point.data, injection, |_| Ok::<(), candle_core::Error>(()))?;
                    *side = point.loss.evaluate(probe.tape.logits(), point.labels, None)?.examples;
                }
                let row = self.scalars.row_mut(guess, place);
                for (i, (plus, minus)) in losses[0].iter().zip(&losses[1]).enumerate() {
                    row[i.min(examples - 1)] += (plus - minus) / (2.0 * h * batch as f64);
                }
            }
        }
        Ok(())
    }

    /// Adds ⟨V_j, V_k⟩ (weight space) or ⟨E_j, E_k⟩ (example scopes) of every group to row `k` of `into`.
    fn inner(&self, point: Point, directions: Directions, j: usize, k: usize, into: &mut Scalars) -> Result<()> {
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
                        into.row_mut(k, site).iter_mut().zip(dots).for_each(|(sum, dot)| *sum += dot);
                    } else {
                        into.row_mut(k, site)[0] += kernel::dot(&a, &b)?;
                    }
                }
                Directions::Weight(weights) => {
                    for index in self.parameters(site) {
                        into.row_mut(k, site)[0] += kernel::dot(&weights[j][index], &weights[k][index])?;
                    }
                }
            }
        }
        Ok(())
    }

    fn combine_signals(&mut self, point: Point, signals: &[Tensor], estimate: &[Tensor]) -> Result<()> {
        for (site, signal) in signals.iter().enumerate() {
            let range = self.parameters(site);
            let into = &self.combined[site];
            let rows = into.dim(0)?;
            if self.exact_output(site) {
                kernel::copy(into, point.delta)?;
            } else {
                for k in 0..self.settings.guesses {
                    let e = signal.narrow(0, k * rows, rows)?;
                    let factors = self.coefficients.row(k, site);
                    let beta = if k == 0 { 0.0 } else { 1.0 };
                    kernel::row_combine(into, beta, &e, factors, rows / factors.len())?;
                }
                if self.formed[site] {
                    for (k, v) in self.directions.iter().enumerate() {
                        let c = self.coefficients.row(k, site)[0];
                        add_direction(&estimate[range.clone()], &v[range.clone()], c, k == 0)?;
                    }
                    continue;
                }
            }
            point.tape.adjoint_parameters(point.theta, site, 1.0, into, 0.0, &estimate[range])?;
        }
        Ok(())
    }

    fn combine_weights(&self, weights: &[Vec<Tensor>], estimate: &[Tensor]) -> Result<()> {
        for site in 0..self.graph.sites.len() {
            let range = self.parameters(site);
            for (k, v) in weights.iter().enumerate() {
                let c = self.coefficients.row(k, site)[0];
                add_direction(&estimate[range.clone()], &v[range.clone()], c, k == 0)?;
            }
        }
        Ok(())
    }
}

fn add_direction(estimate: &[Tensor], v: &[Tensor], c: f64, first: bool) -> Result<()> {
    for (into, v) in estimate.iter().zip(v) {
        if first {
            kernel::fill(into, 0.0)?;
        }
        kernel::axpy(into, c, v)?;
    }
    Ok(())
}

/// J = (X Xᵀ + 11ᵀ)E for K stacked guesses, by the Gram identity: V is never formed.
fn gram_product(point: Point, graph: &Graph, site: usize, e: &Tensor, guesses: usize, into: &Tensor) -> Result<()> {
    let place = &graph.sites[site];
    let node = &graph.nodes[place.node];
    point.tape.at(point.theta, place.node, |at| {
        let Some(x) = node.layer.rows(at) else { bail!("layer `{}` has no input rows", node.name) };
        let rows = x.dim(0)?;
        let gram = point.tape.arena().take(rows, rows)?;
        kernel::gemm(&gram, 0.0, 1.0, x, false, x, true)?;
        if node.parameters > 1 {
            kernel::add_scalar(&gram, 1.0)?;
        }
        for k in 0..guesses {
            let (e, j) = (e.narrow(0, k * rows, rows)?, into.narrow(0, k * rows, rows)?);
            kernel::gemm(&j, 0.0, 1.0, &gram, false, &e, false)?;
        }
        Ok(())
    })
}
