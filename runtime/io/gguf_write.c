/* SPDX-License-Identifier: Apache-2.0 */
/* Writer of GGUF files, version 3; the layout is described in gguf.c. */
#include <stdlib.h>
#include <string.h>

#include "runtime/io/bytes.h"
#include "runtime/io/gguf.h"
#include "runtime/io/output.h"

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
    struct heed_tensor_desc desc;
    const void *data;
    enum heed_dtype type; /* in the file */
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

void heedi_gguf_put_tensor(struct heedi_gguf_writer *writer, const char *name,
                           const struct heed_tensor_desc *desc, const void *data,
                           enum heed_dtype type) {
    if (writer->status != HEED_OK)
        return;
    if (name[0] == '\0' || strlen(name) > MAX_NAME_BYTES) {
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "tensor", name,
             "must have a name of 1 to 63 bytes");
    } else if (!heed_desc_contiguous(desc)) {
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "tensor", name, "is not contiguous");
    } else if (!heedi_output_can_convert(desc->dtype, type)) {
        fail(writer, HEED_ERROR_INVALID_ARGUMENT, "tensor", name,
             "cannot be converted: only f32, f16 and bf16 change into each other");
    } else {
        void *array = writer->tensors;
        if (reserve(writer, &array, writer->tensor_count, &writer->tensor_capacity,
                    sizeof *writer->tensors, name)) {
            writer->tensors = array;
            writer->tensors[writer->tensor_count++] = (struct tensor){name, *desc, data, type, 0};
        }
    }
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

static void write_info(struct heedi_output *output, const struct tensor *tensor) {
    write_string(output, tensor->name, strlen(tensor->name));
    heedi_output_u32(output, tensor->desc.rank);
    for (uint32_t i = tensor->desc.rank; i-- > 0;)
        heedi_output_u64(output, (uint64_t)tensor->desc.dims[i]);
    heedi_output_u32(output, type_number(tensor->type));
    heedi_output_u64(output, tensor->offset);
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
        offset += (uint64_t)heed_desc_elems(&tensor->desc) * heed_dtype_bytes(tensor->type);
        offset = (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        write_info(output, tensor);
    }
    for (size_t i = 0; i < writer->tensor_count; i++) {
        const struct tensor *tensor = &writer->tensors[i];
        heedi_output_pad(output, ALIGNMENT);
        heedi_output_elements(output, tensor->data, (size_t)heed_desc_elems(&tensor->desc),
                              tensor->desc.dtype, tensor->type);
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
