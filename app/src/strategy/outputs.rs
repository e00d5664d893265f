//! The host's memory for what a strategy writes, planned once from its kind and plan.
//!
//! | kind | memory |
//! |---|---|
//! | `signal` | E_l of all guesses stacked, (K·B·P_l) × n_l a site; guess k is block k |
//! | `weight`, dense | V_l shaped as the parameters, a set for each guess |
//! | `weight`, factors | U (n_l × r), R (n_{l-1} × r) and the bias part, a set for each guess |
//! | `weight`, seed | a number for each site and guess |
//! | `estimate` | ĝ shaped as the parameters |
//!
//! Every tensor lies between redzones. The estimator reads the tensors; nothing is copied.
#![forbid(unsafe_code)]

use super::failure::{Element, Failure};
use super::guarded::{Finding, Guarded, first_finding};
use super::info::Kind;
use super::plan::{Direction, Plan};
use super::sites::{SiteView, as_matrix};
use crate::kernel::{self, Draw, DrawKey};
use candle_core::{DType, Device, Result, Tensor};
use guesswork_plugin::abi;
use std::cell::Cell;
use std::sync::Arc;

/// Outputs of one instance.
#[derive(Debug)]
pub struct Outputs {
    kind: Kind,
    direction: Direction,
    guesses: usize,
    /// Number of the first of them in the step, for messages.
    first: usize,
    sites: Arc<[SiteView]>,
    /// Slots by site: guess by guess, in the order of `per_guess`.
    slots: Vec<Vec<Slot>>,
    /// Which outputs a guess has at each site.
    per_guess: Vec<Vec<u32>>,
    signals: Vec<Option<Tensor>>,
    directions: Vec<Vec<Tensor>>,
    estimate: Vec<Tensor>,
    seeds: Vec<Vec<Cell<Option<u64>>>>,
    /// What lies between redzones, by site.
    buffers: Vec<Vec<Buffer>>,
}

/// A matrix that a plugin writes.
#[derive(Debug)]
struct Slot {
    output: u32,
    guess: usize,
    matrix: Tensor,
    asked: Cell<bool>,
}

#[derive(Debug)]
struct Buffer {
    output: u32,
    guarded: Guarded,
}

impl Outputs {
    /// Plans the memory for `guesses` of a call at batches of `batch` examples.
    pub(super) fn new(
        plan: &Plan,
        sites: Arc<[SiteView]>,
        (guesses, batch): (usize, usize),
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let mut outputs = Self {
            kind: plan.kind,
            direction: plan.direction,
            guesses,
            first: 0,
            slots: sites.iter().map(|_| Vec::new()).collect(),
            per_guess: Vec::new(),
            signals: Vec::new(),
            directions: Vec::new(),
            estimate: Vec::new(),
            seeds: Vec::new(),
            buffers: sites.iter().map(|_| Vec::new()).collect(),
            sites: Arc::clone(&sites),
        };
        let parts: &[u32] = match (plan.kind, plan.direction) {
            (Kind::Signal, _) => &[abi::GW_OUT_SIGNAL],
            (Kind::Weight, Direction::Dense) => &[abi::GW_OUT_WEIGHT, abi::GW_OUT_BIAS],
            (Kind::Weight, Direction::Factors(_)) => &[abi::GW_OUT_LEFT, abi::GW_OUT_RIGHT, abi::GW_OUT_BIAS],
            (Kind::Weight, Direction::Seed) => &[],
            (Kind::Estimate, _) => &[abi::GW_OUT_ESTIMATE_WEIGHT, abi::GW_OUT_ESTIMATE_BIAS],
            (Kind::Search, _) => &[],
        };
        let is_bias = |output: u32| matches!(output, abi::GW_OUT_BIAS | abi::GW_OUT_ESTIMATE_BIAS);
        for site in sites.iter() {
            let present = parts.iter().copied().filter(|&output| site.bias.is_some() || !is_bias(output));
            outputs.per_guess.push(present.collect());
        }
        if plan.kind == Kind::Signal {
            outputs.plan_signals(batch, dtype, device)?;
        } else {
            for guess in 0..guesses {
                outputs.plan_parts(plan, guess, dtype, device)?;
            }
        }
        if plan.kind == Kind::Weight && plan.direction == Direction::Seed {
            outputs.seeds = vec![vec![Cell::new(None); sites.len()]; guesses];
        }
        Ok(outputs)
    }

