/* SPDX-License-Identifier: Apache-2.0 */
/* matmul from the inside: packed operands, shared by matmul.c and matmul_pack.c. */
#ifndef HEEDI_AVX2_MATMUL_H
#define HEEDI_AVX2_MATMUL_H

#include "avx2.h"
#include "backends/cpu/matmul.h"
#include "tile.h"

/* A packed weight: panels of 16 columns, [ceil(n / 16)][k][16], zeros beyond n, in the type of the
 * weight. Owned by the host, shared by programs. */
struct avx2_panels {
    const struct heed_host *host;
    int64_t n, k;
    enum heed_dtype dtype;
    void *data;
};

/* Panels of a constant b as the host makes them on demand. NULL and HEED_OK where b is not a whole
 * constant of two dimensions. */
enum heed_status heedi_avx2_acquire_panels(struct heed_plugin *plugin, const struct cpu_node *node,
                                           struct heed_prepared **prepared,
                                           const struct avx2_panels **panels,
                                           struct heed_error *error);

/* Panel `panel` of a [k, n] matrix with any strides to `target` [k][16] as f32. */
void heedi_avx2_pack_panel(const struct cpu_operand *b, int64_t offset, int64_t k_stride,
                           int64_t n_stride, int64_t k, int64_t n, int64_t panel, float *target);

/* Rows [row, row + 6) of an [m, k] matrix with any strides to `target` [k][6] as f32, zeros beyond
 * m.
 */
void heedi_avx2_pack_strip(const struct cpu_operand *a, int64_t offset, int64_t row_stride,
                           int64_t k_stride, int64_t m, int64_t k, int64_t row, float *target);

/* Bias (of these columns, or NULL), activation and rounding of `columns` finished sums, at most
 * TILE_PANELS * TILE_COLUMNS, to elements [offset, offset + columns) of y. */
void heedi_avx2_finish_row(const struct cpu_operand *y, int64_t offset, int64_t columns,
                           const float *sums, const float *bias, enum heed_activation activation);

#endif
