/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that a backend computes as one, for themselves: a sub-graph of just these nodes, with the
 * views of the real graph, on the operands of the reference, against the reference and against what
 * the same nodes give one by one. */
#include <math.h>
#include <string.h>

#include "runtime/check/walk.h"

enum { MOST_READERS = 8 }; /* nodes that are looked at after a group */

/* ---- finding ---- */

/* Entries come in the order of the run; some may be of the same nodes. */
static void take_entries(struct heedi_walk_run *run, uint32_t part,
                         const struct heed_profile_entry *entries, uint32_t count) {
    const struct heedi_compiled *compiled = &run->program->parts[part];
    for (uint32_t e = 0; e < count; e++) {
        const uint32_t fused = entries[e].fused_count, last = entries[e].node;
        if (fused == 0 || last >= compiled->node_count || fused > last)
            continue;
        const uint32_t *nodes = &compiled->nodes[last - fused];
        bool known = false;
        for (uint32_t g = 0; g < run->group_count; g++)
            known = known || run->groups[g].nodes == nodes;
        if (!known)
            run->groups[run->group_count++] = (struct heedi_walk_group){
                .nodes = nodes, .count = fused + 1, .fused = fused + 1, .part = part};
    }
}

enum heed_status heedi_walk_groups_find(struct heedi_walk *walk, struct heedi_walk_run *run) {
    const struct heed_program *program = run->program;
    size_t most = 1;
    for (uint32_t p = 0; p < program->part_count; p++)
        most += program->parts[p].node_count;
    run->groups = heedi_calloc(&walk->context->env, most, sizeof *run->groups);
    if (run->groups == NULL)
        return heedi_fail_memory(walk->target->context, "groups", most * sizeof *run->groups);
    for (uint32_t p = 0; p < program->part_count; p++) {
        const struct heed_profile_entry *entries = NULL;
        const struct heed_profile_extension *extension = program->parts[p].device->profile;
        if (extension != NULL) {
            const uint32_t count = extension->entries(run->instance->parts[p], &entries);
            take_entries(run, p, entries, count);
        }
    }
    return HEED_OK;
}

static void clear_group(const struct heedi_env *env, const struct heed_backend *table,
                        struct heedi_walk_group *group) {
    if (group->instance != NULL)
        table->instance_destroy(group->instance);
    if (group->program != NULL)
        table->program_destroy(group->program);
    for (uint32_t b = 0; b < group->binding_count; b++) {
        if (group->memory != NULL)
            heedi_free(env, group->memory[b]);
        if (group->states != NULL && group->states[b] != NULL)
            table->state_destroy(group->states[b]);
    }
    heedi_free(env, group->memory);
    heedi_free(env, group->states);
    heedi_free(env, group->bindings);
    *group = (struct heedi_walk_group){
        .nodes = group->nodes, .count = group->count, .fused = group->fused, .part = group->part};
}

void heedi_walk_groups_clear(const struct heedi_env *env, struct heedi_walk_run *run) {
    for (uint32_t g = 0; g < run->group_count; g++)
        clear_group(env, &run->program->parts[run->groups[g].part].device->backend.table,
                    &run->groups[g]);
    heedi_free(env, run->groups);
    run->groups = NULL;
    run->group_count = 0;
}

/* ---- making ---- */

static bool makes(const struct heedi_walk_group *group, const struct heed_graph *graph,
                  heed_tensor storage) {
    for (uint32_t i = 0; i < group->count; i++) {
        const struct heedi_node *node = &graph->nodes[group->nodes[i]];
        for (uint32_t o = 0; o < node->output_count; o++)
            if (graph->tensors[node->outputs[o]].storage == storage)
                return true;
    }
    return false;
}

static enum heed_status failed(struct heed_context *context, const struct heedi_walk_group *group,
                               const struct heedi_walk_memory *memory, const char *what,
                               enum heed_status status, const struct heed_error *error) {
    return heedi_fail(context, status, "%s the fused nodes '%s' to '%s': %s", what,
                      memory->graph->nodes[group->nodes[0]].name,
                      memory->graph->nodes[group->nodes[group->count - 1]].name, error->message);
}

