//! The host's side of the interface in miniature, for [`testing`](crate::testing): C tables whose functions end in a
//! safe trait, and an instance behind its C functions.
//!
//! Knows nothing of networks or arithmetic.

#![allow(unsafe_code)]

use super::shim::{guard, report};
use super::*;
use crate::error::{Error, Result};
use crate::testing::Setup;
use crate::values::Value;
use core::{ptr, slice};

/// What the tables' functions end in. Handles, ids and extents arrive unchecked.
pub(crate) trait Serve {
    fn input(&self, role: u32, site: u32, index: u32) -> Result<gw_tensor>;
    fn output(&self, output: u32, site: u32, guess: u32) -> Result<gw_tensor>;
    fn set_seed(&self, site: u32, guess: u32, seed: u64) -> Result;
    fn persistent(&self, index: u32) -> Result<gw_tensor>;
    fn shape(&self, tensor: gw_tensor) -> Result<[u64; 2]>;
    fn reshape(&self, tensor: gw_tensor, shape: [u64; 2]) -> Result<gw_tensor>;
    fn rows(&self, tensor: gw_tensor, start: u64, count: u64) -> Result<gw_tensor>;
    fn data(&self, tensor: gw_tensor) -> Result<DLTensor>;
    fn matmul(&self, dst: gw_tensor, alpha: f64, a: (gw_tensor, bool), b: (gw_tensor, bool), beta: f64) -> Result;
    fn pull_back(&self, site: u32, signals: &[gw_tensor], dst: gw_tensor) -> Result;
    fn unary(&self, op: Unary, dst: gw_tensor, a: gw_tensor) -> Result;
    fn categorical(&self, dst: gw_tensor, probabilities: gw_tensor, key: [u32; 3]) -> Result;
    fn axpy(&self, dst: gw_tensor, alpha: f64, x: gw_tensor) -> Result;
    fn scale(&self, dst: gw_tensor, alpha: f64) -> Result;
    fn dot(&self, a: gw_tensor, b: gw_tensor) -> Result<f64>;
    fn row_dot(&self, dst: gw_tensor, a: gw_tensor, b: gw_tensor) -> Result;
    fn add_row(&self, dst: gw_tensor, alpha: f64, row: gw_tensor) -> Result;
    fn fill(&self, dst: gw_tensor, value: f64) -> Result;
    fn orthonormalise(&self, dst: gw_tensor) -> Result;
    fn svd(&self, a: gw_tensor, usv: [gw_tensor; 3]) -> Result;
    fn random_fill(&self, dst: gw_tensor, kind: u32, scale: f64, key: [u32; 3]) -> Result;
    fn random_draw(&self, kind: u32, key: [u32; 3], start: u64, out: &mut [f64]) -> Result;
    fn loss_at(&self, guess: &[u32], t: &[f64], out: &mut [f64]) -> Result;
    fn jvp(&self, guess: &[u32], out: &mut [f64]) -> Result;
    fn metric(&self, name: String, values: &[f64]) -> Result;
    fn log(&self, level: u32, text: String);
    fn cancelled(&self) -> bool;
    fn scratch(&self, rows: u64, columns: u64) -> Result<gw_tensor>;
}

/// Operations with one destination and one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Hadamard,
    KeepNonzero,
    Softmax,
    OneHot,
    RowScale,
    ColumnSum,
    Copy,
}

/// What a `gw_context` points to here.
struct Context<'a>(&'a dyn Serve);

/// Runs `f` on the services behind `ctx`.
///
/// # Safety
/// `ctx` is null or the context of the call under way; `err` is null or the caller's record.
unsafe fn serve(ctx: *mut gw_context, err: *mut gw_error, f: impl FnOnce(&dyn Serve) -> Result) -> i32 {
    // SAFETY: contexts are made by `Instance::call` only, from a `Context` that outlives the call.
    let result = match unsafe { ctx.cast::<Context<'_>>().as_ref() } {
        None => Err(Error::invalid("the context is null")),
        Some(context) => guard(|| f(context.0)).unwrap_or_else(|text| Err(Error::new(format!("the host {text}")))),
    };
    match result {
        Ok(()) => GW_OK,
        // SAFETY: the caller's promise.
        Err(error) => unsafe { report(err, &error) },
    }
}

