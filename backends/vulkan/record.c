/* SPDX-License-Identifier: Apache-2.0 */
/* Recording: descriptors, and command buffers with the dispatches of a program, with barriers where
 * one touches what another wrote. Inputs are copied in and outputs out where the host cannot write
 * device memory itself, by command buffers of their own, so that steps can follow each other
 * without these copies. */
#include "instance.h"

/* ---- descriptors ---- */

/* The bytes that a binding shows. */
struct span {
    VkBuffer buffer;
    uint64_t offset, bytes;
};

static struct span span_of(const struct heed_plugin_instance *instance,
                           const struct vk_binding *binding) {
    const struct heed_plugin_program *program = instance->program;
    const struct vk_region *memory = &instance->memory;
    if (binding->storage == VK_STORAGE_ALL)
        return (struct span){memory->buffer, memory->offset + binding->offset_bytes,
                             binding->bytes};
    const struct vk_storage *storage = &program->storages[binding->storage];
    const struct vk_region *region = memory;
    uint64_t offset = 0;
    if (storage->weight != NULL)
        region = &storage->weight->region;
    else if (storage->role == HEED_ROLE_STATE)
        region = &instance->states[storage->binding]->region;
    else
        offset = (uint64_t)storage->offset_bytes;
    if (binding->bytes > 0)
        return (struct span){region->buffer, region->offset + offset + binding->offset_bytes,
                             binding->bytes};
    /* at least one element, and whole words, as shaders read these */
    const uint64_t bytes = (storage->bytes + 3) / 4 * 4 + binding->tail_bytes;
    return (struct span){region->buffer, region->offset + offset, bytes > 0 ? bytes : 4};
}

/* Returns the number of descriptors. */
static uint32_t write_set(const struct heed_plugin_instance *instance, uint32_t index) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const struct vk_dispatch *dispatch = &instance->program->dispatches[index];
    VkDescriptorBufferInfo infos[HEED_MAX_BINDINGS];
    VkWriteDescriptorSet writes[HEED_MAX_BINDINGS];
    const uint32_t count = heedi_vk_shaders[dispatch->shader].bindings;
    for (uint32_t i = 0; i < count; i++) {
        const struct span span = span_of(instance, &dispatch->bindings[i]);
        infos[i] = (VkDescriptorBufferInfo){
            .buffer = span.buffer, .offset = span.offset, .range = span.bytes};
        writes[i] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = instance->sets[index],
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &infos[i],
        };
    }
    plugin->vk.vkUpdateDescriptorSets(plugin->handle, count, writes, 0, NULL);
    return count;
}

/* ---- recording ---- */

