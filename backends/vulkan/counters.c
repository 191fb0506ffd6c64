/* SPDX-License-Identifier: Apache-2.0 */
/* What runs cost besides the work itself: a run that replays records nothing, writes no descriptor
 * and takes no memory, and the host spends little time on it. Times are the thread's own, so that
 * waiting for the device is none of it; HEED_VULKAN_RECORD=always shows what recording anew costs.
 */
#include "instance.h"

static uint32_t counters(struct heed_plugin_instance *instance, const struct heed_counter **list) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const struct vk_counts *counts = &instance->counts;
    const struct {
        const char *name;
        uint64_t value;
    } all[VK_COUNTERS] = {
        {"submissions", counts->submissions},
        {"dispatches", counts->dispatches},
        {"recorded_commands", counts->recorded_commands},
        {"written_descriptors", counts->written_descriptors},
        {"device_allocations", __atomic_load_n(&plugin->memory.taken, __ATOMIC_RELAXED)},
        {"host_ns", counts->host_ns},
    };
    for (uint32_t i = 0; i < VK_COUNTERS; i++)
        instance->counters[i] = (struct heed_counter){
            .struct_size = sizeof(struct heed_counter), .name = all[i].name, .value = all[i].value};
    *list = instance->counters;
    return VK_COUNTERS;
}

const struct heed_counters_extension heedi_vk_counters = {.struct_size = sizeof heedi_vk_counters,
                                                          .counters = counters};

uint64_t heedi_vk_clock(const struct heed_plugin_instance *instance) {
    return instance->timed ? heedi_vk_thread_ns() : 0;
}

void heedi_vk_count_time(struct heed_plugin_instance *instance, uint64_t begin_ns) {
    if (instance->timed)
        instance->counts.host_ns += heedi_vk_thread_ns() - begin_ns;
}
