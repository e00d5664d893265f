//! One strategy at work on one lane: asked for guesses, told what came of them. How it comes to be stands in `prepare`.
//!
//! Every call is guarded: redzones around outputs are compared after each, outputs are filled and scanned in the first
//! three steps and every hundredth, inputs whose address was given out are compared in those steps, the floating-point
//! mode is put back. An instance that panicked or damaged memory is not called again.
#![allow(unsafe_code)]

use super::account::KernelTime;
use super::call::{Call, Outcome};
use super::context::{Context, Phase, Prepared, State, with_events};
use super::draws::Draws;
use super::events::{Events, Level};
use super::failure::{Failure, Place, PluginError};
use super::fpmode::FpMode;
use super::given::Given;
use super::handles::{Entry, Handles};
use super::info::{Kind, StrategyInfo};
use super::outputs::Outputs;
use super::plan::{CallMode, Plan};
use super::read::error_text;
use super::scratch::Kept;
use super::sites::SiteView;
use guesswork_plugin::abi::{self, gw_context, gw_error, gw_outcome, gw_step, gw_strategy};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// An instance of a strategy.
#[derive(Debug)]
pub struct Instance {
    pub(super) info: Arc<StrategyInfo>,
    pub(super) raw: *mut c_void,
    pub(super) context: Arc<Context>,
    pub(super) prepared: Option<Prepared>,
    pub(super) poisoned: Option<String>,
    pub(super) untrusted: bool,
    pub(super) generation: u32,
    pub(super) draws: Option<Draws>,
    /// The sites of the last model that it was prepared for, for their names.
    pub(super) sites: Arc<[SiteView]>,
    /// What calls leave of their handles: those of each site, of `propose` for all sites, of `observe`.
    pub(super) handles: Vec<Vec<Entry>>,
    /// Handles that come with a call.
    pub(super) given: Given,
    /// Scratch of the calls.
    pub(super) scratch: Kept,
    /// What the plugin fills when it fails.
    pub(super) error_record: Box<gw_error>,
}

// SAFETY: the interface: calls of one instance may come from changing threads, one at a time; `&mut self` sees to that.
unsafe impl Send for Instance {}

impl Instance {
    /// What it is an instance of.
    pub fn info(&self) -> &Arc<StrategyInfo> {
        &self.info
    }

    /// FLOP of the products asked of `gw.ops` so far: two a multiply-add pair.
    pub fn flop(&self) -> u64 {
        self.context.account.flop()
    }

    /// Times the kernels that services run from now on, or no longer.
    pub fn time_kernels(&self, timed: bool) {
        self.context.account.time(timed);
    }

    /// The kernels timed since the last call.
    pub fn take_kernel_time(&self) -> KernelTime {
        self.context.account.take()
    }

    /// The plan, once prepared.
    pub fn plan(&self) -> Option<&Plan> {
        self.prepared.as_ref().map(|prepared| &prepared.plan)
    }

    /// Lets the strategy write its guesses: for `call.site` in call mode `layer`, for all sites in mode `model`.
    ///
    /// # Errors
    /// The plugin's own failure, and what the guards find. See [`PluginError::fatal_for_run`].
    pub fn propose(&mut self, call: &mut Call<'_>) -> Result<(), PluginError> {
        let (site, step) = (call.site, call.step);
        let failed = |this: &Self, failure| Err(this.error("propose", site, Some(step), failure));
        self.check_call(call, Phase::Propose)?;
        let scan = step < 3 || step.is_multiple_of(100);
        if let Some(outputs) = call.outputs.as_deref_mut() {
            outputs.begin(site, call.first_guess);
            if scan && let Err(error) = outputs.forget(site) {
                return failed(self, host_failure(&error));
            }
        }
        self.run(call, Phase::Propose, None, scan)?;
        let Some(outputs) = call.outputs.as_deref() else { return Ok(()) };
        let found = match outputs.untouched(site) {
            None if scan => outputs.scan(site),
            found => Ok(found),
        };
        match found {
            Ok(None) => Ok(()),
            Ok(Some(failure)) => failed(self, failure),
            Err(error) => failed(self, host_failure(&error)),
        }
    }

