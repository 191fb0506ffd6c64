/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: the memory to run a program, and the run itself. */
#include <stdint.h>
#include <string.h>

#include "scalar.h"

enum heed_status heedi_scalar_instance_create(struct heed_plugin_program *program,
                                              struct heed_plugin_instance **instance,
                                              struct heed_error *error) {
    const struct heed_host *host = program->host;
    *instance = NULL;
    struct heed_plugin_instance *made = heedi_scalar_calloc(host, 1, sizeof *made);
    if (made == NULL)
        return heedi_scalar_fail(error, HEED_ERROR_OUT_OF_MEMORY, "scalar: out of memory");
    made->program = program;
    made->memory = heedi_scalar_calloc(host, program->tensor_count, sizeof *made->memory);
    made->bound = heedi_scalar_calloc(host, program->binding_count, sizeof *made->bound);
    made->entries = heedi_scalar_calloc(host, program->node_count, sizeof *made->entries);
    made->arena = host->allocate(host->handle, program->arena_bytes > 0 ? program->arena_bytes : 1,
                                 program->arena_alignment);
    made->scratch =
        host->allocate(host->handle, program->scratch_bytes > 0 ? program->scratch_bytes : 1, 64);
    if (made->memory == NULL || made->bound == NULL || made->entries == NULL ||
        made->arena == NULL || made->scratch == NULL)
        goto fail;
    for (uint32_t i = 0; i < program->tensor_count; i++) {
        const struct scalar_storage *storage = &program->storages[i];
        if (storage->arena_offset_bytes >= 0)
            made->memory[i] = (char *)made->arena + storage->arena_offset_bytes;
        else if (storage->constant != NULL)
            made->memory[i] = (void *)(uintptr_t)storage->constant; /* kernels only read it */
    }
    *instance = made;
    return HEED_OK;

fail:
    heedi_scalar_instance_destroy(made);
    return heedi_scalar_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                             "scalar: out of memory for an instance with an arena of %zu bytes",
                             program->arena_bytes);
}

void heedi_scalar_instance_destroy(struct heed_plugin_instance *instance) {
    if (instance == NULL)
        return;
    const struct heed_host *host = instance->program->host;
    heedi_scalar_free(host, instance->scratch);
    heedi_scalar_free(host, instance->arena);
    heedi_scalar_free(host, instance->entries);
    heedi_scalar_free(host, instance->bound);
    heedi_scalar_free(host, instance->memory);
    heedi_scalar_free(host, instance);
}

/* The binding, if it exists and wants a state (or does not). */
static enum heed_status find_binding(const struct heed_plugin_instance *instance, uint32_t index,
                                     bool state, const struct scalar_binding **binding,
                                     struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    if (index >= program->binding_count || program->bindings[index].tensor < 0)
        return heedi_scalar_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "scalar: binding %u does not exist, the program has %u",
                                 (unsigned)index, (unsigned)program->binding_count);
    *binding = &program->bindings[index];
    if (((*binding)->role == HEED_ROLE_STATE) != state)
        return heedi_scalar_fail(
            error, HEED_ERROR_INVALID_ARGUMENT, "scalar: binding %u (%s) is %s", (unsigned)index,
            (*binding)->name != NULL ? (*binding)->name : "", state ? "not a state" : "a state");
    return HEED_OK;
}

enum heed_status heedi_scalar_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                   void *memory, struct heed_error *error) {
    const struct scalar_binding *found = NULL;
    const enum heed_status status = find_binding(instance, binding, false, &found, error);
    if (status != HEED_OK || found == NULL)
        return status;
    instance->memory[found->tensor] = memory;
    instance->bound[binding] = true;
    return HEED_OK;
}

enum heed_status heedi_scalar_bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                         struct heed_plugin_state *state,
                                         struct heed_error *error) {
    const struct scalar_binding *found = NULL;
    const enum heed_status status = find_binding(instance, binding, true, &found, error);
    if (status != HEED_OK || found == NULL)
        return status;
    bool same = state->desc.dtype == found->desc.dtype && state->desc.rank == found->desc.rank;
    for (uint32_t i = 0; same && i < found->desc.rank; i++)
        same = state->desc.dims[i] == found->desc.dims[i];
    if (!same)
        return heedi_scalar_fail(error, HEED_ERROR_SHAPE,
                                 "scalar: the state bound as %u (%s) has another type or other "
                                 "dimensions",
                                 (unsigned)binding, found->name != NULL ? found->name : "");
    instance->memory[found->tensor] = state->memory;
    instance->bound[binding] = true;
    return HEED_OK;
}

static void resolve(const struct heed_plugin_instance *instance,
                    const struct scalar_tensor *tensors, uint32_t count,
                    struct scalar_operand *operands) {
    for (uint32_t i = 0; i < count; i++) {
        if (!heedi_scalar_present(&tensors[i]))
            continue;
        char *memory = instance->memory[tensors[i].storage];
        operands[i].desc = &tensors[i].desc;
        operands[i].data = memory != NULL ? memory + tensors[i].offset_bytes : NULL;
    }
}

static void run_node(const struct heed_plugin_instance *instance, const struct scalar_node *node) {
    struct scalar_call call;
    memset(&call, 0, sizeof call);
    call.host = instance->program->host;
    call.node = node;
    call.scratch = instance->scratch;
    resolve(instance, node->in, node->input_count, call.in);
    resolve(instance, node->out, node->output_count, call.out);
    heedi_scalar_kernels[node->kernel].run(&call);
}

enum heed_status heedi_scalar_submit(struct heed_plugin_instance *instance,
                                     struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    for (uint32_t i = 0; i < program->binding_count; i++)
        if (program->bindings[i].tensor >= 0 && !instance->bound[i])
            return heedi_scalar_fail(
                error, HEED_ERROR_INVALID_ARGUMENT, "scalar: nothing is bound to %s (binding %u)",
                program->bindings[i].name != NULL ? program->bindings[i].name : "", (unsigned)i);
    instance->entry_count = 0;
    for (uint32_t i = 0; i < program->node_count; i++) {
        const struct scalar_node *node = &program->nodes[i];
        if (!instance->profiled) {
            run_node(instance, node);
            continue;
        }
        struct heed_profile_entry *entry = &instance->entries[instance->entry_count++];
        *entry = (struct heed_profile_entry){
            .struct_size = sizeof *entry,
            .node = i,
            .kernel = heedi_scalar_kernels[node->kernel].name,
        };
        entry->begin_ns = heedi_scalar_now_ns();
        run_node(instance, node);
        entry->end_ns = heedi_scalar_now_ns();
    }
    return HEED_OK;
}

enum heed_status heedi_scalar_wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                   struct heed_error *error) {
    (void)instance; /* submit has done the work */
    (void)timeout_ns;
    (void)error;
    return HEED_OK;
}
