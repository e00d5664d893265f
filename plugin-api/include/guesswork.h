// guesswork.h: the interface between Guesswork and its strategy plugins, version 1.0-draft.
//
// A strategy is a way to guess the gradient of a network. A plugin is a dynamic library with one or more of them. It
// exports one function, `gw_plugin_entry_v1`, declared at the end of this file: it returns a static `gw_entry`, which
// leads to the `gw_strategy` records, whose functions the host calls:
//
//     create → prepare (reads gw_model, fills in gw_plan) → propose at every step → destroy
//
// In `propose` a strategy asks `gw_tensors` for its inputs and outputs and works on them with `gw_ops` and `gw_rng`, on
// whatever device they live, or through their own memory (`gw_tensors.data`). A complete plugin in C is in
// plugins/examples/c; in Rust the crate `guesswork-plugin` does all of this safely.
//
// Notation: batches are row-major; B examples, P_l rows an example at layer l, n_l its width; X_{l-1} its input, W_l its
// weight, S_l = X_{l-1} W_lᵀ + b_l its pre-activation, X_l = φ(S_l), M_l = φ'(S_l); L the last layer, S_L the logits.
// A site is the output of a layer with parameters; sites count from 0 in the order of execution.
//
// This file is generated from plugin-api/src/abi. Do not edit it.
//
// Rules
//
// * 64-bit little-endian platforms. Fixed-width integers only; no `bool`, enum, bit-field, `long` or union in a record;
//   no padding; alignment at most 8. Strings are pointer and length, UTF-8, without a terminator. Arrays of records
//   carry a stride.
// * Every record but `gw_str` and DLPack's begins with `struct_size`, set by whoever writes the record. Fields are only
//   ever appended. A reader uses a field if and only if the writer's size covers it, and never tests a size for
//   equality or for being too large.
// * The low 32 bits of a `flags` field may be ignored by a reader that does not know them; an unknown bit among the
//   high 32 must be refused.
// * Nobody frees what the other side allocated. Outputs are allocated by the host. A pointer or handle that was passed
//   to, or obtained in, a call dies when that call returns, unless its documentation says otherwise.
// * Functions return a status, `GW_OK` or an error code, and describe a failure in the caller's `gw_error`.
// * An entry function must be pure: no thread, no allocation that matters, no output, the same pointer every time.
//
// States and threads
//
// An instance goes through *loaded → initialised → created → prepared → stepping → destroyed*. A library is never
// unmapped.
//
//   `gw_plugin_entry_v1`
//       when: loaded
//       thread: any, once or more
//   `gw_entry.init`
//       when: loaded; once, before anything below
//       thread: any
//   `gw_entry.count`, `get`, `get_extension`
//       when: initialised
//       thread: any
//   `gw_entry.deinit`
//       when: initialised, no instance alive
//       thread: any
//   `gw_strategy.create`
//       when: initialised
//       thread: any; instances are independent
//   `gw_strategy.prepare`
//       when: created or prepared (again when the model or batch changes)
//       thread: one call at a time an instance
//   `gw_strategy.propose`, `observe`
//       when: prepared
//       thread: one call at a time an instance; the thread may change between calls
//   `gw_strategy.reset`, `save`, `load`
//       when: prepared, between steps
//       thread: as above
//   `gw_strategy.destroy`
//       when: created or prepared; once
//       thread: any
//   `gw_host.get_extension`
//       when: initialised
//       thread: any
//   `gw_tensors`, `gw_ops`, `gw_rng`, `gw_scratch` functions
//       when: inside `propose` or `observe`, with that call's context
//       thread: the calling thread
//   `gw_oracle` functions
//       when: inside `propose` in call mode `model`
//       thread: the calling thread
//   `gw_log`, `gw_metrics`, `gw_control` functions
//       when: with a context: inside a call; `gw_log.write` also with a null context, always
//       thread: any for `gw_log`, else the calling thread

#ifndef GUESSWORK_H
#define GUESSWORK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The call under way, opaque. Dies with the call.
typedef struct gw_context gw_context;

// Fingerprint of the layout: the host compares it.
#define GW_ABI_FINGERPRINT UINT64_C(0x610EB1A3D79D3817)

// Name of the one symbol a plugin exports: `const gw_entry *gw_plugin_entry_v1(void)`.
#define GW_ENTRY_SYMBOL "gw_plugin_entry_v1"

// Id of `gw_tensors`: always granted.
#define GW_EXT_TENSORS "gw.tensors/1"

// Id of `gw_ops`.
#define GW_EXT_OPS "gw.ops/1"

// Id of `gw_rng`.
#define GW_EXT_RNG "gw.rng/1"

// Id of `gw_oracle`.
#define GW_EXT_ORACLE "gw.oracle/1"

// Id of `gw_metrics`.
#define GW_EXT_METRICS "gw.metrics/1"

// Id of `gw_log`.
#define GW_EXT_LOG "gw.log/1"

// Id of `gw_control`.
#define GW_EXT_CONTROL "gw.control/1"

// Id of `gw_scratch`.
#define GW_EXT_SCRATCH "gw.scratch/1"


