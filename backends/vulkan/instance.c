/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: memory, descriptors and recorded commands to run a program with, again and again. The
 * recording is made at the first run and stays valid until another state is bound. */
#include <string.h>

#include "fuse.h"
#include "instance.h"

/* ---- making and destroying ---- */

static VkResult make_commands(struct heed_plugin_instance *instance) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .queueFamilyIndex = plugin->device.queue_family};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkResult result =
        VK_TRY(plugin, vkCreateCommandPool, plugin->handle, &pool, NULL, &instance->pool);
    if (result != VK_SUCCESS)
        return result;
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = instance->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = VK_COMMANDS_BODY + instance->program->batch_count,
    };
    result =
        VK_TRY(plugin, vkAllocateCommandBuffers, plugin->handle, &commands, instance->commands);
    if (result == VK_SUCCESS)
        result = VK_TRY(plugin, vkCreateFence, plugin->handle, &fence, NULL, &instance->fence);
    return result;
}

static VkResult make_sets(struct heed_plugin_instance *instance) {
    const struct heed_plugin *plugin = instance->program->plugin;
    const uint32_t count = instance->program->dispatch_count;
    const VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                       .descriptorCount = count * HEED_MAX_BINDINGS};
    const VkDescriptorPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = count,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    if (count == 0)
        return VK_SUCCESS;
    VkResult result =
        VK_TRY(plugin, vkCreateDescriptorPool, plugin->handle, &pool, NULL, &instance->descriptors);
    for (uint32_t i = 0; result == VK_SUCCESS && i < count; i++) {
        const VkDescriptorSetAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = instance->descriptors,
            .descriptorSetCount = 1,
            .pSetLayouts = &plugin->set_layout,
        };
        result =
            VK_TRY(plugin, vkAllocateDescriptorSets, plugin->handle, &info, &instance->sets[i]);
    }
    return result;
}

bool heedi_vk_make_list(struct heed_plugin_instance *instance, uint32_t steps) {
    const struct heed_plugin_program *program = instance->program;
    const struct heed_host *host = program->plugin->host;
    const size_t batches = (size_t)steps * program->batch_count;
    VkCommandBuffer *list =
        heedi_common_calloc(host, VK_COMMANDS_BODY + batches + steps, sizeof(VkCommandBuffer));
    VkSubmitInfo *submits = heedi_common_calloc(host, batches, sizeof *submits);
    if (list == NULL || submits == NULL) {
        heedi_common_free(host, list);
        heedi_common_free(host, submits);
        return false;
    }
    heedi_common_free(host, instance->list);
    heedi_common_free(host, instance->submits);
    instance->list = list;
    instance->submits = submits;
    return true;
}

static enum heed_status make(struct heed_plugin_instance *made, struct heed_error *error) {
    struct heed_plugin *plugin = made->program->plugin;
    const struct heed_plugin_program *program = made->program;
    made->host = heedi_common_calloc(plugin->host, program->boundary_count, sizeof *made->host);
    made->states = heedi_common_calloc(plugin->host, program->boundary_count, sizeof(void *));
    made->state_ids = heedi_common_calloc(plugin->host, program->boundary_count, sizeof(uint64_t));
    made->sets = heedi_common_calloc(plugin->host, program->dispatch_count, sizeof *made->sets);
    made->commands = heedi_common_calloc(
        plugin->host, VK_COMMANDS_BODY + (size_t)program->batch_count, sizeof *made->commands);
    if (made->host == NULL || made->states == NULL || made->state_ids == NULL ||
        made->sets == NULL || made->commands == NULL || !heedi_vk_make_list(made, 1))
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory for an instance");
    enum heed_status status =
        heedi_vk_allocate(plugin, VK_MEMORY_DEVICE, program->instance_bytes, &made->memory, error);
    if (status == HEED_OK && made->memory.mapped == NULL)
        status = heedi_vk_allocate(plugin, VK_MEMORY_STAGING, program->staging_bytes,
                                   &made->staging, error);
    if (status == HEED_OK)
        status = heedi_vk_result(error, make_commands(made), "command buffers");
    if (status == HEED_OK)
        status = heedi_vk_result(error, make_sets(made), "descriptor sets");
    if (status == HEED_OK)
        status = heedi_vk_guards_make(made, error);
    if (status == HEED_OK)
        status = heedi_vk_clear_rooms(program, &made->memory, error);
    return status;
}

