//! The host's side of one strategy, for [`testing`](crate::testing): its record, and an instance behind its C functions.

#![allow(unsafe_code)]

use super::serve::{Context, HOST, Serve, array};
use super::*;
use crate::error::{Error, Result};
use crate::testing::Setup;
use crate::values::Value;
use core::ptr;

impl Setup {
    /// A host for the strategy `id` of a loaded library, to be set up further and started.
    ///
    /// # Safety
    /// `entry` is the entry function of a plugin library that stays mapped.
    ///
    /// # Errors
    /// When the library was built for another layout, or has no such strategy.
    pub unsafe fn from_library(entry: gw_entry_fn, id: &str) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { Record::find(entry, id) }.map(Self::new)
    }
}

/// A strategy's record, known to be valid for ever.
#[derive(Clone, Copy)]
pub(crate) struct Record(&'static gw_strategy);

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Record").field(&self.id()).finish()
    }
}

/// A parameter as the schema declares it.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) key: String,
    pub(crate) kind: u32,
    pub(crate) default: Value,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) choices: Vec<String>,
}

impl Record {
    /// The record of a strategy of this crate.
    pub(crate) fn of<S: crate::Strategy>() -> Self {
        Self(Box::leak(Box::new(shim::describe::<S>())))
    }

    /// The strategy `id` behind an entry function, after `init`.
    ///
    /// # Safety
    /// `entry` is the entry function of a library that stays mapped.
    pub(crate) unsafe fn find(entry: gw_entry_fn, id: &str) -> Result<Self> {
        // SAFETY: the caller's promise; everything an entry points to is static.
        unsafe {
            let entry = entry().as_ref().ok_or_else(|| Error::invalid("the entry function returned null"))?;
            if entry.abi_major != GW_ABI_MAJOR || entry.fingerprint != GW_ABI_FINGERPRINT {
                let (found, expected) = (entry.fingerprint, GW_ABI_FINGERPRINT);
                return Err(Error::unsupported(format!("the library has layout {found:#x}, this host {expected:#x}")));
            }
            if let Some(init) = entry.init {
                let mut error = gw_error::empty();
                outcome(init(&HOST.0, &mut error), &error)?;
            }
            let (Some(count), Some(get)) = (entry.count, entry.get) else {
                return Err(Error::invalid("the entry has no `count` or `get`"));
            };
            let strategies = (0..count()).filter_map(|index| get(index).as_ref());
            let found = strategies.into_iter().find(|strategy| strategy.id.to_text() == id);
            found.map(Self).ok_or_else(|| Error::invalid(format!("the library has no strategy `{id}`")))
        }
    }

    pub(crate) fn get(self) -> &'static gw_strategy {
        self.0
    }

    pub(crate) fn id(self) -> String {
        // SAFETY: static, as the interface demands.
        unsafe { self.0.id.to_text() }
    }

    pub(crate) fn params(self) -> Vec<Declared> {
        (0..self.0.params_count as usize)
            .map(|index| {
                // SAFETY: static, as the interface demands: an array of `params_count` records.
                unsafe {
                    let spec = &*self.0.params.byte_add(index * self.0.params_stride as usize);
                    let choices = array(spec.choices, spec.choices_count).unwrap_or_default();
                    Declared {
                        key: spec.key.to_text(),
                        kind: spec.kind,
                        default: match spec.kind {
                            GW_PARAM_INT => Value::Int(spec.default_i),
                            GW_PARAM_BOOL => Value::Bool(spec.default_i != 0),
                            GW_PARAM_FLOAT => Value::Float(spec.default_f),
                            _ => Value::Text(spec.default_s.to_text()),
                        },
                        min: spec.min,
                        max: spec.max,
                        choices: choices.iter().map(|choice| choice.to_text()).collect(),
                    }
                }
            })
            .collect()
    }
}

fn outcome(code: i32, error: &gw_error) -> Result {
    if code == GW_OK { Ok(()) } else { Err(Error::with_code(code, error.to_text())) }
}

fn absent(function: &str) -> Error {
    Error::invalid(format!("the strategy has no `{function}`"))
}

/// A site as `prepare` is told of it.
#[derive(Clone, Debug)]
pub(crate) struct SiteFacts {
    pub(crate) name: String,
    pub(crate) layer: u32,
    pub(crate) activated: bool,
    pub(crate) width: usize,
    pub(crate) rows_per_example: usize,
    pub(crate) weight: [usize; 2],
    pub(crate) following: Vec<u32>,
}

/// The numbers of a model as `prepare` is told of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelFacts {
    pub(crate) batch: u64,
    pub(crate) classes: u64,
    pub(crate) dtype: u32,
    pub(crate) scope: u32,
    pub(crate) guesses: u32,
    pub(crate) seed: u64,
    pub(crate) instance: u64,
}

