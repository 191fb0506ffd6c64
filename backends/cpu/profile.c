/* SPDX-License-Identifier: Apache-2.0 */
/* The extension "heed.profile/1": when each node of the last run began and ended. */
#include <time.h>

#include "cpu.h"

/* timespec_get is all that C11 offers; it may step when the clock is set, which a profile can
 * bear. */
uint64_t heedi_cpu_now_ns(void) {
    struct timespec now;
    if (timespec_get(&now, TIME_UTC) != TIME_UTC)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void enable(struct heed_plugin_instance *instance, uint32_t on) {
    instance->profiled = on != 0;
    instance->entry_count = 0;
}

static uint32_t entries(struct heed_plugin_instance *instance,
                        const struct heed_profile_entry **first) {
    *first = instance->entries;
    return instance->entry_count;
}

const struct heed_profile_extension heedi_cpu_profile = {
    .struct_size = sizeof(struct heed_profile_extension), .enable = enable, .entries = entries};
