//! What a library learns of this host: one static record, and the service tables behind it.
#![allow(unsafe_code)]

use super::services::{log, metrics, ops, oracle, rng, scratch, tensors};
use guesswork_plugin::abi::{self, gw_host, gw_str};
use std::ffi::c_void;
use std::ptr;

/// Name and version of this host.
const NAME: &str = concat!("guesswork ", env!("CARGO_PKG_VERSION"));

struct Static(gw_host);

// SAFETY: never written; its pointers are null or lead to static text.
unsafe impl Sync for Static {}

static HOST: Static = Static(gw_host {
    struct_size: size_of::<gw_host>() as u64,
    abi_major: abi::GW_ABI_MAJOR,
    abi_minor: abi::GW_ABI_MINOR,
    name: gw_str { ptr: NAME.as_ptr(), len: NAME.len() as u64 },
    ctx: ptr::null_mut(),
    get_extension: Some(extension),
});

/// The record, valid as long as the process.
pub(super) fn record() -> *const gw_host {
    &HOST.0
}

unsafe extern "C" fn extension(_host: *const gw_host, id: gw_str) -> *const c_void {
    // SAFETY: the interface: a string.
    let Ok(id) = (unsafe { super::read::string(id, "the id") }) else { return ptr::null() };
    match id.as_str() {
        abi::GW_EXT_TENSORS => ptr::from_ref(&tensors::TABLE).cast(),
        abi::GW_EXT_OPS => ptr::from_ref(&ops::TABLE).cast(),
        abi::GW_EXT_RNG => ptr::from_ref(&rng::TABLE).cast(),
        abi::GW_EXT_ORACLE => ptr::from_ref(&oracle::TABLE).cast(),
        abi::GW_EXT_METRICS => ptr::from_ref(&metrics::TABLE).cast(),
        abi::GW_EXT_LOG => ptr::from_ref(&log::LOG).cast(),
        abi::GW_EXT_CONTROL => ptr::from_ref(&log::CONTROL).cast(),
        abi::GW_EXT_SCRATCH => ptr::from_ref(&scratch::TABLE).cast(),
        _ => ptr::null(),
    }
}
