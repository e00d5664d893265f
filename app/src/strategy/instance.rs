//! One strategy at work on one lane: created, prepared for a model, asked for guesses, told what came of them.
//!
//! Every call is guarded: redzones around outputs are compared after each, outputs are filled and scanned in the first
//! three steps and every hundredth, inputs whose address was given out are compared in those steps, the floating-point
//! mode is put back. An instance that panicked or damaged memory is not called again.
#![allow(unsafe_code)]

use super::account::KernelTime;
use super::call::{Call, Outcome};
use super::context::{Context, Phase, Prepared, State, ready, with_events};
use super::draws::Draws;
use super::events::{Events, Level};
use super::failure::{Failure, Place, PluginError};
use super::fit::{sensible, target};
use super::fpmode::FpMode;
use super::grants::Offer;
use super::guarded::Guarded;
use super::handles::{Entry, Handles};
use super::host;
use super::info::{Kind, StrategyInfo};
use super::outputs::Outputs;
use super::params::Params;
use super::plan::{CallMode, Plan, default_plan, read_plan};
use super::read::error_text;
use super::records::{parameter, site_record};
use super::services::ops::unmade;
use super::sites::{SiteView, sites};
use crate::kernel::Scratch;
use crate::model::{Graph, Tape};
use crate::workspace::Scope;
use candle_core::Tensor;
use guesswork_plugin::abi::{
    self, gw_context, gw_error, gw_model, gw_outcome, gw_param, gw_params, gw_site, gw_step, gw_strategy,
};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a strategy may know of the run before training.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// Scope the lane runs at.
    pub scope: Scope,
    /// Guesses a step, K.
    pub guesses: usize,
    /// Seed of every draw of the lane.
    pub seed: u64,
    /// What separates lanes of one seed.
    pub instance: u64,
    /// Whether the run is marked as a diagnostic, which alone may offer the exact gradient.
    pub diagnostic: bool,
    /// Whether calls will bring an oracle.
    pub oracle: bool,
    /// Set from outside when the run is to end.
    pub cancelled: Arc<AtomicBool>,
}

/// An instance of a strategy.
#[derive(Debug)]
pub struct Instance {
    pub(super) info: Arc<StrategyInfo>,
    raw: *mut c_void,
    context: Arc<Context>,
    pub(super) prepared: Option<Prepared>,
    poisoned: Option<String>,
    untrusted: bool,
    generation: u32,
    draws: Option<Draws>,
    /// The sites of the last model that it was prepared for, for their names.
    sites: Arc<[SiteView]>,
    /// What calls leave of their handles: those of each site, of `propose` for all sites, of `observe`.
    handles: Vec<Vec<Entry>>,
    /// The memory of a call's list of scratch.
    scratch: Vec<Scratch>,
    /// What the plugin fills when it fails.
    error_record: Box<gw_error>,
}

// SAFETY: the interface: calls of one instance may come from changing threads, one at a time; `&mut self` sees to that.
unsafe impl Send for Instance {}

impl Instance {
    /// Creates an instance with checked parameters.
    ///
    /// # Errors
    /// When the strategy refuses them.
    pub fn create(info: &Arc<StrategyInfo>, params: &Params) -> Result<Self, PluginError> {
        let values: Vec<gw_param> = params.values().iter().map(|(key, value)| parameter(key, value)).collect();
        let params = gw_params {
            struct_size: size_of::<gw_params>() as u64,
            values: values.as_ptr(),
            count: values.len() as u64,
            stride: size_of::<gw_param>() as u64,
        };
        let mut instance = Self {
            info: Arc::clone(info),
            raw: ptr::null_mut(),
            context: Arc::new(Context::new()),
            prepared: None,
            poisoned: None,
            untrusted: false,
            generation: 0,
            draws: None,
            sites: Arc::new([]),
            handles: Vec::new(),
            scratch: Vec::new(),
            error_record: Box::new(gw_error::empty()),
        };
        let mut raw = ptr::null_mut();
        let pointer = info.callable.pointer;
        instance.plugin("create", None, None, |strategy, _, err| match strategy.create {
            // SAFETY: the library is initialised; all pointers live during the call.
            Some(create) => unsafe { create(pointer, host::record(), &params, &mut raw, err) },
            None => abi::GW_UNSUPPORTED,
        })?;
        if raw.is_null() {
            return Err(instance.error(
                "create",
                None,
                None,
                Failure::Error { code: abi::GW_ERROR, text: "it reported success and gave a null instance".into() },
            ));
        }
        instance.raw = raw;
        Ok(instance)
    }

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