// Major version of the interface; also in the name of the entry function.
#define GW_ABI_MAJOR 1

// Minor version of the interface: grows with every appended field, function or extension.
#define GW_ABI_MINOR 0

// Success.
#define GW_OK 0

// The plugin or host failed for a reason of its own; the text says which.
#define GW_ERROR 1

// An argument was null, out of range or of the wrong shape.
#define GW_INVALID_ARGUMENT 2

// A role, service or tensor was asked for that was not granted.
#define GW_NOT_GRANTED 3

// The combination of model, device or data type is not supported.
#define GW_UNSUPPORTED 4

// The call is not allowed in the present state.
#define GW_WRONG_STATE 5

// The plugin panicked; the instance is poisoned.
#define GW_PANIC 6

// The run was cancelled while the call was under way.
#define GW_CANCELLED 7

// A budget that the plan declared is used up.
#define GW_BUDGET 8

// Site value meaning the whole model (call mode `model`), or no particular site.
#define GW_ALL_SITES UINT32_MAX

// Data types, also bit positions in the `dtypes` masks. ---------------------------------------------------------------

// 32-bit float.
#define GW_F32 0

// 64-bit float.
#define GW_F64 1

// Devices: bit positions in the `devices` masks. ----------------------------------------------------------------------

// Host memory.
#define GW_CPU 0

// CUDA device memory.
#define GW_CUDA 1

// Metal device memory.
#define GW_METAL 2

// Kinds of strategies. ------------------------------------------------------------------------------------------------

// Writes a signal guess E_l at each site.
#define GW_KIND_SIGNAL 1

// Writes a weight direction V_l: dense, as low-rank factors or as a seed.
#define GW_KIND_WEIGHT 2

// Writes the estimate ĝ_l itself.
#define GW_KIND_ESTIMATE 3

// Moves the parameters itself by calling oracles.
#define GW_KIND_SEARCH 4

// Roles of inputs: bit positions in `needs`, `wants` and `granted`. ---------------------------------------------------

// Weight of a site, n_l × n_{l-1} (a convolution: out × in·kh·kw; a norm: 1 × n).
#define GW_ROLE_WEIGHT 0

// Bias of a site, 1 × n_l.
#define GW_ROLE_BIAS 1

// Input X_{l-1} of a site, (B·P) × n_{l-1} (a convolution: the im2col rows).
#define GW_ROLE_INPUT 2

// Pre-activation S_l, (B·P) × n_l.
#define GW_ROLE_PRE_ACTIVATION 3

// Activation derivative M_l = φ'(S_l), (B·P) × n_l; ones where no activation follows.
#define GW_ROLE_DERIVATIVE 4

// Activation X_l = φ(S_l) of the whole batch, (B·P) × n_l.
#define GW_ROLE_ACTIVATION 5

// Logits S_L, B × C. At a head that scores a block, its own scores.
#define GW_ROLE_LOGITS 6

// Output error p − y, B × C. At a head that scores a block, its own. Together with weights it can be turned into the gradient: see `gradient-capable`.
#define GW_ROLE_OUTPUT_ERROR 7

// Labels as a column of class indices, B × 1. Gradient-capable together with weights.
#define GW_ROLE_LABELS 8

// The estimate of the step before, as the weight (index 0) or bias (index 1) of a site; zeros at step 0.
#define GW_ROLE_PREVIOUS_ESTIMATE 9

// The update θ_k − θ_{k-1} of the step before, as the weight (index 0) or bias (index 1) of a site.
#define GW_ROLE_PREVIOUS_UPDATE 10

// The exact gradient of a site: only in a run marked as a diagnostic.
#define GW_ROLE_GRADIENT 11

// One more than the last role this version knows.
#define GW_ROLE_COUNT 12

// Outputs. ------------------------------------------------------------------------------------------------------------

// Signal guess E_l, (B·P) × n_l: of the pre-activation.
#define GW_OUT_SIGNAL 0

// Dense weight direction V_l, shaped as the weight.
#define GW_OUT_WEIGHT 1

// Bias part of a weight direction, 1 × n_l.
#define GW_OUT_BIAS 2

// Left factor of V_l = U Rᵀ: n_l × r.
#define GW_OUT_LEFT 3

// Right factor of V_l = U Rᵀ: n_{l-1} × r.
#define GW_OUT_RIGHT 4

// Estimate of the weight's gradient, shaped as the weight.
#define GW_OUT_ESTIMATE_WEIGHT 5

// Estimate of the bias' gradient, 1 × n_l.
#define GW_OUT_ESTIMATE_BIAS 6

// How a signal guess is given: `gw_plan.signal_at`. -------------------------------------------------------------------

// E_l is written at the pre-activation, mask included.
#define GW_AT_PRE_ACTIVATION 0

// The guess is written at the activation X_l; the host multiplies it by M_l.
#define GW_AT_ACTIVATION 1

// How a weight direction is given: `gw_plan.direction`. ---------------------------------------------------------------

// Dense weight and bias parts.
#define GW_DIRECTION_DENSE 0