/// Writes a result to the caller's place.
///
/// # Safety
/// `out` is null or writable.
unsafe fn put<T>(out: *mut T, value: T) -> Result {
    if out.is_null() {
        return Err(Error::invalid("the place for the result is null"));
    }
    // SAFETY: the caller's promise.
    unsafe { out.write(value) };
    Ok(())
}

/// The caller's array.
///
/// # Safety
/// `data` is null or points to `count` values that nobody writes meanwhile.
unsafe fn array<'a, T>(data: *const T, count: u64) -> Result<&'a [T]> {
    match (count, data.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(Error::invalid("an array is null")),
        // SAFETY: the caller's promise.
        (count, false) => Ok(unsafe { slice::from_raw_parts(data, count as usize) }),
    }
}

/// The caller's array, to write.
///
/// # Safety
/// `data` is null or points to `count` values that nobody else uses meanwhile.
unsafe fn array_mut<'a, T>(data: *mut T, count: u64) -> Result<&'a mut [T]> {
    match (count, data.is_null()) {
        (0, _) => Ok(&mut []),
        (_, true) => Err(Error::invalid("an array is null")),
        // SAFETY: the caller's promise.
        (count, false) => Ok(unsafe { slice::from_raw_parts_mut(data, count as usize) }),
    }
}

/// Functions of a table: the context first, the error record last, a safe method between.
macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),* $(,)?) => |$services:ident| $body:expr;)+) => {
        $(unsafe extern "C" fn $name(ctx: *mut gw_context, $($argument: $type,)* err: *mut gw_error) -> i32 {
            // SAFETY: the plugin passes the context and records of the call under way, as the interface demands, and
            // pointers that are null or valid.
            unsafe { serve(ctx, err, |$services| $body) }
        })+
    };
}

