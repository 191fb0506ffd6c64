/* SPDX-License-Identifier: Apache-2.0 */
/* One function per operator, in terms of heed_graph_add(), which refuses what is wrong: an array
 * that a caller left out becomes attributes that are missing. */
#include "heed/graph.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/graph/graph.h"

/* Rank of a tensor, 0 for an unknown one (which heed_graph_add refuses by itself). */
static uint32_t rank_of(const struct heed_graph *graph, heed_tensor tensor) {
    struct heed_tensor_desc desc;
    return heed_graph_tensor_desc(graph, tensor, &desc) == HEED_OK ? desc.rank : 0;
}

enum heed_status heed_graph_linear(struct heed_graph *graph, const char *name, heed_tensor x,
                                   heed_tensor weight, heed_tensor bias,
                                   enum heed_activation activation, heed_tensor *y) {
    const struct heed_matmul_attrs attrs = {
        .struct_size = sizeof attrs, .transpose_b = 1, .activation = (uint32_t)activation};
    const heed_tensor inputs[] = {x, weight, bias};
    return heed_graph_add(graph, HEED_OP_MATMUL, name, inputs, 3, &attrs, y);
}

enum heed_status heed_graph_quantized_linear(struct heed_graph *graph, const char *name,
                                             heed_tensor x, heed_tensor weight,
                                             heed_tensor weight_scale, heed_tensor bias,
                                             enum heed_activation activation, heed_tensor *y) {
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs,
                                            .transpose_b = 1,
                                            .activation = (uint32_t)activation,
                                            .a_quantization = HEED_QUANTIZE_ROWS};
    const heed_tensor inputs[] = {x, weight, bias, weight_scale};
    return heed_graph_add(graph, HEED_OP_MATMUL, name, inputs, 4, &attrs, y);
}

enum heed_status heed_graph_matmul(struct heed_graph *graph, const char *name, heed_tensor a,
                                   heed_tensor b, const struct heed_matmul_attrs *attrs,
                                   heed_tensor *y) {
    const struct heed_matmul_attrs plain = {.struct_size = sizeof plain};
    const heed_tensor inputs[] = {a, b};
    return heed_graph_add(graph, HEED_OP_MATMUL, name, inputs, 2, attrs == NULL ? &plain : attrs,
                          y);
}

enum heed_status heed_graph_attention(struct heed_graph *graph, const char *name,
                                      const heed_tensor inputs[HEED_ATTENTION_INPUTS],
                                      const struct heed_attention_attrs *attrs, heed_tensor *y,
                                      heed_tensor *weights) {
    heed_tensor outputs[HEED_MAX_OUTPUTS] = {HEED_NO_TENSOR, HEED_NO_TENSOR};
    const enum heed_status status = heed_graph_add(graph, HEED_OP_ATTENTION, name, inputs,
                                                   HEED_ATTENTION_INPUTS, attrs, outputs);
    if (status != HEED_OK)
        return status;
    if (y != NULL)
        *y = outputs[0];
    if (weights != NULL)
        *weights = outputs[1];
    return HEED_OK;
}

enum heed_status heed_graph_layer_norm(struct heed_graph *graph, const char *name, heed_tensor x,
                                       heed_tensor gamma, heed_tensor beta, float eps,
                                       heed_tensor *y) {
    const struct heed_layer_norm_attrs attrs = {.struct_size = sizeof attrs, .eps = eps};
    const heed_tensor inputs[] = {x, gamma, beta};
    return heed_graph_add(graph, HEED_OP_LAYER_NORM, name, inputs, 3, &attrs, y);
}

enum heed_status heed_graph_unary(struct heed_graph *graph, enum heed_op op, const char *name,
                                  heed_tensor x, heed_tensor *y) {
    return heed_graph_add(graph, op, name, &x, 1, NULL, y);
}

enum heed_status heed_graph_binary(struct heed_graph *graph, enum heed_op op, const char *name,
                                   heed_tensor a, heed_tensor b, heed_tensor *y) {
    const heed_tensor inputs[] = {a, b};
    return heed_graph_add(graph, op, name, inputs, 2, NULL, y);
}

enum heed_status heed_graph_gelu(struct heed_graph *graph, const char *name, heed_tensor x,
                                 int tanh_form, heed_tensor *y) {
    const struct heed_gelu_attrs attrs = {.struct_size = sizeof attrs, .tanh_form = tanh_form != 0};
    return heed_graph_add(graph, HEED_OP_GELU, name, &x, 1, &attrs, y);
}

enum heed_status heed_graph_scale(struct heed_graph *graph, const char *name, heed_tensor x,
                                  float factor, heed_tensor *y) {
    const struct heed_scale_attrs attrs = {.struct_size = sizeof attrs, .factor = factor};
    return heed_graph_add(graph, HEED_OP_SCALE, name, &x, 1, &attrs, y);
}

enum heed_status heed_graph_embedding(struct heed_graph *graph, const char *name, heed_tensor table,
                                      heed_tensor ids, heed_tensor *y) {
    return heed_graph_scaled_embedding(graph, name, table, HEED_NO_TENSOR, ids, y);
}

enum heed_status heed_graph_scaled_embedding(struct heed_graph *graph, const char *name,
                                             heed_tensor table, heed_tensor table_scale,
                                             heed_tensor ids, heed_tensor *y) {
    const struct heed_embedding_attrs attrs = {.struct_size = sizeof attrs};
    const heed_tensor inputs[] = {table, ids, table_scale};
    return heed_graph_add(graph, HEED_OP_EMBEDDING, name, inputs, 3, &attrs, y);
}