// Low-rank factors (and a dense bias part).
#define GW_DIRECTION_FACTORS 1

// A seed: the host draws V_l ~ N(0, I) itself, at no cost in memory.
#define GW_DIRECTION_SEED 2

// Call modes: `gw_plan.call_mode`. ------------------------------------------------------------------------------------

// `propose` is called for site l as soon as S_l and its activation exist.
#define GW_CALL_LAYER 0

// `propose` is called once, after the whole forward pass; for a few guesses at a time under `GW_PLAN_INDEPENDENT`.
#define GW_CALL_MODEL 1

// Services: bit positions in `gw_strategy.services` and `gw_plan.services`. -------------------------------------------

// `gw.ops/1`.
#define GW_SERVICE_OPS 0

// `gw.rng/1`.
#define GW_SERVICE_RNG 1

// `gw.oracle/1`.
#define GW_SERVICE_ORACLE 2

// `gw.metrics/1`.
#define GW_SERVICE_METRICS 3

// `gw.log/1`.
#define GW_SERVICE_LOG 4

// `gw.control/1`: cancelled.
#define GW_SERVICE_CONTROL 5

// `gw.scratch/1`: scratch matrices.
#define GW_SERVICE_SCRATCH 6

// One more than the last service this version knows.
#define GW_SERVICE_COUNT 7

// Scopes of the scalar, as the host runs them. ------------------------------------------------------------------------

// One scalar for the batch.
#define GW_SCOPE_BATCH 0

// One scalar a layer.
#define GW_SCOPE_LAYER 1

// One scalar an example.
#define GW_SCOPE_EXAMPLE 2

// One scalar an example and layer.
#define GW_SCOPE_EXAMPLE_LAYER 3

// Standard normal draws by Box–Muller.
#define GW_DRAW_NORMAL 0

// Uniform draws in (0, 1).
#define GW_DRAW_UNIFORM 1

// −1 or +1 with equal chance.
#define GW_DRAW_RADEMACHER 2

// Level of a message that explains a failure.
#define GW_LOG_ERROR 1

// Level of a message that the person should see.
#define GW_LOG_WARN 2

// Level of a message of ordinary interest.
#define GW_LOG_INFO 3

// Level of a message for the plugin's author.
#define GW_LOG_DEBUG 4

// `gw_entry.flags`: built against a draft of the interface; the fingerprint must match the host's.
#define GW_ENTRY_DRAFT 1

// `gw_strategy.flags`: the same seed gives the same guess, bit for bit.
#define GW_STRATEGY_DETERMINISTIC 1

// `gw_strategy.flags`: nothing is remembered between steps; `save` and `load` may be absent.
#define GW_STRATEGY_STATELESS 2

// `gw_strategy.flags`: the guess is a linear image of isotropic noise with a covariance that the docs state.
#define GW_STRATEGY_LINEAR 4

// `gw_strategy.flags`: its scalars are meant to be differences of losses; a lane that names no source of them gets those.
#define GW_STRATEGY_DIFFERENCES 8

// `gw_strategy.flags`: its guesses are meant to be the estimate as they are; a lane that names no source of scalars takes none.
#define GW_STRATEGY_UNSCALED 16

// `gw_plan.flags`: a guess is made without looking at the others, from draws with its own number alone. The host may then ask for the
// K guesses of a step in several calls of `propose`, a few at a time: `gw_step.guesses` says how many, numbered from 0 in every call, and
// in the keys of their draws, which `gw_rng` and `categorical` make, it counts those of the calls before. Not with an oracle budget.
#define GW_PLAN_INDEPENDENT 1

// Types of parameters. ------------------------------------------------------------------------------------------------

// 64-bit signed integer.
#define GW_PARAM_INT 1

// 64-bit float.
#define GW_PARAM_FLOAT 2

// 0 or 1, in `i`.
#define GW_PARAM_BOOL 3

// One of the declared choices, in `s`.
#define GW_PARAM_CHOICE 4

// Free text, in `s`.
#define GW_PARAM_TEXT 5

// Kinds of layers at a site. ------------------------------------------------------------------------------------------

// Dense layer.
#define GW_LAYER_LINEAR 1

// Two-dimensional convolution.
#define GW_LAYER_CONV2D 2

// Normalisation with scale and shift.
#define GW_LAYER_NORM 3

// Dense layers side by side on groups of columns: the weight's columns are those of one group.
#define GW_LAYER_GROUPED_LINEAR 4

// A matrix of the call under way, by handle: rows × columns, row-major. 0 is no tensor.
typedef uint64_t gw_tensor;

// A UTF-8 string: pointer and length in bytes, not terminated. Null with length 0 is the empty string.
typedef struct gw_str {
    // First byte.
    const uint8_t *ptr;
    // Length in bytes.
    uint64_t len;
} gw_str;

// The host. Valid from `init` to `deinit`.
typedef struct gw_host {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // `GW_ABI_MAJOR` of the host.
    uint32_t abi_major;
    // `GW_ABI_MINOR` of the host.
    uint32_t abi_minor;
    // Name and version, `guesswork 0.1.0`.
    struct gw_str name;
    // The host's own.
    void *ctx;
    // A service by id (`gw.ops/1`…), or null where the host has none. The table is static.
    const void *(*get_extension)(const struct gw_host *host, struct gw_str id);
} gw_host;

