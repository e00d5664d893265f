/* A strategy in C11: signs in place of normal noise at the pre-activations.
 *
 *     E_l = r ⊙ M_l,   r_ij = ±1 with equal chance
 *
 * With `density` p < 1 each element is kept with probability p and divided by √p, which leaves the covariance as it is: at the
 * scopes `example` and `example-layer` the estimate stays unbiased where M_l is 0 or 1, with less variance than normal noise.
 *
 * Source: the ±1 perturbations of Spall, Multivariate Stochastic Approximation Using a Simultaneous Perturbation Gradient
 * Approximation, 1992, here at the activations instead of the weights.
 *
 *     draw   kind         site, guess, number   extent
 *     r      Rademacher   l − 1, k, 0           (B·P_l) × n_l
 *     kept   uniform      l − 1, k, 1           (B·P_l) × n_l, where p < 1
 *
 * What the file shows: the records a library consists of; operations on handles (`gw_ops`, `gw_rng`); and, for what no operation
 * does, the tensor's own memory (`gw_tensors.data`). */

#include "guesswork.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An instance: its parameter, and the host's tables, which are static. */
typedef struct {
    double density;
    uint32_t site_count;
    const gw_tensors *tensors;
    const gw_ops *ops;
    const gw_rng *rng;
} sign_perturbation;

/* Describes a failure in the caller's record and returns its code. */
static int32_t fail(gw_error *err, int32_t code, const char *text) {
    if (err != NULL && GW_COVERS(err, text)) {
        size_t length = strlen(text);
        err->code = code;
        err->length = (uint32_t)(length < sizeof err->text ? length : sizeof err->text);
        memcpy(err->text, text, err->length);
    }
    return code;
}

static const void *service(const gw_host *host, const char *id) {
    gw_str name = {(const uint8_t *)id, strlen(id)};
    return host->get_extension(host, name);
}

static int32_t create(const gw_strategy *strategy, const gw_host *host, const gw_params *params, void **out, gw_error *err) {
    (void)strategy;
    if (host == NULL || params == NULL || out == NULL) {
        return fail(err, GW_INVALID_ARGUMENT, "sign-perturbation: host, params and out must not be null");
    }
    sign_perturbation *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fail(err, GW_ERROR, "sign-perturbation: out of memory");
    }
    /* The host passes every parameter of the schema, checked and defaulted; records of an array are `stride` bytes apart. */
    const char *value = (const char *)params->values;
    for (uint64_t i = 0; i < params->count; i++, value += params->stride) {
        const gw_param *param = (const gw_param *)value;
        if (param->key.len == 7 && memcmp(param->key.ptr, "density", 7) == 0) {
            self->density = param->f;
        }
    }
    self->tensors = service(host, GW_EXT_TENSORS);
    self->ops = service(host, GW_EXT_OPS);
    self->rng = service(host, GW_EXT_RNG);
    if (self->tensors == NULL || self->ops == NULL || self->rng == NULL) {
        free(self);
        return fail(err, GW_NOT_GRANTED, "sign-perturbation: the host lacks gw.tensors/1, gw.ops/1 or gw.rng/1");
    }
    *out = self;
    return GW_OK;
}

static void destroy(void *instance) {
    free(instance);
}

/* Every site by itself suits the plan's defaults (call mode `layer`, signals at the pre-activation). */
static int32_t prepare(void *instance, const gw_model *model, gw_plan *plan, gw_error *err) {
    sign_perturbation *self = instance;
    if (self == NULL || model == NULL || plan == NULL) {
        return fail(err, GW_INVALID_ARGUMENT, "sign-perturbation: instance, model and plan must not be null");
    }
    self->site_count = (uint32_t)model->site_count;
    return GW_OK;
}

/* Multiplies each element by 1/√p or 0, in the tensor's own memory. */
static int32_t thin(const sign_perturbation *self, const gw_step *step, uint32_t site, uint32_t guess, gw_tensor signal,
                    gw_error *err) {
    DLTensor tensor;
    int32_t status = self->tensors->data(step->ctx, signal, &tensor, err);
    if (status != GW_OK) {
        return status;
    }
    if (tensor.device.device_type != 1) {
        return fail(err, GW_UNSUPPORTED, "sign-perturbation: density below 1 needs the signal in host memory");
    }
    const double scale = 1.0 / sqrt(self->density);
    const uint64_t count = (uint64_t)(tensor.shape[0] * tensor.shape[1]);
    char *data = (char *)tensor.data + tensor.byte_offset;
    double uniform[256];
    for (uint64_t start = 0; start < count; start += 256) {
        const uint64_t length = count - start < 256 ? count - start : 256;
        status = self->rng->draw(step->ctx, GW_DRAW_UNIFORM, site, guess, 1, start, uniform, length, err);
        if (status != GW_OK) {
            return status;
        }
        for (uint64_t i = 0; i < length; i++) {
            const double factor = uniform[i] < self->density ? scale : 0.0;
            if (tensor.dtype.bits == 32) {
                float *element = (float *)data + start + i;
                *element = (float)(*element * factor);
            } else {
                double *element = (double *)data + start + i;
                *element *= factor;
            }
        }
    }
    return GW_OK;
}