enum heed_status heedi_vk_instance_new(struct heed_plugin_program *program,
                                       struct heed_plugin_instance **instance,
                                       struct heed_error *error) {
    *instance = NULL;
    struct heed_plugin_instance *made = heedi_common_calloc(program->plugin->host, 1, sizeof *made);
    if (made == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory for an instance");
    made->program = program;
    const enum heed_status status = make(made, error);
    if (status != HEED_OK) {
        heedi_vk_instance_destroy(made);
        return status;
    }
    *instance = made;
    return HEED_OK;
}

void heedi_vk_instance_destroy(struct heed_plugin_instance *instance) {
    if (instance == NULL)
        return;
    struct heed_plugin *plugin = instance->program->plugin;
    if (instance->running) /* a lost device answers at once */
        (void)heedi_vk_await(plugin, instance->fence, VK_MOST_WAIT_NS);
    heedi_vk_profile_destroy(instance);
    heedi_vk_steps_destroy(instance);
    heedi_vk_guards_destroy(instance);
    plugin->vk.vkDestroyFence(plugin->handle, instance->fence, NULL);
    plugin->vk.vkDestroyDescriptorPool(plugin->handle, instance->descriptors, NULL);
    plugin->vk.vkDestroyCommandPool(plugin->handle, instance->pool, NULL);
    heedi_vk_release(plugin, &instance->memory);
    heedi_vk_release(plugin, &instance->staging);
    heedi_common_free(plugin->host, instance->host);
    heedi_common_free(plugin->host, instance->states);
    heedi_common_free(plugin->host, instance->state_ids);
    heedi_common_free(plugin->host, instance->sets);
    heedi_common_free(plugin->host, instance->commands);
    heedi_common_free(plugin->host, instance->list);
    heedi_common_free(plugin->host, instance->submits);
    heedi_common_free(plugin->host, instance);
}

/* ---- binding and running ---- */

static enum heed_status find_boundary(const struct heed_plugin_instance *instance, uint32_t index,
                                      bool state, const struct vk_boundary **found,
                                      struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    if (index >= program->boundary_count || program->boundaries[index].tensor < 0)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "binding %u does not exist, there are %u", (unsigned)index,
                                 (unsigned)program->boundary_count);
    *found = &program->boundaries[index];
    if (((*found)->role == HEED_ROLE_STATE) != state)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT, "binding %u (%s) is %s state",
                                 (unsigned)index, (*found)->name != NULL ? (*found)->name : "",
                                 state ? "no" : "a");
    return HEED_OK;
}

enum heed_status heedi_vk_bind(struct heed_plugin_instance *instance, uint32_t binding,
                               void *memory, struct heed_error *error) {
    const struct vk_boundary *found = NULL;
    const enum heed_status status = find_boundary(instance, binding, false, &found, error);
    if (status == HEED_OK)
        instance->host[binding] = memory;
    return status;
}

enum heed_status heedi_vk_bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                     struct heed_plugin_state *state, struct heed_error *error) {
    const struct vk_boundary *found = NULL;
    const enum heed_status status = find_boundary(instance, binding, true, &found, error);
    if (status != HEED_OK || found == NULL)
        return status;
    bool same = found->desc.dtype == state->desc.dtype && found->desc.rank == state->desc.rank;
    for (uint32_t i = 0; same && i < found->desc.rank; i++)
        same = found->desc.dims[i] == state->desc.dims[i];
    if (!same)
        return heedi_common_fail(error, HEED_ERROR_SHAPE,
                                 "the state bound as %u (%s) has another type or other dimensions",
                                 (unsigned)binding, found->name != NULL ? found->name : "");
    if (instance->state_ids[binding] != state->id) /* another may lie where an old one did */
        instance->recorded = false;
    instance->states[binding] = state;
    instance->state_ids[binding] = state->id;
    return HEED_OK;
}

/* Copies boundary tensors of one role between the host's memory and what it sees of the device's.
 */
static void exchange(const struct heed_plugin_instance *instance, enum heed_role role) {
    const struct heed_plugin_program *program = instance->program;
    const bool staged = instance->staging.block != NULL;
    for (uint32_t i = 0; i < program->boundary_count; i++) {
        const struct vk_boundary *boundary = &program->boundaries[i];
        if (boundary->tensor < 0 || boundary->role != (uint32_t)role)
            continue;
        const struct vk_storage *storage = &program->storages[boundary->tensor];
        char *device = staged ? (char *)instance->staging.mapped + boundary->staging_offset
                              : (char *)instance->memory.mapped + storage->offset_bytes;
        if (storage->bytes > 0 && role == HEED_ROLE_INPUT)
            memcpy(device, instance->host[i], storage->bytes);
        else if (storage->bytes > 0)
            memcpy(instance->host[i], device, storage->bytes);
    }
}

