/* SPDX-License-Identifier: Apache-2.0 */
/* Writer of GGUF files, version 3; the layout is described in gguf.c. */
#include <stdlib.h>
#include <string.h>

#include "runtime/io/bytes.h"
#include "runtime/io/gguf.h"
#include "runtime/io/quantize.h"

enum {
    /* Of tensors in the file: what vector units and buffer imports like, and so also in memory,
     * since the file is mapped. */
    ALIGNMENT = 64,
    /* ggml refuses names of 64 bytes and more. */
    MAX_NAME_BYTES = 63,
    MAX_KEY_BYTES = 65535
};

/* A metadata entry: scalars are kept here, the rest is borrowed. */
struct meta {
    const char *key;
    enum heedi_meta_type type; /* of the value, or of the elements */
    bool is_array;
    unsigned char scalar[8]; /* as in the file */
    const void *data;        /* string, or array of scalars in host order */
    const struct heedi_slice *strings;
    size_t count; /* bytes of a string, elements of an array */
};

struct tensor {
    const char *name;
    char *own_name; /* what `name` is, where it was made here */
    struct heed_tensor_desc desc;
    const void *data;
    enum heed_dtype type; /* in the file */
    bool quantized;       /* desc and data are of the matrix, this tensor is made of it: */
    bool scales;          /* its rows' scales */
    uint64_t offset;
};

struct heedi_gguf_writer {
    struct heed_context *context;
    struct meta *metas;
    size_t meta_count, meta_capacity;
    struct tensor *tensors;
    size_t tensor_count, tensor_capacity;
    enum heed_status status;
    char message[512]; /* the first failure's, as other calls may use the context in between */
};

enum heed_status heedi_gguf_writer_create(struct heed_context *context,
                                          struct heedi_gguf_writer **writer) {
    *writer = heedi_calloc(&context->env, 1, sizeof **writer);
    if (*writer == NULL)
        return heedi_fail_memory(context, "a GGUF writer", sizeof **writer);
    (*writer)->context = context;
    return HEED_OK;
}

void heedi_gguf_writer_destroy(struct heedi_gguf_writer *writer) {
    if (writer == NULL)
        return;
    const struct heedi_env *env = &writer->context->env;
    for (size_t i = 0; i < writer->tensor_count; i++)
        heedi_free(env, writer->tensors[i].own_name);
    heedi_free(env, writer->metas);
    heedi_free(env, writer->tensors);
    heedi_free(env, writer);
}

/* ---- collecting ---- */

static void fail(struct heedi_gguf_writer *writer, enum heed_status status, const char *what,
                 const char *name, const char *complaint) {
    if (writer->status != HEED_OK)
        return;
    writer->status = status;
    (void)snprintf(writer->message, sizeof writer->message, "GGUF %s '%.200s' %s", what, name,
                   complaint);
}

/* Room for one more entry; false (and a recorded failure) if there is none. */
static bool reserve(struct heedi_gguf_writer *writer, void **array, size_t count, size_t *capacity,
                    size_t size, const char *name) {
    if (count < *capacity)
        return true;
    const size_t wanted = *capacity == 0 ? 32 : *capacity * 2;
    void *grown = heedi_grow(&writer->context->env, *array, count, wanted, size);
    if (grown == NULL) {
        fail(writer, HEED_ERROR_OUT_OF_MEMORY, "entry", name, "cannot be added: out of memory");
        return false;
    }
    *array = grown;
    *capacity = wanted;
    return true;
}

static void put_meta(struct heedi_gguf_writer *writer, const struct meta *meta) {
    if (writer->status != HEED_OK)
        return;
    if (meta->key[0] == '\0' || strlen(meta->key) > MAX_KEY_BYTES) {
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "key", meta->key, "must have 1 to 65535 bytes");
    } else if (strcmp(meta->key, HEEDI_GGUF_ALIGNMENT_KEY) == 0) {
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "key", meta->key, "is set by the writer");
    } else {
        void *array = writer->metas;
        if (reserve(writer, &array, writer->meta_count, &writer->meta_capacity, sizeof *meta,
                    meta->key)) {
            writer->metas = array;
            writer->metas[writer->meta_count++] = *meta;
        }
    }
}