    fn plan_signals(&mut self, batch: usize, dtype: DType, device: &Device) -> Result<()> {
        for (index, site) in self.sites.iter().enumerate() {
            let rows = batch * site.rows_per_example;
            let guarded = Guarded::new(&[self.guesses * rows, site.width], dtype, device)?;
            for guess in 0..self.guesses {
                let matrix = guarded.tensor().narrow(0, guess * rows, rows)?;
                self.slots[index].push(Slot { output: abi::GW_OUT_SIGNAL, guess, matrix, asked: Cell::new(false) });
            }
            self.signals.push(Some(guarded.tensor().clone()));
            self.buffers[index].push(Buffer { output: abi::GW_OUT_SIGNAL, guarded });
        }
        Ok(())
    }

    fn plan_parts(&mut self, plan: &Plan, guess: usize, dtype: DType, device: &Device) -> Result<()> {
        let mut set = Vec::new();
        for (index, site) in self.sites.iter().enumerate() {
            for &output in &self.per_guess[index] {
                let rank = if let Direction::Factors(rank) = plan.direction { rank } else { 0 };
                let factor;
                let shape: &[usize] = match output {
                    abi::GW_OUT_LEFT => {
                        factor = [site.weight[0], rank];
                        &factor
                    }
                    abi::GW_OUT_RIGHT => {
                        factor = [site.weight[1], rank];
                        &factor
                    }
                    abi::GW_OUT_BIAS | abi::GW_OUT_ESTIMATE_BIAS => &site.shapes[1],
                    _ => &site.shapes[0],
                };
                let guarded = Guarded::new(shape, dtype, device)?;
                let matrix = as_matrix(guarded.tensor())?;
                self.slots[index].push(Slot { output, guess, matrix, asked: Cell::new(false) });
                set.push(guarded.tensor().clone());
                self.buffers[index].push(Buffer { output, guarded });
            }
        }
        match plan.kind {
            Kind::Estimate => self.estimate = set,
            _ if plan.direction == Direction::Dense => self.directions.push(set),
            _ => {}
        }
        Ok(())
    }

    /// Guesses a call: K, or fewer where they are asked for a few at a time.
    pub fn guesses(&self) -> usize {
        self.guesses
    }

    /// Kind `signal`: E_l by site, (K·B·P_l) × n_l, ready for injection; empty for other kinds.
    pub fn signals(&self) -> &[Option<Tensor>] {
        &self.signals
    }

    /// Kind `signal`: E_l of one guess, (B·P_l) × n_l, a view.
    pub fn signal(&self, site: usize, guess: usize) -> Option<&Tensor> {
        self.slot(abi::GW_OUT_SIGNAL, site, guess).map(|slot| &slot.matrix)
    }

    /// Kind `weight`, dense: V of each guess, shaped as the parameters; empty otherwise.
    pub fn directions(&self) -> &[Vec<Tensor>] {
        &self.directions
    }

    /// Kind `estimate`: ĝ shaped as the parameters; empty for other kinds.
    pub fn estimate(&self) -> &[Tensor] {
        &self.estimate
    }

    /// Kind `weight`, factors: U (n_l × r) and R (n_{l-1} × r) of V_l = U Rᵀ.
    pub fn factors(&self, site: usize, guess: usize) -> Option<(&Tensor, &Tensor)> {
        let left = self.slot(abi::GW_OUT_LEFT, site, guess)?;
        Some((&left.matrix, &self.slot(abi::GW_OUT_RIGHT, site, guess)?.matrix))
    }

    /// Kind `weight`, seed: the seed of V_l.
    pub fn seed(&self, site: usize, guess: usize) -> Option<u64> {
        self.seeds.get(guess)?.get(site)?.get()
    }

    /// Kind `weight`: writes V of `guess` to `dst`, shaped as the parameters, however it was given. A seed s stands for
    /// N(0, I) with the key (s, instance 0, step 0, site, guess 0), draw 0 the weight and draw 1 the bias.
    ///
    /// # Errors
    /// Those of the kernels; a seed that was not set.
    pub fn direction_into(&self, guess: usize, dst: &[Tensor]) -> Result<()> {
        (0..self.sites.len()).try_for_each(|site| self.direction_at(site, guess, dst))
    }

