/* SPDX-License-Identifier: Apache-2.0 */
/* Looking into models and writing them as one GGUF file. */
#include "heed/convert.h"

#include <string.h>

#include "models/model.h"
#include "runtime/base/weight.h"

/* general.file_type of GGUF files. */
#define FILE_TYPE_ALL_F32 0u
#define FILE_TYPE_MOSTLY_F16 1u
#define FILE_TYPE_MOSTLY_Q8_0 7u
/* Of the block formats, as files that hold one must say. */
#define QUANTIZATION_VERSION 2u

void heed_model_describe(const struct heed_model *model, heed_model_field_fn field,
                         heed_model_tensor_fn tensor, void *user) {
    if (field)
        model->network->describe(model, field, user);
    if (!tensor)
        return;
    for (size_t i = 0; i < heedi_weights_count(model->weights); i++) {
        const struct heed_weight *weight = heedi_weights_at(model->weights, i);
        tensor(user, weight->name, &weight->desc);
    }
}

/* The name that the file itself gives, else the last component of its path. */
static char *model_name(const struct heed_context *context, const struct heed_model *model) {
    const struct heedi_meta *meta = heedi_weights_meta(model->weights, "general.name");
    if (meta && meta->type == HEEDI_META_STRING && meta->value.string.bytes < 4096)
        return heedi_asprintf(&context->env, "%.*s", (int)meta->value.string.bytes,
                              meta->value.string.data);
    size_t end = strlen(model->path);
    while (end > 1 && model->path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && model->path[start - 1] != '/')
        start--;
    return heedi_asprintf(&context->env, "%.*s", (int)(end - start), model->path + start);
}

/* HEED_I8 or HEED_Q8_0 where a tensor is that, else HEED_DTYPE_NONE. */
static enum heed_dtype quantized_type(const struct heed_model *model) {
    for (size_t i = 0; i < heedi_weights_count(model->weights); i++) {
        const enum heed_dtype dtype = heedi_weights_at(model->weights, i)->desc.dtype;
        if (dtype == HEED_I8 || dtype == HEED_Q8_0)
            return dtype;
    }
    return HEED_DTYPE_NONE;
}

/* The format has no number for files of i8. */
static void put_file_type(struct heedi_gguf_writer *writer, enum heed_dtype type) {
    if (type != HEED_I8)
        heedi_gguf_put_u32(writer, "general.file_type",
                           type == HEED_F32    ? FILE_TYPE_ALL_F32
                           : type == HEED_Q8_0 ? FILE_TYPE_MOSTLY_Q8_0
                                               : FILE_TYPE_MOSTLY_F16);
    if (type == HEED_Q8_0)
        heedi_gguf_put_u32(writer, "general.quantization_version", QUANTIZATION_VERSION);
}

enum heed_status heed_model_convert(struct heed_context *context, const struct heed_model *model,
                                    const char *path, const struct heed_convert_options *given) {
    struct heed_convert_options options;
    struct heedi_gguf_writer *writer = NULL;
    char *name = NULL;
    enum heed_status status =
        heedi_read_options(context, "heed_convert_options", given, &options, sizeof options);
    if (status != HEED_OK)
        return status;
    const enum heed_dtype quantized = quantized_type(model);
    if (options.type == HEED_DTYPE_NONE)
        options.type = quantized != HEED_DTYPE_NONE ? quantized : HEED_F16;
    if (options.type != HEED_F32 && options.type != HEED_F16 && options.type != HEED_I8 &&
        options.type != HEED_Q8_0)
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                          "convert: expected type f32, f16, i8 or q8_0, found %s",
                          heed_dtype_name(options.type));
    if (quantized != HEED_DTYPE_NONE && options.type != quantized)
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                          "convert: %s is quantised to %s, and what that has lost does not come "
                          "back as %s: convert the model that it was made from",
                          model->path, heed_dtype_name(quantized), heed_dtype_name(options.type));
    name = model_name(context, model);
    if (!name) {
        status = heedi_fail_memory(context, "a model's name", strlen(model->path));
        goto done;
    }
    status = heedi_gguf_writer_create(context, &writer);
    if (status != HEED_OK)
        goto done;
    heedi_gguf_put_string(writer, "general.architecture", model->network->name);
    heedi_gguf_put_string(writer, "general.type", "model");
    heedi_gguf_put_string(writer, "general.name", name);
    put_file_type(writer, options.type);
    status = model->network->package(context, model, writer, options.type);
    if (status == HEED_OK)
        status = heedi_gguf_write(writer, path);
done:
    heedi_gguf_writer_destroy(writer);
    if (name)
        heedi_free(&context->env, name);
    return status;
}
