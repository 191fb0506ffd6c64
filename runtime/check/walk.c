/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a graph node by node. Each node becomes a case: its operands as they are now, seen
 * through the views of the graph, weights as constants. */
#include "runtime/check/walk.h"

#include <math.h>
#include <string.h>

#include "runtime/check/check.h"
#include "runtime/ops/op.h"

/* ---- nodes as cases ---- */

/* How a graph makes an operand of what lies in memory: views, from the last to the first. */
static heed_tensor follow_views(const struct heed_graph *graph, heed_tensor tensor,
                                struct heedi_case_operand *operand) {
    while (graph->tensors[tensor].producer >= 0 &&
           graph->nodes[graph->tensors[tensor].producer].view) {
        const struct heedi_node *view = &graph->nodes[graph->tensors[tensor].producer];
        if (operand->view_count < HEEDI_CASE_VIEWS)
            operand->views[operand->view_count] = (struct heedi_case_view){view->op, view->attrs};
        operand->view_count++;
        tensor = view->inputs[0];
    }
    return tensor;
}

static bool copy_elements(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                          heed_tensor tensor, struct heedi_case_operand *operand) {
    const struct heedi_tensor *it = &memory->graph->tensors[tensor];
    const size_t size = heed_dtype_bytes(it->desc.dtype);
    const char *from = heedi_walk_first(memory, side, tensor);
    int64_t index[HEED_MAX_RANK] = {0};
    operand->bound = it->bound;
    operand->desc = heed_desc(it->desc.dtype, it->desc.rank, it->desc.dims);
    memset(operand->axes, '.', it->desc.rank);
    operand->data = heedi_calloc(&memory->walk->context->env, heedi_walk_bytes(&operand->desc), 1);
    if (operand->data == NULL)
        return false;
    char *to = operand->data;
    if (heed_desc_elems(&it->desc) > 0)
        do {
            memcpy(to, from + heedi_offset(&it->desc, index) * (int64_t)size, size);
            to += size;
        } while (heedi_next_index(&it->desc, index));
    return true;
}

/* The memory that it is a view of, and the views; where these are too many, its elements. */
static bool copy_operand(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                         heed_tensor tensor, struct heedi_case_operand *operand) {
    const struct heedi_tensor *it = &memory->graph->tensors[tensor];
    operand->source = memory->graph->tensors[it->storage].kind == HEEDI_TENSOR_CONSTANT
                          ? HEEDI_SOURCE_CONSTANT
                          : HEEDI_SOURCE_INPUT;
    const heed_tensor whole = follow_views(memory->graph, tensor, operand);
    if (operand->view_count <= HEEDI_CASE_VIEWS)
        return copy_elements(memory, side, whole, operand);
    operand->view_count = 0;
    return copy_elements(memory, side, tensor, operand);
}

static enum heed_status make_case(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                                  const struct heedi_node *node, struct heedi_case *it) {
    struct heed_context *context = memory->walk->context;
    *it = (struct heedi_case){
        .op = node->op, .attrs_size = node->attrs_size, .operand_count = node->input_count};
    if (node->attrs_size > sizeof it->attrs)
        return heedi_fail(context, HEED_ERROR_INTERNAL, "node '%s': attributes of %u bytes",
                          node->name, node->attrs_size);
    if (node->attrs_size > 0)
        memcpy(&it->attrs, node->attrs, node->attrs_size);
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HEED_NO_TENSOR &&
            !copy_operand(memory, side, node->inputs[i], &it->operands[i])) {
            heedi_case_clear(&context->env, it);
            return heedi_fail_memory(context, "an operand", 0);
        }
    if (node->op == HEED_OP_CACHE_APPEND)
        it->operands[0].source = HEEDI_SOURCE_STATE;
    return HEED_OK;
}

/* ---- computing ---- */

enum heed_status heedi_walk_call(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                                 const struct heedi_node *node, struct heedi_call *call,
                                 const void *inputs[HEED_MAX_INPUTS]) {
    *call = (struct heedi_call){.op = node->op,
                                .name = node->name,
                                .attrs = node->attrs,
                                .input_count = node->input_count,
                                .error = &memory->walk->context->error};
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HEED_NO_TENSOR)
            continue;
        call->inputs[i] = &memory->graph->tensors[node->inputs[i]].desc;
        call->input_names[i] = memory->graph->tensors[node->inputs[i]].name;
        inputs[i] = heedi_walk_first(memory, side, node->inputs[i]);
    }
    return heedi_op_infer(call);
}

