/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a graph node by node. Each node becomes a case: its operands as they are now, contiguous,
 * weights as constants. */
#include "runtime/check/walk.h"

#include <math.h>
#include <string.h>

#include "runtime/check/check.h"
#include "runtime/ops/op.h"

enum side { REFERENCE, BACKEND, SIDES };
enum { BEST = 5 };

/* The storages of one graph on both sides, by tensor; NULL where a tensor owns none. */
struct memory {
    struct heedi_walk *walk;
    const struct heed_graph *graph;
    void **storage[SIDES];
    bool *borrowed; /* weights, states */
};

static size_t bytes_of(const struct heed_tensor_desc *desc) {
    return (size_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
}

void heedi_walk_clear(struct heedi_walk *walk) {
    for (size_t i = 0; i < walk->state_count; i++) {
        heedi_free(&walk->context->env, walk->states[i].name);
        for (int side = 0; side < SIDES; side++)
            heedi_free(&walk->context->env, walk->states[i].sides[side]);
    }
    heedi_free(&walk->context->env, walk->states);
    walk->states = NULL;
    walk->state_count = 0;
}

/* ---- memory ---- */

/* A state of another size than before begins anew. */
static struct heedi_walk_state *find_state(struct heedi_walk *walk, const char *name,
                                           size_t bytes) {
    const struct heedi_env *env = &walk->context->env;
    for (size_t i = 0; i < walk->state_count; i++)
        if (strcmp(walk->states[i].name, name) == 0 && walk->states[i].bytes == bytes)
            return &walk->states[i];
    struct heedi_walk_state *grown = heedi_grow(env, walk->states, walk->state_count,
                                                walk->state_count + 1, sizeof *walk->states);
    if (grown == NULL)
        return NULL;
    walk->states = grown;
    struct heedi_walk_state *state = &grown[walk->state_count++];
    state->bytes = bytes;
    state->name = heedi_strdup(env, name);
    for (int side = 0; side < SIDES; side++)
        state->sides[side] = heedi_calloc(env, bytes, 1);
    return state->name != NULL && state->sides[0] != NULL && state->sides[1] != NULL ? state : NULL;
}

static bool add_storage(struct memory *memory, int32_t index,
                        const void *(*input)(void *user, const char *name), void *input_user) {
    const struct heedi_tensor *tensor = &memory->graph->tensors[index];
    const size_t bytes = bytes_of(&tensor->desc);
    memory->borrowed[index] =
        tensor->kind == HEEDI_TENSOR_CONSTANT || tensor->kind == HEEDI_TENSOR_STATE;
    struct heedi_walk_state *state = NULL;
    if (tensor->kind == HEEDI_TENSOR_STATE)
        state = find_state(memory->walk, tensor->name, bytes);
    for (int side = 0; side < SIDES; side++) {
        void **storage = &memory->storage[side][index];
        if (tensor->kind == HEEDI_TENSOR_CONSTANT)
            *storage = (void *)(uintptr_t)tensor->weight->data; /* only read */
        else if (tensor->kind == HEEDI_TENSOR_STATE)
            *storage = state != NULL ? state->sides[side] : NULL;
        else
            *storage = heedi_calloc(&memory->walk->context->env, bytes, 1);
        if (*storage == NULL && bytes > 0)
            return false;
        if (tensor->kind == HEEDI_TENSOR_INPUT && bytes > 0)
            memcpy(*storage, input(input_user, tensor->name), bytes);
    }
    return true;
}

static void clear_memory(struct memory *memory) {
    const struct heedi_env *env = &memory->walk->context->env;
    for (int side = 0; side < SIDES; side++) {
        for (int32_t i = 0; memory->storage[side] != NULL && i < memory->graph->tensor_count; i++)
            if (memory->borrowed != NULL && !memory->borrowed[i])
                heedi_free(env, memory->storage[side][i]);
        heedi_free(env, memory->storage[side]);
    }
    heedi_free(env, memory->borrowed);
}

static enum heed_status make_memory(struct memory *memory,
                                    const void *(*input)(void *user, const char *name),
                                    void *input_user) {
    const struct heedi_env *env = &memory->walk->context->env;
    const size_t count = (size_t)memory->graph->tensor_count;
    bool made = true;
    memory->borrowed = heedi_calloc(env, count, sizeof *memory->borrowed);
    for (int side = 0; side < SIDES; side++)
        memory->storage[side] = heedi_calloc(env, count, sizeof *memory->storage[side]);
    made = memory->borrowed != NULL && memory->storage[0] != NULL && memory->storage[1] != NULL;
    for (int32_t i = 0; made && i < memory->graph->tensor_count; i++)
        if (memory->graph->tensors[i].storage == i)
            made = add_storage(memory, i, input, input_user);
    return made ? HEED_OK : heedi_fail_memory(memory->walk->context, "a graph's tensors", count);
}

/* ---- nodes as cases ---- */

static const void *first_element(const struct memory *memory, enum side side, heed_tensor tensor) {
    const struct heedi_tensor *it = &memory->graph->tensors[tensor];
    return (const char *)memory->storage[side][it->storage] +
           (size_t)it->offset_elems * heed_dtype_bytes(it->desc.dtype);
}

static bool copy_operand(const struct memory *memory, enum side side, heed_tensor tensor,
                         struct heedi_case_operand *operand) {
    const struct heedi_tensor *it = &memory->graph->tensors[tensor];
    const struct heedi_tensor *owner = &memory->graph->tensors[it->storage];
    const size_t size = heed_dtype_bytes(it->desc.dtype);
    const char *from = first_element(memory, side, tensor);
    int64_t index[HEED_MAX_RANK] = {0};
    operand->source =
        owner->kind == HEEDI_TENSOR_CONSTANT ? HEEDI_SOURCE_CONSTANT : HEEDI_SOURCE_INPUT;
    operand->desc = heed_desc(it->desc.dtype, it->desc.rank, it->desc.dims);
    memset(operand->axes, '.', it->desc.rank);
    operand->data = heedi_calloc(&memory->walk->context->env, bytes_of(&operand->desc), 1);
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

static enum heed_status make_case(const struct memory *memory, enum side side,
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

static enum heed_status refer(const struct memory *memory, enum side side,
                              const struct heedi_node *node) {
    struct heed_context *context = memory->walk->context;
    struct heedi_call call = {.op = node->op,
                              .name = node->name,
                              .attrs = node->attrs,
                              .input_count = node->input_count,
                              .error = &context->error};
    struct heedi_reference reference = {.call = &call};
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HEED_NO_TENSOR)
            continue;
        call.inputs[i] = &memory->graph->tensors[node->inputs[i]].desc;
        call.input_names[i] = memory->graph->tensors[node->inputs[i]].name;
        reference.data[i] = first_element(memory, side, node->inputs[i]);
    }
    enum heed_status status = heedi_op_infer(&call);
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

/* Runs a node on a backend with the operands of `side`; keeps the results there if wanted. */
static enum heed_status run(const struct memory *memory, enum side side,
                            struct heedi_target *target, const struct heedi_node *node, bool keep,
                            struct heed_check_finding *finding) {
    struct heedi_case it;
    void *results[HEED_MAX_OUTPUTS] = {NULL};
    enum heed_status status = make_case(memory, side, node, &it);
    if (status != HEED_OK)
        return status;
    for (uint32_t i = 0; i < node->output_count; i++)
        results[i] = memory->storage[side][memory->graph->tensors[node->outputs[i]].storage];
    status = heedi_trial(target, &it, 1, keep ? results : NULL, finding);
    if (status != HEED_OK)
        heedi_fail(memory->walk->context, status, "node '%s': %s", node->name,
                   heed_last_error(target->context));
    heedi_case_clear(&memory->walk->context->env, &it);
    if (status == HEED_OK && finding->declined && keep)
        status = refer(memory, side, node);
    return status;
}

/* ---- comparing ---- */

static void compare(const struct memory *memory, heed_tensor tensor,
                    struct heedi_walk_node *result) {
    const struct heed_tensor_desc *desc = &memory->graph->tensors[tensor].desc;
    const void *a = first_element(memory, REFERENCE, tensor);
    const void *b = first_element(memory, BACKEND, tensor);
    const int64_t elems = heed_desc_elems(desc);
    double greatest = 0, difference = 0;
    for (int64_t i = 0; i < elems; i++) {
        const double expected = heedi_load(a, desc->dtype, i);
        const double actual = heedi_load(b, desc->dtype, i);
        if (!heedi_is_float(desc->dtype)) {
            result->mismatches += expected != actual;
        } else if (expected != actual && !(isnan(expected) && isnan(actual))) {
            const double error = fabs(actual - expected);
            difference = isnan(error) ? INFINITY : fmax(difference, error);
        }
        if (isfinite(expected))
            greatest = fmax(greatest, fabs(expected));
    }
    result->difference = fmax(result->difference, difference);
    if (difference > 0)
        result->relative = fmax(result->relative, greatest > 0 ? difference / greatest : INFINITY);
}

/* The best indices of a row, descending. */
static void best_of(const void *data, const struct heed_tensor_desc *desc, int64_t row,
                    int64_t best[BEST], double *margin) {
    const int64_t n = desc->dims[desc->rank - 1];
    double values[BEST];
    int count = 0;
    for (int64_t i = 0; i < n; i++) {
        const double value = heedi_load(data, desc->dtype, row * n + i);
        int at = count;
        while (at > 0 && value > values[at - 1])
            at--;
        if (at == BEST)
            continue;
        count += count < BEST;
        for (int j = count - 1; j > at; j--) {
            values[j] = values[j - 1];
            best[j] = best[j - 1];
        }
        values[at] = value;
        best[at] = i;
    }
    for (int j = count; j < BEST; j++)
        best[j] = -1 - j;
    *margin = count > 1 ? values[0] - values[1] : INFINITY;
}

/* How the two sides choose: `tensor` is what argmax is of. */
static void compare_choices(const struct memory *memory, heed_tensor tensor,
                            struct heedi_walk_node *result) {
    const struct heed_tensor_desc *desc = &memory->graph->tensors[tensor].desc;
    const struct heed_tensor_desc plain = heed_desc(desc->dtype, desc->rank, desc->dims);
    int64_t a[BEST], b[BEST];
    double margin, other, shared = 0;
    struct heedi_walk_node values = {.difference = 0};
    if (desc->rank == 0 || memcmp(&plain, desc, sizeof plain) != 0)
        return; /* a view: its elements are looked at where they are made */
    result->rows = heed_desc_elems(desc) / desc->dims[desc->rank - 1];
    result->margin = INFINITY;
    compare(memory, tensor, &values);
    result->logits = values.difference;
    for (int64_t row = 0; row < result->rows; row++) {
        best_of(first_element(memory, REFERENCE, tensor), desc, row, a, &margin);
        best_of(first_element(memory, BACKEND, tensor), desc, row, b, &other);
        result->same_choice += a[0] == b[0];
        result->margin = fmin(result->margin, margin);
        for (int i = 0; i < BEST; i++)
            for (int j = 0; j < BEST; j++)
                shared += a[i] == b[j];
    }
    result->shared_best = result->rows > 0 ? shared / (double)result->rows : 0;
}

enum heed_status heedi_walk_graph(struct heedi_walk *walk, const struct heed_graph *graph,
                                  const void *(*input)(void *user, const char *name),
                                  void *input_user, heedi_walk_fn fn, void *user) {
    struct memory memory = {.walk = walk, .graph = graph};
    enum heed_status status = make_memory(&memory, input, input_user);
    for (int32_t n = 0; status == HEED_OK && n < graph->node_count; n++) {
        const struct heedi_node *node = &graph->nodes[n];
        struct heedi_walk_node result = {.node = node};
        struct heed_check_finding ignored;
        if (node->view || node->dead)
            continue;
        status = run(&memory, REFERENCE, walk->target, node, false, &result.isolated);
        if (status == HEED_OK)
            status = walk->against != NULL
                         ? run(&memory, REFERENCE, walk->against, node, true, &ignored)
                         : refer(&memory, REFERENCE, node);
        if (status == HEED_OK)
            status = run(&memory, BACKEND, walk->target, node, true, &ignored);
        for (uint32_t i = 0; status == HEED_OK && i < node->output_count; i++)
            compare(&memory, node->outputs[i], &result);
        if (status == HEED_OK && node->op == HEED_OP_ARGMAX)
            compare_choices(&memory, node->inputs[0], &result);
        if (status == HEED_OK && !fn(user, &result))
            break;
    }
    clear_memory(&memory);
    return status;
}
