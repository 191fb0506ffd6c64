/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of one node and their operands. */
#include "tools/bench/cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

/* Steele, Lea, Flood 2014: splitmix64. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void fill(const struct heedi_bench_operand *operand, uint64_t seed, uint32_t set,
                 uint32_t index, void *memory) {
    uint64_t state = seed + 1000003u * (uint64_t)set + index;
    for (size_t i = 0; i < operand->elems; i++) {
        const uint64_t bits = next_random(&state);
        const float value =
            operand->spread * ((float)(bits >> 40) * 0x1p-23f - 1.0f); /* 24 bits: [-1, 1) */
        const uint64_t range = (uint64_t)(operand->high - operand->low) + 1;
        const int64_t whole = operand->low + (int64_t)(bits % range);
        switch (operand->dtype) {
        case HEED_F32:
            ((float *)memory)[i] = value;
            break;
        case HEED_F16:
            ((uint16_t *)memory)[i] = heed_f32_to_f16(value);
            break;
        case HEED_BF16:
            ((uint16_t *)memory)[i] = heed_f32_to_bf16(value);
            break;
        case HEED_I8:
            ((int8_t *)memory)[i] = (int8_t)whole;
            break;
        default:
            ((int32_t *)memory)[i] = (int32_t)whole;
            break;
        }
    }
}

/* ---- building ---- */

struct builder {
    struct heed_context *context;
    struct heedi_bench_graph *out;
    const int64_t *dims; /* of the shape */
    const char *form;
    enum heed_dtype dtype;
    uint64_t seed;
    uint32_t set;
    enum heed_status status; /* of what the graph does not keep itself */
};

static struct heedi_bench_operand *add_operand(struct builder *b, enum heedi_bench_storage storage,
                                               enum heed_dtype dtype, uint32_t rank,
                                               const int64_t *dims) {
    struct heedi_bench_operand *operand = &b->out->operands[b->out->operand_count];
    const struct heed_tensor_desc desc = heed_desc(dtype, rank, dims);
    operand->storage = storage;
    operand->dtype = dtype;
    operand->elems = (size_t)heed_desc_elems(&desc);
    operand->spread = 1.0f;
    operand->name[0] = 'x';
    operand->name[1] = (char)('0' + b->out->operand_count++);
    return operand;
}

static size_t bytes_of(const struct heedi_bench_operand *operand) {
    return operand->elems * heed_dtype_bytes(operand->dtype);
}

static heed_tensor input(struct builder *b, enum heed_dtype dtype, uint32_t rank,
                         const int64_t *dims) {
    heed_tensor tensor = HEED_NO_TENSOR;
    const struct heedi_bench_operand *operand =
        add_operand(b, HEEDI_BENCH_INPUT, dtype, rank, dims);
    heed_graph_input(b->out->graph, operand->name, dtype, rank, dims, 0, &tensor);
    b->out->bytes += (double)bytes_of(operand);
    return tensor;
}

/* i32 from low to high; `bound` as heed_graph_input() takes it. */
static heed_tensor integers(struct builder *b, int64_t count, int64_t low, int64_t high) {
    const heed_tensor tensor = input(b, HEED_I32, 1, &count);
    struct heedi_bench_operand *operand = &b->out->operands[b->out->operand_count - 1];
    operand->low = low;
    operand->high = high;
    return tensor;
}

static void release_memory(void *memory) {
    free(memory);
}

