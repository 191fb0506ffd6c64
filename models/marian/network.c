/* SPDX-License-Identifier: Apache-2.0 */
/* The Marian network as a model provides it: making and freeing its part, describing it. */
#include <string.h>

#include "models/marian/package.h"
#include "models/marian/session.h"
#include "runtime/base/weight.h"

enum heed_status heedi_marian_create(struct heed_context *context, struct heed_model *model,
                                     const struct heedi_marian_config *config) {
    const size_t encoder_layers = (size_t)config->encoder_layers;
    const size_t decoder_layers = (size_t)config->decoder_layers;
    struct heedi_marian *marian = heedi_calloc(&context->env, 1, sizeof *marian);
    if (!marian)
        return heedi_fail_memory(context, "a model", sizeof *marian);
    model->network = &heedi_marian_network;
    model->data = marian;
    marian->config = *config;
    marian->encoder = heedi_calloc(&context->env, encoder_layers, sizeof *marian->encoder);
    marian->decoder = heedi_calloc(&context->env, decoder_layers, sizeof *marian->decoder);
    if (!marian->encoder || !marian->decoder)
        return heedi_fail_memory(context, "layers", sizeof *marian->encoder);
    model->generation.start = config->decoder_start_token_id;
    model->generation.eos = config->eos_token_id;
    model->generation.forced_eos = config->forced_eos_token_id;
    model->generation.max_length = (uint32_t)config->max_length;
    model->generation.max_positions = (uint32_t)config->max_position_embeddings;
    return HEED_OK;
}

static enum heed_status check_vocabulary(struct heed_context *context, const char *config_file,
                                         const char *field, int32_t expected,
                                         const char *vocabulary_file,
                                         const struct heedi_vocabulary *vocabulary) {
    const int32_t found = heedi_vocabulary_size(vocabulary);
    if (found == expected)
        return HEED_OK;
    return heedi_fail(context, HEED_ERROR_FORMAT, "%s: expected %d entries (%s of %s), found %d",
                      vocabulary_file, expected, field, config_file, found);
}

enum heed_status heedi_marian_make_tokenizer(struct heed_context *context, struct heed_model *model,
                                             const struct heedi_marian_origin *origin) {
    const struct heedi_marian *marian = heedi_marian_of(model);
    const struct heedi_marian_config *config = &marian->config;
    struct heedi_tokenizer *tokenizer = &model->tokenizer;
    enum heed_status status =
        check_vocabulary(context, origin->config, "vocab_size", config->vocab_size,
                         origin->source_vocabulary, tokenizer->source_vocabulary);
    if (status == HEED_OK)
        status = check_vocabulary(context, origin->config, "decoder_vocab_size",
                                  config->decoder_vocab_size, origin->target_vocabulary,
                                  tokenizer->target_vocabulary ? tokenizer->target_vocabulary
                                                               : tokenizer->source_vocabulary);
    if (status == HEED_OK)
        status = heedi_sentencepiece_create(context, origin->source_spm, marian->source_spm.data,
                                            marian->source_spm.bytes, &tokenizer->source_pieces);
    const bool same =
        marian->source_spm.bytes == marian->target_spm.bytes &&
        memcmp(marian->source_spm.data, marian->target_spm.data, marian->source_spm.bytes) == 0;
    if (status == HEED_OK && !same)
        status = heedi_sentencepiece_create(context, origin->target_spm, marian->target_spm.data,
                                            marian->target_spm.bytes, &tokenizer->target_pieces);
    if (status == HEED_OK)
        status = heedi_tokenizer_init(context, model->path, tokenizer, config->eos_token_id,
                                      config->pad_token_id);
    return status;
}

static void describe(const struct heed_model *model, heed_model_field_fn field, void *user) {
    const struct heedi_marian_config *config = &heedi_marian_of(model)->config;
    char value[512];
    field(user, "architecture", "marian");
#define DESCRIBE_SIZE(name) snprintf(value, sizeof value, "%d", config->name)
#define DESCRIBE_TOKEN(name) snprintf(value, sizeof value, "%d", config->name)
#define DESCRIBE_COUNT(name) snprintf(value, sizeof value, "%d", config->name)
#define DESCRIBE_FLAG(name) snprintf(value, sizeof value, "%s", config->name ? "true" : "false")
#define DESCRIBE(kind, name, fallback, least, greatest)                                            \
    DESCRIBE_##kind(name);                                                                         \
    field(user, #name, value);
    HEEDI_MARIAN_FIELDS(DESCRIBE)
#undef DESCRIBE
#undef DESCRIBE_FLAG
#undef DESCRIBE_COUNT
#undef DESCRIBE_TOKEN
#undef DESCRIBE_SIZE
    snprintf(value, sizeof value, "%g", (double)config->length_penalty);
    field(user, "length_penalty", value);
    field(user, "activation_function", config->activation_name);
    size_t at = 0;
    for (uint32_t i = 0; i < config->suppressed_count && at + 16 < sizeof value; i++)
        at += (size_t)snprintf(value + at, sizeof value - at, "%s%d", i ? " " : "",
                               config->suppressed[i]);
    field(user, "bad_words_ids", value);
}

static void destroy(struct heed_model *model) {
    struct heedi_marian *marian = heedi_marian_of(model);
    if (!marian)
        return;
    heed_weight_release(marian->output_bias);
    heed_weight_release(marian->zero);
    heedi_os_unmap(&marian->spm_mapping[0]);
    heedi_os_unmap(&marian->spm_mapping[1]);
    if (marian->encoder)
        heedi_free(&model->env, marian->encoder);
    if (marian->decoder)
        heedi_free(&model->env, marian->decoder);
    heedi_free(&model->env, marian);
    model->data = NULL;
}

const struct heedi_network heedi_marian_network = {
    .name = "marian",
    .session_create = heedi_marian_session_create,
    .describe = describe,
    .package = heedi_marian_package,
    .destroy = destroy,
};
