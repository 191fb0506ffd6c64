/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels ask of shapes: walking strided and broadcast tensors, sharing out work. */
#include "cpu.h"

bool heedi_cpu_is_float(const struct cpu_tensor *tensor) {
    return heedi_cpu_present(tensor) &&
           (tensor->desc.dtype == HEED_F32 || tensor->desc.dtype == HEED_F16 ||
            tensor->desc.dtype == HEED_BF16);
}

void heedi_cpu_want_lines(struct cpu_node *node, uint32_t index) {
    const struct heed_tensor_desc *desc = &node->in[index].desc;
    if (!heedi_cpu_present(&node->in[index]) || desc->rank == 0)
        return;
    if (desc->dims[desc->rank - 1] > 1 && desc->strides[desc->rank - 1] != 1)
        node->contiguous |= 1u << index;
}

bool heedi_cpu_whole_weight(const struct cpu_tensor *tensor, bool *turned) {
    const struct heed_tensor_desc *x = &tensor->desc, *whole = &tensor->weight;
    if (tensor->weight_id == 0 || x->rank != 2 || whole->rank != 2 || tensor->offset_bytes != 0 ||
        heed_desc_elems(whole) == 0)
        return false;
    for (int i = 0; i < 2; i++) {
        const int row = i, column = 1 - i;
        *turned = i != 0;
        if (x->dims[row] == whole->dims[0] && x->dims[column] == whole->dims[1] &&
            (x->dims[row] == 1 || x->strides[row] == whole->dims[1]) &&
            (x->dims[column] == 1 || x->strides[column] == 1))
            return true;
    }
    return false;
}

int64_t heedi_cpu_offset(const struct heed_tensor_desc *desc, uint32_t dims, int64_t index) {
    int64_t offset = 0;
    for (uint32_t i = dims; i-- > 0;) {
        offset += index % desc->dims[i] * desc->strides[i];
        index /= desc->dims[i];
    }
    return offset;
}

int64_t heedi_cpu_rows(const struct heed_tensor_desc *desc) {
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < desc->rank; i++)
        rows *= desc->dims[i];
    return rows;
}

/* Strides of an operand along the dimensions of `y`: 0 where it repeats. */
static void broadcast_strides(const struct heed_tensor_desc *y, const struct heed_tensor_desc *x,
                              int64_t strides[HEED_MAX_RANK]) {
    for (uint32_t i = 0; i < HEED_MAX_RANK; i++) {
        const int64_t in_x = (int64_t)i - (int64_t)y->rank + (int64_t)x->rank;
        strides[i] = i < y->rank && in_x >= 0 && x->dims[in_x] != 1 ? x->strides[in_x] : 0;
    }
}

struct cpu_loop heedi_cpu_loop(const struct heed_tensor_desc *y, const struct heed_tensor_desc *a,
                               const struct heed_tensor_desc *b) {
    int64_t strides[2][HEED_MAX_RANK];
    broadcast_strides(y, a, strides[0]);
    broadcast_strides(y, b != NULL ? b : a, strides[1]);

    /* Fill the loop from its innermost dimension, which grows as long as both operands go on with
     * one stride. */
    struct cpu_loop loop = {.dims = {1, 1, 1, 1}};
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
    loop.blocks = (loop.dims[3] + CPU_BLOCK - 1) / CPU_BLOCK;
    loop.units = loop.dims[0] * loop.dims[1] * loop.dims[2] * loop.blocks;
    return loop;
}

struct cpu_unit heedi_cpu_unit_at(const struct cpu_loop *loop, int64_t unit) {
    int64_t row = unit / loop->blocks;
    const int64_t start = unit % loop->blocks * CPU_BLOCK;
    const int64_t left = loop->dims[3] - start;
    struct cpu_unit at = {
        .y = row * loop->dims[3] + start,
        .x = {start * loop->strides[0][3], start * loop->strides[1][3]},
        .count = left < CPU_BLOCK ? left : CPU_BLOCK,
    };
    for (int i = HEED_MAX_RANK - 1; i-- > 0;) {
        at.x[0] += row % loop->dims[i] * loop->strides[0][i];
        at.x[1] += row % loop->dims[i] * loop->strides[1][i];
        row /= loop->dims[i];
    }
    return at;
}

void heedi_cpu_parallel(const struct cpu_call *call, int64_t count, int64_t cost, heed_range_fn fn,
                        void *arg) {
    enum { PIECE_CYCLES = 32768 }; /* some ten microseconds, to wake a thread takes less */
    const int64_t grain = cost < PIECE_CYCLES ? PIECE_CYCLES / (cost > 0 ? cost : 1) : 1;
    if (count > 0)
        call->host->parallel_for(call->host->handle, count, grain, fn, arg);
}
