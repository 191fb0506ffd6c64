/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenBLAS backend: matrix products by CBLAS, everything else is left to others. This file is
 * its entry: the table, the one device, and small helpers for talking to the host. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "openblas.h"

enum heed_status heedi_openblas_fail(struct heed_error *error, enum heed_status status,
                                     const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->status = (int32_t)status;
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}

bool heedi_openblas_read(void *target, size_t target_bytes, const void *source,
                         size_t source_bytes) {
    const size_t shared = source_bytes < target_bytes ? source_bytes : target_bytes;
    memset(target, 0, target_bytes);
    if (shared > 0)
        memcpy(target, source, shared);
    const unsigned char *bytes = source;
    for (size_t i = shared; i < source_bytes; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

void *heedi_openblas_calloc(const struct heed_host *host, size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    const size_t total = count * bytes > 0 ? count * bytes : 1;
    void *memory = host->allocate(host->handle, total, 64);
    if (memory != NULL)
        memset(memory, 0, total);
    return memory;
}

void heedi_openblas_free(const struct heed_host *host, void *memory) {
    if (memory != NULL)
        host->release(host->handle, memory);
}

static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error) {
    (void)stride; /* there is one device */
    const char *reason = heedi_openblas_unusable();
    *count = reason == NULL ? 1 : 0;
    if (reason != NULL)
        snprintf(error->message, sizeof error->message, "openblas: %s", reason);
    if (reason != NULL || capacity == 0)
        return HEED_OK;
    struct heed_device_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = devices->struct_size;
    info.type = HEED_DEVICE_CPU;
    info.flags = HEED_DEVICE_HOST_MEMORY;
    info.plan_alignment = 64;
    snprintf(info.name, sizeof info.name, "CPU");
    heedi_openblas_describe(info.description, sizeof info.description);
    /* OpenBLAS states no bounds. Its kernels sum in f32, some with fused multiply-add, in an order
     * that depends on the kernel and the shape; what holds for any order holds for them. The C
     * library's functions, used for activations, are within 1 to 2. */
    info.numeric.struct_size = sizeof info.numeric;
    info.numeric.unit_roundoff = 0x1p-24f;
    info.numeric.exp_ulp = 2.0f;
    info.numeric.tanh_ulp = 2.0f;
    info.numeric.erf_ulp = 2.0f;
    info.numeric.accumulator = HEED_F32;
    info.preference = 10;
    const size_t known = devices->struct_size < sizeof info ? devices->struct_size : sizeof info;
    memcpy(devices, &info, known);
    return HEED_OK;
}

static enum heed_status create(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error) {
    static const char claim_all[] = "claim=all";
    *plugin = NULL;
    if (host->struct_size < sizeof *host)
        return heedi_openblas_fail(error, HEED_ERROR_VERSION,
                                   "openblas: the host's table has %u bytes, %zu expected",
                                   (unsigned)host->struct_size, sizeof *host);
    struct heed_plugin_options known;
    memset(&known, 0, sizeof known);
    if (options != NULL &&
        !heedi_openblas_read(&known, sizeof known, options, options->struct_size))
        return heedi_openblas_fail(error, HEED_ERROR_UNSUPPORTED,
                                   "openblas: the options hold a field that this version does not "
                                   "know");
    const char *reason = heedi_openblas_unusable();
    if (reason != NULL)
        return heedi_openblas_fail(error, HEED_ERROR_UNSUPPORTED, "openblas: %s", reason);
    if (known.device != 0)
        return heedi_openblas_fail(error, HEED_ERROR_NOT_FOUND,
                                   "openblas: device %u does not exist, there is only device 0",
                                   (unsigned)known.device);
    const char *given = known.options != NULL ? known.options : "";
    if (given[0] != '\0' && strcmp(given, claim_all) != 0)
        return heedi_openblas_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                   "openblas: unknown option '%.200s', there is only %s", given,
                                   claim_all);
    *plugin = heedi_openblas_calloc(host, 1, sizeof **plugin);
    if (*plugin == NULL)
        return heedi_openblas_fail(error, HEED_ERROR_OUT_OF_MEMORY, "openblas: out of memory");
    (*plugin)->host = host;
    (*plugin)->claim_all = given[0] != '\0';
    heedi_openblas_single_thread();
    return HEED_OK;
}

static void destroy(struct heed_plugin *plugin) {
    if (plugin != NULL)
        heedi_openblas_free(plugin->host, plugin);
}

/* ---- states, which no node that is claimed touches ---- */

static enum heed_status no_states(struct heed_error *error) {
    return heedi_openblas_fail(error, HEED_ERROR_UNSUPPORTED, "openblas: there are no states here");
}

static enum heed_status bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                   struct heed_plugin_state *state, struct heed_error *error) {
    (void)instance, (void)binding, (void)state;
    return no_states(error);
}

static enum heed_status state_create(struct heed_plugin *plugin,
                                     const struct heed_tensor_desc *desc,
                                     struct heed_plugin_state **state, struct heed_error *error) {
    (void)plugin, (void)desc;
    *state = NULL;
    return no_states(error);
}

static void state_destroy(struct heed_plugin_state *state) {
    (void)state;
}

static enum heed_status state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                    const void *data, size_t bytes, struct heed_error *error) {
    (void)state, (void)offset_bytes, (void)data, (void)bytes;
    return no_states(error);
}

static enum heed_status state_read(struct heed_plugin_state *state, size_t offset_bytes, void *data,
                                   size_t bytes, struct heed_error *error) {
    (void)state, (void)offset_bytes, (void)data, (void)bytes;
    return no_states(error);
}

static enum heed_status wait_for(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                 struct heed_error *error) {
    (void)instance, (void)timeout_ns, (void)error; /* submit has done the work */
    return HEED_OK;
}

static const void *get_extension(const char *name) {
    return strcmp(name, HEED_EXTENSION_PROFILE) == 0 ? &heedi_openblas_profile : NULL;
}

static const struct heed_backend backend = {
    .struct_size = sizeof(struct heed_backend),
    .abi_version = HEED_ABI_VERSION,
    .name = "openblas",
    .version = HEED_VERSION_STRING,
    .description = "matrix products by OpenBLAS",
    .enumerate = enumerate,
    .create = create,
    .destroy = destroy,
    .query = heedi_openblas_query,
    .compile = heedi_openblas_compile,
    .program_destroy = heedi_openblas_program_destroy,
    .instance_create = heedi_openblas_instance_create,
    .instance_destroy = heedi_openblas_instance_destroy,
    .bind = heedi_openblas_bind,
    .bind_state = bind_state,
    .submit = heedi_openblas_submit,
    .wait = wait_for,
    .state_create = state_create,
    .state_destroy = state_destroy,
    .state_write = state_write,
    .state_read = state_read,
    .get_extension = get_extension,
};

HEED_BACKEND_ENTRY(openblas) {
    return HEED_ABI_VERSION_MAJOR(abi_version) == HEED_ABI_MAJOR ? &backend : NULL;
}
