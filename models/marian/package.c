/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing a Marian model as one GGUF file. */
#include "models/marian/package.h"

#include <string.h>

#include "models/files.h"
#include "runtime/base/weight.h"

/* ---- writing ---- */

struct tensors {
    struct heedi_gguf_writer *writer;
    enum heed_dtype matrices;
};

/* Matrices in the wanted type; vectors, and the bias stored as [1, V], stay f32. */
static void put_tensor(void *user, const char *name, struct heed_weight *weight,
                       struct heed_weight *scale) {
    const struct tensors *tensors = user;
    const struct heed_tensor_desc *desc = &weight->desc;
    const enum heed_dtype wanted = tensors->matrices;
    const bool matrix = desc->rank == 2 && desc->dims[0] > 1;
    if (matrix && desc->dtype != wanted && (wanted == HEED_I8 || wanted == HEED_Q8_0))
        heedi_gguf_put_quantized(tensors->writer, name, desc, weight->data, wanted);
    else
        heedi_gguf_put_tensor(tensors->writer, name, desc, weight->data,
                              matrix ? wanted : HEED_F32);
    if (scale)
        heedi_gguf_put_scales(tensors->writer, name, &scale->desc, scale->data);
}

static void put_config(struct heedi_gguf_writer *writer, const struct heedi_marian_config *config) {
#define PUT_SIZE(name) heedi_gguf_put_u32(writer, "marian." #name, (uint32_t)config->name)
#define PUT_TOKEN(name) PUT_SIZE(name)
#define PUT_COUNT(name) PUT_SIZE(name)
#define PUT_FLAG(name) heedi_gguf_put_bool(writer, "marian." #name, config->name != 0)
#define PUT(kind, name, fallback, least, greatest) PUT_##kind(name);
    HEEDI_MARIAN_FIELDS(PUT)
#undef PUT
#undef PUT_FLAG
#undef PUT_COUNT
#undef PUT_TOKEN
#undef PUT_SIZE
    heedi_gguf_put_f32(writer, "marian.length_penalty", config->length_penalty);
    heedi_gguf_put_string(writer, "marian.activation_function", config->activation_name);
    heedi_gguf_put_i32s(writer, "marian.bad_words_ids", config->suppressed,
                        config->suppressed_count);
}

static void put_tokenizer(struct heedi_gguf_writer *writer, const struct heed_model *model) {
    const struct heedi_marian *marian = heedi_marian_of(model);
    const struct heedi_tokenizer *tokenizer = &model->tokenizer;
    const struct heedi_vocabulary *source = tokenizer->source_vocabulary;
    const struct heedi_vocabulary *target = tokenizer->target_vocabulary;
    heedi_gguf_put_string(writer, "tokenizer.ggml.model", "marian");
    heedi_gguf_put_strings(writer, "tokenizer.ggml.tokens", heedi_vocabulary_pieces(source),
                           (size_t)heedi_vocabulary_size(source));
    heedi_gguf_put_u32(writer, "tokenizer.ggml.eos_token_id", (uint32_t)tokenizer->eos);
    heedi_gguf_put_u32(writer, "tokenizer.ggml.unknown_token_id", (uint32_t)tokenizer->unknown);
    heedi_gguf_put_u32(writer, "tokenizer.ggml.padding_token_id", (uint32_t)tokenizer->pad);
    if (target)
        heedi_gguf_put_strings(writer, "marian.tokenizer.target_tokens",
                               heedi_vocabulary_pieces(target),
                               (size_t)heedi_vocabulary_size(target));
    heedi_gguf_put_bytes(writer, "marian.tokenizer.source_spm", marian->source_spm.data,
                         marian->source_spm.bytes);
    if (tokenizer->target_pieces)
        heedi_gguf_put_bytes(writer, "marian.tokenizer.target_spm", marian->target_spm.data,
                             marian->target_spm.bytes);
}

enum heed_status heedi_marian_package(struct heed_context *context, const struct heed_model *model,
                                      struct heedi_gguf_writer *writer, enum heed_dtype matrices) {
    const struct heedi_marian *marian = heedi_marian_of(model);
    struct tensors tensors = {writer, matrices};
    (void)context;
    put_config(writer, &marian->config);
    put_tokenizer(writer, model);
    heedi_marian_each_weight(marian, put_tensor, &tensors);
    return HEED_OK; /* failures stick in the writer */
}

/* ---- reading ---- */

static struct heedi_marian_value look_up(const void *user, const char *name, bool generation) {
    struct heedi_marian_value value = {HEEDI_VALUE_ABSENT, 0};
    char key[96];
    (void)generation;
    snprintf(key, sizeof key, "marian.%s", name);
    const struct heedi_meta *meta = heedi_weights_meta(user, key);
    if (!meta)
        return value;
    value.kind = HEEDI_VALUE_NUMBER;
    switch (meta->type) {
    case HEEDI_META_U8:
    case HEEDI_META_U16:
    case HEEDI_META_U32:
    case HEEDI_META_U64:
        value.number = (double)meta->value.u;
        break;
    case HEEDI_META_I8:
    case HEEDI_META_I16:
    case HEEDI_META_I32:
    case HEEDI_META_I64:
        value.number = (double)meta->value.i;
        break;
    case HEEDI_META_F32:
    case HEEDI_META_F64:
        value.number = meta->value.f;
        break;
    case HEEDI_META_BOOL:
        value.kind = HEEDI_VALUE_FLAG;
        value.number = meta->value.u != 0;
        break;
    case HEEDI_META_STRING:
    case HEEDI_META_ARRAY:
        value.kind = HEEDI_VALUE_OTHER;
        break;
    }
    return value;
}

