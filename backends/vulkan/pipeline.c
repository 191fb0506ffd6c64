/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines: shaders with their specialization constants, made when a program first needs them. */
#include <string.h>

#include "vulkan.h"

static VkResult make_module(struct heed_plugin *plugin, enum vk_shader shader) {
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = heedi_vk_shaders[shader].code_bytes,
        .pCode = heedi_vk_shaders[shader].code,
    };
    if (plugin->modules[shader] != VK_NULL_HANDLE)
        return VK_SUCCESS;
    return VK_TRY(plugin, vkCreateShaderModule, plugin->handle, &info, NULL,
                  &plugin->modules[shader]);
}

/* Whether it matters which invocations of a workgroup are in which subgroup. */
static bool is_of_subgroups(enum vk_shader shader) {
    return shader == VK_SHADER_MATMUL_COOP_KHR || shader == VK_SHADER_MATMUL_COOP_NV;
}

static VkResult make(struct heed_plugin *plugin, struct vk_pipeline *pipeline) {
    VkSpecializationMapEntry entries[HEED_MAX_CONSTANTS];
    for (uint32_t i = 0; i < HEED_MAX_CONSTANTS; i++)
        entries[i] = (VkSpecializationMapEntry){
            .constantID = i, .offset = i * sizeof(uint32_t), .size = sizeof(uint32_t)};
    const VkSpecializationInfo constants = {
        .mapEntryCount = HEED_MAX_CONSTANTS,
        .pMapEntries = entries,
        .dataSize = sizeof pipeline->constants,
        .pData = pipeline->constants,
    };
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = plugin->device.limits.subgroup};
    const bool full = plugin->device.features.subgroup_control && is_of_subgroups(pipeline->shader);
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = plugin->stats ? VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR : 0,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = full ? &subgroup : NULL,
                  .flags = full ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = plugin->modules[pipeline->shader],
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = plugin->pipeline_layout,
    };
    return VK_TRY(plugin, vkCreateComputePipelines, plugin->handle, plugin->pipeline_cache, 1,
                  &info, NULL, &pipeline->handle);
}

static enum heed_status find_or_make(struct heed_plugin *plugin, enum vk_shader shader,
                                     const uint32_t constants[HEED_MAX_CONSTANTS],
                                     VkPipeline *handle, struct heed_error *error) {
    for (struct vk_pipeline *known = plugin->pipelines; known != NULL; known = known->next)
        if (known->shader == shader &&
            memcmp(known->constants, constants, sizeof known->constants) == 0) {
            *handle = known->handle;
            return HEED_OK;
        }
    struct vk_pipeline *pipeline = heedi_common_calloc(plugin->host, 1, sizeof *pipeline);
    if (pipeline == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    pipeline->shader = shader;
    memcpy(pipeline->constants, constants, sizeof pipeline->constants);
    VkResult result = make_module(plugin, shader);
    if (result == VK_SUCCESS)
        result = make(plugin, pipeline);
    if (result != VK_SUCCESS) {
        heedi_common_free(plugin->host, pipeline);
        return heedi_vk_result(error, result, heedi_vk_shaders[shader].name);
    }
    if (plugin->stats)
        heedi_vk_stats_write(plugin, pipeline);
    pipeline->next = plugin->pipelines;
    plugin->pipelines = pipeline;
    *handle = pipeline->handle;
    return HEED_OK;
}

enum heed_status heedi_vk_pipeline(struct heed_plugin *plugin, enum vk_shader shader,
                                   const uint32_t constants[HEED_MAX_CONSTANTS],
                                   VkPipeline *pipeline, struct heed_error *error) {
    pthread_mutex_lock(&plugin->pipeline_mutex);
    const enum heed_status status = find_or_make(plugin, shader, constants, pipeline, error);
    pthread_mutex_unlock(&plugin->pipeline_mutex);
    return status;
}

void heedi_vk_pipelines_destroy(struct heed_plugin *plugin) {
    heedi_vk_cache_save(plugin);
    while (plugin->pipelines != NULL) {
        struct vk_pipeline *pipeline = plugin->pipelines;
        plugin->pipelines = pipeline->next;
        plugin->vk.vkDestroyPipeline(plugin->handle, pipeline->handle, NULL);
        heedi_common_free(plugin->host, pipeline);
    }
    for (size_t i = 0; i < VK_SHADER_COUNT; i++)
        plugin->vk.vkDestroyShaderModule(plugin->handle, plugin->modules[i], NULL);
    plugin->vk.vkDestroyPipelineCache(plugin->handle, plugin->pipeline_cache, NULL);
    plugin->vk.vkDestroyPipelineLayout(plugin->handle, plugin->pipeline_layout, NULL);
    plugin->vk.vkDestroyDescriptorSetLayout(plugin->handle, plugin->set_layout, NULL);
}
