//! What the host provides: the step's context and the services behind it.

use super::{DLTensor, gw_error, gw_str, gw_tensor};
use core::ffi::c_void;

/// The call under way, opaque. Dies with the call.
#[repr(C)]
pub struct gw_context {
    _opaque: [u8; 0],
}

/// The host. Valid from `init` to `deinit`.
#[repr(C)]
pub struct gw_host {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// `GW_ABI_MAJOR` of the host.
    pub abi_major: u32,
    /// `GW_ABI_MINOR` of the host.
    pub abi_minor: u32,
    /// Name and version, `guesswork 0.1.0`.
    pub name: gw_str,
    /// The host's own.
    pub ctx: *mut c_void,
    /// A service by id (`gw.ops/1`…), or null where the host has none. The table is static.
    pub get_extension: Option<unsafe extern "C" fn(host: *const gw_host, id: gw_str) -> *const c_void>,
}

/// One call of `propose` or `observe`. Dies with the call.
#[repr(C)]
pub struct gw_step {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// Passed to every service.
    pub ctx: *mut gw_context,
    /// Step of the lane, from 0.
    pub step: u64,
    /// Site of this call in mode `layer`; `GW_ALL_SITES` in mode `model`.
    pub site: u32,
    /// Guesses to write: K, or fewer under `GW_PLAN_INDEPENDENT`.
    pub guesses: u32,
    /// Examples in the batch, B.
    pub batch: u64,
    /// Share of the run's budget that is used, 0 to 1.
    pub progress: f64,
    /// Forward equivalents left for oracles in this step.
    pub oracle_budget: f64,
    /// In `propose` of kind `signal` in mode `layer`: what `output` would give for `GW_OUT_SIGNAL` of each guess at the site.
    /// Null in other calls.
    pub signals: *const gw_tensor,
    /// In `propose` in mode `layer`: by role, what `input` would give for the site, or `GW_NO_TENSOR` where it is to be asked.
    /// Null in other calls.
    pub inputs: *const gw_tensor,
    /// Handles at `inputs`.
    pub inputs_count: u64,
}

/// Id of [`gw_tensors`]: always granted.
pub const GW_EXT_TENSORS: &str = "gw.tensors/1";
/// Id of [`gw_ops`].
pub const GW_EXT_OPS: &str = "gw.ops/1";
/// Id of [`gw_rng`].
pub const GW_EXT_RNG: &str = "gw.rng/1";
/// Id of [`gw_oracle`].
pub const GW_EXT_ORACLE: &str = "gw.oracle/1";
/// Id of [`gw_metrics`].
pub const GW_EXT_METRICS: &str = "gw.metrics/1";
/// Id of [`gw_log`].
pub const GW_EXT_LOG: &str = "gw.log/1";
/// Id of [`gw_control`].
pub const GW_EXT_CONTROL: &str = "gw.control/1";
/// Id of [`gw_scratch`].
pub const GW_EXT_SCRATCH: &str = "gw.scratch/1";

/// Finding tensors: inputs by role, outputs, persistent matrices, views, memory.
#[repr(C)]
pub struct gw_tensors {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// The input of `role` at `site` (ignored for logits, output error and labels). `index` is 0, except for the
    /// previous estimate, the previous update and the gradient: 0 weight, 1 bias. Read-only; it keeps its content until the
    /// call returns, whatever oracles are called.
    pub input: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            role: u32,
            site: u32,
            index: u32,
            out: *mut gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// The output `GW_OUT_*` at `site` for `guess` (0 to `gw_step.guesses` − 1). Must be written fully; it arrives filled with NaN where
    /// the host checks for that.
    pub output: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            output: u32,
            site: u32,
            guess: u32,
            out: *mut gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// In direction mode `seed`: the seed of V_l for `guess`.
    pub set_seed:
        Option<unsafe extern "C" fn(ctx: *mut gw_context, site: u32, guess: u32, seed: u64, err: *mut gw_error) -> i32>,
    /// Persistent matrix `index` of the plan. Writable.
    pub persistent:
        Option<unsafe extern "C" fn(ctx: *mut gw_context, index: u32, out: *mut gw_tensor, err: *mut gw_error) -> i32>,
    /// Extents of a handle.
    pub shape: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            tensor: gw_tensor,
            rows: *mut u64,
            columns: *mut u64,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// The same memory seen as `rows` × `columns`; the number of elements must agree.
    pub reshape: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            tensor: gw_tensor,
            rows: u64,
            columns: u64,
            out: *mut gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// Rows `start` to `start + count − 1` of a handle, no copy.
    pub rows: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            tensor: gw_tensor,
            start: u64,
            count: u64,
            out: *mut gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// The storage's own memory. On the CPU it may be read, and written where the handle is an output, persistent or
    /// scratch; elsewhere it is a device pointer.
    pub data: Option<
        unsafe extern "C" fn(ctx: *mut gw_context, tensor: gw_tensor, out: *mut DLTensor, err: *mut gw_error) -> i32,
    >,
}