// What went wrong, owned by the caller, written by the callee: 512 bytes.
typedef struct gw_error {
    // Size of this record as the caller knows it.
    uint64_t struct_size;
    // One of the status codes.
    int32_t code;
    // Bytes of `text` in use.
    uint32_t length;
    // UTF-8 text, cut at a character boundary when it does not fit.
    uint8_t text[496];
} gw_error;

// One parameter of a strategy's schema. Static.
typedef struct gw_param_spec {
    // Size of this record as the plugin knows it.
    uint64_t struct_size;
    // Key in workspace files.
    struct gw_str key;
    // One sentence: what it does, its unit.
    struct gw_str doc;
    // `GW_PARAM_*`.
    uint32_t kind;
    // 0.
    uint32_t reserved;
    // Default of an int or bool.
    int64_t default_i;
    // Default of a float.
    double default_f;
    // Default of a choice or text.
    struct gw_str default_s;
    // Smallest value of a number (inclusive); −∞ for none.
    double min;
    // Largest value of a number (inclusive); +∞ for none.
    double max;
    // The choices.
    const struct gw_str *choices;
    // Number of choices.
    uint64_t choices_count;
} gw_param_spec;

// One typed value.
typedef struct gw_param {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // Key of the schema.
    struct gw_str key;
    // `GW_PARAM_*`: says which of the fields below holds the value.
    uint32_t kind;
    // 0.
    uint32_t reserved;
    // Value of an int or bool.
    int64_t i;
    // Value of a float.
    double f;
    // Value of a choice or text.
    struct gw_str s;
} gw_param;

// All parameters of an instance, in the order of the schema.
typedef struct gw_params {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // First value.
    const struct gw_param *values;
    // Number of values.
    uint64_t count;
    // Bytes from one value to the next.
    uint64_t stride;
} gw_params;

// A site: the output of a parametric layer, in execution order.
typedef struct gw_site {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // Name of the layer, `fc1` or `block0.token.fc2`.
    struct gw_str name;
    // `GW_LAYER_*`.
    uint32_t layer;
    // 1 when an activation follows directly, else 0.
    uint32_t activated;
    // Width n_l of the output.
    uint64_t width;
    // Rows an example, P_l (dense 1, convolution positions, token mixing channels).
    uint64_t rows_per_example;
    // Rows of the weight.
    uint64_t weight_rows;
    // Columns of the weight: the input width n_{l-1} (convolution in·kh·kw; a norm has 1 × n).
    uint64_t weight_columns;
    // 1 when the layer has a bias, else 0.
    uint32_t has_bias;
    // 0.
    uint32_t reserved;
    // Indices of the sites that follow: those reached from here without passing through another site.
    const uint32_t *following;
    // Number of them; 0 for the last site.
    uint64_t following_count;
} gw_site;

// The model and the run as far as a strategy may know them before training. Valid during `prepare`.
typedef struct gw_model {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // First site.
    const struct gw_site *sites;
    // Number of sites L.
    uint64_t site_count;
    // Bytes from one site to the next.
    uint64_t site_stride;
    // Examples in a batch, B.
    uint64_t batch;
    // Width of the logits, C.
    uint64_t classes;
    // `GW_F32` or `GW_F64`.
    uint32_t dtype;
    // `GW_CPU`, `GW_CUDA` or `GW_METAL`.
    uint32_t device;
    // `GW_SCOPE_*` the lane runs at.
    uint32_t scope;
    // Guesses a step, K.
    uint32_t guesses;
    // Mask of roles granted: `needs`, and what is available of `wants`.
    uint64_t granted;
    // Mask of services granted.
    uint64_t services;
    // Seed of every draw of this lane.
    uint64_t seed;
    // Instance number that separates lanes of one seed.
    uint64_t instance;
} gw_model;

// A matrix that the host keeps for the instance between steps and in checkpoints.
typedef struct gw_persistent {
    // Size of this record as the plugin knows it.
    uint64_t struct_size;
    // Name in checkpoints. Must stay valid until `prepare` has returned and the host has read the plan.
    struct gw_str name;
    // Rows.
    uint64_t rows;
    // Columns.
    uint64_t columns;
} gw_persistent;

// What `prepare` decides. Arrives with the defaults given here; pointers in it must stay valid until the instance is
// prepared again or destroyed.
typedef struct gw_plan {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // `GW_CALL_*`; default `GW_CALL_LAYER`.
    uint32_t call_mode;
    // `GW_AT_*`, kind `signal`; default `GW_AT_PRE_ACTIVATION`.
    uint32_t signal_at;
    // `GW_DIRECTION_*`, kind `weight`; default `GW_DIRECTION_DENSE`.
    uint32_t direction;
    // Rank r of `GW_DIRECTION_FACTORS`; default 1.
    uint32_t rank;
    // `GW_PLAN_*`; unknown bits among the high 32 are refused; default 0.
    uint64_t flags;
    // Scratch elements a call may take; default 0 (more is allocated when it is asked for, and reported).
    uint64_t scratch;
    // Persistent matrices; zero when first seen.
    const struct gw_persistent *persistent;
    // Number of persistent matrices.
    uint64_t persistent_count;
    // Bytes from one to the next.
    uint64_t persistent_stride;
    // Forward equivalents a step may spend on oracles; default 0.
    double oracle_budget;
    // Mask of services the instance will use; must be among the granted ones; default all granted.
    uint64_t services;
} gw_plan;

