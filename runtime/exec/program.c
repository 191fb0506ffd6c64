/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: a partitioned graph, each part compiled by its device. */
#include <string.h>

#include "runtime/exec/executor.h"
#include "runtime/ops/op.h"

#define BOUNDARY_ALIGNMENT 64u

/* ---- compiling the parts ---- */

static void destroy_parts(struct heed_program *program) {
    for (uint32_t p = 0; program->parts != NULL && p < program->part_count; p++) {
        struct heedi_compiled *part = &program->parts[p];
        if (part->program != NULL)
            part->device->backend.table.program_destroy(part->program);
        part->program = NULL;
    }
    program->part_count = 0;
}

/* Takes back everything that compile_once has made. */
static void undo(struct heed_program *program) {
    destroy_parts(program);
    if (program->weights_known)
        heedi_weights_forget(program->engine, program->partition.graph);
    program->weights_known = false;
    heedi_partition_clear(&program->partition);
    const struct heedi_env env = program->env;
    heedi_arena_clear(&program->arena);
    heedi_arena_init(&program->arena, &env);
}

/* Compiles one part. What the device itself says is in `error`; *refused is true where another
 * device may do better. */
static enum heed_status compile_part(struct heed_context *context, struct heed_program *program,
                                     uint32_t index, bool *refused, struct heed_error *error) {
    const struct heedi_part *from = &program->partition.parts[index];
    struct heedi_compiled *part = &program->parts[index];
    struct heedi_subgraph subgraph;
    *refused = false;
    *part = (struct heedi_compiled){.device = program->engine->devices[from->device],
                                    .nodes = from->nodes,
                                    .node_count = from->node_count};
    enum heed_status status =
        heedi_subgraph_create(context, program->partition.graph, from->nodes, from->node_count,
                              program->partition.part_of_node, (int32_t)index, &subgraph);
    if (status != HEED_OK)
        return status;
    status =
        heedi_subgraph_plan(context, &subgraph, part->device->info.plan_alignment, &part->plan);
    if (status != HEED_OK)
        goto done;
    part->binding_count = subgraph.view.binding_count;
    part->bindings = heedi_arena_copy(&program->arena, subgraph.bindings,
                                      part->binding_count * sizeof *part->bindings);
    if (part->bindings == NULL) {
        status =
            heedi_fail_memory(context, "a program", part->binding_count * sizeof *part->bindings);
        goto done;
    }
    status = heedi_plugin_status(part->device->backend.table.compile(
                                     part->device->plugin, &subgraph.view, &part->program, error),
                                 error);
    if (status == HEED_OK && part->program == NULL)
        status = heedi_error(error, HEED_ERROR_INTERNAL, "compile succeeded without a result");
    if (status != HEED_OK) {
        part->program = NULL;
        *refused = status != HEED_ERROR_OUT_OF_MEMORY;
        heedi_fail(context, status, "graph '%s', part %u (%u nodes from '%s') on backend '%s': %s",
                   program->partition.graph->name, index, part->node_count, subgraph.nodes[0].name,
                   part->device->backend.name, error->message);
    }
done:
    heedi_subgraph_clear(&subgraph);
    return status;
}

/* Partitions and compiles. Where a device refuses a part that it had claimed, it is banned for the
 * nodes of that part, *again is set, and nothing is left behind. */
static enum heed_status compile_once(struct heed_context *context, struct heed_program *program,
                                     struct heed_graph *graph, struct heedi_bans *bans,
                                     bool *again) {
    *again = false;
    enum heed_status status =
        heedi_partition_create(context, program->engine, graph, bans, &program->partition);
    if (status != HEED_OK)
        return status;
    const struct heedi_partition *partition = &program->partition;
    status = heedi_weights_know(context, program->engine, partition->graph);
    if (status != HEED_OK)
        goto fail;
    program->weights_known = true;
    program->parts =
        heedi_arena_alloc(&program->arena, partition->part_count, sizeof *program->parts);
    if (program->parts == NULL) {
        status =
            heedi_fail_memory(context, "a program", partition->part_count * sizeof *program->parts);
        goto fail;
    }
    for (uint32_t p = 0; p < partition->part_count; p++) {
        struct heed_error error = heedi_plugin_error();
        bool refused;
        status = compile_part(context, program, p, &refused, &error);
        if (status == HEED_OK) {
            program->part_count++;
            continue;
        }
        const struct heedi_part *part = &partition->parts[p];
        for (uint32_t n = 0; refused && n < part->node_count; n++)
            if (heedi_bans_add(context, bans, partition->graph->nodes[part->nodes[n]].origin,
                               part->device, error.message) != HEED_OK)
                refused = false;
        if (refused)
            heedi_log(&context->env, HEED_LOG_WARNING, "%s; trying without it",
                      heed_last_error(context));
        *again = refused;
        goto fail;
    }
    return HEED_OK;
fail:
    undo(program);
    return status;
}

/* ---- boundaries, ports, states ---- */

