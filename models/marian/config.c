/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a Marian model: reading it, from wherever its fields come, and checking it.
 *
 * Values are read, not assumed: the defaults of Hugging Face's class differ from what published
 * models use, so that only fields which published files do leave out have one here. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "models/marian/marian.h"

enum field_kind { SIZE, FLAG, TOKEN, COUNT };

struct field {
    const char *name;
    size_t offset;
    enum field_kind kind;
    int32_t fallback, least, greatest;
};

static const struct field fields[] = {
#define FIELD(kind, name, fallback, least, greatest)                                               \
    {#name, offsetof(struct heedi_marian_config, name), kind, fallback, least, greatest},
    HEEDI_MARIAN_FIELDS(FIELD)
#undef FIELD
};

static enum heed_status check_flag(struct heed_context *context, const char *file,
                                   const struct field *field,
                                   const struct heedi_marian_value *value, int32_t *result) {
    static const char *const words[] = {"false", "true"};
    if (value->kind != HEEDI_VALUE_FLAG)
        return heedi_fail(context, HEED_ERROR_FORMAT, "%s: %s: expected true or false", file,
                          field->name);
    *result = (int32_t)value->number;
    if (*result < field->least || *result > field->greatest)
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED, "%s: %s: %s is not supported, only %s",
                          file, field->name, words[*result != 0], words[field->least != 0]);
    return HEED_OK;
}

static enum heed_status check_number(struct heed_context *context, const char *file,
                                     const struct field *field,
                                     const struct heedi_marian_value *value, int32_t *result) {
    if (value->kind != HEEDI_VALUE_NUMBER)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: %s: expected a whole number, found something else", file,
                          field->name);
    if (!(value->number >= field->least && value->number <= field->greatest) ||
        floor(value->number) != value->number)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: %s: expected a whole number from %d to %d, found %.17g", file,
                          field->name, field->least, field->greatest, value->number);
    *result = (int32_t)value->number;
    return HEED_OK;
}

enum heed_status heedi_marian_config_read(struct heed_context *context, const char *file,
                                          heedi_marian_lookup_fn lookup, const void *user,
                                          struct heedi_marian_config *config) {
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const struct field *field = &fields[i];
        int32_t *member = (int32_t *)(void *)((char *)config + field->offset);
        const bool generation = field->kind == TOKEN || field->kind == COUNT;
        const struct heedi_marian_value value = lookup(user, field->name, generation);
        enum heed_status status = HEED_OK;
        if (value.kind == HEEDI_VALUE_ABSENT && field->fallback == -1)
            status = heedi_fail(context, HEED_ERROR_FORMAT, "%s: %s: the field is missing", file,
                                field->name);
        else if (value.kind == HEEDI_VALUE_ABSENT)
            *member = field->fallback;
        else if (field->kind == FLAG)
            status = check_flag(context, file, field, &value, member);
        else
            status = check_number(context, file, field, &value, member);
        if (status != HEED_OK)
            return status;
    }
    const struct heedi_marian_value penalty = lookup(user, "length_penalty", true);
    config->length_penalty = 1.0f;
    if (penalty.kind == HEEDI_VALUE_NUMBER)
        config->length_penalty = (float)penalty.number;
    if ((penalty.kind != HEEDI_VALUE_NUMBER && penalty.kind != HEEDI_VALUE_ABSENT) ||
        !isfinite(config->length_penalty))
        return heedi_fail(context, HEED_ERROR_FORMAT, "%s: length_penalty: expected a number",
                          file);
    return HEED_OK;
}

enum heed_status heedi_marian_config_activation(struct heed_context *context, const char *file,
                                                const char *name, size_t bytes,
                                                struct heedi_marian_config *config) {
    static const struct {
        const char *name;
        enum heed_activation activation;
    } known[] = {{"swish", HEED_ACTIVATION_SILU},         {"silu", HEED_ACTIVATION_SILU},
                 {"relu", HEED_ACTIVATION_RELU},          {"gelu", HEED_ACTIVATION_GELU_ERF},
                 {"gelu_new", HEED_ACTIVATION_GELU_TANH}, {"tanh", HEED_ACTIVATION_TANH},
                 {"sigmoid", HEED_ACTIVATION_SIGMOID}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == bytes && memcmp(known[i].name, name, bytes) == 0) {
            config->activation = known[i].activation;
            config->activation_name = known[i].name;
            return HEED_OK;
        }
    return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                      "%s: activation_function: \"%.*s\" is not supported, only swish, silu, relu, "
                      "gelu, gelu_new, tanh, sigmoid",
                      file, (int)(bytes < 100 ? bytes : 100), name);
}