void heedi_gguf_put_u32(struct heedi_gguf_writer *writer, const char *key, uint32_t value) {
    struct meta meta = {.key = key, .type = HEEDI_META_U32};
    heedi_store_u32(meta.scalar, value);
    put_meta(writer, &meta);
}

void heedi_gguf_put_f32(struct heedi_gguf_writer *writer, const char *key, float value) {
    struct meta meta = {.key = key, .type = HEEDI_META_F32};
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    heedi_store_u32(meta.scalar, bits);
    put_meta(writer, &meta);
}

void heedi_gguf_put_bool(struct heedi_gguf_writer *writer, const char *key, bool value) {
    struct meta meta = {.key = key, .type = HEEDI_META_BOOL};
    meta.scalar[0] = value ? 1 : 0;
    put_meta(writer, &meta);
}

void heedi_gguf_put_string(struct heedi_gguf_writer *writer, const char *key, const char *value) {
    const struct meta meta = {
        .key = key, .type = HEEDI_META_STRING, .data = value, .count = strlen(value)};
    put_meta(writer, &meta);
}

void heedi_gguf_put_strings(struct heedi_gguf_writer *writer, const char *key,
                            const struct heedi_slice *values, size_t count) {
    const struct meta meta = {
        .key = key, .type = HEEDI_META_STRING, .is_array = true, .strings = values, .count = count};
    put_meta(writer, &meta);
}

void heedi_gguf_put_i32s(struct heedi_gguf_writer *writer, const char *key, const int32_t *values,
                         size_t count) {
    const struct meta meta = {
        .key = key, .type = HEEDI_META_I32, .is_array = true, .data = values, .count = count};
    put_meta(writer, &meta);
}

void heedi_gguf_put_bytes(struct heedi_gguf_writer *writer, const char *key, const void *data,
                          size_t bytes) {
    const struct meta meta = {
        .key = key, .type = HEEDI_META_U8, .is_array = true, .data = data, .count = bytes};
    put_meta(writer, &meta);
}

/* Takes tensor->own_name. */
static void put_tensor(struct heedi_gguf_writer *writer, const struct tensor *tensor) {
    void *array = writer->tensors;
    if (writer->status == HEED_OK &&
        (tensor->name[0] == '\0' || strlen(tensor->name) > MAX_NAME_BYTES))
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "tensor", tensor->name,
             "must have a name of 1 to 63 bytes");
    if (writer->status == HEED_OK && !heed_desc_contiguous(&tensor->desc))
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "tensor", tensor->name, "is not contiguous");
    if (writer->status == HEED_OK &&
        reserve(writer, &array, writer->tensor_count, &writer->tensor_capacity,
                sizeof *writer->tensors, tensor->name)) {
        writer->tensors = array;
        writer->tensors[writer->tensor_count++] = *tensor;
        return;
    }
    heedi_free(&writer->context->env, tensor->own_name);
}

void heedi_gguf_put_tensor(struct heedi_gguf_writer *writer, const char *name,
                           const struct heed_tensor_desc *desc, const void *data,
                           enum heed_dtype type) {
    const struct tensor tensor = {.name = name, .desc = *desc, .data = data, .type = type};
    if (!heedi_output_can_convert(desc->dtype, type))
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "tensor", name,
             "cannot be converted: only f32, f16 and bf16 change into each other");
    put_tensor(writer, &tensor);
}

/* Adds a tensor under its name with the suffix of scales. */
static void put_scales(struct heedi_gguf_writer *writer, struct tensor *tensor) {
    if (writer->status != HEED_OK)
        return;
    tensor->own_name = heedi_asprintf(&writer->context->env, "%s" HEEDI_SCALE_SUFFIX, tensor->name);
    if (tensor->own_name == NULL) {
        fail(writer, HEED_ERROR_OUT_OF_MEMORY, "tensor", tensor->name,
             "cannot be added: out of memory");
        return;
    }
    tensor->name = tensor->own_name;
    put_tensor(writer, tensor);
}

