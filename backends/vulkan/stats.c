/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver's compiler made of each shader: registers, spills, shared memory, as far as it
 * tells (VK_KHR_pipeline_executable_properties). HEED_VULKAN_STATS=FILE appends a line per pipeline
 * to the file:
 *
 *     device <tab> shader <tab> constants <tab> statistic <tab> value
 *
 * Compiling needs no device that computes: a program is compiled as far as its pipelines even where
 * its memory cannot be had, as with drivers that only pretend to have a chip (tools/shader-stats).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan.h"

bool heedi_vk_stats_wanted(void) {
    const char *path = getenv("HEED_VULKAN_STATS");
    return path != NULL && path[0] != '\0';
}

static void write_value(FILE *file, const VkPipelineExecutableStatisticKHR *statistic) {
    switch (statistic->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
        fprintf(file, "%u\n", (unsigned)statistic->value.b32);
        break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
        fprintf(file, "%" PRId64 "\n", statistic->value.i64);
        break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR:
        fprintf(file, "%g\n", statistic->value.f64);
        break;
    default:
        fprintf(file, "%" PRIu64 "\n", statistic->value.u64);
        break;
    }
}

void heedi_vk_stats_write(const struct heed_plugin *plugin, const struct vk_pipeline *pipeline) {
    enum { MOST = 64 };
    static const VkPipelineExecutableStatisticKHR empty = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
    VkPipelineExecutableStatisticKHR statistics[MOST];
    uint32_t count = MOST;
    const VkPipelineExecutableInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline->handle};
    for (uint32_t i = 0; i < MOST; i++)
        statistics[i] = empty;
    FILE *file = fopen(getenv("HEED_VULKAN_STATS"), "a");
    if (file == NULL)
        return;
    if (plugin->vk.vkGetPipelineExecutableStatisticsKHR(plugin->handle, &info, &count, statistics) <
        VK_SUCCESS)
        count = 0;
    for (uint32_t i = 0; i < count; i++) {
        fprintf(file, "%s\t%s\t", plugin->device.properties.deviceName,
                heedi_vk_shaders[pipeline->shader].name);
        for (int c = 0; c < HEED_MAX_CONSTANTS; c++)
            fprintf(file, "%s%u", c > 0 ? "," : "", (unsigned)pipeline->constants[c]);
        fprintf(file, "\t%s\t", statistics[i].name);
        write_value(file, &statistics[i]);
    }
    (void)fclose(file);
}
