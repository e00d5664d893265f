//! From the C interface to the trait: the tables of a library and the functions behind them.
//!
//! Every entry checks its pointers, catches panics and describes failures in the caller's record; after a panic the
//! instance is poisoned and answers every later call with the first panic's message. Authors do not call this module:
//! [`export!`](crate::export) does.

#![allow(unsafe_code)]

use super::call::{Tables, covered};
use super::guard::{guard, report};
use super::records::{Kept, read_model, read_params, read_step, short, write_plan};
use super::*;
use crate::error::{Error, Result};
use crate::info::Flag;
use crate::model::{Model, Plan};
use crate::param::Param;
use crate::strategy::{Outcome, Strategy};
use crate::values;
use std::cell::RefCell;
use std::{panic, ptr, slice};

/// The strategies of one library and its entry record. Made once and never freed.
pub struct Library {
    entry: gw_entry,
    strategies: Vec<gw_strategy>,
}

// SAFETY: the tables are never written after they are made, and point to static data only.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// How the functions of an entry find their library: implemented by [`export!`](crate::export).
pub trait Exported: 'static {
    /// The library's tables, always the same.
    fn library() -> &'static Library;
}

impl Library {
    /// The tables of a library that `L` stands for.
    pub fn new<L: Exported>(strategies: Vec<gw_strategy>) -> Self {
        let entry = gw_entry {
            struct_size: size_of::<gw_entry>() as u64,
            abi_major: GW_ABI_MAJOR,
            abi_minor: GW_ABI_MINOR,
            fingerprint: GW_ABI_FINGERPRINT,
            flags: GW_ENTRY_DRAFT,
            sdk: gw_str::new(concat!("guesswork-plugin ", env!("CARGO_PKG_VERSION"))),
            init: Some(init),
            deinit: Some(deinit),
            count: Some(count::<L>),
            get: Some(get::<L>),
            get_extension: Some(get_extension),
        };
        Self { entry, strategies }
    }

    /// The entry record.
    pub fn entry(&'static self) -> *const gw_entry {
        &self.entry
    }
}

unsafe extern "C" fn init(_: *const gw_host, _: *mut gw_error) -> i32 {
    GW_OK
}

unsafe extern "C" fn deinit() {}

unsafe extern "C" fn get_extension(_: gw_str) -> *const c_void {
    ptr::null()
}

unsafe extern "C" fn count<L: Exported>() -> u64 {
    panic::catch_unwind(|| L::library().strategies.len() as u64).unwrap_or(0)
}

unsafe extern "C" fn get<L: Exported>(index: u64) -> *const gw_strategy {
    let found =
        panic::catch_unwind(|| usize::try_from(index).ok().and_then(|index| L::library().strategies.get(index)));
    found.ok().flatten().map_or(ptr::null(), ptr::from_ref)
}

/// The record of a strategy, with its parameter schema, which is never freed.
pub fn describe<S: Strategy>() -> gw_strategy {
    let (info, params) = (S::INFO, S::PARAMS);
    let specs: &'static [gw_param_spec] = params.iter().map(specify).collect::<Vec<_>>().leak();
    let remembers = info.flags & Flag::Stateless as u64 == 0;
    gw_strategy {
        struct_size: size_of::<gw_strategy>() as u64,
        id: gw_str::new(info.id),
        name: gw_str::new(info.name),
        version: gw_str::new(info.version),
        description: gw_str::new(info.description),
        formula: gw_str::new(info.formula),
        citation: gw_str::new(info.citation),
        licence: gw_str::new(info.licence),
        kind: info.kind as u32,
        dtypes: info.dtypes,
        devices: info.devices,
        reserved: 0,
        flags: info.flags,
        needs: info.needs,
        wants: info.wants,
        services: info.services,
        params: specs.as_ptr(),
        params_count: specs.len() as u64,
        params_stride: size_of::<gw_param_spec>() as u64,
        create: Some(create::<S>),
        destroy: Some(destroy::<S>),
        prepare: Some(prepare::<S>),
        propose: Some(propose::<S>),
        observe: Some(observe::<S>),
        reset: Some(reset::<S>),
        save: if remembers { Some(save::<S>) } else { None },
        load: if remembers { Some(load::<S>) } else { None },
        get_extension: Some(get_extension),
    }
}