static enum heed_status compile(struct heed_context *context, struct heedi_walk_group *group,
                                const struct heedi_device *device,
                                const struct heedi_walk_memory *memory, struct heed_error *error) {
    const struct heedi_env *env = &memory->walk->context->env;
    const size_t nodes = (size_t)memory->graph->node_count;
    struct heedi_subgraph subgraph;
    struct heedi_plan plan;
    int32_t *part_of_node = heedi_calloc(env, nodes, sizeof *part_of_node);
    if (part_of_node == NULL)
        return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    memset(part_of_node, 0xff, nodes * sizeof *part_of_node); /* -1: elsewhere */
    for (uint32_t i = 0; i < group->count; i++)
        part_of_node[group->nodes[i]] = 0;
    enum heed_status status = heedi_subgraph_create(context, memory->graph, group->nodes,
                                                    group->count, part_of_node, 0, &subgraph);
    heedi_free(env, part_of_node);
    if (status != HEED_OK)
        return heedi_error(error, status, "%s", heed_last_error(context));
    status = heedi_subgraph_plan(context, &subgraph, device->info.plan_alignment, &plan);
    group->binding_count = subgraph.view.binding_count;
    group->bindings = heedi_calloc(env, group->binding_count, sizeof *group->bindings);
    group->memory = heedi_calloc(env, group->binding_count, sizeof *group->memory);
    group->states = heedi_calloc(env, group->binding_count, sizeof(struct heed_plugin_state *));
    if (group->bindings == NULL || group->memory == NULL || group->states == NULL) {
        group->binding_count = 0;
        status = heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    }
    if (status == HEED_OK) {
        memcpy(group->bindings, subgraph.bindings, group->binding_count * sizeof *group->bindings);
        status = heedi_plugin_status(
            device->backend.table.compile(device->plugin, &subgraph.view, &group->program, error),
            error);
    }
    heedi_subgraph_clear(&subgraph);
    return status;
}

static enum heed_status bind(struct heedi_walk_group *group, const struct heedi_device *device,
                             const struct heedi_walk_memory *memory, struct heed_error *error) {
    const struct heed_backend *table = &device->backend.table;
    enum heed_status status =
        heedi_plugin_status(table->instance_create(group->program, &group->instance, error), error);
    for (uint32_t b = 0; status == HEED_OK && b < group->binding_count; b++) {
        const struct heed_tensor_desc *desc =
            &memory->graph->tensors[group->bindings[b].tensor].desc;
        if (group->bindings[b].role == HEED_ROLE_STATE) {
            status = heedi_plugin_status(
                table->state_create(device->plugin, desc, &group->states[b], error), error);
            if (status == HEED_OK)
                status = heedi_plugin_status(
                    table->bind_state(group->instance, b, group->states[b], error), error);
            continue;
        }
        group->memory[b] =
            heedi_alloc_aligned(&memory->walk->context->env, heedi_walk_bytes(desc) + 64, 64);
        if (group->memory[b] == NULL)
            return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
        status =
            heedi_plugin_status(table->bind(group->instance, b, group->memory[b], error), error);
    }
    return status;
}

/* ---- one by one ---- */

/* Memory of the group's side: its own for what it makes, the reference's for all else. */
static bool open_side(const struct heedi_walk_group *group,
                      const struct heedi_walk_memory *memory) {
    const struct heedi_env *env = &memory->walk->context->env;
    bool made = true;
    for (int32_t t = 0; t < memory->graph->tensor_count; t++) {
        memory->storage[HEEDI_WALK_GROUP][t] = memory->storage[HEEDI_WALK_REFERENCE][t];
        if (memory->graph->tensors[t].storage != t || !makes(group, memory->graph, t))
            continue;
        const size_t bytes = heedi_walk_bytes(&memory->graph->tensors[t].desc);
        void *own = heedi_calloc(env, bytes, 1);
        if (own != NULL && memory->before[t] != NULL)
            memcpy(own, memory->before[t], bytes);
        memory->storage[HEEDI_WALK_GROUP][t] = own;
        made = made && own != NULL;
    }
    return made;
}

static void close_side(const struct heedi_walk_group *group,
                       const struct heedi_walk_memory *memory) {
    for (int32_t t = 0; t < memory->graph->tensor_count; t++)
        if (memory->graph->tensors[t].storage == t && makes(group, memory->graph, t))
            heedi_free(&memory->walk->context->env, memory->storage[HEEDI_WALK_GROUP][t]);
}

