/* SPDX-License-Identifier: Apache-2.0 */
/* A tiny Marian model made up on the spot, in every container: 8 dimensions, 2 + 2 layers, 2 heads,
 * and a vocabulary of single letters. Weights are pseudo-random multiples of 1/64, exact in f16, so
 * that all containers hold the same numbers. */
#ifndef HEED_TEST_TINY_MARIAN_H
#define HEED_TEST_TINY_MARIAN_H

#include "tests/unit/runtime/io/torch_test.h"

#include <unistd.h>

#include "heed/convert.h"
#include "heed/translate.h"
#include "models/model.h"

enum {
    TINY_WIDTH = 8,
    TINY_INNER = 12,
    TINY_LAYERS = 2,
    TINY_LETTERS = 20, /* "a" .. "t", with and without a leading space */
    TINY_EOS = 0,
    TINY_UNK = 1,
    TINY_LANGUAGE = 2, /* ">>xx<<" */
    TINY_FIRST = 3,    /* " a", "a", " b", "b", ... */
    TINY_PAD = TINY_FIRST + 2 * TINY_LETTERS + 1,
    TINY_VOCABULARY = TINY_PAD + 1,
    TINY_POSITIONS = 150, /* more than twice the smallest key/value cache */
    TINY_MAX_TENSORS = 128
};

#define TINY_SPACE "\xe2\x96\x81" /* SentencePiece's mark */

struct tiny_tensor {
    char name[128];
    struct heed_tensor_desc desc;
    float data[TINY_VOCABULARY * TINY_WIDTH];
};

struct tiny_model {
    struct tiny_tensor tensors[TINY_MAX_TENSORS];
    size_t count;
    uint32_t seed;
};

/* ---- weights ---- */

static inline float tiny_random(struct tiny_model *model) {
    model->seed = model->seed * 1664525u + 1013904223u;
    return (float)((int32_t)(model->seed >> 24) - 128) / 64.0f;
}

static inline struct tiny_tensor *tiny_find(struct tiny_model *model, const char *name) {
    for (size_t i = 0; i < model->count; i++)
        if (strcmp(model->tensors[i].name, name) == 0)
            return &model->tensors[i];
    return NULL;
}

static inline void tiny_add(struct tiny_model *model, const char *name, int64_t rows,
                            int64_t columns) {
    assert_true(model->count < TINY_MAX_TENSORS);
    struct tiny_tensor *tensor = &model->tensors[model->count++];
    const int64_t dims[2] = {rows ? rows : columns, columns};
    (void)snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->desc = heed_desc(HEED_F32, rows ? 2 : 1, dims);
    for (int64_t i = 0; i < heed_desc_elems(&tensor->desc); i++)
        tensor->data[i] = tiny_random(model);
}

static inline void tiny_add_pair(struct tiny_model *model, const char *layer, const char *what,
                                 int64_t rows, int64_t columns) {
    char name[128];
    (void)snprintf(name, sizeof name, "%s.%s.weight", layer, what);
    tiny_add(model, name, rows, columns);
    (void)snprintf(name, sizeof name, "%s.%s.bias", layer, what);
    tiny_add(model, name, 0, rows ? rows : columns);
}