    /// Tells the strategy what came of a step. Does nothing where it does not listen.
    ///
    /// # Errors
    /// As [`Instance::propose`].
    pub fn observe(&mut self, call: &mut Call<'_>, outcome: &Outcome<'_>) -> Result<(), PluginError> {
        if self.info.callable.record.observe.is_none() {
            return Ok(());
        }
        self.check_call(call, Phase::Observe)?;
        let scan = call.step < 3 || call.step.is_multiple_of(100);
        self.run(call, Phase::Observe, Some(outcome), scan)
    }

    /// Whether [`Instance::observe`] would reach the strategy.
    pub fn observes(&self) -> bool {
        self.info.callable.record.observe.is_some()
    }

    /// Looks for the element that made a scalar or ‖ĝ‖ non-finite at a step that was not scanned.
    ///
    /// # Errors
    /// The element found, or the host's own failure.
    pub fn scan(&self, outputs: &Outputs, step: u64) -> Result<(), PluginError> {
        let failed = |failure| self.error("propose", None, Some(step), failure);
        match outputs.scan(None).map_err(|error| failed(host_failure(&error)))? {
            Some(failure) => Err(failed(failure)),
            None => Ok(()),
        }
    }

    /// What the strategy said since the last time.
    pub fn take_events(&mut self) -> Events {
        with_events(&self.context.events, std::mem::take)
    }

    /// A facility for tests: from now on these matrices stand in place of the generator's; see [`Draws`].
    #[doc(hidden)]
    pub fn set_draws(&mut self, draws: Option<Draws>) {
        self.draws = draws;
    }

    /// Whether a call fits what the instance was prepared for.
    #[inline]
    fn check_call(&self, call: &Call<'_>, phase: Phase) -> Result<(), PluginError> {
        let fits = self.poisoned.is_none()
            && self.prepared.as_ref().is_some_and(|prepared| misfit(prepared, call, phase).is_none());
        match fits {
            true => Ok(()),
            false => Err(self.refused(call, phase)),
        }
    }

    /// Why a call does not fit.
    #[cold]
    fn refused(&self, call: &Call<'_>, phase: Phase) -> PluginError {
        let failure = match (&self.poisoned, &self.prepared) {
            (Some(reason), _) => Failure::Poisoned(reason.clone()),
            (None, None) => Failure::Unprepared,
            (None, Some(prepared)) => Failure::Host(match misfit(prepared, call, phase) {
                Some(Misfit::Site) => format!("site {:?} in call mode {:?}", call.site, prepared.plan.call_mode),
                Some(Misfit::Outputs) => "the call has no outputs".into(),
                _ => {
                    format!("it was prepared for a batch of {} and {} sites", prepared.batch, prepared.sites.len())
                }
            }),
        };
        self.error(phase.name(), call.site, Some(call.step), failure)
    }

