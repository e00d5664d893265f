//! The C records and functions that cross the boundary between the host and a strategy plugin.
//!
//! This module is the whole interface: everything else in the crate is a comfortable way to use it. It holds no
//! behaviour, only layouts, and [`layout`] proves them at compile time. `include/guesswork.h` is generated from it.
//!
//! # Rules
//!
//! * 64-bit little-endian platforms. Fixed-width integers only; no `bool`, enum, bit-field, `long` or union in a record;
//!   no padding; alignment at most 8. Strings are pointer and length, UTF-8, without a terminator. Arrays of records
//!   carry a stride.
//! * Every record but `gw_str` and DLPack's begins with `struct_size`, set by whoever writes the record. Fields are only
//!   ever appended. A reader uses a field if and only if the writer's size covers it, and never tests a size for
//!   equality or for being too large.
//! * The low 32 bits of a `flags` field may be ignored by a reader that does not know them; an unknown bit among the
//!   high 32 must be refused.
//! * Nobody frees what the other side allocated. Outputs are allocated by the host. A pointer or handle that was passed
//!   to, or obtained in, a call dies when that call returns, unless its documentation says otherwise.
//! * Functions return a status, `GW_OK` or an error code, and describe a failure in the caller's `gw_error`.
//! * An entry function must be pure: no thread, no allocation that matters, no output, the same pointer every time.
//!
//! # States and threads
//!
//! An instance goes through *loaded → initialised → created → prepared → stepping → destroyed*. A library is never
//! unmapped.
//!
//! | function | allowed when | thread |
//! |---|---|---|
//! | `gw_plugin_entry_v1` | loaded | any, once or more |
//! | `gw_entry.init` | loaded; once, before anything below | any |
//! | `gw_entry.count`, `get`, `get_extension` | initialised | any |
//! | `gw_entry.deinit` | initialised, no instance alive | any |
//! | `gw_strategy.create` | initialised | any; instances are independent |
//! | `gw_strategy.prepare` | created or prepared (again when the model or batch changes) | one call at a time an instance |
//! | `gw_strategy.propose`, `observe` | prepared | one call at a time an instance; the thread may change between calls |
//! | `gw_strategy.reset`, `save`, `load` | prepared, between steps | as above |
//! | `gw_strategy.destroy` | created or prepared; once | any |
//! | `gw_host.get_extension` | initialised | any |
//! | `gw_tensors`, `gw_ops`, `gw_rng`, `gw_scratch` functions | inside `propose` or `observe`, with that call's context | the calling thread |
//! | `gw_oracle` functions | inside `propose` in call mode `model` | the calling thread |
//! | `gw_log`, `gw_metrics`, `gw_control` functions | with a context: inside a call; `gw_log.write` also with a null context, always | any for `gw_log`, else the calling thread |
#![allow(non_camel_case_types)]

pub(crate) mod call;
mod guard;
pub mod host;
pub(crate) mod instance;
pub mod layout;
pub(crate) mod memory;
pub mod plugin;
mod records;
pub(crate) mod serve;
pub mod shim;
mod text;

pub use host::*;
pub use layout::GW_ABI_FINGERPRINT;
pub use plugin::*;

use core::ffi::c_void;

/// Major version of the interface; also in the name of the entry function.
pub const GW_ABI_MAJOR: u32 = 1;
/// Minor version of the interface: grows with every appended field, function or extension.
pub const GW_ABI_MINOR: u32 = 0;

/// Success.
pub const GW_OK: i32 = 0;
/// The plugin or host failed for a reason of its own; the text says which.
pub const GW_ERROR: i32 = 1;
/// An argument was null, out of range or of the wrong shape.
pub const GW_INVALID_ARGUMENT: i32 = 2;
/// A role, service or tensor was asked for that was not granted.
pub const GW_NOT_GRANTED: i32 = 3;
/// The combination of model, device or data type is not supported.
pub const GW_UNSUPPORTED: i32 = 4;
/// The call is not allowed in the present state.
pub const GW_WRONG_STATE: i32 = 5;
/// The plugin panicked; the instance is poisoned.
pub const GW_PANIC: i32 = 6;
/// The run was cancelled while the call was under way.
pub const GW_CANCELLED: i32 = 7;
/// A budget that the plan declared is used up.
pub const GW_BUDGET: i32 = 8;

