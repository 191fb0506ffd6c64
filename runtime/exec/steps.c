/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of several steps: outputs that are carried become inputs of the next step, outputs that are
 * stacked are kept of every step. The device does that itself where one part is the whole program
 * and its backend has the extension; else the host does, between runs. */
#include <string.h>

#include "runtime/exec/executor.h"

/* Places in the block of an instance. */
struct carry {
    size_t from, to, bytes;
};
struct stacked {
    const struct heedi_port *port;
    unsigned char *memory; /* [most][port->bytes] */
};

struct heedi_steps {
    uint32_t most, carry_count, stacked_count;
    struct carry *carries;
    struct stacked *stacked;
    unsigned char *block; /* what is stacked */
    bool on_device;
};

void heedi_steps_destroy(const struct heedi_env *env, struct heedi_steps *steps) {
    if (steps == NULL)
        return;
    heedi_free(env, steps->carries);
    heedi_free(env, steps->stacked);
    heedi_free(env, steps->block);
    heedi_free(env, steps);
}

/* ---- preparing ---- */

static enum heed_status find_carries(struct heed_context *context,
                                     const struct heed_instance *instance,
                                     const struct heed_steps_options *options,
                                     struct heedi_steps *steps) {
    const char *graph = instance->program->partition.graph->name;
    for (uint32_t i = 0; i < options->carry_count; i++) {
        const struct heed_carry *carry = &options->carries[i];
        const struct heedi_port *from = heedi_instance_port(instance, carry->output, true);
        const struct heedi_port *to = heedi_instance_port(instance, carry->input, false);
        if (from == NULL || to == NULL)
            return heedi_fail(context, HEED_ERROR_NOT_FOUND,
                              "graph '%s': output '%s' or input '%s' does not exist", graph,
                              carry->output != NULL ? carry->output : "(null)",
                              carry->input != NULL ? carry->input : "(null)");
        if (from->bytes != to->bytes)
            return heedi_fail(context, HEED_ERROR_SHAPE,
                              "graph '%s': output '%s' has %zu bytes, input '%s' expects %zu",
                              graph, from->name, from->bytes, to->name, to->bytes);
        steps->carries[steps->carry_count++] =
            (struct carry){.from = from->offset, .to = to->offset, .bytes = from->bytes};
    }
    return HEED_OK;
}

static enum heed_status find_stacked(struct heed_context *context,
                                     const struct heed_instance *instance,
                                     const struct heed_steps_options *options,
                                     struct heedi_steps *steps) {
    const char *graph = instance->program->partition.graph->name;
    size_t bytes = 0;
    for (uint32_t i = 0; i < options->stacked_count; i++) {
        const struct heedi_port *port = heedi_instance_port(instance, options->stacked[i], true);
        if (port == NULL)
            return heedi_fail(context, HEED_ERROR_NOT_FOUND, "graph '%s' has no output '%s'", graph,
                              options->stacked[i] != NULL ? options->stacked[i] : "(null)");
        if (port->bytes > (SIZE_MAX / 4 - bytes) / options->most)
            return heedi_fail(context, HEED_ERROR_LIMIT,
                              "graph '%s': %u steps of output '%s' exceed the address space", graph,
                              options->most, port->name);
        steps->stacked[steps->stacked_count++].port = port;
        bytes += (port->bytes * options->most + 63) & ~(size_t)63;
    }
    steps->block = heedi_alloc_aligned(&instance->env, bytes + 64, 64);
    if (steps->block == NULL)
        return heedi_fail_memory(context, "outputs of several steps", bytes);
    memset(steps->block, 0, bytes + 64);
    bytes = 0;
    for (uint32_t i = 0; i < steps->stacked_count; i++) {
        steps->stacked[i].memory = steps->block + bytes;
        bytes += (steps->stacked[i].port->bytes * options->most + 63) & ~(size_t)63;
    }
    return HEED_OK;
}

/* The binding of the only part for a place in the block of the instance. */
static bool find_binding(const struct heed_program *program, size_t offset, size_t bytes,
                         enum heed_role role, uint32_t *binding) {
    const struct heedi_compiled *part = &program->parts[0];
    for (uint32_t b = 0; b < part->binding_count; b++) {
        if (part->bindings[b].role != (uint32_t)role)
            continue;
        const struct heedi_boundary *boundary =
            heedi_program_boundary(program, part->bindings[b].tensor);
        if (boundary->offset == offset && boundary->bytes == bytes) {
            *binding = b;
            return true;
        }
    }
    return false;
}

/* Hands the work to the device if it can take it. The arrays have room for what steps lists. */
static enum heed_status offer(struct heed_context *context, struct heed_instance *instance,
                              struct heedi_steps *steps, struct heed_plugin_carry *carries,
                              uint32_t *stacked, void **memory) {
    const struct heed_program *program = instance->program;
    const struct heedi_device *device = program->parts[0].device;
    for (uint32_t i = 0; i < steps->carry_count; i++) {
        const struct carry *carry = &steps->carries[i];
        if (!find_binding(program, carry->from, carry->bytes, HEED_ROLE_OUTPUT,
                          &carries[i].output) ||
            !find_binding(program, carry->to, carry->bytes, HEED_ROLE_INPUT, &carries[i].input))
            return HEED_OK;
    }
    for (uint32_t i = 0; i < steps->stacked_count; i++) {
        const struct heedi_port *port = steps->stacked[i].port;
        memory[i] = steps->stacked[i].memory;
        if (!find_binding(program, port->offset, port->bytes, HEED_ROLE_OUTPUT, &stacked[i]))
            return HEED_OK;
    }
    const struct heed_plugin_steps wanted = {.struct_size = sizeof wanted,
                                             .most = steps->most,
                                             .carry_count = steps->carry_count,
                                             .stacked_count = steps->stacked_count,
                                             .carries = carries,
                                             .stacked = stacked,
                                             .memory = memory};
    struct heed_error error = heedi_plugin_error();
    const enum heed_status status =
        heedi_plugin_status(device->steps->configure(instance->parts[0], &wanted, &error), &error);
    steps->on_device = status == HEED_OK;
    if (status == HEED_OK || status == HEED_ERROR_UNSUPPORTED)
        return HEED_OK;
    return heedi_instance_failed(context, status, program, 0, "preparing several steps of", &error);
}

