//! What a plugin provides: the entry, its strategies and their parameters; what `prepare` exchanges.

use super::{gw_error, gw_host, gw_step, gw_str};
use core::ffi::c_void;

/// Name of the one symbol a plugin exports: `const gw_entry *gw_plugin_entry_v1(void)`.
pub const GW_ENTRY_SYMBOL: &str = "gw_plugin_entry_v1";

/// Type of the entry function.
pub type gw_entry_fn = unsafe extern "C" fn() -> *const gw_entry;

/// `gw_entry.flags`: built against a draft of the interface; the fingerprint must match the host's.
pub const GW_ENTRY_DRAFT: u64 = 1;

/// What the library is and how to reach its strategies. Static: valid as long as the library is mapped.
#[repr(C)]
pub struct gw_entry {
    /// Size of this record as the plugin knows it.
    pub struct_size: u64,
    /// `GW_ABI_MAJOR` of the headers the plugin was built with.
    pub abi_major: u32,
    /// `GW_ABI_MINOR` of the headers the plugin was built with.
    pub abi_minor: u32,
    /// `GW_ABI_FINGERPRINT` of the headers the plugin was built with: catches packing mistakes.
    pub fingerprint: u64,
    /// `GW_ENTRY_*`.
    pub flags: u64,
    /// What the plugin was built with, for reports: `guesswork-plugin 0.1.0 (rustc 1.95)`.
    pub sdk: gw_str,
    /// Called once before any instance is created. `host` stays valid until `deinit`.
    pub init: Option<unsafe extern "C" fn(host: *const gw_host, err: *mut gw_error) -> i32>,
    /// Called once when no instance is left.
    pub deinit: Option<unsafe extern "C" fn()>,
    /// Number of strategies.
    pub count: Option<unsafe extern "C" fn() -> u64>,
    /// Strategy `index`, or null past the end. Static.
    pub get: Option<unsafe extern "C" fn(index: u64) -> *const gw_strategy>,
    /// An optional extension of the library, by id, or null.
    pub get_extension: Option<unsafe extern "C" fn(id: gw_str) -> *const c_void>,
}

/// `gw_strategy.flags`: the same seed gives the same guess, bit for bit.
pub const GW_STRATEGY_DETERMINISTIC: u64 = 1;
/// `gw_strategy.flags`: nothing is remembered between steps; `save` and `load` may be absent.
pub const GW_STRATEGY_STATELESS: u64 = 2;
/// `gw_strategy.flags`: the guess is a linear image of isotropic noise with a covariance that the docs state.
pub const GW_STRATEGY_LINEAR: u64 = 4;
/// `gw_strategy.flags`: its scalars are meant to be differences of losses; a lane that names no source of them gets those.
pub const GW_STRATEGY_DIFFERENCES: u64 = 8;
/// `gw_strategy.flags`: its guesses are meant to be the estimate as they are; a lane that names no source of scalars takes none.
pub const GW_STRATEGY_UNSCALED: u64 = 16;

/// `gw_plan.flags`: a guess is made without looking at the others, from draws with its own number alone. The host may then ask for the
/// K guesses of a step in several calls of `propose`, a few at a time: `gw_step.guesses` says how many, numbered from 0 in every call, and
/// in the keys of their draws, which `gw_rng` and `categorical` make, it counts those of the calls before. Not with an oracle budget.
pub const GW_PLAN_INDEPENDENT: u64 = 1;

