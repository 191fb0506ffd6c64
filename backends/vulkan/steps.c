/* SPDX-License-Identifier: Apache-2.0 */
/* Several steps of a program in one submission: its batches are listed again and again, and after
 * each step copies within device memory make outputs the inputs of the next one. What is wanted of
 * every step gathers in a history that the host sees, so that nothing else comes back. */
#include <string.h>

#include "instance.h"

/* ---- making and destroying ---- */

static const struct vk_storage *storage_of(const struct heed_plugin_instance *instance,
                                           uint32_t binding) {
    const struct heed_plugin_program *program = instance->program;
    return &program->storages[program->boundaries[binding].tensor];
}

static bool is(const struct heed_plugin_instance *instance, uint32_t binding, enum heed_role role) {
    const struct heed_plugin_program *program = instance->program;
    return binding < program->boundary_count && program->boundaries[binding].tensor >= 0 &&
           program->boundaries[binding].role == (uint32_t)role;
}

/* Copies what the host wants; HEED_ERROR_UNSUPPORTED for what this cannot do. */
static enum heed_status read_steps(const struct heed_plugin_instance *instance,
                                   const struct heed_plugin_steps *wanted, struct vk_steps *steps,
                                   uint64_t *history_bytes, struct heed_error *error) {
    const uint64_t most = instance->program->plugin->device.limits.range_bytes;
    for (uint32_t i = 0; i < wanted->carry_count; i++) {
        const struct heed_plugin_carry *carry = &wanted->carries[i];
        if (!is(instance, carry->output, HEED_ROLE_OUTPUT) ||
            !is(instance, carry->input, HEED_ROLE_INPUT) ||
            storage_of(instance, carry->output)->bytes != storage_of(instance, carry->input)->bytes)
            return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                     "output %u cannot become input %u", (unsigned)carry->output,
                                     (unsigned)carry->input);
        steps->carries[steps->carry_count++] = *carry;
    }
    for (uint32_t i = 0; i < wanted->stacked_count; i++) {
        const uint32_t binding = wanted->stacked[i];
        if (!is(instance, binding, HEED_ROLE_OUTPUT))
            return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED, "binding %u is no output",
                                     (unsigned)binding);
        steps->stacked[steps->stacked_count++] = (struct vk_stacked){
            .binding = binding, .host = wanted->memory[i], .offset = *history_bytes};
        *history_bytes += storage_of(instance, binding)->bytes * wanted->most;
        if (*history_bytes > most)
            return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                     "%u steps leave too much behind", (unsigned)wanted->most);
    }
    return HEED_OK;
}

static enum heed_status make(struct heed_plugin_instance *instance,
                             const struct heed_plugin_steps *wanted, struct heed_error *error) {
    struct heed_plugin *plugin = instance->program->plugin;
    struct vk_steps *steps = instance->steps;
    uint64_t bytes = 0;
    steps->most = wanted->most;
    steps->carries = heedi_common_calloc(plugin->host, wanted->carry_count, sizeof *steps->carries);
    steps->stacked =
        heedi_common_calloc(plugin->host, wanted->stacked_count, sizeof *steps->stacked);
    steps->after = heedi_common_calloc(plugin->host, wanted->most, sizeof *steps->after);
    if (steps->carries == NULL || steps->stacked == NULL || steps->after == NULL ||
        !heedi_vk_make_list(instance, wanted->most))
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                 "out of memory for several steps");
    enum heed_status status = read_steps(instance, wanted, steps, &bytes, error);
    if (status == HEED_OK && bytes > 0)
        status = heedi_vk_allocate(plugin, VK_MEMORY_STAGING, bytes, &steps->history, error);
    if (status != HEED_OK)
        return status;
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = instance->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = steps->most,
    };
    return heedi_vk_result(
        error, VK_TRY(plugin, vkAllocateCommandBuffers, plugin->handle, &info, steps->after),
        "command buffers of several steps");
}

