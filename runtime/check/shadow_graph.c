/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of programs as graphs of their own, and running them. What is bound to a part becomes an
 * input, a state or an output; the views that its nodes look through are made anew. */
#include <stdio.h>
#include <string.h>

#include "runtime/check/shadow.h"

const char *heedi_shadow_name(struct heedi_shadow_name *name, char kind, uint32_t number) {
    (void)snprintf(name->text, sizeof name->text, "%c%u", kind, (unsigned)number);
    return name->text;
}

/* ---- building ---- */

struct copying {
    struct heed_context *context;
    const struct heed_graph *from;
    const struct heedi_compiled *part;
    struct heed_graph *to;
    heed_tensor *map; /* tensor of `from` -> tensor of `to` */
    bool *needed;     /* nodes of `from`: those of the part and the views that they look through */
};

static int64_t binding_of(const struct heedi_compiled *part, heed_tensor storage) {
    for (uint32_t b = 0; b < part->binding_count; b++)
        if (part->bindings[b].tensor == storage)
            return b;
    return -1;
}

static void find_needed(struct copying *copying) {
    const struct heed_graph *from = copying->from;
    for (uint32_t i = 0; i < copying->part->node_count; i++)
        copying->needed[copying->part->nodes[i]] = true;
    for (int32_t n = from->node_count; n-- > 0;) {
        const struct heedi_node *node = &from->nodes[n];
        for (uint32_t i = 0; copying->needed[n] && i < node->input_count; i++) {
            const int32_t producer =
                node->inputs[i] != HEED_NO_TENSOR ? from->tensors[node->inputs[i]].producer : -1;
            if (producer >= 0 && from->nodes[producer].view)
                copying->needed[producer] = true;
        }
    }
}

/* A tensor that nothing in the part computes: a constant, or what is bound to the part. */
static enum heed_status add_leaf(struct copying *copying, heed_tensor tensor) {
    const struct heedi_tensor *from = &copying->from->tensors[tensor];
    const struct heedi_tensor *owner = &copying->from->tensors[from->storage];
    const struct heed_tensor_desc *desc = &owner->desc;
    struct heedi_shadow_name name;
    heed_tensor *to = &copying->map[tensor];
    if (owner->kind == HEEDI_TENSOR_CONSTANT)
        return heed_graph_constant(copying->to, owner->weight, to);
    const int64_t binding = binding_of(copying->part, from->storage);
    if (binding < 0)
        return heedi_fail(copying->context, HEED_ERROR_INTERNAL,
                          "graph '%s': tensor '%s' is bound to no part", copying->from->name,
                          from->name);
    heedi_shadow_name(&name, 'b', (uint32_t)binding);
    if (owner->kind != HEEDI_TENSOR_STATE)
        return heed_graph_input(copying->to, name.text, desc->dtype, desc->rank, desc->dims,
                                owner->bound, to);
    /* A later token that another part has made stands for the state as it is now. */
    heed_tensor *state = &copying->map[from->storage];
    enum heed_status status = HEED_OK;
    if (*state == HEED_NO_TENSOR)
        status =
            heed_graph_state(copying->to, name.text, desc->dtype, desc->rank, desc->dims, state);
    *to = *state;
    return status;
}

static enum heed_status copy_node(struct copying *copying, int32_t n) {
    const struct heedi_node *node = &copying->from->nodes[n];
    heed_tensor inputs[HEED_MAX_INPUTS], outputs[HEED_MAX_OUTPUTS];
    enum heed_status status = HEED_OK;
    for (uint32_t i = 0; status == HEED_OK && i < node->input_count; i++) {
        inputs[i] = HEED_NO_TENSOR;
        if (node->inputs[i] == HEED_NO_TENSOR)
            continue;
        if (copying->map[node->inputs[i]] == HEED_NO_TENSOR)
            status = add_leaf(copying, node->inputs[i]);
        inputs[i] = copying->map[node->inputs[i]];
    }
    if (status == HEED_OK)
        status = heed_graph_add(copying->to, node->op, node->name, inputs, node->input_count,
                                node->attrs, outputs);
    for (uint32_t i = 0; status == HEED_OK && i < node->output_count; i++)
        copying->map[node->outputs[i]] = outputs[i];
    return status;
}

