//! A strategy in raw C terms whose `propose` is a closure of the test, as an author without the Rust layer would see the
//! host.

use super::super::info::StrategyInfo;
use super::super::library::{Initialised, describe};
use super::super::refusal::Refusal;
use guesswork_plugin::abi::layout::GW_ABI_FINGERPRINT;
use guesswork_plugin::abi::{self, *};
use std::cell::RefCell;
use std::ffi::c_void;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

type Propose = Box<dyn FnMut(&gw_step, &mut gw_error) -> i32>;
type Prepare = Box<dyn FnMut(&mut gw_plan)>;

thread_local! {
    /// What the probe does next on this thread.
    static PROPOSE: RefCell<Option<Propose>> = const { RefCell::new(None) };
    /// What the probe puts into its plan.
    static PLAN: RefCell<Prepare> = RefCell::new(Box::new(|_| {}));
}

/// Sets what `propose` does on this thread.
pub fn on_propose(action: impl FnMut(&gw_step, &mut gw_error) -> i32 + 'static) {
    PROPOSE.set(Some(Box::new(action)));
}

/// Sets what `prepare` does with the plan on this thread.
pub fn on_prepare(action: impl FnMut(&mut gw_plan) + 'static) {
    PLAN.set(Box::new(action));
}

unsafe extern "C" fn create(
    _strategy: *const gw_strategy,
    host: *const gw_host,
    _params: *const gw_params,
    out: *mut *mut c_void,
    _err: *mut gw_error,
) -> i32 {
    // SAFETY: the host's record, and a place for the instance.
    unsafe { out.write(host.cast_mut().cast()) };
    abi::GW_OK
}

unsafe extern "C" fn destroy(_instance: *mut c_void) {}

unsafe extern "C" fn prepare(_: *mut c_void, _: *const gw_model, plan: *mut gw_plan, _: *mut gw_error) -> i32 {
    // SAFETY: the host's plan.
    PLAN.with_borrow_mut(|action| action(unsafe { &mut *plan }));
    abi::GW_OK
}

unsafe extern "C" fn propose(_: *mut c_void, step: *const gw_step, err: *mut gw_error) -> i32 {
    // SAFETY: the host's step and error records.
    let (step, err) = unsafe { (&*step, &mut *err) };
    let action = PROPOSE.take();
    match action {
        Some(mut action) => {
            let status = action(step, err);
            PROPOSE.set(Some(action));
            status
        }
        None => abi::GW_OK,
    }
}

/// A strategy record that is right in every field.
pub fn strategy() -> gw_strategy {
    gw_strategy {
        struct_size: size_of::<gw_strategy>() as u64,
        id: gw_str::new("probe"),
        name: gw_str::new("Probe"),
        version: gw_str::new("1.0.0"),
        description: gw_str::EMPTY,
        formula: gw_str::new("E = ε"),
        citation: gw_str::EMPTY,
        licence: gw_str::EMPTY,
        kind: abi::GW_KIND_SIGNAL,
        dtypes: 3,
        devices: 7,
        reserved: 0,
        flags: abi::GW_STRATEGY_STATELESS,
        needs: 1 << abi::GW_ROLE_WEIGHT | 1 << abi::GW_ROLE_DERIVATIVE | 1 << abi::GW_ROLE_PRE_ACTIVATION,
        wants: 0,
        services: 1 << abi::GW_SERVICE_OPS,
        params: ptr::null(),
        params_count: 0,
        params_stride: 0,
        create: Some(create),
        destroy: Some(destroy),
        prepare: Some(prepare),
        propose: Some(propose),
        observe: None,
        reset: None,
        save: None,
        load: None,
        get_extension: None,
    }
}

thread_local! {
    static STRATEGY: RefCell<*const gw_strategy> = const { RefCell::new(ptr::null()) };
}

unsafe extern "C" fn count() -> u64 {
    1
}

unsafe extern "C" fn get(_index: u64) -> *const gw_strategy {
    STRATEGY.with_borrow(|strategy| *strategy)
}

/// An entry record that is right in every field.
pub fn entry() -> gw_entry {
    gw_entry {
        struct_size: size_of::<gw_entry>() as u64,
        abi_major: abi::GW_ABI_MAJOR,
        abi_minor: abi::GW_ABI_MINOR,
        fingerprint: GW_ABI_FINGERPRINT,
        flags: abi::GW_ENTRY_DRAFT,
        sdk: gw_str::new("probe"),
        init: None,
        deinit: None,
        count: Some(count),
        get: Some(get),
        get_extension: None,
    }
}

/// Reads an entry as the host reads a library's. The records live for ever, as a library's do.
pub fn read(entry: gw_entry, strategy: gw_strategy) -> Result<Arc<StrategyInfo>, Refusal> {
    STRATEGY.set(Box::leak(Box::new(strategy)));
    let entry: &'static gw_entry = Box::leak(Box::new(entry));
    // SAFETY: a leaked entry and its strategy.
    let mut loaded = unsafe { describe(entry, Path::new("probe.so"), &mut Initialised::new())? };
    match loaded.refused.pop() {
        Some(refused) => Err(refused.reason),
        None => Ok(loaded.strategies.remove(0)),
    }
}

/// The host's table of `id`, as a plugin finds it.
pub fn table<T>(id: &str) -> &'static T {
    let host = super::super::host::record();
    // SAFETY: the host's static record, and the table that the interface says stands behind the id.
    unsafe {
        let find = (*host).get_extension.unwrap();
        &*find(host, gw_str::new(id)).cast::<T>()
    }
}