functions! {
    input(role: u32, site: u32, index: u32, out: *mut gw_tensor) => |s| put(out, s.input(role, site, index)?);
    output(output: u32, site: u32, guess: u32, out: *mut gw_tensor) => |s| put(out, s.output(output, site, guess)?);
    set_seed(site: u32, guess: u32, seed: u64) => |s| s.set_seed(site, guess, seed);
    persistent(index: u32, out: *mut gw_tensor) => |s| put(out, s.persistent(index)?);
    shape(tensor: gw_tensor, rows: *mut u64, columns: *mut u64) => |s| {
        let shape = s.shape(tensor)?;
        put(rows, shape[0])?;
        put(columns, shape[1])
    };
    reshape(tensor: gw_tensor, rows: u64, columns: u64, out: *mut gw_tensor) => |s| {
        put(out, s.reshape(tensor, [rows, columns])?)
    };
    rows(tensor: gw_tensor, start: u64, count: u64, out: *mut gw_tensor) => |s| put(out, s.rows(tensor, start, count)?);
    data(tensor: gw_tensor, out: *mut DLTensor) => |s| put(out, s.data(tensor)?);
    matmul(dst: gw_tensor, alpha: f64, a: gw_tensor, at: u32, b: gw_tensor, bt: u32, beta: f64) => |s| {
        s.matmul(dst, alpha, (a, at != 0), (b, bt != 0), beta)
    };
    pull_back(site: u32, signals: *const gw_tensor, count: u64, dst: gw_tensor) => |s| {
        s.pull_back(site, array(signals, count)?, dst)
    };
    hadamard(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::Hadamard, dst, a);
    keep_nonzero(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::KeepNonzero, dst, a);
    softmax(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::Softmax, dst, a);
    one_hot(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::OneHot, dst, a);
    row_scale(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::RowScale, dst, a);
    column_sum(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::ColumnSum, dst, a);
    copy(dst: gw_tensor, a: gw_tensor) => |s| s.unary(Unary::Copy, dst, a);
    categorical(dst: gw_tensor, p: gw_tensor, site: u32, guess: u32, draw: u32) => |s| {
        s.categorical(dst, p, [site, guess, draw])
    };
    axpy(dst: gw_tensor, alpha: f64, x: gw_tensor) => |s| s.axpy(dst, alpha, x);
    scale(dst: gw_tensor, alpha: f64) => |s| s.scale(dst, alpha);
    dot(a: gw_tensor, b: gw_tensor, out: *mut f64) => |s| put(out, s.dot(a, b)?);
    row_dot(dst: gw_tensor, a: gw_tensor, b: gw_tensor) => |s| s.row_dot(dst, a, b);
    add_row(dst: gw_tensor, alpha: f64, row: gw_tensor) => |s| s.add_row(dst, alpha, row);
    fill(dst: gw_tensor, value: f64) => |s| s.fill(dst, value);
    orthonormalise(dst: gw_tensor) => |s| s.orthonormalise(dst);
    svd(a: gw_tensor, u: gw_tensor, sigma: gw_tensor, v: gw_tensor) => |s| s.svd(a, [u, sigma, v]);
    random_fill(dst: gw_tensor, kind: u32, scale: f64, site: u32, guess: u32, draw: u32) => |s| {
        s.random_fill(dst, kind, scale, [site, guess, draw])
    };
    random_draw(kind: u32, site: u32, guess: u32, draw: u32, start: u64, out: *mut f64, count: u64) => |s| {
        s.random_draw(kind, [site, guess, draw], start, array_mut(out, count)?)
    };
    loss_at(guess: *const u32, t: *const f64, count: u64, out: *mut f64) => |s| {
        s.loss_at(array(guess, count)?, array(t, count)?, array_mut(out, count)?)
    };
    jvp(guess: *const u32, count: u64, out: *mut f64) => |s| s.jvp(array(guess, count)?, array_mut(out, count)?);
    matrix(rows: u64, columns: u64, out: *mut gw_tensor) => |s| put(out, s.scratch(rows, columns)?);
}

unsafe extern "C" fn scalar(ctx: *mut gw_context, name: gw_str, value: f64) -> i32 {
    // SAFETY: as in `functions!`.
    unsafe { serve(ctx, ptr::null_mut(), |s| s.metric(name.to_text(), &[value])) }
}

unsafe extern "C" fn series(ctx: *mut gw_context, name: gw_str, values: *const f64, count: u64) -> i32 {
    // SAFETY: as in `functions!`.
    unsafe { serve(ctx, ptr::null_mut(), |s| s.metric(name.to_text(), array(values, count)?)) }
}

unsafe extern "C" fn write_log(ctx: *mut gw_context, level: u32, text: gw_str) -> i32 {
    if ctx.is_null() {
        return GW_OK;
    }
    // SAFETY: as in `functions!`.
    unsafe {
        serve(ctx, ptr::null_mut(), |s| {
            s.log(level, text.to_text());
            Ok(())
        })
    }
}

