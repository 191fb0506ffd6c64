/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of GGUF files, version 3 and the identically laid out version 2.
 *
 * Layout, little-endian: "GGUF", u32 version, u64 tensors, u64 metadata entries; the entries (key,
 * u32 type, value); the tensors' descriptions (name, u32 rank, u64 dims[rank] innermost first, u32
 * type, u64 offset); padding to the alignment; the data that offsets count from. A string is a u64
 * length and its bytes; an array a u32 type, a u64 count and the elements. */
#include <stdlib.h>
#include <string.h>

#include "runtime/io/bytes.h"
#include "runtime/io/container.h"
#include "runtime/io/gguf.h"

enum {
    MIN_META_BYTES = 8 + 4 + 1,       /* empty key, type, one byte */
    MIN_TENSOR_BYTES = 8 + 4 + 4 + 8, /* empty name, rank 0, type, offset */
    MIN_ALIGNMENT = 8
};

static const struct tensor_type {
    uint32_t number;
    const char *name;
    int64_t block_elems, block_bytes;
    enum heed_dtype dtype;
} tensor_types[] = {
#define TENSOR_TYPE(number, name, elems, bytes, dtype) {number, name, elems, bytes, dtype},
    HEEDI_GGUF_TYPE_LIST(TENSOR_TYPE)
#undef TENSOR_TYPE
};

static const struct tensor_type *find_type(uint32_t number) {
    for (size_t i = 0; i < sizeof tensor_types / sizeof *tensor_types; i++)
        if (tensor_types[i].number == number)
            return &tensor_types[i];
    return NULL;
}

/* A tensor's description. */
struct info {
    struct heedi_slice name;
    uint32_t rank;
    const unsigned char *dims; /* rank * u64, innermost first */
    uint32_t type;
    uint64_t offset;
};

/* Bytes of the data that a tensor occupies. */
struct extent {
    uint64_t begin, end;
    const struct info *info;
};

struct reader {
    struct heed_context *context;
    struct heedi_weights *weights;
    struct heedi_source *source;
    size_t position;
    uint64_t alignment;
    uint64_t tensor_count, meta_count;
    struct info *infos;
    struct extent *extents;
    size_t extent_count;
};

/* ---- primitive values ---- */

static enum heed_status take(struct reader *reader, uint64_t bytes, const char *what,
                             const unsigned char **data) {
    const size_t left = reader->source->bytes - reader->position;
    if (bytes > left)
        return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                          "%s: truncated: %s at byte %zu takes %llu bytes, the file has %zu left",
                          reader->source->path, what, reader->position, (unsigned long long)bytes,
                          left);
    *data = reader->source->data + reader->position;
    reader->position += (size_t)bytes;
    return HEED_OK;
}

static enum heed_status take_u32(struct reader *reader, const char *what, uint32_t *value) {
    const unsigned char *data = NULL;
    const enum heed_status status = take(reader, 4, what, &data);
    if (status == HEED_OK)
        *value = heedi_load_u32(data);
    return status;
}

static enum heed_status take_u64(struct reader *reader, const char *what, uint64_t *value) {
    const unsigned char *data = NULL;
    const enum heed_status status = take(reader, 8, what, &data);
    if (status == HEED_OK)
        *value = heedi_load_u64(data);
    return status;
}

static enum heed_status take_string(struct reader *reader, const char *what,
                                    struct heedi_slice *string) {
    uint64_t length = 0;
    const unsigned char *data = NULL;
    enum heed_status status = take_u64(reader, what, &length);
    if (status == HEED_OK)
        status = take(reader, length, what, &data);
    if (status == HEED_OK)
        *string = (struct heedi_slice){(const char *)data, (size_t)length};
    return status;
}

/* Refuses counts that the rest of the file cannot hold, before anything is allocated for them. */
static enum heed_status check_count(const struct reader *reader, const char *what, uint64_t count,
                                    size_t min_bytes) {
    const size_t left = reader->source->bytes - reader->position;
    if (count <= left / min_bytes)
        return HEED_OK;
    return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                      "%s: %llu %s announced, the %zu bytes left hold at most %zu",
                      reader->source->path, (unsigned long long)count, what, left,
                      left / min_bytes);
}

/* ---- metadata ---- */

static enum heed_status key_error(const struct reader *reader, const struct heedi_meta *meta,
                                  const char *complaint, uint64_t actual) {
    return heedi_fail(reader->context, HEED_ERROR_FORMAT, "%s: metadata key '%.*s': %s (%llu)",
                      reader->source->path, HEEDI_PRINT_SLICE(meta->key), complaint,
                      (unsigned long long)actual);
}