const struct heedi_boundary *heedi_program_boundary(const struct heed_program *program,
                                                    heed_tensor tensor) {
    for (uint32_t i = 0; i < program->boundary_count; i++)
        if (program->boundaries[i].tensor == tensor)
            return &program->boundaries[i];
    return NULL;
}

const struct heedi_state_slot *heedi_program_state(const struct heed_program *program,
                                                   const char *name) {
    for (uint32_t i = 0; i < program->state_count; i++)
        if (strcmp(program->states[i].name, name) == 0)
            return &program->states[i];
    return NULL;
}

static bool add_boundary(struct heed_program *program, heed_tensor tensor) {
    if (heedi_program_boundary(program, tensor) != NULL)
        return true;
    const uint64_t bytes = heedi_storage_bytes(&program->partition.graph->tensors[tensor].desc);
    if (bytes > SIZE_MAX / 2 || program->boundary_bytes > SIZE_MAX / 2 - (size_t)bytes)
        return false;
    program->boundaries[program->boundary_count++] =
        (struct heedi_boundary){tensor, (size_t)bytes, program->boundary_bytes};
    const size_t end = program->boundary_bytes + (size_t)bytes;
    program->boundary_bytes = (end + BOUNDARY_ALIGNMENT - 1) & ~(size_t)(BOUNDARY_ALIGNMENT - 1);
    return true;
}

static bool add_port(struct heed_program *program, heed_tensor tensor, const char *name,
                     bool output) {
    const struct heedi_tensor *from = &program->partition.graph->tensors[tensor];
    if (!add_boundary(program, from->storage))
        return false;
    const struct heedi_boundary *boundary = heedi_program_boundary(program, from->storage);
    program->ports[program->port_count++] = (struct heedi_port){
        .name = name,
        .output = output,
        .offset =
            boundary->offset + (size_t)from->offset_elems * heed_dtype_bytes(from->desc.dtype),
        .bytes = (size_t)heedi_storage_bytes(&from->desc),
    };
    return true;
}

/* The device that runs the nodes of a state; the partition has given all of them to one. */
static struct heedi_device *device_of_state(const struct heed_program *program,
                                            heed_tensor tensor) {
    for (uint32_t p = 0; p < program->part_count; p++)
        for (uint32_t b = 0; b < program->parts[p].binding_count; b++)
            if (program->parts[p].bindings[b].tensor == tensor)
                return program->parts[p].device;
    return program->engine->devices[0];
}

/* Lays out what an instance shares between parts and with the caller. */
static enum heed_status lay_out(struct heed_context *context, struct heed_program *program) {
    const struct heed_graph *graph = program->partition.graph;
    const size_t tensors = (size_t)graph->tensor_count;
    bool fits = true;
    program->boundaries = heedi_arena_alloc(&program->arena, tensors, sizeof *program->boundaries);
    program->states = heedi_arena_alloc(&program->arena, tensors, sizeof *program->states);
    /* One tensor may be an input and an output. */
    program->ports = heedi_arena_alloc(&program->arena, 2 * tensors, sizeof *program->ports);
    if (program->boundaries == NULL || program->states == NULL || program->ports == NULL)
        return heedi_fail_memory(context, "a program", tensors * sizeof *program->boundaries);
    for (int32_t t = 0; t < graph->tensor_count; t++) {
        const struct heedi_tensor *tensor = &graph->tensors[t];
        if (tensor->kind == HEEDI_TENSOR_INPUT)
            fits = fits && add_port(program, t, tensor->name, false);
        if (tensor->output_name != NULL)
            fits = fits && add_port(program, t, tensor->output_name, true);
        if (tensor->kind == HEEDI_TENSOR_STATE)
            program->states[program->state_count++] =
                (struct heedi_state_slot){tensor->name, t, device_of_state(program, t)};
    }
    for (uint32_t p = 0; p < program->part_count; p++) {
        const struct heedi_compiled *part = &program->parts[p];
        for (uint32_t b = 0; b < part->binding_count; b++)
            if (part->bindings[b].role != HEED_ROLE_STATE)
                fits = fits && add_boundary(program, part->bindings[b].tensor);
    }
    if (!fits)
        return heedi_fail(context, HEED_ERROR_LIMIT,
                          "graph '%s': its inputs and outputs exceed the address space",
                          graph->name);
    return HEED_OK;
}

/* ---- public functions ---- */