// One call of `propose` or `observe`. Dies with the call.
typedef struct gw_step {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // Passed to every service.
    gw_context *ctx;
    // Step of the lane, from 0.
    uint64_t step;
    // Site of this call in mode `layer`; `GW_ALL_SITES` in mode `model`.
    uint32_t site;
    // Guesses to write: K, or fewer under `GW_PLAN_INDEPENDENT`.
    uint32_t guesses;
    // Examples in the batch, B.
    uint64_t batch;
    // Share of the run's budget that is used, 0 to 1.
    double progress;
    // Forward equivalents left for oracles in this step.
    double oracle_budget;
    // In `propose` of kind `signal` in mode `layer`: what `output` would give for `GW_OUT_SIGNAL` of each guess at the site.
    // Null in other calls.
    const gw_tensor *signals;
    // In `propose` in mode `layer`: by role, what `input` would give for the site, or `GW_NO_TENSOR` where it is to be asked.
    // Null in other calls.
    const gw_tensor *inputs;
    // Handles at `inputs`.
    uint64_t inputs_count;
} gw_step;

// What came of a step. Valid during `observe`.
typedef struct gw_outcome {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // Training loss of the batch, before the update.
    double loss;
    // The scalars d, guess by guess: 1, L, B or L·B of them by scope; with local losses as many for each part of the
    // model in place of 1, and for each copy of a loss.
    const double *scalars;
    // Number of scalars.
    uint64_t scalars_count;
    // Euclidean norm ‖ĝ‖ of the estimate.
    double estimate_norm;
} gw_outcome;

// Where `save` writes to.
typedef struct gw_writer {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // The host's own.
    void *ctx;
    // Appends bytes.
    int32_t (*write)(void *ctx, const uint8_t *bytes, uint64_t len);
} gw_writer;

// One strategy. Static: valid as long as the library is mapped.
typedef struct gw_strategy {
    // Size of this record as the plugin knows it.
    uint64_t struct_size;
    // Stable identity, `weight-transpose` or `org.example.my-guess`.
    struct gw_str id;
    // Name for people.
    struct gw_str name;
    // Version of the strategy, semantic.
    struct gw_str version;
    // One or two sentences.
    struct gw_str description;
    // One line of Unicode mathematics for the formula card.
    struct gw_str formula;
    // Where it comes from.
    struct gw_str citation;
    // SPDX expression.
    struct gw_str licence;
    // `GW_KIND_*`.
    uint32_t kind;
    // Mask of supported data types, bit `GW_F32`, bit `GW_F64`.
    uint32_t dtypes;
    // Mask of supported devices, bit `GW_CPU`…; a strategy that only uses `gw_ops` sets all.
    uint32_t devices;
    // 0.
    uint32_t reserved;
    // `GW_STRATEGY_*`.
    uint64_t flags;
    // Mask of roles without which it cannot run.
    uint64_t needs;
    // Mask of roles it uses when granted.
    uint64_t wants;
    // Mask of services without which it cannot run.
    uint64_t services;
    // Parameter schema.
    const struct gw_param_spec *params;
    // Number of parameters.
    uint64_t params_count;
    // Bytes from one `gw_param_spec` to the next.
    uint64_t params_stride;
    // Makes an instance; `params` holds every parameter of the schema, checked and defaulted.
    int32_t (*create)(const struct gw_strategy *strategy,
                      const struct gw_host *host,
                      const struct gw_params *params,
                      void **out,
                      struct gw_error *err);
    // Ends an instance. Never fails.
    void (*destroy)(void *instance);
    // Reads the model, fills in the plan (which arrives with its defaults).
    int32_t (*prepare)(void *instance, const struct gw_model *model, struct gw_plan *plan, struct gw_error *err);
    // Writes the outputs of one step (mode `model`) or of one site of a step (mode `layer`), for as many guesses as `step` says.
    int32_t (*propose)(void *instance, const struct gw_step *step, struct gw_error *err);
    // Optional: told what came of the guess.
    int32_t (*observe)(void *instance,
                       const struct gw_step *step,
                       const struct gw_outcome *outcome,
                       struct gw_error *err);
    // Optional: forget everything learned since `prepare`.
    int32_t (*reset)(void *instance, struct gw_error *err);
    // Optional: writes the instance's state for a checkpoint.
    int32_t (*save)(void *instance, const struct gw_writer *writer, struct gw_error *err);
    // Optional: restores what `save` wrote.
    int32_t (*load)(void *instance, const uint8_t *bytes, uint64_t len, struct gw_error *err);
    // Optional: an extension of the strategy, by id, or null.
    const void *(*get_extension)(struct gw_str id);
} gw_strategy;

