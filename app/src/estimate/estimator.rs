//! The estimate ĝ of a step: directional derivatives of K guesses by the forward mode (or differences), combined.
//!
//! For a signal guess E and a site's parameter adjoint A (A(E) = EᵀX̃) and tangent T = Aᵀ (T(V) = X̃Vᵀ), everything
//! follows from J = T(A(E)): at batch and layer scope J is what the guess' weight direction V = A(E) adds to the
//! pre-activation, ⟨V_j, V_k⟩ = ⟨E_j, J_k⟩, and ĝ = A(Σ_k c_k E_k). V itself is formed only where that is cheaper.
//! At example scopes the guess is added to the pre-activation as it is. Source: math.md, "Directional derivatives". Where a block's loss
//! has copies, each has a scalar: ⟨∂L/∂X, Ẋ⟩ over its own patch and group of the block's output X.
#![forbid(unsafe_code)]

use super::cost::{self, Injected};
use super::difference::Probe;
use super::directions::{Directions, Point};
use super::scalars::Scalars;
use super::settings::{GuessKind, Settings};
use crate::kernel;
use crate::model::{Copies, Graph, Tape};
use crate::workspace::{Normalise, OutputSignal, ScalarSource};
use candle_core::{Result, Tensor, bail};
use std::sync::Arc;

/// Makes estimates for one architecture, batch size and set of settings; holds the buffers that takes.
#[derive(Debug)]
pub struct Estimator {
    pub(super) settings: Settings,
    pub(super) graph: Arc<Graph>,
    pub(super) formed: Vec<bool>,
    pub(super) injection: Vec<Option<Tensor>>,
    pub(super) combined: Vec<Tensor>,
    pub(super) directions: Vec<Vec<Tensor>>,
    pub(super) probe: Option<Probe>,
    pub(super) scalars: Scalars,
    pub(super) coefficients: Scalars,
    pub(super) gram: Vec<Scalars>,
    pub(super) dropped: usize,
    /// Number of the first of the guesses under way, of which there are [`Estimator::at_once`].
    pub(super) first: usize,
    /// Where the tangent of each output's scalars is read.
    reads: Arc<[usize]>,
    /// How many scalars of a guess each group has.
    lengths: Vec<usize>,
    /// What each cell of a site reaches, where losses have copies.
    pub(super) reached: Vec<f64>,
    forward_share: f64,
}

