/* SPDX-License-Identifier: Apache-2.0 */
/* What most kernels need: reading and writing elements of any type, and reductions whose order of
 * summation depends on the length alone. */
#include <string.h>

#include "scalar.h"

const float *heedi_scalar_load(const struct cpu_operand *x, int64_t offset, int64_t stride,
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

float heedi_scalar_load_one(const struct cpu_operand *x, int64_t offset) {
    float value = 0.0f;
    return *heedi_scalar_load(x, offset, 1, 1, &value);
}

void heedi_scalar_store(const struct cpu_operand *y, int64_t offset, int64_t count,
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