static enum heed_status try_device(struct heed_context *context, struct heed_instance *instance,
                                   struct heedi_steps *steps) {
    const struct heed_program *program = instance->program;
    if (program->part_count != 1 || program->parts[0].device->steps == NULL)
        return HEED_OK;
    const struct heedi_env *env = &instance->env;
    const size_t outputs = (size_t)steps->stacked_count + 1;
    struct heed_plugin_carry *carries =
        heedi_calloc(env, (size_t)steps->carry_count + 1, sizeof *carries);
    uint32_t *stacked = heedi_calloc(env, outputs, sizeof *stacked);
    void **memory = heedi_calloc(env, outputs, sizeof(void *));
    const enum heed_status status =
        carries == NULL || stacked == NULL || memory == NULL
            ? heedi_fail_memory(context, "several steps", outputs * sizeof(void *))
            : offer(context, instance, steps, carries, stacked, memory);
    heedi_free(env, carries);
    heedi_free(env, stacked);
    heedi_free(env, memory);
    return status;
}

enum heed_status heed_instance_set_steps(struct heed_context *context,
                                         struct heed_instance *instance,
                                         const struct heed_steps_options *given) {
    struct heed_steps_options options;
    const enum heed_status read =
        heedi_read_struct(&options, sizeof options, given, "heed_steps_options", &context->error);
    if (read != HEED_OK)
        return read;
    const char *wrong = NULL;
    if (instance->steps != NULL)
        wrong = "steps were set before";
    else if (options.most < 1)
        wrong = "expected at least 1 step";
    else if ((options.carry_count > 0 && options.carries == NULL) ||
             (options.stacked_count > 0 && options.stacked == NULL))
        wrong = "an array is missing";
    if (wrong != NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT, "heed_instance_set_steps: %s",
                          wrong);
    const struct heedi_env *env = &instance->env;
    struct heedi_steps *steps = heedi_calloc(env, 1, sizeof *steps);
    if (steps == NULL)
        return heedi_fail_memory(context, "several steps", sizeof *steps);
    enum heed_status status = HEED_OK;
    steps->most = options.most;
    steps->carries = heedi_calloc(env, (size_t)options.carry_count + 1, sizeof *steps->carries);
    steps->stacked = heedi_calloc(env, (size_t)options.stacked_count + 1, sizeof *steps->stacked);
    if (steps->carries == NULL || steps->stacked == NULL)
        status = heedi_fail_memory(context, "several steps", sizeof *steps);
    if (status == HEED_OK)
        status = find_carries(context, instance, &options, steps);
    if (status == HEED_OK)
        status = find_stacked(context, instance, &options, steps);
    if (status == HEED_OK)
        status = try_device(context, instance, steps);
    if (status != HEED_OK) {
        heedi_steps_destroy(env, steps);
        return status;
    }
    instance->steps = steps;
    return HEED_OK;
}

/* ---- running ---- */

static enum heed_status run_on_host(struct heed_context *context, struct heed_instance *instance,
                                    uint32_t count) {
    const struct heedi_steps *steps = instance->steps;
    unsigned char *block = instance->block;
    for (uint32_t step = 0; step < count; step++) {
        const enum heed_status status = heed_instance_run(context, instance);
        if (status != HEED_OK)
            return status;
        for (uint32_t i = 0; i < steps->stacked_count; i++) {
            const struct stacked *stacked = &steps->stacked[i];
            memcpy(stacked->memory + (size_t)step * stacked->port->bytes,
                   block + stacked->port->offset, stacked->port->bytes);
        }
        /* outputs have memory of their own: heed_graph_output() sees to that */
        for (uint32_t i = 0; step + 1 < count && i < steps->carry_count; i++)
            memcpy(block + steps->carries[i].to, block + steps->carries[i].from,
                   steps->carries[i].bytes);
    }
    return HEED_OK;
}

enum heed_status heed_instance_run_steps(struct heed_context *context,
                                         struct heed_instance *instance, uint32_t count) {
    const struct heedi_steps *steps = instance->steps;
    if (steps == NULL || count < 1 || count > steps->most)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_instance_run_steps: expected 1 to %u steps, found %u",
                          steps != NULL ? steps->most : 0, count);
    if (!steps->on_device)
        return run_on_host(context, instance, count);
    const enum heed_status status = heedi_instance_ready(context, instance);
    return status == HEED_OK ? heedi_instance_run_part(context, instance, 0, count) : status;
}

const void *heed_instance_output_at(struct heed_instance *instance, const char *name, uint32_t step,
                                    size_t *bytes) {
    const struct heedi_steps *steps = instance->steps;
    const struct stacked *found = NULL;
    for (uint32_t i = 0; steps != NULL && name != NULL && i < steps->stacked_count; i++)
        if (step < steps->most && strcmp(steps->stacked[i].port->name, name) == 0)
            found = &steps->stacked[i];
    if (bytes != NULL)
        *bytes = found != NULL ? found->port->bytes : 0;
    return found != NULL ? found->memory + (size_t)step * found->port->bytes : NULL;
}