/// A UTF-8 string: pointer and length in bytes, not terminated. Null with length 0 is the empty string.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gw_str {
    /// First byte.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: u64,
}

/// What went wrong, owned by the caller, written by the callee: 512 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gw_error {
    /// Size of this record as the caller knows it.
    pub struct_size: u64,
    /// One of the status codes.
    pub code: i32,
    /// Bytes of `text` in use.
    pub length: u32,
    /// UTF-8 text, cut at a character boundary when it does not fit.
    pub text: [u8; 496],
}

/// DLPack's device: type (1 CPU, 2 CUDA, 8 Metal) and index.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// Device type as DLPack numbers it.
    pub device_type: i32,
    /// Index of the device of that type.
    pub device_id: i32,
}

/// DLPack's data type: code (2 float), bits, lanes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// Type code: 2 is IEEE float.
    pub code: u8,
    /// Bits of one lane: 32 or 64.
    pub bits: u8,
    /// Lanes: always 1 here.
    pub lanes: u16,
}

/// DLPack's tensor, so that NumPy, PyTorch, CuPy and JAX can read one with no copy. Here always two-dimensional,
/// row-major and without gaps: rows × columns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DLTensor {
    /// Start of the storage's own memory (not a copy).
    pub data: *mut c_void,
    /// Where it lives.
    pub device: DLDevice,
    /// Number of dimensions: 2.
    pub ndim: i32,
    /// Element type.
    pub dtype: DLDataType,
    /// `ndim` extents; valid as long as the tensor.
    pub shape: *const i64,
    /// `ndim` strides in elements; valid as long as the tensor.
    pub strides: *const i64,
    /// Offset of the first element from `data` in bytes.
    pub byte_offset: u64,
}

/// A matrix of the call under way, by handle: rows × columns, row-major. 0 is no tensor.
pub type gw_tensor = u64;

/// No tensor.
pub const GW_NO_TENSOR: gw_tensor = 0;

/// Site value meaning the whole model (call mode `model`), or no particular site.
pub const GW_ALL_SITES: u32 = u32::MAX;

// Data types, also bit positions in the `dtypes` masks.
/// 32-bit float.
pub const GW_F32: u32 = 0;
/// 64-bit float.
pub const GW_F64: u32 = 1;

// Devices: bit positions in the `devices` masks.
/// Host memory.
pub const GW_CPU: u32 = 0;
/// CUDA device memory.
pub const GW_CUDA: u32 = 1;
/// Metal device memory.
pub const GW_METAL: u32 = 2;

// Kinds of strategies.
/// Writes a signal guess E_l at each site.
pub const GW_KIND_SIGNAL: u32 = 1;
/// Writes a weight direction V_l: dense, as low-rank factors or as a seed.
pub const GW_KIND_WEIGHT: u32 = 2;
/// Writes the estimate ĝ_l itself.
pub const GW_KIND_ESTIMATE: u32 = 3;
/// Moves the parameters itself by calling oracles.
pub const GW_KIND_SEARCH: u32 = 4;

// Roles of inputs: bit positions in `needs`, `wants` and `granted`.
/// Weight of a site, n_l × n_{l-1} (a convolution: out × in·kh·kw; a norm: 1 × n).
pub const GW_ROLE_WEIGHT: u32 = 0;
/// Bias of a site, 1 × n_l.
pub const GW_ROLE_BIAS: u32 = 1;
/// Input X_{l-1} of a site, (B·P) × n_{l-1} (a convolution: the im2col rows).
pub const GW_ROLE_INPUT: u32 = 2;
/// Pre-activation S_l, (B·P) × n_l.
pub const GW_ROLE_PRE_ACTIVATION: u32 = 3;
/// Activation derivative M_l = φ'(S_l), (B·P) × n_l; ones where no activation follows.
pub const GW_ROLE_DERIVATIVE: u32 = 4;
/// Activation X_l = φ(S_l) of the whole batch, (B·P) × n_l.
pub const GW_ROLE_ACTIVATION: u32 = 5;
/// Logits S_L, B × C. At a head that scores a block, its own scores.
pub const GW_ROLE_LOGITS: u32 = 6;
/// Output error p − y, B × C. At a head that scores a block, its own. Together with weights it can be turned into the gradient: see `gradient-capable`.
pub const GW_ROLE_OUTPUT_ERROR: u32 = 7;
/// Labels as a column of class indices, B × 1. Gradient-capable together with weights.
pub const GW_ROLE_LABELS: u32 = 8;
/// The estimate of the step before, as the weight (index 0) or bias (index 1) of a site; zeros at step 0.
pub const GW_ROLE_PREVIOUS_ESTIMATE: u32 = 9;
/// The update θ_k − θ_{k-1} of the step before, as the weight (index 0) or bias (index 1) of a site.
pub const GW_ROLE_PREVIOUS_UPDATE: u32 = 10;
/// The exact gradient of a site: only in a run marked as a diagnostic.
pub const GW_ROLE_GRADIENT: u32 = 11;
/// One more than the last role this version knows.
pub const GW_ROLE_COUNT: u32 = 12;