enum heed_status heed_graph_positions(struct heed_graph *graph, const char *name,
                                      heed_tensor positions,
                                      const struct heed_positions_attrs *attrs, heed_tensor *y) {
    return heed_graph_add(graph, HEED_OP_POSITIONS, name, &positions, 1, attrs, y);
}

enum heed_status heed_graph_concat(struct heed_graph *graph, const char *name,
                                   const heed_tensor *inputs, uint32_t count, uint32_t axis,
                                   heed_tensor *y) {
    const struct heed_concat_attrs attrs = {.struct_size = sizeof attrs, .axis = axis};
    return heed_graph_add(graph, HEED_OP_CONCAT, name, inputs, count, &attrs, y);
}

enum heed_status heed_graph_slice(struct heed_graph *graph, const char *name, heed_tensor x,
                                  const int64_t *start, const int64_t *size, heed_tensor *y) {
    struct heed_slice_attrs attrs = {.struct_size = sizeof attrs};
    const uint32_t rank = rank_of(graph, x);
    const bool given = rank == 0 || (start != NULL && size != NULL);
    if (rank > 0 && given) {
        memcpy(attrs.start, start, rank * sizeof *start);
        memcpy(attrs.size, size, rank * sizeof *size);
    }
    return heed_graph_add(graph, HEED_OP_SLICE, name, &x, 1, given ? &attrs : NULL, y);
}

enum heed_status heed_graph_transpose(struct heed_graph *graph, const char *name, heed_tensor x,
                                      const uint32_t *perm, heed_tensor *y) {
    struct heed_transpose_attrs attrs = {.struct_size = sizeof attrs};
    const uint32_t rank = rank_of(graph, x);
    const bool given = rank == 0 || perm != NULL;
    if (rank > 0 && given)
        memcpy(attrs.perm, perm, rank * sizeof *perm);
    return heed_graph_add(graph, HEED_OP_TRANSPOSE, name, &x, 1, given ? &attrs : NULL, y);
}

/* Reshape and broadcast. A rank that is too large travels on for the operator to refuse. */
static enum heed_status add_shape(struct heed_graph *graph, enum heed_op op, const char *name,
                                  heed_tensor x, uint32_t rank, const int64_t *dims,
                                  heed_tensor *y) {
    struct heed_shape_attrs attrs = {.struct_size = sizeof attrs, .rank = rank};
    const bool given = rank == 0 || dims != NULL;
    if (rank > 0 && rank <= HEED_MAX_RANK && given)
        memcpy(attrs.dims, dims, rank * sizeof *dims);
    return heed_graph_add(graph, op, name, &x, 1, given ? &attrs : NULL, y);
}

enum heed_status heed_graph_reshape(struct heed_graph *graph, const char *name, heed_tensor x,
                                    uint32_t rank, const int64_t *dims, heed_tensor *y) {
    return add_shape(graph, HEED_OP_RESHAPE, name, x, rank, dims, y);
}

enum heed_status heed_graph_broadcast(struct heed_graph *graph, const char *name, heed_tensor x,
                                      uint32_t rank, const int64_t *dims, heed_tensor *y) {
    return add_shape(graph, HEED_OP_BROADCAST, name, x, rank, dims, y);
}

enum heed_status heed_graph_cast(struct heed_graph *graph, const char *name, heed_tensor x,
                                 enum heed_dtype dtype, heed_tensor *y) {
    const struct heed_cast_attrs attrs = {.struct_size = sizeof attrs, .dtype = (uint32_t)dtype};
    return heed_graph_add(graph, HEED_OP_CAST, name, &x, 1, &attrs, y);
}

enum heed_status heed_graph_top_k(struct heed_graph *graph, const char *name, heed_tensor x,
                                  uint32_t k, heed_tensor *values, heed_tensor *indices) {
    const struct heed_top_k_attrs attrs = {.struct_size = sizeof attrs, .k = k};
    heed_tensor outputs[HEED_MAX_OUTPUTS] = {HEED_NO_TENSOR, HEED_NO_TENSOR};
    const enum heed_status status =
        heed_graph_add(graph, HEED_OP_TOP_K, name, &x, 1, &attrs, outputs);
    if (status != HEED_OK)
        return status;
    if (values != NULL)
        *values = outputs[0];
    if (indices != NULL)
        *indices = outputs[1];
    return HEED_OK;
}

enum heed_status heed_graph_cache_append(struct heed_graph *graph, const char *name,
                                         heed_tensor state, heed_tensor x, heed_tensor position,
                                         heed_tensor row, heed_tensor *next) {
    const heed_tensor inputs[] = {state, x, position, row};
    return heed_graph_add(graph, HEED_OP_CACHE_APPEND, name, inputs, 4, NULL, next);
}

enum heed_status heed_graph_advance(struct heed_graph *graph, const char *name, heed_tensor rows,
                                    heed_tensor chosen, int32_t eos, uint32_t capacity,
                                    heed_tensor *next) {
    const struct heed_advance_attrs attrs = {
        .struct_size = sizeof attrs, .eos = eos, .capacity = capacity};
    return heed_graph_add(graph, HEED_OP_ADVANCE, name, (const heed_tensor[]){rows, chosen}, 2,
                          &attrs, next);
}
