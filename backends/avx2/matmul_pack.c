/* SPDX-License-Identifier: Apache-2.0 */
/* Packing the operands of matmul: constant weights once for all programs, others on the way. */
#include <string.h>

#include "matmul.h"
#include "transpose.h"
#include "vector.h"

/* Element `offset` of any float type. */
static float element(const void *data, int64_t offset, enum heed_dtype dtype) {
    if (dtype == HEED_F32)
        return ((const float *)data)[offset];
    const uint16_t half = ((const uint16_t *)data)[offset];
    return dtype == HEED_F16 ? heed_f16_to_f32(half) : heed_bf16_to_f32(half);
}

void heedi_avx2_pack_panel(const struct cpu_operand *b, int64_t offset, int64_t k_stride,
                           int64_t n_stride, int64_t k, int64_t n, int64_t panel, float *target) {
    const enum heed_dtype dtype = b->desc->dtype;
    const int64_t first = panel * TILE_COLUMNS;
    const int64_t columns = n - first < TILE_COLUMNS ? n - first : TILE_COLUMNS;
    offset += first * n_stride;
    if (columns == TILE_COLUMNS && dtype == HEED_F32 && n_stride == 1) {
        const float *source = (const float *)b->data + offset;
        for (int64_t p = 0; p < k; p++)
            memcpy(target + p * TILE_COLUMNS, source + p * k_stride, TILE_COLUMNS * sizeof *target);
        return;
    }
    if (columns == TILE_COLUMNS && dtype == HEED_F32 && k_stride == 1) {
        for (int64_t j = 0; j < TILE_COLUMNS; j += 8)
            transpose_lines_f32((const float *)b->data + offset + j * n_stride, n_stride, k,
                                target + j, TILE_COLUMNS);
        return;
    }
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < TILE_COLUMNS; j++)
            target[p * TILE_COLUMNS + j] =
                j < columns ? element(b->data, offset + p * k_stride + j * n_stride, dtype) : 0.0f;
}

void heedi_avx2_pack_strip(const struct cpu_operand *a, int64_t offset, int64_t row_stride,
                           int64_t k_stride, int64_t m, int64_t k, int64_t row, float *target) {
    const enum heed_dtype dtype = a->desc->dtype;
    const int64_t rows = m - row < TILE_ROWS ? m - row : TILE_ROWS;
    offset += row * row_stride;
    int64_t p = 0;
    if (dtype == HEED_F32 && k_stride == 1) {
        const float *source = (const float *)a->data + offset;
        for (; p + 8 <= k; p += 8) {
            __m256 lines[8];
            for (int64_t r = 0; r < 8; r++)
                lines[r] =
                    r < rows ? _mm256_loadu_ps(source + r * row_stride + p) : _mm256_setzero_ps();
            transpose_8x8(lines);
            /* Each store's last two lanes are overwritten by the next. */
            for (int64_t i = 0; i < 7; i++)
                _mm256_storeu_ps(target + (p + i) * TILE_ROWS, lines[i]);
            _mm256_maskstore_ps(target + (p + 7) * TILE_ROWS, vector_mask(TILE_ROWS), lines[7]);
        }
    }
    for (; p < k; p++)
        for (int64_t r = 0; r < TILE_ROWS; r++)
            target[p * TILE_ROWS + r] =
                r < rows ? element(a->data, offset + r * row_stride + p * k_stride, dtype) : 0.0f;
}

/* ---- constant b ---- */

struct packing {
    const struct heed_host *host;
    bool transposed; /* the weight is [n, k] */
    const void *source;
    struct avx2_panels *panels;
};

