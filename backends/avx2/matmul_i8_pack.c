/* SPDX-License-Identifier: Apache-2.0 */
/* Packing i8 and q8_0 weights for matmul with quantised rows: constant ones once for all programs,
 * others on the way. */
#include <string.h>

#include "matmul.h"
#include "matmul_i8.h"

/* A [k, n] matrix with any strides; of q8_0, strides count blocks and b_k is 1. */
struct source {
    const void *data;
    enum heed_dtype dtype;
    int64_t k, n, b_k, b_n;
    int64_t unit;
    struct avx2_i8_panels *panels;
};

static int64_t panel_count(const struct source *source) {
    return (source->n + TILE_COLUMNS - 1) / TILE_COLUMNS;
}

static int64_t block_count(const struct source *source) {
    return source->dtype == HEED_Q8_0 ? source->k / HEED_Q8_0_VALUES : 1;
}

/* `count` values, b_k apart, to where a column of a panel has them: `unit` together, each such
 * group 16 units after the one before. Returns their sum. */
TILE_INLINE int32_t pack_values(const int8_t *b, int64_t b_k, int64_t count, const int64_t unit,
                                int8_t *target) {
    int32_t sum = 0;
    int64_t p = 0;
    for (; b_k == 1 && p + unit <= count; p += unit)
        memcpy(target + p * TILE_COLUMNS, b + p, (size_t)unit);
    for (; p < count; p++)
        target[p / unit * unit * TILE_COLUMNS + p % unit] = b[p * b_k];
    for (p = 0; p < count; p++)
        sum += b[p * b_k];
    return sum;
}

/* The same; returns the start of the sums, see matmul_i8.h. */
static int32_t pack_some(const struct source *source, const int8_t *b, int64_t count,
                         int8_t *target) {
    if (source->unit == 4)
        return (int32_t)(-128u * (uint32_t)pack_values(b, source->b_k, count, 4, target));
    (void)pack_values(b, source->b_k, count, 2, target);
    return 0;
}

static void pack_range(void *arg, int64_t begin, int64_t end) {
    const struct source *source = arg;
    const struct avx2_i8_panels *panels = source->panels;
    const int64_t unit = source->unit, blocks = block_count(source);
    const int64_t k_whole = (source->k + unit - 1) / unit * unit;
    for (int64_t panel = begin; panel < end; panel++) {
        int8_t *values = panels->values + panel * k_whole * TILE_COLUMNS;
        int32_t *starts = panels->starts + panel * blocks * TILE_COLUMNS;
        const int64_t first = panel * TILE_COLUMNS, left = source->n - first;
        if (left < TILE_COLUMNS || k_whole > source->k) {
            memset(values, 0, (size_t)(k_whole * TILE_COLUMNS));
            memset(starts, 0, (size_t)(blocks * TILE_COLUMNS) * sizeof *starts);
        }
        for (int64_t j = 0; source->dtype == HEED_I8 && j < TILE_COLUMNS && j < left; j++)
            starts[j] = pack_some(source, (const int8_t *)source->data + (first + j) * source->b_n,
                                  source->k, values + j * unit);
        if (source->dtype == HEED_I8)
            continue;
        float *scales = panels->scales + panel * blocks * TILE_COLUMNS;
        for (int64_t j = 0; j < TILE_COLUMNS; j++) {
            const struct heed_q8_0 *b =
                (const struct heed_q8_0 *)source->data + (first + j) * source->b_n;
            for (int64_t block = 0; block < blocks; block++) {
                const int64_t at = block * TILE_COLUMNS + j;
                scales[at] = j < left ? heed_f16_to_f32(b[block].scale) : 0.0f;
                if (j < left)
                    starts[at] =
                        pack_some(source, b[block].values, HEED_Q8_0_VALUES,
                                  values + block * HEED_Q8_0_VALUES * TILE_COLUMNS + j * unit);
            }
        }
    }
}

/* Bytes of all panels, more than 0 and multiples of 64. 0: too many. */
struct sizes {
    size_t values, starts, scales;
};

static struct sizes sizes_of(const struct source *source) {
    const int64_t most = INT64_MAX / 64, columns = panel_count(source) * TILE_COLUMNS;
    const int64_t k_whole = (source->k + source->unit - 1) / source->unit * source->unit;
    struct sizes sizes = {0, 0, 0};
    if (columns > 0 && k_whole > most / columns)
        return sizes;
    sizes.values = (size_t)(columns * k_whole) / 64 * 64 + 64;
    sizes.starts = (size_t)(columns * block_count(source)) * sizeof(int32_t) + 64;
    sizes.scales = source->dtype == HEED_Q8_0 ? sizes.starts : 0; /* an f32 each */
    return sizes;
}