// Outputs.
/// Signal guess E_l, (B·P) × n_l: of the pre-activation.
pub const GW_OUT_SIGNAL: u32 = 0;
/// Dense weight direction V_l, shaped as the weight.
pub const GW_OUT_WEIGHT: u32 = 1;
/// Bias part of a weight direction, 1 × n_l.
pub const GW_OUT_BIAS: u32 = 2;
/// Left factor of V_l = U Rᵀ: n_l × r.
pub const GW_OUT_LEFT: u32 = 3;
/// Right factor of V_l = U Rᵀ: n_{l-1} × r.
pub const GW_OUT_RIGHT: u32 = 4;
/// Estimate of the weight's gradient, shaped as the weight.
pub const GW_OUT_ESTIMATE_WEIGHT: u32 = 5;
/// Estimate of the bias' gradient, 1 × n_l.
pub const GW_OUT_ESTIMATE_BIAS: u32 = 6;

// How a signal guess is given: `gw_plan.signal_at`.
/// E_l is written at the pre-activation, mask included.
pub const GW_AT_PRE_ACTIVATION: u32 = 0;
/// The guess is written at the activation X_l; the host multiplies it by M_l.
pub const GW_AT_ACTIVATION: u32 = 1;

// How a weight direction is given: `gw_plan.direction`.
/// Dense weight and bias parts.
pub const GW_DIRECTION_DENSE: u32 = 0;
/// Low-rank factors (and a dense bias part).
pub const GW_DIRECTION_FACTORS: u32 = 1;
/// A seed: the host draws V_l ~ N(0, I) itself, at no cost in memory.
pub const GW_DIRECTION_SEED: u32 = 2;

// Call modes: `gw_plan.call_mode`.
/// `propose` is called for site l as soon as S_l and its activation exist.
pub const GW_CALL_LAYER: u32 = 0;
/// `propose` is called once, after the whole forward pass; for a few guesses at a time under `GW_PLAN_INDEPENDENT`.
pub const GW_CALL_MODEL: u32 = 1;

// Services: bit positions in `gw_strategy.services` and `gw_plan.services`.
/// `gw.ops/1`.
pub const GW_SERVICE_OPS: u32 = 0;
/// `gw.rng/1`.
pub const GW_SERVICE_RNG: u32 = 1;
/// `gw.oracle/1`.
pub const GW_SERVICE_ORACLE: u32 = 2;
/// `gw.metrics/1`.
pub const GW_SERVICE_METRICS: u32 = 3;
/// `gw.log/1`.
pub const GW_SERVICE_LOG: u32 = 4;
/// `gw.control/1`: cancelled.
pub const GW_SERVICE_CONTROL: u32 = 5;
/// `gw.scratch/1`: scratch matrices.
pub const GW_SERVICE_SCRATCH: u32 = 6;
/// One more than the last service this version knows.
pub const GW_SERVICE_COUNT: u32 = 7;

// Scopes of the scalar, as the host runs them.
/// One scalar for the batch.
pub const GW_SCOPE_BATCH: u32 = 0;
/// One scalar a layer.
pub const GW_SCOPE_LAYER: u32 = 1;
/// One scalar an example.
pub const GW_SCOPE_EXAMPLE: u32 = 2;
/// One scalar an example and layer.
pub const GW_SCOPE_EXAMPLE_LAYER: u32 = 3;
