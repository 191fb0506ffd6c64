/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: the memory for running a program, and the runs. */
#include <string.h>

#include "runtime/base/shape.h"
#include "runtime/exec/executor.h"

enum heed_status heedi_instance_failed(struct heed_context *context, enum heed_status status,
                                       const struct heed_program *program, uint32_t part,
                                       const char *what, const struct heed_error *error) {
    heedi_device_failed(program->parts[part].device, status, error->message);
    return heedi_fail(context, status, "graph '%s', %s part %u on backend '%s': %s",
                      program->partition.graph->name, what, part,
                      program->parts[part].device->backend.name, error->message);
}

static enum heed_status create_part(struct heed_context *context, struct heed_instance *instance,
                                    uint32_t index) {
    const struct heed_program *program = instance->program;
    const struct heedi_compiled *part = &program->parts[index];
    const struct heed_backend *table = &part->device->backend.table;
    struct heed_error error = heedi_plugin_error();
    enum heed_status status = heedi_plugin_status(
        table->instance_create(part->program, &instance->parts[index], &error), &error);
    if (status == HEED_OK && instance->parts[index] == NULL)
        status =
            heedi_error(&error, HEED_ERROR_INTERNAL, "instance_create succeeded without a result");
    if (status != HEED_OK) {
        instance->parts[index] = NULL;
        return heedi_instance_failed(context, status, program, index, "making an instance of",
                                     &error);
    }
    for (uint32_t b = 0; b < part->binding_count; b++) {
        if (part->bindings[b].role == HEED_ROLE_STATE)
            continue;
        const struct heedi_boundary *boundary =
            heedi_program_boundary(program, part->bindings[b].tensor);
        status = heedi_plugin_status(
            table->bind(instance->parts[index], b, instance->block + boundary->offset, &error),
            &error);
        if (status != HEED_OK)
            return heedi_instance_failed(context, status, program, index, "binding memory to",
                                         &error);
    }
    return HEED_OK;
}

