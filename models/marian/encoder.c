/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder of a Marian model as a graph, and the keys and values that decoders read. */
#include "models/marian/graphs.h"

/* Self-attention over packed sentences: x [tokens, d] -> [tokens, d]. */
static heed_tensor self_attention(struct heed_graph *graph,
                                  const struct heedi_marian_config *config,
                                  const struct heedi_marian_attention *attention, int64_t tokens,
                                  heed_tensor offsets, heed_tensor x) {
    const struct heed_attention_attrs attrs = {
        .struct_size = sizeof attrs, .score = HEED_SCORE_SCALED, .max_len = (uint32_t)tokens};
    const int32_t heads = config->encoder_attention_heads;
    const heed_tensor q =
        heedi_marian_linear(graph, "q_proj", &attention->q, HEED_ACTIVATION_NONE, x);
    const heed_tensor k =
        heedi_marian_linear(graph, "k_proj", &attention->k, HEED_ACTIVATION_NONE, x);
    const heed_tensor v =
        heedi_marian_linear(graph, "v_proj", &attention->v, HEED_ACTIVATION_NONE, x);
    heed_tensor inputs[HEED_ATTENTION_INPUTS];
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++)
        inputs[i] = HEED_NO_TENSOR;
    inputs[HEED_ATTENTION_Q] =
        heedi_marian_split_heads(graph, q, 1, tokens, config->d_model, heads);
    inputs[HEED_ATTENTION_K] =
        heedi_marian_split_heads(graph, k, 1, tokens, config->d_model, heads);
    inputs[HEED_ATTENTION_V] =
        heedi_marian_split_heads(graph, v, 1, tokens, config->d_model, heads);
    inputs[HEED_ATTENTION_Q_OFFSETS] = offsets;
    inputs[HEED_ATTENTION_KV_OFFSETS] = offsets;
    heed_tensor y = HEED_NO_TENSOR;
    heed_graph_attention(graph, "self_attn", inputs, &attrs, &y, NULL);
    y = heedi_marian_merge_heads(graph, y, 1, tokens, config->d_model);
    return heedi_marian_linear(graph, "out_proj", &attention->out, HEED_ACTIVATION_NONE, y);
}

/* Stores what a decoder layer's attention over the source needs of the encoder's result. */
static void store_cross(struct heed_graph *graph, const struct heedi_marian *marian, int32_t layer,
                        int64_t tokens, heed_tensor x) {
    const struct heedi_marian_attention *cross = &marian->decoder[layer].cross;
    const int64_t dims[] = {1, tokens, marian->config.d_model};
    const struct {
        const char *state, *name;
        const struct heedi_marian_linear *linear;
    } parts[] = {{"cross_k", "k_proj", &cross->k}, {"cross_v", "v_proj", &cross->v}};
    heed_tensor rows[2]; /* one after the other, as a backend may compute both together */
    for (int i = 0; i < 2; i++)
        rows[i] =
            heedi_marian_linear(graph, parts[i].name, parts[i].linear, HEED_ACTIVATION_NONE, x);
    for (int i = 0; i < 2; i++) {
        struct heedi_marian_name name;
        heed_tensor state = HEED_NO_TENSOR, zero = HEED_NO_TENSOR;
        heed_graph_state(graph, heedi_marian_name(&name, parts[i].state, layer), HEED_F32, 3, dims,
                         &state);
        heed_graph_reshape(graph, NULL, rows[i], 3, dims, &rows[i]);
        heed_graph_constant(graph, marian->zero, &zero);
        heed_graph_cache_append(graph, parts[i].state, state, rows[i], zero, HEED_NO_TENSOR,
                                &state);
    }
}

enum heed_status heedi_marian_encoder_graph(struct heed_context *context,
                                            const struct heedi_marian *marian,
                                            const struct heedi_marian_bucket *bucket,
                                            struct heed_graph **result) {
    const struct heedi_marian_config *config = &marian->config;
    const int64_t tokens = bucket->tokens;
    const int64_t bounds = (int64_t)bucket->sentences + 1;
    struct heed_graph *graph = NULL;
    heed_tensor ids = HEED_NO_TENSOR, positions = HEED_NO_TENSOR, offsets = HEED_NO_TENSOR;
    enum heed_status status = heed_graph_create(context, "encoder", &graph);
    if (status != HEED_OK)
        return status;
    heed_graph_input(graph, "tokens", HEED_I32, 1, &tokens, config->vocab_size, &ids);
    heed_graph_input(graph, "positions", HEED_I32, 1, &tokens, config->max_position_embeddings,
                     &positions);
    heed_graph_input(graph, "offsets", HEED_I32, 1, &bounds, tokens + 1, &offsets);
    heed_graph_scope(graph, "encoder.");
    heed_tensor x = heedi_marian_embed(graph, config, &marian->source_embedding, ids, positions);
    for (int32_t i = 0; i < config->encoder_layers; i++) {
        const struct heedi_marian_layer *layer = &marian->encoder[i];
        char scope[32];
        snprintf(scope, sizeof scope, "encoder.%d.", i);
        heed_graph_scope(graph, scope);
        const heed_tensor y = self_attention(graph, config, &layer->self, tokens, offsets, x);
        x = heedi_marian_add_norm(graph, "self_attn_layer_norm", &layer->self.norm, x, y);
        x = heedi_marian_ffn(graph, config, layer, x);
    }
    for (int32_t i = 0; i < config->decoder_layers; i++) {
        char scope[48];
        snprintf(scope, sizeof scope, "decoder.%d.encoder_attn.", i);
        heed_graph_scope(graph, scope);
        store_cross(graph, marian, i, tokens, x);
    }
    if (bucket->inspect)
        heed_graph_output(graph, "encoder_output", x);
    status = heed_graph_freeze(graph);
    if (status != HEED_OK) {
        heed_graph_release(graph);
        return status;
    }
    *result = graph;
    return HEED_OK;
}