/// What `prepare` decided.
#[derive(Clone, Debug)]
pub(crate) struct PlanFacts {
    pub(crate) call_mode: u32,
    pub(crate) signal_at: u32,
    pub(crate) direction: u32,
    pub(crate) rank: u32,
    pub(crate) independent: bool,
    pub(crate) persistent: Vec<(String, [usize; 2])>,
    pub(crate) oracle_budget: f64,
}

/// The numbers of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepFacts {
    pub(crate) step: u64,
    pub(crate) site: u32,
    pub(crate) guesses: u32,
    pub(crate) batch: u64,
    pub(crate) progress: f64,
    pub(crate) oracle_budget: f64,
}

/// What comes with a call for one site: the handles of its signals and of its inputs.
fn given(services: &dyn Serve, facts: StepFacts) -> [Vec<gw_tensor>; 2] {
    if facts.site == GW_ALL_SITES {
        return Default::default();
    }
    let signals: Result<_> =
        (0..facts.guesses).map(|guess| services.output(GW_OUT_SIGNAL, facts.site, guess)).collect();
    let input = |role| match role {
        GW_ROLE_PRE_ACTIVATION | GW_ROLE_DERIVATIVE | GW_ROLE_ACTIVATION => {
            services.input(role, facts.site, 0).unwrap_or(GW_NO_TENSOR)
        }
        _ => GW_NO_TENSOR,
    };
    [signals.unwrap_or_default(), (0..GW_ROLE_COUNT).map(input).collect()]
}

unsafe extern "C" fn append(ctx: *mut c_void, bytes: *const u8, len: u64) -> i32 {
    // SAFETY: `ctx` is the vector that `Instance::save` passed; the bytes live during the call.
    match unsafe { (ctx.cast::<Vec<u8>>().as_mut(), array(bytes, len)) } {
        (Some(out), Ok(bytes)) => {
            out.extend_from_slice(bytes);
            GW_OK
        }
        _ => GW_INVALID_ARGUMENT,
    }
}

/// An instance behind its C functions; destroyed when dropped.
#[derive(Debug)]
pub(crate) struct Instance {
    record: Record,
    pointer: *mut c_void,
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(destroy) = self.record.0.destroy {
            // SAFETY: made by `create`, destroyed once.
            unsafe { destroy(self.pointer) };
        }
    }
}

impl Instance {
    pub(crate) fn create(record: Record, values: &[(String, Value)]) -> Result<Self> {
        let params = record.params();
        let kind = |key: &str| params.iter().find(|param| param.key == key).map_or(0, |param| param.kind);
        let values: Vec<gw_param> = values
            .iter()
            .map(|(key, value)| gw_param {
                struct_size: size_of::<gw_param>() as u64,
                key: gw_str::new(key),
                kind: kind(key),
                reserved: 0,
                i: match value {
                    Value::Int(i) => *i,
                    Value::Bool(b) => i64::from(*b),
                    _ => 0,
                },
                f: if let Value::Float(f) = value { *f } else { 0.0 },
                s: if let Value::Text(s) = value { gw_str::new(s) } else { gw_str::EMPTY },
            })
            .collect();
        let params = gw_params {
            struct_size: size_of::<gw_params>() as u64,
            values: values.as_ptr(),
            count: values.len() as u64,
            stride: size_of::<gw_param>() as u64,
        };
        let create = record.0.create.ok_or_else(|| absent("create"))?;
        let (mut pointer, mut error) = (ptr::null_mut(), gw_error::empty());
        // SAFETY: every record lives during the call.
        outcome(unsafe { create(record.0, &HOST.0, &params, &mut pointer, &mut error) }, &error)?;
        Ok(Self { record, pointer })
    }

