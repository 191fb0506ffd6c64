/* SPDX-License-Identifier: Apache-2.0 */
/* Transposing in registers, 8 by 8. */
#ifndef HEEDI_AVX2_TRANSPOSE_H
#define HEEDI_AVX2_TRANSPOSE_H

#include <immintrin.h>
#include <stdint.h>

/* rows[i][j] becomes rows[j][i]. */
static inline __attribute__((always_inline)) void transpose_8x8(__m256 rows[8]) {
    __m256 a[8], b[8];
    for (int i = 0; i < 4; i++) { /* pairs of neighbouring rows */
        a[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) { /* fours */
        b[4 * i] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
        b[4 * i + 1] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0xee);
        b[4 * i + 2] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
        b[4 * i + 3] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) { /* halves */
        rows[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        rows[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

/* target[p * target_stride + j] = source[j * source_stride + p] for j < 8, p < count. */
static inline void transpose_lines_f32(const float *source, int64_t source_stride, int64_t count,
                                       float *target, int64_t target_stride) {
    int64_t p = 0;
    for (; p + 8 <= count; p += 8) {
        __m256 rows[8];
        for (int j = 0; j < 8; j++)
            rows[j] = _mm256_loadu_ps(source + j * source_stride + p);
        transpose_8x8(rows);
        for (int j = 0; j < 8; j++)
            _mm256_storeu_ps(target + (p + j) * target_stride, rows[j]);
    }
    for (; p < count; p++)
        for (int j = 0; j < 8; j++)
            target[p * target_stride + j] = source[j * source_stride + p];
}

/* The same for elements of 16 bits. */
static inline void transpose_lines_16(const uint16_t *source, int64_t source_stride, int64_t count,
                                      uint16_t *target, int64_t target_stride) {
    int64_t p = 0;
    for (; p + 8 <= count; p += 8) {
        __m128i rows[8], pairs[8], fours[8];
        for (int j = 0; j < 8; j++)
            rows[j] = _mm_loadu_si128((const __m128i *)(source + j * source_stride + p));
        for (int j = 0; j < 4; j++) {
            pairs[j] = _mm_unpacklo_epi16(rows[2 * j], rows[2 * j + 1]);
            pairs[j + 4] = _mm_unpackhi_epi16(rows[2 * j], rows[2 * j + 1]);
        }
        for (int j = 0; j < 8; j += 4)
            for (int i = 0; i < 2; i++) {
                fours[j + i] = _mm_unpacklo_epi32(pairs[j + 2 * i], pairs[j + 2 * i + 1]);
                fours[j + i + 2] = _mm_unpackhi_epi32(pairs[j + 2 * i], pairs[j + 2 * i + 1]);
            }
        for (int j = 0; j < 8; j += 4)
            for (int i = 0; i < 4; i += 2) {
                rows[j + i] = _mm_unpacklo_epi64(fours[j + i], fours[j + i + 1]);
                rows[j + i + 1] = _mm_unpackhi_epi64(fours[j + i], fours[j + i + 1]);
            }
        for (int j = 0; j < 8; j++)
            _mm_storeu_si128((__m128i *)(target + (p + j) * target_stride), rows[j]);
    }
    for (; p < count; p++)
        for (int j = 0; j < 8; j++)
            target[p * target_stride + j] = source[j * source_stride + p];
}

#endif
