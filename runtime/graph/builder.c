/* SPDX-License-Identifier: Apache-2.0 */
/* Building graphs: every tensor and node is checked as it is added; the first failure sticks. */
#include <string.h>

#include "runtime/base/shape.h"
#include "runtime/graph/graph.h"
#include "runtime/ops/op.h"

#define FIRST_CAPACITY 64

/* ---- life ---- */

enum heed_status heed_graph_create(struct heed_context *context, const char *name,
                                   struct heed_graph **graph) {
    if (graph != NULL)
        *graph = NULL;
    if (context == NULL || graph == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_graph_create: context and graph must not be NULL");
    struct heed_graph *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return heedi_fail_memory(context, "a graph", sizeof *made);
    heedi_ref_init(&made->references);
    heedi_arena_init(&made->arena, &context->env);
    made->context = context;
    made->name = heedi_arena_strdup(&made->arena, name == NULL ? "graph" : name);
    made->scope = "";
    if (made->name == NULL) {
        heed_graph_release(made);
        return heedi_fail_memory(context, "the name of a graph", 1);
    }
    *graph = made;
    return HEED_OK;
}

struct heed_graph *heed_graph_retain(struct heed_graph *graph) {
    heedi_ref_retain(&graph->references);
    return graph;
}

void heed_graph_release(struct heed_graph *graph) {
    if (graph == NULL || !heedi_ref_release(&graph->references))
        return;
    const struct heedi_env env = graph->arena.env;
    for (int32_t i = 0; i < graph->tensor_count; i++)
        heed_weight_release(graph->tensors[i].weight);
    heedi_free(&env, graph->tensors);
    heedi_free(&env, graph->nodes);
    heedi_arena_clear(&graph->arena);
    heedi_free(&env, graph);
}

/* ---- helpers ---- */

/* The status that every call on `graph` starts with: sticky failure, or use after freeze. */
static enum heed_status enter(struct heed_graph *graph) {
    if (graph == NULL)
        return HEED_ERROR_INVALID_ARGUMENT;
    if (graph->frozen)
        return HEED_ERROR_INVALID_ARGUMENT;
    return graph->status;
}

#define STICK(graph, ...) ((graph)->status = heedi_fail((graph)->context, __VA_ARGS__))

static enum heed_status stick_memory(struct heed_graph *graph) {
    return graph->status =
               heedi_fail_memory(graph->context, graph->name, sizeof(struct heedi_node));
}

static bool known_tensor(const struct heed_graph *graph, heed_tensor tensor) {
    return tensor >= 0 && tensor < graph->tensor_count;
}

/* Appends a tensor that owns its memory; HEED_NO_TENSOR (and the sticky status) on failure. */
static heed_tensor add_tensor(struct heed_graph *graph, const char *name,
                              enum heedi_tensor_kind kind, const struct heed_tensor_desc *desc) {
    if (graph->tensor_count == graph->tensor_capacity) {
        const int32_t capacity =
            graph->tensor_capacity == 0 ? FIRST_CAPACITY : 2 * graph->tensor_capacity;
        void *grown = heedi_grow(&graph->arena.env, graph->tensors, (size_t)graph->tensor_count,
                                 (size_t)capacity, sizeof *graph->tensors);
        if (grown == NULL) {
            stick_memory(graph);
            return HEED_NO_TENSOR;
        }
        graph->tensors = grown;
        graph->tensor_capacity = capacity;
    }
    const char *copy = heedi_arena_strdup(&graph->arena, name);
    if (copy == NULL) {
        stick_memory(graph);
        return HEED_NO_TENSOR;
    }
    graph->tensors[graph->tensor_count] = (struct heedi_tensor){
        .name = copy,
        .kind = kind,
        .desc = *desc,
        .storage = graph->tensor_count,
        .producer = -1,
        .superseded_by = -1,
    };
    return graph->tensor_count++;
}

static enum heed_status add_leaf(struct heed_graph *graph, const char *name,
                                 enum heedi_tensor_kind kind, enum heed_dtype dtype, uint32_t rank,
                                 const int64_t *dims, heed_tensor *tensor) {
    const char *what = kind == HEEDI_TENSOR_STATE ? "state" : "input";
    if (name == NULL || name[0] == '\0' || tensor == NULL || (rank > 0 && dims == NULL))
        return STICK(graph, HEED_ERROR_INVALID_ARGUMENT,
                     "graph %s: %s needs a name, dims and a place for the result", graph->name,
                     what);
    if (!heedi_shape_check(dtype, rank, dims, NULL, NULL))
        return STICK(graph, HEED_ERROR_SHAPE,
                     "%s %s: type %d, rank %u or its dimensions are out of range", what, name,
                     (int)dtype, rank);
    if (dtype == HEED_Q8_0)
        return STICK(graph, HEED_ERROR_SHAPE, "%s %s: only constants may be q8_0", what, name);
    for (int32_t i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i].kind == kind && strcmp(graph->tensors[i].name, name) == 0)
            return STICK(graph, HEED_ERROR_INVALID_ARGUMENT, "%s %s exists already", what, name);
    const struct heed_tensor_desc desc = heed_desc(dtype, rank, dims);
    *tensor = add_tensor(graph, name, kind, &desc);
    return graph->status;
}