    /// The same for the parameters of one site.
    ///
    /// # Errors
    /// As [`Outputs::direction_into`].
    pub fn direction_at(&self, site: usize, guess: usize, dst: &[Tensor]) -> Result<()> {
        let view = &self.sites[site];
        let parameters = view.first_parameter..view.first_parameter + view.shapes.len();
        let parts = &dst[parameters.clone()];
        match (self.directions.get(guess), self.direction, self.factors(site, guess)) {
            (Some(set), ..) => set[parameters].iter().zip(parts).try_for_each(|(part, dst)| kernel::copy(dst, part)),
            (_, Direction::Factors(_), Some((left, right))) => {
                kernel::gemm(&as_matrix(&parts[0])?, 0.0, 1.0, left, false, right, true)?;
                match (self.slot(abi::GW_OUT_BIAS, site, guess), parts.get(1)) {
                    (Some(bias), Some(dst)) => kernel::copy(dst, &bias.matrix),
                    _ => Ok(()),
                }
            }
            (_, Direction::Seed, _) => {
                let Some(seed) = self.seed(site, guess) else {
                    candle_core::bail!("site `{}`, guess {guess}: no seed was set", view.name)
                };
                parts.iter().zip(0..).try_for_each(|(dst, draw)| {
                    let key = DrawKey { seed, instance: 0, step: 0, site: site as u32, guess: 0, draw };
                    kernel::fill_draws(dst, Draw::Normal, 1.0, key)
                })
            }
            _ => candle_core::bail!("a strategy of kind {} has no weight direction", self.kind),
        }
    }

    fn slot(&self, output: u32, site: usize, guess: usize) -> Option<&Slot> {
        let parts = self.per_guess.get(site)?;
        let position = parts.iter().position(|&part| part == output)?;
        (guess < self.guesses).then(|| self.slots[site].get(guess * parts.len() + position)).flatten()
    }

    /// The matrix that a plugin asks for; remembers that it did.
    pub(super) fn ask(&self, output: u32, site: usize, guess: usize) -> Option<&Tensor> {
        let slot = self.slot(output, site, guess)?;
        slot.asked.set(true);
        Some(&slot.matrix)
    }

    /// Kind `signal`: E_l of every guess at `site`, and where to take note that it was written.
    #[inline]
    pub(super) fn signals_at(&self, site: usize) -> impl Iterator<Item = (&Tensor, &Cell<bool>)> {
        self.slots[site].iter().map(|slot| (&slot.matrix, &slot.asked))
    }

    /// Takes a seed; whether there is a place for it.
    pub(super) fn set_seed(&self, site: usize, guess: usize, seed: u64) -> bool {
        match self.seeds.get(guess).and_then(|seeds| seeds.get(site)) {
            Some(cell) => {
                cell.set(Some(seed));
                true
            }
            None => false,
        }
    }

