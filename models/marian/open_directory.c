/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a Marian model as Hugging Face's hub holds it: a directory with config.json, the weights in
 * one of three forms, source.spm, target.spm and vocab.json. */
#include <string.h>

#include "models/files.h"
#include "models/marian/marian.h"

/* The files looked for, by what they are. */
enum { CONFIG, GENERATION, SOURCE_SPM, TARGET_SPM, VOCABULARY, TARGET_VOCABULARY, FILES };

struct directory {
    struct heed_context *context;
    struct heed_model *model;
    char *paths[FILES];
    bool present[FILES];
};

static enum heed_status make_paths(struct directory *directory) {
    static const char *const names[FILES] = {"config.json", "generation_config.json",
                                             "source.spm",  "target.spm",
                                             "vocab.json",  "target_vocab.json"};
    for (int i = 0; i < FILES; i++) {
        char *path =
            heedi_asprintf(&directory->context->env, "%s/%s", directory->model->path, names[i]);
        if (!path)
            return heedi_fail_memory(directory->context, "a path", strlen(directory->model->path));
        directory->paths[i] = path;
        directory->present[i] = heedi_os_file_kind(path) != HEEDI_FILE_NONE;
    }
    return HEED_OK;
}

static enum heed_status read_config(struct directory *directory,
                                    struct heedi_marian_config *config) {
    struct heedi_mapping json = {NULL, 0}, generation = {NULL, 0};
    enum heed_status status = heedi_map_file(directory->context, directory->paths[CONFIG], &json);
    if (status == HEED_OK && directory->present[GENERATION])
        status = heedi_map_file(directory->context, directory->paths[GENERATION], &generation);
    if (status == HEED_OK) {
        const struct heedi_slice extra = heedi_mapping_slice(&generation);
        status = heedi_marian_config_parse(directory->context, directory->paths[CONFIG],
                                           heedi_mapping_slice(&json), directory->paths[GENERATION],
                                           directory->present[GENERATION] ? &extra : NULL, config);
    }
    heedi_os_unmap(&json);
    heedi_os_unmap(&generation);
    return status;
}

static enum heed_status open_weights(struct directory *directory) {
    static const struct {
        const char *name;
        enum heed_status (*open)(struct heed_context *, const char *, struct heedi_weights **);
    } forms[] = {{"model.safetensors", heedi_safetensors_open},
                 {"model.safetensors.index.json", heedi_safetensors_open_sharded},
                 {"pytorch_model.bin", heedi_torch_open}};
    struct heed_context *context = directory->context;
    struct heed_model *model = directory->model;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *path = heedi_asprintf(&context->env, "%s/%s", model->path, forms[i].name);
        if (!path)
            return heedi_fail_memory(context, "a path", strlen(model->path));
        const bool found = heedi_os_file_kind(path) != HEEDI_FILE_NONE;
        enum heed_status status = HEED_OK;
        if (found)
            status = forms[i].open(context, path, &model->weights);
        heedi_free(&context->env, path);
        if (found)
            return status;
    }
    return heedi_fail(context, HEED_ERROR_NOT_FOUND,
                      "%s: no weights: expected model.safetensors, model.safetensors.index.json or "
                      "pytorch_model.bin",
                      model->path);
}

static enum heed_status read_vocabulary(struct heed_context *context, const char *path,
                                        struct heedi_vocabulary **vocabulary) {
    struct heedi_mapping json = {NULL, 0};
    enum heed_status status = heedi_map_file(context, path, &json);
    if (status == HEED_OK)
        status = heedi_vocabulary_parse(context, path, json.data, json.bytes, vocabulary);
    heedi_os_unmap(&json);
    return status;
}

/* The .spm files stay mapped: packaging the model copies them. */
static enum heed_status read_tokenizer(struct directory *directory) {
    struct heed_context *context = directory->context;
    struct heed_model *model = directory->model;
    struct heedi_marian *marian = heedi_marian_of(model);
    const bool separate = directory->present[TARGET_VOCABULARY];
    enum heed_status status =
        read_vocabulary(context, directory->paths[VOCABULARY], &model->tokenizer.source_vocabulary);
    if (status == HEED_OK && separate)
        status = read_vocabulary(context, directory->paths[TARGET_VOCABULARY],
                                 &model->tokenizer.target_vocabulary);
    for (int i = 0; status == HEED_OK && i < 2; i++)
        status = heedi_map_file(context, directory->paths[i ? TARGET_SPM : SOURCE_SPM],
                                &marian->spm_mapping[i]);
    if (status != HEED_OK)
        return status;
    marian->source_spm = heedi_mapping_slice(&marian->spm_mapping[0]);
    marian->target_spm = heedi_mapping_slice(&marian->spm_mapping[1]);
    const struct heedi_marian_origin origin = {
        directory->paths[CONFIG], directory->paths[SOURCE_SPM], directory->paths[TARGET_SPM],
        directory->paths[VOCABULARY], directory->paths[separate ? TARGET_VOCABULARY : VOCABULARY]};
    return heedi_marian_make_tokenizer(context, model, &origin);
}

enum heed_status heedi_marian_open_directory(struct heed_context *context,
                                             struct heed_model *model) {
    struct directory directory = {.context = context, .model = model};
    struct heedi_marian_config config;
    enum heed_status status = make_paths(&directory);
    if (status == HEED_OK && !directory.present[CONFIG])
        status = heedi_fail(context, HEED_ERROR_NOT_FOUND,
                            "%s: not a model's directory: it has no config.json", model->path);
    if (status == HEED_OK)
        status = read_config(&directory, &config);
    if (status == HEED_OK)
        status = heedi_marian_create(context, model, &config);
    if (status == HEED_OK)
        status = open_weights(&directory);
    if (status == HEED_OK)
        status = heedi_marian_bind_weights(context, model, directory.paths[CONFIG]);
    if (status == HEED_OK)
        status = read_tokenizer(&directory);
    for (int i = 0; i < FILES; i++)
        if (directory.paths[i])
            heedi_free(&context->env, directory.paths[i]);
    return status;
}