static inline void tiny_add_layer(struct tiny_model *model, const char *layer, bool decoder) {
    static const char *const projections[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    for (int cross = 0; cross <= (decoder ? 1 : 0); cross++) {
        const char *kind = cross ? "encoder_attn" : "self_attn";
        char what[48];
        for (int i = 0; i < 4; i++) {
            (void)snprintf(what, sizeof what, "%s.%s", kind, projections[i]);
            tiny_add_pair(model, layer, what, TINY_WIDTH, TINY_WIDTH);
        }
        (void)snprintf(what, sizeof what, "%s_layer_norm", kind);
        tiny_add_pair(model, layer, what, 0, TINY_WIDTH);
    }
    tiny_add_pair(model, layer, "fc1", TINY_INNER, TINY_WIDTH);
    tiny_add_pair(model, layer, "fc2", TINY_WIDTH, TINY_INNER);
    tiny_add_pair(model, layer, "final_layer_norm", 0, TINY_WIDTH);
}

static inline void tiny_make(struct tiny_model *model) {
    memset(model, 0, sizeof *model);
    model->seed = 7;
    tiny_add(model, "model.shared.weight", TINY_VOCABULARY, TINY_WIDTH);
    tiny_add(model, "final_logits_bias", 1, TINY_VOCABULARY);
    /* Found by trial: sentences end after 1 to 5 tokens or run into any limit. */
    tiny_find(model, "final_logits_bias")->data[TINY_EOS] = 8.0f;
    model->seed = 10;
    for (int decoder = 0; decoder < 2; decoder++)
        for (int i = 0; i < TINY_LAYERS; i++) {
            char layer[48];
            (void)snprintf(layer, sizeof layer, "model.%s.layers.%d",
                           decoder ? "decoder" : "encoder", i);
            tiny_add_layer(model, layer, decoder);
        }
}

/* ---- containers ---- */

static inline void tiny_write_safetensors(struct tiny_model *model, const char *path, size_t first,
                                          size_t end) {
    struct heed_context *context = new_context();
    struct heed_weight *weights[TINY_MAX_TENSORS];
    for (size_t i = first; i < end; i++)
        assert_int_equal(heed_weight_create(context, model->tensors[i].name,
                                            &model->tensors[i].desc, model->tensors[i].data, NULL,
                                            NULL, &weights[i - first]),
                         HEED_OK);
    assert_int_equal(heedi_safetensors_write(context, path, weights, end - first), HEED_OK);
    for (size_t i = first; i < end; i++)
        heed_weight_release(weights[i - first]);
    heed_context_destroy(context);
}

static inline void tiny_write_sharded(struct tiny_model *model, const struct folder *folder) {
    static struct buffer index;
    const size_t half = model->count / 2;
    tiny_write_safetensors(model, path_in(folder, "part-1.safetensors").text, 0, half);
    tiny_write_safetensors(model, path_in(folder, "part-2.safetensors").text, half, model->count);
    index.bytes = 0;
    put_text(&index, "{\"metadata\": {}, \"weight_map\": {");
    for (size_t i = 0; i < model->count; i++) {
        char line[192];
        (void)snprintf(line, sizeof line, "%s\"%s\": \"part-%d.safetensors\"", i ? ", " : "",
                       model->tensors[i].name, i < half ? 1 : 2);
        put_text(&index, line);
    }
    put_text(&index, "}}");
    write_file(path_in(folder, "model.safetensors.index.json").text, index.data, index.bytes);
}

static inline void tiny_write_torch(const struct tiny_model *model, const struct folder *folder) {
    static struct buffer pickle, file, data;
    static struct pickled_tensor tensors[TINY_MAX_TENSORS];
    static char keys[TINY_MAX_TENSORS][24];
    struct zip_writer *zip = calloc(1, sizeof *zip);
    assert_non_null(zip);
    for (size_t i = 0; i < model->count; i++) {
        const struct heed_tensor_desc *desc = &model->tensors[i].desc;
        (void)snprintf(keys[i], sizeof keys[i], "%zu", i);
        tensors[i] = (struct pickled_tensor){.name = model->tensors[i].name,
                                             .class_name = "FloatStorage",
                                             .key = keys[i],
                                             .storage_elems = heed_desc_elems(desc),
                                             .rank = desc->rank};
        for (uint32_t d = 0; d < desc->rank; d++) {
            tensors[i].sizes[d] = desc->dims[d];
            tensors[i].strides[d] = desc->strides[d];
        }
    }
    pickle_state_dict(&pickle, tensors, model->count);
    zip_begin(zip, &file, NULL);
    zip_add(zip, "archive/data.pkl", pickle.data, pickle.bytes);
    for (size_t i = 0; i < model->count; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "archive/data/%zu", i);
        data.bytes = 0;
        for (int64_t k = 0; k < tensors[i].storage_elems; k++)
            put_f32(&data, model->tensors[i].data[k]);
        zip_add(zip, name, data.data, data.bytes);
    }
    zip_add(zip, "archive/version", "3\n", 2);
    zip_end(zip);
    free(zip);
    write_file(path_in(folder, "pytorch_model.bin").text, file.data, file.bytes);
}

/* ---- tokenizer ---- */

/* One entry of a SentencePiece model (sentencepiece_model.proto): field 1 of ModelProto, with
 * piece, score and type as its fields 1, 2, 3. */
static inline void tiny_spm_piece(struct buffer *spm, const char *piece, float score,
                                  unsigned type) {
    put_u8(spm, 0x0a);
    put_u8(spm, (unsigned)strlen(piece) + 9);
    put_u8(spm, 0x0a);
    put_u8(spm, (unsigned)strlen(piece));
    put_text(spm, piece);
    put_u8(spm, 0x15);
    put_f32(spm, score);
    put_u8(spm, 0x18);
    put_u8(spm, type);
}

