/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over f32 arrays of any length, 8 values at a time, the last ones under a mask: an element's
 * bits do not depend on where in an array it stands. */
#ifndef HEEDI_AVX2_VECTOR_H
#define HEEDI_AVX2_VECTOR_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define VECTOR_INLINE static inline __attribute__((always_inline))

/* The first `count` of 8 lanes. */
VECTOR_INLINE __m256i vector_mask(int64_t count) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count < 8 ? (int)count : 8), lanes);
}

/* x[0..7], or as many as there are and zeros. */
VECTOR_INLINE __m256 vector_load(const float *x, int64_t count) {
    return count >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, vector_mask(count));
}

VECTOR_INLINE void vector_store(float *y, int64_t count, __m256 value) {
    if (count >= 8)
        _mm256_storeu_ps(y, value);
    else
        _mm256_maskstore_ps(y, vector_mask(count), value);
}

/* `value` where there are elements, `other` beyond. */
VECTOR_INLINE __m256 vector_select(int64_t count, __m256 value, float other) {
    if (count >= 8)
        return value;
    return _mm256_blendv_ps(_mm256_set1_ps(other), value, _mm256_castsi256_ps(vector_mask(count)));
}

/* Sum and maximum of the lanes; the maximum of a NaN and a number is the second operand's. */
VECTOR_INLINE float vector_sum(__m256 x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}

VECTOR_INLINE float vector_max(__m256 x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
}

/* Two running results, for lanes 0 to 7 and 8 to 15 of every 16 elements, so that neighbouring
 * operations need not wait for each other. */
struct vector_pair {
    __m256 at[2];
};

VECTOR_INLINE struct vector_pair vector_pair(float value) {
    const struct vector_pair pair = {{_mm256_set1_ps(value), _mm256_set1_ps(value)}};
    return pair;
}

/* Folds max(x[i]) of the elements that are not NaN into `pair`. A `count` that is no multiple of 16
 * must be the last of a row, here and below. */
VECTOR_INLINE void vector_fold_max(struct vector_pair *pair, const float *x, int64_t count) {
    for (int64_t i = 0; i < count; i += 8) {
        const __m256 value =
            vector_select(count - i, vector_load(x + i, count - i), -__builtin_inff());
        __m256 *at = &pair->at[i / 8 % 2];
        *at = _mm256_max_ps(value, *at);
    }
}

#endif
