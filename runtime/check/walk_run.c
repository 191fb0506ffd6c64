/* SPDX-License-Identifier: Apache-2.0 */
/* A graph as the backend runs it: parts as the partition gives them, with all that is fused there,
 * states on the device from graph to graph. What comes out is held against the reference. */
#include <string.h>

#include "runtime/check/walk.h"

/* ---- making ---- */

static void destroy_run(const struct heedi_env *env, struct heedi_walk_run *run) {
    heedi_walk_groups_clear(env, run);
    heed_instance_destroy(run->instance);
    heed_program_release(run->program);
    heed_graph_release(run->given);
    heedi_free(env, run->bound);
    heedi_free(env, run);
}

void heedi_walk_runs_clear(struct heedi_walk *walk) {
    while (walk->runs != NULL) {
        struct heedi_walk_run *run = walk->runs;
        walk->runs = run->next;
        destroy_run(&walk->context->env, run);
    }
}

enum heed_status heedi_walk_run_find(struct heedi_walk *walk, struct heed_graph *graph,
                                     struct heedi_walk_run **result) {
    struct heed_context *context = walk->target->context;
    for (*result = walk->runs; *result != NULL; *result = (*result)->next)
        if ((*result)->given == graph)
            return HEED_OK;
    struct heedi_walk_run *run = heedi_calloc(&walk->context->env, 1, sizeof *run);
    if (run == NULL)
        return heedi_fail_memory(walk->context, "a run", sizeof *run);
    run->given = heed_graph_retain(graph);
    enum heed_status status =
        heed_program_compile(context, walk->target->executors[0], graph, &run->program);
    if (status == HEED_OK)
        status = heed_instance_create(context, run->program, &run->instance);
    if (status == HEED_OK) {
        run->bound = heedi_calloc(&walk->context->env, run->program->state_count,
                                  sizeof(struct heed_state *));
        if (run->bound == NULL)
            status = heedi_fail_memory(context, "states", run->program->state_count);
    }
    if (status != HEED_OK) {
        destroy_run(&walk->context->env, run);
        return heedi_fail(walk->context, status, "%s", heed_last_error(context));
    }
    run->next = walk->runs;
    walk->runs = run;
    *result = run;
    return HEED_OK;
}

/* ---- states ---- */

/* A state goes along when its graph's nodes run on another device; a new one is as the reference's
 * was before this graph. */
static enum heed_status move_state(const struct heedi_walk_memory *memory,
                                   struct heed_program *program,
                                   const struct heedi_state_slot *slot,
                                   struct heedi_walk_state *state) {
    const struct heedi_walk *walk = memory->walk;
    struct heed_context *context = walk->target->context;
    struct heed_state *made = NULL;
    void *contents = heedi_calloc(&walk->context->env, state->bytes, 1);
    if (contents == NULL)
        return heedi_fail_memory(context, "a state", state->bytes);
    memcpy(contents, memory->before[slot->tensor], state->bytes);
    enum heed_status status = heed_state_create(context, program, state->name, &made);
    if (status == HEED_OK && state->real != NULL)
        status = heed_state_read(context, state->real, 0, contents, state->bytes);
    if (status == HEED_OK)
        status = heed_state_write(context, made, 0, contents, state->bytes);
    heedi_free(&walk->context->env, contents);
    if (status != HEED_OK) {
        heed_state_destroy(made);
        return status;
    }
    heed_state_destroy(state->real);
    state->real = made;
    return HEED_OK;
}

static enum heed_status bind_states(const struct heedi_walk_memory *memory,
                                    struct heedi_walk_run *run) {
    struct heedi_walk *walk = memory->walk;
    struct heed_context *context = walk->target->context;
    enum heed_status status = HEED_OK;
    for (uint32_t i = 0; status == HEED_OK && i < run->program->state_count; i++) {
        const struct heedi_state_slot *slot = &run->program->states[i];
        struct heedi_walk_state *state = heedi_walk_find_state(
            walk, slot->name,
            heedi_walk_bytes(&run->program->partition.graph->tensors[slot->tensor].desc));
        if (state == NULL)
            return heedi_fail_memory(context, "a state", 0);
        if (state->real == NULL || !heedi_program_takes(run->program, slot->name, state->real))
            status = move_state(memory, run->program, slot, state);
        if (status == HEED_OK && run->bound[i] != state->real)
            status = heed_instance_bind_state(context, run->instance, slot->name, state->real);
        run->bound[i] = status == HEED_OK ? state->real : NULL;
    }
    return status;
}

/* ---- running ---- */

static void profile(const struct heedi_walk_run *run, uint32_t on) {
    for (uint32_t p = 0; p < run->program->part_count; p++)
        if (run->program->parts[p].device->profile != NULL)
            run->program->parts[p].device->profile->enable(run->instance->parts[p], on);
}

/* What is not written shows: 0xff is a NaN in every float type. */
static enum heed_status run_once(struct heed_context *context, const struct heedi_walk_run *run,
                                 const struct heedi_walk_sink *sink) {
    memset(run->instance->block, 0xff, run->program->boundary_bytes);
    for (uint32_t i = 0; i < run->program->port_count; i++) {
        const struct heedi_port *port = &run->program->ports[i];
        if (!port->output && port->bytes > 0)
            memcpy(run->instance->block + port->offset, sink->input(sink->user, port->name),
                   port->bytes);
    }
    return heed_instance_run(context, run->instance);
}