    /// Runs `propose` or `observe` and looks for damage: the plugin's status, or what was damaged.
    fn run(
        &mut self,
        call: &mut Call<'_>,
        phase: Phase,
        outcome: Option<&Outcome<'_>>,
        scan: bool,
    ) -> Result<(), PluginError> {
        let function = phase.name();
        let (site, step_number) = (call.site, call.step);
        let failed = |this: &Self, failure| Err(this.error(function, site, Some(step_number), failure));
        let Some(prepared) = &self.prepared else { return failed(self, Failure::Unprepared) };
        self.generation = self.generation % (u32::MAX - 1) + 1;
        let outcome = outcome.map(|outcome| gw_outcome {
            struct_size: size_of::<gw_outcome>() as u64,
            loss: outcome.loss,
            scalars: outcome.scalars.as_ptr(),
            scalars_count: outcome.scalars.len() as u64,
            estimate_norm: outcome.estimate_norm,
        });
        let mut record = gw_step {
            struct_size: size_of::<gw_step>() as u64,
            ctx: ptr::null_mut(),
            step: call.step,
            site: call.site.map_or(abi::GW_ALL_SITES, |site| site as u32),
            guesses: call.outputs.as_deref().map_or(prepared.guesses, Outputs::guesses) as u32,
            batch: prepared.batch as u64,
            progress: call.progress,
            oracle_budget: prepared.plan.oracle_budget,
            signals: ptr::null(),
            inputs: ptr::null(),
            inputs_count: 0,
        };
        let (strategy, raw) = (&self.info.callable.record, self.raw);
        let (code, input) = {
            let kept = &mut self.handles[site.unwrap_or(prepared.sites.len() + phase as usize)];
            let handles = Handles::new(self.generation, &prepared.sites, kept);
            let mut state = State::new(call, phase, prepared, handles, &mut self.scratch, &self.context);
            state.draws = self.draws.as_ref();
            state.scan = scan;
            if phase == Phase::Propose
                && site.is_some()
                && let Err(problem) = self.given.hand_out(&mut state, &mut record)
            {
                return failed(self, Failure::Host(problem.into_text()));
            }
            let code = self.context.during(&mut state, |ctx: *mut gw_context| {
                record.ctx = ctx;
                enter(&mut self.error_record, &self.context, function, |err| {
                    match (&outcome, strategy.propose, strategy.observe) {
                        // SAFETY: the instance is prepared; all pointers live during the call.
                        (None, Some(propose), _) => unsafe { propose(raw, &record, err) },
                        // SAFETY: as above.
                        (Some(outcome), _, Some(observe)) => unsafe { observe(raw, &record, outcome, err) },
                        _ => abi::GW_UNSUPPORTED,
                    }
                })
            });
            let input = state.changed_input();
            self.given.take_back(&state);
            state.handles.keep();
            (code, input)
        };
        self.scratch.end();
        let whole = call.outputs.as_deref().is_none_or(|outputs| outputs.intact(site))
            && prepared.persistent.iter().all(|(_, guarded)| guarded.intact() == Some(true));
        match whole && input.is_none() {
            true => self.answer(function, site, Some(step_number), code),
            false => self.damaged(call, function, code, input),
        }
    }

    /// What a call left that damaged memory, or may have: it comes first and stops the run, whatever the plugin's status says.
    #[cold]
    fn damaged(
        &mut self,
        call: &Call<'_>,
        function: &'static str,
        code: i32,
        input: Option<String>,
    ) -> Result<(), PluginError> {
        let (site, step) = (call.site, Some(call.step));
        let Some(prepared) = &self.prepared else { return Err(self.error(function, site, step, Failure::Unprepared)) };
        let failure = match (damage(call.outputs.as_deref(), site, prepared), input) {
            (Ok(None), None) => return self.answer(function, site, step, code),
            (Ok(Some(failure)), _) => failure,
            (Ok(None), Some(input)) => Failure::InputWritten { input },
            (Err(error), _) => return Err(self.error(function, site, step, host_failure(&error))),
        };
        self.untrusted = true;
        self.poisoned = Some(failure.to_string());
        Err(self.error(function, site, step, failure))
    }

    /// Calls a function of the plugin, with an error record and the floating-point mode looked after.
    pub(super) fn plugin(
        &mut self,
        function: &'static str,
        site: Option<usize>,
        step: Option<u64>,
        call: impl FnOnce(&gw_strategy, *mut c_void, *mut gw_error) -> i32,
    ) -> Result<(), PluginError> {
        if let Some(reason) = &self.poisoned {
            return Err(self.error(function, site, step, Failure::Poisoned(reason.clone())));
        }
        let (strategy, raw) = (&self.info.callable.record, self.raw);
        let code = enter(&mut self.error_record, &self.context, function, |err| call(strategy, raw, err));
        self.answer(function, site, step, code)
    }