static enum heed_status read_scalar(struct reader *reader, struct heedi_meta *meta) {
    const unsigned char *data = NULL;
    const enum heed_status status =
        take(reader, heedi_gguf_scalar_bytes(meta->type), "a metadata value", &data);
    if (status != HEED_OK)
        return status;
    float single;
    uint32_t bits;
    uint64_t wide;
    switch (meta->type) {
    case HEEDI_META_BOOL:
        if (data[0] > 1)
            return key_error(reader, meta, "a bool is neither 0 nor 1", data[0]);
        meta->value.u = data[0];
        break;
    case HEEDI_META_U8:
        meta->value.u = data[0];
        break;
    case HEEDI_META_I8:
        meta->value.i = data[0] < 128 ? data[0] : data[0] - 256;
        break;
    case HEEDI_META_U16:
        meta->value.u = heedi_load_u16(data);
        break;
    case HEEDI_META_I16:
        meta->value.i = (int16_t)heedi_load_u16(data);
        break;
    case HEEDI_META_U32:
        meta->value.u = heedi_load_u32(data);
        break;
    case HEEDI_META_I32:
        meta->value.i = (int32_t)heedi_load_u32(data);
        break;
    case HEEDI_META_U64:
        meta->value.u = heedi_load_u64(data);
        break;
    case HEEDI_META_I64:
        meta->value.i = (int64_t)heedi_load_u64(data);
        break;
    case HEEDI_META_F32:
        bits = heedi_load_u32(data);
        memcpy(&single, &bits, sizeof single);
        meta->value.f = (double)single;
        break;
    case HEEDI_META_F64:
        wide = heedi_load_u64(data);
        memcpy(&meta->value.f, &wide, sizeof wide);
        break;
    case HEEDI_META_STRING:
    case HEEDI_META_ARRAY:
        break;
    }
    return HEED_OK;
}

static enum heed_status read_array(struct reader *reader, struct heedi_meta *meta) {
    uint32_t type = 0;
    uint64_t count = 0;
    enum heed_status status = take_u32(reader, "an array's type", &type);
    if (status == HEED_OK)
        status = take_u64(reader, "an array's length", &count);
    if (status != HEED_OK)
        return status;
    if (type == HEEDI_META_ARRAY)
        return key_error(reader, meta, "arrays of arrays are not supported; element type", type);
    const size_t element = type == HEEDI_META_STRING ? 8 : heedi_gguf_scalar_bytes(type);
    if (element == 0)
        return key_error(reader, meta, "unknown type of array elements", type);
    status = check_count(reader, "array elements", count, element);
    if (status != HEED_OK)
        return status;
    meta->value.array.type = (enum heedi_meta_type)type;
    meta->value.array.count = count;
    if (type != HEEDI_META_STRING) {
        const unsigned char *data = NULL;
        status = take(reader, count * element, "an array", &data);
        meta->value.array.data = data;
        return status;
    }
    struct heedi_slice *strings =
        heedi_arena_alloc(&reader->weights->arena, (size_t)count, sizeof *strings);
    if (strings == NULL)
        return heedi_fail_memory(reader->context, reader->source->path,
                                 (size_t)count * sizeof *strings);
    for (uint64_t i = 0; i < count && status == HEED_OK; i++)
        status = take_string(reader, "a string", &strings[i]);
    meta->value.array.strings = strings;
    return status;
}

static enum heed_status read_alignment(struct reader *reader, const struct heedi_meta *meta) {
    if (meta->type != HEEDI_META_U32)
        return key_error(reader, meta, "expected type u32 (4), got type", (uint64_t)meta->type);
    const uint64_t alignment = meta->value.u;
    if (alignment < MIN_ALIGNMENT || (alignment & (alignment - 1)) != 0)
        return key_error(reader, meta, "expected a power of two of at least 8", alignment);
    reader->alignment = alignment;
    return HEED_OK;
}

static enum heed_status read_meta(struct reader *reader) {
    struct heedi_meta meta = {.key = {NULL, 0}};
    uint32_t type = 0;
    enum heed_status status = take_string(reader, "a metadata key", &meta.key);
    if (status == HEED_OK)
        status =
            heedi_weights_check_name(reader->context, reader->source, "metadata key", meta.key);
    if (status == HEED_OK)
        status = take_u32(reader, "the type of a metadata value", &type);
    if (status != HEED_OK)
        return status;
    if (type > HEEDI_META_F64)
        return key_error(reader, &meta, "unknown type of value", type);
    meta.type = (enum heedi_meta_type)type;
    if (meta.type == HEEDI_META_STRING)
        status = take_string(reader, "a string", &meta.value.string);
    else if (meta.type == HEEDI_META_ARRAY)
        status = read_array(reader, &meta);
    else
        status = read_scalar(reader, &meta);
    if (status == HEED_OK && meta.key.bytes == strlen(HEEDI_GGUF_ALIGNMENT_KEY) &&
        memcmp(meta.key.data, HEEDI_GGUF_ALIGNMENT_KEY, meta.key.bytes) == 0)
        status = read_alignment(reader, &meta);
    if (status == HEED_OK)
        status = heedi_weights_add_meta(reader->context, reader->weights, reader->source, &meta);
    return status;
}

