/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan backend's table, opening and closing it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "tune.h"

enum heed_status heedi_vk_result(struct heed_error *error, VkResult result, const char *what) {
    switch (result) {
    case VK_SUCCESS:
        return HEED_OK;
    case VK_ERROR_OUT_OF_HOST_MEMORY: /* of the driver: others may do without */
        return heedi_common_fail(error, HEED_ERROR_DEVICE_MEMORY,
                                 "%s: the driver is out of host memory", what);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        return heedi_common_fail(error, HEED_ERROR_DEVICE_MEMORY, "%s: out of device memory", what);
    case VK_ERROR_DEVICE_LOST:
        return heedi_common_fail(error, HEED_ERROR_DEVICE_LOST, "%s: the device was lost", what);
    case VK_ERROR_INITIALIZATION_FAILED:
        return heedi_common_fail(error, HEED_ERROR_INTERNAL, "%s: the driver failed", what);
    case VK_TIMEOUT:
        return heedi_common_fail(error, HEED_ERROR_TIMEOUT, "%s: not finished in time", what);
    default:
        return heedi_common_fail(error, HEED_ERROR_INTERNAL, "%s: Vulkan answered %d", what,
                                 (int)result);
    }
}

/* ---- the table ---- */

static enum heed_status enumerate(struct heed_device_info *devices, size_t stride,
                                  uint32_t capacity, uint32_t *count, struct heed_error *error) {
    struct vk_device found[VK_MOST_DEVICES];
    VkInstance instance = VK_NULL_HANDLE;
    *count = 0;
    if (heedi_vk_instance_create(&instance, error) != HEED_OK)
        return HEED_OK; /* no device, and why is said */
    if (heedi_vk_devices(instance, found, VK_MOST_DEVICES, count, error) != HEED_OK)
        *count = 0;
    for (uint32_t i = 0; i < *count && i < capacity; i++) {
        struct heed_device_info info;
        struct heed_device_info *target = (void *)((char *)devices + i * stride);
        memset(&info, 0, sizeof info);
        info.struct_size = target->struct_size;
        heedi_vk_describe(&found[i], &info);
        memcpy(target, &info, info.struct_size < sizeof info ? info.struct_size : sizeof info);
    }
    vkDestroyInstance(instance, NULL);
    return HEED_OK;
}

static void tell_waits(const struct heed_plugin *plugin) {
    char line[100];
    if (plugin->fault == NULL || !plugin->fault->hangs)
        return;
    (void)snprintf(line, sizeof line, "HEED_VULKAN_FAULT: waits in vain for %llu s in all",
                   (unsigned long long)(plugin->fault->waited_ns / 1000000000));
    plugin->host->log(plugin->host->handle, HEED_LOG_WARNING, line);
}

static void destroy(struct heed_plugin *plugin) {
    if (plugin == NULL)
        return;
    if (plugin->handle != VK_NULL_HANDLE) {
        if (!heedi_vk_hangs(plugin)) /* this wait has no limit */
            (void)plugin->vk.vkDeviceWaitIdle(plugin->handle);
        heedi_vk_pipelines_destroy(plugin);
        heedi_vk_ring_destroy(plugin);
        heedi_vk_memory_destroy(plugin);
        plugin->vk.vkDestroyDevice(plugin->handle, NULL);
    }
    if (plugin->instance != VK_NULL_HANDLE)
        vkDestroyInstance(plugin->instance, NULL);
    pthread_mutex_destroy(&plugin->queue_mutex);
    pthread_mutex_destroy(&plugin->pipeline_mutex);
    pthread_mutex_destroy(&plugin->trial_mutex);
    pthread_mutex_destroy(&plugin->memory.mutex);
    pthread_mutex_destroy(&plugin->ring.mutex);
    tell_waits(plugin);
    heedi_common_free(plugin->host, plugin->fault);
    heedi_common_free(plugin->host, plugin);
}

