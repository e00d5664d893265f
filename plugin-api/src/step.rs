//! One call of `propose` or `observe`, as a strategy sees it: inputs, outputs, scratch, and everything around them.
//! The matrices themselves are in `matrix.rs`, their operations and random draws in `ops.rs`, direct access to memory in
//! `abi/memory.rs`.

#![forbid(unsafe_code)]

use crate::abi::call::Call;
use crate::abi::{self, gw_tensor};
use crate::error::{Error, Result};
use crate::info::Role;
use crate::matrix::{Handle, Input, Matrix, Seal};
use crate::model::Model;
use core::ops::Range;

/// Weight or bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The weight.
    Weight,
    /// The bias.
    Bias,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Level {
    /// Explains a failure.
    Error = abi::GW_LOG_ERROR,
    /// The person should see it.
    Warn = abi::GW_LOG_WARN,
    /// Of ordinary interest.
    Info = abi::GW_LOG_INFO,
    /// For the plugin's author.
    Debug = abi::GW_LOG_DEBUG,
}

/// The numbers of a call, read from the host's record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) step: u64,
    pub(crate) site: u32,
    pub(crate) guesses: u32,
    pub(crate) batch: u64,
    pub(crate) progress: f64,
    pub(crate) oracle_budget: f64,
}

/// Handles of the call's own site that came with it, so that the host need not be asked; empty in other calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'s> {
    /// By guess.
    pub(crate) signals: &'s [gw_tensor],
    /// By role; `GW_NO_TENSOR` where there is none.
    pub(crate) inputs: &'s [gw_tensor],
}

impl Given<'_> {
    #[inline]
    fn handle(handles: &[gw_tensor], index: usize) -> Option<gw_tensor> {
        handles.get(index).copied().filter(|&handle| handle != abi::GW_NO_TENSOR)
    }
}

/// One call. Sites and guesses count from 0.
///
/// Every method that asks the host for something returns its error with the host's text: an unknown or ungranted role,
/// a shape that does not fit, a service the strategy did not name in its `INFO`.
pub struct Step<'s> {
    pub(crate) call: Call<'s>,
    model: &'s Model,
    facts: Facts,
    given: Given<'s>,
}

#[inline]
pub(crate) fn number(value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::invalid(format!("{value} is beyond any site, guess or draw")))
}

impl<'s> Step<'s> {
    pub(crate) fn new(call: Call<'s>, model: &'s Model, facts: Facts, given: Given<'s>) -> Self {
        Self { call, model, facts, given }
    }

