/* SPDX-License-Identifier: Apache-2.0 */
/* How long each node took, by the device's own clock: a timestamp before the first dispatch and
 * after each. Devices without timestamps give no entries; then the host measures whole runs. */
#include <string.h>

#include "instance.h"
#include "tune.h"

static uint32_t most_steps(const struct heed_plugin_instance *instance) {
    return instance->steps != NULL ? instance->steps->most : 1;
}

/* The queries, one more than dispatches, and room for those of every step; made when they are first
 * wanted. */
static bool make_queries(struct heed_plugin_instance *instance) {
    const struct heed_plugin_program *program = instance->program;
    struct heed_plugin *plugin = program->plugin;
    const size_t steps = most_steps(instance), stamps = (size_t)program->dispatch_count + 1;
    const VkQueryPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = program->dispatch_count + 1,
    };
    struct heed_error error = {.struct_size = sizeof error};
    if (plugin->device.timestamp_bits == 0 || instance->entries != NULL)
        return false; /* there are none, or making them has failed before */
    instance->entries =
        heedi_common_calloc(plugin->host, program->node_count * steps, sizeof *instance->entries);
    instance->times = heedi_common_calloc(plugin->host, stamps * steps, sizeof *instance->times);
    if (instance->entries == NULL || instance->times == NULL)
        return false;
    if (instance->steps != NULL &&
        heedi_vk_allocate(plugin, VK_MEMORY_STAGING, stamps * steps * sizeof(uint64_t),
                          &instance->stamps, &error) != HEED_OK)
        return false;
    return plugin->vk.vkCreateQueryPool(plugin->handle, &info, NULL, &instance->queries) ==
           VK_SUCCESS;
}

static void enable(struct heed_plugin_instance *instance, uint32_t on) {
    const bool wanted = on != 0;
    instance->entry_count = 0;
    instance->timed = wanted;
    if (wanted == instance->profiled ||
        (wanted && instance->queries == VK_NULL_HANDLE && !make_queries(instance)))
        return;
    instance->profiled = wanted;
    instance->recorded = false;
}

void heedi_vk_profile_grow(struct heed_plugin_instance *instance) {
    const bool profiled = instance->profiled;
    heedi_vk_profile_destroy(instance);
    instance->profiled = false;
    enable(instance, profiled);
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

void heedi_vk_profile_keep(const struct heed_plugin_instance *instance, VkCommandBuffer commands,
                           uint32_t step) {
    const uint32_t count = instance->program->dispatch_count + 1;
    if (instance->profiled)
        instance->program->plugin->vk.vkCmdCopyQueryPoolResults(
            commands, instance->queries, 0, count, instance->stamps.buffer,
            instance->stamps.offset + (uint64_t)step * count * sizeof(uint64_t), sizeof(uint64_t),
            VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
}

/* Nanoseconds from the begin of the run to a timestamp. */
static uint64_t since(const struct heed_plugin_instance *instance, uint64_t time) {
    const struct vk_device *device = &instance->program->plugin->device;
    const uint32_t bits = device->timestamp_bits;
    const uint64_t mask = bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX;
    const double period = (double)device->properties.limits.timestampPeriod;
    return (uint64_t)((double)((time - instance->times[0]) & mask) * period);
}

/* Adds what the timestamps of a step say of its nodes. */
static void add_step(struct heed_plugin_instance *instance, const uint64_t *times) {
    const struct heed_plugin_program *program = instance->program;
    for (uint32_t i = 0; i < program->dispatch_count; i++) {
        const struct vk_dispatch *dispatch = &program->dispatches[i];
        struct heed_profile_entry *entry = &instance->entries[instance->entry_count];
        if (i > 0 && dispatch->node == program->dispatches[i - 1].node) {
            entry[-1].end_ns = since(instance, times[i + 1]);
            entry[-1].dispatches++;
            continue;
        }
        *entry = (struct heed_profile_entry){
            .struct_size = sizeof *entry,
            .node = dispatch->node,
            .fused_count = dispatch->fused_count,
            .dispatches = 1,
            .begin_ns = since(instance, times[i]),
            .end_ns = since(instance, times[i + 1]),
            .kernel = heedi_vk_shaders[dispatch->shader].name,
        };
        instance->entry_count++;
    }
}

void heedi_vk_profile_read(struct heed_plugin_instance *instance) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const uint32_t count = instance->program->dispatch_count + 1, steps = instance->running_steps;
    instance->entry_count = 0;
    if (!instance->profiled)
        return;
    if (steps > 0)
        memcpy(instance->times, instance->stamps.mapped, (size_t)steps * count * sizeof(uint64_t));
    else if (plugin->vk.vkGetQueryPoolResults(
                 plugin->handle, instance->queries, 0, count, count * sizeof *instance->times,
                 instance->times, sizeof *instance->times, VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return;
    for (uint32_t step = 0; step < (steps > 0 ? steps : 1); step++)
        add_step(instance, &instance->times[(size_t)step * count]);
}

void heedi_vk_profile_destroy(struct heed_plugin_instance *instance) {
    struct heed_plugin *plugin = instance->program->plugin;
    plugin->vk.vkDestroyQueryPool(plugin->handle, instance->queries, NULL);
    heedi_vk_release(plugin, &instance->stamps);
    heedi_common_free(plugin->host, instance->entries);
    heedi_common_free(plugin->host, instance->times);
    instance->queries = VK_NULL_HANDLE;
    instance->entries = NULL;
    instance->times = NULL;
}

const void *heedi_vk_get_extension(const char *name) {
    const struct {
        const char *name;
        const void *table;
    } extensions[] = {
        {HEED_EXTENSION_PROFILE, &heedi_vk_profile},   {HEED_EXTENSION_TUNE, &heedi_vk_tune},
        {HEED_EXTENSION_REPORT, &heedi_vk_report},     {HEED_EXTENSION_STEPS, &heedi_vk_steps},
        {HEED_EXTENSION_COUNTERS, &heedi_vk_counters},
    };
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        if (strcmp(name, extensions[i].name) == 0)
            return extensions[i].table;
    return NULL;
}