static enum heed_status mark_outputs(struct copying *copying, bool choices) {
    const struct heedi_compiled *part = copying->part;
    struct heedi_shadow_name name;
    enum heed_status status = HEED_OK;
    for (uint32_t b = 0; status == HEED_OK && b < part->binding_count; b++)
        if (part->bindings[b].role == HEED_ROLE_OUTPUT)
            status = heed_graph_output(copying->to, heedi_shadow_name(&name, 'b', b),
                                       copying->map[part->bindings[b].tensor]);
    for (uint32_t i = 0; choices && status == HEED_OK && i < part->node_count; i++) {
        const struct heedi_node *node = &copying->from->nodes[part->nodes[i]];
        if (node->op == HEED_OP_ARGMAX || node->op == HEED_OP_TOP_K)
            status = heed_graph_output(copying->to, heedi_shadow_name(&name, 'c', part->nodes[i]),
                                       copying->map[node->inputs[0]]);
    }
    return status;
}

enum heed_status heedi_shadow_graph(struct heed_context *context,
                                    const struct heed_program *program, uint32_t part, bool choices,
                                    struct heed_graph **graph) {
    const struct heedi_env *env = &context->env;
    const struct heed_graph *from = program->partition.graph;
    struct copying copying = {.context = context, .from = from, .part = &program->parts[part]};
    *graph = NULL;
    enum heed_status status = heed_graph_create(context, from->name, &copying.to);
    if (status != HEED_OK)
        return status;
    copying.map = heedi_calloc(env, (size_t)from->tensor_count, sizeof *copying.map);
    copying.needed = heedi_calloc(env, (size_t)from->node_count, sizeof *copying.needed);
    if (copying.map == NULL || copying.needed == NULL) {
        status = heedi_fail_memory(context, "a part's graph", (size_t)from->tensor_count);
    } else {
        for (int32_t t = 0; t < from->tensor_count; t++)
            copying.map[t] = HEED_NO_TENSOR;
        find_needed(&copying);
    }
    for (int32_t n = 0; status == HEED_OK && n < from->node_count; n++)
        if (copying.needed[n])
            status = copy_node(&copying, n);
    if (status == HEED_OK)
        status = mark_outputs(&copying, choices);
    if (status == HEED_OK)
        status = heed_graph_freeze(copying.to);
    heedi_free(env, copying.map);
    heedi_free(env, copying.needed);
    if (status != HEED_OK) {
        heed_graph_release(copying.to);
        return status;
    }
    *graph = copying.to;
    return HEED_OK;
}

/* ---- states ---- */

void heedi_shadow_states_clear(const struct heedi_env *env, struct heedi_shadow_states *states) {
    heedi_free(env, states->at);
    *states = (struct heedi_shadow_states){.at = NULL};
}

static bool is_used(const struct heedi_shadow_run *run, const struct heed_state *state) {
    for (uint32_t b = 0; b < run->binding_count; b++)
        if (run->states[b] == state)
            return true;
    return false;
}

static bool fits(const struct heed_state *state, const struct heed_tensor_desc *desc,
                 const struct heedi_device *device) {
    return state->device == device && state->desc.dtype == desc->dtype &&
           state->desc.rank == desc->rank &&
           memcmp(state->desc.dims, desc->dims, desc->rank * sizeof desc->dims[0]) == 0;
}

/* One that other runs have and this one has not yet, or a new one. */
static enum heed_status acquire_state(struct heed_context *context, struct heedi_shadow_run *run,
                                      const char *name, struct heed_state **state) {
    struct heedi_shadow_states *shared = run->shared;
    const struct heedi_state_slot *slot = heedi_program_state(run->program, name);
    struct heedi_shadow_state *place = NULL;
    if (slot == NULL)
        return heedi_fail(context, HEED_ERROR_INTERNAL, "state '%s' is missing", name);
    const struct heed_tensor_desc *desc =
        &run->program->partition.graph->tensors[slot->tensor].desc;
    for (size_t i = 0; i < shared->count; i++) {
        struct heedi_shadow_state *at = &shared->at[i];
        if (at->state == NULL) {
            place = at;
        } else if (fits(at->state, desc, slot->device) && !is_used(run, at->state)) {
            at->users++;
            *state = at->state;
            return HEED_OK;
        }
    }
    if (place == NULL) {
        struct heedi_shadow_state *grown = heedi_grow(&context->env, shared->at, shared->count,
                                                      2 * shared->count + 8, sizeof *shared->at);
        if (grown == NULL)
            return heedi_fail_memory(context, "states", shared->count * sizeof *shared->at);
        shared->at = grown;
        place = &grown[shared->count];
        memset(place, 0, (shared->count + 8) * sizeof *place);
        shared->count = 2 * shared->count + 8;
    }
    const enum heed_status status = heed_state_create(context, run->program, name, &place->state);
    if (status == HEED_OK) {
        place->users = 1;
        *state = place->state;
    }
    return status;
}

