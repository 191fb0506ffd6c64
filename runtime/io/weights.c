/* SPDX-License-Identifier: Apache-2.0 */
/* The collection of named tensors and metadata that every weight file is read into. */
#include "runtime/io/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/weight.h"
#include "runtime/io/container.h"

enum { COPY_ALIGNMENT = 64 };

/* ---- sources ---- */

static enum heed_status source_create(struct heed_context *context, const char *path,
                                      struct heedi_source **source) {
    *source = heedi_calloc(&context->env, 1, sizeof **source);
    if (*source == NULL)
        return heedi_fail_memory(context, path, sizeof **source);
    (*source)->env = context->env;
    heedi_ref_init(&(*source)->references);
    (*source)->path = heedi_strdup(&context->env, path);
    if ((*source)->path == NULL) {
        heedi_free(&context->env, *source);
        *source = NULL;
        return heedi_fail_memory(context, path, strlen(path) + 1);
    }
    return HEED_OK;
}

enum heed_status heedi_source_map(struct heed_context *context, const char *path,
                                  struct heedi_source **source) {
    enum heed_status status = source_create(context, path, source);
    if (status != HEED_OK)
        return status;
    struct heed_error error = {.struct_size = sizeof error};
    if (!heedi_os_map(path, &(*source)->mapping, &error)) {
        heedi_source_release(*source);
        *source = NULL;
        status = error.status != HEED_OK ? (enum heed_status)error.status : HEED_ERROR_IO;
        return heedi_fail(context, status, "%s", error.message);
    }
    (*source)->data = (*source)->mapping.data;
    (*source)->bytes = (*source)->mapping.bytes;
    return HEED_OK;
}

void heedi_source_release(struct heedi_source *source) {
    if (source == NULL || !heedi_ref_release(&source->references))
        return;
    heedi_os_unmap(&source->mapping);
    const struct heedi_env env = source->env;
    heedi_free(&env, source->path);
    heedi_free(&env, source);
}

static void release_source(void *user) {
    heedi_source_release(user);
}

/* ---- opening and closing ---- */

enum heed_status heedi_weights_create(struct heed_context *context,
                                      struct heedi_weights **weights) {
    *weights = heedi_calloc(&context->env, 1, sizeof **weights);
    if (*weights == NULL)
        return heedi_fail_memory(context, "a weight file", sizeof **weights);
    (*weights)->env = context->env;
    heedi_arena_init(&(*weights)->arena, &context->env);
    return HEED_OK;
}

void heedi_weights_close(struct heedi_weights *weights) {
    if (weights == NULL)
        return;
    for (size_t i = 0; i < weights->count; i++)
        heed_weight_release(weights->items[i]);
    for (size_t i = 0; i < weights->source_count; i++)
        heedi_source_release(weights->sources[i]);
    heedi_arena_clear(&weights->arena);
    const struct heedi_env env = weights->env;
    heedi_free(&env, weights->sources);
    heedi_free(&env, weights->items);
    heedi_free(&env, weights->names);
    heedi_free(&env, weights->metas);
    heedi_free(&env, weights->metas_by_key);
    heedi_free(&env, weights);
}

