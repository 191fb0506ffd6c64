/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, sharing and closing models. */
#include "models/model.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/os.h"

enum heed_status heedi_read_options(struct heed_context *context, const char *what,
                                    const void *options, void *copy, size_t size) {
    uint32_t given = 0;
    memset(copy, 0, size);
    if (!options)
        return HEED_OK;
    memcpy(&given, options, sizeof given);
    if (given < sizeof given)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "%s: struct_size is %u, expected the size of the struct", what, given);
    for (size_t i = size; i < given; i++)
        if (((const unsigned char *)options)[i] != 0)
            return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                              "%s: a field at byte %zu is set that this version (%zu bytes) does "
                              "not know",
                              what, i, size);
    memcpy(copy, options, given < size ? given : size);
    return HEED_OK;
}

const char *heedi_program_prefix(struct heedi_program_prefix *prefix,
                                 const struct heed_model *model) {
    snprintf(prefix->text, sizeof prefix->text, "model %llu/", (unsigned long long)model->id);
    return prefix->text;
}

enum heed_status heedi_model_note_executor(struct heed_context *context, struct heed_model *model,
                                           struct heed_executor *executor) {
    enum heed_status status = HEED_OK;
    heedi_os_lock(model->lock);
    bool known = false;
    for (size_t i = 0; i < model->executor_count; i++)
        known = known || model->executors[i] == executor;
    if (!known) {
        const size_t count = model->executor_count;
        struct heed_executor **grown = heedi_grow(&model->env, model->executors, count, count + 1,
                                                  sizeof(struct heed_executor *));
        if (grown) {
            model->executors = grown;
            model->executors[model->executor_count++] = heed_executor_retain(executor);
        } else {
            status = heedi_fail_memory(context, "executors", sizeof(struct heed_executor *));
        }
    }
    heedi_os_unlock(model->lock);
    return status;
}

static void forget_programs(struct heed_model *model) {
    struct heedi_program_prefix prefix;
    for (size_t i = 0; i < model->executor_count; i++) {
        heed_executor_forget(model->executors[i], heedi_program_prefix(&prefix, model));
        heed_executor_release(model->executors[i]);
    }
    if (model->executors)
        heedi_free(&model->env, model->executors);
}

static void destroy(struct heed_model *model) {
    const struct heedi_env env = model->env;
    forget_programs(model);
    if (model->lock)
        heedi_os_mutex_destroy(&env, model->lock);
    if (model->network)
        model->network->destroy(model);
    heedi_tokenizer_clear(&model->tokenizer);
    heedi_weights_close(model->weights);
    if (model->path)
        heedi_free(&env, model->path);
    heedi_free(&env, model);
}

/* Opening what is not there says why it is not: missing, or out of reach. */
static enum heed_status fail_unreachable(struct heed_context *context, const char *path) {
    struct heed_error error = {.struct_size = sizeof error};
    struct heedi_mapping mapping;
    if (!heedi_os_map(path, &mapping, &error)) {
        const size_t length = strlen(path); /* the reason begins with the path, too */
        const bool named = strncmp(error.message, path, length) == 0;
        return heedi_fail(context, HEED_ERROR_NOT_FOUND, "%s: no such model%s", path,
                          named ? error.message + length : "");
    }
    heedi_os_unmap(&mapping);
    return heedi_fail(context, HEED_ERROR_IO, "%s: cannot be examined", path);
}

static enum heed_status open_at(struct heed_context *context, struct heed_model *model) {
    switch (heedi_os_file_kind(model->path)) {
    case HEEDI_FILE_DIRECTORY:
        return heedi_marian_open_directory(context, model);
    case HEEDI_FILE_NONE:
        return fail_unreachable(context, model->path);
    case HEEDI_FILE_REGULAR:
        return heedi_marian_open_package(context, model);
    case HEEDI_FILE_OTHER:
        break;
    }
    return heedi_fail(context, HEED_ERROR_FORMAT, "%s: expected a model's directory or a GGUF file",
                      model->path);
}

enum heed_status heed_model_open(struct heed_context *context, const char *path,
                                 struct heed_model **result) {
    enum heed_status status = HEED_OK;
    *result = NULL;
    struct heed_model *model = heedi_calloc(&context->env, 1, sizeof *model);
    if (!model)
        return heedi_fail_memory(context, "a model", sizeof *model);
    model->env = context->env;
    model->id = heedi_unique_id();
    heedi_ref_init(&model->references);
    model->lock = heedi_os_mutex_create(&context->env);
    if (!model->lock)
        status = heedi_fail_memory(context, "a model", sizeof *model);
    else if (!path)
        status = heedi_default_model_path(context, &model->path);
    else if (!(model->path = heedi_strdup(&context->env, path)))
        status = heedi_fail_memory(context, "a path", strlen(path));
    if (status == HEED_OK)
        status = open_at(context, model);
    if (status != HEED_OK) {
        destroy(model);
        return status;
    }
    *result = model;
    return HEED_OK;
}

struct heed_model *heed_model_retain(struct heed_model *model) {
    heedi_ref_retain(&model->references);
    return model;
}

void heed_model_close(struct heed_model *model) {
    if (model && heedi_ref_release(&model->references))
        destroy(model);
}