    /// What a call may write, in words.
    pub(super) fn offered(&self) -> &'static str {
        match (self.kind, self.direction) {
            (Kind::Signal, _) => "GW_OUT_SIGNAL",
            (Kind::Weight, Direction::Dense) => "GW_OUT_WEIGHT and, where the layer has one, GW_OUT_BIAS",
            (Kind::Weight, Direction::Factors(_)) => {
                "GW_OUT_LEFT, GW_OUT_RIGHT and, where the layer has one, GW_OUT_BIAS"
            }
            (Kind::Weight, Direction::Seed) => "set_seed",
            (Kind::Estimate, _) => "GW_OUT_ESTIMATE_WEIGHT and, where the layer has one, GW_OUT_ESTIMATE_BIAS",
            (Kind::Search, _) => "nothing",
        }
    }

    /// Before a call for `site` (all when `None`): nothing is asked for yet.
    #[inline]
    pub(super) fn begin(&mut self, site: Option<usize>, first: usize) {
        self.first = first;
        for index in self.range(site) {
            self.slots[index].iter().for_each(|slot| slot.asked.set(false));
            self.seeds.iter().for_each(|seeds| seeds[index].set(None));
        }
    }

    /// Before a call for `site` (all when `None`) whose outputs are scanned: nothing is written.
    #[cold]
    pub(super) fn forget(&mut self, site: Option<usize>) -> Result<()> {
        self.buffers[self.range(site)].iter().flatten().try_for_each(|buffer| buffer.guarded.forget())
    }

    /// After a call for `site` (all when `None`): whether every redzone of what it could write is seen to be whole.
    #[inline]
    pub(super) fn intact(&self, site: Option<usize>) -> bool {
        self.buffers[self.range(site)].iter().flatten().all(|buffer| buffer.guarded.intact() == Some(true))
    }

    /// After a call for `site` (all when `None`): the first redzone of what it could write that is not whole.
    #[cold]
    pub(super) fn redzones(&self, site: Option<usize>) -> Result<Option<Failure>> {
        for index in self.range(site) {
            for buffer in &self.buffers[index] {
                if let Some(overrun) = buffer.guarded.overrun()? {
                    let (side, distance) = (overrun.side, overrun.distance);
                    let site = self.sites[index].name.clone();
                    return Ok(Some(Failure::Redzone { output: output_name(buffer.output), site, side, distance }));
                }
            }
        }
        Ok(None)
    }

    /// After a call for `site`: every output was asked for and every seed set.
    #[inline]
    pub(super) fn untouched(&self, site: Option<usize>) -> Option<Failure> {
        let mut slots = self.slots[self.range(site)].iter().flatten();
        match self.seeds.is_empty() && slots.all(|slot| slot.asked.get()) {
            true => None,
            false => self.unwritten(site),
        }
    }

    #[cold]
    fn unwritten(&self, site: Option<usize>) -> Option<Failure> {
        let unwritten = |output, site: usize, guess: usize| {
            let guess = guess + self.first;
            Some(Failure::Unwritten { output, site: self.sites[site].name.clone(), guess, at: None })
        };
        for index in self.range(site) {
            if let Some(slot) = self.slots[index].iter().find(|slot| !slot.asked.get()) {
                return unwritten(output_name(slot.output), index, slot.guess);
            }
            let missing = self.seeds.iter().position(|seeds| seeds[index].get().is_none());
            if let Some(guess) = missing {
                return unwritten("seed", index, guess);
            }
        }
        None
    }

    /// Looks at every element that was written at `site` (everywhere when `None`): the first that is not finite. What
    /// the estimator calls when a scalar or ‖ĝ‖ is not finite.
    ///
    /// # Errors
    /// Those of the kernels.
    pub fn scan(&self, site: Option<usize>) -> Result<Option<Failure>> {
        for index in self.range(site) {
            for slot in &self.slots[index] {
                let Some(finding) = first_finding(&slot.matrix)? else { continue };
                let (Finding::Unwritten(element) | Finding::NonFinite(element, _)) = finding;
                let columns = slot.matrix.dims2()?.1.max(1);
                let (output, guess) = (output_name(slot.output), slot.guess + self.first);
                let site = self.sites[index].name.clone();
                let (row, column) = (element / columns, element % columns);
                return Ok(Some(match finding {
                    Finding::Unwritten(_) => Failure::Unwritten { output, site, guess, at: Some((row, column)) },
                    Finding::NonFinite(_, value) => {
                        Failure::NonFinite { value, at: Box::new(Element { output, site, guess, row, column }) }
                    }
                }));
            }
        }
        Ok(None)
    }

    #[inline]
    fn range(&self, site: Option<usize>) -> std::ops::Range<usize> {
        match site {
            Some(site) => site..site + 1,
            None => 0..self.sites.len(),
        }
    }
}

/// Name of an output in messages.
fn output_name(output: u32) -> &'static str {
    match output {
        abi::GW_OUT_SIGNAL => "signal",
        abi::GW_OUT_WEIGHT => "weight direction",
        abi::GW_OUT_BIAS => "bias direction",
        abi::GW_OUT_LEFT => "left factor",
        abi::GW_OUT_RIGHT => "right factor",
        abi::GW_OUT_ESTIMATE_WEIGHT => "weight estimate",
        _ => "bias estimate",
    }
}