static enum heed_status configure(struct heed_plugin_instance *instance,
                                  const struct heed_plugin_steps *given, struct heed_error *error) {
    struct heed_plugin_steps wanted;
    if (!heedi_common_read(&wanted, sizeof wanted, given, given->struct_size))
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "the steps hold a field that this version does not know");
    if (wanted.most < 1 || instance->steps != NULL)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "steps are set once, at least 1 of them");
    instance->steps =
        heedi_common_calloc(instance->program->plugin->host, 1, sizeof *instance->steps);
    if (instance->steps == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                 "out of memory for several steps");
    const enum heed_status status = make(instance, &wanted, error);
    instance->recorded = false;
    if (status != HEED_OK)
        heedi_vk_steps_destroy(instance);
    else
        heedi_vk_profile_grow(instance);
    return status;
}

void heedi_vk_steps_destroy(struct heed_plugin_instance *instance) {
    struct heed_plugin *plugin = instance->program->plugin;
    struct vk_steps *steps = instance->steps;
    if (steps == NULL)
        return;
    heedi_vk_release(plugin, &steps->history); /* the command buffers go with their pool */
    heedi_common_free(plugin->host, steps->carries);
    heedi_common_free(plugin->host, steps->stacked);
    heedi_common_free(plugin->host, steps->after);
    heedi_common_free(plugin->host, steps);
    instance->steps = NULL;
}

/* ---- recording and running ---- */

static void copy(const struct heed_plugin_instance *instance, VkCommandBuffer commands,
                 const struct vk_storage *from, const struct vk_region *to, uint64_t offset) {
    const VkBufferCopy range = {
        .srcOffset = instance->memory.offset + (uint64_t)from->offset_bytes,
        .dstOffset = to->offset + offset,
        .size = from->bytes,
    };
    if (from->bytes > 0)
        instance->program->plugin->vk.vkCmdCopyBuffer(commands, instance->memory.buffer, to->buffer,
                                                      1, &range);
}

VkResult heedi_vk_steps_record(const struct heed_plugin_instance *instance) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const struct vk_steps *steps = instance->steps;
    const VkPipelineStageFlags transfer = VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VkResult result = VK_SUCCESS;
    for (uint32_t step = 0; result == VK_SUCCESS && step < steps->most; step++) {
        const VkCommandBuffer commands = steps->after[step];
        result = VK_TRY(plugin, vkBeginCommandBuffer, commands, &begin);
        if (result != VK_SUCCESS)
            return result;
        heedi_vk_barrier(plugin, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | transfer,
                         transfer);
        for (uint32_t i = 0; i < steps->stacked_count; i++) {
            const struct vk_storage *from = storage_of(instance, steps->stacked[i].binding);
            copy(instance, commands, from, &steps->history,
                 steps->stacked[i].offset + step * from->bytes);
        }
        for (uint32_t i = 0; i < steps->carry_count; i++)
            copy(instance, commands, storage_of(instance, steps->carries[i].output),
                 &instance->memory,
                 (uint64_t)storage_of(instance, steps->carries[i].input)->offset_bytes);
        heedi_vk_profile_keep(instance, commands, step);
        result = VK_TRY(plugin, vkEndCommandBuffer, commands);
    }
    return result;
}

void heedi_vk_steps_read(const struct heed_plugin_instance *instance) {
    const struct vk_steps *steps = instance->steps;
    for (uint32_t i = 0; i < steps->stacked_count; i++) {
        const struct vk_stacked *stacked = &steps->stacked[i];
        const uint64_t bytes =
            storage_of(instance, stacked->binding)->bytes * instance->running_steps;
        if (bytes > 0)
            memcpy(stacked->host, (const char *)steps->history.mapped + stacked->offset, bytes);
    }
}

static enum heed_status submit(struct heed_plugin_instance *instance, uint32_t count,
                               struct heed_error *error) {
    if (instance->steps == NULL || count < 1 || count > instance->steps->most)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT, "%u steps were not prepared",
                                 (unsigned)count);
    return heedi_vk_begin(instance, count, error);
}

static uint64_t submission_ns(struct heed_plugin *plugin) {
    return plugin->submission_ns;
}

const struct heed_steps_extension heedi_vk_steps = {.struct_size = sizeof heedi_vk_steps,
                                                    .configure = configure,
                                                    .submit = submit,
                                                    .submission_ns = submission_ns};