/* `touched`: of its bytes, so many are read by a run. */
static heed_tensor weight(struct builder *b, enum heed_dtype dtype, uint32_t rank,
                          const int64_t *dims, double touched) {
    heed_tensor tensor = HEED_NO_TENSOR;
    struct heed_weight *made = NULL;
    const struct heed_tensor_desc desc = heed_desc(dtype, rank, dims);
    struct heedi_bench_operand *operand = add_operand(b, HEEDI_BENCH_WEIGHT, dtype, rank, dims);
    operand->low = -127;
    operand->high = 127;
    operand->spread = rank > 1 ? 0.1f : 1.0f;
    b->out->bytes += touched < 0 ? (double)bytes_of(operand) : touched;
    b->out->weights = b->out->weights || touched < 0;
    void *memory = aligned_alloc(64, (bytes_of(operand) + 64) / 64 * 64); /* as in a file */
    if (memory == NULL) {
        b->status = HEED_ERROR_OUT_OF_MEMORY;
        return tensor;
    }
    fill(operand, b->seed, b->set, b->out->operand_count, memory);
    const enum heed_status status =
        heed_weight_create(b->context, operand->name, &desc, memory, release_memory, memory, &made);
    if (status != HEED_OK) {
        free(memory);
        b->status = status;
        return tensor;
    }
    heed_graph_constant(b->out->graph, made, &tensor);
    heed_weight_release(made);
    return tensor;
}

static void matmul(struct builder *b, heed_tensor *y) {
    const int64_t m = b->dims[0], k = b->dims[1], n = b->dims[2];
    static const struct {
        const char *form;
        enum heed_activation activation;
    } forms[] = {{"relu", HEED_ACTIVATION_RELU},
                 {"gelu", HEED_ACTIVATION_GELU_ERF},
                 {"silu", HEED_ACTIVATION_SILU}};
    struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs, .transpose_b = 1};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(b->form, forms[i].form) == 0)
            attrs.activation = forms[i].activation;
    heed_tensor inputs[4] = {HEED_NO_TENSOR, HEED_NO_TENSOR, HEED_NO_TENSOR, HEED_NO_TENSOR};
    uint32_t count = 2;
    inputs[0] = input(b, HEED_F32, 2, (const int64_t[]){m, k});
    inputs[1] = weight(b, b->dtype, 2, (const int64_t[]){n, k}, -1);
    if (b->form[0] != '\0') {
        inputs[2] = weight(b, HEED_F32, 1, &n, -1);
        count = 3;
    }
    if (b->dtype == HEED_I8) { /* as models in 8 bits compute */
        attrs.a_quantization = HEED_QUANTIZE_ROWS;
        inputs[3] = weight(b, HEED_F32, 1, &n, -1);
        count = 4;
    }
    heed_graph_add(b->out->graph, HEED_OP_MATMUL, "node", inputs, count, &attrs, y);
}

/* Attention as it is done without an operator for it: all scores in memory. The mask of a causal
 * one is added, 0 or minus infinity in use; its values do not change the time. */
static void products(struct builder *b, const heed_tensor *inputs, bool causal, heed_tensor *y) {
    struct heed_graph *graph = b->out->graph;
    const struct heed_matmul_attrs transposed = {.struct_size = sizeof transposed,
                                                 .transpose_b = 1};
    const struct heed_matmul_attrs plain = {.struct_size = sizeof plain};
    heed_tensor scores = HEED_NO_TENSOR;
    heed_graph_matmul(graph, "scores", inputs[HEED_ATTENTION_Q], inputs[HEED_ATTENTION_K],
                      &transposed, &scores);
    heed_graph_scale(graph, "scale", scores, 1.0f / sqrtf((float)b->dims[4]), &scores);
    if (causal) {
        const heed_tensor mask = input(b, HEED_F32, 2, b->dims + 2);
        heed_graph_binary(graph, HEED_OP_ADD, "mask", scores, mask, &scores);
    }
    heed_graph_unary(graph, HEED_OP_SOFTMAX, "softmax", scores, &scores);
    heed_graph_matmul(graph, "values", scores, inputs[HEED_ATTENTION_V], &plain, y);
}

static void attention(struct builder *b, heed_tensor *y) {
    const int64_t n = b->dims[0], h = b->dims[1], tq = b->dims[2], tk = b->dims[3], d = b->dims[4];
    const struct heed_attention_attrs attrs = {.struct_size = sizeof attrs,
                                               .score = HEED_SCORE_SCALED,
                                               .causal = strncmp(b->form, "causal", 6) == 0};
    heed_tensor inputs[HEED_ATTENTION_INPUTS];
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    inputs[HEED_ATTENTION_Q] = input(b, HEED_F32, 4, (const int64_t[]){n, h, tq, d});
    inputs[HEED_ATTENTION_K] = input(b, b->dtype, 4, (const int64_t[]){n, h, tk, d});
    inputs[HEED_ATTENTION_V] = input(b, b->dtype, 4, (const int64_t[]){n, h, tk, d});
    if (strstr(b->form, "products") != NULL)
        products(b, inputs, attrs.causal != 0, y);
    else
        heed_graph_attention(b->out->graph, "node", inputs, &attrs, y, NULL);
}