static enum heed_status read_fault(struct heed_plugin *plugin, struct heed_error *error) {
    static const struct {
        const char *name;
        VkResult result;
    } faults[] = {
        {"lost@", VK_ERROR_DEVICE_LOST},
        {"memory@", VK_ERROR_OUT_OF_DEVICE_MEMORY},
        {"host@", VK_ERROR_OUT_OF_HOST_MEMORY},
        {"timeout@", VK_TIMEOUT},
        {"hang@", VK_TIMEOUT},
    };
    const char *given = getenv("HEED_VULKAN_FAULT");
    plugin->wrong_trials = given != NULL && strcmp(given, "selftest") == 0;
    plugin->without_barriers = given != NULL && strcmp(given, "barriers") == 0;
    plugin->overruns = given != NULL && strcmp(given, "overrun") == 0;
    if (plugin->wrong_trials || plugin->without_barriers || plugin->overruns)
        return HEED_OK;
    for (size_t i = 0; given != NULL && i < sizeof faults / sizeof faults[0]; i++) {
        const size_t length = strlen(faults[i].name);
        if (strncmp(given, faults[i].name, length) != 0)
            continue;
        plugin->fault = heedi_common_calloc(plugin->host, 1, sizeof *plugin->fault);
        if (plugin->fault == NULL)
            return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
        plugin->fault->result = faults[i].result;
        plugin->fault->hangs = strcmp(faults[i].name, "hang@") == 0;
        plugin->fault->left = (int)strtol(given + length, NULL, 10);
        return HEED_OK;
    }
    return given == NULL ? HEED_OK
                         : heedi_common_fail(
                               error, HEED_ERROR_INVALID_ARGUMENT,
                               "HEED_VULKAN_FAULT: expected lost@N, memory@N, host@N, "
                               "timeout@N, hang@N, selftest, barriers or overrun, found '%.100s'",
                               given);
}

static enum heed_status create(const struct heed_host *host,
                               const struct heed_plugin_options *options,
                               struct heed_plugin **plugin, struct heed_error *error) {
    struct vk_device found[VK_MOST_DEVICES];
    struct heed_plugin_options known;
    uint32_t count = 0;
    *plugin = NULL;
    if (host->struct_size < sizeof *host)
        return heedi_common_fail(error, HEED_ERROR_VERSION,
                                 "the host's table has %u bytes, %zu expected",
                                 (unsigned)host->struct_size, sizeof *host);
    memset(&known, 0, sizeof known);
    if (options != NULL && !heedi_common_read(&known, sizeof known, options, options->struct_size))
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "the options hold a field that this version does not know");
    struct heed_plugin *made = heedi_common_calloc(host, 1, sizeof *made);
    if (made == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    made->host = host;
    pthread_mutex_init(&made->queue_mutex, NULL);
    pthread_mutex_init(&made->pipeline_mutex, NULL);
    pthread_mutex_init(&made->trial_mutex, NULL);
    pthread_mutex_init(&made->memory.mutex, NULL);
    pthread_mutex_init(&made->ring.mutex, NULL);
    const char *records = getenv("HEED_VULKAN_RECORD");
    made->records_always = records != NULL && strcmp(records, "always") == 0;
    made->guards = heedi_vk_wants_guards();
    enum heed_status status = read_fault(made, error);
    if (status == HEED_OK)
        status = heedi_vk_instance_create(&made->instance, error);
    if (status == HEED_OK)
        status = heedi_vk_devices(made->instance, found, VK_MOST_DEVICES, &count, error);
    if (status == HEED_OK && known.device >= count)
        status =
            heedi_common_fail(error, HEED_ERROR_NOT_FOUND, "device %u does not exist, there are %u",
                              (unsigned)known.device, (unsigned)count);
    if (status == HEED_OK) {
        made->device = found[known.device];
        status = heedi_vk_device_open(made, error);
    }
    if (status == HEED_OK)
        status = heedi_vk_tuning_open(made, known.options, error);
    if (status == HEED_OK)
        heedi_vk_submission_open(made);
    if (status == HEED_OK)
        status = heedi_vk_variants(made, error);
    if (status != HEED_OK) {
        destroy(made);
        return status;
    }
    *plugin = made;
    return HEED_OK;
}

static const struct heed_backend table = {
    .struct_size = sizeof(struct heed_backend),
    .abi_version = HEED_ABI_VERSION,
    .name = "vulkan",
    .version = HEED_VERSION_STRING,
    .description = "compute shaders for graphics processors with Vulkan 1.1",
    .enumerate = enumerate,
    .create = create,
    .destroy = destroy,
    .query = heedi_vk_query,
    .compile = heedi_vk_compile,
    .program_destroy = heedi_vk_program_destroy,
    .instance_create = heedi_vk_instance_new,
    .instance_destroy = heedi_vk_instance_destroy,
    .bind = heedi_vk_bind,
    .bind_state = heedi_vk_bind_state,
    .submit = heedi_vk_submit,
    .wait = heedi_vk_wait,
    .state_create = heedi_vk_state_create,
    .state_destroy = heedi_vk_state_destroy,
    .state_write = heedi_vk_state_write,
    .state_read = heedi_vk_state_read,
    .get_extension = heedi_vk_get_extension,
};

HEED_BACKEND_ENTRY(vulkan) {
    return HEED_ABI_VERSION_MAJOR(abi_version) == HEED_ABI_MAJOR ? &table : NULL;
}