    /// Shows the model and the run to the strategy and reads its plan. Persistent matrices of the same name and extents
    /// are kept when it is prepared again, others start at zero.
    ///
    /// # Errors
    /// `Unsupported` where the strategy and the run do not go together; the plugin's own refusal; an invalid plan.
    pub fn prepare(&mut self, graph: &Graph, tape: &Tape, run: &RunFacts) -> Result<Plan, PluginError> {
        let failed = |failure| self.error("prepare", None, None, failure);
        let refused = |text: String| failed(Failure::Unsupported(text));
        let broken = |error: candle_core::Error| failed(host_failure(&error));
        let offer = Offer::new(run.diagnostic, run.oracle);
        let (granted, services) = offer.grant(self.info.needs, self.info.wants, self.info.services).map_err(refused)?;
        let (dtype, device) = target(&self.info, tape).map_err(refused)?;
        sensible(&self.info, run).map_err(refused)?;
        let views: Arc<[SiteView]> = sites(graph).map_err(broken)?.into();
        let records: Vec<gw_site> = views.iter().map(site_record).collect();
        let model = gw_model {
            struct_size: size_of::<gw_model>() as u64,
            sites: records.as_ptr(),
            site_count: records.len() as u64,
            site_stride: size_of::<gw_site>() as u64,
            batch: tape.batch() as u64,
            classes: graph.output().width as u64,
            dtype,
            device,
            scope: match run.scope {
                Scope::Batch => abi::GW_SCOPE_BATCH,
                Scope::Layer => abi::GW_SCOPE_LAYER,
                Scope::Example => abi::GW_SCOPE_EXAMPLE,
                Scope::ExampleLayer => abi::GW_SCOPE_EXAMPLE_LAYER,
            },
            guesses: run.guesses as u32,
            granted: granted.0,
            services: services.0,
            seed: run.seed,
            instance: run.instance,
        };
        let mut plan = default_plan(services);
        self.plugin("prepare", None, None, |strategy, raw, err| match strategy.prepare {
            // SAFETY: the instance is alive; all pointers live during the call.
            Some(prepare) => unsafe { prepare(raw, &model, &mut plan, err) },
            None => abi::GW_UNSUPPORTED,
        })?;
        // SAFETY: the plan of a prepared instance, whose pointers the interface keeps alive.
        let plan = unsafe { read_plan(&plan, self.info.kind, granted, services, &views) }
            .map_err(|text| self.error("prepare", None, None, Failure::Plan(text)))?;
        let broken = |error: candle_core::Error| self.error("prepare", None, None, host_failure(&error));
        let persistent = self.persistent(&plan, tape).map_err(broken)?;
        let ones = ones(&views, &plan, tape).map_err(broken)?;
        let clear = (0..views.len()).map(|site| unmade(tape, site, ready(graph, site)).is_none()).collect();
        self.context.set_cancelled(&run.cancelled);
        self.sites = Arc::clone(&views);
        self.handles = std::iter::repeat_with(Vec::new).take(views.len() + 2).collect();
        self.prepared = Some(Prepared {
            plan: plan.clone(),
            sites: views,
            batch: tape.batch(),
            guesses: run.guesses,
            seed: run.seed,
            instance: run.instance,
            persistent,
            ones,
            clear,
        });
        Ok(plan)
    }

    /// The persistent matrices of a plan: those there are, and zeros.
    fn persistent(&self, plan: &Plan, tape: &Tape) -> candle_core::Result<Vec<(String, Guarded)>> {
        let mut matrices = Vec::with_capacity(plan.persistent.len());
        for matrix in &plan.persistent {
            let fresh = Guarded::new(&[matrix.rows, matrix.columns], tape.dtype(), tape.device())?;
            let kept = self.prepared.iter().flat_map(|prepared| &prepared.persistent);
            let mut kept = kept.filter(|(name, kept)| {
                *name == matrix.name
                    && kept.tensor().dims() == fresh.tensor().dims()
                    && kept.tensor().dtype() == tape.dtype()
            });
            if let Some((_, kept)) = kept.next() {
                crate::kernel::copy(fresh.tensor(), kept.tensor())?;
            }
            matrices.push((matrix.name.clone(), fresh));
        }
        Ok(matrices)
    }

    /// Memory for what the strategy writes, by its plan.
    ///
    /// # Errors
    /// When it is not prepared, or the device cannot allocate.
    pub fn outputs(&self, tape: &Tape) -> Result<Outputs, PluginError> {
        let failed = |failure| self.error("prepare", None, None, failure);
        let prepared = self.prepared.as_ref().ok_or_else(|| failed(Failure::Unprepared))?;
        let extents = (prepared.guesses, prepared.batch);
        Outputs::new(&prepared.plan, Arc::clone(&prepared.sites), extents, tape.dtype(), tape.device())
            .map_err(|error| failed(host_failure(&error)))
    }

    /// Lets the strategy write its guesses: for `call.site` in call mode `layer`, for all sites in mode `model`.
    ///
    /// # Errors
    /// The plugin's own failure, and what the guards find. See [`PluginError::fatal_for_run`].
    pub fn propose(&mut self, call: &mut Call<'_>) -> Result<(), PluginError> {
        let (site, step) = (call.site, call.step);
        let failed = |this: &Self, failure| this.error("propose", site, Some(step), failure);
        self.check_call(call, "propose")?;
        let scan = step < 3 || step.is_multiple_of(100);
        if let Some(outputs) = call.outputs.as_deref_mut() {
            outputs.begin(site, scan).map_err(|error| failed(self, host_failure(&error)))?;
        }
        self.run(call, Phase::Propose, None, scan)?;
        let Some(outputs) = call.outputs.as_deref() else { return Ok(()) };
        if let Some(failure) = outputs.untouched(site) {
            return Err(failed(self, failure));
        }
        if scan && let Some(failure) = outputs.scan(site).map_err(|error| failed(self, host_failure(&error)))? {
            return Err(failed(self, failure));
        }
        Ok(())
    }

