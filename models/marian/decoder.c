/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a Marian decoder as a graph. */
#include "models/marian/graphs.h"

/* A graph being built, with the inputs that every layer reads. */
struct step {
    struct heed_graph *graph;
    const struct heedi_marian_config *config;
    const struct heedi_marian_bucket *bucket;
    heed_tensor position, key_len, cache_row, source_row, source_offsets;
};

/* Row `index` of the table of what changes from step to step: a view. */
static heed_tensor row_of(struct step *step, const char *name, heed_tensor rows, int64_t index) {
    const int64_t count = step->bucket->rows;
    heed_tensor row = HEED_NO_TENSOR;
    heed_graph_slice(step->graph, NULL, rows, (const int64_t[]){index, 0},
                     (const int64_t[]){1, count}, &row);
    heed_graph_reshape(step->graph, name, row, 1, &count, &row);
    return row;
}

/* The state `what`.<layer> seen as keys or values [n, heads, t, d / heads]; where x is given, it is
 * first stored at the rows' positions. */
static heed_tensor cache(struct step *step, const char *what, int32_t layer, int64_t n, int64_t t,
                         heed_tensor x) {
    const int32_t width = step->config->d_model;
    const int64_t dims[] = {n, t, width};
    const int64_t row_dims[] = {step->bucket->rows, 1, width};
    struct heedi_marian_name name;
    heed_tensor state = HEED_NO_TENSOR;
    heed_graph_state(step->graph, heedi_marian_name(&name, what, layer), HEED_F32, 3, dims, &state);
    if (x != HEED_NO_TENSOR) {
        heed_graph_reshape(step->graph, NULL, x, 3, row_dims, &x);
        heed_graph_cache_append(step->graph, what, state, x, step->position, step->cache_row,
                                &state);
    }
    return heedi_marian_split_heads(step->graph, state, n, t, width,
                                    step->config->decoder_attention_heads);
}

/* Attention of one query per row: [rows, d] -> [rows, d]. With one query, heads can be split and
 * merged by reshaping alone. */
static heed_tensor attend(struct step *step, const char *name,
                          const struct heedi_marian_attention *attention, heed_tensor q,
                          heed_tensor inputs[HEED_ATTENTION_INPUTS],
                          const struct heed_attention_attrs *attrs, heed_tensor *weights) {
    const int32_t heads = step->config->decoder_attention_heads;
    const int64_t rows = step->bucket->rows;
    const int64_t split[] = {rows, heads, 1, step->config->d_model / heads};
    const int64_t merged[] = {rows, step->config->d_model};
    heed_tensor y = HEED_NO_TENSOR;
    heed_graph_reshape(step->graph, NULL, q, 4, split, &inputs[HEED_ATTENTION_Q]);
    heed_graph_attention(step->graph, name, inputs, attrs, &y, weights);
    heed_graph_reshape(step->graph, NULL, y, 2, merged, &y);
    return heedi_marian_linear(step->graph, "out_proj", &attention->out, HEED_ACTIVATION_NONE, y);
}

/* Attention over what the row has generated, itself included. */
static heed_tensor self_attention(struct step *step, const struct heedi_marian_attention *attention,
                                  int32_t layer, heed_tensor x) {
    const struct heed_attention_attrs attrs = {.struct_size = sizeof attrs,
                                               .score = HEED_SCORE_SCALED};
    const struct heedi_marian_bucket *bucket = step->bucket;
    const enum heed_activation none = HEED_ACTIVATION_NONE;
    heed_tensor inputs[HEED_ATTENTION_INPUTS];
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    const heed_tensor q = heedi_marian_linear(step->graph, "q_proj", &attention->q, none, x);
    const heed_tensor k = heedi_marian_linear(step->graph, "k_proj", &attention->k, none, x);
    const heed_tensor v = heedi_marian_linear(step->graph, "v_proj", &attention->v, none, x);
    inputs[HEED_ATTENTION_K] = cache(step, "self_k", layer, bucket->cache_rows, bucket->keys, k);
    inputs[HEED_ATTENTION_V] = cache(step, "self_v", layer, bucket->cache_rows, bucket->keys, v);
    inputs[HEED_ATTENTION_KEY_LEN] = step->key_len;
    inputs[HEED_ATTENTION_KV_ROW] = step->cache_row;
    return attend(step, "self_attn", attention, q, inputs, &attrs, NULL);
}

/* Attention over the row's source sentence, whose keys the encoder's graph has computed. */
static heed_tensor cross_attention(struct step *step,
                                   const struct heedi_marian_attention *attention, int32_t layer,
                                   heed_tensor x) {
    const int64_t tokens = step->bucket->tokens;
    const struct heed_attention_attrs attrs = {.struct_size = sizeof attrs,
                                               .score = HEED_SCORE_SCALED,
                                               .return_weights = step->bucket->inspect,
                                               .max_len = (uint32_t)tokens};
    heed_tensor inputs[HEED_ATTENTION_INPUTS], weights = HEED_NO_TENSOR;
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    const heed_tensor q =
        heedi_marian_linear(step->graph, "q_proj", &attention->q, HEED_ACTIVATION_NONE, x);
    inputs[HEED_ATTENTION_K] = cache(step, "cross_k", layer, 1, tokens, HEED_NO_TENSOR);
    inputs[HEED_ATTENTION_V] = cache(step, "cross_v", layer, 1, tokens, HEED_NO_TENSOR);
    inputs[HEED_ATTENTION_KV_ROW] = step->source_row;
    inputs[HEED_ATTENTION_KV_OFFSETS] = step->source_offsets;
    const heed_tensor y = attend(step, "encoder_attn", attention, q, inputs, &attrs,
                                 attrs.return_weights ? &weights : NULL);
    if (attrs.return_weights) {
        struct heedi_marian_name name;
        heed_graph_output(step->graph, heedi_marian_name(&name, "cross_attention", layer), weights);
    }
    return y;
}