/// Matrix operations on handles, on whatever device they live. Destinations must not overlap sources.
#[repr(C)]
pub struct gw_ops {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// `dst ← beta·dst + alpha·op(a)·op(b)`, op = transpose where the flag is 1.
    pub matmul: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            dst: gw_tensor,
            alpha: f64,
            a: gw_tensor,
            a_transposed: u32,
            b: gw_tensor,
            b_transposed: u32,
            beta: f64,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// Carries signals at the sites that follow `site` (in the order of `gw_site.following`, each shaped as that
    /// site's S) back to the pre-activation of `site`: `dst ← adjoint`, weights, masks, pooling, norms and sums over
    /// branches on the way. For the last site the source is a signal at the logits. In call mode `layer` it fails where
    /// something on the way does not exist yet. A strategy that uses it names `GW_ROLE_WEIGHT` among its needs, so that
    /// reports can say what it could know.
    pub pull_back: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            site: u32,
            signals: *const gw_tensor,
            signals_count: u64,
            dst: gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// `dst ← dst ⊙ a`.
    pub hadamard:
        Option<unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, a: gw_tensor, err: *mut gw_error) -> i32>,
    /// `dst ← dst ⊙ 1[a ≠ 0]`.
    pub keep_nonzero:
        Option<unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, a: gw_tensor, err: *mut gw_error) -> i32>,
    /// `dst ← softmax(a)` along each row.
    pub softmax:
        Option<unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, a: gw_tensor, err: *mut gw_error) -> i32>,
    /// `dst ← onehot(classes)`: `classes` is rows × 1, `dst` rows × C.
    pub one_hot: Option<
        unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, classes: gw_tensor, err: *mut gw_error) -> i32,
    >,
    /// `dst ← c`, a class drawn from each row of `probabilities`: `dst` is rows × 1. Keyed as in [`gw_rng`]: row i takes
    /// the uniform element i, and the class at which the sum of the probabilities so far first exceeds that share of all.
    pub categorical: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            dst: gw_tensor,
            probabilities: gw_tensor,
            site: u32,
            guess: u32,
            draw: u32,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// `dst ← dst + alpha·x`.
    pub axpy: Option<
        unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, alpha: f64, x: gw_tensor, err: *mut gw_error) -> i32,
    >,
    /// `dst ← alpha·dst`.
    pub scale:
        Option<unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, alpha: f64, err: *mut gw_error) -> i32>,
    /// `dst ← diag(factors)·dst`: `factors` is rows × 1.
    pub row_scale: Option<
        unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, factors: gw_tensor, err: *mut gw_error) -> i32,
    >,
    /// `out ← Σ a ⊙ b`.
    pub dot: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            a: gw_tensor,
            b: gw_tensor,
            out: *mut f64,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// `dst[i] ← Σ_j a[i, j]·b[i, j]`: `dst` is rows × 1.
    pub row_dot: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            dst: gw_tensor,
            a: gw_tensor,
            b: gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// `dst[0, j] ← Σ_i a[i, j]`: `dst` is 1 × columns.
    pub column_sum:
        Option<unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, a: gw_tensor, err: *mut gw_error) -> i32>,
    /// `dst[i, j] ← dst[i, j] + alpha·row[0, j]`: `row` is 1 × columns.
    pub add_row: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            dst: gw_tensor,
            alpha: f64,
            row: gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// `dst ← src`.
    pub copy:
        Option<unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, src: gw_tensor, err: *mut gw_error) -> i32>,
    /// `dst ← value`.
    pub fill: Option<unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, value: f64, err: *mut gw_error) -> i32>,
    /// `dst ← Q` of the thin QR factorisation of `dst` (rows ≥ columns), with R's diagonal positive.
    pub orthonormalise: Option<unsafe extern "C" fn(ctx: *mut gw_context, dst: gw_tensor, err: *mut gw_error) -> i32>,
    /// Truncated singular value decomposition: `a ≈ u·diag(s)·vᵀ`, `u` m × k, `s` 1 × k descending, `v` n × k.
    pub svd: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            a: gw_tensor,
            u: gw_tensor,
            s: gw_tensor,
            v: gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
}

/// Standard normal draws by Box–Muller.
pub const GW_DRAW_NORMAL: u32 = 0;
/// Uniform draws in (0, 1).
pub const GW_DRAW_UNIFORM: u32 = 1;
/// −1 or +1 with equal chance.
pub const GW_DRAW_RADEMACHER: u32 = 2;