static int32_t write_guess(const sign_perturbation *self, const gw_step *step, uint32_t site, uint32_t guess, gw_error *err) {
    gw_tensor signal, derivative;
    int32_t status = self->tensors->output(step->ctx, GW_OUT_SIGNAL, site, guess, &signal, err);
    if (status == GW_OK) {
        status = self->tensors->input(step->ctx, GW_ROLE_DERIVATIVE, site, 0, &derivative, err);
    }
    if (status == GW_OK) {
        status = self->rng->fill(step->ctx, signal, GW_DRAW_RADEMACHER, 1.0, site, guess, 0, err);
    }
    if (status == GW_OK) {
        status = self->ops->hadamard(step->ctx, signal, derivative, err);
    }
    if (status == GW_OK && self->density < 1.0) {
        status = thin(self, step, site, guess, signal, err);
    }
    return status;
}

/* One site in call mode `layer`, all of them in call mode `model`. */
static int32_t propose(void *instance, const gw_step *step, gw_error *err) {
    const sign_perturbation *self = instance;
    if (self == NULL || step == NULL) {
        return fail(err, GW_INVALID_ARGUMENT, "sign-perturbation: instance and step must not be null");
    }
    if (self->site_count == 0) {
        return fail(err, GW_WRONG_STATE, "sign-perturbation: propose before prepare");
    }
    const uint32_t first = step->site == GW_ALL_SITES ? 0 : step->site;
    const uint32_t end = step->site == GW_ALL_SITES ? self->site_count : step->site + 1;
    for (uint32_t site = first; site < end; site++) {
        for (uint32_t guess = 0; guess < step->guesses; guess++) {
            const int32_t status = write_guess(self, step, site, guess, err);
            if (status != GW_OK) {
                return status;
            }
        }
    }
    return GW_OK;
}

/* The library's static data. */

static const gw_param_spec PARAMS[] = {{
    .struct_size = sizeof(gw_param_spec),
    .key = GW_STR("density"),
    .doc = GW_STR("Share of the elements that are kept; the others are 0."),
    .kind = GW_PARAM_FLOAT,
    .default_f = 1.0,
    .min = 0.001,
    .max = 1.0,
}};

static const gw_strategy SIGN_PERTURBATION = {
    .struct_size = sizeof(gw_strategy),
    .id = GW_STR("sign-perturbation"),
    .name = GW_STR("Sign perturbation"),
    .version = GW_STR("0.1.0"),
    .description = GW_STR("Random signs at every pre-activation, where the activation lets them through. Written in C."),
    .formula = GW_STR("E_l = r ⊙ M_l,  r = ±1"),
    .citation = GW_STR("The perturbations of Spall 1992, at the activations"),
    .licence = GW_STR("MIT OR Apache-2.0"),
    .kind = GW_KIND_SIGNAL,
    .dtypes = (uint32_t)(GW_BIT(GW_F32) | GW_BIT(GW_F64)),
    .devices = (uint32_t)GW_BIT(GW_CPU),
    .flags = GW_STRATEGY_DETERMINISTIC | GW_STRATEGY_STATELESS,
    .needs = GW_BIT(GW_ROLE_DERIVATIVE),
    .services = GW_BIT(GW_SERVICE_OPS) | GW_BIT(GW_SERVICE_RNG),
    .params = PARAMS,
    .params_count = sizeof PARAMS / sizeof PARAMS[0],
    .params_stride = sizeof PARAMS[0],
    .create = create,
    .destroy = destroy,
    .prepare = prepare,
    .propose = propose,
};

static uint64_t count(void) {
    return 1;
}

static const gw_strategy *get(uint64_t index) {
    return index == 0 ? &SIGN_PERTURBATION : NULL;
}

static const gw_entry ENTRY = {
    .struct_size = sizeof(gw_entry),
    .abi_major = GW_ABI_MAJOR,
    .abi_minor = GW_ABI_MINOR,
    .fingerprint = GW_ABI_FINGERPRINT,
    .flags = GW_ENTRY_DRAFT,
    .sdk = GW_STR("guesswork.h 1.0-draft"),
    .count = count,
    .get = get,
};

const gw_entry *gw_plugin_entry_v1(void) {
    return &ENTRY;
}