static bool overlaps(const struct span *a, const struct span *b) {
    return a->buffer == b->buffer && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

/* Whether a dispatch touches what another wrote, or writes what it touched. */
static bool depends(const struct heed_plugin_instance *instance, const struct vk_dispatch *later,
                    const struct vk_dispatch *earlier) {
    for (uint32_t i = 0; i < heedi_vk_shaders[later->shader].bindings; i++)
        for (uint32_t j = 0; j < heedi_vk_shaders[earlier->shader].bindings; j++) {
            const struct vk_binding *a = &later->bindings[i], *b = &earlier->bindings[j];
            if (!a->writes && !b->writes)
                continue;
            const struct span x = span_of(instance, a), y = span_of(instance, b);
            if (overlaps(&x, &y))
                return true;
        }
    return false;
}

void heedi_vk_barrier(const struct heed_plugin *plugin, VkCommandBuffer commands,
                      VkPipelineStageFlags from, VkPipelineStageFlags to) {
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    const VkPipelineStageFlags transfer = VK_PIPELINE_STAGE_TRANSFER_BIT;
    VkMemoryBarrier memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER};
    if (plugin->without_barriers)
        return;
    if ((from & compute) != 0)
        memory.srcAccessMask |= VK_ACCESS_SHADER_WRITE_BIT;
    if ((from & transfer) != 0)
        memory.srcAccessMask |= VK_ACCESS_TRANSFER_WRITE_BIT;
    if ((to & compute) != 0)
        memory.dstAccessMask |= VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
    if ((to & transfer) != 0)
        memory.dstAccessMask |= VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    if ((to & VK_PIPELINE_STAGE_HOST_BIT) != 0)
        memory.dstAccessMask |= VK_ACCESS_HOST_READ_BIT;
    plugin->vk.vkCmdPipelineBarrier(commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

/* The fault that guards should see: the word after what the dispatch writes is written. */
static void record_overrun(const struct heed_plugin_instance *instance, VkCommandBuffer commands,
                           const struct vk_dispatch *dispatch) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    for (uint32_t i = 0; i < heedi_vk_shaders[dispatch->shader].bindings; i++) {
        const struct vk_binding *binding = &dispatch->bindings[i];
        if (!binding->writes || binding->storage == VK_STORAGE_ALL)
            continue;
        const struct span span = span_of(instance, binding);
        heedi_vk_barrier(plugin, commands, compute, VK_PIPELINE_STAGE_TRANSFER_BIT);
        plugin->vk.vkCmdFillBuffer(commands, span.buffer, span.offset + span.bytes, 4, 0);
        heedi_vk_barrier(plugin, commands, VK_PIPELINE_STAGE_TRANSFER_BIT, compute);
        return;
    }
}

/* Records the dispatches of a batch, *next being its first. */
static void record_dispatches(const struct heed_plugin_instance *instance, VkCommandBuffer commands,
                              uint32_t batch, uint32_t *next) {
    const struct heed_plugin_program *program = instance->program;
    const struct heed_plugin *plugin = program->plugin;
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    VkPipeline bound = VK_NULL_HANDLE;
    uint32_t since = *next; /* the first dispatch after the last barrier */
    for (uint32_t i = since; i < program->dispatch_count; i++) {
        const struct vk_dispatch *dispatch = &program->dispatches[i];
        if (dispatch->batch != batch)
            break;
        for (uint32_t j = since; j < i; j++)
            if (depends(instance, dispatch, &program->dispatches[j])) {
                heedi_vk_barrier(plugin, commands, compute, compute);
                since = i;
                break;
            }
        if (dispatch->pipeline != bound)
            plugin->vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                                         dispatch->pipeline);
        bound = dispatch->pipeline;
        plugin->vk.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                                           plugin->pipeline_layout, 0, 1, &instance->sets[i], 0,
                                           NULL);
        plugin->vk.vkCmdPushConstants(commands, plugin->pipeline_layout,
                                      VK_SHADER_STAGE_COMPUTE_BIT, 0, dispatch->push_bytes,
                                      dispatch->push);
        plugin->vk.vkCmdDispatch(commands, dispatch->groups[0], dispatch->groups[1],
                                 dispatch->groups[2]);
        if (plugin->overruns && plugin->guards)
            record_overrun(instance, commands, dispatch);
        heedi_vk_profile_mark(instance, commands, i + 1);
        *next = i + 1;
    }
}

/* Copies boundary tensors of one role between the staging region and the memory. */
static void record_copies(const struct heed_plugin_instance *instance, VkCommandBuffer commands,
                          enum heed_role role) {
    const struct heed_plugin_program *program = instance->program;
    const struct vk_region *memory = &instance->memory, *staging = &instance->staging;
    for (uint32_t i = 0; i < program->boundary_count; i++) {
        const struct vk_boundary *boundary = &program->boundaries[i];
        if (boundary->tensor < 0 || boundary->role != (uint32_t)role)
            continue;
        const struct vk_storage *storage = &program->storages[boundary->tensor];
        const uint64_t device = memory->offset + (uint64_t)storage->offset_bytes;
        const uint64_t host = staging->offset + boundary->staging_offset;
        const bool in = role == HEED_ROLE_INPUT;
        const VkBufferCopy range = {
            .srcOffset = in ? host : device,
            .dstOffset = in ? device : host,
            .size = storage->bytes,
        };
        if (storage->bytes > 0)
            program->plugin->vk.vkCmdCopyBuffer(commands, in ? staging->buffer : memory->buffer,
                                                in ? memory->buffer : staging->buffer, 1, &range);
    }
}

static VkResult begin(const struct heed_plugin_instance *instance, VkCommandBuffer commands) {
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        /* with several steps a submission lists a batch several times */
        .flags = instance->steps != NULL ? VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT : 0,
    };
    return VK_TRY(instance->program->plugin, vkBeginCommandBuffer, commands, &info);
}