/* Makes room for one more element; NULL (and *array as it was) on failure. */
static void *reserve(const struct heedi_env *env, void *array, size_t count, size_t *capacity,
                     size_t size) {
    if (count < *capacity)
        return array;
    const size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = heedi_grow(env, array, count, wanted, size);
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

enum heed_status heedi_weights_add_source(struct heed_context *context,
                                          struct heedi_weights *weights,
                                          struct heedi_source *source) {
    struct heedi_source **grown =
        heedi_grow(&weights->env, weights->sources, weights->source_count,
                   weights->source_count + 1, sizeof(struct heedi_source *));
    if (grown == NULL) {
        heedi_source_release(source);
        return heedi_fail_memory(context, "a weight file", sizeof(struct heedi_source *));
    }
    weights->sources = grown;
    weights->sources[weights->source_count++] = source;
    return HEED_OK;
}

/* Elements are used where they lie in the file, and files are little-endian. */
static bool host_is_little_endian(void) {
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* Takes the caller's reference to `source`. */
static enum heed_status open_source(struct heed_context *context, const char *path,
                                    struct heedi_source *source, heedi_weights_read_fn read,
                                    struct heedi_weights **weights) {
    enum heed_status status = heedi_weights_create(context, weights);
    if (status != HEED_OK) {
        heedi_source_release(source);
        return status;
    }
    status = heedi_weights_add_source(context, *weights, source);
    if (status == HEED_OK && !host_is_little_endian())
        status = heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                            "%s: weight files are little-endian, this machine is big-endian", path);
    if (status == HEED_OK)
        status = read(context, *weights, source);
    if (status == HEED_OK)
        status = heedi_weights_finish(context, *weights, path);
    if (status != HEED_OK) {
        heedi_weights_close(*weights);
        *weights = NULL;
    }
    return status;
}

enum heed_status heedi_weights_open_file(struct heed_context *context, const char *path,
                                         heedi_weights_read_fn read,
                                         struct heedi_weights **weights) {
    *weights = NULL;
    struct heedi_source *source;
    const enum heed_status status = heedi_source_map(context, path, &source);
    return status != HEED_OK ? status : open_source(context, path, source, read, weights);
}

enum heed_status heedi_weights_open_memory(struct heed_context *context, const char *path,
                                           const void *data, size_t bytes,
                                           heedi_weights_read_fn read,
                                           struct heedi_weights **weights) {
    *weights = NULL;
    struct heedi_source *source;
    const enum heed_status status = source_create(context, path, &source);
    if (status != HEED_OK)
        return status;
    source->data = data;
    source->bytes = bytes;
    return open_source(context, path, source, read, weights);
}

/* ---- adding ---- */

/* Length of the well-formed UTF-8 sequence at `text` (RFC 3629: no surrogates, no overlong forms,
 * nothing above U+10FFFF), 0 if there is none. */
static size_t utf8_length(const unsigned char *text, size_t bytes) {
    if (text[0] < 0x80)
        return 1;
    const size_t length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (text[0] < 0xc2 || text[0] > 0xf4 || length > bytes)
        return 0;
    const unsigned char low = text[0] == 0xe0 ? 0xa0 : text[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = text[0] == 0xed ? 0x9f : text[0] == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

enum heed_status heedi_weights_check_name(struct heed_context *context,
                                          const struct heedi_source *source, const char *what,
                                          struct heedi_slice name) {
    const unsigned char *text = (const unsigned char *)name.data;
    if (name.bytes == 0)
        return heedi_fail(context, HEED_ERROR_FORMAT, "%s: a %s has an empty name", source->path,
                          what);
    for (size_t i = 0; i < name.bytes;) {
        const size_t length = utf8_length(text + i, name.bytes - i);
        if (length == 0 || text[i] < 0x20 || text[i] == 0x7f)
            return heedi_fail(context, HEED_ERROR_FORMAT,
                              "%s: the name of a %s is not text: byte %zu of %zu is 0x%02x",
                              source->path, what, i, name.bytes, text[i]);
        i += length;
    }
    return HEED_OK;
}

static enum heed_status add_name(struct heed_context *context, struct heedi_weights *weights,
                                 const struct heedi_source *source, struct heedi_slice name,
                                 const char **copy) {
    const enum heed_status status = heedi_weights_check_name(context, source, "tensor", name);
    if (status != HEED_OK)
        return status;
    struct heedi_weights_name *names = reserve(&weights->env, weights->names, weights->name_count,
                                               &weights->name_capacity, sizeof *weights->names);
    if (names == NULL)
        return heedi_fail_memory(context, source->path, sizeof *weights->names);
    weights->names = names;
    char *text = heedi_arena_alloc(&weights->arena, name.bytes + 1, 1);
    if (text == NULL)
        return heedi_fail_memory(context, source->path, name.bytes + 1);
    memcpy(text, name.data, name.bytes);
    names[weights->name_count++] = (struct heedi_weights_name){text, weights->count, NULL};
    *copy = text;
    return HEED_OK;
}

/* A tensor in memory of its own; the elements follow at COPY_ALIGNMENT. */
struct copied_tensor {
    struct heedi_env env;
};

enum {
    COPY_HEADER =
        (sizeof(struct copied_tensor) + COPY_ALIGNMENT - 1) / COPY_ALIGNMENT * COPY_ALIGNMENT
};

static void release_copied_tensor(void *user) {
    const struct heedi_env env = ((struct copied_tensor *)user)->env;
    heedi_free(&env, user);
}

/* Makes a strided tensor contiguous. Tensors without elements, whose other dimensions may be huge,
 * are contiguous and do not come here. */
static void gather(unsigned char *to, const unsigned char *from,
                   const struct heed_tensor_desc *desc) {
    const size_t size = heed_dtype_bytes(desc->dtype);
    const int64_t *dims = desc->dims, *strides = desc->strides;
    for (int64_t a = 0; a < dims[0]; a++)
        for (int64_t b = 0; b < dims[1]; b++)
            for (int64_t c = 0; c < dims[2]; c++)
                for (int64_t d = 0; d < dims[3]; d++, to += size)
                    memcpy(to,
                           from + size * (size_t)(a * strides[0] + b * strides[1] + c * strides[2] +
                                                  d * strides[3]),
                           size);
}

static enum heed_status copy_tensor(struct heed_context *context, struct heedi_source *source,
                                    const char *name, const struct heed_tensor_desc *desc,
                                    const unsigned char *data, struct heed_weight **weight) {
    const size_t bytes = (size_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
    if (bytes > source->bytes - source->copied_bytes)
        return heedi_fail(context, HEED_ERROR_LIMIT,
                          "%s: tensor '%.200s' is stored strided or misaligned, and copying such "
                          "tensors would take more memory than the file has bytes (%zu)",
                          source->path, name, source->bytes);
    struct copied_tensor *copy =
        heedi_alloc_aligned(&source->env, COPY_HEADER + bytes, COPY_ALIGNMENT);
    if (copy == NULL)
        return heedi_fail_memory(context, name, COPY_HEADER + bytes);
    copy->env = source->env;
    unsigned char *elements = (unsigned char *)copy + COPY_HEADER;
    if (!heed_desc_contiguous(desc))
        gather(elements, data, desc);
    else if (bytes > 0)
        memcpy(elements, data, bytes);
    const struct heed_tensor_desc packed = heed_desc(desc->dtype, desc->rank, desc->dims);
    const enum heed_status status =
        heed_weight_create(context, name, &packed, elements, release_copied_tensor, copy, weight);
    if (status != HEED_OK) {
        release_copied_tensor(copy);
        return status;
    }
    source->copied_bytes += bytes;
    return HEED_OK;
}

enum heed_status heedi_weights_add(struct heed_context *context, struct heedi_weights *weights,
                                   struct heedi_source *source, struct heedi_slice name,
                                   const struct heed_tensor_desc *desc, const unsigned char *data) {
    const char *copy = NULL;
    enum heed_status status = add_name(context, weights, source, name, &copy);
    if (status != HEED_OK)
        return status;
    struct heed_weight **items = reserve(&weights->env, weights->items, weights->count,
                                         &weights->capacity, sizeof(struct heed_weight *));
    if (items == NULL)
        return heedi_fail_memory(context, source->path, sizeof(struct heed_weight *));
    weights->items = items;
    struct heed_weight **weight = &items[weights->count];
    const size_t alignment =
        desc->dtype == HEED_Q8_0 ? sizeof(uint16_t) : heed_dtype_bytes(desc->dtype);
    const bool aligned = alignment > 0 && (uintptr_t)data % alignment == 0;
    if (aligned && heed_desc_contiguous(desc)) {
        const struct heed_tensor_desc packed = heed_desc(desc->dtype, desc->rank, desc->dims);
        heedi_ref_retain(&source->references);
        status = heed_weight_create(context, copy, &packed, data, release_source, source, weight);
        if (status != HEED_OK)
            heedi_source_release(source);
        else
            (*weight)->mapped = source->mapping.data != NULL;
    } else {
        status = copy_tensor(context, source, copy, desc, data, weight);
    }
    if (status == HEED_OK)
        weights->count++;
    return status;
}

enum heed_status heedi_weights_add_unsupported(struct heed_context *context,
                                               struct heedi_weights *weights,
                                               const struct heedi_source *source,
                                               struct heedi_slice name, const char *format, ...) {
    const char *copy = NULL;
    const enum heed_status status = add_name(context, weights, source, name, &copy);
    if (status != HEED_OK)
        return status;
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *reason = heedi_arena_strdup(&weights->arena, text);
    if (reason == NULL)
        return heedi_fail_memory(context, source->path, sizeof text);
    weights->names[weights->name_count - 1].unsupported = reason;
    heedi_log(&context->env, HEED_LOG_INFO, "%s: tensor '%.200s' left out: %s", source->path, copy,
              reason);
    return HEED_OK;
}

enum heed_status heedi_weights_add_meta(struct heed_context *context, struct heedi_weights *weights,
                                        const struct heedi_source *source,
                                        const struct heedi_meta *meta) {
    const enum heed_status status =
        heedi_weights_check_name(context, source, "metadata key", meta->key);
    if (status != HEED_OK)
        return status;
    struct heedi_meta *metas = reserve(&weights->env, weights->metas, weights->meta_count,
                                       &weights->meta_capacity, sizeof *weights->metas);
    if (metas == NULL)
        return heedi_fail_memory(context, source->path, sizeof *weights->metas);
    weights->metas = metas;
    metas[weights->meta_count++] = *meta;
    return HEED_OK;
}

/* ---- finishing and looking up ---- */

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct heedi_weights_name *)a)->name,
                  ((const struct heedi_weights_name *)b)->name);
}

