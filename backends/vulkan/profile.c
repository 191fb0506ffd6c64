/* SPDX-License-Identifier: Apache-2.0 */
/* How long each node took, by the device's own clock: a timestamp before the first dispatch and
 * after each. Devices without timestamps give no entries; then the host measures whole runs. */
#include <string.h>

#include "vulkan.h"

/* The queries, one more than dispatches; made when they are first wanted. */
static bool make_queries(struct heed_plugin_instance *instance) {
    const struct heed_plugin_program *program = instance->program;
    const struct heed_plugin *plugin = program->plugin;
    const VkQueryPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = program->dispatch_count + 1,
    };
    if (plugin->device.timestamp_bits == 0 || instance->entries != NULL)
        return false; /* there are none, or making them has failed before */
    instance->entries =
        heedi_vk_calloc(plugin->host, program->node_count, sizeof *instance->entries);
    instance->times =
        heedi_vk_calloc(plugin->host, program->dispatch_count + 1, sizeof *instance->times);
    return instance->entries != NULL && instance->times != NULL &&
           plugin->vk.vkCreateQueryPool(plugin->handle, &info, NULL, &instance->queries) ==
               VK_SUCCESS;
}

static void enable(struct heed_plugin_instance *instance, uint32_t on) {
    const bool wanted = on != 0;
    instance->entry_count = 0;
    if (wanted == instance->profiled ||
        (wanted && instance->queries == VK_NULL_HANDLE && !make_queries(instance)))
        return;
    instance->profiled = wanted;
    instance->recorded = false;
}

static uint32_t entries(struct heed_plugin_instance *instance,
                        const struct heed_profile_entry **list) {
    *list = instance->entries;
    return instance->entry_count;
}

const struct heed_profile_extension heedi_vk_profile = {
    .struct_size = sizeof heedi_vk_profile, .enable = enable, .entries = entries};

void heedi_vk_profile_begin(const struct heed_plugin_instance *instance, VkCommandBuffer commands) {
    const struct heed_plugin *plugin = instance->program->plugin;
    if (!instance->profiled)
        return;
    plugin->vk.vkCmdResetQueryPool(commands, instance->queries, 0,
                                   instance->program->dispatch_count + 1);
    heedi_vk_profile_mark(instance, commands, 0);
}

void heedi_vk_profile_mark(const struct heed_plugin_instance *instance, VkCommandBuffer commands,
                           uint32_t index) {
    if (instance->profiled)
        instance->program->plugin->vk.vkCmdWriteTimestamp(
            commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, instance->queries, index);
}

void heedi_vk_profile_read(struct heed_plugin_instance *instance) {
    const struct heed_plugin_program *program = instance->program;
    const struct heed_plugin *plugin = program->plugin;
    const uint32_t count = program->dispatch_count, bits = plugin->device.timestamp_bits;
    const uint64_t mask = bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
    const double period = (double)plugin->device.properties.limits.timestampPeriod;
    instance->entry_count = 0;
    if (!instance->profiled ||
        plugin->vk.vkGetQueryPoolResults(
            plugin->handle, instance->queries, 0, count + 1, (count + 1) * sizeof *instance->times,
            instance->times, sizeof *instance->times, VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return;
    for (uint32_t i = 0; i < count; i++) {
        const struct vk_dispatch *dispatch = &program->dispatches[i];
        const uint64_t begin = (instance->times[i] - instance->times[0]) & mask;
        const uint64_t end = (instance->times[i + 1] - instance->times[0]) & mask;
        struct heed_profile_entry *entry = &instance->entries[instance->entry_count];
        if (i > 0 && dispatch->node == program->dispatches[i - 1].node) {
            entry[-1].end_ns = (uint64_t)((double)end * period);
            continue;
        }
        *entry = (struct heed_profile_entry){
            .struct_size = sizeof *entry,
            .node = dispatch->node,
            .fused_count = dispatch->fused_count,
            .begin_ns = (uint64_t)((double)begin * period),
            .end_ns = (uint64_t)((double)end * period),
            .kernel = heedi_vk_shaders[dispatch->shader].name,
        };
        instance->entry_count++;
    }
}

void heedi_vk_profile_destroy(struct heed_plugin_instance *instance) {
    const struct heed_plugin *plugin = instance->program->plugin;
    plugin->vk.vkDestroyQueryPool(plugin->handle, instance->queries, NULL);
    heedi_vk_free(plugin->host, instance->entries);
    heedi_vk_free(plugin->host, instance->times);
}

const void *heedi_vk_get_extension(const char *name) {
    return strcmp(name, HEED_EXTENSION_PROFILE) == 0 ? &heedi_vk_profile : NULL;
}
