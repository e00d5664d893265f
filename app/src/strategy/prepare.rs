//! An instance of a strategy comes to be: created with its parameters, shown a model and a run, given memory to write.
#![allow(unsafe_code)]

use super::context::{Context, Prepared, ready};
use super::failure::{Failure, PluginError};
use super::fit::{sensible, target};
use super::given::Given;
use super::grants::Offer;
use super::guarded::Guarded;
use super::host;
use super::info::StrategyInfo;
use super::instance::{Instance, host_failure};
use super::outputs::Outputs;
use super::params::Params;
use super::plan::{Plan, default_plan, read_plan};
use super::records::{parameter, site_record};
use super::scratch::Kept;
use super::services::ops::unmade;
use super::sites::{SiteView, sites};
use crate::estimate::cost;
use crate::model::{Graph, Tape};
use crate::workspace::Scope;
use candle_core::Tensor;
use guesswork_plugin::abi::{self, gw_error, gw_model, gw_param, gw_params, gw_site};
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
    /// Whether oracles answer.
    pub oracle: bool,
    /// Set from outside when the run is to end.
    pub cancelled: Arc<AtomicBool>,
}

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
            given: Given::default(),
            scratch: Kept::default(),
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
        if granted.has(abi::GW_ROLE_PRE_ACTIVATION) {
            tape.keep_pre_activations().map_err(broken)?;
        }
        let clear = (0..views.len()).map(|site| unmade(tape, site, ready(graph, site)).is_none()).collect();
        self.context.set_cancelled(&run.cancelled);
        self.given = Given::new(&plan, run.guesses);
        self.scratch = Kept::default();
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
            tangent_flop: cost::tangent(graph, tape.batch()),
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
        self.outputs_of(tape, None)
    }

    /// The same for calls that ask for `guesses` of a step: no more than it was prepared for, all where none are named, and fewer only
    /// where its plan makes them independently.
    ///
    /// # Errors
    /// As [`Instance::outputs`].
    pub fn outputs_of(&self, tape: &Tape, guesses: Option<usize>) -> Result<Outputs, PluginError> {
        let failed = |failure| self.error("prepare", None, None, failure);
        let prepared = self.prepared.as_ref().ok_or_else(|| failed(Failure::Unprepared))?;
        let guesses = guesses.unwrap_or(prepared.guesses);
        if guesses != prepared.guesses && !(prepared.plan.independent && (1..prepared.guesses).contains(&guesses)) {
            return Err(failed(Failure::Host(format!("{guesses} of {} guesses at once", prepared.guesses))));
        }
        let extents = (guesses, prepared.batch);
        Outputs::new(&prepared.plan, Arc::clone(&prepared.sites), extents, tape.dtype(), tape.device())
            .map_err(|error| failed(host_failure(&error)))
    }
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