static VkResult record_batch(const struct heed_plugin_instance *instance, uint32_t batch,
                             uint32_t *next) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const VkCommandBuffer commands = instance->commands[VK_COMMANDS_BODY + batch];
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    const VkResult result = begin(instance, commands);
    if (result != VK_SUCCESS)
        return result;
    /* states and the arena were touched by runs, steps and batches before this one */
    heedi_vk_barrier(plugin, commands, compute | VK_PIPELINE_STAGE_TRANSFER_BIT, compute);
    if (batch == 0)
        heedi_vk_profile_begin(instance, commands);
    record_dispatches(instance, commands, batch, next);
    return VK_TRY(plugin, vkEndCommandBuffer, commands);
}

/* What goes before and after: copies where the host does not see the memory, and the end. */
static VkResult record_ends(const struct heed_plugin_instance *instance) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const VkPipelineStageFlags transfer = VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkPipelineStageFlags all = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | transfer;
    VkResult result = VK_SUCCESS;
    for (int i = VK_COMMANDS_IN; result == VK_SUCCESS && i <= VK_COMMANDS_END; i++) {
        const VkCommandBuffer commands = instance->commands[i];
        if (i != VK_COMMANDS_END && instance->staging.block == NULL)
            continue;
        result = begin(instance, commands);
        if (result != VK_SUCCESS)
            return result;
        heedi_vk_barrier(plugin, commands, all,
                         i == VK_COMMANDS_END ? VK_PIPELINE_STAGE_HOST_BIT : transfer);
        if (i != VK_COMMANDS_END)
            record_copies(instance, commands,
                          i == VK_COMMANDS_IN ? HEED_ROLE_INPUT : HEED_ROLE_OUTPUT);
        result = VK_TRY(plugin, vkEndCommandBuffer, commands);
    }
    return result;
}

enum heed_status heedi_vk_record(struct heed_plugin_instance *instance, struct heed_error *error) {
    const struct heed_plugin *plugin = instance->program->plugin;
    uint32_t next = 0;
    for (uint32_t i = 0; i < instance->program->dispatch_count; i++)
        instance->counts.written_descriptors += write_set(instance, i);
    VkResult result = VK_TRY(plugin, vkResetCommandPool, plugin->handle, instance->pool, 0);
    for (uint32_t i = 0; result == VK_SUCCESS && i < instance->program->batch_count; i++)
        result = record_batch(instance, i, &next);
    if (result == VK_SUCCESS)
        result = record_ends(instance);
    if (result == VK_SUCCESS && instance->steps != NULL)
        result = heedi_vk_steps_record(instance);
    instance->recorded = result == VK_SUCCESS;
    instance->counts.recorded_commands += instance->program->batch_count + 1 +
                                          (instance->staging.block != NULL ? 2 : 0) +
                                          (instance->steps != NULL ? instance->steps->most : 0);
    return heedi_vk_result(error, result, "recording");
}

/* ---- batches ---- */

/* Operations of a node, roughly: a product's or an attention's multiplications and additions, of
 * others a few per element. */
static double work_of(const struct vk_node *node) {
    const struct heed_tensor_desc *x = &node->in[0].desc, *y = &node->out[0].desc;
    const double elems = (double)heed_desc_elems(y);
    if (node->op == HEED_OP_MATMUL && x->rank >= 2)
        return 2 * elems *
               (double)x->dims[node->attrs.matmul.transpose_a != 0 ? x->rank - 2 : x->rank - 1];
    if (node->op == HEED_OP_ATTENTION && node->in[1].desc.rank == 4)
        return 4 * elems * (double)node->in[1].desc.dims[2];
    return 10 * elems;
}

void heedi_vk_cut(struct heed_plugin_program *program) {
    const double most = (double)program->plugin->device.limits.work;
    double work = 0, all = 0;
    program->batch_count = 1;
    for (uint32_t i = 0; i < program->dispatch_count; i++) {
        struct vk_dispatch *dispatch = &program->dispatches[i];
        double more = 0;
        for (uint32_t j = dispatch->node - dispatch->fused_count; j <= dispatch->node; j++)
            more += work_of(&program->nodes[j]);
        if (work > 0 && work + more > most) {
            program->batch_count++;
            work = 0;
        }
        work += more;
        all += more;
        dispatch->batch = program->batch_count - 1;
    }
    program->calm_steps = all > 0 && most / all < UINT32_MAX ? (uint32_t)(most / all) : UINT32_MAX;
    if (program->calm_steps == 0)
        program->calm_steps = 1;
}