impl Estimator {
    /// Plans the buffers for estimates at `tape`'s batch size with parameters shaped as `theta`.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(settings: Settings, kind: GuessKind, tape: &Tape, theta: &[Tensor]) -> Result<Self> {
        let graph = tape.graph().clone();
        let guesses = settings.guesses;
        let probed = matches!(settings.source, ScalarSource::Central(_) | ScalarSource::OneSided(_));
        // Without a scalar no direction is followed: the guess itself becomes the estimate.
        let followed = settings.source != ScalarSource::None;
        let in_weights = kind == GuessKind::Signal && !settings.per_example();
        let formed: Vec<bool> = (0..graph.sites.len())
            .map(|site| {
                let choice = cost::injection(&graph, site, tape.batch(), guesses);
                in_weights && followed && (probed || matches!(choice, Injected::Formed(_)))
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
            _ if !followed => vec![None; graph.sites.len()],
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
        let probe = if probed { Some(Probe::new(tape, theta)?) } else { None };
        let (scalars, coefficients, gram, reached) = Default::default();
        let reads = if settings.per_example() { graph.reads() } else { graph.outputs.clone() }.into();
        let lengths = lengths(&graph, &settings, tape.batch());
        let forward_share = cost::forward_share(&graph, tape.batch(), kind, &settings);
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
            first: 0,
            reads,
            lengths,
            reached,
            forward_share,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many guesses are under way side by side: K, where the settings do not say.
    pub fn at_once(&self) -> usize {
        self.settings.at_once.unwrap_or(self.settings.guesses)
    }

    /// The numbers of the first guesses that are under way side by side, one after the other in a step.
    pub fn firsts(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.settings.guesses).step_by(self.at_once().max(1))
    }

    /// What follows is about the guesses from `first` on, [`Estimator::at_once`] of them. Their scalars and coefficients join those of the
    /// guesses before, and their part of Ê is added to it; 0 begins anew.
    pub fn turn_to(&mut self, first: usize) {
        self.first = first;
    }

    /// Share of the forward pass in the products of a forward pass with the tangents beside it.
    pub fn forward_share(&self) -> f64 {
        self.forward_share
    }

    /// The directional derivatives d of the last estimate, before clip and combination.
    pub fn scalars(&self) -> &Scalars {
        &self.scalars
    }

    /// Scalars of one guess; 0 where none is taken.
    pub fn scalars_each(&self) -> u64 {
        match self.settings.source {
            ScalarSource::None => 0,
            _ => self.lengths.iter().sum::<usize>() as u64,
        }
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

    /// Normalises the rows of the signal guesses under way, (K·B·P_l) × n_l, as the settings say: `row` to √n_l, `batch` to √(B·n_l)
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
                let rows = rows / self.at_once();
                for k in 0..self.at_once() {
                    let block = guess.narrow(0, k * rows, rows)?;
                    let squared = kernel::norm_squared(&block)?;
                    let factor = ((rows * width) as f64 / squared).sqrt();
                    // Single precision may not hold the whole factor of numbers near the smallest.
                    let (factor, times) = if factor > f64::from(f32::MAX) { (factor.sqrt(), 2) } else { (factor, 1) };
                    if squared > 0.0 {
                        (0..times).try_for_each(|_| kernel::scale(&block, factor))?;
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
        if self.settings.source == ScalarSource::None {
            self.take_as_it_is(point.tape.batch(), directions);
            return Ok(());
        }
        for site in 0..self.graph.sites.len() {
            self.inject(point.tape, point.theta, site, directions)?;
        }
        match self.settings.source {
            ScalarSource::None => Ok(()),
            ScalarSource::Tangent => {
                let (guesses, separate) = (self.at_once(), self.settings.per_layer());
                let tangent = point.tape.tangent(point.theta, &self.injection, guesses, separate, &self.reads)?;
                self.read_tangent(&tangent, point)
            }
            ScalarSource::Central(h) => self.by_difference(point, directions, h, true),
            ScalarSource::OneSided(h) => self.by_difference(point, directions, h, false),
        }
    }

    /// Scalars of guesses that are the estimate themselves: 1 of a direction in weights, the mean's 1/B of signals.
    fn take_as_it_is(&mut self, batch: usize, directions: Directions) {
        self.scalars.reset(self.settings.guesses, self.lengths.iter().copied());
        self.scalars.values.fill(match directions {
            Directions::Signal(_) => 1.0 / batch as f64,
            Directions::Weight(_) => 1.0,
        });
    }

    pub(super) fn exact_output(&self, site: usize) -> bool {
        self.settings.output == OutputSignal::Exact && self.graph.sites[site].output.is_some()
    }

    /// Which scalar is a site's: its own, or that of the part of the model that it belongs to.
    pub(super) fn group(&self, site: usize) -> usize {
        if self.settings.per_layer() { site } else { self.graph.sites[site].part }
    }

    pub(super) fn parameters(&self, site: usize) -> std::ops::Range<usize> {
        let node = self.graph.site_node(site);
        node.first_parameter..node.first_parameter + node.parameters
    }

    /// Makes the injection of `site`, once S_l exists: E itself at example scopes, J = T(V) at batch and layer scope.
    /// [`Estimator::injection`] has it then.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn inject(&mut self, tape: &Tape, theta: &[Tensor], site: usize, directions: Directions) -> Result<()> {
        if self.exact_output(site) {
            self.injection[site] = None;
            return Ok(());
        }
        let guesses = self.at_once();
        let range = self.parameters(site);
        let rows = tape.pre_activation(site).dim(0)?;
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
                        tape.adjoint_parameters(theta, site, 1.0, &e, 0.0, v)?;
                        tape.tangent_parameters(theta, site, v, &j)?;
                    }
                } else {
                    gram_product(tape, theta, site, &signals[site], guesses, into)?;
                }
            }
            Directions::Weight(weights) => {
                let Some(into) = &self.injection[site] else { bail!("site {site} has no injection buffer") };
                for (k, v) in weights.iter().enumerate() {
                    let j = into.narrow(0, k * rows, rows)?;
                    tape.tangent_parameters(theta, site, &v[range.clone()], &j)?;
                }
            }
        }
        Ok(())
    }

    /// What is injected at `site` for the guesses under way, (K·B·P_l) × n_l; `None` where nothing is.
    pub fn injection(&self, site: usize) -> Option<&Tensor> {
        self.injection[site].as_ref()
    }

    /// Whether the scalars come from tangents, which can go through the layers together with the forward pass.
    pub fn takes_tangents(&self) -> bool {
        matches!(self.settings.source, ScalarSource::Tangent)
    }

    /// Where the tangents must be read that [`Estimator::read_tangent`] takes.
    pub fn reads(&self) -> Arc<[usize]> {
        Arc::clone(&self.reads)
    }

    /// Takes the scalars from the stacked `tangents` of each output, read where [`Estimator::reads`] says ([`Tape::tangent`]), and
    /// the loss' signal there. Parts of a model that share no output have scalars of their own.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn read_tangent(&mut self, tangents: &[Tensor], point: Point) -> Result<()> {
        let (guesses, batch) = (self.at_once(), point.tape.batch());
        if self.first == 0 {
            self.scalars.reset(self.settings.guesses, self.lengths.iter().copied());
        }
        for (output, (tangent, delta)) in tangents.iter().zip(point.deltas).enumerate() {
            let part = self.graph.part_of(output);
            let (dots, each) = match self.graph.copies[output].filter(|_| self.settings.per_example()) {
                Some(copies) => {
                    let signal = point.tape.signal_behind(point.theta, output, delta, copies.node)?;
                    (copy_dots(copies, tangent, &signal, batch)?, batch * copies.count())
                }
                None => {
                    let rows = self.graph.nodes[self.graph.outputs[output]].extent.rows;
                    (kernel::group_dot(tangent, delta, rows)?, batch)
                }
            };
            for (block, dots) in dots.chunks_exact(each).enumerate() {
                let (place, guess) = (block / guesses, block % guesses);
                let group = if self.settings.per_layer() { self.graph.parts[part][place] } else { part };
                let row = self.scalars.row_mut(self.first + guess, group);
                if row.len() == 1 {
                    row[0] += dots.iter().sum::<f64>();
                } else {
                    row.iter_mut().zip(dots).for_each(|(sum, dot)| *sum += dot);
                }
            }
        }
        Ok(())
    }
}

