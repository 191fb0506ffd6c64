/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of pytorch_model.bin as torch.save() has written it since PyTorch 1.6.
 *
 * A zip archive with one folder of any name: data.pkl describes the tensors, data/<key> holds the
 * elements of a storage, byteorder (in newer files) says "little" or "big". Tensors may share a
 * storage, and may be any strided view of it. */
#include <string.h>

#include "runtime/io/torch.h"

struct reader {
    struct heed_context *context;
    struct heedi_weights *weights;
    struct heedi_source *source;
    struct heedi_zip zip;
    struct heedi_slice folder; /* with its slash; empty if there is none */
};

static struct heedi_slice slice(const char *text) {
    return (struct heedi_slice){text, strlen(text)};
}

static bool ends_with(struct heedi_slice text, struct heedi_slice end) {
    return text.bytes >= end.bytes &&
           memcmp(text.data + text.bytes - end.bytes, end.data, end.bytes) == 0;
}

/* The one entry <folder>/data.pkl. */
static enum heed_status find_pickle(struct reader *reader, const struct heedi_zip_entry **pickle) {
    const struct heedi_slice file = slice("data.pkl");
    *pickle = NULL;
    for (size_t i = 0; i < reader->zip.count; i++) {
        const struct heedi_zip_entry *entry = &reader->zip.entries[i];
        const size_t folder_bytes = entry->name.bytes - file.bytes;
        if (!ends_with(entry->name, file) ||
            (folder_bytes > 0 && entry->name.data[folder_bytes - 1] != '/'))
            continue;
        if (*pickle != NULL)
            return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                              "%s: the archive has more than one 'data.pkl'", reader->source->path);
        *pickle = entry;
        reader->folder = (struct heedi_slice){entry->name.data, folder_bytes};
    }
    if (*pickle == NULL)
        return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                          "%s: not a PyTorch file: the archive has no 'data.pkl'",
                          reader->source->path);
    return HEED_OK;
}

static enum heed_status check_byte_order(const struct reader *reader) {
    const struct heedi_zip_entry *entry =
        heedi_zip_find(&reader->zip, reader->folder, slice("byteorder"));
    const struct heedi_slice little = slice("little");
    if (entry == NULL ||
        (entry->bytes == little.bytes && memcmp(entry->data, little.data, little.bytes) == 0))
        return HEED_OK;
    const struct heedi_slice order = {(const char *)entry->data, entry->bytes};
    return heedi_fail(reader->context, HEED_ERROR_UNSUPPORTED,
                      "%s: its byte order is '%.*s', only 'little' is supported",
                      reader->source->path, HEEDI_PRINT_SLICE(order));
}

static enum heed_status tensor_error(const struct reader *reader, struct heedi_slice name,
                                     const char *complaint) {
    return heedi_fail(reader->context, HEED_ERROR_FORMAT, "%s: tensor '%.*s': %s",
                      reader->source->path, HEEDI_PRINT_SLICE(name), complaint);
}

/* Index of the last element of the storage that the tensor reaches; -1 where it has no elements.
 * False if it, or the number of elements, overflows. */
static bool last_element(const struct heedi_torch_tensor *tensor, int64_t *last) {
    int64_t elems = 1, reach;
    bool empty = false;
    *last = tensor->offset;
    for (size_t i = 0; i < tensor->rank; i++) {
        const int64_t size = tensor->sizes[i];
        empty = empty || size == 0;
        if (!heedi_mul_i64(elems, size == 0 ? 1 : size, &elems) ||
            !heedi_mul_i64(size == 0 ? 0 : size - 1, tensor->strides[i], &reach) ||
            !heedi_add_i64(*last, reach, last))
            return false;
    }
    if (empty)
        *last = -1;
    return heedi_mul_i64(elems, tensor->element->bytes, &elems);
}