    /// Tells the strategy what came of a step. Does nothing where it does not listen.
    ///
    /// # Errors
    /// As [`Instance::propose`].
    pub fn observe(&mut self, call: &mut Call<'_>, outcome: &Outcome<'_>) -> Result<(), PluginError> {
        if self.info.callable.record.observe.is_none() {
            return Ok(());
        }
        self.check_call(call, "observe")?;
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
    fn check_call(&self, call: &Call<'_>, function: &'static str) -> Result<(), PluginError> {
        let failed = |failure| Err(self.error(function, call.site, Some(call.step), failure));
        if let Some(reason) = &self.poisoned {
            return failed(Failure::Poisoned(reason.clone()));
        }
        let Some(prepared) = &self.prepared else { return failed(Failure::Unprepared) };
        let (sites, parameters) = (call.tape.graph().sites.len(), call.tape.graph().parameter_count());
        if call.tape.batch() != prepared.batch || sites != prepared.sites.len() || call.theta.len() != parameters {
            let text = format!("it was prepared for a batch of {} and {} sites", prepared.batch, prepared.sites.len());
            return failed(Failure::Host(text));
        }
        let fits = match (function, prepared.plan.call_mode) {
            ("observe", _) | (_, CallMode::Model) => call.site.is_none(),
            (_, CallMode::Layer) => call.site.is_some_and(|site| site < sites),
        };
        if !fits {
            return failed(Failure::Host(format!("site {:?} in call mode {:?}", call.site, prepared.plan.call_mode)));
        }
        if call.outputs.is_none() && function == "propose" && prepared.plan.kind != Kind::Search {
            return failed(Failure::Host("the call has no outputs".into()));
        }
        Ok(())
    }

    /// Runs `propose` or `observe` and looks for damage: the plugin's status, or what was damaged.
    fn run(
        &mut self,
        call: &mut Call<'_>,
        phase: Phase,
        outcome: Option<&Outcome<'_>>,
        scan: bool,
    ) -> Result<(), PluginError> {
        let function = if phase == Phase::Propose { "propose" } else { "observe" };
        let (site, step_number) = (call.site, call.step);
        let failed = |this: &Self, failure| this.error(function, site, Some(step_number), failure);
        let Some(prepared) = &self.prepared else { return Err(failed(self, Failure::Unprepared)) };
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
            guesses: prepared.guesses as u32,
            batch: prepared.batch as u64,
            progress: call.progress,
            oracle_budget: prepared.plan.oracle_budget,
        };
        let (strategy, raw) = (&self.info.callable.record, self.raw);
        let (code, input) = {
            let kept = &mut self.handles[site.unwrap_or(prepared.sites.len() + phase as usize)];
            let handles = Handles::new(self.generation, &prepared.sites, kept);
            let mut state = State::new(call, phase, prepared, handles, &mut self.scratch, &self.context);
            state.draws = self.draws.as_ref();
            state.scan = scan;
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
            state.handles.keep();
            (code, input)
        };
        self.scratch.clear();
        let found = damage(call.outputs.as_deref(), site, prepared);
        let status = self.answer(function, site, Some(step_number), code);
        // What damaged memory comes first: it stops the run whatever the plugin says.
        let failure = match (found, input) {
            (Ok(None), None) => return status,
            (Ok(Some(failure)), _) => failure,
            (Ok(None), Some(input)) => Failure::InputWritten { input },
            (Err(error), _) => return Err(failed(self, host_failure(&error))),
        };
        self.untrusted = true;
        self.poisoned = Some(failure.to_string());
        Err(failed(self, failure))
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

    /// What the plugin's status and its error record say. An instance that panicked is not called again.
    fn answer(
        &mut self,
        function: &'static str,
        site: Option<usize>,
        step: Option<u64>,
        code: i32,
    ) -> Result<(), PluginError> {
        match code {
            abi::GW_OK => Ok(()),
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

/// M_l of sites where no activation follows: ones, when derivatives are granted.
fn ones(sites: &[SiteView], plan: &Plan, tape: &Tape) -> candle_core::Result<Vec<Option<Tensor>>> {
    let wanted = plan.granted.has(abi::GW_ROLE_DERIVATIVE);
    let ones = sites.iter().map(|site| match wanted && !site.activated {
        true => {
            let shape = (tape.batch() * site.rows_per_example, site.width);
            Tensor::ones(shape, tape.dtype(), tape.device()).map(Some)
        }
        false => Ok(None),
    });
    ones.collect()
}