// What the library is and how to reach its strategies. Static: valid as long as the library is mapped.
typedef struct gw_entry {
    // Size of this record as the plugin knows it.
    uint64_t struct_size;
    // `GW_ABI_MAJOR` of the headers the plugin was built with.
    uint32_t abi_major;
    // `GW_ABI_MINOR` of the headers the plugin was built with.
    uint32_t abi_minor;
    // `GW_ABI_FINGERPRINT` of the headers the plugin was built with: catches packing mistakes.
    uint64_t fingerprint;
    // `GW_ENTRY_*`.
    uint64_t flags;
    // What the plugin was built with, for reports: `guesswork-plugin 0.1.0 (rustc 1.95)`.
    struct gw_str sdk;
    // Called once before any instance is created. `host` stays valid until `deinit`.
    int32_t (*init)(const struct gw_host *host, struct gw_error *err);
    // Called once when no instance is left.
    void (*deinit)(void);
    // Number of strategies.
    uint64_t (*count)(void);
    // Strategy `index`, or null past the end. Static.
    const struct gw_strategy *(*get)(uint64_t index);
    // An optional extension of the library, by id, or null.
    const void *(*get_extension)(struct gw_str id);
} gw_entry;

// DLPack's device: type (1 CPU, 2 CUDA, 8 Metal) and index.
typedef struct DLDevice {
    // Device type as DLPack numbers it.
    int32_t device_type;
    // Index of the device of that type.
    int32_t device_id;
} DLDevice;

// DLPack's data type: code (2 float), bits, lanes.
typedef struct DLDataType {
    // Type code: 2 is IEEE float.
    uint8_t code;
    // Bits of one lane: 32 or 64.
    uint8_t bits;
    // Lanes: always 1 here.
    uint16_t lanes;
} DLDataType;

// DLPack's tensor, so that NumPy, PyTorch, CuPy and JAX can read one with no copy. Here always two-dimensional,
// row-major and without gaps: rows × columns.
typedef struct DLTensor {
    // Start of the storage's own memory (not a copy).
    void *data;
    // Where it lives.
    struct DLDevice device;
    // Number of dimensions: 2.
    int32_t ndim;
    // Element type.
    struct DLDataType dtype;
    // `ndim` extents; valid as long as the tensor.
    const int64_t *shape;
    // `ndim` strides in elements; valid as long as the tensor.
    const int64_t *strides;
    // Offset of the first element from `data` in bytes.
    uint64_t byte_offset;
} DLTensor;

// Finding tensors: inputs by role, outputs, persistent matrices, views, memory.
typedef struct gw_tensors {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // The input of `role` at `site` (ignored for logits, output error and labels). `index` is 0, except for the
    // previous estimate, the previous update and the gradient: 0 weight, 1 bias. Read-only; it keeps its content until the
    // call returns, whatever oracles are called.
    int32_t (*input)(gw_context *ctx, uint32_t role, uint32_t site, uint32_t index, gw_tensor *out, struct gw_error *err);
    // The output `GW_OUT_*` at `site` for `guess` (0 to `gw_step.guesses` − 1). Must be written fully; it arrives filled with NaN where
    // the host checks for that.
    int32_t (*output)(gw_context *ctx,
                      uint32_t output,
                      uint32_t site,
                      uint32_t guess,
                      gw_tensor *out,
                      struct gw_error *err);
    // In direction mode `seed`: the seed of V_l for `guess`.
    int32_t (*set_seed)(gw_context *ctx, uint32_t site, uint32_t guess, uint64_t seed, struct gw_error *err);
    // Persistent matrix `index` of the plan. Writable.
    int32_t (*persistent)(gw_context *ctx, uint32_t index, gw_tensor *out, struct gw_error *err);
    // Extents of a handle.
    int32_t (*shape)(gw_context *ctx, gw_tensor tensor, uint64_t *rows, uint64_t *columns, struct gw_error *err);
    // The same memory seen as `rows` × `columns`; the number of elements must agree.
    int32_t (*reshape)(gw_context *ctx,
                       gw_tensor tensor,
                       uint64_t rows,
                       uint64_t columns,
                       gw_tensor *out,
                       struct gw_error *err);
    // Rows `start` to `start + count − 1` of a handle, no copy.
    int32_t (*rows)(gw_context *ctx,
                    gw_tensor tensor,
                    uint64_t start,
                    uint64_t count,
                    gw_tensor *out,
                    struct gw_error *err);
    // The storage's own memory. On the CPU it may be read, and written where the handle is an output, persistent or
    // scratch; elsewhere it is a device pointer.
    int32_t (*data)(gw_context *ctx, gw_tensor tensor, struct DLTensor *out, struct gw_error *err);
} gw_tensors;