/* At first once more, to hear what is fused. Updates of a state write the same again. */
static enum heed_status run_graph(const struct heedi_walk_memory *memory,
                                  struct heedi_walk_run *run, const struct heedi_walk_sink *sink) {
    struct heed_context *context = memory->walk->target->context;
    enum heed_status status = bind_states(memory, run);
    if (status == HEED_OK && run->groups == NULL) {
        profile(run, 1);
        status = run_once(context, run, sink);
        if (status == HEED_OK)
            status = heedi_walk_groups_find(memory->walk, run);
        profile(run, 0);
    }
    return status == HEED_OK ? run_once(context, run, sink) : status;
}

/* ---- results ---- */

const uint32_t *heedi_walk_run_nodes(const struct heedi_walk_run *run, const uint32_t *node,
                                     uint32_t *count) {
    for (uint32_t g = 0; g < run->group_count; g++) {
        const struct heedi_walk_group *group = &run->groups[g];
        for (uint32_t i = 0; i < group->fused; i++)
            if (group->nodes[i] == *node) {
                *count = group->fused;
                return group->nodes;
            }
    }
    *count = 1;
    return node;
}

/* The last token of a state that the graph updates, else HEED_NO_TENSOR. */
static heed_tensor last_token(const struct heed_graph *graph, heed_tensor state) {
    heed_tensor token = HEED_NO_TENSOR;
    for (int32_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].op == HEED_OP_CACHE_APPEND && !graph->nodes[n].dead &&
            graph->tensors[graph->nodes[n].outputs[0]].storage == state)
            token = graph->nodes[n].outputs[0];
    return token;
}

static bool report(const struct heedi_walk_run *run, const struct heedi_walk_memory *memory,
                   heed_tensor tensor, const void *actual, const struct heedi_walk_sink *sink) {
    const uint32_t producer = (uint32_t)memory->graph->tensors[tensor].producer;
    struct heedi_walk_piece piece = {.graph = memory->graph,
                                     .one_by_one = memory->relative[tensor]};
    piece.nodes = heedi_walk_run_nodes(run, &producer, &piece.node_count);
    heedi_walk_compare_piece(memory, tensor, actual, &piece);
    return sink->piece(sink->user, &piece);
}

static enum heed_status compare_state(const struct heedi_walk_run *run,
                                      const struct heedi_walk_memory *memory, heed_tensor state,
                                      const struct heedi_walk_sink *sink, bool *go_on) {
    struct heed_context *context = memory->walk->target->context;
    const struct heedi_tensor *owner = &memory->graph->tensors[state];
    const heed_tensor token = last_token(memory->graph, state);
    const size_t bytes = heedi_walk_bytes(&owner->desc);
    const struct heedi_walk_state *it = heedi_walk_find_state(memory->walk, owner->name, bytes);
    if (token == HEED_NO_TENSOR || it == NULL || it->real == NULL)
        return HEED_OK;
    void *contents = heedi_calloc(&memory->walk->context->env, bytes, 1);
    if (contents == NULL)
        return heedi_fail_memory(context, "a state", bytes);
    const enum heed_status status = heed_state_read(context, it->real, 0, contents, bytes);
    if (status == HEED_OK)
        *go_on = report(run, memory, token, contents, sink);
    heedi_free(&memory->walk->context->env, contents);
    return status;
}

/* All that leaves a part, to another or to the caller. It comes after the groups, so that the first
 * one that is found wrong is where it begins. */
static enum heed_status compare_results(const struct heedi_walk_run *run,
                                        const struct heedi_walk_memory *memory,
                                        const struct heedi_walk_sink *sink, bool *go_on) {
    enum heed_status status = HEED_OK;
    for (uint32_t p = 0; p < run->program->part_count; p++) {
        const struct heedi_compiled *part = &run->program->parts[p];
        for (uint32_t b = 0; status == HEED_OK && *go_on && b < part->binding_count; b++) {
            const heed_tensor tensor = part->bindings[b].tensor;
            if (part->bindings[b].role == HEED_ROLE_STATE)
                status = compare_state(run, memory, tensor, sink, go_on);
            else if (part->bindings[b].role == HEED_ROLE_OUTPUT)
                *go_on = report(run, memory, tensor,
                                run->instance->block +
                                    heedi_program_boundary(run->program, tensor)->offset,
                                sink);
        }
    }
    return status;
}

enum heed_status heedi_walk_run(struct heedi_walk_run *run, const struct heedi_walk_memory *memory,
                                const struct heedi_walk_sink *sink, bool *go_on) {
    struct heed_context *context = memory->walk->target->context;
    enum heed_status status = run_graph(memory, run, sink);
    for (uint32_t g = 0; status == HEED_OK && *go_on && g < run->group_count; g++)
        status = heedi_walk_group_run(&run->groups[g], run, memory, sink, go_on);
    if (status == HEED_OK && *go_on)
        status = compare_results(run, memory, sink, go_on);
    if (status == HEED_OK || status == HEED_ERROR_OUT_OF_MEMORY)
        return status == HEED_OK
                   ? HEED_OK
                   : heedi_fail(memory->walk->context, status, "%s", heed_last_error(context));
    const struct heedi_walk_piece failed = {
        .graph = memory->graph, .tensor = "", .error = heed_last_error(context)};
    *go_on = sink->piece(sink->user, &failed);
    return HEED_OK;
}