/* `relative`, by storage: what its nodes one by one differ by from the reference. */
static enum heed_status run_nodes(const struct heedi_walk_group *group,
                                  const struct heedi_walk_memory *memory, double *relative) {
    const struct heed_graph *graph = memory->graph;
    enum heed_status status = HEED_OK;
    for (uint32_t i = 0; status == HEED_OK && i < group->count; i++) {
        const struct heedi_node *node = &graph->nodes[group->nodes[i]];
        struct heedi_walk_node result = {.node = node};
        status = heedi_walk_take_node(memory, HEEDI_WALK_GROUP, node);
        for (uint32_t o = 0; status == HEED_OK && o < node->output_count; o++)
            heedi_walk_compare(memory, node, node->outputs[o],
                               heedi_walk_first(memory, HEEDI_WALK_GROUP, node->outputs[o]),
                               &result);
        for (uint32_t j = 0; j < node->input_count; j++)
            if (node->inputs[j] != HEED_NO_TENSOR)
                result.relative =
                    fmax(result.relative, relative[graph->tensors[node->inputs[j]].storage]);
        const double ties = heedi_walk_ties(node);
        if (ties > 0 && makes(group, graph, graph->tensors[node->inputs[0]].storage))
            result.relative = fmax(result.relative, ties);
        for (uint32_t o = 0; o < node->output_count; o++)
            relative[graph->tensors[node->outputs[o]].storage] = result.relative;
    }
    return status;
}

/* ---- as one ---- */

static enum heed_status fill(const struct heedi_walk_group *group, const struct heed_backend *table,
                             const struct heedi_walk_memory *memory, struct heed_error *error) {
    enum heed_status status = HEED_OK;
    for (uint32_t b = 0; status == HEED_OK && b < group->binding_count; b++) {
        const heed_tensor tensor = group->bindings[b].tensor;
        const size_t bytes = heedi_walk_bytes(&memory->graph->tensors[tensor].desc);
        const void *from = memory->storage[HEEDI_WALK_REFERENCE][tensor];
        if (group->bindings[b].role == HEED_ROLE_STATE)
            status = heedi_plugin_status(table->state_write(group->states[b], 0,
                                                            makes(group, memory->graph, tensor)
                                                                ? memory->before[tensor]
                                                                : from,
                                                            bytes, error),
                                         error);
        else if (group->bindings[b].role == HEED_ROLE_INPUT && bytes > 0)
            memcpy(group->memory[b], from, bytes);
        else
            memset(group->memory[b], 0xff, bytes);
    }
    return status;
}

static enum heed_status run_once(struct heedi_walk_group *group, const struct heedi_device *device,
                                 const struct heedi_walk_memory *memory, struct heed_error *error) {
    const struct heed_backend *table = &device->backend.table;
    enum heed_status status = fill(group, table, memory, error);
    if (status == HEED_OK)
        status = heedi_plugin_status(table->submit(group->instance, error), error);
    if (status == HEED_OK)
        status = heedi_plugin_status(table->wait(group->instance, UINT64_MAX, error), error);
    return status;
}

/* Whether its nodes are one kernel for themselves too. */
static enum heed_status look(struct heedi_walk_group *group, const struct heedi_device *device,
                             const struct heedi_walk_memory *memory, struct heed_error *error) {
    const struct heed_profile_entry *entries = NULL;
    device->profile->enable(group->instance, 1);
    const enum heed_status status = run_once(group, device, memory, error);
    const uint32_t count =
        status == HEED_OK ? device->profile->entries(group->instance, &entries) : 0;
    for (uint32_t i = 0; i < count; i++)
        if (entries[i].node + 1 == group->fused && entries[i].fused_count == entries[i].node)
            group->reproduced = true;
    device->profile->enable(group->instance, 0);
    return status;
}

/* Some nodes are fused only where what they make is not seen from outside: up to which of the
 * part's nodes it is read, counted from the first of the group. */
static uint32_t extent(const struct heedi_walk_group *group, const struct heedi_compiled *part,
                       const struct heed_graph *graph) {
    const uint32_t first = (uint32_t)(group->nodes - part->nodes);
    uint32_t count = group->count;
    for (uint32_t i = group->count; i < group->count + MOST_READERS && first + i < part->node_count;
         i++) {
        const struct heedi_node *node = &graph->nodes[group->nodes[i]];
        for (uint32_t j = 0; j < node->input_count; j++)
            if (node->inputs[j] != HEED_NO_TENSOR &&
                makes(group, graph, graph->tensors[node->inputs[j]].storage))
                count = i + 1;
    }
    return count;
}