static void release_state(struct heedi_shadow_states *shared, const struct heed_state *state) {
    for (size_t i = 0; state != NULL && i < shared->count; i++) {
        struct heedi_shadow_state *at = &shared->at[i];
        if (at->state != state)
            continue;
        if (--at->users == 0) {
            heed_state_destroy(at->state);
            at->state = NULL;
        }
        return;
    }
}

/* ---- running ---- */

void heedi_shadow_run_close(const struct heedi_env *env, struct heedi_shadow_run *run) {
    heed_instance_destroy(run->instance);
    for (uint32_t b = 0; run->states != NULL && b < run->binding_count; b++)
        release_state(run->shared, run->states[b]);
    heedi_free(env, run->states);
    heed_program_release(run->program);
    *run = (struct heedi_shadow_run){.program = NULL};
}

enum heed_status heedi_shadow_run_open(struct heed_context *context, struct heed_executor *executor,
                                       struct heedi_shadow_states *shared,
                                       const struct heed_program *program, uint32_t part,
                                       bool choices, struct heedi_shadow_run *run) {
    const struct heedi_compiled *compiled = &program->parts[part];
    struct heed_graph *graph = NULL;
    *run = (struct heedi_shadow_run){.binding_count = compiled->binding_count, .shared = shared};
    enum heed_status status = heedi_shadow_graph(context, program, part, choices, &graph);
    if (status == HEED_OK)
        status = heed_program_compile(context, executor, graph, &run->program);
    heed_graph_release(graph);
    if (status == HEED_OK)
        status = heed_instance_create(context, run->program, &run->instance);
    if (status == HEED_OK) {
        run->states = heedi_calloc(&context->env, run->binding_count, sizeof(struct heed_state *));
        if (run->states == NULL)
            status = heedi_fail_memory(context, "states", run->binding_count);
    }
    for (uint32_t b = 0; status == HEED_OK && b < run->binding_count; b++) {
        struct heedi_shadow_name name;
        if (compiled->bindings[b].role != HEED_ROLE_STATE)
            continue;
        heedi_shadow_name(&name, 'b', b);
        status = acquire_state(context, run, name.text, &run->states[b]);
        if (status == HEED_OK)
            status = heed_instance_bind_state(context, run->instance, name.text, run->states[b]);
    }
    if (status != HEED_OK)
        heedi_shadow_run_close(&context->env, run);
    return status;
}

enum heed_status heedi_shadow_run_again(struct heed_context *context, struct heedi_shadow_run *run,
                                        const struct heedi_snapshot *snapshot) {
    for (size_t i = 0; i < snapshot->piece_count; i++) {
        const struct heedi_shadow_piece *piece = &snapshot->pieces[i];
        struct heedi_shadow_name name;
        enum heed_status status = HEED_OK;
        if (piece->after || piece->bytes == 0)
            continue;
        if (run->states[piece->binding] != NULL) {
            status = heed_state_write(context, run->states[piece->binding], piece->offset,
                                      piece->data, piece->bytes);
        } else {
            size_t bytes = 0;
            void *input = heed_instance_input(
                run->instance, heedi_shadow_name(&name, 'b', piece->binding), &bytes);
            if (input == NULL || bytes != piece->bytes) /* a state that no living node touches */
                continue;
            memcpy(input, piece->data, bytes);
        }
        if (status != HEED_OK)
            return status;
    }
    return heed_instance_run(context, run->instance);
}

enum heed_status heedi_shadow_run_read(struct heed_context *context, struct heedi_shadow_run *run,
                                       const struct heedi_shadow_piece *piece, void *data) {
    struct heedi_shadow_name name;
    if (run->states[piece->binding] != NULL)
        return heed_state_read(context, run->states[piece->binding], piece->offset, data,
                               piece->bytes);
    size_t bytes = 0;
    const unsigned char *output =
        heed_instance_output(run->instance, heedi_shadow_name(&name, 'b', piece->binding), &bytes);
    if (output == NULL || piece->offset > bytes || piece->bytes > bytes - piece->offset)
        return heedi_fail(context, HEED_ERROR_INTERNAL, "output '%s' is missing", name.text);
    if (piece->bytes > 0)
        memcpy(data, output + piece->offset, piece->bytes);
    return HEED_OK;
}