void heedi_gguf_put_quantized(struct heedi_gguf_writer *writer, const char *name,
                              const struct heed_tensor_desc *desc, const void *data,
                              enum heed_dtype type) {
    struct tensor tensor = {
        .name = name, .desc = *desc, .data = data, .type = type, .quantized = true};
    if (desc->rank != 2 || !heedi_output_can_convert(desc->dtype, HEED_F32) ||
        (type != HEED_I8 && type != HEED_Q8_0))
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "tensor", name,
             "cannot be quantised: only float matrices are, to i8 or q8_0");
    else if (desc->dims[1] % heed_dtype_values(type) != 0)
        fail(writer, HEED_ERROR_UNSUPPORTED, "tensor", name,
             "cannot be quantised to q8_0: its rows are not whole blocks of 32");
    put_tensor(writer, &tensor);
    tensor.type = HEED_F32;
    tensor.scales = true;
    if (type == HEED_I8)
        put_scales(writer, &tensor);
}

void heedi_gguf_put_scales(struct heedi_gguf_writer *writer, const char *name,
                           const struct heed_tensor_desc *desc, const void *data) {
    struct tensor tensor = {.name = name, .desc = *desc, .data = data, .type = HEED_F32};
    put_scales(writer, &tensor);
}

/* ---- writing ---- */

