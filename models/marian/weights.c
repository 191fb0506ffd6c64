/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of a Marian model: found by Hugging Face's names, checked against the configuration.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "models/marian/marian.h"
#include "runtime/base/shape.h"
#include "runtime/base/weight.h"

/* Looks tensors up, composing their names: `name` is what the present place of the network is
 * called, "model.encoder.layers.0.self_attn". */
struct binder {
    struct heed_context *context;
    const struct heed_model *model;
    const char *config_file;
    enum heed_status status; /* sticky */
    char name[128]; /* the longest is model.decoder.layers.255.encoder_attn.out_proj.weight */
    size_t bytes;
};

/* Goes to a part of the present place; returns what leave() takes to come back. */
static size_t enter(struct binder *binder, const char *part) {
    const size_t before = binder->bytes, part_bytes = strlen(part);
    assert(before + 1 + part_bytes < sizeof binder->name);
    if (before)
        binder->name[binder->bytes++] = '.';
    memcpy(binder->name + binder->bytes, part, part_bytes + 1);
    binder->bytes += part_bytes;
    return before;
}

static void leave(struct binder *binder, size_t before) {
    binder->bytes = before;
    binder->name[before] = 0;
}

/* Checks that a tensor has elements of a float type (or `quantized`, where that may be) and dims
 * [rows, columns], or [columns] where rows is 0. `why` says where the expected sizes come from. */
static void check(struct binder *binder, const struct heed_weight *weight, int32_t rows,
                  int32_t columns, bool quantized, const char *why) {
    const struct heed_tensor_desc *desc = &weight->desc;
    const bool typed = desc->dtype == HEED_F32 || desc->dtype == HEED_F16 ||
                       desc->dtype == HEED_BF16 || (quantized && heedi_marian_is_quantized(weight));
    const int64_t values = heed_dtype_values(desc->dtype);
    const bool fits = rows ? desc->rank == 2 && desc->dims[0] == rows && columns % values == 0 &&
                                 desc->dims[1] == columns / values
                           : desc->rank == 1 && desc->dims[0] == columns;
    struct heedi_shape_text found;
    char expected[32];
    if (typed && fits)
        return;
    if (rows)
        snprintf(expected, sizeof expected, "[%d, %d]", rows, columns);
    else
        snprintf(expected, sizeof expected, "[%d]", columns);
    binder->status =
        heedi_fail(binder->context, HEED_ERROR_SHAPE,
                   "%s: tensor \"%s\": expected float%s %s (%s of %s), found %s",
                   binder->model->path, weight->name, quantized ? ", i8 or q8_0" : "", expected,
                   why, binder->config_file, heedi_shape_print(&found, desc));
}

/* The tensor `part` of the present place, NULL after a failure. */
static struct heed_weight *find(struct binder *binder, const char *part, int32_t rows,
                                int32_t columns, bool quantized, const char *why) {
    if (binder->status != HEED_OK)
        return NULL;
    const size_t before = enter(binder, part);
    struct heed_weight *weight = heedi_weights_find(binder->model->weights, binder->name);
    const char *reason = heedi_weights_unsupported(binder->model->weights, binder->name);
    if (weight)
        check(binder, weight, rows, columns, quantized, why);
    else if (reason)
        binder->status = heedi_fail(binder->context, HEED_ERROR_UNSUPPORTED,
                                    "%s: tensor \"%s\" cannot be used: %s", binder->model->path,
                                    binder->name, reason);
    else
        binder->status =
            heedi_fail(binder->context, HEED_ERROR_FORMAT, "%s: tensor \"%s\" is missing",
                       binder->model->path, binder->name);
    leave(binder, before);
    return weight;
}

/* The same of a float type. */
static struct heed_weight *get(struct binder *binder, const char *part, int32_t rows,
                               int32_t columns, const char *why) {
    return find(binder, part, rows, columns, false, why);
}

/* A matrix of any type, and the scales that an i8 one has beside it. */
static struct heedi_marian_matrix get_matrix(struct binder *binder, const char *part, int32_t rows,
                                             int32_t columns, const char *why) {
    struct heedi_marian_matrix matrix = {find(binder, part, rows, columns, true, why), NULL};
    if (matrix.weight && matrix.weight->desc.dtype == HEED_I8) {
        const size_t before = enter(binder, part);
        matrix.scale = get(binder, "scale", 0, rows, why);
        leave(binder, before);
    }
    return matrix;
}

static void bind_linear(struct binder *binder, const char *part, int32_t out, int32_t in,
                        const char *why, struct heedi_marian_linear *linear) {
    const size_t before = enter(binder, part);
    linear->matrix = get_matrix(binder, "weight", out, in, why);
    linear->bias = get(binder, "bias", 0, out, why);
    leave(binder, before);
}

static void bind_norm(struct binder *binder, const char *part, int32_t width,
                      struct heedi_marian_norm *norm) {
    const size_t before = enter(binder, part);
    norm->gamma = get(binder, "weight", 0, width, "d_model");
    norm->beta = get(binder, "bias", 0, width, "d_model");
    leave(binder, before);
}

