/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar backend: plain C11 that runs everywhere and that the other backends fall back to.
 * This file is its entry: the table, the one device, and small helpers for talking to the host. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scalar.h"

enum heed_status heedi_scalar_fail(struct heed_error *error, enum heed_status status,
                                   const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->status = (int32_t)status;
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}

bool heedi_scalar_read(void *target, size_t target_bytes, const void *source, size_t source_bytes) {
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

void *heedi_scalar_calloc(const struct heed_host *host, size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    const size_t total = count * bytes > 0 ? count * bytes : 1;
    void *memory = host->allocate(host->handle, total, 64);
    if (memory != NULL)
        memset(memory, 0, total);
    return memory;
}

void heedi_scalar_free(const struct heed_host *host, void *memory) {
    if (memory != NULL)
        host->release(host->handle, memory);
}

static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error) {
    (void)stride; /* there is one device */
    (void)error;
    *count = 1;
    if (capacity == 0)
        return HEED_OK;
    struct heed_device_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = devices->struct_size;
    info.type = HEED_DEVICE_CPU;
    info.flags = HEED_DEVICE_HOST_MEMORY;
    info.plan_alignment = 64;
    snprintf(info.name, sizeof info.name, "CPU");
    snprintf(info.description, sizeof info.description, "portable C, no processor extensions");
    info.numeric.struct_size = sizeof info.numeric;
    info.numeric.unit_roundoff = 0x1p-24f;
    /* glibc, musl and the BSD libraries document at most 1 to 2 for these functions. */
    info.numeric.exp_ulp = 2.0f;
    info.numeric.tanh_ulp = 2.0f;
    info.numeric.erf_ulp = 2.0f;
    info.numeric.accumulator = HEED_F32;
    const size_t known = devices->struct_size < sizeof info ? devices->struct_size : sizeof info;
    memcpy(devices, &info, known);
    return HEED_OK;
}

static enum heed_status create(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error) {
    *plugin = NULL;
    if (host->struct_size < sizeof *host)
        return heedi_scalar_fail(error, HEED_ERROR_VERSION,
                                 "scalar: the host's table has %u bytes, %zu expected",
                                 (unsigned)host->struct_size, sizeof *host);
    struct heed_plugin_options known;
    memset(&known, 0, sizeof known);
    if (options != NULL && !heedi_scalar_read(&known, sizeof known, options, options->struct_size))
        return heedi_scalar_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "scalar: the options hold a field that this version does not "
                                 "know");
    if (known.device != 0)
        return heedi_scalar_fail(error, HEED_ERROR_NOT_FOUND,
                                 "scalar: device %u does not exist, there is only device 0",
                                 (unsigned)known.device);
    if (known.options != NULL && known.options[0] != '\0')
        return heedi_scalar_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "scalar: unknown option '%.200s', this backend has none",
                                 known.options);
    *plugin = heedi_scalar_calloc(host, 1, sizeof **plugin);
    if (*plugin == NULL)
        return heedi_scalar_fail(error, HEED_ERROR_OUT_OF_MEMORY, "scalar: out of memory");
    (*plugin)->host = host;
    return HEED_OK;
}

static void destroy(struct heed_plugin *plugin) {
    if (plugin != NULL)
        heedi_scalar_free(plugin->host, plugin);
}

static const void *get_extension(const char *name) {
    return strcmp(name, HEED_EXTENSION_PROFILE) == 0 ? &heedi_scalar_profile : NULL;
}

static const struct heed_backend backend = {
    .struct_size = sizeof(struct heed_backend),
    .abi_version = HEED_ABI_VERSION,
    .name = "scalar",
    .version = HEED_VERSION_STRING,
    .description = "portable C, one kernel per operator",
    .enumerate = enumerate,
    .create = create,
    .destroy = destroy,
    .query = heedi_scalar_query,
    .compile = heedi_scalar_compile,
    .program_destroy = heedi_scalar_program_destroy,
    .instance_create = heedi_scalar_instance_create,
    .instance_destroy = heedi_scalar_instance_destroy,
    .bind = heedi_scalar_bind,
    .bind_state = heedi_scalar_bind_state,
    .submit = heedi_scalar_submit,
    .wait = heedi_scalar_wait,
    .state_create = heedi_scalar_state_create,
    .state_destroy = heedi_scalar_state_destroy,
    .state_write = heedi_scalar_state_write,
    .state_read = heedi_scalar_state_read,
    .get_extension = get_extension,
};

HEED_BACKEND_ENTRY(scalar) {
    return HEED_ABI_VERSION_MAJOR(abi_version) == HEED_ABI_MAJOR ? &backend : NULL;
}