/* ---- leaves ---- */

enum heed_status heed_graph_input(struct heed_graph *graph, const char *name, enum heed_dtype dtype,
                                  uint32_t rank, const int64_t *dims, int64_t bound,
                                  heed_tensor *tensor) {
    const enum heed_status entered = enter(graph);
    if (entered != HEED_OK)
        return entered;
    if (add_leaf(graph, name, HEEDI_TENSOR_INPUT, dtype, rank, dims, tensor) == HEED_OK)
        graph->tensors[*tensor].bound = bound > 0 ? bound : 0;
    return graph->status;
}

enum heed_status heed_graph_state(struct heed_graph *graph, const char *name, enum heed_dtype dtype,
                                  uint32_t rank, const int64_t *dims, heed_tensor *tensor) {
    const enum heed_status entered = enter(graph);
    if (entered != HEED_OK)
        return entered;
    return add_leaf(graph, name, HEEDI_TENSOR_STATE, dtype, rank, dims, tensor);
}

enum heed_status heed_graph_constant(struct heed_graph *graph, struct heed_weight *weight,
                                     heed_tensor *tensor) {
    const enum heed_status entered = enter(graph);
    if (entered != HEED_OK)
        return entered;
    if (weight == NULL || tensor == NULL)
        return STICK(graph, HEED_ERROR_INVALID_ARGUMENT,
                     "graph %s: constant: weight and tensor must not be NULL", graph->name);
    for (int32_t i = 0; i < graph->tensor_count; i++) /* one tensor per weight */
        if (graph->tensors[i].weight == weight) {
            *tensor = i;
            return HEED_OK;
        }
    *tensor = add_tensor(graph, weight->name, HEEDI_TENSOR_CONSTANT, &weight->desc);
    if (graph->status == HEED_OK)
        graph->tensors[*tensor].weight = heed_weight_retain(weight);
    return graph->status;
}

/* ---- nodes ---- */

/* The state token (or other non-view tensor) that `tensor` looks at. */
static heed_tensor viewed(const struct heed_graph *graph, heed_tensor tensor) {
    while (graph->tensors[tensor].producer >= 0 &&
           graph->nodes[graph->tensors[tensor].producer].view)
        tensor = graph->nodes[graph->tensors[tensor].producer].inputs[0];
    return tensor;
}

static enum heed_status check_inputs(struct heed_graph *graph, const char *name,
                                     const heed_tensor *inputs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (inputs[i] == HEED_NO_TENSOR)
            continue;
        if (!known_tensor(graph, inputs[i]))
            return STICK(graph, HEED_ERROR_INVALID_ARGUMENT,
                         "%s: input %u is tensor %d, the graph has %d", name, i, (int)inputs[i],
                         (int)graph->tensor_count);
        const struct heedi_tensor *token = &graph->tensors[viewed(graph, inputs[i])];
        if (token->superseded_by >= 0)
            return STICK(graph, HEED_ERROR_INVALID_ARGUMENT,
                         "%s: input %u reads state %s after %s has updated it; use the token that "
                         "the update returned",
                         name, i, graph->tensors[token->storage].name,
                         graph->nodes[token->superseded_by].name);
    }
    return HEED_OK;
}

static struct heedi_node *append_node(struct heed_graph *graph) {
    if (graph->node_count == graph->node_capacity) {
        const int32_t capacity =
            graph->node_capacity == 0 ? FIRST_CAPACITY : 2 * graph->node_capacity;
        void *grown = heedi_grow(&graph->arena.env, graph->nodes, (size_t)graph->node_count,
                                 (size_t)capacity, sizeof *graph->nodes);
        if (grown == NULL) {
            stick_memory(graph);
            return NULL;
        }
        graph->nodes = grown;
        graph->node_capacity = capacity;
    }
    return &graph->nodes[graph->node_count];
}

/* "<scope><name>", or "<scope><op>.<index>" where no name is given. */
static const char *node_name(struct heed_graph *graph, enum heed_op op, const char *name) {
    const struct heedi_env *env = &graph->arena.env;
    char *text = name != NULL ? heedi_asprintf(env, "%s%s", graph->scope, name)
                              : heedi_asprintf(env, "%s%s.%d", graph->scope, heed_op_name(op),
                                               (int)graph->node_count);
    const char *copy = text == NULL ? NULL : heedi_arena_strdup(&graph->arena, text);
    heedi_free(env, text);
    if (copy == NULL)
        stick_memory(graph);
    return copy;
}

