/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of safetensors files.
 *
 * Layout (https://github.com/huggingface/safetensors#format): u64 length N of the header, N bytes
 * of JSON, then the data. The header is an object {name: {"dtype", "shape", "data_offsets": [begin,
 * end]}} with offsets relative to the data, and optionally "__metadata__": {key: string}. As the
 * reference implementation does, the header is limited to 100 MB and the tensors must cover the
 * data without holes or overlaps. */
#include <stdlib.h>
#include <string.h>

#include "runtime/io/bytes.h"
#include "runtime/io/container.h"
#include "runtime/io/safetensors.h"

/* Types that the format knows: name, bytes per element, ours. */
static const struct element_type {
    const char *name;
    int64_t bytes;
    enum heed_dtype dtype;
} element_types[] = {
    {"F32", 4, HEED_F32},
    {"F16", 2, HEED_F16},
    {"BF16", 2, HEED_BF16},
    {"I32", 4, HEED_I32},
    {"I8", 1, HEED_I8},
    {"F64", 8, HEED_DTYPE_NONE},
    {"I64", 8, HEED_DTYPE_NONE},
    {"U64", 8, HEED_DTYPE_NONE},
    {"U32", 4, HEED_DTYPE_NONE},
    {"I16", 2, HEED_DTYPE_NONE},
    {"U16", 2, HEED_DTYPE_NONE},
    {"U8", 1, HEED_DTYPE_NONE},
    {"BOOL", 1, HEED_DTYPE_NONE},
    {"F8_E4M3", 1, HEED_DTYPE_NONE},
    {"F8_E5M2", 1, HEED_DTYPE_NONE},
};

static const struct element_type *find_type(const char *name) {
    for (size_t i = 0; i < sizeof element_types / sizeof *element_types; i++)
        if (strcmp(name, element_types[i].name) == 0)
            return &element_types[i];
    return NULL;
}

/* One tensor as the header describes it. */
struct entry {
    const char *name;
    const char *dtype;
    const cJSON *shape;
    int64_t begin, end; /* bytes from the start of the data */
    size_t order;       /* in the header, for a stable sort */
};

struct header {
    struct heed_context *context;
    struct heedi_source *source;
    struct heedi_weights *weights;
    cJSON *root;
    struct entry *entries;
    size_t count;
    const unsigned char *data;
    int64_t data_bytes;
};

/* cJSON keeps numbers as doubles: whole numbers are exact up to 2^53, and no more is accepted. */
static bool read_whole(const cJSON *item, int64_t *value) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 0x1p53))
        return false;
    *value = (int64_t)item->valuedouble;
    return (double)*value == item->valuedouble;
}

static enum heed_status malformed(const struct header *header, const char *name,
                                  const char *complaint) {
    return heedi_fail(header->context, HEED_ERROR_FORMAT, "%s: tensor '%.200s': %s",
                      header->source->path, name, complaint);
}

/* Finds the fields of one tensor. Fields that the format does not name are ignored. */
static enum heed_status read_entry(struct header *header, const cJSON *item) {
    struct entry entry = {.name = item->string, .order = header->count};
    const cJSON *offsets = NULL;
    if (!cJSON_IsObject(item))
        return malformed(header, entry.name, "its description is not an object");
    for (const cJSON *field = item->child; field != NULL; field = field->next) {
        const bool is_dtype = strcmp(field->string, "dtype") == 0;
        const bool is_shape = strcmp(field->string, "shape") == 0;
        const bool is_offsets = strcmp(field->string, "data_offsets") == 0;
        if ((is_dtype && entry.dtype != NULL) || (is_shape && entry.shape != NULL) ||
            (is_offsets && offsets != NULL))
            return malformed(header, entry.name, "a field is given twice");
        if (is_dtype)
            entry.dtype = cJSON_GetStringValue(field);
        else if (is_shape)
            entry.shape = field;
        else if (is_offsets)
            offsets = field;
        if (is_dtype && entry.dtype == NULL)
            return malformed(header, entry.name, "'dtype' is not a string");
    }
    if (entry.dtype == NULL)
        return malformed(header, entry.name, "'dtype' is missing");
    if (!cJSON_IsArray(entry.shape))
        return malformed(header, entry.name, "'shape' is missing or not an array");
    if (offsets == NULL || !cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !read_whole(offsets->child, &entry.begin) ||
        !read_whole(offsets->child->next, &entry.end) || entry.begin > entry.end)
        return malformed(header, entry.name,
                         "'data_offsets' is not [begin, end] with begin <= end");
    header->entries[header->count++] = entry;
    return HEED_OK;
}

