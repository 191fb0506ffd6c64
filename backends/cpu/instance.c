/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: the memory to run a program, and the run itself. */
#include <stdint.h>
#include <string.h>

#include "cpu.h"

enum heed_status heedi_cpu_instance_create(struct heed_plugin_program *program,
                                           struct heed_plugin_instance **instance,
                                           struct heed_error *error) {
    const struct heed_host *host = program->host;
    *instance = NULL;
    struct heed_plugin_instance *made = heedi_common_calloc(host, 1, sizeof *made);
    if (made == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    made->program = program;
    made->memory = heedi_common_calloc(host, program->tensor_count, sizeof *made->memory);
    made->bound = heedi_common_calloc(host, program->binding_count, sizeof *made->bound);
    made->entries = heedi_common_calloc(host, program->node_count, sizeof *made->entries);
    made->arena = host->allocate(host->handle, program->arena_bytes > 0 ? program->arena_bytes : 1,
                                 program->arena_alignment);
    made->scratch =
        host->allocate(host->handle, program->scratch_bytes > 0 ? program->scratch_bytes : 1, 64);
    if (made->memory == NULL || made->bound == NULL || made->entries == NULL ||
        made->arena == NULL || made->scratch == NULL)
        goto fail;
    for (uint32_t i = 0; i < program->tensor_count; i++) {
        const struct cpu_storage *storage = &program->storages[i];
        if (storage->arena_offset_bytes >= 0)
            made->memory[i] = (char *)made->arena + storage->arena_offset_bytes;
        else if (storage->constant != NULL)
            made->memory[i] = (void *)(uintptr_t)storage->constant; /* kernels only read it */
    }
    *instance = made;
    return HEED_OK;

fail:
    heedi_cpu_instance_destroy(made);
    return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                             "out of memory for an instance with an arena of %zu bytes",
                             program->arena_bytes);
}

void heedi_cpu_instance_destroy(struct heed_plugin_instance *instance) {
    if (instance == NULL)
        return;
    const struct heed_host *host = instance->program->host;
    heedi_common_free(host, instance->scratch);
    heedi_common_free(host, instance->arena);
    heedi_common_free(host, instance->entries);
    heedi_common_free(host, instance->bound);
    heedi_common_free(host, instance->memory);
    heedi_common_free(host, instance);
}

/* The binding, if it exists and wants a state (or does not). */
static enum heed_status find_binding(const struct heed_plugin_instance *instance, uint32_t index,
                                     bool state, const struct cpu_binding **binding,
                                     struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    if (index >= program->binding_count || program->bindings[index].tensor < 0)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "binding %u does not exist, the program has %u", (unsigned)index,
                                 (unsigned)program->binding_count);
    *binding = &program->bindings[index];
    if (((*binding)->role == HEED_ROLE_STATE) != state)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT, "binding %u (%s) is %s",
                                 (unsigned)index, (*binding)->name != NULL ? (*binding)->name : "",
                                 state ? "not a state" : "a state");
    return HEED_OK;
}

enum heed_status heedi_cpu_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                void *memory, struct heed_error *error) {
    const struct cpu_binding *found = NULL;
    const enum heed_status status = find_binding(instance, binding, false, &found, error);
    if (status != HEED_OK || found == NULL)
        return status;
    instance->memory[found->tensor] = memory;
    instance->bound[binding] = true;
    return HEED_OK;
}

enum heed_status heedi_cpu_bind_state(struct heed_plugin_instance *instance, uint32_t binding,
                                      struct heed_plugin_state *state, struct heed_error *error) {
    const struct cpu_binding *found = NULL;
    const enum heed_status status = find_binding(instance, binding, true, &found, error);
    if (status != HEED_OK || found == NULL)
        return status;
    bool same = state->desc.dtype == found->desc.dtype && state->desc.rank == found->desc.rank;
    for (uint32_t i = 0; same && i < found->desc.rank; i++)
        same = state->desc.dims[i] == found->desc.dims[i];
    if (!same)
        return heedi_common_fail(error, HEED_ERROR_SHAPE,
                                 "the state bound as %u (%s) has another type or other "
                                 "dimensions",
                                 (unsigned)binding, found->name != NULL ? found->name : "");
    instance->memory[found->tensor] = state->memory;
    instance->bound[binding] = true;
    return HEED_OK;
}

static void resolve(const struct heed_plugin_instance *instance, const struct cpu_tensor *tensors,
                    uint32_t count, struct cpu_operand *operands) {
    for (uint32_t i = 0; i < count; i++) {
        if (!heedi_cpu_present(&tensors[i]))
            continue;
        char *memory = instance->memory[tensors[i].storage];
        operands[i].desc = &tensors[i].desc;
        operands[i].data = memory != NULL ? memory + tensors[i].offset_bytes : NULL;
    }
}

static void run_step(const struct heed_plugin_instance *instance, const struct cpu_step *step) {
    struct cpu_call calls[CPU_MOST_FUSED];
    char *scratch = instance->scratch;
    memset(calls, 0, step->count * sizeof *calls);
    for (uint32_t i = 0; i < step->count; i++) {
        const struct cpu_node *node = &instance->program->nodes[step->first + i];
        calls[i].count = step->count - i;
        calls[i].host = instance->program->host;
        calls[i].node = node;
        calls[i].scratch = scratch;
        scratch += node->scratch_bytes;
        resolve(instance, node->in, node->input_count, calls[i].in);
        resolve(instance, node->out, node->output_count, calls[i].out);
    }
    step->kernel->run(calls);
}

enum heed_status heedi_cpu_submit(struct heed_plugin_instance *instance, struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    for (uint32_t i = 0; i < program->binding_count; i++)
        if (program->bindings[i].tensor >= 0 && !instance->bound[i])
            return heedi_common_fail(
                error, HEED_ERROR_INVALID_ARGUMENT, "nothing is bound to %s (binding %u)",
                program->bindings[i].name != NULL ? program->bindings[i].name : "", (unsigned)i);
    instance->entry_count = 0;
    for (uint32_t i = 0; i < program->step_count; i++) {
        const struct cpu_step *step = &program->steps[i];
        if (!instance->profiled) {
            run_step(instance, step);
            continue;
        }
        struct heed_profile_entry *entry = &instance->entries[instance->entry_count++];
        *entry = (struct heed_profile_entry){
            .struct_size = sizeof *entry,
            .node = step->first + step->count - 1,
            .fused_count = step->count - 1,
            .kernel = step->kernel->name,
        };
        entry->begin_ns = heedi_cpu_now_ns();
        run_step(instance, step);
        entry->end_ns = heedi_cpu_now_ns();
    }
    return HEED_OK;
}

enum heed_status heedi_cpu_wait(struct heed_plugin_instance *instance, uint64_t timeout_ns,
                                struct heed_error *error) {
    (void)instance; /* submit has done the work */
    (void)timeout_ns;
    (void)error;
    return HEED_OK;
}