/* A field of the file of a certain type; NULL and a failure where it is missing (unless optional)
 * or of another type. `element`: of arrays. */
static const struct heedi_meta *get(struct heed_context *context, const struct heed_model *model,
                                    const char *key, enum heedi_meta_type type,
                                    enum heedi_meta_type element, bool optional,
                                    enum heed_status *status) {
    if (*status != HEED_OK)
        return NULL;
    const struct heedi_meta *meta = heedi_weights_meta(model->weights, key);
    if (!meta && optional)
        return NULL;
    if (!meta)
        *status = heedi_fail(context, HEED_ERROR_FORMAT, "%s: %s: the field is missing",
                             model->path, key);
    else if (meta->type != type || (type == HEEDI_META_ARRAY && meta->value.array.type != element))
        *status = heedi_fail(context, HEED_ERROR_FORMAT,
                             "%s: %s: expected type %d (elements %d), found type %d (elements %d)",
                             model->path, key, (int)type, (int)element, (int)meta->type,
                             meta->type == HEEDI_META_ARRAY ? (int)meta->value.array.type : -1);
    return *status == HEED_OK ? meta : NULL;
}

static enum heed_status check_architecture(struct heed_context *context,
                                           const struct heed_model *model) {
    enum heed_status status = HEED_OK;
    const struct heedi_meta *meta = get(context, model, "general.architecture", HEEDI_META_STRING,
                                        HEEDI_META_STRING, false, &status);
    if (!meta)
        return status;
    const struct heedi_slice name = meta->value.string;
    if (name.bytes == 6 && memcmp(name.data, "marian", 6) == 0)
        return HEED_OK;
    return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                      "%s: general.architecture: \"%.*s\" is not supported, only \"marian\"",
                      model->path, (int)(name.bytes < 100 ? name.bytes : 100), name.data);
}

static enum heed_status read_config(struct heed_context *context, const struct heed_model *model,
                                    struct heedi_marian_config *config) {
    enum heed_status status =
        heedi_marian_config_read(context, model->path, look_up, model->weights, config);
    const struct heedi_meta *activation = get(context, model, "marian.activation_function",
                                              HEEDI_META_STRING, HEEDI_META_STRING, false, &status);
    if (activation)
        status = heedi_marian_config_activation(context, model->path, activation->value.string.data,
                                                activation->value.string.bytes, config);
    const struct heedi_meta *bad = get(context, model, "marian.bad_words_ids", HEEDI_META_ARRAY,
                                       HEEDI_META_I32, true, &status);
    for (uint64_t i = 0; bad && status == HEED_OK && i < bad->value.array.count; i++) {
        int32_t token;
        memcpy(&token, (const char *)bad->value.array.data + i * sizeof token, sizeof token);
        status = heedi_marian_config_suppress(context, model->path, config, token);
    }
    if (status == HEED_OK)
        status = heedi_marian_config_check(context, model->path, config);
    return status;
}

static enum heed_status read_vocabulary(struct heed_context *context,
                                        const struct heed_model *model, const char *key,
                                        bool optional, struct heedi_vocabulary **vocabulary) {
    enum heed_status status = HEED_OK;
    const struct heedi_meta *tokens =
        get(context, model, key, HEEDI_META_ARRAY, HEEDI_META_STRING, optional, &status);
    if (!tokens)
        return status;
    return heedi_vocabulary_create(context, model->path, tokens->value.array.strings,
                                   tokens->value.array.count, vocabulary);
}

static enum heed_status read_tokenizer(struct heed_context *context, struct heed_model *model) {
    struct heedi_marian *marian = heedi_marian_of(model);
    const struct heedi_marian_origin origin = {
        model->path, "marian.tokenizer.source_spm", "marian.tokenizer.target_spm",
        "tokenizer.ggml.tokens", "marian.tokenizer.target_tokens"};
    enum heed_status status = read_vocabulary(context, model, origin.source_vocabulary, false,
                                              &model->tokenizer.source_vocabulary);
    if (status == HEED_OK)
        status = read_vocabulary(context, model, origin.target_vocabulary, true,
                                 &model->tokenizer.target_vocabulary);
    const struct heedi_meta *source =
        get(context, model, origin.source_spm, HEEDI_META_ARRAY, HEEDI_META_U8, false, &status);
    const struct heedi_meta *target =
        get(context, model, origin.target_spm, HEEDI_META_ARRAY, HEEDI_META_U8, true, &status);
    if (status != HEED_OK)
        return status;
    marian->source_spm.data = source->value.array.data;
    marian->source_spm.bytes = source->value.array.count;
    marian->target_spm = marian->source_spm;
    if (target) {
        marian->target_spm.data = target->value.array.data;
        marian->target_spm.bytes = target->value.array.count;
    }
    return heedi_marian_make_tokenizer(context, model, &origin);
}

enum heed_status heedi_marian_open_package(struct heed_context *context, struct heed_model *model) {
    struct heedi_marian_config config;
    enum heed_status status = heedi_gguf_open(context, model->path, &model->weights);
    if (status == HEED_OK)
        status = check_architecture(context, model);
    if (status == HEED_OK)
        status = read_config(context, model, &config);
    if (status == HEED_OK)
        status = heedi_marian_create(context, model, &config);
    if (status == HEED_OK)
        status = heedi_marian_bind_weights(context, model, model->path);
    if (status == HEED_OK)
        status = read_tokenizer(context, model);
    return status;
}