static void normalise(struct builder *b, heed_tensor *y) {
    const heed_tensor x = input(b, b->dtype, 2, b->dims);
    const heed_tensor gamma = weight(b, HEED_F32, 1, b->dims + 1, -1);
    const heed_tensor beta = weight(b, HEED_F32, 1, b->dims + 1, -1);
    heed_graph_layer_norm(b->out->graph, "node", x, gamma, beta, 1e-5f, y);
}

static void elementwise(struct builder *b, enum heed_op op, heed_tensor *y) {
    struct heed_graph *graph = b->out->graph;
    const heed_tensor x = input(b, b->dtype, 2, b->dims);
    b->out->operands[0].spread = 4.0f;
    if (op == HEED_OP_ADD || op == HEED_OP_MUL) {
        const bool row = strcmp(b->form, "row") == 0;
        const heed_tensor other = input(b, b->dtype, row ? 1 : 2, row ? b->dims + 1 : b->dims);
        heed_graph_binary(graph, op, "node", x, other, y);
    } else if (op == HEED_OP_GELU) {
        heed_graph_gelu(graph, "node", x, strcmp(b->form, "tanh") == 0, y);
    } else if (op == HEED_OP_SCALE) {
        heed_graph_scale(graph, "node", x, 0.125f, y);
    } else if (op == HEED_OP_CAST) {
        heed_graph_cast(graph, "node", x, b->dtype == HEED_F32 ? HEED_F16 : HEED_F32, y);
    } else {
        heed_graph_unary(graph, op, "node", x, y);
    }
}

static void look_up(struct builder *b, enum heed_op op, heed_tensor *y) {
    const int64_t v = b->dims[0], n = b->dims[1], rows = b->dims[2];
    const double row_bytes = (double)(rows * n) * (double)heed_dtype_bytes(b->dtype);
    if (op == HEED_OP_GATHER_ROWS) {
        const heed_tensor x = input(b, b->dtype, 2, b->dims);
        heed_graph_binary(b->out->graph, op, "node", x, integers(b, rows, 0, v - 1), y);
        return;
    }
    heed_tensor inputs[3] = {HEED_NO_TENSOR, HEED_NO_TENSOR, HEED_NO_TENSOR};
    const struct heed_embedding_attrs attrs = {.struct_size = sizeof attrs};
    inputs[0] = weight(b, b->dtype, 2, b->dims, row_bytes);
    inputs[1] = integers(b, rows, 0, v - 1);
    if (b->dtype == HEED_I8)
        inputs[2] = weight(b, HEED_F32, 1, b->dims, (double)rows * 4);
    heed_graph_add(b->out->graph, op, "node", inputs, b->dtype == HEED_I8 ? 3 : 2, &attrs, y);
}

static void append(struct builder *b) {
    const int64_t rows = b->dims[0], cap = b->dims[1], n = b->dims[2];
    heed_tensor state = HEED_NO_TENSOR, next = HEED_NO_TENSOR;
    const struct heedi_bench_operand *operand =
        add_operand(b, HEEDI_BENCH_STATE, b->dtype, 3, b->dims);
    heed_graph_state(b->out->graph, operand->name, b->dtype, 3, b->dims, &state);
    const heed_tensor x = input(b, HEED_F32, 3, (const int64_t[]){rows, 1, n});
    const heed_tensor position = integers(b, rows, 0, cap - 1);
    b->out->bytes += (double)(rows * n) * (double)heed_dtype_bytes(b->dtype);
    heed_graph_cache_append(b->out->graph, "node", state, x, position, HEED_NO_TENSOR, &next);
}

