/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX2 backend: intrinsics for x86-64 processors with AVX2, FMA and F16C (Intel since 2013, AMD
 * since 2015). This file is its entry: the table, the one device if the processor has what it
 * needs, and small helpers for talking to the host. */
#include <cpuid.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "avx2.h"
#include "ulp.h"

enum heed_status heedi_avx2_fail(struct heed_error *error, enum heed_status status,
                                 const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->status = (int32_t)status;
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}

bool heedi_avx2_read(void *target, size_t target_bytes, const void *source, size_t source_bytes) {
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

void *heedi_avx2_calloc(const struct heed_host *host, size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    const size_t total = count * bytes > 0 ? count * bytes : 1;
    void *memory = host->allocate(host->handle, total, 64);
    if (memory != NULL)
        memset(memory, 0, total);
    return memory;
}

void heedi_avx2_free(const struct heed_host *host, void *memory) {
    if (memory != NULL)
        host->release(host->handle, memory);
}

static uint64_t xgetbv0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* What the processor lacks, NULL if nothing. The registers are usable only where the system saves
 * them: OSXSAVE, then bits 1 and 2 of XCR0. */
static const char *missing_feature(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_AVX) == 0)
        return "AVX";
    if ((c & bit_OSXSAVE) == 0 || (xgetbv0() & 6u) != 6u)
        return "AVX registers that the system saves";
    if ((c & bit_FMA) == 0)
        return "FMA";
    if ((c & bit_F16C) == 0)
        return "F16C";
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & bit_AVX2) == 0)
        return "AVX2";
    return NULL;
}

static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error) {
    (void)stride; /* there is one device */
    const char *missing = missing_feature();
    if (missing != NULL) {
        *count = 0;
        snprintf(error->message, sizeof error->message, "avx2: this processor has no %s", missing);
        return HEED_OK;
    }
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
    snprintf(info.description, sizeof info.description, "AVX2, FMA, F16C");
    info.numeric.struct_size = sizeof info.numeric;
    info.numeric.unit_roundoff = 0x1p-24f;
    info.numeric.exp_ulp = AVX2_EXP_ULP;
    info.numeric.tanh_ulp = AVX2_TANH_ULP;
    info.numeric.erf_ulp = AVX2_ERF_ULP;
    info.numeric.accumulator = HEED_F32;
    info.preference = 20;
    const size_t known = devices->struct_size < sizeof info ? devices->struct_size : sizeof info;
    memcpy(devices, &info, known);
    return HEED_OK;
}

static enum heed_status create(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error) {
    *plugin = NULL;
    if (host->struct_size < sizeof *host)
        return heedi_avx2_fail(error, HEED_ERROR_VERSION,
                               "avx2: the host's table has %u bytes, %zu expected",
                               (unsigned)host->struct_size, sizeof *host);
    struct heed_plugin_options known;
    memset(&known, 0, sizeof known);
    if (options != NULL && !heedi_avx2_read(&known, sizeof known, options, options->struct_size))
        return heedi_avx2_fail(error, HEED_ERROR_UNSUPPORTED,
                               "avx2: the options hold a field that this version does not "
                               "know");
    if (missing_feature() != NULL)
        return heedi_avx2_fail(error, HEED_ERROR_UNSUPPORTED, "avx2: this processor has no %s",
                               missing_feature());
    if (known.device != 0)
        return heedi_avx2_fail(error, HEED_ERROR_NOT_FOUND,
                               "avx2: device %u does not exist, there is only device 0",
                               (unsigned)known.device);
    if (known.options != NULL && known.options[0] != '\0')
        return heedi_avx2_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                               "avx2: unknown option '%.200s', this backend has none",
                               known.options);
    *plugin = heedi_avx2_calloc(host, 1, sizeof **plugin);
    if (*plugin == NULL)
        return heedi_avx2_fail(error, HEED_ERROR_OUT_OF_MEMORY, "avx2: out of memory");
    (*plugin)->host = host;
    return HEED_OK;
}

static void destroy(struct heed_plugin *plugin) {
    if (plugin != NULL)
        heedi_avx2_free(plugin->host, plugin);
}

static const void *get_extension(const char *name) {
    return strcmp(name, HEED_EXTENSION_PROFILE) == 0 ? &heedi_avx2_profile : NULL;
}

static const struct heed_backend backend = {
    .struct_size = sizeof(struct heed_backend),
    .abi_version = HEED_ABI_VERSION,
    .name = "avx2",
    .version = HEED_VERSION_STRING,
    .description = "AVX2, FMA and F16C intrinsics",
    .enumerate = enumerate,
    .create = create,
    .destroy = destroy,
    .query = heedi_avx2_query,
    .compile = heedi_avx2_compile,
    .program_destroy = heedi_avx2_program_destroy,
    .instance_create = heedi_avx2_instance_create,
    .instance_destroy = heedi_avx2_instance_destroy,
    .bind = heedi_avx2_bind,
    .bind_state = heedi_avx2_bind_state,
    .submit = heedi_avx2_submit,
    .wait = heedi_avx2_wait,
    .state_create = heedi_avx2_state_create,
    .state_destroy = heedi_avx2_state_destroy,
    .state_write = heedi_avx2_state_write,
    .state_read = heedi_avx2_state_read,
    .get_extension = get_extension,
};

HEED_BACKEND_ENTRY(avx2) {
    return HEED_ABI_VERSION_MAJOR(abi_version) == HEED_ABI_MAJOR ? &backend : NULL;
}