/// One strategy. Static: valid as long as the library is mapped.
#[repr(C)]
pub struct gw_strategy {
    /// Size of this record as the plugin knows it.
    pub struct_size: u64,
    /// Stable identity, `weight-transpose` or `org.example.my-guess`.
    pub id: gw_str,
    /// Name for people.
    pub name: gw_str,
    /// Version of the strategy, semantic.
    pub version: gw_str,
    /// One or two sentences.
    pub description: gw_str,
    /// One line of Unicode mathematics for the formula card.
    pub formula: gw_str,
    /// Where it comes from.
    pub citation: gw_str,
    /// SPDX expression.
    pub licence: gw_str,
    /// `GW_KIND_*`.
    pub kind: u32,
    /// Mask of supported data types, bit `GW_F32`, bit `GW_F64`.
    pub dtypes: u32,
    /// Mask of supported devices, bit `GW_CPU`…; a strategy that only uses `gw_ops` sets all.
    pub devices: u32,
    /// 0.
    pub reserved: u32,
    /// `GW_STRATEGY_*`.
    pub flags: u64,
    /// Mask of roles without which it cannot run.
    pub needs: u64,
    /// Mask of roles it uses when granted.
    pub wants: u64,
    /// Mask of services without which it cannot run.
    pub services: u64,
    /// Parameter schema.
    pub params: *const gw_param_spec,
    /// Number of parameters.
    pub params_count: u64,
    /// Bytes from one `gw_param_spec` to the next.
    pub params_stride: u64,
    /// Makes an instance; `params` holds every parameter of the schema, checked and defaulted.
    pub create: Option<
        unsafe extern "C" fn(
            strategy: *const gw_strategy,
            host: *const gw_host,
            params: *const gw_params,
            out: *mut *mut c_void,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// Ends an instance. Never fails.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Reads the model, fills in the plan (which arrives with its defaults).
    pub prepare: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            model: *const gw_model,
            plan: *mut gw_plan,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// Writes the outputs of one step (mode `model`) or of one site of a step (mode `layer`), for as many guesses as `step` says.
    pub propose: Option<unsafe extern "C" fn(instance: *mut c_void, step: *const gw_step, err: *mut gw_error) -> i32>,
    /// Optional: told what came of the guess.
    pub observe: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            step: *const gw_step,
            outcome: *const gw_outcome,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// Optional: forget everything learned since `prepare`.
    pub reset: Option<unsafe extern "C" fn(instance: *mut c_void, err: *mut gw_error) -> i32>,
    /// Optional: writes the instance's state for a checkpoint.
    pub save: Option<unsafe extern "C" fn(instance: *mut c_void, writer: *const gw_writer, err: *mut gw_error) -> i32>,
    /// Optional: restores what `save` wrote.
    pub load:
        Option<unsafe extern "C" fn(instance: *mut c_void, bytes: *const u8, len: u64, err: *mut gw_error) -> i32>,
    /// Optional: an extension of the strategy, by id, or null.
    pub get_extension: Option<unsafe extern "C" fn(id: gw_str) -> *const c_void>,
}

// Types of parameters.
/// 64-bit signed integer.
pub const GW_PARAM_INT: u32 = 1;
/// 64-bit float.
pub const GW_PARAM_FLOAT: u32 = 2;
/// 0 or 1, in `i`.
pub const GW_PARAM_BOOL: u32 = 3;
/// One of the declared choices, in `s`.
pub const GW_PARAM_CHOICE: u32 = 4;
/// Free text, in `s`.
pub const GW_PARAM_TEXT: u32 = 5;

/// One parameter of a strategy's schema. Static.
#[repr(C)]
pub struct gw_param_spec {
    /// Size of this record as the plugin knows it.
    pub struct_size: u64,
    /// Key in workspace files.
    pub key: gw_str,
    /// One sentence: what it does, its unit.
    pub doc: gw_str,
    /// `GW_PARAM_*`.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// Default of an int or bool.
    pub default_i: i64,
    /// Default of a float.
    pub default_f: f64,
    /// Default of a choice or text.
    pub default_s: gw_str,
    /// Smallest value of a number (inclusive); −∞ for none.
    pub min: f64,
    /// Largest value of a number (inclusive); +∞ for none.
    pub max: f64,
    /// The choices.
    pub choices: *const gw_str,
    /// Number of choices.
    pub choices_count: u64,
}

/// One typed value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gw_param {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// Key of the schema.
    pub key: gw_str,
    /// `GW_PARAM_*`: says which of the fields below holds the value.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// Value of an int or bool.
    pub i: i64,
    /// Value of a float.
    pub f: f64,
    /// Value of a choice or text.
    pub s: gw_str,
}

/// All parameters of an instance, in the order of the schema.
#[repr(C)]
pub struct gw_params {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// First value.
    pub values: *const gw_param,
    /// Number of values.
    pub count: u64,
    /// Bytes from one value to the next.
    pub stride: u64,
}

// Kinds of layers at a site.
/// Dense layer.
pub const GW_LAYER_LINEAR: u32 = 1;
/// Two-dimensional convolution.
pub const GW_LAYER_CONV2D: u32 = 2;
/// Normalisation with scale and shift.
pub const GW_LAYER_NORM: u32 = 3;
/// Dense layers side by side on groups of columns: the weight's columns are those of one group.
pub const GW_LAYER_GROUPED_LINEAR: u32 = 4;