enum heed_status heedi_marian_config_suppress(struct heed_context *context, const char *file,
                                              struct heedi_marian_config *config, double token) {
    if (!(token >= 0 && token <= INT32_MAX) || floor(token) != token)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: bad_words_ids: expected token ids, found %.17g", file, token);
    for (uint32_t i = 0; i < config->suppressed_count; i++)
        if (config->suppressed[i] == (int32_t)token)
            return HEED_OK;
    if (config->suppressed_count == HEEDI_MARIAN_MAX_SUPPRESSED)
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                          "%s: bad_words_ids: more than %d entries are not supported", file,
                          HEEDI_MARIAN_MAX_SUPPRESSED);
    config->suppressed[config->suppressed_count++] = (int32_t)token;
    return HEED_OK;
}

/* Token ids must lie in the target vocabulary. */
static enum heed_status check_token(struct heed_context *context, const char *file,
                                    const char *field, int32_t token,
                                    const struct heedi_marian_config *config) {
    if (token < config->decoder_vocab_size)
        return HEED_OK;
    return heedi_fail(context, HEED_ERROR_FORMAT,
                      "%s: %s: expected an id below %d (the target vocabulary), found %d", file,
                      field, config->decoder_vocab_size, token);
}

static enum heed_status check_heads(struct heed_context *context, const char *file,
                                    const char *field, int32_t heads, int32_t width) {
    if (width % heads == 0)
        return HEED_OK;
    return heedi_fail(context, HEED_ERROR_FORMAT,
                      "%s: %s: expected a divisor of d_model %d, found %d", file, field, width,
                      heads);
}

enum heed_status heedi_marian_config_check(struct heed_context *context, const char *file,
                                           struct heedi_marian_config *config) {
    if (config->decoder_vocab_size == 0)
        config->decoder_vocab_size = config->vocab_size;
    if (config->forced_eos_token_id < 0)
        config->forced_eos_token_id = config->eos_token_id;
    if (config->max_length == 0 || config->max_length > config->max_position_embeddings)
        config->max_length = config->max_position_embeddings;
    if (config->d_model % 2 != 0)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: d_model: expected an even number (sinusoidal positions), found %d",
                          file, config->d_model);
    if (config->share_encoder_decoder_embeddings &&
        config->decoder_vocab_size != config->vocab_size)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: decoder_vocab_size: expected vocab_size %d, as "
                          "share_encoder_decoder_embeddings is true, found %d",
                          file, config->vocab_size, config->decoder_vocab_size);
    enum heed_status status =
        heedi_marian_config_suppress(context, file, config, config->pad_token_id);
    const struct {
        const char *field;
        int32_t token;
    } tokens[] = {{"pad_token_id", config->pad_token_id},
                  {"eos_token_id", config->eos_token_id},
                  {"decoder_start_token_id", config->decoder_start_token_id},
                  {"forced_eos_token_id", config->forced_eos_token_id}};
    for (size_t i = 0; status == HEED_OK && i < sizeof tokens / sizeof tokens[0]; i++)
        status = check_token(context, file, tokens[i].field, tokens[i].token, config);
    for (uint32_t i = 0; status == HEED_OK && i < config->suppressed_count; i++)
        status = check_token(context, file, "bad_words_ids", config->suppressed[i], config);
    if (status == HEED_OK)
        status = check_heads(context, file, "encoder_attention_heads",
                             config->encoder_attention_heads, config->d_model);
    if (status == HEED_OK)
        status = check_heads(context, file, "decoder_attention_heads",
                             config->decoder_attention_heads, config->d_model);
    return status;
}

/* ---- JSON ---- */

struct documents {
    const cJSON *config, *generation;
};

/* An item by name; fields of generation are looked for in their own file first. null is absent. */
static const cJSON *find(const struct documents *documents, const char *name, bool generation) {
    const cJSON *item = NULL;
    if (generation && documents->generation)
        item = cJSON_GetObjectItemCaseSensitive(documents->generation, name);
    if (!item || cJSON_IsNull(item))
        item = cJSON_GetObjectItemCaseSensitive(documents->config, name);
    return item && !cJSON_IsNull(item) ? item : NULL;
}

