/* SPDX-License-Identifier: Apache-2.0 */
/* What most kernels need: reading and writing elements of any type, walking strided tensors, and
 * reductions whose order of summation depends on the length alone. */
#include <string.h>

#include "scalar.h"

bool heedi_scalar_present(const struct scalar_tensor *tensor) {
    return tensor->storage >= 0;
}

bool heedi_scalar_is_float(const struct scalar_tensor *tensor) {
    return heedi_scalar_present(tensor) &&
           (tensor->desc.dtype == HEED_F32 || tensor->desc.dtype == HEED_F16 ||
            tensor->desc.dtype == HEED_BF16);
}

const float *heedi_scalar_load(const struct scalar_operand *x, int64_t offset, int64_t stride,
                               int64_t count, float *buffer) {
    const float *f32 = x->data;
    const uint16_t *half = x->data;
    const int32_t *i32 = x->data;
    const int8_t *i8 = x->data;
    switch (x->desc->dtype) {
    case HEED_F32:
        if (stride == 1)
            return f32 + offset;
        for (int64_t i = 0; i < count; i++)
            buffer[i] = f32[offset + i * stride];
        break;
    case HEED_F16:
        for (int64_t i = 0; i < count; i++)
            buffer[i] = heed_f16_to_f32(half[offset + i * stride]);
        break;
    case HEED_BF16:
        for (int64_t i = 0; i < count; i++)
            buffer[i] = heed_bf16_to_f32(half[offset + i * stride]);
        break;
    case HEED_I32:
        for (int64_t i = 0; i < count; i++)
            buffer[i] = (float)i32[offset + i * stride];
        break;
    case HEED_I8:
        for (int64_t i = 0; i < count; i++)
            buffer[i] = (float)i8[offset + i * stride];
        break;
    case HEED_Q8_0: /* its elements are no numbers */
    case HEED_DTYPE_NONE:
        break;
    }
    return buffer;
}

float heedi_scalar_load_one(const struct scalar_operand *x, int64_t offset) {
    float value = 0.0f;
    return *heedi_scalar_load(x, offset, 1, 1, &value);
}

int32_t heedi_scalar_load_i32(const struct scalar_operand *x, int64_t offset) {
    return ((const int32_t *)x->data)[offset];
}

float *heedi_scalar_target(const struct scalar_operand *y, int64_t offset, float *buffer) {
    return y->desc->dtype == HEED_F32 ? (float *)y->data + offset : buffer;
}

void heedi_scalar_store(const struct scalar_operand *y, int64_t offset, int64_t count,
                        const float *values) {
    float *f32 = y->data;
    uint16_t *half = y->data;
    switch (y->desc->dtype) {
    case HEED_F32:
        if (count > 0 && values != f32 + offset)
            memcpy(f32 + offset, values, (size_t)count * sizeof *values);
        break;
    case HEED_F16:
        for (int64_t i = 0; i < count; i++)
            half[offset + i] = heed_f32_to_f16(values[i]);
        break;
    case HEED_BF16:
        for (int64_t i = 0; i < count; i++)
            half[offset + i] = heed_f32_to_bf16(values[i]);
        break;
    case HEED_I32: /* results of these types are never computed in f32 */
    case HEED_I8:
    case HEED_Q8_0:
    case HEED_DTYPE_NONE:
        break;
    }
}

void heedi_scalar_zero(const struct scalar_operand *y, int64_t offset, int64_t count) {
    const size_t bytes = heed_dtype_bytes(y->desc->dtype);
    if (count > 0)
        memset((char *)y->data + (size_t)offset * bytes, 0, (size_t)count * bytes);
}

void heedi_scalar_move(void *target, const void *source, int64_t source_stride, int64_t count,
                       size_t bytes) {
    if (count <= 0)
        return;
    if (source_stride == 1 || count == 1) {
        memcpy(target, source, (size_t)count * bytes);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t from = i * source_stride;
        switch (bytes) {
        case 1:
            ((uint8_t *)target)[i] = ((const uint8_t *)source)[from];
            break;
        case 2:
            ((uint16_t *)target)[i] = ((const uint16_t *)source)[from];
            break;
        default:
            ((uint32_t *)target)[i] = ((const uint32_t *)source)[from];
            break;
        }
    }
}