    /// The model as `prepare` saw it.
    #[inline]
    pub fn model(&self) -> &'s Model {
        self.model
    }

    /// Step of the lane, from 0.
    #[inline]
    pub fn step(&self) -> u64 {
        self.facts.step
    }

    /// The site of this call; `None` in call mode `Model`.
    #[inline]
    pub fn site(&self) -> Option<usize> {
        (self.facts.site != abi::GW_ALL_SITES).then_some(self.facts.site as usize)
    }

    /// The sites whose outputs this call must write: one in call mode `Layer`, all in `Model`.
    #[inline]
    pub fn sites(&self) -> Range<usize> {
        match self.site() {
            Some(site) => site..site + 1,
            None => 0..self.model.sites.len(),
        }
    }

    /// The guesses to write at each site.
    #[inline]
    pub fn guesses(&self) -> Range<usize> {
        0..self.facts.guesses as usize
    }

    /// Examples in this batch, B.
    #[inline]
    pub fn batch(&self) -> usize {
        self.facts.batch as usize
    }

    /// Rows of a signal at `site`, B·P; 0 where there is no such site.
    #[inline]
    pub fn rows_at(&self, site: usize) -> usize {
        self.model.sites.get(site).map_or(0, |site| site.rows_per_example * self.batch())
    }

    /// Whether `site` is the last: its pre-activation is the logits.
    #[inline]
    pub fn is_last(&self, site: usize) -> bool {
        site + 1 == self.model.sites.len()
    }

    /// Share of the run's budget that is used, 0 to 1.
    pub fn progress(&self) -> f64 {
        self.facts.progress
    }

    /// Forward equivalents left for oracles in this step, as of the beginning of the call.
    pub fn oracle_budget(&self) -> f64 {
        self.facts.oracle_budget
    }

    /// Calls `f` for each site of the call, from the first to the last.
    ///
    /// # Errors
    /// The first one of `f`.
    pub fn each_site(&mut self, mut f: impl FnMut(&mut Self, usize) -> Result) -> Result {
        self.sites().try_for_each(|site| f(self, site))
    }

    /// Calls `f` for each site of the call and each guess.
    ///
    /// # Errors
    /// The first one of `f`.
    pub fn each_guess(&mut self, mut f: impl FnMut(&mut Self, usize, usize) -> Result) -> Result {
        self.each_site(|step, site| step.guesses().try_for_each(|guess| f(step, site, guess)))
    }

    /// A matrix of the host's. The host is asked for its extents where the interface does not say them.
    #[inline]
    fn matrix<H: Handle<'s>>(&self, handle: gw_tensor, extents: Option<[usize; 2]>) -> Result<H> {
        let extents = match extents {
            Some(extents) => extents,
            None => self.call.shape(handle)?,
        };
        Ok(H::from_parts(handle, extents, Seal::new()))
    }

    /// Extents of what belongs to the output of `site`, (B·P) × n.
    #[inline]
    fn signal_extents(&self, site: usize) -> Option<[usize; 2]> {
        Some([self.rows_at(site), self.model.sites.get(site)?.width])
    }

    fn weight_extents(&self, site: usize) -> Option<[usize; 2]> {
        Some(self.model.sites.get(site)?.weight)
    }

    /// The input of `role` at `site`; `site` does not matter for labels. Logits and output error are an output's own, B·m rows
    /// of C values in the shape of its pre-activation, and of the last site anywhere else. For the previous estimate or update
    /// and the gradient, the weight's.
    ///
    /// # Errors
    /// When the role was not granted, or there is no such site.
    #[inline]
    pub fn input(&self, role: Role, site: usize) -> Result<Input<'s>> {
        self.input_part(role, site, Part::Weight)
    }

    /// The weight's or bias' part of the previous estimate, the previous update or the gradient.
    ///
    /// # Errors
    /// As [`Step::input`].
    #[inline]
    pub fn input_part(&self, role: Role, site: usize, part: Part) -> Result<Input<'s>> {
        let given = match part {
            Part::Weight if self.site() == Some(site) => Given::handle(self.given.inputs, role as usize),
            _ => None,
        };
        let handle = match given {
            Some(handle) => handle,
            None => self.call.input(role as u32, number(site)?, part as u32)?,
        };
        let extents = match role {
            Role::PreActivation | Role::Derivative | Role::Activation => self.signal_extents(site),
            Role::Weight => self.weight_extents(site),
            _ => None,
        };
        self.matrix(handle, extents)
    }

    /// The logits, B × C.
    ///
    /// # Errors
    /// As [`Step::input`].
    pub fn logits(&self) -> Result<Input<'s>> {
        self.input(Role::Logits, self.model.sites.len().saturating_sub(1))
    }

    #[inline]
    fn output(&self, output: u32, site: usize, guess: usize) -> Result<Matrix<'s>> {
        let given = match output {
            abi::GW_OUT_SIGNAL if self.site() == Some(site) => Given::handle(self.given.signals, guess),
            _ => None,
        };
        let handle = match given {
            Some(handle) => handle,
            None => self.call.output(output, number(site)?, number(guess)?)?,
        };
        let extents = match output {
            abi::GW_OUT_SIGNAL => self.signal_extents(site),
            abi::GW_OUT_WEIGHT | abi::GW_OUT_ESTIMATE_WEIGHT => self.weight_extents(site),
            _ => None,
        };
        self.matrix(handle, extents)
    }

    /// The signal guess E_l to write, (B·P) × n_l.
    ///
    /// # Errors
    /// When the kind of strategy or the call has no such output.
    #[inline]
    pub fn signal(&self, site: usize, guess: usize) -> Result<Matrix<'s>> {
        self.output(abi::GW_OUT_SIGNAL, site, guess)
    }

    /// The weight part of the direction to write, shaped as the weight.
    ///
    /// # Errors
    /// As [`Step::signal`].
    #[inline]
    pub fn weight_out(&self, site: usize, guess: usize) -> Result<Matrix<'s>> {
        self.output(abi::GW_OUT_WEIGHT, site, guess)
    }

    /// The bias part of the direction to write, 1 × n_l.
    ///
    /// # Errors
    /// As [`Step::signal`]; a layer without a bias has none.
    #[inline]
    pub fn bias_out(&self, site: usize, guess: usize) -> Result<Matrix<'s>> {
        self.output(abi::GW_OUT_BIAS, site, guess)
    }

    /// The left factor U of the direction V_l = U Rᵀ to write, n_l × r.
    ///
    /// # Errors
    /// As [`Step::signal`].
    pub fn left(&self, site: usize, guess: usize) -> Result<Matrix<'s>> {
        self.output(abi::GW_OUT_LEFT, site, guess)
    }

    /// The right factor R of the direction V_l = U Rᵀ to write, n_{l-1} × r.
    ///
    /// # Errors
    /// As [`Step::signal`].
    pub fn right(&self, site: usize, guess: usize) -> Result<Matrix<'s>> {
        self.output(abi::GW_OUT_RIGHT, site, guess)
    }

    /// The weight's or bias' part of the estimate ĝ_l to write.
    ///
    /// # Errors
    /// As [`Step::signal`].
    pub fn estimate(&self, site: usize, guess: usize, part: Part) -> Result<Matrix<'s>> {
        let output = match part {
            Part::Weight => abi::GW_OUT_ESTIMATE_WEIGHT,
            Part::Bias => abi::GW_OUT_ESTIMATE_BIAS,
        };
        self.output(output, site, guess)
    }

    /// Gives the seed of V_l for a plan with [`crate::Direction::Seed`].
    ///
    /// # Errors
    /// When the plan has another direction.
    pub fn set_seed(&mut self, site: usize, guess: usize, seed: u64) -> Result {
        self.call.set_seed(number(site)?, number(guess)?, seed)
    }

    /// Persistent matrix `index` of the plan.
    ///
    /// # Errors
    /// When the plan has no such matrix.
    pub fn persistent(&self, index: usize) -> Result<Matrix<'s>> {
        let handle = self.call.persistent(number(index)?)?;
        self.matrix(handle, None)
    }

    /// A matrix of undefined content for the rest of the call.
    ///
    /// # Errors
    /// When the host cannot allocate it.
    #[inline]
    pub fn scratch(&self, rows: usize, columns: usize) -> Result<Matrix<'s>> {
        Ok(Matrix::from_parts(self.call.scratch(rows, columns)?, [rows, columns], Seal::new()))
    }

    /// The same memory seen as `rows` × `columns`.
    ///
    /// # Errors
    /// When the number of elements differs.
    #[inline]
    pub fn reshape<H: Handle<'s>>(&self, matrix: H, rows: usize, columns: usize) -> Result<H> {
        if matrix.shape() == [rows, columns] {
            return Ok(matrix);
        }
        Ok(H::from_parts(self.call.reshape(matrix.handle(), rows, columns)?, [rows, columns], Seal::new()))
    }

    /// Rows `start` to `start + count − 1`, the same memory.
    ///
    /// # Errors
    /// When they reach past the end.
    pub fn rows<H: Handle<'s>>(&self, matrix: H, start: usize, count: usize) -> Result<H> {
        let [_, columns] = matrix.shape();
        Ok(H::from_parts(self.call.rows(matrix.handle(), start, count)?, [count, columns], Seal::new()))
    }

    /// `out[i] ← L(θ + t[i]·V_{guess[i]})`, a forward equivalent each.
    ///
    /// # Errors
    /// Outside call mode `Model`, and when the budget is used up.
    pub fn loss_at(&mut self, guess: &[u32], t: &[f64], out: &mut [f64]) -> Result {
        self.call.loss_at(guess, t, out)
    }

    /// `out[i] ← ⟨∇L(θ), V_{guess[i]}⟩`, two forward equivalents each.
    ///
    /// # Errors
    /// As [`Step::loss_at`].
    pub fn jvp(&mut self, guess: &[u32], out: &mut [f64]) -> Result {
        self.call.jvp(guess, out)
    }

    /// `dst ← Ẋ_L`, B × C: how the logits move when the activation of each site moves along `moved`, shaped as it, or not at all. One
    /// forward equivalent.
    ///
    /// # Errors
    /// As [`Step::loss_at`]; when there is not one for each site, or a shape is another.
    pub fn logit_tangent(&mut self, moved: &[Option<Matrix<'s>>], dst: Matrix<'s>) -> Result {
        let handle = |moved: &Option<Matrix<'s>>| moved.map_or(abi::GW_NO_TENSOR, |moved| moved.handle);
        let handles: Vec<_> = moved.iter().map(handle).collect();
        self.call.logit_tangent(&handles, dst.handle)
    }

    /// One value of the metric `name` at this step.
    ///
    /// # Errors
    /// When the service was not granted or the host refuses the name.
    pub fn metric(&self, name: &str, value: f64) -> Result {
        self.call.scalar(name, value)
    }

    /// A small series, at most 4096 values, of the metric `name` at this step.
    ///
    /// # Errors
    /// As [`Step::metric`].
    pub fn metric_series(&self, name: &str, values: &[f64]) -> Result {
        self.call.series(name, values)
    }

    /// Writes a message to the run's log.
    pub fn log(&self, level: Level, text: &str) {
        self.call.log(level as u32, text);
    }

    /// Whether the person wants the run to end: return [`Error::cancelled`] soon.
    pub fn cancelled(&self) -> bool {
        self.call.cancelled()
    }
}