/* ---- tensors ---- */

static enum heed_status read_info(struct reader *reader, struct info *info) {
    enum heed_status status = take_string(reader, "a tensor's name", &info->name);
    if (status == HEED_OK)
        status = heedi_weights_check_name(reader->context, reader->source, "tensor", info->name);
    if (status == HEED_OK)
        status = take_u32(reader, "a tensor's rank", &info->rank);
    if (status == HEED_OK)
        status = take(reader, (uint64_t)info->rank * 8, "a tensor's shape", &info->dims);
    if (status == HEED_OK)
        status = take_u32(reader, "a tensor's type", &info->type);
    if (status == HEED_OK)
        status = take_u64(reader, "a tensor's offset", &info->offset);
    return status;
}

/* Bytes of a tensor; false if its rows are not whole blocks or a product overflows. Strides must
 * fit as well, so that a dimension of 0 does not excuse the others. */
static bool tensor_bytes(const struct info *info, const struct tensor_type *type, int64_t *bytes) {
    int64_t elems = 1;
    bool empty = false;
    for (uint32_t i = 0; i < info->rank; i++) {
        const uint64_t dim = heedi_load_u64(info->dims + 8 * (size_t)i);
        empty = empty || dim == 0;
        if (dim > INT64_MAX || !heedi_mul_i64(elems, dim == 0 ? 1 : (int64_t)dim, &elems))
            return false;
    }
    const uint64_t row = info->rank == 0 ? 1 : heedi_load_u64(info->dims);
    if (row % (uint64_t)type->block_elems != 0 ||
        !heedi_mul_i64(elems / type->block_elems, type->block_bytes, bytes))
        return false;
    if (empty)
        *bytes = 0;
    return true;
}

static enum heed_status tensor_error(const struct reader *reader, const struct info *info,
                                     const char *complaint) {
    return heedi_fail(reader->context, HEED_ERROR_FORMAT, "%s: tensor '%.*s': %s",
                      reader->source->path, HEEDI_PRINT_SLICE(info->name), complaint);
}

/* Checks where a tensor lies and adds it. */
static enum heed_status add_tensor(struct reader *reader, const struct info *info,
                                   size_t data_start) {
    const size_t data_bytes = reader->source->bytes - data_start;
    if (info->offset % reader->alignment != 0)
        return tensor_error(reader, info, "its offset is not a multiple of the alignment");
    const struct tensor_type *type = find_type(info->type);
    if (type == NULL)
        return heedi_weights_add_unsupported(reader->context, reader->weights, reader->source,
                                             info->name, "its type, number %u, is unknown",
                                             info->type);
    int64_t bytes;
    if (!tensor_bytes(info, type, &bytes))
        return tensor_error(reader, info,
                            "its shape is not whole blocks of its type, or its size overflows");
    if (info->offset > data_bytes || (uint64_t)bytes > data_bytes - info->offset)
        return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                          "%s: tensor '%.*s' has %lld bytes at byte %llu of the data, which has "
                          "%zu bytes: the file is truncated or damaged",
                          reader->source->path, HEEDI_PRINT_SLICE(info->name), (long long)bytes,
                          (unsigned long long)info->offset, data_bytes);
    if (bytes > 0)
        reader->extents[reader->extent_count++] =
            (struct extent){info->offset, info->offset + (uint64_t)bytes, info};
    if (info->rank > HEED_MAX_RANK)
        return heedi_weights_add_unsupported(
            reader->context, reader->weights, reader->source, info->name,
            "it has %u dimensions, at most %d are supported", info->rank, HEED_MAX_RANK);
    if (type->dtype == HEED_DTYPE_NONE)
        return heedi_weights_add_unsupported(reader->context, reader->weights, reader->source,
                                             info->name, "its type %s is not supported",
                                             type->name);
    int64_t dims[HEED_MAX_RANK];
    for (uint32_t i = 0; i < info->rank; i++)
        dims[info->rank - 1 - i] = (int64_t)heedi_load_u64(info->dims + 8 * (size_t)i);
    if (info->rank > 0) /* whole blocks, as tensor_bytes() has found */
        dims[info->rank - 1] /= type->block_elems;
    const struct heed_tensor_desc desc = heed_desc(type->dtype, info->rank, dims);
    return heedi_weights_add(reader->context, reader->weights, reader->source, info->name, &desc,
                             reader->source->data + data_start + info->offset);
}