static enum heed_status read_metadata(struct header *header, const cJSON *object) {
    struct heedi_weights *weights = header->weights;
    if (!cJSON_IsObject(object))
        return heedi_fail(header->context, HEED_ERROR_FORMAT, "%s: '__metadata__' is not an object",
                          header->source->path);
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        if (!cJSON_IsString(item))
            return heedi_fail(header->context, HEED_ERROR_FORMAT,
                              "%s: '__metadata__' entry '%.200s' is not a string",
                              header->source->path, item->string);
        const char *key = heedi_arena_strdup(&weights->arena, item->string);
        const char *value = heedi_arena_strdup(&weights->arena, item->valuestring);
        if (key == NULL || value == NULL)
            return heedi_fail_memory(header->context, header->source->path,
                                     strlen(item->string) + strlen(item->valuestring));
        const struct heedi_meta meta = {.key = {key, strlen(key)},
                                        .type = HEEDI_META_STRING,
                                        .value.string = {value, strlen(value)}};
        const enum heed_status status =
            heedi_weights_add_meta(header->context, weights, header->source, &meta);
        if (status != HEED_OK)
            return status;
    }
    return HEED_OK;
}

/* Bytes of a tensor; false if a dimension is not a whole number or the product overflows. Strides
 * must fit as well, so that a dimension of 0 does not excuse the others. */
static bool shape_bytes(const cJSON *shape, const struct element_type *type, int64_t *bytes) {
    bool empty = false;
    *bytes = type->bytes;
    for (const cJSON *item = shape->child; item != NULL; item = item->next) {
        int64_t dim;
        if (!read_whole(item, &dim) || !heedi_mul_i64(*bytes, dim == 0 ? 1 : dim, bytes))
            return false;
        empty = empty || dim == 0;
    }
    if (empty)
        *bytes = 0;
    return true;
}

static enum heed_status add_tensor(const struct header *header, const struct entry *entry) {
    const struct heedi_slice name = {entry->name, strlen(entry->name)};
    const struct element_type *type = find_type(entry->dtype);
    if (type == NULL)
        return heedi_weights_add_unsupported(header->context, header->weights, header->source, name,
                                             "its type '%.40s' is unknown", entry->dtype);
    int64_t bytes;
    if (!shape_bytes(entry->shape, type, &bytes))
        return malformed(header, entry->name,
                         "'shape' is not a list of sizes whose product fits in 63 bits");
    if (bytes != entry->end - entry->begin)
        return heedi_fail(header->context, HEED_ERROR_FORMAT,
                          "%s: tensor '%.200s': shape and dtype need %lld bytes, 'data_offsets' "
                          "gives %lld",
                          header->source->path, entry->name, (long long)bytes,
                          (long long)(entry->end - entry->begin));
    const int rank = cJSON_GetArraySize(entry->shape);
    if (rank > HEED_MAX_RANK)
        return heedi_weights_add_unsupported(header->context, header->weights, header->source, name,
                                             "it has %d dimensions, at most %d are supported", rank,
                                             HEED_MAX_RANK);
    if (type->dtype == HEED_DTYPE_NONE)
        return heedi_weights_add_unsupported(header->context, header->weights, header->source, name,
                                             "its type %s is not supported", type->name);
    int64_t dims[HEED_MAX_RANK] = {0};
    size_t count = 0;
    for (const cJSON *item = entry->shape->child; item != NULL; item = item->next)
        (void)read_whole(item, &dims[count++]);
    const struct heed_tensor_desc desc = heed_desc(type->dtype, (uint32_t)rank, dims);
    return heedi_weights_add(header->context, header->weights, header->source, name, &desc,
                             header->data + entry->begin);
}

static int compare_entries(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    if (left->end != right->end)
        return left->end < right->end ? -1 : 1;
    return left->order < right->order ? -1 : 1;
}

static enum heed_status add_tensors(struct header *header) {
    if (header->count > 0)
        qsort(header->entries, header->count, sizeof *header->entries, compare_entries);
    int64_t covered = 0;
    for (size_t i = 0; i < header->count; i++) {
        const struct entry *entry = &header->entries[i];
        if (entry->end > header->data_bytes)
            return heedi_fail(header->context, HEED_ERROR_FORMAT,
                              "%s: tensor '%.200s' ends at byte %lld of the data, which has %lld "
                              "bytes: the file is truncated or damaged",
                              header->source->path, entry->name, (long long)entry->end,
                              (long long)header->data_bytes);
        if (entry->begin != covered)
            return heedi_fail(header->context, HEED_ERROR_FORMAT,
                              "%s: tensor '%.200s' begins at byte %lld of the data, expected %lld: "
                              "tensors may neither overlap nor leave holes",
                              header->source->path, entry->name, (long long)entry->begin,
                              (long long)covered);
        covered = entry->end;
        const enum heed_status status = add_tensor(header, entry);
        if (status != HEED_OK)
            return status;
    }
    if (covered != header->data_bytes)
        return heedi_fail(header->context, HEED_ERROR_FORMAT,
                          "%s: the tensors cover %lld bytes of the data, the file has %lld",
                          header->source->path, (long long)covered, (long long)header->data_bytes);
    return HEED_OK;
}