/* Adds the outputs of `node` as inferred by `call`; views and state updates share memory. */
static enum heed_status add_outputs(struct heed_graph *graph, struct heedi_node *node,
                                    const struct heedi_call *call) {
    for (uint32_t i = 0; i < call->output_count; i++) {
        const heed_tensor made =
            add_tensor(graph, node->name, HEEDI_TENSOR_NODE, &call->outputs[i]);
        if (made == HEED_NO_TENSOR)
            return graph->status;
        struct heedi_tensor *tensor = &graph->tensors[made];
        const struct heedi_tensor *first = &graph->tensors[node->inputs[0]];
        tensor->producer = graph->node_count;
        if (node->view || node->op == HEED_OP_CACHE_APPEND) {
            tensor->storage = first->storage;
            tensor->offset_elems = first->offset_elems + call->view_offset;
            tensor->bound = first->bound;
        }
        if (node->op == HEED_OP_CACHE_APPEND)
            graph->tensors[node->inputs[0]].superseded_by = graph->node_count;
        node->outputs[i] = made;
    }
    node->output_count = call->output_count;
    return HEED_OK;
}

/* An update takes the current token itself: a view of it, or anything else, cannot be updated. */
static enum heed_status check_token(struct heed_graph *graph, const char *name,
                                    heed_tensor tensor) {
    const struct heedi_tensor *token = &graph->tensors[tensor];
    if (graph->tensors[token->storage].kind != HEEDI_TENSOR_STATE ||
        viewed(graph, tensor) != tensor)
        return STICK(graph, HEED_ERROR_INVALID_ARGUMENT,
                     "%s: input 0 is %s, expected the token of a state", name, token->name);
    return HEED_OK;
}

static enum heed_status add_node(struct heed_graph *graph, const struct heedi_op *op,
                                 const char *name, const heed_tensor *inputs, uint32_t count,
                                 const void *attrs, heed_tensor *outputs);

/* A reshape whose strides allow no view: copies, then reshapes the copy. */
static enum heed_status reshape_copy(struct heed_graph *graph, const struct heedi_op *op,
                                     const char *name, heed_tensor input, const void *attrs,
                                     heed_tensor *outputs) {
    heed_tensor copied;
    graph->status = HEED_OK;
    if (add_node(graph, heedi_op_find(HEED_OP_COPY), NULL, &input, 1, NULL, &copied) != HEED_OK)
        return graph->status;
    return add_node(graph, op, name, &copied, 1, attrs, outputs);
}

static enum heed_status add_node(struct heed_graph *graph, const struct heedi_op *op,
                                 const char *name, const heed_tensor *inputs, uint32_t count,
                                 const void *attrs, heed_tensor *outputs) {
    const char *full = node_name(graph, op->op, name);
    if (full == NULL || check_inputs(graph, full, inputs, count) != HEED_OK)
        return graph->status;
    void *block = NULL;
    if (op->attrs_size > 0 && attrs != NULL) {
        block = heedi_arena_alloc(&graph->arena, 1, op->attrs_size);
        if (block == NULL)
            return stick_memory(graph);
        graph->status =
            heedi_read_struct(block, op->attrs_size, attrs, full, &graph->context->error);
        if (graph->status != HEED_OK)
            return graph->status;
        const uint32_t size = op->attrs_size;
        memcpy(block, &size, sizeof size);
    }
    struct heedi_call call = {.op = op->op,
                              .name = full,
                              .attrs = block,
                              .input_count = count,
                              .error = &graph->context->error};
    struct heed_tensor_desc descs[HEED_MAX_INPUTS];
    for (uint32_t i = 0; i < count; i++)
        if (inputs[i] != HEED_NO_TENSOR) {
            descs[i] = graph->tensors[inputs[i]].desc;
            call.inputs[i] = &descs[i];
            call.input_names[i] = graph->tensors[inputs[i]].name;
        }
    graph->status = heedi_op_infer(&call);
    if (graph->status == HEED_ERROR_UNSUPPORTED && op->op == HEED_OP_RESHAPE)
        return reshape_copy(graph, op, name, inputs[0], attrs, outputs);
    if (graph->status != HEED_OK)
        return graph->status;
    if (op->op == HEED_OP_CACHE_APPEND && check_token(graph, full, inputs[0]) != HEED_OK)
        return graph->status;
    struct heedi_node *node = append_node(graph);
    if (node == NULL)
        return graph->status;
    *node = (struct heedi_node){.op = op->op,
                                .name = full,
                                .view = op->view,
                                .attrs = block,
                                .attrs_size = block == NULL ? 0 : op->attrs_size,
                                .input_count = count,
                                .origin = graph->node_count};
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        node->inputs[i] = i < count ? inputs[i] : HEED_NO_TENSOR;
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++)
        node->outputs[i] = HEED_NO_TENSOR;
    if (add_outputs(graph, node, &call) != HEED_OK)
        return graph->status;
    graph->node_count++;
    for (uint32_t i = 0; i < call.output_count; i++)
        outputs[i] = node->outputs[i];
    return HEED_OK;
}