enum heed_status heed_instance_create(struct heed_context *context, struct heed_program *program,
                                      struct heed_instance **instance) {
    if (instance == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_instance_create: instance must not be NULL");
    *instance = NULL;
    if (program == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_instance_create: program must not be NULL");
    enum heed_status status = HEED_OK;
    struct heed_instance *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return heedi_fail_memory(context, "an instance", sizeof *made);
    made->env = context->env;
    made->program = heed_program_retain(program);
    const size_t bytes = program->boundary_bytes + 64; /* tensors without bytes have a place too */
    made->block = heedi_alloc_aligned(&made->env, bytes, 64);
    made->parts = heedi_calloc(&made->env, program->part_count, sizeof(*made->parts));
    made->bound = heedi_calloc(&made->env, program->state_count, sizeof(*made->bound));
    if (made->block == NULL || made->parts == NULL || made->bound == NULL) {
        status = heedi_fail_memory(context, "an instance", bytes);
        goto fail;
    }
    memset(made->block, 0, bytes);
    for (uint32_t p = 0; status == HEED_OK && p < program->part_count; p++)
        status = create_part(context, made, p);
    if (status != HEED_OK)
        goto fail;
    *instance = made;
    return HEED_OK;
fail:
    heed_instance_destroy(made);
    return status;
}

void heed_instance_destroy(struct heed_instance *instance) {
    if (instance == NULL)
        return;
    const struct heedi_env env = instance->env;
    for (uint32_t p = 0; instance->parts != NULL && p < instance->program->part_count; p++)
        if (instance->parts[p] != NULL)
            instance->program->parts[p].device->backend.table.instance_destroy(instance->parts[p]);
    heedi_steps_destroy(&env, instance->steps);
    heedi_free(&env, instance->parts);
    heedi_free(&env, instance->bound);
    heedi_free(&env, instance->block);
    heed_program_release(instance->program);
    heedi_free(&env, instance);
}

const struct heedi_port *heedi_instance_port(const struct heed_instance *instance, const char *name,
                                             bool output) {
    const struct heed_program *program = instance->program;
    for (uint32_t i = 0; name != NULL && i < program->port_count; i++)
        if (program->ports[i].output == output && strcmp(program->ports[i].name, name) == 0)
            return &program->ports[i];
    return NULL;
}

/* Memory of an input or output by name. */
static void *memory_of(const struct heed_instance *instance, const char *name, bool output,
                       size_t *bytes) {
    const struct heedi_port *port = heedi_instance_port(instance, name, output);
    if (bytes != NULL)
        *bytes = port != NULL ? port->bytes : 0;
    return port != NULL ? instance->block + port->offset : NULL;
}

void *heed_instance_input(struct heed_instance *instance, const char *name, size_t *bytes) {
    return memory_of(instance, name, false, bytes);
}

const void *heed_instance_output(struct heed_instance *instance, const char *name, size_t *bytes) {
    return memory_of(instance, name, true, bytes);
}

enum heed_status heedi_instance_place(struct heed_context *context, struct heed_instance *instance,
                                      const char *name, void *memory) {
    const struct heed_program *program = instance->program;
    const struct heedi_port *port = heedi_instance_port(instance, name, true);
    if (port == NULL)
        port = heedi_instance_port(instance, name, false);
    if (port == NULL)
        return heedi_fail(context, HEED_ERROR_NOT_FOUND, "graph '%s' has no input or output '%s'",
                          program->partition.graph->name, name);
    for (uint32_t p = 0; port->bytes > 0 && p < program->part_count; p++) {
        const struct heedi_compiled *part = &program->parts[p];
        for (uint32_t b = 0; b < part->binding_count; b++) {
            if (part->bindings[b].role == HEED_ROLE_STATE ||
                heedi_program_boundary(program, part->bindings[b].tensor)->offset != port->offset)
                continue;
            struct heed_error error = heedi_plugin_error();
            const enum heed_status status = heedi_plugin_status(
                part->device->backend.table.bind(instance->parts[p], b, memory, &error), &error);
            if (status != HEED_OK)
                return heedi_instance_failed(context, status, program, p, "binding memory to",
                                             &error);
        }
    }
    return HEED_OK;
}

static bool same_desc(const struct heed_tensor_desc *a, const struct heed_tensor_desc *b) {
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0;
}

enum heed_status heed_instance_bind_state(struct heed_context *context,
                                          struct heed_instance *instance, const char *name,
                                          struct heed_state *state) {
    const struct heed_program *program = instance->program;
    const struct heed_graph *graph = program->partition.graph;
    const struct heedi_state_slot *slot = name != NULL ? heedi_program_state(program, name) : NULL;
    if (slot == NULL || state == NULL)
        return heedi_fail(context, HEED_ERROR_NOT_FOUND, "graph '%s' has no state '%s' to bind",
                          graph->name, name != NULL ? name : "(null)");
    const struct heed_tensor_desc *desc = &graph->tensors[slot->tensor].desc;
    if (!same_desc(&state->desc, desc)) {
        struct heedi_shape_text expected, actual;
        return heedi_fail(context, HEED_ERROR_SHAPE,
                          "graph '%s', state '%s': expected %s, but the state is %s", graph->name,
                          name, heedi_shape_print(&expected, desc),
                          heedi_shape_print(&actual, &state->desc));
    }
    for (uint32_t p = 0; p < program->part_count; p++) {
        const struct heedi_compiled *part = &program->parts[p];
        for (uint32_t b = 0; b < part->binding_count; b++) {
            if (part->bindings[b].tensor != slot->tensor)
                continue;
            if (part->device != state->device)
                return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                                  "graph '%s', state '%s': it is used on backend '%s' of one "
                                  "executor, but was made on '%s' of %s",
                                  graph->name, name, part->device->backend.name,
                                  state->device->backend.name,
                                  part->device->engine == state->engine ? "it" : "another");
            struct heed_error error = heedi_plugin_error();
            const enum heed_status status = heedi_plugin_status(
                part->device->backend.table.bind_state(instance->parts[p], b, state->state, &error),
                &error);
            if (status != HEED_OK)
                return heedi_instance_failed(context, status, program, p, "binding a state to",
                                             &error);
        }
    }
    instance->bound[slot - program->states] = state;
    instance->replays = false;
    return HEED_OK;
}

enum heed_status heedi_instance_run_part(struct heed_context *context,
                                         struct heed_instance *instance, uint32_t index,
                                         uint32_t count) {
    const struct heedi_device *device = instance->program->parts[index].device;
    const struct heed_backend *table = &device->backend.table;
    struct heed_plugin_instance *part = instance->parts[index];
    struct heed_error error = heedi_plugin_error();
    struct heedi_profiled_run run = {.program = instance->program,
                                     .part = index,
                                     .steps = count > 0 ? count : 1,
                                     .replayed = instance->replays};
    struct heedi_observer *observer = instance->observer;
    void *ticket = observer != NULL ? observer->before(observer, instance, index, count) : NULL;
    if (instance->profile != NULL) {
        heedi_counts_read(&run.before, device, part);
        run.begin_ns = heedi_os_now_ns();
    }
    enum heed_status status = heedi_plugin_status(
        count > 0 ? device->steps->submit(part, count, &error) : table->submit(part, &error),
        &error);
    if (status == HEED_OK)
        status = heedi_plugin_status(table->wait(part, UINT64_MAX, &error), &error);
    if (status == HEED_OK && instance->profile != NULL) {
        run.end_ns = heedi_os_now_ns();
        heedi_profile_record(instance->profile, part, &run);
    }
    if (ticket != NULL)
        observer->after(observer, ticket, instance, status == HEED_OK);
    if (status != HEED_OK)
        return heedi_instance_failed(context, status, instance->program, index, "running", &error);
    if (index + 1 == instance->program->part_count)
        instance->replays = true;
    return HEED_OK;
}

enum heed_status heedi_instance_ready(struct heed_context *context,
                                      const struct heed_instance *instance) {
    const struct heed_program *program = instance->program;
    for (uint32_t s = 0; s < program->state_count; s++)
        if (instance->bound[s] == NULL)
            return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                              "graph '%s': state '%s' is not bound", program->partition.graph->name,
                              program->states[s].name);
    return HEED_OK;
}

enum heed_status heed_instance_run(struct heed_context *context, struct heed_instance *instance) {
    enum heed_status status = heedi_instance_ready(context, instance);
    for (uint32_t p = 0; status == HEED_OK && p < instance->program->part_count; p++)
        status = heedi_instance_run_part(context, instance, p, 0);
    return status;
}

void heed_instance_set_profile(struct heed_instance *instance, struct heed_profile *profile) {
    instance->profile = profile;
    instance->replays = false;
    for (uint32_t p = 0; p < instance->program->part_count; p++) {
        const struct heedi_device *device = instance->program->parts[p].device;
        if (device->profile != NULL)
            device->profile->enable(instance->parts[p], profile != NULL);
    }
}