static inline void tiny_write_spm(const char *path) {
    static struct buffer spm;
    enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3 };
    spm.bytes = 0;
    tiny_spm_piece(&spm, "<unk>", 0, UNKNOWN);
    tiny_spm_piece(&spm, "<s>", 0, CONTROL);
    tiny_spm_piece(&spm, "</s>", 0, CONTROL);
    for (int i = 0; i < TINY_LETTERS; i++) {
        char piece[8];
        (void)snprintf(piece, sizeof piece, TINY_SPACE "%c", 'a' + i);
        tiny_spm_piece(&spm, piece, -1.0f, NORMAL);
        tiny_spm_piece(&spm, piece + 3, -2.0f, NORMAL);
    }
    tiny_spm_piece(&spm, TINY_SPACE, -3.0f, NORMAL);
    write_file(path, spm.data, spm.bytes);
}

static inline void tiny_write_vocabulary(const char *path) {
    static struct buffer json;
    char line[64];
    json.bytes = 0;
    put_text(&json, "{\"</s>\": 0, \"<unk>\": 1, \">>xx<<\": 2");
    for (int i = 0; i < TINY_LETTERS; i++) {
        (void)snprintf(line, sizeof line, ", \"" TINY_SPACE "%c\": %d, \"%c\": %d", 'a' + i,
                       TINY_FIRST + 2 * i, 'a' + i, TINY_FIRST + 2 * i + 1);
        put_text(&json, line);
    }
    (void)snprintf(line, sizeof line, ", \"" TINY_SPACE "\": %d, \"<pad>\": %d}", TINY_PAD - 1,
                   TINY_PAD);
    put_text(&json, line);
    write_file(path, json.data, json.bytes);
}

/* config.json; `extra` ("" or ", \"field\": value") comes last, and so wins nothing: it must name
 * other fields. */
static inline void tiny_write_config(const char *path, const char *extra) {
    char json[2048];
    const int bytes = snprintf(
        json, sizeof json,
        "{\"architectures\": [\"MarianMTModel\"], \"model_type\": \"marian\", \"d_model\": %d, "
        "\"encoder_layers\": %d, \"decoder_layers\": %d, \"encoder_attention_heads\": 2, "
        "\"decoder_attention_heads\": 2, \"encoder_ffn_dim\": %d, \"decoder_ffn_dim\": %d, "
        "\"vocab_size\": %d, \"max_position_embeddings\": %d, \"activation_function\": \"swish\", "
        "\"scale_embedding\": true, \"pad_token_id\": %d, \"eos_token_id\": %d, "
        "\"decoder_start_token_id\": %d, \"bad_words_ids\": [[%d]]%s}",
        TINY_WIDTH, TINY_LAYERS, TINY_LAYERS, TINY_INNER, TINY_INNER, TINY_VOCABULARY,
        TINY_POSITIONS, TINY_PAD, TINY_EOS, TINY_PAD, TINY_PAD, extra);
    assert_true(bytes > 0 && (size_t)bytes < sizeof json);
    write_file(path, json, (size_t)bytes);
}

/* Everything but the weights. */
static inline void tiny_write_rest(const struct folder *folder) {
    tiny_write_config(path_in(folder, "config.json").text, "");
    tiny_write_vocabulary(path_in(folder, "vocab.json").text);
    tiny_write_spm(path_in(folder, "source.spm").text);
    tiny_write_spm(path_in(folder, "target.spm").text);
}

/* A folder with a whole model in a single safetensors file. */
static inline struct folder tiny_folder(struct tiny_model *model) {
    const struct folder folder = new_folder();
    tiny_make(model);
    tiny_write_rest(&folder);
    tiny_write_safetensors(model, path_in(&folder, "model.safetensors").text, 0, model->count);
    return folder;
}

static inline void tiny_remove(const struct folder *folder) {
    static const char *const names[] = {"config.json",        "generation_config.json",
                                        "vocab.json",         "target_vocab.json",
                                        "source.spm",         "target.spm",
                                        "model.safetensors",  "part-1.safetensors",
                                        "part-2.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin",  "model.gguf",
                                        "second.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unlink(path_in(folder, names[i]).text);
    assert_int_equal(rmdir(folder->path), 0);
}

/* ---- running ---- */

static inline struct heed_model *tiny_open(struct heed_context *context, const char *path) {
    struct heed_model *model = NULL;
    if (heed_model_open(context, path, &model) != HEED_OK)
        fail_msg("refused: %s", heed_last_error(context));
    return model;
}

static inline struct heed_translator *
tiny_translator(struct heed_context *context, struct heed_model *model, uint32_t max_length) {
    const struct heed_translator_options options = {.struct_size = sizeof options,
                                                    .backends = "scalar",
                                                    .threads = 1,
                                                    .max_length = max_length};
    struct heed_translator *translator = NULL;
    if (heed_translator_create(context, model, &options, &translator) != HEED_OK)
        fail_msg("no translator: %s", heed_last_error(context));
    return translator;
}

#endif