unsafe extern "C" fn cancelled(ctx: *mut gw_context) -> u32 {
    let mut answer = false;
    // SAFETY: as in `functions!`.
    unsafe {
        serve(ctx, ptr::null_mut(), |s| {
            answer = s.cancelled();
            Ok(())
        })
    };
    answer.into()
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

macro_rules! table {
    ($name:ident: $type:ident { $($field:ident: $function:ident),+ $(,)? }) => {
        static $name: $type = $type { struct_size: size_of::<$type>() as u64, $($field: Some($function)),+ };
    };
}

table!(TENSORS: gw_tensors {
    input: input, output: output, set_seed: set_seed, persistent: persistent, shape: shape, reshape: reshape,
    rows: rows, data: data,
});
table!(OPS: gw_ops {
    matmul: matmul, pull_back: pull_back, hadamard: hadamard, keep_nonzero: keep_nonzero, softmax: softmax,
    one_hot: one_hot, categorical: categorical, axpy: axpy, scale: scale, row_scale: row_scale, dot: dot,
    row_dot: row_dot, column_sum: column_sum, add_row: add_row, copy: copy, fill: fill,
    orthonormalise: orthonormalise, svd: svd,
});
table!(RNG: gw_rng { fill: random_fill, draw: random_draw });
table!(ORACLE: gw_oracle { loss_at: loss_at, jvp: jvp });
table!(METRICS: gw_metrics { scalar: scalar, series: series });
table!(LOG: gw_log { write: write_log });
table!(CONTROL: gw_control { cancelled: cancelled });
table!(SCRATCH: gw_scratch { matrix: matrix });

unsafe extern "C" fn find(_: *const gw_host, id: gw_str) -> *const c_void {
    // SAFETY: the plugin passes a valid string.
    match unsafe { id.to_text() }.as_str() {
        GW_EXT_TENSORS => (&raw const TENSORS).cast(),
        GW_EXT_OPS => (&raw const OPS).cast(),
        GW_EXT_RNG => (&raw const RNG).cast(),
        GW_EXT_ORACLE => (&raw const ORACLE).cast(),
        GW_EXT_METRICS => (&raw const METRICS).cast(),
        GW_EXT_LOG => (&raw const LOG).cast(),
        GW_EXT_CONTROL => (&raw const CONTROL).cast(),
        GW_EXT_SCRATCH => (&raw const SCRATCH).cast(),
        _ => ptr::null(),
    }
}

struct Host(gw_host);

// SAFETY: never written; its functions may be called from any thread.
unsafe impl Sync for Host {}

static HOST: Host = Host(gw_host {
    struct_size: size_of::<gw_host>() as u64,
    abi_major: GW_ABI_MAJOR,
    abi_minor: GW_ABI_MINOR,
    name: gw_str::new(concat!("guesswork-plugin testing ", env!("CARGO_PKG_VERSION"))),
    ctx: ptr::null_mut(),
    get_extension: Some(find),
});

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
            persistent: persistent.collect(),
            oracle_budget: plan.oracle_budget,
        })
    }

    fn call(
        services: &dyn Serve,
        facts: StepFacts,
        function: impl FnOnce(*const gw_step, *mut gw_error) -> i32,
    ) -> Result {
        let context = Context(services);
        let step = gw_step {
            struct_size: size_of::<gw_step>() as u64,
            ctx: (&raw const context).cast_mut().cast(),
            step: facts.step,
            site: facts.site,
            guesses: facts.guesses,
            batch: facts.batch,
            progress: facts.progress,
            oracle_budget: facts.oracle_budget,
        };
        let mut error = gw_error::empty();
        outcome(function(&step, &mut error), &error)
    }

    pub(crate) fn propose(&mut self, services: &dyn Serve, facts: StepFacts) -> Result {
        let propose = self.record.0.propose.ok_or_else(|| absent("propose"))?;
        // SAFETY: step and context live during the call.
        Self::call(services, facts, |step, error| unsafe { propose(self.pointer, step, error) })
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
        Self::call(services, facts, |step, error| unsafe { observe(self.pointer, step, &outcome, error) })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::call::covered;

    #[test]
    fn a_shorter_record_hides_its_later_fields() {
        let mut step = gw_step {
            struct_size: 32,
            ctx: ptr::null_mut(),
            step: 7,
            site: 3,
            guesses: 1,
            batch: 5,
            progress: 0.5,
            oracle_budget: 2.0,
        };
        // SAFETY: a valid record.
        unsafe {
            assert_eq!(covered!(&step, gw_step, site), Some(3));
            assert_eq!(covered!(&step, gw_step, batch), None);
            step.struct_size = 1 << 20;
            assert_eq!(covered!(&step, gw_step, oracle_budget), Some(2.0));
            assert_eq!(covered!(ptr::null::<gw_step>(), gw_step, site), None);
        }
    }
}