static int compare_strings(const void *a, const void *b) {
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

/* Records the failure if two names are equal. `names` is sorted on return. */
static void refuse_duplicates(struct heedi_gguf_writer *writer, const char **names, size_t count,
                              const char *what) {
    if (count > 0)
        qsort(names, count, sizeof *names, compare_strings);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            fail(writer, HEED_ERROR_INVALID_ARGUMENT, what, names[i], "was given twice");
}

static void check_names(struct heedi_gguf_writer *writer) {
    const struct heedi_env *env = &writer->context->env;
    const size_t most =
        writer->meta_count > writer->tensor_count ? writer->meta_count : writer->tensor_count;
    const char **names = heedi_calloc(env, most, sizeof(const char *));
    if (names == NULL) {
        fail(writer, HEED_ERROR_OUT_OF_MEMORY, "list of", "names", "cannot be made: out of memory");
        return;
    }
    for (size_t i = 0; i < writer->meta_count; i++)
        names[i] = writer->metas[i].key;
    refuse_duplicates(writer, names, writer->meta_count, "key");
    for (size_t i = 0; i < writer->tensor_count; i++)
        names[i] = writer->tensors[i].name;
    refuse_duplicates(writer, names, writer->tensor_count, "tensor");
    heedi_free(env, names);
}

static void write_string(struct heedi_output *output, const char *data, size_t bytes) {
    heedi_output_u64(output, bytes);
    heedi_output_write(output, data, bytes);
}

static void write_meta(struct heedi_output *output, const struct meta *meta) {
    write_string(output, meta->key, strlen(meta->key));
    if (meta->is_array) {
        heedi_output_u32(output, HEEDI_META_ARRAY);
        heedi_output_u32(output, (uint32_t)meta->type);
        heedi_output_u64(output, meta->count);
    } else {
        heedi_output_u32(output, (uint32_t)meta->type);
    }
    if (!meta->is_array && meta->type == HEEDI_META_STRING) {
        write_string(output, meta->data, meta->count);
    } else if (!meta->is_array) {
        heedi_output_write(output, meta->scalar, heedi_gguf_scalar_bytes((uint32_t)meta->type));
    } else if (meta->type == HEEDI_META_STRING) {
        for (size_t i = 0; i < meta->count; i++)
            write_string(output, meta->strings[i].data, meta->strings[i].bytes);
    } else if (meta->type == HEEDI_META_I32) {
        for (size_t i = 0; i < meta->count; i++)
            heedi_output_u32(output, (uint32_t)((const int32_t *)meta->data)[i]);
    } else {
        heedi_output_write(output, meta->data, meta->count);
    }
}

static uint32_t type_number(enum heed_dtype dtype) {
#define TYPE_NUMBER(number, name, elems, bytes, type)                                              \
    if ((type) != HEED_DTYPE_NONE && dtype == (type))                                              \
        return number;
    HEEDI_GGUF_TYPE_LIST(TYPE_NUMBER)
#undef TYPE_NUMBER
    return UINT32_MAX;
}

/* The tensor as the file has it; dims count values, not blocks. */
static struct heed_tensor_desc desc_in_file(const struct tensor *tensor) {
    struct heed_tensor_desc desc = tensor->desc;
    desc.dtype = tensor->type;
    if (tensor->scales)
        desc.rank = 1;
    else if (!tensor->quantized && desc.rank > 0)
        desc.dims[desc.rank - 1] *= heed_dtype_values(desc.dtype);
    return desc;
}

static uint64_t bytes_in_file(const struct tensor *tensor) {
    const struct heed_tensor_desc desc = desc_in_file(tensor);
    return (uint64_t)(heed_desc_elems(&desc) / heed_dtype_values(desc.dtype)) *
           heed_dtype_bytes(desc.dtype);
}

static void write_info(struct heedi_output *output, const struct tensor *tensor) {
    const struct heed_tensor_desc desc = desc_in_file(tensor);
    write_string(output, tensor->name, strlen(tensor->name));
    heedi_output_u32(output, desc.rank);
    for (uint32_t i = desc.rank; i-- > 0;)
        heedi_output_u64(output, (uint64_t)desc.dims[i]);
    heedi_output_u32(output, type_number(desc.dtype));
    heedi_output_u64(output, tensor->offset);
}

static void write_data(struct heedi_output *output, const struct tensor *tensor) {
    const struct heed_tensor_desc *desc = &tensor->desc;
    const struct heedi_float_matrix matrix = {tensor->name, tensor->data, desc->dtype,
                                              desc->dims[0], desc->dims[1]};
    if (tensor->scales)
        heedi_output_i8_scales(output, &matrix);
    else if (tensor->quantized && tensor->type == HEED_I8)
        heedi_output_i8_values(output, &matrix);
    else if (tensor->quantized)
        heedi_output_q8_0(output, &matrix);
    else
        heedi_output_elements(output, tensor->data, (size_t)heed_desc_elems(desc), desc->dtype,
                              tensor->type);
}

static void write_file(struct heedi_output *output, struct heedi_gguf_writer *writer) {
    heedi_output_write(output, HEEDI_GGUF_MAGIC, 4);
    heedi_output_u32(output, HEEDI_GGUF_VERSION);
    heedi_output_u64(output, writer->tensor_count);
    heedi_output_u64(output, writer->meta_count + 1);
    struct meta alignment = {.key = HEEDI_GGUF_ALIGNMENT_KEY, .type = HEEDI_META_U32};
    heedi_store_u32(alignment.scalar, ALIGNMENT);
    write_meta(output, &alignment);
    for (size_t i = 0; i < writer->meta_count; i++)
        write_meta(output, &writer->metas[i]);

    uint64_t offset = 0;
    for (size_t i = 0; i < writer->tensor_count; i++) {
        struct tensor *tensor = &writer->tensors[i];
        tensor->offset = offset;
        offset += bytes_in_file(tensor);
        offset = (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        write_info(output, tensor);
    }
    for (size_t i = 0; i < writer->tensor_count; i++) {
        heedi_output_pad(output, ALIGNMENT);
        write_data(output, &writer->tensors[i]);
    }
    heedi_output_pad(output, ALIGNMENT);
}

enum heed_status heedi_gguf_write(struct heedi_gguf_writer *writer, const char *path) {
    check_names(writer);
    if (writer->status != HEED_OK)
        return heedi_fail(writer->context, writer->status, "%s: %s", path, writer->message);
    struct heedi_output output;
    heedi_output_open(&output, writer->context, path);
    write_file(&output, writer);
    return heedi_output_finish(&output);
}