static void bind_attention(struct binder *binder, const char *part, int32_t width,
                           struct heedi_marian_attention *attention) {
    const size_t before = enter(binder, part);
    bind_linear(binder, "q_proj", width, width, "d_model", &attention->q);
    bind_linear(binder, "k_proj", width, width, "d_model", &attention->k);
    bind_linear(binder, "v_proj", width, width, "d_model", &attention->v);
    bind_linear(binder, "out_proj", width, width, "d_model", &attention->out);
    leave(binder, before);
}

static void bind_layers(struct binder *binder, bool decoder, int32_t count, int32_t width,
                        int32_t inner, struct heedi_marian_layer *layers) {
    const char *why = decoder ? "d_model, decoder_ffn_dim" : "d_model, encoder_ffn_dim";
    const size_t before = enter(binder, decoder ? "model.decoder.layers" : "model.encoder.layers");
    for (int32_t i = 0; i < count && binder->status == HEED_OK; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        const size_t list = enter(binder, number);
        bind_attention(binder, "self_attn", width, &layers[i].self);
        bind_norm(binder, "self_attn_layer_norm", width, &layers[i].self.norm);
        if (decoder) {
            bind_attention(binder, "encoder_attn", width, &layers[i].cross);
            bind_norm(binder, "encoder_attn_layer_norm", width, &layers[i].cross.norm);
        }
        bind_linear(binder, "fc1", inner, width, why, &layers[i].fc1);
        bind_linear(binder, "fc2", width, inner, why, &layers[i].fc2);
        bind_norm(binder, "final_layer_norm", width, &layers[i].norm);
        leave(binder, list);
    }
    leave(binder, before);
}

/* The first of `names` (NULL-terminated) that is there: of tensors that share memory, files keep
 * one, and not always the same. */
static struct heedi_marian_matrix get_first(struct binder *binder, const char *const *names,
                                            int32_t rows, int32_t columns, const char *why) {
    for (size_t i = 0; names[i]; i++)
        if (heedi_weights_find(binder->model->weights, names[i]))
            return get_matrix(binder, names[i], rows, columns, why);
    return get_matrix(binder, names[0], rows, columns, why);
}

static void bind_embeddings(struct binder *binder, struct heedi_marian *marian) {
    static const char *const shared[] = {"model.shared.weight", "model.encoder.embed_tokens.weight",
                                         "model.decoder.embed_tokens.weight", "lm_head.weight",
                                         NULL};
    static const char *const source[] = {"model.encoder.embed_tokens.weight", NULL};
    static const char *const target[] = {"model.decoder.embed_tokens.weight", "lm_head.weight",
                                         NULL};
    const struct heedi_marian_config *config = &marian->config;
    const bool tied = config->tie_word_embeddings != 0;
    if (config->share_encoder_decoder_embeddings) {
        /* An output matrix of its own must not be taken for the shared embedding. */
        const char *const *names = shared;
        const char *const untied[] = {shared[0], shared[1], shared[2], NULL};
        if (!tied)
            names = untied;
        marian->source_embedding =
            get_first(binder, names, config->vocab_size, config->d_model, "vocab_size, d_model");
        marian->target_embedding = marian->source_embedding;
    } else {
        const char *const untied[] = {target[0], NULL};
        marian->source_embedding =
            get_first(binder, source, config->vocab_size, config->d_model, "vocab_size, d_model");
        marian->target_embedding =
            get_first(binder, tied ? target : untied, config->decoder_vocab_size, config->d_model,
                      "decoder_vocab_size, d_model");
    }
    marian->output = tied ? marian->target_embedding
                          : get_matrix(binder, "lm_head.weight", config->decoder_vocab_size,
                                       config->d_model, "decoder_vocab_size, d_model");
}

/* ---- constants that are made ---- */

struct owned {
    struct heedi_env env;
    float *data;
};

static void release_owned(void *user) {
    struct owned *owned = user;
    const struct heedi_env env = owned->env;
    heedi_free(&env, owned->data);
    heedi_free(&env, owned);
}

static float widen(const struct heed_weight *weight, int64_t index) {
    if (weight->desc.dtype == HEED_F16)
        return heed_f16_to_f32(((const uint16_t *)weight->data)[index]);
    if (weight->desc.dtype == HEED_BF16)
        return heed_bf16_to_f32(((const uint16_t *)weight->data)[index]);
    return ((const float *)weight->data)[index];
}

/* final_logits_bias with minus infinity at the tokens that are never generated: suppressed before
 * the softmax, they take no share of the probability. */
