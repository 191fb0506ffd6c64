/* SPDX-License-Identifier: Apache-2.0 */
/* Packing i8 and q8_0 weights into panels, once for all programs. */
#include <string.h>

#include "avx512.h"

struct source {
    const void *data;
    enum heed_dtype dtype;
    bool transposed; /* [n, k] */
    struct avx512_panels *panels;
};

static int8_t element(const struct source *source, int64_t column, int64_t p) {
    const struct avx512_panels *panels = source->panels;
    const struct heed_q8_0 *blocks = source->data;
    const int8_t *values = source->data;
    if (source->dtype == HEED_Q8_0)
        return blocks[column * panels->blocks + p / HEED_Q8_0_VALUES].values[p % HEED_Q8_0_VALUES];
    return source->transposed ? values[column * panels->k + p] : values[p * panels->n + column];
}

static void pack_range(void *arg, int64_t begin, int64_t end) {
    const struct source *source = arg;
    const struct avx512_panels *panels = source->panels;
    const bool blocks = source->dtype == HEED_Q8_0;
    const struct heed_q8_0 *given = source->data;
    for (int64_t panel = begin; panel < end; panel++) {
        int8_t *values = panels->values + panel * panels->quads * AVX512_COLUMNS * AVX512_QUAD;
        const int64_t base = panel * panels->blocks * AVX512_COLUMNS;
        memset(values, 0, (size_t)(panels->quads * AVX512_COLUMNS * AVX512_QUAD));
        memset(panels->starts + base, 0,
               (size_t)(panels->blocks * AVX512_COLUMNS) * sizeof *panels->starts);
        for (int64_t j = 0; j < AVX512_COLUMNS; j++) {
            const int64_t column = panel * AVX512_COLUMNS + j;
            for (int64_t p = 0; column < panels->n && p < panels->k; p++) {
                const int8_t value = element(source, column, p);
                const int64_t block = blocks ? p / HEED_Q8_0_VALUES : 0;
                values[(p / AVX512_QUAD * AVX512_COLUMNS + j) * AVX512_QUAD + p % AVX512_QUAD] =
                    value;
                int32_t *start = &panels->starts[base + block * AVX512_COLUMNS + j];
                *start = (int32_t)((uint32_t)*start - 128u * (uint32_t)value); /* may wrap */
            }
            for (int64_t block = 0; blocks && block < panels->blocks; block++)
                panels->scales[base + block * AVX512_COLUMNS + j] =
                    column < panels->n
                        ? heed_f16_to_f32(given[column * panels->blocks + block].scale)
                        : 0.0f;
        }
    }
}

void heedi_avx512_panels_destroy(void *object) {
    struct avx512_panels *panels = object;
    if (panels == NULL)
        return;
    const struct heed_host *host = panels->host;
    heedi_cpu_free(host, panels->values);
    heedi_cpu_free(host, panels->starts);
    heedi_cpu_free(host, panels->scales);
    heedi_cpu_free(host, panels);
}

enum heed_status heedi_avx512_pack(void *arg, const struct heed_tensor_desc *desc, const void *data,
                                   void **object, size_t *bytes, struct heed_error *error) {
    const struct avx512_packing *packing = arg;
    const struct heed_host *host = packing->host;
    const bool blocks = desc->dtype == HEED_Q8_0;
    struct avx512_panels *panels = heedi_cpu_calloc(host, 1, sizeof *panels);
    size_t value_bytes = 0, block_elems = 0;
    if (panels == NULL)
        goto fail;
    panels->host = host;
    panels->n = desc->dims[packing->transposed ? 0 : 1];
    panels->k = desc->dims[packing->transposed ? 1 : 0] * heed_dtype_values(desc->dtype);
    panels->quads = (panels->k + AVX512_QUAD - 1) / AVX512_QUAD;
    panels->blocks = blocks ? panels->k / HEED_Q8_0_VALUES : 1;
    const int64_t count = (panels->n + AVX512_COLUMNS - 1) / AVX512_COLUMNS;
    value_bytes = (size_t)(count * AVX512_COLUMNS) * (size_t)(panels->quads * AVX512_QUAD);
    block_elems = (size_t)(count * AVX512_COLUMNS) * (size_t)panels->blocks;
    panels->values = host->allocate(host->handle, value_bytes, 64);
    panels->starts = host->allocate(host->handle, block_elems * sizeof *panels->starts, 64);
    if (blocks)
        panels->scales = host->allocate(host->handle, block_elems * sizeof *panels->scales, 64);
    if (panels->values == NULL || panels->starts == NULL || (blocks && panels->scales == NULL))
        goto fail;
    struct source source = {data, desc->dtype, packing->transposed, panels};
    host->parallel_for(host->handle, count, 8, pack_range, &source);
    *object = panels;
    *bytes = value_bytes + block_elems * (blocks ? 8 : 4);
    return HEED_OK;

fail:
    heedi_avx512_panels_destroy(panels);
    return heedi_cpu_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                          "out of memory for a packed weight of %zu bytes", value_bytes);
}