    /// What the plugin's status and its error record say.
    #[inline]
    fn answer(
        &mut self,
        function: &'static str,
        site: Option<usize>,
        step: Option<u64>,
        code: i32,
    ) -> Result<(), PluginError> {
        if code == abi::GW_OK { Ok(()) } else { self.failed(function, site, step, code) }
    }

    /// What a status other than `GW_OK` and the error record say. An instance that panicked is not called again.
    #[cold]
    fn failed(
        &mut self,
        function: &'static str,
        site: Option<usize>,
        step: Option<u64>,
        code: i32,
    ) -> Result<(), PluginError> {
        match code {
            abi::GW_PANIC => {
                let text = error_text(&self.error_record);
                self.poisoned = Some(text.clone());
                Err(self.error(function, site, step, Failure::Panic(text)))
            }
            code => {
                let text = error_text(&self.error_record);
                Err(self.error(function, site, step, Failure::Error { code, text }))
            }
        }
    }

    pub(super) fn error(
        &self,
        function: &'static str,
        site: Option<usize>,
        step: Option<u64>,
        failure: Failure,
    ) -> PluginError {
        let site = site.and_then(|site| Some(self.sites.get(site)?.name.clone()));
        let place = Box::new(Place { strategy: self.info.id.clone(), function, site, step });
        PluginError { place, failure }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Where memory is not trusted the instance is left alone.
        if let (Some(destroy), false, false) = (self.info.callable.record.destroy, self.raw.is_null(), self.untrusted) {
            // SAFETY: created, not yet destroyed, and no call is under way.
            unsafe { destroy(self.raw) };
        }
    }
}

/// What of a call is not as the instance was prepared for.
enum Misfit {
    Model,
    Site,
    Outputs,
}

#[inline]
fn misfit(prepared: &Prepared, call: &Call<'_>, phase: Phase) -> Option<Misfit> {
    let graph = call.tape.graph();
    let sites = graph.sites.len();
    if call.tape.batch() != prepared.batch
        || sites != prepared.sites.len()
        || call.theta.len() != graph.parameter_count()
    {
        return Some(Misfit::Model);
    }
    let proposes = phase == Phase::Propose;
    let fits = match prepared.plan.call_mode {
        CallMode::Layer if proposes => call.site.is_some_and(|site| site < sites),
        _ => call.site.is_none(),
    };
    if !fits {
        return Some(Misfit::Site);
    }
    let missing = call.outputs.is_none() && proposes && prepared.plan.kind != Kind::Search;
    missing.then_some(Misfit::Outputs)
}

/// Runs a call into the plugin: a cleared error record for it, and the floating-point mode put back after it.
fn enter(error: &mut gw_error, context: &Context, function: &str, call: impl FnOnce(*mut gw_error) -> i32) -> i32 {
    error.clear();
    let mode = FpMode::current();
    let code = call(error);
    if mode.restore() {
        let text = format!("{function} changed the floating-point mode; it was put back");
        with_events(&context.events, |events| events.message(Level::Warn, text));
    }
    code
}

/// A failure of the host's own operations.
pub(super) fn host_failure(error: &candle_core::Error) -> Failure {
    Failure::Host(super::services::first_line(&error.to_string()).to_owned())
}

/// The first redzone around persistent matrices, or the outputs of `site` (all when `None`), that is not whole.
fn damage(outputs: Option<&Outputs>, site: Option<usize>, prepared: &Prepared) -> candle_core::Result<Option<Failure>> {
    if let Some(outputs) = outputs
        && let Some(failure) = outputs.redzones(site)?
    {
        return Ok(Some(failure));
    }
    for (name, guarded) in &prepared.persistent {
        if let Some(overrun) = guarded.overrun()? {
            let (side, distance) = (overrun.side, overrun.distance);
            return Ok(Some(Failure::Redzone { output: "persistent matrix", site: name.clone(), side, distance }));
        }
    }
    Ok(None)
}