/* Panels [begin, end) of a weight, in its own type. */
static void pack_range(void *arg, int64_t begin, int64_t end) {
    const struct packing *work = arg;
    const struct avx2_panels *panels = work->panels;
    const int64_t n = panels->n, k = panels->k;
    const size_t bytes = heed_dtype_bytes(panels->dtype);
    const char *source = work->source;
    for (int64_t panel = begin; panel < end; panel++) {
        char *target = (char *)panels->data + (size_t)(panel * k * TILE_COLUMNS) * bytes;
        const int64_t first = panel * TILE_COLUMNS;
        const int64_t columns = n - first < TILE_COLUMNS ? n - first : TILE_COLUMNS;
        if (!work->transposed) {
            for (int64_t p = 0; p < k; p++)
                memcpy(target + (size_t)(p * TILE_COLUMNS) * bytes,
                       source + (size_t)(p * n + first) * bytes, (size_t)columns * bytes);
            continue;
        }
        int64_t j = 0;
        for (; j + 8 <= columns; j += 8) {
            const char *lines = source + (size_t)((first + j) * k) * bytes;
            if (bytes == sizeof(float))
                transpose_lines_f32((const float *)(const void *)lines, k, k,
                                    (float *)(void *)target + j, TILE_COLUMNS);
            else
                transpose_lines_16((const uint16_t *)(const void *)lines, k, k,
                                   (uint16_t *)(void *)target + j, TILE_COLUMNS);
        }
        for (; j < columns; j++)
            for (int64_t p = 0; p < k; p++)
                memcpy(target + (size_t)(p * TILE_COLUMNS + j) * bytes,
                       source + (size_t)((first + j) * k + p) * bytes, bytes);
    }
}

static void panels_destroy(void *object) {
    struct avx2_panels *panels = object;
    if (panels == NULL)
        return;
    const struct heed_host *host = panels->host;
    heedi_common_free(host, panels->data);
    heedi_common_free(host, panels);
}

static enum heed_status pack(void *arg, const struct heed_tensor_desc *desc, const void *data,
                             void **object, size_t *bytes, struct heed_error *error) {
    struct packing *work = arg;
    const size_t element_bytes = heed_dtype_bytes(desc->dtype);
    struct avx2_panels *panels = heedi_common_calloc(work->host, 1, sizeof *panels);
    size_t elems = 0;
    if (panels == NULL)
        goto fail;
    panels->host = work->host;
    panels->dtype = desc->dtype;
    panels->n = desc->dims[work->transposed ? 0 : 1];
    panels->k = desc->dims[work->transposed ? 1 : 0];
    const int64_t count = (panels->n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    elems = (size_t)count * TILE_COLUMNS * (size_t)panels->k;
    if (elems > SIZE_MAX / element_bytes)
        goto fail;
    panels->data = work->host->allocate(work->host->handle, elems * element_bytes, 64);
    if (panels->data == NULL)
        goto fail;
    if (panels->n % TILE_COLUMNS != 0) /* zeros beyond n */
        memset((char *)panels->data +
                   (size_t)((count - 1) * TILE_COLUMNS * panels->k) * element_bytes,
               0, (size_t)(TILE_COLUMNS * panels->k) * element_bytes);
    work->source = data;
    work->panels = panels;
    work->host->parallel_for(work->host->handle, count, 8, pack_range, work);
    *object = panels;
    *bytes = elems * element_bytes;
    return HEED_OK;

fail:
    panels_destroy(panels);
    return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                             "out of memory for a packed weight of %zu elements", elems);
}

enum heed_status heedi_avx2_acquire_panels(struct heed_plugin *plugin, const struct cpu_node *node,
                                           struct heed_prepared **prepared,
                                           const struct avx2_panels **panels,
                                           struct heed_error *error) {
    struct packing work = {.host = plugin->host};
    void *object = NULL;
    *panels = NULL;
    if (!heedi_cpu_matmul_constant(node, &work.transposed))
        return HEED_OK;
    const enum heed_status status =
        plugin->host->prepared_acquire(plugin->host->handle, node->in[MATMUL_B].weight_id,
                                       work.transposed ? "panel16_nk" : "panel16_kn", pack,
                                       panels_destroy, &work, 0, prepared, &object, error);
    if (status == HEED_OK)
        *panels = object;
    return status;
}