static heed_tensor decoder_layer(struct step *step, const struct heedi_marian_layer *layer,
                                 int32_t index, heed_tensor x) {
    char scope[48];
    snprintf(scope, sizeof scope, "decoder.%d.", index);
    heed_graph_scope(step->graph, scope);
    heed_tensor y = self_attention(step, &layer->self, index, x);
    x = heedi_marian_add_norm(step->graph, "self_attn_layer_norm", &layer->self.norm, x, y);
    snprintf(scope, sizeof scope, "decoder.%d.encoder_attn.", index);
    heed_graph_scope(step->graph, scope);
    y = cross_attention(step, &layer->cross, index, x);
    snprintf(scope, sizeof scope, "decoder.%d.", index);
    heed_graph_scope(step->graph, scope);
    x = heedi_marian_add_norm(step->graph, "encoder_attn_layer_norm", &layer->cross.norm, x, y);
    return heedi_marian_ffn(step->graph, step->config, layer, x);
}

/* The most probable token and its log-probability. */
static heed_tensor choose(struct step *step, const struct heedi_marian *marian, heed_tensor x) {
    struct heed_graph *graph = step->graph;
    const struct heedi_marian_linear head = {marian->output, marian->output_bias};
    heed_tensor next = HEED_NO_TENSOR, logs = HEED_NO_TENSOR, best = HEED_NO_TENSOR,
                index = HEED_NO_TENSOR;
    heed_graph_scope(graph, "");
    const heed_tensor logits = heedi_marian_linear(graph, "logits", &head, HEED_ACTIVATION_NONE, x);
    /* argmax of the logits, not of their logarithms: subtracting may make two of them equal. */
    heed_graph_unary(graph, HEED_OP_ARGMAX, "next", logits, &next);
    heed_graph_unary(graph, HEED_OP_LOG_SOFTMAX, "log_probs", logits, &logs);
    heed_graph_top_k(graph, "log_prob", logs, 1, &best, &index);
    heed_graph_output(graph, "next", next);
    heed_graph_output(graph, "log_prob", best);
    if (step->bucket->inspect)
        heed_graph_output(graph, "logits", logits);
    return next;
}

/* What the next step reads, where it may follow without the host. */
static void feed_back(struct step *step, heed_tensor rows, heed_tensor next) {
    heed_graph_advance(step->graph, "advance", rows, next, step->config->eos_token_id,
                       step->bucket->keys, &rows);
    heed_graph_output(step->graph, "rows_next", rows);
}

enum heed_status heedi_marian_decoder_graph(struct heed_context *context,
                                            const struct heedi_marian *marian,
                                            const struct heedi_marian_bucket *bucket,
                                            struct heed_graph **result) {
    const struct heedi_marian_config *config = &marian->config;
    struct step step = {.config = config, .bucket = bucket};
    enum heed_status status = heed_graph_create(context, "decoder", &step.graph);
    if (status != HEED_OK)
        return status;
    const int64_t dims[] = {HEED_ROWS_COUNT, bucket->rows};
    const int64_t offsets = (int64_t)bucket->sentences + 1;
    heed_tensor rows = HEED_NO_TENSOR;
    heed_graph_input(step.graph, "rows", HEED_I32, 2, dims, 0, &rows);
    heed_graph_input(step.graph, "source_offsets", HEED_I32, 1, &offsets,
                     (int64_t)bucket->tokens + 1, &step.source_offsets);
    const heed_tensor token = row_of(&step, "token", rows, HEED_ROWS_TOKEN);
    step.position = row_of(&step, "position", rows, HEED_ROWS_POSITION);
    step.key_len = row_of(&step, "key_len", rows, HEED_ROWS_KEY_LEN);
    step.cache_row = row_of(&step, "cache_row", rows, HEED_ROWS_CACHE_ROW);
    step.source_row = row_of(&step, "source_row", rows, HEED_ROWS_SOURCE_ROW);
    heed_graph_scope(step.graph, "decoder.");
    heed_tensor x =
        heedi_marian_embed(step.graph, config, &marian->target_embedding, token, step.position);
    for (int32_t i = 0; i < config->decoder_layers; i++)
        x = decoder_layer(&step, &marian->decoder[i], i, x);
    const heed_tensor next = choose(&step, marian, x);
    if (bucket->steps > 1)
        feed_back(&step, rows, next);
    status = heed_graph_freeze(step.graph);
    if (status != HEED_OK) {
        heed_graph_release(step.graph);
        return status;
    }
    *result = step.graph;
    return HEED_OK;
}