static enum heed_status refer(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                              const struct heedi_node *node) {
    struct heed_context *context = memory->walk->context;
    struct heedi_call call;
    struct heedi_reference reference = {.call = &call};
    enum heed_status status = heedi_walk_call(memory, side, node, &call, reference.data);
    for (uint32_t i = 0; status == HEED_OK && i < call.output_count; i++) {
        const size_t elems = (size_t)heed_desc_elems(&call.outputs[i]);
        reference.out[i] = heedi_calloc(&context->env, elems, sizeof(double));
        if (reference.out[i] == NULL)
            status = heedi_fail_memory(context, "a reference result", elems * sizeof(double));
    }
    if (status == HEED_OK)
        heedi_op_find(node->op)->reference(&reference);
    for (uint32_t i = 0; i < call.output_count; i++) {
        const int64_t elems = status == HEED_OK ? heed_desc_elems(&call.outputs[i]) : 0;
        void *to = memory->storage[side][memory->graph->tensors[node->outputs[i]].storage];
        for (int64_t e = 0; e < elems; e++)
            heedi_store(to, call.outputs[i].dtype, e, reference.out[i][e]);
        heedi_free(&context->env, reference.out[i]);
    }
    return status;
}

/* `results`: memory for them, or NULL. */
static enum heed_status try_node(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                                 struct heedi_target *target, const struct heedi_node *node,
                                 void *const results[HEED_MAX_OUTPUTS],
                                 struct heed_check_finding *finding) {
    struct heedi_case it;
    enum heed_status status = make_case(memory, side, node, &it);
    if (status != HEED_OK)
        return status;
    status = heedi_trial(target, &it, 1, results, finding);
    if (status != HEED_OK)
        heedi_fail(memory->walk->context, status, "node '%s': %s", node->name,
                   heed_last_error(target->context));
    heedi_case_clear(&memory->walk->context->env, &it);
    return status;
}

/* Keeps the results on that side; where nobody runs it, those of its reference. */
static enum heed_status run_node(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                                 struct heedi_target *target, const struct heedi_node *node,
                                 struct heed_check_finding *finding) {
    void *results[HEED_MAX_OUTPUTS] = {NULL};
    for (uint32_t i = 0; i < node->output_count; i++)
        results[i] = memory->storage[side][memory->graph->tensors[node->outputs[i]].storage];
    const enum heed_status status = try_node(memory, side, target, node, results, finding);
    return status == HEED_OK && finding->declined ? refer(memory, side, node) : status;
}

enum heed_status heedi_walk_take_node(const struct heedi_walk_memory *memory,
                                      enum heedi_walk_side side, const struct heedi_node *node) {
    struct heedi_target *target = memory->walk->target;
    struct heed_check_finding ignored;
    target->takes_any = true;
    const enum heed_status status = run_node(memory, side, target, node, &ignored);
    target->takes_any = false;
    return status;
}

/* ---- the walk ---- */

/* What a tensor and all that it was computed from differ by at the most. */
static void note_relative(const struct heedi_walk_memory *memory, const struct heedi_node *node,
                          double relative) {
    const double ties = heedi_walk_ties(node);
    if (ties > 0 && memory->graph->tensors[node->inputs[0]].producer >= 0)
        relative = fmax(relative, ties);
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HEED_NO_TENSOR)
            relative = fmax(relative, memory->relative[node->inputs[i]]);
    for (uint32_t i = 0; i < node->output_count; i++)
        memory->relative[node->outputs[i]] = relative;
}