size_t heedi_avx2_i8_panels_bytes(const struct heed_tensor_desc *b, int64_t k, int64_t n,
                                  const struct avx2_i8 *form) {
    const struct source source = {.dtype = b->dtype, .k = k, .n = n, .unit = form->unit};
    const struct sizes sizes = sizes_of(&source);
    return sizes.values + sizes.starts + sizes.scales;
}

void heedi_avx2_pack_i8(const struct cpu_call *call, const struct avx2_i8 *form, int64_t k,
                        int64_t n, void *memory, struct avx2_i8_panels *panels) {
    const struct heed_tensor_desc *b = call->in[MATMUL_B].desc;
    const uint32_t transposed = call->node->attrs.matmul.transpose_b;
    struct source source = {.data = call->in[MATMUL_B].data,
                            .dtype = b->dtype,
                            .k = k,
                            .n = n,
                            .b_k = b->strides[transposed ? 1 : 0],
                            .b_n = b->strides[transposed ? 0 : 1],
                            .unit = form->unit,
                            .panels = panels};
    const struct sizes sizes = sizes_of(&source);
    char *bytes = memory;
    *panels = (struct avx2_i8_panels){.values = memory,
                                      .starts = (int32_t *)(void *)(bytes + sizes.values)};
    if (b->dtype == HEED_Q8_0)
        panels->scales = (float *)(void *)(bytes + sizes.values + sizes.starts);
    heedi_cpu_parallel(call, panel_count(&source), 32 * k, pack_range, &source);
}

/* ---- constant b ---- */

struct packing {
    const struct heed_host *host;
    int64_t unit;
    bool transposed; /* the weight is [n, k] */
};

static void panels_destroy(void *object) {
    struct avx2_i8_panels *panels = object;
    if (panels == NULL)
        return;
    const struct heed_host *host = panels->host;
    heedi_common_free(host, panels->values);
    heedi_common_free(host, panels->starts);
    heedi_common_free(host, panels->scales);
    heedi_common_free(host, panels);
}

static enum heed_status pack(void *arg, const struct heed_tensor_desc *desc, const void *data,
                             void **object, size_t *bytes, struct heed_error *error) {
    const struct packing *packing = arg;
    const struct heed_host *host = packing->host;
    const int64_t k = desc->dims[packing->transposed ? 1 : 0] * heed_dtype_values(desc->dtype);
    struct source source = {.data = data,
                            .dtype = desc->dtype,
                            .k = k,
                            .n = desc->dims[packing->transposed ? 0 : 1],
                            .b_k = packing->transposed ? 1 : desc->dims[1],
                            .b_n = packing->transposed ? desc->dims[1] : 1,
                            .unit = packing->unit};
    const struct sizes sizes = sizes_of(&source);
    struct avx2_i8_panels *panels = heedi_common_calloc(host, 1, sizeof *panels);
    if (panels == NULL)
        goto fail;
    panels->host = host;
    panels->values = host->allocate(host->handle, sizes.values, 64);
    panels->starts = host->allocate(host->handle, sizes.starts, 64);
    if (sizes.scales > 0)
        panels->scales = host->allocate(host->handle, sizes.scales, 64);
    if (panels->values == NULL || panels->starts == NULL ||
        (sizes.scales > 0 && panels->scales == NULL))
        goto fail;
    source.panels = panels;
    host->parallel_for(host->handle, panel_count(&source), 8, pack_range, &source);
    *object = panels;
    *bytes = sizes.values + sizes.starts + sizes.scales;
    return HEED_OK;

fail:
    panels_destroy(panels);
    return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                             "out of memory for a packed weight of %zu bytes", sizes.values);
}

enum heed_status heedi_avx2_acquire_i8_panels(struct heed_plugin *plugin, struct cpu_node *node,
                                              const struct avx2_i8 *form,
                                              const struct avx2_i8_panels **panels,
                                              struct heed_error *error) {
    struct packing packing = {.host = plugin->host, .unit = form->unit};
    void *object = NULL;
    *panels = NULL;
    if (!heedi_cpu_matmul_constant(node, &packing.transposed))
        return HEED_OK;
    const enum heed_status status = plugin->host->prepared_acquire(
        plugin->host->handle, node->in[MATMUL_B].weight_id,
        packing.transposed ? form->layout_nk : form->layout_kn, pack, panels_destroy, &packing, 0,
        &node->prepared, &object, error);
    if (status == HEED_OK)
        *panels = object;
    return status;
}
