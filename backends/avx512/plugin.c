/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 backend: products with quantised rows by VNNI instructions (Intel since 2019, AMD
 * since 2022), everything else is left to others. This file is its entry: the table, the one device
 * if the processor has what it needs, and small helpers for talking to the host. */
#include <cpuid.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "avx512.h"

enum heed_status heedi_avx512_fail(struct heed_error *error, enum heed_status status,
                                   const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->status = (int32_t)status;
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}

bool heedi_avx512_read(void *target, size_t target_bytes, const void *source, size_t source_bytes) {
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

void *heedi_avx512_calloc(const struct heed_host *host, size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    const size_t total = count * bytes > 0 ? count * bytes : 1;
    void *memory = host->allocate(host->handle, total, 64);
    if (memory != NULL)
        memset(memory, 0, total);
    return memory;
}

void heedi_avx512_free(const struct heed_host *host, void *memory) {
    if (memory != NULL)
        host->release(host->handle, memory);
}

static uint64_t xgetbv0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* What the processor lacks, NULL if nothing. The registers are usable only where the system saves
 * them: OSXSAVE, then bits 1, 2, 5, 6 and 7 of XCR0. */
static const char *missing_feature(void) {
    const uint32_t foundation = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0 || (xgetbv0() & 0xe6u) != 0xe6u)
        return "AVX-512 registers that the system saves";
    if ((c & bit_FMA) == 0)
        return "FMA";
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & foundation) != foundation)
        return "AVX-512 F, BW, DQ and VL";
    return (c & bit_AVX512VNNI) == 0 ? "AVX-512 VNNI" : NULL;
}

static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error) {
    (void)stride; /* there is one device */
    const char *missing = missing_feature();
    *count = missing == NULL ? 1 : 0;
    if (missing != NULL)
        snprintf(error->message, sizeof error->message, "avx512: this processor has no %s",
                 missing);
    if (missing != NULL || capacity == 0)
        return HEED_OK;
    struct heed_device_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = devices->struct_size;
    info.type = HEED_DEVICE_CPU;
    info.flags = HEED_DEVICE_HOST_MEMORY;
    info.plan_alignment = 64;
    snprintf(info.name, sizeof info.name, "CPU");
    snprintf(info.description, sizeof info.description, "AVX-512 VNNI: 8-bit products");
    /* Of the functions only exp is used here, in silu; the others are the C library's. */
    info.numeric.struct_size = sizeof info.numeric;
    info.numeric.unit_roundoff = 0x1p-24f;
    info.numeric.exp_ulp = 2.0f;
    info.numeric.tanh_ulp = 2.0f;
    info.numeric.erf_ulp = 2.0f;
    info.numeric.accumulator = HEED_F32;
    info.preference = 30;
    const size_t known = devices->struct_size < sizeof info ? devices->struct_size : sizeof info;
    memcpy(devices, &info, known);
    return HEED_OK;
}

static enum heed_status create(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error) {
    *plugin = NULL;
    if (host->struct_size < sizeof *host)
        return heedi_avx512_fail(error, HEED_ERROR_VERSION,
                                 "avx512: the host's table has %u bytes, %zu expected",
                                 (unsigned)host->struct_size, sizeof *host);
    struct heed_plugin_options known;
    memset(&known, 0, sizeof known);
    if (options != NULL && !heedi_avx512_read(&known, sizeof known, options, options->struct_size))
        return heedi_avx512_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "avx512: the options hold a field that this version does not "
                                 "know");
    if (missing_feature() != NULL)
        return heedi_avx512_fail(error, HEED_ERROR_UNSUPPORTED, "avx512: this processor has no %s",
                                 missing_feature());
    if (known.device != 0)
        return heedi_avx512_fail(error, HEED_ERROR_NOT_FOUND,
                                 "avx512: device %u does not exist, there is only device 0",
                                 (unsigned)known.device);
    if (known.options != NULL && known.options[0] != '\0')
        return heedi_avx512_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "avx512: unknown option '%.200s', this backend has none",
                                 known.options);
    *plugin = heedi_avx512_calloc(host, 1, sizeof **plugin);
    if (*plugin == NULL)
        return heedi_avx512_fail(error, HEED_ERROR_OUT_OF_MEMORY, "avx512: out of memory");
    (*plugin)->host = host;
    return HEED_OK;
}

static void destroy(struct heed_plugin *plugin) {
    if (plugin != NULL)
        heedi_avx512_free(plugin->host, plugin);
}

/* ---- states, which no node that is claimed touches ---- */

static enum heed_status no_states(struct heed_error *error) {
    return heedi_avx512_fail(error, HEED_ERROR_UNSUPPORTED, "avx512: there are no states here");
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
    return strcmp(name, HEED_EXTENSION_PROFILE) == 0 ? &heedi_avx512_profile : NULL;
}

static const struct heed_backend backend = {
    .struct_size = sizeof(struct heed_backend),
    .abi_version = HEED_ABI_VERSION,
    .name = "avx512",
    .version = HEED_VERSION_STRING,
    .description = "8-bit matrix products by AVX-512 VNNI",
    .enumerate = enumerate,
    .create = create,
    .destroy = destroy,
    .query = heedi_avx512_query,
    .compile = heedi_avx512_compile,
    .program_destroy = heedi_avx512_program_destroy,
    .instance_create = heedi_avx512_instance_create,
    .instance_destroy = heedi_avx512_instance_destroy,
    .bind = heedi_avx512_bind,
    .bind_state = bind_state,
    .submit = heedi_avx512_submit,
    .wait = wait_for,
    .state_create = state_create,
    .state_destroy = state_destroy,
    .state_write = state_write,
    .state_read = state_read,
    .get_extension = get_extension,
};

HEED_BACKEND_ENTRY(avx512) {
    return HEED_ABI_VERSION_MAJOR(abi_version) == HEED_ABI_MAJOR ? &backend : NULL;
}