fn specify(param: &Param) -> gw_param_spec {
    let choices: &'static [gw_str] = param.choices.iter().map(|choice| gw_str::new(choice)).collect::<Vec<_>>().leak();
    gw_param_spec {
        struct_size: size_of::<gw_param_spec>() as u64,
        key: gw_str::new(param.key),
        doc: gw_str::new(param.doc),
        kind: param.kind,
        reserved: 0,
        default_i: param.int,
        default_f: param.float,
        default_s: gw_str::new(param.text),
        min: param.min,
        max: param.max,
        choices: choices.as_ptr(),
        choices_count: choices.len() as u64,
    }
}

/// An instance of `S` as the host holds it.
struct Instance<S> {
    strategy: S,
    tables: Tables,
    model: Option<Model>,
    plan: Kept,
    poison: Option<String>,
    /// What the host fills when a service fails.
    error: RefCell<gw_error>,
}

/// Runs `f` on the instance behind `pointer`, unless it is null or poisoned; poisons it when `f` panics.
///
/// # Safety
/// `pointer` is null or an instance that `create::<S>` made and nobody else uses now; `err` as for [`report`].
unsafe fn enter<S: Strategy>(
    pointer: *mut c_void,
    err: *mut gw_error,
    f: impl FnOnce(&mut Instance<S>) -> Result,
) -> i32 {
    // SAFETY: the caller's promise.
    let Some(instance) = (unsafe { pointer.cast::<Instance<S>>().as_mut() }) else {
        // SAFETY: the caller's promise.
        return unsafe { report(err, &Error::invalid("the instance is null")) };
    };
    let result = match &instance.poison {
        Some(text) => Err(Error::with_code(GW_PANIC, text.as_str())),
        None => guard(|| f(instance)).unwrap_or_else(|text| {
            let text = format!("{} {text}; the instance cannot be used any more", S::INFO.id);
            instance.poison = Some(text.clone());
            Err(Error::with_code(GW_PANIC, text))
        }),
    };
    match result {
        Ok(()) => GW_OK,
        // SAFETY: the caller's promise.
        Err(error) => unsafe { report(err, &error) },
    }
}

unsafe extern "C" fn create<S: Strategy>(
    _: *const gw_strategy,
    host: *const gw_host,
    params: *const gw_params,
    out: *mut *mut c_void,
    err: *mut gw_error,
) -> i32 {
    let made = guard(|| -> Result<*mut c_void> {
        if out.is_null() {
            return Err(Error::invalid("the place for the instance is null"));
        }
        // SAFETY: host and parameters are the caller's, valid during this call.
        let (tables, values) = unsafe { (Tables::find(host), read_params(params)?) };
        let strategy = S::create(values::deserialise(&values)?)?;
        let instance = Instance {
            strategy,
            tables,
            model: None,
            plan: Kept::default(),
            poison: None,
            error: RefCell::new(gw_error::empty()),
        };
        Ok(Box::into_raw(Box::new(instance)).cast())
    });
    let made = made.unwrap_or_else(|text| Err(Error::with_code(GW_PANIC, format!("{} {text}", S::INFO.id))));
    match made {
        Ok(instance) => {
            // SAFETY: checked above; the caller's place for a pointer.
            unsafe { out.write(instance) };
            GW_OK
        }
        // SAFETY: the caller's record.
        Err(error) => unsafe { report(err, &error) },
    }
}

unsafe extern "C" fn destroy<S: Strategy>(instance: *mut c_void) {
    if !instance.is_null() {
        // SAFETY: made by `create`, and not used after this call.
        let instance = unsafe { Box::from_raw(instance.cast::<Instance<S>>()) };
        let tables = instance.tables;
        if let Err(text) = guard(|| drop(instance)) {
            tables.log(GW_LOG_ERROR, &format!("{} {text}, while it was destroyed", S::INFO.id));
        }
    }
}