/// A site: the output of a parametric layer, in execution order.
#[repr(C)]
pub struct gw_site {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// Name of the layer, `fc1` or `block0.token.fc2`.
    pub name: gw_str,
    /// `GW_LAYER_*`.
    pub layer: u32,
    /// 1 when an activation follows directly, else 0.
    pub activated: u32,
    /// Width n_l of the output.
    pub width: u64,
    /// Rows an example, P_l (dense 1, convolution positions, token mixing channels).
    pub rows_per_example: u64,
    /// Rows of the weight.
    pub weight_rows: u64,
    /// Columns of the weight: the input width n_{l-1} (convolution in·kh·kw; a norm has 1 × n).
    pub weight_columns: u64,
    /// 1 when the layer has a bias, else 0.
    pub has_bias: u32,
    /// 0.
    pub reserved: u32,
    /// Indices of the sites that follow: those reached from here without passing through another site.
    pub following: *const u32,
    /// Number of them; 0 for the last site.
    pub following_count: u64,
}

/// The model and the run as far as a strategy may know them before training. Valid during `prepare`.
#[repr(C)]
pub struct gw_model {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// First site.
    pub sites: *const gw_site,
    /// Number of sites L.
    pub site_count: u64,
    /// Bytes from one site to the next.
    pub site_stride: u64,
    /// Examples in a batch, B.
    pub batch: u64,
    /// Width of the logits, C.
    pub classes: u64,
    /// `GW_F32` or `GW_F64`.
    pub dtype: u32,
    /// `GW_CPU`, `GW_CUDA` or `GW_METAL`.
    pub device: u32,
    /// `GW_SCOPE_*` the lane runs at.
    pub scope: u32,
    /// Guesses a step, K.
    pub guesses: u32,
    /// Mask of roles granted: `needs`, and what is available of `wants`.
    pub granted: u64,
    /// Mask of services granted.
    pub services: u64,
    /// Seed of every draw of this lane.
    pub seed: u64,
    /// Instance number that separates lanes of one seed.
    pub instance: u64,
}

/// A matrix that the host keeps for the instance between steps and in checkpoints.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct gw_persistent {
    /// Size of this record as the plugin knows it.
    pub struct_size: u64,
    /// Name in checkpoints. Must stay valid until `prepare` has returned and the host has read the plan.
    pub name: gw_str,
    /// Rows.
    pub rows: u64,
    /// Columns.
    pub columns: u64,
}

/// What `prepare` decides. Arrives with the defaults given here; pointers in it must stay valid until the instance is
/// prepared again or destroyed.
#[repr(C)]
pub struct gw_plan {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// `GW_CALL_*`; default `GW_CALL_LAYER`.
    pub call_mode: u32,
    /// `GW_AT_*`, kind `signal`; default `GW_AT_PRE_ACTIVATION`.
    pub signal_at: u32,
    /// `GW_DIRECTION_*`, kind `weight`; default `GW_DIRECTION_DENSE`.
    pub direction: u32,
    /// Rank r of `GW_DIRECTION_FACTORS`; default 1.
    pub rank: u32,
    /// `GW_PLAN_*`; unknown bits among the high 32 are refused; default 0.
    pub flags: u64,
    /// Scratch elements a call may take; default 0 (more is allocated when it is asked for, and reported).
    pub scratch: u64,
    /// Persistent matrices; zero when first seen.
    pub persistent: *const gw_persistent,
    /// Number of persistent matrices.
    pub persistent_count: u64,
    /// Bytes from one to the next.
    pub persistent_stride: u64,
    /// Forward equivalents a step may spend on oracles; default 0.
    pub oracle_budget: f64,
    /// Mask of services the instance will use; must be among the granted ones; default all granted.
    pub services: u64,
}

/// What came of a step. Valid during `observe`.
#[repr(C)]
pub struct gw_outcome {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// Training loss of the batch, before the update.
    pub loss: f64,
    /// The scalars d, guess by guess: 1, L, B or L·B of them by scope; with local losses as many for each part of the
    /// model in place of 1, and for each copy of a loss.
    pub scalars: *const f64,
    /// Number of scalars.
    pub scalars_count: u64,
    /// Euclidean norm ‖ĝ‖ of the estimate.
    pub estimate_norm: f64,
}

/// Where `save` writes to.
#[repr(C)]
pub struct gw_writer {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// The host's own.
    pub ctx: *mut c_void,
    /// Appends bytes.
    pub write: Option<unsafe extern "C" fn(ctx: *mut c_void, bytes: *const u8, len: u64) -> i32>,
}
