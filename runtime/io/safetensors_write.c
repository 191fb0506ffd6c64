/* SPDX-License-Identifier: Apache-2.0 */
/* Writer of safetensors files; the layout is described in safetensors.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/weight.h"
#include "runtime/io/output.h"
#include "runtime/io/weights.h"

enum { DATA_ALIGNMENT = 8 };

/* The JSON header being built. The first failure sticks. */
struct text {
    const struct heedi_env *env;
    char *data;
    size_t bytes, capacity;
    bool failed;
};

static void append(struct text *text, const char *data, size_t bytes) {
    if (text->failed)
        return;
    if (bytes > text->capacity - text->bytes) {
        const size_t wanted = (text->bytes + bytes) * 2 + 256;
        char *grown = heedi_grow(text->env, text->data, text->bytes, wanted, 1);
        if (grown == NULL) {
            text->failed = true;
            return;
        }
        text->data = grown;
        text->capacity = wanted;
    }
    memcpy(text->data + text->bytes, data, bytes);
    text->bytes += bytes;
}

static void append_plain(struct text *text, const char *string) {
    append(text, string, strlen(string));
}

static void append_number(struct text *text, uint64_t value) {
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    append_plain(text, digits);
}

static void append_quoted(struct text *text, const char *string) {
    append(text, "\"", 1);
    for (; *string != '\0'; string++) {
        const unsigned char c = (unsigned char)*string;
        char escape[8];
        if (c == '"' || c == '\\') {
            append(text, "\\", 1);
            append(text, string, 1);
        } else if (c < 0x20) {
            (void)snprintf(escape, sizeof escape, "\\u%04x", c);
            append_plain(text, escape);
        } else {
            append(text, string, 1);
        }
    }
    append(text, "\"", 1);
}

static const char *type_name(enum heed_dtype dtype) {
    switch (dtype) {
    case HEED_F32:
        return "F32";
    case HEED_F16:
        return "F16";
    case HEED_BF16:
        return "BF16";
    case HEED_I32:
        return "I32";
    case HEED_I8:
        return "I8";
    case HEED_Q8_0: /* the format has no such type */
    case HEED_DTYPE_NONE:
        break;
    }
    return "";
}

static uint64_t weight_bytes(const struct heed_weight *weight) {
    return (uint64_t)heed_desc_elems(&weight->desc) * heed_dtype_bytes(weight->desc.dtype);
}

static void append_entry(struct text *text, const struct heed_weight *weight, uint64_t offset) {
    append_quoted(text, weight->name);
    append_plain(text, ":{\"dtype\":");
    append_quoted(text, type_name(weight->desc.dtype));
    append_plain(text, ",\"shape\":[");
    for (uint32_t i = 0; i < weight->desc.rank; i++) {
        if (i > 0)
            append(text, ",", 1);
        append_number(text, (uint64_t)weight->desc.dims[i]);
    }
    append_plain(text, "],\"data_offsets\":[");
    append_number(text, offset);
    append(text, ",", 1);
    append_number(text, offset + weight_bytes(weight));
    append_plain(text, "]}");
}

/* Larger elements first, so that every tensor is aligned to its element without holes; then by
 * name, as the reference implementation does. */
static int compare_weights(const void *a, const void *b) {
    const struct heed_weight *left = *(struct heed_weight *const *)a;
    const struct heed_weight *right = *(struct heed_weight *const *)b;
    const size_t left_bytes = heed_dtype_bytes(left->desc.dtype);
    const size_t right_bytes = heed_dtype_bytes(right->desc.dtype);
    if (left_bytes != right_bytes)
        return left_bytes > right_bytes ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int compare_names(const void *a, const void *b) {
    return strcmp((*(struct heed_weight *const *)a)->name, (*(struct heed_weight *const *)b)->name);
}

static enum heed_status write_sorted(struct heed_context *context, const char *path,
                                     struct heed_weight **sorted, size_t count, struct text *text) {
    if (count > 0)
        qsort(sorted, count, sizeof(struct heed_weight *), compare_names);
    for (size_t i = 0; i < count; i++)
        if (strcmp(sorted[i]->name, "__metadata__") == 0)
            return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                              "%s: the format does not allow a tensor named '__metadata__'", path);
    for (size_t i = 0; i < count; i++)
        if (sorted[i]->desc.dtype == HEED_Q8_0)
            return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                              "%s: tensor '%.200s' is q8_0, which the format does not have", path,
                              sorted[i]->name);
    for (size_t i = 1; i < count; i++)
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                              "%s: two tensors are named '%.200s'", path, sorted[i]->name);
    if (count > 0)
        qsort(sorted, count, sizeof(struct heed_weight *), compare_weights);

    append(text, "{", 1);
    uint64_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            append(text, ",", 1);
        append_entry(text, sorted[i], offset);
        offset += weight_bytes(sorted[i]);
    }
    append(text, "}", 1);
    while (!text->failed && text->bytes % DATA_ALIGNMENT != 0)
        append(text, " ", 1);
    if (text->failed)
        return heedi_fail_memory(context, path, text->bytes);

    struct heedi_output output;
    heedi_output_open(&output, context, path);
    heedi_output_u64(&output, text->bytes);
    heedi_output_write(&output, text->data, text->bytes);
    for (size_t i = 0; i < count; i++)
        heedi_output_write(&output, sorted[i]->data, (size_t)weight_bytes(sorted[i]));
    return heedi_output_finish(&output);
}

enum heed_status heedi_safetensors_write(struct heed_context *context, const char *path,
                                         struct heed_weight *const *weights, size_t count) {
    const struct heedi_env *env = &context->env;
    struct heed_weight **sorted = heedi_calloc(env, count, sizeof(struct heed_weight *));
    if (sorted == NULL)
        return heedi_fail_memory(context, path, count * sizeof(struct heed_weight *));
    if (count > 0)
        memcpy(sorted, weights, count * sizeof(struct heed_weight *));
    struct text text = {.env = env};
    const enum heed_status status = write_sorted(context, path, sorted, count, &text);
    heedi_free(env, text.data);
    heedi_free(env, sorted);
    return status;
}