    pub(crate) fn prepare(&mut self, sites: &[SiteFacts], facts: ModelFacts) -> Result<PlanFacts> {
        let sites: Vec<gw_site> = sites
            .iter()
            .map(|site| gw_site {
                struct_size: size_of::<gw_site>() as u64,
                name: gw_str::new(&site.name),
                layer: site.layer,
                activated: site.activated.into(),
                width: site.width as u64,
                rows_per_example: site.rows_per_example as u64,
                weight_rows: site.weight[0] as u64,
                weight_columns: site.weight[1] as u64,
                has_bias: 1,
                reserved: 0,
                following: site.following.as_ptr(),
                following_count: site.following.len() as u64,
            })
            .collect();
        let model = gw_model {
            struct_size: size_of::<gw_model>() as u64,
            sites: sites.as_ptr(),
            site_count: sites.len() as u64,
            site_stride: size_of::<gw_site>() as u64,
            batch: facts.batch,
            classes: facts.classes,
            dtype: facts.dtype,
            device: GW_CPU,
            scope: facts.scope,
            guesses: facts.guesses,
            granted: self.record.0.needs | self.record.0.wants,
            services: self.record.0.services,
            seed: facts.seed,
            instance: facts.instance,
        };
        let mut plan = gw_plan {
            struct_size: size_of::<gw_plan>() as u64,
            call_mode: GW_CALL_LAYER,
            signal_at: GW_AT_PRE_ACTIVATION,
            direction: GW_DIRECTION_DENSE,
            rank: 1,
            flags: 0,
            scratch: 0,
            persistent: ptr::null(),
            persistent_count: 0,
            persistent_stride: size_of::<gw_persistent>() as u64,
            oracle_budget: 0.0,
            services: self.record.0.services,
        };
        if let Some(prepare) = self.record.0.prepare {
            let mut error = gw_error::empty();
            // SAFETY: every record lives during the call.
            outcome(unsafe { prepare(self.pointer, &model, &mut plan, &mut error) }, &error)?;
        }
        let persistent = (0..plan.persistent_count as usize).map(|index| {
            // SAFETY: what the plan points to lives until the instance is prepared again.
            unsafe {
                let matrix = &*plan.persistent.byte_add(index * plan.persistent_stride as usize);
                (matrix.name.to_text(), [matrix.rows as usize, matrix.columns as usize])
            }
        });
        Ok(PlanFacts {
            call_mode: plan.call_mode,
            signal_at: plan.signal_at,
            direction: plan.direction,
            rank: plan.rank,
            independent: plan.flags & GW_PLAN_INDEPENDENT != 0,
            persistent: persistent.collect(),
            oracle_budget: plan.oracle_budget,
        })
    }

    fn call(
        services: &dyn Serve,
        facts: StepFacts,
        given: &[Vec<gw_tensor>; 2],
        function: impl FnOnce(*const gw_step, *mut gw_error) -> i32,
    ) -> Result {
        let context = Context(services);
        let [signals, inputs] = given;
        let first = |handles: &[gw_tensor]| if handles.is_empty() { ptr::null() } else { handles.as_ptr() };
        let step = gw_step {
            struct_size: size_of::<gw_step>() as u64,
            ctx: (&raw const context).cast_mut().cast(),
            step: facts.step,
            site: facts.site,
            guesses: facts.guesses,
            batch: facts.batch,
            progress: facts.progress,
            oracle_budget: facts.oracle_budget,
            signals: first(signals),
            inputs: first(inputs),
            inputs_count: inputs.len() as u64,
        };
        let mut error = gw_error::empty();
        outcome(function(&step, &mut error), &error)
    }

    pub(crate) fn propose(&mut self, services: &dyn Serve, facts: StepFacts) -> Result {
        let propose = self.record.0.propose.ok_or_else(|| absent("propose"))?;
        // SAFETY: step and context live during the call.
        Self::call(services, facts, &given(services, facts), |step, error| unsafe {
            propose(self.pointer, step, error)
        })
    }

    pub(crate) fn observe(
        &mut self,
        services: &dyn Serve,
        facts: StepFacts,
        loss: f64,
        scalars: &[f64],
        estimate_norm: f64,
    ) -> Result {
        let Some(observe) = self.record.0.observe else { return Ok(()) };
        let outcome = gw_outcome {
            struct_size: size_of::<gw_outcome>() as u64,
            loss,
            scalars: scalars.as_ptr(),
            scalars_count: scalars.len() as u64,
            estimate_norm,
        };
        // SAFETY: step, context and outcome live during the call.
        Self::call(services, facts, &Default::default(), |step, error| unsafe {
            observe(self.pointer, step, &outcome, error)
        })
    }

    pub(crate) fn reset(&mut self) -> Result {
        let Some(reset) = self.record.0.reset else { return Ok(()) };
        let mut error = gw_error::empty();
        // SAFETY: the record lives during the call.
        outcome(unsafe { reset(self.pointer, &mut error) }, &error)
    }

    pub(crate) fn save(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(save) = self.record.0.save {
            let writer = gw_writer {
                struct_size: size_of::<gw_writer>() as u64,
                ctx: (&raw mut bytes).cast(),
                write: Some(append),
            };
            let mut error = gw_error::empty();
            // SAFETY: writer and vector live during the call.
            outcome(unsafe { save(self.pointer, &writer, &mut error) }, &error)?;
        }
        Ok(bytes)
    }

    pub(crate) fn load(&mut self, bytes: &[u8]) -> Result {
        let load = self.record.0.load.ok_or_else(|| absent("load"))?;
        let mut error = gw_error::empty();
        // SAFETY: bytes and record live during the call.
        outcome(unsafe { load(self.pointer, bytes.as_ptr(), bytes.len() as u64, &mut error) }, &error)
    }
}