/// Counter-based random numbers: Philox4x32-10. The word `i mod 4` of block `i div 4` belongs to element `i` of the
/// matrix, row-major. Key and counter:
///
/// ```text
/// m         = splitmix64(seed ^ splitmix64(instance)),  key = (m mod 2³², m div 2³²)
/// counter   = (block mod 2³², step mod 2³², site·2¹⁶ + guess, draw·2¹⁶ + (step div 2³²) mod 2¹⁶)
/// splitmix64(x): x += 9E3779B97F4A7C15; x = (x ^ x>>30)·BF58476D1CE4E5B9; x = (x ^ x>>27)·94D049BB133111EB; x ^ x>>31
/// uniform   = (word + ½)·2⁻³²
/// normal    = √(−2 ln u₀)·cos 2πu₁, √(−2 ln u₀)·sin 2πu₁ from words (0, 1), and the same from words (2, 3)
/// rademacher = +1 where the word's highest bit is 0, else −1
/// ```
///
/// `GW_ALL_SITES` counts as site 65535. Any draw is a function of (seed, instance, step, site, guess, draw).
///
/// Known answers. Philox4x32-10 of counter 0 under key 0: 6627E8D5 E169C58D BC57AC4C 9B00DBD8. With seed 1, instance 2,
/// step 3, site 4, guess 5, draw 6 (m = E06DD043328BD285) the first block and what becomes of it:
///
/// ```text
/// words      930CE49B            F588FFBE             6591EBA3             16149271
/// uniform    0.5744154815329239  0.9591216888511553   0.39675781957339495  0.08625140448566526
/// normal     1.0184553768226643  -0.26749441785717437 1.164896038451401    0.7013384639391699
/// rademacher -1                  -1                   +1                   +1
/// ```
#[repr(C)]
pub struct gw_rng {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// `dst ← scale · draws` of kind `GW_DRAW_*`.
    pub fill: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            dst: gw_tensor,
            kind: u32,
            scale: f64,
            site: u32,
            guess: u32,
            draw: u32,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// The same draws in double precision into the plugin's own memory: elements `start` to `start + count − 1`.
    pub draw: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            kind: u32,
            site: u32,
            guess: u32,
            draw: u32,
            start: u64,
            out: *mut f64,
            count: u64,
            err: *mut gw_error,
        ) -> i32,
    >,
}

/// Function values and directional derivatives at the lane's parameters, on the step's batch; metered in forward
/// equivalents. Directions are the weight directions (`GW_OUT_WEIGHT`, `GW_OUT_BIAS`) written for guess `k`.
#[repr(C)]
pub struct gw_oracle {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// `out[i] ← L(θ + t[i]·V_{guess[i]})`: one forward equivalent each.
    pub loss_at: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            guess: *const u32,
            t: *const f64,
            count: u64,
            out: *mut f64,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// `out[i] ← ⟨∇L(θ), V_{guess[i]}⟩` by the forward mode: two forward equivalents each.
    pub jvp: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            guess: *const u32,
            count: u64,
            out: *mut f64,
            err: *mut gw_error,
        ) -> i32,
    >,
    /// `dst ← Ẋ_L`, B × C: how the logits move when the activation of site l moves along `moved[l]`, shaped as the site's X, by the
    /// forward mode; `GW_NO_TENSOR` where it does not. A handle for each of `count` sites; one forward equivalent. Any kind of strategy
    /// may ask.
    pub logit_tangent: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            moved: *const gw_tensor,
            count: u64,
            dst: gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
}

/// Named scalars and small series into the run and the screen, as data.
#[repr(C)]
pub struct gw_metrics {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// One value of the metric `name` at this step.
    pub scalar: Option<unsafe extern "C" fn(ctx: *mut gw_context, name: gw_str, value: f64) -> i32>,
    /// A small series (at most 4096 values) of the metric `name` at this step.
    pub series: Option<unsafe extern "C" fn(ctx: *mut gw_context, name: gw_str, values: *const f64, count: u64) -> i32>,
}

/// Level of a message that explains a failure.
pub const GW_LOG_ERROR: u32 = 1;
/// Level of a message that the person should see.
pub const GW_LOG_WARN: u32 = 2;
/// Level of a message of ordinary interest.
pub const GW_LOG_INFO: u32 = 3;
/// Level of a message for the plugin's author.
pub const GW_LOG_DEBUG: u32 = 4;

/// Messages to the log pane and the run's log.
#[repr(C)]
pub struct gw_log {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// Writes a message. `ctx` may be null outside a call.
    pub write: Option<unsafe extern "C" fn(ctx: *mut gw_context, level: u32, text: gw_str) -> i32>,
}

/// The run's state.
#[repr(C)]
pub struct gw_control {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// 1 when the person or script wants the run to end: a long `propose` should return `GW_CANCELLED` soon.
    pub cancelled: Option<unsafe extern "C" fn(ctx: *mut gw_context) -> u32>,
}

/// Matrices for the call's own use.
#[repr(C)]
pub struct gw_scratch {
    /// Size of this record as the host knows it.
    pub struct_size: u64,
    /// A rows × columns matrix of undefined content, the plugin's until the call returns.
    pub matrix: Option<
        unsafe extern "C" fn(
            ctx: *mut gw_context,
            rows: u64,
            columns: u64,
            out: *mut gw_tensor,
            err: *mut gw_error,
        ) -> i32,
    >,
}