enum heed_status heed_graph_add(struct heed_graph *graph, enum heed_op op, const char *name,
                                const heed_tensor *inputs, uint32_t input_count, const void *attrs,
                                heed_tensor *outputs) {
    const enum heed_status entered = enter(graph);
    if (entered != HEED_OK)
        return entered;
    const struct heedi_op *entry = heedi_op_find(op);
    if (entry == NULL)
        return STICK(graph, HEED_ERROR_INVALID_ARGUMENT, "graph %s: unknown operator %d",
                     graph->name, (int)op);
    if (inputs == NULL || outputs == NULL || input_count > HEED_MAX_INPUTS)
        return STICK(graph, HEED_ERROR_INVALID_ARGUMENT,
                     "%s: needs inputs (%u given, at most %d) and a place for outputs", entry->name,
                     input_count, HEED_MAX_INPUTS);
    return add_node(graph, entry, name, inputs, input_count, attrs, outputs);
}

/* ---- end ---- */

enum heed_status heed_graph_output(struct heed_graph *graph, const char *name, heed_tensor tensor) {
    const enum heed_status entered = enter(graph);
    if (entered != HEED_OK)
        return entered;
    if (name == NULL || name[0] == '\0' || !known_tensor(graph, tensor))
        return STICK(graph, HEED_ERROR_INVALID_ARGUMENT,
                     "graph %s: output needs a name and a tensor of the graph (%d given)",
                     graph->name, (int)tensor);
    for (int32_t i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i].output_name != NULL &&
            strcmp(graph->tensors[i].output_name, name) == 0)
            return STICK(graph, HEED_ERROR_INVALID_ARGUMENT, "output %s exists already", name);
    const char *copy = heedi_arena_strdup(&graph->arena, name);
    if (copy == NULL)
        return stick_memory(graph);
    const struct heedi_tensor *source = &graph->tensors[tensor];
    /* The caller reads memory of its own: what lies elsewhere is copied. */
    if (source->kind != HEEDI_TENSOR_NODE || source->storage != tensor ||
        source->output_name != NULL) {
        const heed_tensor from = tensor;
        if (add_node(graph, heedi_op_find(HEED_OP_COPY), NULL, &from, 1, NULL, &tensor) != HEED_OK)
            return graph->status;
    }
    graph->tensors[tensor].output_name = copy;
    return HEED_OK;
}

enum heed_status heed_graph_freeze(struct heed_graph *graph) {
    const enum heed_status entered = enter(graph);
    if (entered != HEED_OK)
        return entered;
    /* Backwards: a node lives if it updates a state, makes an output, or feeds a living node. */
    unsigned char *needed = heedi_calloc(&graph->arena.env, (size_t)graph->tensor_count, 1);
    if (needed == NULL)
        return stick_memory(graph);
    for (int32_t n = graph->node_count; n-- > 0;) {
        struct heedi_node *node = &graph->nodes[n];
        bool lives = node->op == HEED_OP_CACHE_APPEND;
        for (uint32_t i = 0; i < node->output_count; i++)
            lives = lives || needed[node->outputs[i]] ||
                    graph->tensors[node->outputs[i]].output_name != NULL;
        node->dead = !lives;
        for (uint32_t i = 0; lives && i < node->input_count; i++)
            if (node->inputs[i] != HEED_NO_TENSOR)
                needed[node->inputs[i]] = 1;
    }
    heedi_free(&graph->arena.env, needed);
    graph->frozen = true;
    graph->context = NULL;
    return HEED_OK;
}

enum heed_status heed_graph_tensor_desc(const struct heed_graph *graph, heed_tensor tensor,
                                        struct heed_tensor_desc *desc) {
    if (graph == NULL || desc == NULL || !known_tensor(graph, tensor))
        return HEED_ERROR_INVALID_ARGUMENT;
    *desc = graph->tensors[tensor].desc;
    return HEED_OK;
}

void heed_graph_scope(struct heed_graph *graph, const char *prefix) {
    if (enter(graph) != HEED_OK)
        return;
    graph->scope = prefix == NULL ? "" : heedi_arena_strdup(&graph->arena, prefix);
    if (graph->scope == NULL) {
        graph->scope = "";
        stick_memory(graph);
    }
}