int64_t heedi_scalar_offset(const struct heed_tensor_desc *desc, uint32_t dims, int64_t index) {
    int64_t offset = 0;
    for (uint32_t i = dims; i-- > 0;) {
        offset += index % desc->dims[i] * desc->strides[i];
        index /= desc->dims[i];
    }
    return offset;
}

int64_t heedi_scalar_rows(const struct heed_tensor_desc *desc) {
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < desc->rank; i++)
        rows *= desc->dims[i];
    return rows;
}

void heedi_scalar_parallel(const struct scalar_call *call, int64_t count, int64_t cost,
                           heed_range_fn fn, void *arg) {
    enum { PIECE_FLOPS = 32768 }; /* some ten microseconds */
    const int64_t grain = cost < PIECE_FLOPS ? PIECE_FLOPS / (cost > 0 ? cost : 1) : 1;
    if (count > 0)
        call->host->parallel_for(call->host->handle, count, grain, fn, arg);
}

/* Strides of an operand along the dimensions of `y`: 0 where it repeats. */
static void broadcast_strides(const struct heed_tensor_desc *y, const struct heed_tensor_desc *x,
                              int64_t strides[HEED_MAX_RANK]) {
    for (uint32_t i = 0; i < HEED_MAX_RANK; i++) {
        const int64_t in_x = (int64_t)i - (int64_t)y->rank + (int64_t)x->rank;
        strides[i] = i < y->rank && in_x >= 0 && x->dims[in_x] != 1 ? x->strides[in_x] : 0;
    }
}

struct scalar_loop heedi_scalar_loop(const struct heed_tensor_desc *y,
                                     const struct heed_tensor_desc *a,
                                     const struct heed_tensor_desc *b) {
    int64_t strides[2][HEED_MAX_RANK];
    broadcast_strides(y, a, strides[0]);
    broadcast_strides(y, b != NULL ? b : a, strides[1]);

    /* Fill the loop from its innermost dimension, which grows as long as both operands go on with
     * one stride. */
    struct scalar_loop loop = {.dims = {1, 1, 1, 1}};
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
    loop.blocks = (loop.dims[3] + SCALAR_BLOCK - 1) / SCALAR_BLOCK;
    loop.units = loop.dims[0] * loop.dims[1] * loop.dims[2] * loop.blocks;
    return loop;
}

struct scalar_unit heedi_scalar_unit_at(const struct scalar_loop *loop, int64_t unit) {
    int64_t row = unit / loop->blocks;
    const int64_t start = unit % loop->blocks * SCALAR_BLOCK;
    const int64_t left = loop->dims[3] - start;
    struct scalar_unit at = {
        .y = row * loop->dims[3] + start,
        .x = {start * loop->strides[0][3], start * loop->strides[1][3]},
        .count = left < SCALAR_BLOCK ? left : SCALAR_BLOCK,
    };
    for (int i = HEED_MAX_RANK - 1; i-- > 0;) {
        at.x[0] += row % loop->dims[i] * loop->strides[0][i];
        at.x[1] += row % loop->dims[i] * loop->strides[1][i];
        row /= loop->dims[i];
    }
    return at;
}

void heedi_scalar_sum(float lanes[SCALAR_LANES], const float *x, int64_t count) {
    int64_t i = 0;
    for (; i + SCALAR_LANES <= count; i += SCALAR_LANES)
        for (int j = 0; j < SCALAR_LANES; j++)
            lanes[j] += x[i + j];
    for (int j = 0; i < count; i++, j++)
        lanes[j] += x[i];
}

void heedi_scalar_dot(float lanes[SCALAR_LANES], const float *x, const float *y, int64_t count) {
    int64_t i = 0;
    for (; i + SCALAR_LANES <= count; i += SCALAR_LANES)
        for (int j = 0; j < SCALAR_LANES; j++)
            lanes[j] += x[i + j] * y[i + j];
    for (int j = 0; i < count; i++, j++)
        lanes[j] += x[i] * y[i];
}

float heedi_scalar_fold(const float lanes[SCALAR_LANES]) {
    float sums[SCALAR_LANES];
    memcpy(sums, lanes, sizeof sums);
    for (int width = SCALAR_LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++)
            sums[j] += sums[j + width];
    return sums[0];
}