/* Both backends on the reference's operands, which the other one's results then replace. */
static enum heed_status walk_pair(const struct heedi_walk_memory *memory,
                                  const struct heedi_node *node, struct heedi_walk_node *result) {
    const struct heedi_walk *walk = memory->walk;
    const struct heedi_env *env = &walk->context->env;
    const void *inputs[HEED_MAX_INPUTS] = {NULL};
    void *results[HEED_MAX_OUTPUTS] = {NULL};
    struct heedi_call call;
    struct heedi_side sides[2] = {{.numeric = &walk->target->numeric},
                                  {.numeric = &walk->against->numeric}};
    enum heed_status status = HEED_OK;
    for (uint32_t i = 0; i < node->output_count; i++) {
        const size_t bytes = heedi_walk_bytes(&memory->graph->tensors[node->outputs[i]].desc);
        sides[0].outputs[i] = results[i] = heedi_calloc(env, bytes, 1);
        sides[1].outputs[i] = heedi_walk_first(memory, HEEDI_WALK_REFERENCE, node->outputs[i]);
        if (results[i] == NULL)
            status = heedi_fail_memory(walk->context, "results", bytes);
    }
    if (status == HEED_OK)
        status =
            try_node(memory, HEEDI_WALK_REFERENCE, walk->target, node, results, &result->isolated);
    if (status == HEED_OK)
        status = run_node(memory, HEEDI_WALK_REFERENCE, walk->against, node, &result->other);
    const bool both = status == HEED_OK && !result->isolated.declined && !result->other.declined;
    if (both)
        status = heedi_walk_call(memory, HEEDI_WALK_REFERENCE, node, &call, inputs);
    if (both && status == HEED_OK)
        status = heedi_check_pair(walk->context, &call, inputs, sides, &result->pair);
    for (uint32_t i = 0; i < node->output_count; i++)
        heedi_free(env, results[i]);
    return status;
}

static enum heed_status walk_alone(const struct heedi_walk_memory *memory,
                                   const struct heedi_node *node, struct heedi_walk_node *result) {
    const enum heed_status status =
        try_node(memory, HEEDI_WALK_REFERENCE, memory->walk->target, node, NULL, &result->isolated);
    return status == HEED_OK ? refer(memory, HEEDI_WALK_REFERENCE, node) : status;
}

static enum heed_status walk_node(const struct heedi_walk_memory *memory,
                                  const struct heedi_node *node, struct heedi_walk_node *result) {
    enum heed_status status = memory->walk->against != NULL ? walk_pair(memory, node, result)
                                                            : walk_alone(memory, node, result);
    if (status == HEED_OK)
        status = heedi_walk_take_node(memory, HEEDI_WALK_BACKEND, node);
    for (uint32_t i = 0; status == HEED_OK && i < node->output_count; i++)
        heedi_walk_compare(memory, node, node->outputs[i],
                           heedi_walk_first(memory, HEEDI_WALK_BACKEND, node->outputs[i]), result);
    if (status == HEED_OK && node->op == HEED_OP_ARGMAX)
        heedi_walk_compare_choices(memory, node, result);
    return status;
}

/* States take what they differ by along to the next graph. */
static void keep_states(const struct heedi_walk_memory *memory) {
    const struct heed_graph *graph = memory->graph;
    for (int32_t t = 0; t < graph->tensor_count; t++) {
        const struct heedi_tensor *owner = &graph->tensors[graph->tensors[t].storage];
        if (owner->kind != HEEDI_TENSOR_STATE)
            continue;
        struct heedi_walk_state *state =
            heedi_walk_find_state(memory->walk, owner->name, heedi_walk_bytes(&owner->desc));
        if (state != NULL)
            state->relative = fmax(state->relative, memory->relative[t]);
    }
}

enum heed_status heedi_walk_graph(struct heedi_walk *walk, struct heed_graph *graph,
                                  const struct heedi_walk_sink *sink) {
    struct heedi_walk_run *run = NULL;
    bool go_on = true;
    enum heed_status status = heedi_walk_run_find(walk, graph, &run);
    if (status != HEED_OK)
        return status;
    struct heedi_walk_memory memory = {.walk = walk, .graph = run->program->partition.graph};
    status = heedi_walk_memory_make(&memory, sink);
    for (int32_t n = 0; status == HEED_OK && go_on && n < memory.graph->node_count; n++) {
        const struct heedi_node *node = &memory.graph->nodes[n];
        struct heedi_walk_node result = {.node = node};
        if (node->dead)
            continue;
        if (!node->view) {
            status = walk_node(&memory, node, &result);
            go_on = status == HEED_OK && sink->node(sink->user, &result);
        }
        note_relative(&memory, node, result.relative);
    }
    if (status == HEED_OK && go_on)
        status = heedi_walk_run(run, &memory, sink, &go_on);
    if (status == HEED_OK)
        keep_states(&memory);
    heedi_walk_memory_clear(&memory);
    return status;
}