cJSON *heedi_safetensors_parse_json(struct heed_context *context, const char *path,
                                    const char *text, size_t bytes) {
    if (bytes == 0) {
        (void)heedi_fail(context, HEED_ERROR_FORMAT, "%s: not valid JSON: empty", path);
        return NULL;
    }
    const char *limit = text + bytes, *end = text;
    cJSON *root = cJSON_ParseWithLengthOpts(text, bytes, &end, 0);
    if (root == NULL) {
        (void)heedi_fail(context, HEED_ERROR_FORMAT, "%s: not valid JSON (near byte %lld)", path,
                         (long long)(end == NULL ? 0 : end - text));
        return NULL;
    }
    const char *complaint = NULL;
    while (end < limit && (*end == ' ' || *end == '\t' || *end == '\n' || *end == '\r'))
        end++;
    if (end != limit)
        complaint = "text follows the JSON";
    /* cJSON ends strings at an escaped NUL, which would make different names equal. */
    for (const char *at = text; complaint == NULL && limit - at >= 6; at++)
        if (memcmp(at, "\\u0000", 6) == 0)
            complaint = "the JSON contains a NUL character";
    if (complaint == NULL)
        return root;
    (void)heedi_fail(context, HEED_ERROR_FORMAT, "%s: %s", path, complaint);
    cJSON_Delete(root);
    return NULL;
}

/* Finds the header and parses its JSON into header->root. */
static enum heed_status parse_header(struct header *header) {
    struct heed_context *context = header->context;
    const struct heedi_source *source = header->source;
    if (source->bytes < 8)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: not a safetensors file: %zu bytes, at least 8 expected",
                          source->path, source->bytes);
    const uint64_t length = heedi_load_u64(source->data);
    if (length > HEEDI_SAFETENSORS_HEADER_LIMIT)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: not a safetensors file: the header would have %llu bytes, the limit "
                          "is %d",
                          source->path, (unsigned long long)length, HEEDI_SAFETENSORS_HEADER_LIMIT);
    if (length > source->bytes - 8)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: truncated: the header has %llu bytes, the file ends after %zu of "
                          "them",
                          source->path, (unsigned long long)length, source->bytes - 8);
    const char *text = (const char *)source->data + 8;
    if (length == 0 || text[0] != '{')
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: not a safetensors file: the header does not begin with '{'",
                          source->path);
    header->data = source->data + 8 + length;
    header->data_bytes = (int64_t)(source->bytes - 8 - (size_t)length);

    header->root = heedi_safetensors_parse_json(context, source->path, text, (size_t)length);
    return header->root == NULL ? HEED_ERROR_FORMAT : HEED_OK;
}

static enum heed_status read_header(struct header *header, bool with_metadata) {
    enum heed_status status = parse_header(header);
    if (status != HEED_OK)
        return status;
    const size_t count = (size_t)cJSON_GetArraySize(header->root);
    const struct heedi_env *env = &header->context->env;
    header->entries = heedi_calloc(env, count, sizeof *header->entries);
    if (header->entries == NULL)
        return heedi_fail_memory(header->context, header->source->path,
                                 count * sizeof *header->entries);
    for (const cJSON *item = header->root->child; item != NULL; item = item->next) {
        if (strcmp(item->string, "__metadata__") != 0)
            status = read_entry(header, item);
        else if (with_metadata)
            status = read_metadata(header, item);
        if (status != HEED_OK)
            return status;
    }
    return add_tensors(header);
}

static enum heed_status read_file(struct heed_context *context, struct heedi_weights *weights,
                                  struct heedi_source *source, bool with_metadata) {
    struct header header = {.context = context, .source = source, .weights = weights};
    const enum heed_status status = read_header(&header, with_metadata);
    heedi_free(&context->env, header.entries);
    cJSON_Delete(header.root);
    return status;
}

static enum heed_status read_single(struct heed_context *context, struct heedi_weights *weights,
                                    struct heedi_source *source) {
    return read_file(context, weights, source, true);
}

enum heed_status heedi_safetensors_read_shard(struct heed_context *context,
                                              struct heedi_weights *weights,
                                              struct heedi_source *source) {
    return read_file(context, weights, source, false);
}

enum heed_status heedi_safetensors_open(struct heed_context *context, const char *path,
                                        struct heedi_weights **weights) {
    return heedi_weights_open_file(context, path, read_single, weights);
}

enum heed_status heedi_safetensors_parse(struct heed_context *context, const char *path,
                                         const void *data, size_t bytes,
                                         struct heedi_weights **weights) {
    return heedi_weights_open_memory(context, path, data, bytes, read_single, weights);
}