// Matrix operations on handles, on whatever device they live. Destinations must not overlap sources.
typedef struct gw_ops {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // `dst ← beta·dst + alpha·op(a)·op(b)`, op = transpose where the flag is 1.
    int32_t (*matmul)(gw_context *ctx,
                      gw_tensor dst,
                      double alpha,
                      gw_tensor a,
                      uint32_t a_transposed,
                      gw_tensor b,
                      uint32_t b_transposed,
                      double beta,
                      struct gw_error *err);
    // Carries signals at the sites that follow `site` (in the order of `gw_site.following`, each shaped as that
    // site's S) back to the pre-activation of `site`: `dst ← adjoint`, weights, masks, pooling, norms and sums over
    // branches on the way. For the last site the source is a signal at the logits. In call mode `layer` it fails where
    // something on the way does not exist yet. A strategy that uses it names `GW_ROLE_WEIGHT` among its needs, so that
    // reports can say what it could know.
    int32_t (*pull_back)(gw_context *ctx,
                         uint32_t site,
                         const gw_tensor *signals,
                         uint64_t signals_count,
                         gw_tensor dst,
                         struct gw_error *err);
    // `dst ← dst ⊙ a`.
    int32_t (*hadamard)(gw_context *ctx, gw_tensor dst, gw_tensor a, struct gw_error *err);
    // `dst ← dst ⊙ 1[a ≠ 0]`.
    int32_t (*keep_nonzero)(gw_context *ctx, gw_tensor dst, gw_tensor a, struct gw_error *err);
    // `dst ← softmax(a)` along each row.
    int32_t (*softmax)(gw_context *ctx, gw_tensor dst, gw_tensor a, struct gw_error *err);
    // `dst ← onehot(classes)`: `classes` is rows × 1, `dst` rows × C.
    int32_t (*one_hot)(gw_context *ctx, gw_tensor dst, gw_tensor classes, struct gw_error *err);
    // `dst ← c`, a class drawn from each row of `probabilities`: `dst` is rows × 1. Keyed as in `gw_rng`: row i takes
    // the uniform element i, and the class at which the sum of the probabilities so far first exceeds that share of all.
    int32_t (*categorical)(gw_context *ctx,
                           gw_tensor dst,
                           gw_tensor probabilities,
                           uint32_t site,
                           uint32_t guess,
                           uint32_t draw,
                           struct gw_error *err);
    // `dst ← dst + alpha·x`.
    int32_t (*axpy)(gw_context *ctx, gw_tensor dst, double alpha, gw_tensor x, struct gw_error *err);
    // `dst ← alpha·dst`.
    int32_t (*scale)(gw_context *ctx, gw_tensor dst, double alpha, struct gw_error *err);
    // `dst ← diag(factors)·dst`: `factors` is rows × 1.
    int32_t (*row_scale)(gw_context *ctx, gw_tensor dst, gw_tensor factors, struct gw_error *err);
    // `out ← Σ a ⊙ b`.
    int32_t (*dot)(gw_context *ctx, gw_tensor a, gw_tensor b, double *out, struct gw_error *err);
    // `dst[i] ← Σ_j a[i, j]·b[i, j]`: `dst` is rows × 1.
    int32_t (*row_dot)(gw_context *ctx, gw_tensor dst, gw_tensor a, gw_tensor b, struct gw_error *err);
    // `dst[0, j] ← Σ_i a[i, j]`: `dst` is 1 × columns.
    int32_t (*column_sum)(gw_context *ctx, gw_tensor dst, gw_tensor a, struct gw_error *err);
    // `dst[i, j] ← dst[i, j] + alpha·row[0, j]`: `row` is 1 × columns.
    int32_t (*add_row)(gw_context *ctx, gw_tensor dst, double alpha, gw_tensor row, struct gw_error *err);
    // `dst ← src`.
    int32_t (*copy)(gw_context *ctx, gw_tensor dst, gw_tensor src, struct gw_error *err);
    // `dst ← value`.
    int32_t (*fill)(gw_context *ctx, gw_tensor dst, double value, struct gw_error *err);
    // `dst ← Q` of the thin QR factorisation of `dst` (rows ≥ columns), with R's diagonal positive.
    int32_t (*orthonormalise)(gw_context *ctx, gw_tensor dst, struct gw_error *err);
    // Truncated singular value decomposition: `a ≈ u·diag(s)·vᵀ`, `u` m × k, `s` 1 × k descending, `v` n × k.
    int32_t (*svd)(gw_context *ctx, gw_tensor a, gw_tensor u, gw_tensor s, gw_tensor v, struct gw_error *err);
} gw_ops;