static int compare_slices(struct heedi_slice a, struct heedi_slice b) {
    const int order = memcmp(a.data, b.data, a.bytes < b.bytes ? a.bytes : b.bytes);
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static int compare_metas(const void *a, const void *b) {
    const struct heedi_meta *const *left = a;
    const struct heedi_meta *const *right = b;
    return compare_slices((*left)->key, (*right)->key);
}

enum heed_status heedi_weights_finish(struct heed_context *context, struct heedi_weights *weights,
                                      const char *path) {
    if (weights->name_count > 0)
        qsort(weights->names, weights->name_count, sizeof *weights->names, compare_names);
    for (size_t i = 1; i < weights->name_count; i++)
        if (compare_names(&weights->names[i - 1], &weights->names[i]) == 0)
            return heedi_fail(context, HEED_ERROR_FORMAT, "%s: two tensors are named '%.200s'",
                              path, weights->names[i].name);

    weights->metas_by_key =
        heedi_calloc(&weights->env, weights->meta_count, sizeof(const struct heedi_meta *));
    if (weights->metas_by_key == NULL)
        return heedi_fail_memory(context, path, weights->meta_count * sizeof(void *));
    const struct heedi_meta **keys = weights->metas_by_key;
    for (size_t i = 0; i < weights->meta_count; i++)
        keys[i] = &weights->metas[i];
    if (weights->meta_count > 0)
        qsort(keys, weights->meta_count, sizeof(const struct heedi_meta *), compare_metas);
    for (size_t i = 1; i < weights->meta_count; i++)
        if (compare_slices(keys[i - 1]->key, keys[i]->key) == 0)
            return heedi_fail(context, HEED_ERROR_FORMAT, "%s: two metadata keys are '%.*s'", path,
                              HEEDI_PRINT_SLICE(keys[i]->key));
    return HEED_OK;
}

size_t heedi_weights_count(const struct heedi_weights *weights) {
    return weights->count;
}

struct heed_weight *heedi_weights_at(const struct heedi_weights *weights, size_t index) {
    return index < weights->count ? weights->items[index] : NULL;
}

static const struct heedi_weights_name *find_name(const struct heedi_weights *weights,
                                                  const char *name) {
    const struct heedi_weights_name key = {.name = name};
    if (weights->name_count == 0)
        return NULL;
    return bsearch(&key, weights->names, weights->name_count, sizeof key, compare_names);
}

struct heed_weight *heedi_weights_find(const struct heedi_weights *weights, const char *name) {
    const struct heedi_weights_name *found = find_name(weights, name);
    return found == NULL || found->unsupported != NULL ? NULL : weights->items[found->index];
}

const char *heedi_weights_unsupported(const struct heedi_weights *weights, const char *name) {
    const struct heedi_weights_name *found = find_name(weights, name);
    return found == NULL ? NULL : found->unsupported;
}

size_t heedi_weights_meta_count(const struct heedi_weights *weights) {
    return weights->meta_count;
}

const struct heedi_meta *heedi_weights_meta_at(const struct heedi_weights *weights, size_t index) {
    return index < weights->meta_count ? &weights->metas[index] : NULL;
}

const struct heedi_meta *heedi_weights_meta(const struct heedi_weights *weights, const char *key) {
    const struct heedi_meta wanted = {.key = {key, strlen(key)}};
    const struct heedi_meta *pointer = &wanted;
    if (weights->meta_count == 0)
        return NULL;
    const struct heedi_meta *const *found =
        bsearch(&pointer, weights->metas_by_key, weights->meta_count,
                sizeof(const struct heedi_meta *), compare_metas);
    return found == NULL ? NULL : *found;
}
