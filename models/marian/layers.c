/* SPDX-License-Identifier: Apache-2.0 */
/* What encoder and decoder layers of a Marian model are made of.
 *
 * Failures stick in the graph being built and show when it is frozen; so nothing is checked here,
 * and a tensor after a failure is HEED_NO_TENSOR. */
#include <math.h>

#include "models/marian/graphs.h"
#include "runtime/base/weight.h"

const char *heedi_marian_name(struct heedi_marian_name *name, const char *what, int32_t layer) {
    snprintf(name->text, sizeof name->text, "%s.%d", what, layer);
    return name->text;
}

static heed_tensor constant(struct heed_graph *graph, struct heed_weight *weight) {
    heed_tensor tensor = HEED_NO_TENSOR;
    heed_graph_constant(graph, weight, &tensor);
    return tensor;
}

static heed_tensor scales(struct heed_graph *graph, const struct heedi_marian_matrix *matrix) {
    return matrix->scale ? constant(graph, matrix->scale) : HEED_NO_TENSOR;
}

bool heedi_marian_is_quantized(const struct heed_weight *weight) {
    return weight->desc.dtype == HEED_I8 || weight->desc.dtype == HEED_Q8_0;
}

heed_tensor heedi_marian_linear(struct heed_graph *graph, const char *name,
                                const struct heedi_marian_linear *linear,
                                enum heed_activation activation, heed_tensor x) {
    heed_tensor y = HEED_NO_TENSOR;
    const heed_tensor weight = constant(graph, linear->matrix.weight);
    const heed_tensor bias = constant(graph, linear->bias);
    if (heedi_marian_is_quantized(linear->matrix.weight))
        heed_graph_quantized_linear(graph, name, x, weight, scales(graph, &linear->matrix), bias,
                                    activation, &y);
    else
        heed_graph_linear(graph, name, x, weight, bias, activation, &y);
    return y;
}

heed_tensor heedi_marian_add_norm(struct heed_graph *graph, const char *name,
                                  const struct heedi_marian_norm *norm, heed_tensor x,
                                  heed_tensor y) {
    heed_tensor sum = HEED_NO_TENSOR, result = HEED_NO_TENSOR;
    heed_graph_binary(graph, HEED_OP_ADD, NULL, x, y, &sum);
    heed_graph_layer_norm(graph, name, sum, constant(graph, norm->gamma),
                          constant(graph, norm->beta), HEEDI_MARIAN_EPS, &result);
    return result;
}

heed_tensor heedi_marian_ffn(struct heed_graph *graph, const struct heedi_marian_config *config,
                             const struct heedi_marian_layer *layer, heed_tensor x) {
    const heed_tensor inner = heedi_marian_linear(graph, "fc1", &layer->fc1, config->activation, x);
    const heed_tensor outer =
        heedi_marian_linear(graph, "fc2", &layer->fc2, HEED_ACTIVATION_NONE, inner);
    return heedi_marian_add_norm(graph, "final_layer_norm", &layer->norm, x, outer);
}

heed_tensor heedi_marian_embed(struct heed_graph *graph, const struct heedi_marian_config *config,
                               const struct heedi_marian_matrix *table, heed_tensor tokens,
                               heed_tensor positions) {
    const struct heed_positions_attrs attrs = {.struct_size = sizeof attrs,
                                               .form = HEED_POSITIONS_HALVES,
                                               .width = (uint32_t)config->d_model,
                                               .max_len =
                                                   (uint32_t)config->max_position_embeddings};
    heed_tensor words = HEED_NO_TENSOR, places = HEED_NO_TENSOR, sum = HEED_NO_TENSOR;
    heed_graph_scaled_embedding(graph, "embed_tokens", constant(graph, table->weight),
                                scales(graph, table), tokens, &words);
    if (config->scale_embedding)
        heed_graph_scale(graph, "embed_scale", words, sqrtf((float)config->d_model), &words);
    heed_graph_positions(graph, "embed_positions", positions, &attrs, &places);
    heed_graph_binary(graph, HEED_OP_ADD, "embed", words, places, &sum);
    return sum;
}

heed_tensor heedi_marian_split_heads(struct heed_graph *graph, heed_tensor x, int64_t n, int64_t t,
                                     int32_t width, int32_t heads) {
    const int64_t dims[] = {n, t, heads, width / heads};
    const uint32_t perm[] = {0, 2, 1, 3};
    heed_tensor split = HEED_NO_TENSOR, swapped = HEED_NO_TENSOR;
    heed_graph_reshape(graph, NULL, x, 4, dims, &split);
    heed_graph_transpose(graph, NULL, split, perm, &swapped);
    return swapped;
}

heed_tensor heedi_marian_merge_heads(struct heed_graph *graph, heed_tensor x, int64_t n, int64_t t,
                                     int32_t width) {
    const uint32_t perm[] = {0, 2, 1, 3};
    const int64_t dims[] = {n * t, width};
    heed_tensor swapped = HEED_NO_TENSOR, merged = HEED_NO_TENSOR;
    heed_graph_transpose(graph, NULL, x, perm, &swapped);
    heed_graph_reshape(graph, NULL, swapped, 2, dims, &merged);
    return merged;
}