static enum heed_status check_bound(const struct heed_plugin_instance *instance,
                                    struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    for (uint32_t i = 0; i < program->boundary_count; i++) {
        const struct vk_boundary *boundary = &program->boundaries[i];
        const bool bound = boundary->role == HEED_ROLE_STATE ? instance->states[i] != NULL
                                                             : instance->host[i] != NULL;
        if (boundary->tensor >= 0 && !bound)
            return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                     "nothing is bound to %s (binding %u)",
                                     boundary->name != NULL ? boundary->name : "", (unsigned)i);
    }
    return HEED_OK;
}

/* Lists what a run submits: batches one by one, as drivers give each two seconds, but as many whole
 * steps together as are no more work than a batch. Returns the number of submissions. */
static uint32_t list_run(struct heed_plugin_instance *instance, uint32_t steps) {
    const struct heed_plugin_program *program = instance->program;
    const bool staged = instance->staging.block != NULL;
    const uint32_t count = steps > 0 ? steps : 1;
    VkCommandBuffer *list = instance->list;
    uint32_t used = 0, first = 0, submits = 0;
    if (staged)
        list[used++] = instance->commands[VK_COMMANDS_IN];
    for (uint32_t step = 0; step < count; step++)
        for (uint32_t batch = 0; batch < program->batch_count; batch++) {
            const bool ends = batch + 1 == program->batch_count;
            const bool last = ends && step + 1 == count;
            list[used++] = instance->commands[VK_COMMANDS_BODY + batch];
            if (ends && steps > 0)
                list[used++] = instance->steps->after[step];
            if (last && staged && steps == 0)
                list[used++] = instance->commands[VK_COMMANDS_OUT];
            if (last)
                list[used++] = instance->commands[VK_COMMANDS_END];
            if (!last && ends && (step + 1) % program->calm_steps != 0)
                continue;
            instance->submits[submits++] = (VkSubmitInfo){
                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                .commandBufferCount = used - first,
                .pCommandBuffers = &list[first],
            };
            first = used;
        }
    return submits;
}

enum heed_status heedi_vk_begin(struct heed_plugin_instance *instance, uint32_t steps,
                                struct heed_error *error) {
    struct heed_plugin *plugin = instance->program->plugin;
    const uint64_t begin_ns = heedi_vk_clock(instance);
    enum heed_status status = check_bound(instance, error);
    if (status == HEED_OK && (!instance->recorded || plugin->records_always))
        status = heedi_vk_record(instance, error);
    if (status != HEED_OK)
        return status;
    const uint32_t submits = list_run(instance, steps);
    exchange(instance, HEED_ROLE_INPUT);
    VkResult result = VK_TRY(plugin, vkResetFences, plugin->handle, 1, &instance->fence);
    if (result == VK_SUCCESS) {
        pthread_mutex_lock(&plugin->queue_mutex);
        result = VK_TRY(plugin, vkQueueSubmit, plugin->queue, submits, instance->submits,
                        instance->fence);
        pthread_mutex_unlock(&plugin->queue_mutex);
    }
    instance->running = result == VK_SUCCESS;
    instance->running_steps = steps;
    instance->counts.submissions += submits;
    instance->counts.dispatches +=
        (uint64_t)(steps > 0 ? steps : 1) * instance->program->dispatch_count;
    heedi_vk_count_time(instance, begin_ns);
    return heedi_vk_result(error, result, "submitting a run");
}

enum heed_status heedi_vk_submit(struct heed_plugin_instance *instance, struct heed_error *error) {
    return heedi_vk_begin(instance, 0, error);
}

enum heed_status heedi_vk_wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                               struct heed_error *error) {
    struct heed_plugin *plugin = instance->program->plugin;
    if (!instance->running)
        return HEED_OK;
    const VkResult result = heedi_vk_fault(plugin->fault)
                                ? plugin->fault->result
                                : heedi_vk_await(plugin, instance->fence, timeout_ns);
    if (result == VK_TIMEOUT)
        return heedi_vk_result(error, result, "waiting for a run");
    if (result == VK_SUCCESS) {
        const uint64_t begin_ns = heedi_vk_clock(instance);
        instance->running = false;
        if (instance->running_steps > 0)
            heedi_vk_steps_read(instance);
        else
            exchange(instance, HEED_ROLE_OUTPUT);
        heedi_vk_count_time(instance, begin_ns);
        heedi_vk_profile_read(instance);
        return heedi_vk_guards_check(instance, error);
    }
    return heedi_vk_result(error, result, "waiting for a run");
}
