/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of weight files share. */
#ifndef HEED_FUZZ_H
#define HEED_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/weight.h"
#include "runtime/io/weights.h"

/* What a target defines; 0 is the only value to return. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

typedef enum heed_status (*fuzz_parse_fn)(struct heed_context *context, const char *path,
                                          const void *data, size_t bytes,
                                          struct heedi_weights **weights);

/* Keeps reads from being optimised away. */
extern volatile uint32_t fuzz_sink;

static inline void fuzz_touch(const void *data, size_t bytes) {
    const unsigned char *read = data;
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += read[i];
    fuzz_sink = sum;
}

/* Reads all that a collection hands out, and looks everything up by name. */
static inline void fuzz_visit(const struct heedi_weights *weights) {
    for (size_t i = 0; i < heedi_weights_count(weights); i++) {
        struct heed_weight *weight = heedi_weights_at(weights, i);
        fuzz_touch(weight->data,
                   (size_t)heed_desc_elems(&weight->desc) * heed_dtype_bytes(weight->desc.dtype));
        if (heedi_weights_find(weights, weight->name) != weight)
            abort();
    }
    for (size_t i = 0; i < heedi_weights_meta_count(weights); i++) {
        const struct heedi_meta *meta = heedi_weights_meta_at(weights, i);
        if (meta->type == HEEDI_META_STRING)
            fuzz_touch(meta->value.string.data, meta->value.string.bytes);
        if (meta->type == HEEDI_META_ARRAY && meta->value.array.type == HEEDI_META_STRING)
            for (uint64_t k = 0; k < meta->value.array.count; k++)
                fuzz_touch(meta->value.array.strings[k].data, meta->value.array.strings[k].bytes);
        else if (meta->type == HEEDI_META_ARRAY)
            fuzz_touch(meta->value.array.data, (size_t)meta->value.array.count);
    }
}

/* Parses the input from an aligned block of exactly its size. */
static inline void fuzz_weights(fuzz_parse_fn parse, const uint8_t *data, size_t bytes) {
    struct heed_context *context;
    struct heedi_weights *weights;
    void *copy = NULL;
    if (posix_memalign(&copy, 64, bytes > 0 ? bytes : 1) != 0 ||
        heed_context_create(NULL, &context) != HEED_OK)
        abort();
    if (bytes > 0)
        memcpy(copy, data, bytes);
    if (parse(context, "input", copy, bytes, &weights) == HEED_OK)
        fuzz_visit(weights);
    else if (weights != NULL || heed_last_error(context)[0] == '\0')
        abort();
    heedi_weights_close(weights);
    heed_context_destroy(context);
    free(copy);
}

#endif