enum heed_status heed_program_compile(struct heed_context *context, struct heed_executor *executor,
                                      struct heed_graph *graph, struct heed_program **program) {
    if (program == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_program_compile: program must not be NULL");
    *program = NULL;
    if (executor == NULL || graph == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_program_compile: executor and graph must not be NULL");
    if (!graph->frozen)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "graph '%s' must be frozen before it is compiled", graph->name);
    struct heed_program *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return heedi_fail_memory(context, "a program", sizeof *made);
    made->env = context->env;
    heedi_ref_init(&made->references);
    heedi_arena_init(&made->arena, &made->env);
    made->engine = heedi_engine_retain(executor->engine);

    struct heedi_bans bans;
    heedi_bans_init(&bans, &context->env);
    enum heed_status status;
    bool again;
    /* Ends, because every further round has banned a device for another node. */
    do
        status = compile_once(context, made, graph, &bans, &again);
    while (again);
    heedi_bans_clear(&bans);
    if (status == HEED_OK)
        status = lay_out(context, made);
    if (status != HEED_OK) {
        heed_program_release(made);
        return status;
    }
    *program = made;
    return HEED_OK;
}

struct heed_program *heed_program_retain(struct heed_program *program) {
    if (program != NULL)
        heedi_ref_retain(&program->references);
    return program;
}

void heed_program_release(struct heed_program *program) {
    if (program == NULL || !heedi_ref_release(&program->references))
        return;
    const struct heedi_env env = program->env;
    undo(program);
    heedi_arena_clear(&program->arena);
    heedi_engine_release(program->engine);
    heedi_free(&env, program);
}

enum heed_status heed_program_memory(const struct heed_program *program,
                                     struct heed_memory *memory) {
    if (memory == NULL || memory->struct_size < sizeof memory->struct_size)
        return HEED_ERROR_INVALID_ARGUMENT;
    struct heed_memory sum = {.struct_size = memory->struct_size,
                              .parts = program->part_count,
                              .boundary_bytes = program->boundary_bytes,
                              .prepared_bytes = heedi_prepared_bytes(program->engine)};
    for (uint32_t p = 0; p < program->part_count; p++) {
        sum.arena_bytes += program->parts[p].plan.arena_bytes;
        sum.unshared_bytes += program->parts[p].plan.unshared_bytes;
    }
    memcpy(memory, &sum, memory->struct_size < sizeof sum ? memory->struct_size : sizeof sum);
    return HEED_OK;
}

struct heedi_cost heedi_program_cost(const struct heed_program *program, uint32_t index) {
    const struct heed_graph *graph = program->partition.graph;
    const struct heedi_node *node = &graph->nodes[index];
    const struct heedi_op *op = heedi_op_find(node->op);
    struct heedi_call call = {.op = node->op,
                              .name = node->name,
                              .attrs = node->attrs,
                              .input_count = node->input_count,
                              .output_count = node->output_count};
    struct heedi_cost cost = {0, 0};
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HEED_NO_TENSOR) {
            call.inputs[i] = &graph->tensors[node->inputs[i]].desc;
            call.input_names[i] = graph->tensors[node->inputs[i]].name;
        }
    for (uint32_t i = 0; i < node->output_count; i++)
        call.outputs[i] = graph->tensors[node->outputs[i]].desc;
    if (op != NULL && op->cost != NULL)
        op->cost(&call, &cost);
    return cost;
}

static void place(const struct heed_program *program, int32_t n, heed_placement_fn fn, void *user) {
    const struct heedi_partition *partition = &program->partition;
    const struct heedi_node *node = &partition->graph->nodes[n];
    struct heed_placement placement = {.struct_size = (uint32_t)sizeof placement,
                                       .node = node->name,
                                       .op = heed_op_name(node->op),
                                       .backend = "view",
                                       .reason = ""};
    if (!node->view) {
        const struct heedi_cost cost = heedi_program_cost(program, (uint32_t)n);
        placement.part = (uint32_t)partition->part_of_node[n];
        placement.backend = program->engine->devices[partition->device_of_node[n]]->backend.name;
        placement.reason = partition->reasons[n];
        placement.flops = cost.flops;
        placement.bytes = cost.bytes;
    }
    fn(user, &placement);
}

bool heedi_program_takes(const struct heed_program *program, const char *name,
                         const struct heed_state *state) {
    const struct heedi_state_slot *slot = heedi_program_state(program, name);
    return slot != NULL && slot->device == state->device;
}

bool heedi_program_usable(const struct heed_program *program) {
    for (uint32_t p = 0; p < program->part_count; p++)
        if (heedi_flag_raised(&program->parts[p].device->aside))
            return false;
    return true;
}

bool heedi_program_on_gpu(const struct heed_program *program) {
    if (program->part_count != 1)
        return false;
    const uint32_t type = program->parts[0].device->info.type;
    return type == HEED_DEVICE_GPU_DISCRETE || type == HEED_DEVICE_GPU_INTEGRATED;
}

uint64_t heedi_program_submission_ns(const struct heed_program *program) {
    const struct heedi_device *device = program->part_count == 1 ? program->parts[0].device : NULL;
    return device != NULL && device->steps != NULL && device->steps->submission_ns != NULL
               ? device->steps->submission_ns(device->plugin)
               : 0;
}

void heed_program_placements(const struct heed_program *program, heed_placement_fn fn, void *user) {
    const struct heed_graph *graph = program->partition.graph;
    for (int32_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].view && !graph->nodes[n].dead)
            place(program, n, fn, user);
    for (uint32_t p = 0; p < program->part_count; p++)
        for (uint32_t i = 0; i < program->parts[p].node_count; i++)
            place(program, (int32_t)program->parts[p].nodes[i], fn, user);
}
