/* SPDX-License-Identifier: Apache-2.0 */
/* Packing i8 and q8_0 weights for matmul with quantised rows: constant ones once for all programs,
 * others on the way. */
#include <string.h>

#include "matmul_i8.h"

/* A [k, n] matrix with any strides; of q8_0, strides count blocks and b_k is 1. */
struct source {
    const void *data;
    enum heed_dtype dtype;
    int64_t k, n, b_k, b_n;
    struct avx2_i8_panels *panels;
};

static void pack_range(void *arg, int64_t begin, int64_t end) {
    const struct source *source = arg;
    const int64_t k_even = (source->k + 1) / 2 * 2, blocks = source->k / HEED_Q8_0_VALUES;
    for (int64_t panel = begin; panel < end; panel++) {
        int8_t *values = source->panels->values + panel * k_even * TILE_COLUMNS;
        const int64_t first = panel * TILE_COLUMNS, left = source->n - first;
        if (left < TILE_COLUMNS || k_even > source->k)
            memset(values, 0, (size_t)(k_even * TILE_COLUMNS));
        for (int64_t j = 0; j < TILE_COLUMNS && j < left; j++) {
            int8_t *target = values + 2 * j;
            if (source->dtype == HEED_I8) {
                const int8_t *b = (const int8_t *)source->data + (first + j) * source->b_n;
                for (int64_t p = 0; p < source->k; p++)
                    target[p / 2 * 2 * TILE_COLUMNS + p % 2] = b[p * source->b_k];
                continue;
            }
            const struct heed_q8_0 *b =
                (const struct heed_q8_0 *)source->data + (first + j) * source->b_n;
            for (int64_t p = 0; p < source->k; p++)
                target[p / 2 * 2 * TILE_COLUMNS + p % 2] =
                    b[p / HEED_Q8_0_VALUES].values[p % HEED_Q8_0_VALUES];
        }
        if (source->dtype != HEED_Q8_0)
            continue;
        float *scales = source->panels->scales + panel * blocks * TILE_COLUMNS;
        const struct heed_q8_0 *b = (const struct heed_q8_0 *)source->data + first * source->b_n;
        for (int64_t block = 0; block < blocks; block++)
            for (int64_t j = 0; j < TILE_COLUMNS; j++)
                scales[block * TILE_COLUMNS + j] =
                    j < left ? heed_f16_to_f32(b[j * source->b_n + block].scale) : 0.0f;
    }
}

/* Bytes of the values and of the scales of all panels, each rounded up to 64. */
static size_t value_bytes(const struct source *source) {
    const size_t columns = (size_t)((source->n + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS);
    return (columns * (size_t)((source->k + 1) / 2 * 2) + 63) / 64 * 64;
}

static size_t scale_bytes(const struct source *source) {
    const size_t columns = (size_t)((source->n + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS);
    return (columns * (size_t)(source->k / HEED_Q8_0_VALUES) * sizeof(float) + 63) / 64 * 64;
}

char *heedi_avx2_pack_i8(const struct cpu_call *call, int64_t k, int64_t n, char *scratch,
                         struct avx2_i8_panels *panels) {
    const struct heed_tensor_desc *b = call->in[MATMUL_B].desc;
    const uint32_t transposed = call->node->attrs.matmul.transpose_b;
    struct source source = {.data = call->in[MATMUL_B].data,
                            .dtype = b->dtype,
                            .k = k,
                            .n = n,
                            .b_k = b->strides[transposed ? 1 : 0],
                            .b_n = b->strides[transposed ? 0 : 1],
                            .panels = panels};
    *panels = (struct avx2_i8_panels){.values = (int8_t *)scratch};
    scratch += value_bytes(&source);
    if (b->dtype == HEED_Q8_0) {
        panels->scales = (float *)(void *)scratch;
        scratch += scale_bytes(&source);
    }
    heedi_cpu_parallel(call, (n + TILE_COLUMNS - 1) / TILE_COLUMNS, 32 * k, pack_range, &source);
    return scratch;
}

/* ---- constant b ---- */

struct packing {
    const struct heed_host *host;
    bool transposed; /* the weight is [n, k] */
};

static void panels_destroy(void *object) {
    struct avx2_i8_panels *panels = object;
    if (panels == NULL)
        return;
    const struct heed_host *host = panels->host;
    heedi_cpu_free(host, panels->values);
    heedi_cpu_free(host, panels->scales);
    heedi_cpu_free(host, panels);
}

static enum heed_status pack(void *arg, const struct heed_tensor_desc *desc, const void *data,
                             void **object, size_t *bytes, struct heed_error *error) {
    const struct packing *packing = arg;
    const int64_t k = desc->dims[packing->transposed ? 1 : 0] * heed_dtype_values(desc->dtype);
    struct source source = {.data = data,
                            .dtype = desc->dtype,
                            .k = k,
                            .n = desc->dims[packing->transposed ? 0 : 1],
                            .b_k = packing->transposed ? 1 : desc->dims[1],
                            .b_n = packing->transposed ? desc->dims[1] : 1};
    struct avx2_i8_panels *panels = heedi_cpu_calloc(packing->host, 1, sizeof *panels);
    if (panels == NULL)
        goto fail;
    panels->host = packing->host;
    panels->values = packing->host->allocate(packing->host->handle, value_bytes(&source), 64);
    if (desc->dtype == HEED_Q8_0)
        panels->scales = packing->host->allocate(packing->host->handle, scale_bytes(&source), 64);
    if (panels->values == NULL || (desc->dtype == HEED_Q8_0 && panels->scales == NULL))
        goto fail;
    source.panels = panels;
    packing->host->parallel_for(packing->host->handle, (source.n + TILE_COLUMNS - 1) / TILE_COLUMNS,
                                8, pack_range, &source);
    *object = panels;
    *bytes = value_bytes(&source) + (panels->scales != NULL ? scale_bytes(&source) : 0);
    return HEED_OK;

fail:
    panels_destroy(panels);
    return heedi_cpu_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                          "out of memory for a packed weight of %zu bytes", value_bytes(&source));
}

enum heed_status heedi_avx2_acquire_i8_panels(struct heed_plugin *plugin,
                                              const struct heed_subgraph *subgraph,
                                              struct cpu_node *node,
                                              const struct avx2_i8_panels **panels,
                                              struct heed_error *error) {
    struct packing packing = {.host = plugin->host};
    uint64_t weight_id = 0;
    void *object = NULL;
    *panels = NULL;
    if (!heedi_avx2_whole_constant(subgraph, node, &packing.transposed, &weight_id))
        return HEED_OK;
    const enum heed_status status = plugin->host->prepared_acquire(
        plugin->host->handle, weight_id, packing.transposed ? "i8_pair16_nk" : "i8_pair16_kn", pack,
        panels_destroy, &packing, 0, &node->prepared, &object, error);
    if (status == HEED_OK)
        *panels = object;
    return status;
}