static void node(struct builder *b, enum heed_op op, heed_tensor *y) {
    struct heed_graph *graph = b->out->graph;
    heed_tensor x, indices;
    switch (op) {
    case HEED_OP_MATMUL:
        matmul(b, y);
        break;
    case HEED_OP_ATTENTION:
        attention(b, y);
        break;
    case HEED_OP_LAYER_NORM:
        normalise(b, y);
        break;
    case HEED_OP_EMBEDDING:
    case HEED_OP_GATHER_ROWS:
        look_up(b, op, y);
        break;
    case HEED_OP_POSITIONS: {
        const struct heed_positions_attrs attrs = {
            .struct_size = sizeof attrs, .width = (uint32_t)b->dims[1], .max_len = 512};
        heed_graph_positions(graph, "node", integers(b, b->dims[0], 0, 511), &attrs, y);
        break;
    }
    case HEED_OP_CONCAT:
        x = input(b, b->dtype, 2, b->dims);
        heed_graph_concat(graph, "node", (const heed_tensor[]){x, input(b, b->dtype, 2, b->dims)},
                          2, 1, y);
        break;
    case HEED_OP_COPY:
        x = input(b, b->dtype, 3, b->dims);
        heed_graph_transpose(graph, "view", x, (const uint32_t[]){1, 0, 2}, &x);
        heed_graph_unary(graph, op, "node", x, y);
        break;
    case HEED_OP_ADVANCE:
        x = input(b, HEED_I32, 2, (const int64_t[]){HEED_ROWS_COUNT, b->dims[0]});
        heed_graph_advance(graph, "node", x, integers(b, b->dims[0], 0, 8), 9, 64, y);
        break;
    case HEED_OP_TOP_K:
        x = input(b, b->dtype, 2, b->dims);
        heed_graph_top_k(graph, "node", x, (uint32_t)b->dims[2], y, &indices);
        heed_graph_output(graph, "indices", indices);
        break;
    case HEED_OP_CACHE_APPEND:
        append(b);
        break;
    default:
        elementwise(b, op, y);
        break;
    }
}

enum heed_status heedi_bench_graph_build(struct heed_context *context,
                                         const struct heedi_bench_shape *shape,
                                         enum heed_dtype dtype, uint64_t seed, uint32_t set,
                                         struct heedi_bench_graph *graph) {
    memset(graph, 0, sizeof *graph);
    struct builder builder = {.context = context,
                              .out = graph,
                              .dims = shape->dims,
                              .form = shape->form,
                              .dtype = dtype,
                              .seed = seed,
                              .set = set,
                              .status = heed_graph_create(context, "bench", &graph->graph)};
    heed_tensor y = HEED_NO_TENSOR;
    struct heed_tensor_desc desc;
    if (builder.status != HEED_OK)
        return builder.status;
    node(&builder, shape->op->op, &y);
    if (builder.status != HEED_OK)
        return builder.status;
    if (y != HEED_NO_TENSOR) {
        heed_graph_output(graph->graph, "y", y);
        if (heed_graph_tensor_desc(graph->graph, y, &desc) == HEED_OK)
            graph->bytes += (double)heed_desc_elems(&desc) * (double)heed_dtype_bytes(desc.dtype);
    }
    return heed_graph_freeze(graph->graph);
}

void heedi_bench_graph_free(struct heedi_bench_graph *graph) {
    heed_graph_release(graph->graph);
    memset(graph, 0, sizeof *graph);
}

void heedi_bench_graph_fill(const struct heedi_bench_graph *graph, uint64_t seed, uint32_t set,
                            struct heed_instance *instance) {
    for (uint32_t i = 0; i < graph->operand_count; i++) {
        const struct heedi_bench_operand *operand = &graph->operands[i];
        size_t bytes = 0;
        void *memory = operand->storage == HEEDI_BENCH_INPUT
                           ? heed_instance_input(instance, operand->name, &bytes)
                           : NULL;
        if (memory != NULL && bytes >= bytes_of(operand))
            fill(operand, seed, set, i, memory);
    }
}