/* Makes the program and runs it, at first of the group alone, else with what reads its results. */
static enum heed_status make(struct heed_context *context, struct heedi_walk_group *group,
                             const struct heedi_compiled *part,
                             const struct heedi_walk_memory *memory, struct heed_error *error) {
    const uint32_t most = extent(group, part, memory->graph);
    enum heed_status status = HEED_OK;
    for (;;) {
        status = compile(context, group, part->device, memory, error);
        if (status == HEED_OK)
            status = bind(group, part->device, memory, error);
        if (status == HEED_OK)
            status = look(group, part->device, memory, error);
        if (status != HEED_OK || group->reproduced || group->count == most)
            return status;
        clear_group(&memory->walk->context->env, &part->device->backend.table, group);
        group->count = most;
    }
}

/* The token that a state has after the group, or the tensor itself. */
static heed_tensor result_of(const struct heedi_walk_group *group, const struct heed_graph *graph,
                             heed_tensor storage) {
    heed_tensor result = storage;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct heedi_node *node = &graph->nodes[group->nodes[i]];
        if (graph->tensors[node->outputs[0]].storage == storage)
            result = node->outputs[0];
    }
    return result;
}

static enum heed_status compare(const struct heedi_walk_group *group,
                                const struct heed_backend *table,
                                const struct heedi_walk_memory *memory, const double *relative,
                                const struct heedi_walk_sink *sink, bool *go_on,
                                struct heed_error *error) {
    const struct heed_graph *graph = memory->graph;
    for (uint32_t b = 0; *go_on && b < group->binding_count; b++) {
        const heed_tensor storage = group->bindings[b].tensor;
        struct heedi_walk_piece piece = {.graph = graph,
                                         .nodes = group->nodes,
                                         .node_count = group->count,
                                         .group = true,
                                         .reproduced = group->reproduced,
                                         .one_by_one = relative[storage]};
        const heed_tensor result = result_of(group, graph, storage);
        if (group->bindings[b].role == HEED_ROLE_INPUT || !makes(group, graph, storage))
            continue;
        if (group->bindings[b].role == HEED_ROLE_OUTPUT) {
            const size_t at = (size_t)graph->tensors[result].offset_elems *
                              heed_dtype_bytes(graph->tensors[result].desc.dtype);
            heedi_walk_compare_piece(memory, result, (const char *)group->memory[b] + at, &piece);
        } else {
            const size_t bytes = heedi_walk_bytes(&graph->tensors[storage].desc);
            void *contents = heedi_calloc(&memory->walk->context->env, bytes, 1);
            if (contents == NULL)
                return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
            const enum heed_status status = heedi_plugin_status(
                table->state_read(group->states[b], 0, contents, bytes, error), error);
            if (status == HEED_OK)
                heedi_walk_compare_piece(memory, result, contents, &piece);
            heedi_free(&memory->walk->context->env, contents);
            if (status != HEED_OK)
                return status;
        }
        *go_on = sink->piece(sink->user, &piece);
    }
    return HEED_OK;
}

enum heed_status heedi_walk_group_run(struct heedi_walk_group *group,
                                      const struct heedi_walk_run *run,
                                      const struct heedi_walk_memory *memory,
                                      const struct heedi_walk_sink *sink, bool *go_on) {
    struct heed_context *context = memory->walk->target->context;
    const struct heedi_env *env = &memory->walk->context->env;
    const struct heedi_compiled *part = &run->program->parts[group->part];
    struct heed_error error = heedi_plugin_error();
    enum heed_status status = HEED_OK;
    if (group->instance == NULL)
        status = make(context, group, part, memory, &error);
    if (status != HEED_OK)
        return failed(context, group, memory, "making", status, &error);
    double *relative = heedi_calloc(env, (size_t)memory->graph->tensor_count, sizeof *relative);
    if (relative == NULL || !open_side(group, memory))
        status = heedi_error(&error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    if (status == HEED_OK)
        status = run_once(group, part->device, memory, &error);
    if (status == HEED_OK) {
        status = run_nodes(group, memory, relative);
        if (status != HEED_OK)
            heedi_error(&error, status, "%s", heed_last_error(memory->walk->context));
    }
    if (status == HEED_OK)
        status =
            compare(group, &part->device->backend.table, memory, relative, sink, go_on, &error);
    close_side(group, memory);
    heedi_free(env, relative);
    return status == HEED_OK ? HEED_OK : failed(context, group, memory, "running", status, &error);
}