/// How many scalars of a guess each group of sites has that shares some.
fn lengths(graph: &Graph, settings: &Settings, batch: usize) -> Vec<usize> {
    let length = |part| match settings.per_example() {
        true => batch * graph.copies_of(part).map_or(1, |copies| copies.count()),
        false => 1,
    };
    match settings.per_layer() {
        true => graph.sites.iter().map(|site| length(site.part)).collect(),
        false => (0..graph.parts.len()).map(length).collect(),
    }
}

/// ⟨signal, tangent⟩ over the patch and group of each copy, example by example, for every block of `tangent`.
fn copy_dots(copies: Copies, tangent: &Tensor, signal: &Tensor, batch: usize) -> Result<Vec<f64>> {
    let rows = signal.dim(0)? / batch;
    let parts = |matrix: &Tensor| {
        let (count, width) = matrix.dims2()?;
        matrix.reshape((count * copies.groups, width / copies.groups))
    };
    let dots = kernel::group_dot(&parts(tangent)?, &parts(signal)?, 1)?;
    if copies.patches == rows {
        return Ok(dots);
    }
    // One copy for all rows: what each of them adds.
    let mut sums = vec![0.0; dots.len() / rows];
    for (index, dot) in dots.iter().enumerate() {
        sums[index / (rows * copies.groups) * copies.groups + index % copies.groups] += dot;
    }
    Ok(sums)
}

/// J = (X Xᵀ + 11ᵀ)E for K stacked guesses, by the Gram identity: V is never formed.
fn gram_product(tape: &Tape, theta: &[Tensor], site: usize, e: &Tensor, guesses: usize, into: &Tensor) -> Result<()> {
    let node = tape.graph().site_node(site);
    tape.at(theta, tape.graph().sites[site].node, |at| {
        let Some(x) = node.layer.rows(at) else { bail!("layer `{}` has no input rows", node.name) };
        let rows = x.dim(0)?;
        let gram = at.arena.take(rows, rows)?;
        kernel::gram(&gram, x, if node.parameters > 1 { 1.0 } else { 0.0 })?;
        for k in 0..guesses {
            let (e, j) = (e.narrow(0, k * rows, rows)?, into.narrow(0, k * rows, rows)?);
            kernel::gemm(&j, 0.0, 1.0, &gram, false, &e, false)?;
        }
        Ok(())
    })
}
