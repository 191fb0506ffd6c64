/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a plugin for a processor. */
#include <stdio.h>
#include <string.h>

#include "cpu.h"

const struct cpu_kernel heedi_cpu_kernels[CPU_KERNEL_COUNT] = {
#define KERNEL(ID, function) [CPU_##ID] = {#function, function},
#include "kernels.inc"
#undef KERNEL
};

enum heed_status heedi_cpu_enumerate(const struct cpu_backend *backend,
                                     struct heed_device_info *devices, uint32_t capacity,
                                     uint32_t *count, struct heed_error *error) {
    const char *reason = backend->unusable != NULL ? backend->unusable() : NULL;
    *count = reason == NULL ? 1 : 0;
    if (reason != NULL)
        snprintf(error->message, sizeof error->message, "%s", reason);
    if (reason != NULL || capacity == 0)
        return HEED_OK;
    struct heed_device_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = devices->struct_size;
    info.type = HEED_DEVICE_CPU;
    info.flags = HEED_DEVICE_HOST_MEMORY;
    info.plan_alignment = 64;
    snprintf(info.name, sizeof info.name, "CPU");
    backend->describe(info.description, sizeof info.description);
    info.numeric = backend->numeric;
    info.numeric.struct_size = sizeof info.numeric;
    info.preference = backend->preference;
    const size_t known = devices->struct_size < sizeof info ? devices->struct_size : sizeof info;
    memcpy(devices, &info, known);
    return HEED_OK;
}

enum heed_status heedi_cpu_create(const struct cpu_backend *backend, const struct heed_host *host,
                                  const struct heed_plugin_options *options,
                                  struct heed_plugin **plugin, struct heed_error *error) {
    *plugin = NULL;
    if (host->struct_size < sizeof *host)
        return heedi_common_fail(error, HEED_ERROR_VERSION,
                                 "the host's table has %u bytes, %zu expected",
                                 (unsigned)host->struct_size, sizeof *host);
    struct heed_plugin_options known;
    memset(&known, 0, sizeof known);
    if (options != NULL && !heedi_common_read(&known, sizeof known, options, options->struct_size))
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "the options hold a field that this version does not know");
    const char *reason = backend->unusable != NULL ? backend->unusable() : NULL;
    if (reason != NULL)
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED, "%s", reason);
    if (known.device != 0)
        return heedi_common_fail(error, HEED_ERROR_NOT_FOUND,
                                 "device %u does not exist, there is only device 0",
                                 (unsigned)known.device);
    const char *given = known.options != NULL ? known.options : "";
    const bool option = backend->option != NULL && strcmp(given, backend->option) == 0;
    if (given[0] != '\0' && !option)
        return heedi_common_fail(
            error, HEED_ERROR_INVALID_ARGUMENT, "unknown option '%.200s', %s%s", given,
            backend->option != NULL ? "there is only " : "this backend has none",
            backend->option != NULL ? backend->option : "");
    *plugin = heedi_common_calloc(host, 1, sizeof **plugin);
    if (*plugin == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    (*plugin)->host = host;
    (*plugin)->backend = backend;
    (*plugin)->option = option;
    if (backend->open != NULL)
        backend->open(*plugin);
    return HEED_OK;
}

void heedi_cpu_destroy(struct heed_plugin *plugin) {
    if (plugin != NULL)
        heedi_common_free(plugin->host, plugin);
}

const void *heedi_cpu_get_extension(const char *name) {
    return strcmp(name, HEED_EXTENSION_PROFILE) == 0 ? &heedi_cpu_profile : NULL;
}