static int compare_extents(const void *a, const void *b) {
    const struct extent *left = a, *right = b;
    return (left->begin > right->begin) - (left->begin < right->begin);
}

static enum heed_status check_overlaps(struct reader *reader) {
    if (reader->extent_count > 0)
        qsort(reader->extents, reader->extent_count, sizeof *reader->extents, compare_extents);
    for (size_t i = 1; i < reader->extent_count; i++)
        if (reader->extents[i].begin < reader->extents[i - 1].end)
            return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                              "%s: the data of tensors '%.*s' and '%.*s' overlap",
                              reader->source->path,
                              HEEDI_PRINT_SLICE(reader->extents[i - 1].info->name),
                              HEEDI_PRINT_SLICE(reader->extents[i].info->name));
    return HEED_OK;
}

static enum heed_status read_tensors(struct reader *reader) {
    const struct heedi_env *env = &reader->context->env;
    const size_t count = (size_t)reader->tensor_count;
    reader->infos = heedi_calloc(env, count, sizeof *reader->infos);
    reader->extents = heedi_calloc(env, count, sizeof *reader->extents);
    if (reader->infos == NULL || reader->extents == NULL)
        return heedi_fail_memory(reader->context, reader->source->path,
                                 count * sizeof *reader->infos);
    enum heed_status status = HEED_OK;
    for (size_t i = 0; i < count && status == HEED_OK; i++)
        status = read_info(reader, &reader->infos[i]);
    if (status != HEED_OK)
        return status;
    const size_t padding =
        (size_t)((reader->alignment - reader->position % reader->alignment) % reader->alignment);
    if (count > 0 && padding > reader->source->bytes - reader->position)
        return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                          "%s: truncated: the file ends at byte %zu, before the data",
                          reader->source->path, reader->source->bytes);
    for (size_t i = 0; i < count && status == HEED_OK; i++)
        status = add_tensor(reader, &reader->infos[i], reader->position + padding);
    return status == HEED_OK ? check_overlaps(reader) : status;
}

/* ---- the file ---- */

static enum heed_status read_prelude(struct reader *reader) {
    const unsigned char *magic = NULL;
    uint32_t version = 0;
    const char *path = reader->source->path;
    if (reader->source->bytes < 4 || memcmp(reader->source->data, HEEDI_GGUF_MAGIC, 4) != 0)
        return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                          "%s: not a GGUF file: it does not begin with '%s'", path,
                          HEEDI_GGUF_MAGIC);
    enum heed_status status = take(reader, 4, "the magic", &magic);
    if (status == HEED_OK)
        status = take_u32(reader, "the version", &version);
    if (status != HEED_OK)
        return status;
    if (version != 0 && (version & 0xffffu) == 0)
        return heedi_fail(reader->context, HEED_ERROR_UNSUPPORTED,
                          "%s: a big-endian GGUF file; only little-endian ones are supported",
                          path);
    if (version != HEEDI_GGUF_VERSION && version != 2)
        return heedi_fail(reader->context, HEED_ERROR_UNSUPPORTED,
                          "%s: GGUF version %u; versions 2 and 3 are supported", path, version);
    status = take_u64(reader, "the number of tensors", &reader->tensor_count);
    if (status == HEED_OK)
        status = take_u64(reader, "the number of metadata entries", &reader->meta_count);
    if (status == HEED_OK)
        status = check_count(reader, "metadata entries", reader->meta_count, MIN_META_BYTES);
    if (status == HEED_OK)
        status = check_count(reader, "tensors", reader->tensor_count, MIN_TENSOR_BYTES);
    return status;
}

static enum heed_status read_gguf(struct heed_context *context, struct heedi_weights *weights,
                                  struct heedi_source *source) {
    struct reader reader = {.context = context,
                            .weights = weights,
                            .source = source,
                            .alignment = HEEDI_GGUF_DEFAULT_ALIGNMENT};
    enum heed_status status = read_prelude(&reader);
    for (uint64_t i = 0; i < reader.meta_count && status == HEED_OK; i++)
        status = read_meta(&reader);
    if (status == HEED_OK)
        status = read_tensors(&reader);
    heedi_free(&context->env, reader.infos);
    heedi_free(&context->env, reader.extents);
    return status;
}

enum heed_status heedi_gguf_open(struct heed_context *context, const char *path,
                                 struct heedi_weights **weights) {
    return heedi_weights_open_file(context, path, read_gguf, weights);
}

enum heed_status heedi_gguf_parse(struct heed_context *context, const char *path, const void *data,
                                  size_t bytes, struct heedi_weights **weights) {
    return heedi_weights_open_memory(context, path, data, bytes, read_gguf, weights);
}
