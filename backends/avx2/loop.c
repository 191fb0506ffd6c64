/* SPDX-License-Identifier: Apache-2.0 */
/* Walking strided and broadcast tensors. */
#include "avx2.h"

/* Strides of an operand along the dimensions of `y`: 0 where it repeats. */
static void broadcast_strides(const struct heed_tensor_desc *y, const struct heed_tensor_desc *x,
                              int64_t strides[HEED_MAX_RANK]) {
    for (uint32_t i = 0; i < HEED_MAX_RANK; i++) {
        const int64_t in_x = (int64_t)i - (int64_t)y->rank + (int64_t)x->rank;
        strides[i] = i < y->rank && in_x >= 0 && x->dims[in_x] != 1 ? x->strides[in_x] : 0;
    }
}

struct avx2_loop heedi_avx2_loop(const struct heed_tensor_desc *y, const struct heed_tensor_desc *a,
                                 const struct heed_tensor_desc *b) {
    int64_t strides[2][HEED_MAX_RANK];
    broadcast_strides(y, a, strides[0]);
    broadcast_strides(y, b != NULL ? b : a, strides[1]);

    /* Fill the loop from its innermost dimension, which grows as long as both operands go on with
     * one stride. */
    struct avx2_loop loop = {.dims = {1, 1, 1, 1}};
    uint32_t slot = HEED_MAX_RANK - 1;
    for (uint32_t i = y->rank; i-- > 0;) {
        if (y->dims[i] == 1)
            continue;
        const bool first = loop.dims[slot] == 1;
        bool merges = true;
        for (int x = 0; x < 2; x++)
            merges = merges && strides[x][i] == loop.strides[x][slot] * loop.dims[slot];
        if (!first && !merges)
            slot--;
        if (first || !merges) {
            loop.strides[0][slot] = strides[0][i];
            loop.strides[1][slot] = strides[1][i];
        }
        loop.dims[slot] *= y->dims[i];
    }
    loop.blocks = (loop.dims[3] + AVX2_BLOCK - 1) / AVX2_BLOCK;
    loop.units = loop.dims[0] * loop.dims[1] * loop.dims[2] * loop.blocks;
    return loop;
}

struct avx2_unit heedi_avx2_unit_at(const struct avx2_loop *loop, int64_t unit) {
    int64_t row = unit / loop->blocks;
    const int64_t start = unit % loop->blocks * AVX2_BLOCK;
    const int64_t left = loop->dims[3] - start;
    struct avx2_unit at = {
        .y = row * loop->dims[3] + start,
        .x = {start * loop->strides[0][3], start * loop->strides[1][3]},
        .count = left < AVX2_BLOCK ? left : AVX2_BLOCK,
    };
    for (int i = HEED_MAX_RANK - 1; i-- > 0;) {
        at.x[0] += row % loop->dims[i] * loop->strides[0][i];
        at.x[1] += row % loop->dims[i] * loop->strides[1][i];
        row /= loop->dims[i];
    }
    return at;
}
