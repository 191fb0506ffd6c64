/* SPDX-License-Identifier: Apache-2.0 */
/* What most kernels need: reading and writing elements of any float type. */
#include <immintrin.h>
#include <string.h>

#include "avx2.h"
#include "tile.h"

const float *heedi_avx2_load(const struct cpu_operand *x, int64_t offset, int64_t count,
                             float *buffer) {
    const enum heed_dtype dtype = x->desc->dtype;
    if (dtype == HEED_F32)
        return (const float *)x->data + offset;
    const uint16_t *half = (const uint16_t *)x->data + offset;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(buffer + i, tile_load(half, i, dtype));
    for (; i < count; i++)
        buffer[i] = dtype == HEED_F16 ? heed_f16_to_f32(half[i]) : heed_bf16_to_f32(half[i]);
    return buffer;
}

const float *heedi_avx2_load_strided(const struct cpu_operand *x, int64_t offset, int64_t stride,
                                     int64_t count, float *buffer) {
    if (stride == 1)
        return heedi_avx2_load(x, offset, count, buffer);
    for (int64_t i = 0; i < count; i++)
        buffer[i] = stride == 0 && i > 0 ? buffer[0] : heedi_avx2_load_one(x, offset + i * stride);
    return buffer;
}

float heedi_avx2_load_one(const struct cpu_operand *x, int64_t offset) {
    float value = 0.0f;
    return *heedi_avx2_load(x, offset, 1, &value);
}

/* 8 values rounded to bf16, to nearest, ties to even; NaN stays NaN. */
static __m128i to_bf16(__m256 values) {
    const __m256i bits = _mm256_castps_si256(values);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256 nan = _mm256_cmp_ps(values, values, _CMP_UNORD_Q);
    rounded = _mm256_blendv_epi8(rounded, _mm256_or_si256(bits, _mm256_set1_epi32(0x400000)),
                                 _mm256_castps_si256(nan));
    rounded = _mm256_srli_epi32(rounded, 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
}

void heedi_avx2_store(const struct cpu_operand *y, int64_t offset, int64_t count,
                      const float *values) {
    const enum heed_dtype dtype = y->desc->dtype;
    if (dtype == HEED_F32) {
        float *f32 = (float *)y->data + offset;
        if (count > 0 && values != f32)
            memcpy(f32, values, (size_t)count * sizeof *values);
        return;
    }
    uint16_t *half = (uint16_t *)y->data + offset;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256 x = _mm256_loadu_ps(values + i);
        const __m128i rounded =
            dtype == HEED_F16 ? _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT) : to_bf16(x);
        _mm_storeu_si128((void *)(half + i), rounded);
    }
    for (; i < count; i++)
        half[i] = dtype == HEED_F16 ? heed_f32_to_f16(values[i]) : heed_f32_to_bf16(values[i]);
}