static enum heed_status make_output_bias(struct heed_context *context,
                                         struct heedi_marian *marian) {
    const int64_t size = marian->config.decoder_vocab_size;
    struct owned *owned = heedi_calloc(&context->env, 1, sizeof *owned);
    if (!owned)
        return heedi_fail_memory(context, "the output bias", sizeof *owned);
    owned->env = context->env;
    owned->data = heedi_alloc_aligned(&context->env, (size_t)size * sizeof(float), 64);
    if (!owned->data) {
        heedi_free(&context->env, owned);
        return heedi_fail_memory(context, "the output bias", (size_t)size * sizeof(float));
    }
    for (int64_t i = 0; i < size; i++)
        owned->data[i] = widen(marian->logits_bias, i);
    for (uint32_t i = 0; i < marian->config.suppressed_count; i++)
        owned->data[marian->config.suppressed[i]] = -INFINITY;
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 1, &size);
    const enum heed_status status = heed_weight_create(context, "output_bias", &desc, owned->data,
                                                       release_owned, owned, &marian->output_bias);
    if (status != HEED_OK)
        release_owned(owned);
    return status;
}

static enum heed_status make_zero(struct heed_context *context, struct heedi_marian *marian) {
    static const _Alignas(64) int32_t zero[16] = {0};
    const int64_t one = 1;
    const struct heed_tensor_desc desc = heed_desc(HEED_I32, 1, &one);
    return heed_weight_create(context, "zero", &desc, zero, NULL, NULL, &marian->zero);
}

enum heed_status heedi_marian_bind_weights(struct heed_context *context, struct heed_model *model,
                                           const char *config_file) {
    struct heedi_marian *marian = heedi_marian_of(model);
    const struct heedi_marian_config *config = &marian->config;
    struct binder binder = {.context = context, .model = model, .config_file = config_file};
    bind_embeddings(&binder, marian);
    /* Hugging Face stores [1, V]; [V] says the same. */
    struct heed_weight *bias = heedi_weights_find(model->weights, "final_logits_bias");
    marian->logits_bias = get(&binder, "final_logits_bias", bias && bias->desc.rank == 1 ? 0 : 1,
                              config->decoder_vocab_size, "decoder_vocab_size");
    bind_layers(&binder, false, config->encoder_layers, config->d_model, config->encoder_ffn_dim,
                marian->encoder);
    bind_layers(&binder, true, config->decoder_layers, config->d_model, config->decoder_ffn_dim,
                marian->decoder);
    if (binder.status == HEED_OK)
        binder.status = make_output_bias(context, marian);
    if (binder.status == HEED_OK)
        binder.status = make_zero(context, marian);
    return binder.status;
}

/* ---- listing ---- */

static void each_of_linear(const struct heedi_marian_linear *linear, heedi_marian_weight_fn fn,
                           void *user) {
    fn(user, linear->matrix.weight->name, linear->matrix.weight, linear->matrix.scale);
    fn(user, linear->bias->name, linear->bias, NULL);
}

static void each_of_norm(const struct heedi_marian_norm *norm, heedi_marian_weight_fn fn,
                         void *user) {
    fn(user, norm->gamma->name, norm->gamma, NULL);
    fn(user, norm->beta->name, norm->beta, NULL);
}

static void each_of_attention(const struct heedi_marian_attention *attention,
                              heedi_marian_weight_fn fn, void *user) {
    const struct heedi_marian_linear *const linears[] = {&attention->k, &attention->v,
                                                         &attention->q, &attention->out};
    for (int i = 0; i < 4; i++)
        each_of_linear(linears[i], fn, user);
    each_of_norm(&attention->norm, fn, user);
}

static void each_of_layers(const struct heedi_marian_layer *layers, int32_t count, bool decoder,
                           heedi_marian_weight_fn fn, void *user) {
    for (int32_t i = 0; i < count; i++) {
        const struct heedi_marian_layer *layer = &layers[i];
        each_of_attention(&layer->self, fn, user);
        if (decoder)
            each_of_attention(&layer->cross, fn, user);
        each_of_linear(&layer->fc1, fn, user);
        each_of_linear(&layer->fc2, fn, user);
        each_of_norm(&layer->norm, fn, user);
    }
}

void heedi_marian_each_weight(const struct heedi_marian *marian, heedi_marian_weight_fn fn,
                              void *user) {
    const struct heedi_marian_config *config = &marian->config;
    const struct heedi_marian_matrix *source = &marian->source_embedding;
    const struct heedi_marian_matrix *target = &marian->target_embedding;
    /* Named by its use, whatever alias the file had. */
    if (config->share_encoder_decoder_embeddings) {
        fn(user, "model.shared.weight", source->weight, source->scale);
    } else {
        fn(user, "model.encoder.embed_tokens.weight", source->weight, source->scale);
        fn(user, "model.decoder.embed_tokens.weight", target->weight, target->scale);
    }
    if (!config->tie_word_embeddings)
        fn(user, "lm_head.weight", marian->output.weight, marian->output.scale);
    fn(user, "final_logits_bias", marian->logits_bias, NULL);
    each_of_layers(marian->encoder, config->encoder_layers, false, fn, user);
    each_of_layers(marian->decoder, config->decoder_layers, true, fn, user);
}
