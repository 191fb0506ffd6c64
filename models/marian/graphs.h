/* SPDX-License-Identifier: Apache-2.0 */
/* The graphs of a Marian model, one per shape bucket, and the names of what goes in and out.
 *
 * Encoder: packed rows. Inputs tokens, positions [tokens]; offsets [sentences + 1]. It ends by
 * computing the keys and values that the decoder's attention over the source will read, once, into
 * the states cross_k.<layer> and cross_v.<layer> [1, tokens, d_model].
 *
 * Decoder: one step of `rows` hypotheses. Inputs rows [HEED_ROWS_COUNT, rows] (their tokens,
 * positions, ...), source_offsets [sentences + 1]; states self_k.<layer>,
 * self_v.<layer> [cache_rows, keys, d_model] and the encoder's. Outputs next [rows] i32 (the most
 * probable token) and log_prob [rows, 1]; with steps > 1 also rows_next, the input `rows` of the
 * step that follows. An idle row has position = keys, key_len = 0, cache_row = source_row = -1.
 *
 * With `inspect` there are more outputs, for tests: encoder_output [tokens, d_model]; logits
 * [rows, vocabulary] and cross_attention.<layer> [rows, heads, 1, tokens]. */
#ifndef HEEDI_MARIAN_GRAPHS_H
#define HEEDI_MARIAN_GRAPHS_H

#include "models/marian/marian.h"

struct heedi_marian_bucket {
    uint32_t tokens; /* source tokens of all sentences */
    uint32_t sentences;
    uint32_t rows; /* decoder only, as all below */
    uint32_t cache_rows;
    uint32_t keys;  /* target positions */
    uint32_t steps; /* most that follow each other without the host */
    bool decoder;
    bool inspect;
};

/* Name of a state or output of a layer, "cross_k.3". */
struct heedi_marian_name {
    char text[32];
};
const char *heedi_marian_name(struct heedi_marian_name *name, const char *what, int32_t layer);

enum heed_status heedi_marian_encoder_graph(struct heed_context *context,
                                            const struct heedi_marian *marian,
                                            const struct heedi_marian_bucket *bucket,
                                            struct heed_graph **graph);
enum heed_status heedi_marian_decoder_graph(struct heed_context *context,
                                            const struct heedi_marian *marian,
                                            const struct heedi_marian_bucket *bucket,
                                            struct heed_graph **graph);

/* Pieces of both (layers.c). Errors stick in the graph. */
heed_tensor heedi_marian_linear(struct heed_graph *graph, const char *name,
                                const struct heedi_marian_linear *linear,
                                enum heed_activation activation, heed_tensor x);
/* layer_norm(x + y) */
heed_tensor heedi_marian_add_norm(struct heed_graph *graph, const char *name,
                                  const struct heedi_marian_norm *norm, heed_tensor x,
                                  heed_tensor y);
/* add_norm(x, fc2(act(fc1(x)))) */
heed_tensor heedi_marian_ffn(struct heed_graph *graph, const struct heedi_marian_config *config,
                             const struct heedi_marian_layer *layer, heed_tensor x);
/* table[tokens] * sqrt(d_model) + sinusoid(positions): [n, d_model] of [n] */
heed_tensor heedi_marian_embed(struct heed_graph *graph, const struct heedi_marian_config *config,
                               const struct heedi_marian_matrix *table, heed_tensor tokens,
                               heed_tensor positions);
/* [n, t, d] -> [n, heads, t, d / heads], a view */
heed_tensor heedi_marian_split_heads(struct heed_graph *graph, heed_tensor x, int64_t n, int64_t t,
                                     int32_t width, int32_t heads);
/* [n, heads, t, d / heads] -> [n * t, d] */
heed_tensor heedi_marian_merge_heads(struct heed_graph *graph, heed_tensor x, int64_t n, int64_t t,
                                     int32_t width);

#endif