static struct heedi_marian_value look_up(const void *user, const char *name, bool generation) {
    struct heedi_marian_value value = {HEEDI_VALUE_ABSENT, 0};
    const cJSON *item = find(user, name, generation);
    if (item && cJSON_IsArray(item) && cJSON_GetArraySize(item) == 1)
        item = cJSON_GetArrayItem(item, 0); /* generation_config.json may list ids */
    if (!item)
        return value;
    value.kind = cJSON_IsNumber(item) ? HEEDI_VALUE_NUMBER
                 : cJSON_IsBool(item) ? HEEDI_VALUE_FLAG
                                      : HEEDI_VALUE_OTHER;
    value.number = value.kind == HEEDI_VALUE_FLAG ? cJSON_IsTrue(item) : item->valuedouble;
    return value;
}

/* That the file describes the network we know. */
static enum heed_status check_identity(struct heed_context *context, const char *file,
                                       const cJSON *root) {
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(root, "model_type");
    if (!cJSON_IsString(type))
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: model_type: expected a string such as \"marian\"", file);
    if (strcmp(type->valuestring, "marian") != 0)
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                          "%s: model_type: \"%.100s\" is not supported, only \"marian\"", file,
                          type->valuestring);
    const cJSON *architectures = cJSON_GetObjectItemCaseSensitive(root, "architectures");
    if (!architectures || cJSON_IsNull(architectures))
        return HEED_OK;
    const cJSON *first = cJSON_GetArrayItem(architectures, 0);
    if (!cJSON_IsString(first) || strcmp(first->valuestring, "MarianMTModel") != 0)
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                          "%s: architectures: %.100s is not supported, only MarianMTModel", file,
                          cJSON_IsString(first) ? first->valuestring : "(not a list of strings)");
    return HEED_OK;
}

static enum heed_status read_suppressed(struct heed_context *context, const char *file,
                                        const cJSON *list, struct heedi_marian_config *config) {
    if (!list)
        return HEED_OK;
    if (!cJSON_IsArray(list))
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: bad_words_ids: expected a list of lists of token ids", file);
    const cJSON *word;
    cJSON_ArrayForEach(word, list) {
        const cJSON *token = cJSON_GetArrayItem(word, 0);
        if (!cJSON_IsArray(word) || cJSON_GetArraySize(word) != 1 || !cJSON_IsNumber(token))
            return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                              "%s: bad_words_ids: only lists of one token id are supported", file);
        const enum heed_status status =
            heedi_marian_config_suppress(context, file, config, token->valuedouble);
        if (status != HEED_OK)
            return status;
    }
    return HEED_OK;
}

static enum heed_status read_documents(struct heed_context *context, const char *file,
                                       const struct documents *documents,
                                       struct heedi_marian_config *config) {
    enum heed_status status = check_identity(context, file, documents->config);
    if (status == HEED_OK)
        status = heedi_marian_config_read(context, file, look_up, documents, config);
    const cJSON *activation = find(documents, "activation_function", false);
    if (status == HEED_OK && !cJSON_IsString(activation))
        status = heedi_fail(context, HEED_ERROR_FORMAT,
                            "%s: activation_function: expected a string such as \"swish\"", file);
    if (status == HEED_OK)
        status = heedi_marian_config_activation(context, file, activation->valuestring,
                                                strlen(activation->valuestring), config);
    if (status == HEED_OK)
        status = read_suppressed(context, file, find(documents, "bad_words_ids", true), config);
    if (status == HEED_OK)
        status = heedi_marian_config_check(context, file, config);
    return status;
}

enum heed_status heedi_marian_config_parse(struct heed_context *context, const char *file,
                                           struct heedi_slice json, const char *generation_file,
                                           const struct heedi_slice *generation,
                                           struct heedi_marian_config *config) {
    enum heed_status status;
    cJSON *root = cJSON_ParseWithLength(json.data, json.bytes);
    cJSON *extra = generation ? cJSON_ParseWithLength(generation->data, generation->bytes) : NULL;
    const struct documents documents = {root, extra};
    if (!cJSON_IsObject(root))
        status = heedi_fail(context, HEED_ERROR_FORMAT, "%s: expected a JSON object", file);
    else if (generation && !cJSON_IsObject(extra))
        status =
            heedi_fail(context, HEED_ERROR_FORMAT, "%s: expected a JSON object", generation_file);
    else
        status = read_documents(context, file, &documents, config);
    cJSON_Delete(root);
    cJSON_Delete(extra);
    return status;
}
