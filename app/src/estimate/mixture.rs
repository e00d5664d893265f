//! The guess of a mixture: E_l = Σ_m w_m N(E_l^m), or V_l = Σ_m w_m N(V_l^m), for each of the K guesses.
//!
//! N makes the members equally long, so that a weight says what a member has in the sum whatever its own scale: each row of a
//! signal gets the length √n_l; a direction in weights gets, layer by layer, √(number of its entries), those of the bias with the
//! others. What is zero stays zero. Members of independent draws, all but one of mean zero, add their covariances: that of the
//! mixture is Σ_m w_m² that of the normalised members.
//!
//! Source: the combination of the guesses of Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
#![forbid(unsafe_code)]

use super::directions::Directions;
use super::settings::GuessKind;
use crate::kernel;
use crate::model::Tape;
use candle_core::{Result, Tensor, bail};
use std::ops::Range;

/// Adds up guesses; holds the memory of the sum.
#[derive(Debug)]
pub struct Mixture {
    weights: Vec<f64>,
    /// Of signals: the sum at each site, (K·B·P_l) × n_l.
    signals: Vec<Tensor>,
    /// Of directions: the sum of each guess, shaped as the parameters.
    directions: Vec<Vec<Tensor>>,
    /// Which parameters are a layer's.
    layers: Vec<Range<usize>>,
}

impl Mixture {
    /// Plans the sum of K `guesses` of members with these `weights` w_m, all of `kind`, at `tape`'s batch size with parameters
    /// shaped as `theta`.
    ///
    /// # Errors
    /// When there is nothing to add, the kind is that of an estimate, or the device cannot allocate.
    pub fn new(weights: Vec<f64>, kind: GuessKind, guesses: usize, tape: &Tape, theta: &[Tensor]) -> Result<Self> {
        if weights.is_empty() || kind == GuessKind::Estimate {
            bail!("a mixture adds the signals or the directions of at least one strategy");
        }
        let graph = tape.graph();
        let layers = (0..graph.sites.len()).map(|site| {
            let node = graph.site_node(site);
            node.first_parameter..node.first_parameter + node.parameters
        });
        let stacked = |site: usize| {
            let (rows, width) = tape.pre_activation(site).dims2()?;
            Tensor::zeros((guesses * rows, width), tape.dtype(), tape.device())
        };
        let (mut signals, mut directions) = (Vec::new(), Vec::new());
        if kind == GuessKind::Signal {
            signals = (0..graph.sites.len()).map(stacked).collect::<Result<_>>()?;
        } else {
            let zeros = || theta.iter().map(Tensor::zeros_like).collect::<Result<Vec<Tensor>>>();
            directions = (0..guesses).map(|_| zeros()).collect::<Result<_>>()?;
        }
        Ok(Self { weights, signals, directions, layers: layers.collect() })
    }

    /// The weights w_m.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Takes in the signal of `member` at `site`, (K·B·P_l) × n_l, whose rows are normalised where they lie. Members come in
    /// order: the first begins the sum.
    ///
    /// # Errors
    /// No such member or site, and as the kernels do.
    pub fn add_signal(&self, member: usize, site: usize, guess: &Tensor) -> Result<()> {
        let (Some(&weight), Some(sum)) = (self.weights.get(member), self.signals.get(site)) else {
            bail!("the mixture has no signal of member {member} at site {site}")
        };
        let (_, width) = guess.dims2()?;
        kernel::normalise_rows(guess, (width as f64).sqrt())?;
        kernel::axpby(sum, carried(member), weight, guess)
    }

    /// Takes in the part at `site` of the direction `v` of `member` for `guess`, shaped as the parameters, which stays as it is. Members
    /// come in order: the first begins the sum.
    ///
    /// # Errors
    /// No such member, site or guess, and as the kernels do.
    pub fn add_direction(&self, member: usize, site: usize, guess: usize, v: &[Tensor]) -> Result<()> {
        let place = (self.weights.get(member), self.layers.get(site), self.directions.get(guess));
        let (Some(weight), Some(layer), Some(sum)) = place else {
            bail!("the mixture has no direction of member {member} at site {site} for guess {guess}")
        };
        let (mut squared, mut entries) = (0.0, 0);
        for part in &v[layer.clone()] {
            squared += kernel::norm_squared(part)?;
            entries += part.elem_count();
        }
        // What is not finite stays so: whoever looks at the sum sees it.
        let factor = if squared == 0.0 { 0.0 } else { weight * (entries as f64 / squared).sqrt() };
        let parts = sum[layer.clone()].iter().zip(&v[layer.clone()]);
        parts.into_iter().try_for_each(|(sum, part)| kernel::axpby(sum, carried(member), factor, part))
    }

    /// The sums, as the estimator takes them.
    pub fn directions(&self) -> Directions<'_> {
        if self.directions.is_empty() {
            Directions::Signal(&self.signals)
        } else {
            Directions::Weight(&self.directions)
        }
    }
}

/// How much of the sum so far stays when a member is taken in.
fn carried(member: usize) -> f64 {
    if member == 0 { 0.0 } else { 1.0 }
}