// Counter-based random numbers: Philox4x32-10. The word `i mod 4` of block `i div 4` belongs to element `i` of the
// matrix, row-major. Key and counter:
//
// m         = splitmix64(seed ^ splitmix64(instance)),  key = (m mod 2³², m div 2³²)
// counter   = (block mod 2³², step mod 2³², site·2¹⁶ + guess, draw·2¹⁶ + (step div 2³²) mod 2¹⁶)
// splitmix64(x): x += 9E3779B97F4A7C15; x = (x ^ x>>30)·BF58476D1CE4E5B9; x = (x ^ x>>27)·94D049BB133111EB; x ^ x>>31
// uniform   = (word + ½)·2⁻³²
// normal    = √(−2 ln u₀)·cos 2πu₁, √(−2 ln u₀)·sin 2πu₁ from words (0, 1), and the same from words (2, 3)
// rademacher = +1 where the word's highest bit is 0, else −1
//
// `GW_ALL_SITES` counts as site 65535. Any draw is a function of (seed, instance, step, site, guess, draw).
//
// Known answers. Philox4x32-10 of counter 0 under key 0: 6627E8D5 E169C58D BC57AC4C 9B00DBD8. With seed 1, instance 2,
// step 3, site 4, guess 5, draw 6 (m = E06DD043328BD285) the first block and what becomes of it:
//
// words      930CE49B            F588FFBE             6591EBA3             16149271
// uniform    0.5744154815329239  0.9591216888511553   0.39675781957339495  0.08625140448566526
// normal     1.0184553768226643  -0.26749441785717437 1.164896038451401    0.7013384639391699
// rademacher -1                  -1                   +1                   +1
typedef struct gw_rng {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // `dst ← scale · draws` of kind `GW_DRAW_*`.
    int32_t (*fill)(gw_context *ctx,
                    gw_tensor dst,
                    uint32_t kind,
                    double scale,
                    uint32_t site,
                    uint32_t guess,
                    uint32_t draw,
                    struct gw_error *err);
    // The same draws in double precision into the plugin's own memory: elements `start` to `start + count − 1`.
    int32_t (*draw)(gw_context *ctx,
                    uint32_t kind,
                    uint32_t site,
                    uint32_t guess,
                    uint32_t draw,
                    uint64_t start,
                    double *out,
                    uint64_t count,
                    struct gw_error *err);
} gw_rng;

// Function values and directional derivatives at the lane's parameters, on the step's batch; metered in forward
// equivalents. Directions are the weight directions (`GW_OUT_WEIGHT`, `GW_OUT_BIAS`) written for guess `k`.
typedef struct gw_oracle {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // `out[i] ← L(θ + t[i]·V_{guess[i]})`: one forward equivalent each.
    int32_t (*loss_at)(gw_context *ctx,
                       const uint32_t *guess,
                       const double *t,
                       uint64_t count,
                       double *out,
                       struct gw_error *err);
    // `out[i] ← ⟨∇L(θ), V_{guess[i]}⟩` by the forward mode: two forward equivalents each.
    int32_t (*jvp)(gw_context *ctx, const uint32_t *guess, uint64_t count, double *out, struct gw_error *err);
    // `dst ← Ẋ_L`, B × C: how the logits move when the activation of site l moves along `moved[l]`, shaped as the site's X, by the
    // forward mode; `GW_NO_TENSOR` where it does not. A handle for each of `count` sites; one forward equivalent. Any kind of strategy
    // may ask.
    int32_t (*logit_tangent)(gw_context *ctx,
                             const gw_tensor *moved,
                             uint64_t count,
                             gw_tensor dst,
                             struct gw_error *err);
} gw_oracle;

// Named scalars and small series into the run and the screen, as data.
typedef struct gw_metrics {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // One value of the metric `name` at this step.
    int32_t (*scalar)(gw_context *ctx, struct gw_str name, double value);
    // A small series (at most 4096 values) of the metric `name` at this step.
    int32_t (*series)(gw_context *ctx, struct gw_str name, const double *values, uint64_t count);
} gw_metrics;

// Messages to the log pane and the run's log.
typedef struct gw_log {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // Writes a message. `ctx` may be null outside a call.
    int32_t (*write)(gw_context *ctx, uint32_t level, struct gw_str text);
} gw_log;

// The run's state.
typedef struct gw_control {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // 1 when the person or script wants the run to end: a long `propose` should return `GW_CANCELLED` soon.
    uint32_t (*cancelled)(gw_context *ctx);
} gw_control;

// Matrices for the call's own use.
typedef struct gw_scratch {
    // Size of this record as the host knows it.
    uint64_t struct_size;
    // A rows × columns matrix of undefined content, the plugin's until the call returns.
    int32_t (*matrix)(gw_context *ctx, uint64_t rows, uint64_t columns, gw_tensor *out, struct gw_error *err);
} gw_scratch;

// No tensor.
#define GW_NO_TENSOR 0

// Whether `record`, written by someone else, is long enough to hold `field`: look before every use of a field that is not
// in version 1.0.
#define GW_COVERS(record, field)                                                                                       \
    ((record)->struct_size >= (uint64_t)((const char *)(&(record)->field + 1) - (const char *)(record)))

// The bit of a role, service, data type or device in a mask.
#define GW_BIT(position) (UINT64_C(1) << (position))

// Initialiser of a `gw_str` from a string literal.
#define GW_STR(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

#if defined(__GNUC__)
#define GW_EXPORT __attribute__((visibility("default")))
#else
#define GW_EXPORT
#endif

// The one symbol a plugin exports: pure, static data, the same pointer every time.
GW_EXPORT const gw_entry *gw_plugin_entry_v1(void);

#ifdef __cplusplus
}
#endif

#endif // GUESSWORK_H
