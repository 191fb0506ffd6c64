/* SPDX-License-Identifier: Apache-2.0 */
/* Elements that are moved without looking at them. */
#include <string.h>

#include "cpu.h"

int32_t heedi_cpu_load_i32(const struct cpu_operand *x, int64_t offset) {
    return ((const int32_t *)x->data)[offset];
}

float *heedi_cpu_target(const struct cpu_operand *y, int64_t offset, float *buffer) {
    return y->desc->dtype == HEED_F32 ? (float *)y->data + offset : buffer;
}

void heedi_cpu_zero(const struct cpu_operand *y, int64_t offset, int64_t count) {
    const size_t bytes = heed_dtype_bytes(y->desc->dtype);
    if (count > 0)
        memset((char *)y->data + (size_t)offset * bytes, 0, (size_t)count * bytes);
}

void heedi_cpu_move(void *target, const void *source, int64_t source_stride, int64_t count,
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