static enum heed_status add_tensor(const struct reader *reader, struct heedi_slice name,
                                   const struct heedi_torch_tensor *tensor) {
    char path[sizeof "data/" + 32] = "data/";
    struct heedi_slice entry_name = {path, strlen(path) + tensor->storage_key.bytes};
    if (entry_name.bytes >= sizeof path)
        return tensor_error(reader, name, "the key of its storage is too long");
    memcpy(path + strlen("data/"), tensor->storage_key.data, tensor->storage_key.bytes);
    const struct heedi_zip_entry *entry = heedi_zip_find(&reader->zip, reader->folder, entry_name);
    if (entry == NULL)
        return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                          "%s: tensor '%.*s': the archive has no entry '%.*s'",
                          reader->source->path, HEEDI_PRINT_SLICE(name),
                          HEEDI_PRINT_SLICE(entry_name));
    const struct heedi_torch_element *element = tensor->element;
    if ((uint64_t)tensor->storage_elems != entry->bytes / element->bytes ||
        entry->bytes % element->bytes != 0)
        return heedi_fail(
            reader->context, HEED_ERROR_FORMAT,
            "%s: tensor '%.*s': its storage has %lld elements of %s, entry '%.*s' has "
            "%zu bytes",
            reader->source->path, HEEDI_PRINT_SLICE(name), (long long)tensor->storage_elems,
            element->type_name, HEEDI_PRINT_SLICE(entry_name), entry->bytes);
    int64_t last;
    if (!last_element(tensor, &last))
        return tensor_error(reader, name, "its size overflows");
    if (last >= tensor->storage_elems || tensor->offset > tensor->storage_elems)
        return heedi_fail(reader->context, HEED_ERROR_FORMAT,
                          "%s: tensor '%.*s' reaches element %lld of a storage of %lld",
                          reader->source->path, HEEDI_PRINT_SLICE(name), (long long)last,
                          (long long)tensor->storage_elems);
    if (tensor->rank > HEED_MAX_RANK)
        return heedi_weights_add_unsupported(reader->context, reader->weights, reader->source, name,
                                             "it has %zu dimensions, at most %d are supported",
                                             tensor->rank, HEED_MAX_RANK);
    if (element->dtype == HEED_DTYPE_NONE)
        return heedi_weights_add_unsupported(reader->context, reader->weights, reader->source, name,
                                             "its type %s is not supported", element->type_name);
    struct heed_tensor_desc desc = heed_desc(element->dtype, (uint32_t)tensor->rank, tensor->sizes);
    for (size_t i = 0; i < tensor->rank; i++)
        desc.strides[i] = tensor->strides[i];
    return heedi_weights_add(reader->context, reader->weights, reader->source, name, &desc,
                             entry->data + (size_t)tensor->offset * element->bytes);
}

static enum heed_status read_archive(struct reader *reader, struct heedi_arena *arena) {
    const struct heedi_zip_entry *pickle;
    struct heedi_torch_record *records = NULL;
    size_t count = 0;
    enum heed_status status = heedi_zip_open(reader->context, reader->source, &reader->zip);
    if (status == HEED_OK)
        status = find_pickle(reader, &pickle);
    if (status == HEED_OK)
        status = check_byte_order(reader);
    if (status == HEED_OK)
        status = heedi_pickle_read(reader->context, reader->source->path, arena, pickle->data,
                                   pickle->bytes, &records, &count);
    for (size_t i = 0; i < count && status == HEED_OK; i++)
        status = add_tensor(reader, records[i].name, records[i].tensor);
    return status;
}

/* Before PyTorch 1.6: pickles in a row, the first of which is the number
 * 0x1950a86a20f9469cfc6c. */
static bool is_legacy(const struct heedi_source *source) {
    static const unsigned char start[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                          0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    return source->bytes >= sizeof start && memcmp(source->data, start, sizeof start) == 0;
}

static enum heed_status read_torch(struct heed_context *context, struct heedi_weights *weights,
                                   struct heedi_source *source) {
    if (is_legacy(source))
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                          "%s: written in the format that PyTorch used before version 1.6; convert "
                          "it with a current PyTorch: state = torch.load(path, "
                          "map_location='cpu', weights_only=True); torch.save(state, path), or "
                          "save it as safetensors",
                          source->path);
    struct reader reader = {.context = context, .weights = weights, .source = source};
    struct heedi_arena arena;
    heedi_arena_init(&arena, &context->env);
    const enum heed_status status = read_archive(&reader, &arena);
    heedi_arena_clear(&arena);
    heedi_zip_close(context, &reader.zip);
    return status;
}

enum heed_status heedi_torch_open(struct heed_context *context, const char *path,
                                  struct heedi_weights **weights) {
    return heedi_weights_open_file(context, path, read_torch, weights);
}

enum heed_status heedi_torch_parse(struct heed_context *context, const char *path, const void *data,
                                   size_t bytes, struct heedi_weights **weights) {
    return heedi_weights_open_memory(context, path, data, bytes, read_torch, weights);
}