unsafe extern "C" fn prepare<S: Strategy>(
    instance: *mut c_void,
    model: *const gw_model,
    plan: *mut gw_plan,
    err: *mut gw_error,
) -> i32 {
    // SAFETY: the host passes what it got from `create`, one call at a time, and records valid during this call.
    unsafe {
        enter::<S>(instance, err, |instance| {
            instance.model = None;
            let model = read_model(model)?;
            let mut wanted = Plan::default();
            instance.strategy.prepare(&model, &mut wanted)?;
            write_plan(&wanted, plan, &mut instance.plan)?;
            instance.model = Some(model);
            Ok(())
        })
    }
}

unsafe extern "C" fn propose<S: Strategy>(instance: *mut c_void, step: *const gw_step, err: *mut gw_error) -> i32 {
    // SAFETY: the host passes what it got from `create`, one call at a time, and a step valid during this call.
    unsafe {
        enter::<S>(instance, err, |instance| {
            let model = instance.model.as_ref().ok_or_else(unprepared)?;
            let mut step = read_step(step, &instance.tables, &instance.error, model)?;
            instance.strategy.propose(&mut step)
        })
    }
}

unsafe extern "C" fn observe<S: Strategy>(
    instance: *mut c_void,
    step: *const gw_step,
    outcome: *const gw_outcome,
    err: *mut gw_error,
) -> i32 {
    // SAFETY: as in `propose`; the outcome is valid during this call.
    unsafe {
        enter::<S>(instance, err, |instance| {
            let model = instance.model.as_ref().ok_or_else(unprepared)?;
            let mut step = read_step(step, &instance.tables, &instance.error, model)?;
            let scalars = match (covered!(outcome, gw_outcome, scalars), covered!(outcome, gw_outcome, scalars_count)) {
                (Some(scalars), Some(count)) if !scalars.is_null() => slice::from_raw_parts(scalars, count as usize),
                _ => &[],
            };
            let loss = covered!(outcome, gw_outcome, loss).ok_or_else(|| short("gw_outcome"))?;
            let estimate_norm = covered!(outcome, gw_outcome, estimate_norm).unwrap_or(f64::NAN);
            instance.strategy.observe(&mut step, &Outcome { loss, scalars, estimate_norm })
        })
    }
}

unsafe extern "C" fn reset<S: Strategy>(instance: *mut c_void, err: *mut gw_error) -> i32 {
    // SAFETY: the host passes what it got from `create`, one call at a time.
    unsafe { enter::<S>(instance, err, |instance| instance.strategy.reset()) }
}

unsafe extern "C" fn save<S: Strategy>(instance: *mut c_void, writer: *const gw_writer, err: *mut gw_error) -> i32 {
    // SAFETY: the host passes what it got from `create`, one call at a time, and a writer valid during this call.
    unsafe {
        enter::<S>(instance, err, |instance| {
            let (Some(ctx), Some(Some(write))) = (covered!(writer, gw_writer, ctx), covered!(writer, gw_writer, write))
            else {
                return Err(short("gw_writer"));
            };
            let bytes = instance.strategy.save()?;
            match write(ctx, bytes.as_ptr(), bytes.len() as u64) {
                GW_OK => Ok(()),
                code => Err(Error::with_code(code, "the host could not write the state")),
            }
        })
    }
}

unsafe extern "C" fn load<S: Strategy>(instance: *mut c_void, bytes: *const u8, len: u64, err: *mut gw_error) -> i32 {
    // SAFETY: the host passes what it got from `create`, one call at a time, and `len` readable bytes.
    unsafe {
        enter::<S>(instance, err, |instance| {
            let bytes = match len {
                0 => &[],
                _ if bytes.is_null() => return Err(Error::invalid("the state is null")),
                _ => slice::from_raw_parts(bytes, len as usize),
            };
            instance.strategy.load(bytes)
        })
    }
}

fn unprepared() -> Error {
    Error::with_code(GW_WRONG_STATE, "the instance is not prepared: call `prepare` first")
}
