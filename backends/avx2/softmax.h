/* SPDX-License-Identifier: Apache-2.0 */
/* What softmax, log_softmax and argmax share: the maximum of a row, where it is, and the sum of its
 * exponentials. */
#ifndef HEEDI_AVX2_SOFTMAX_H
#define HEEDI_AVX2_SOFTMAX_H

#include <math.h>

#include "avx2.h"
#include "functions.h"
#include "vector.h"

struct softmax {
    const struct cpu_call *call;
    int64_t n;
};

static inline struct softmax softmax_work(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[0].desc;
    const struct softmax work = {call, x->dims[x->rank - 1]};
    return work;
}

/* Elements [i, i + count) of a row. */
static inline const float *softmax_load(const struct softmax *work, int64_t row, int64_t i,
                                        int64_t count, float *buffer) {
    const struct cpu_operand *x = &work->call->in[0];
    return heedi_avx2_load(x, heedi_cpu_offset(x->desc, x->desc->rank - 1, row) + i, count, buffer);
}

/* The greatest element that is not NaN; -inf if there is none. */
static inline float softmax_greatest(const struct softmax *work, int64_t row) {
    float buffer[CPU_BLOCK];
    struct vector_pair most = vector_pair(-INFINITY);
    for (int64_t i = 0; i < work->n; i += CPU_BLOCK) {
        const int64_t count = work->n - i < CPU_BLOCK ? work->n - i : CPU_BLOCK;
        vector_fold_max(&most, softmax_load(work, row, i, count, buffer), count);
    }
    return vector_max(_mm256_max_ps(most.at[0], most.at[1]));
}

/* The first index at which the row is `max`; 0 if it is nowhere, as in a row of NaN. */
static inline int64_t softmax_find(const struct softmax *work, int64_t row, float max) {
    float buffer[CPU_BLOCK];
    for (int64_t i = 0; i < work->n; i += CPU_BLOCK) {
        const int64_t count = work->n - i < CPU_BLOCK ? work->n - i : CPU_BLOCK;
        const float *x = softmax_load(work, row, i, count, buffer);
        for (int64_t j = 0; j < count; j += 8) {
            const __m256 value = vector_select(count - j, vector_load(x + j, count - j), NAN);
            const int hits =
                _mm256_movemask_ps(_mm256_cmp_ps(value, _mm256_set1_ps(max), _CMP_EQ_OQ));
            if (hits != 0)
                return i + j + __builtin_ctz((unsigned)hits);
        }
    }
    return 0;
}

/* What to shift a row by: 0 for a row of -inf, whose exponentials are then 0 (or NaN where it is).
 */
static inline float softmax_shift(float greatest) {
    return greatest == -INFINITY ? 0.0f : greatest;
}

/* y[i] = exp(x[i] - max). y and x may be the same. */
static inline void softmax_exp(const float *x, int64_t count, float max, float *y) {
    for (int64_t i = 0; i < count; i += 8)
        vector_store(y + i, count - i,
                     avx2_exp(_mm256_sub_ps(vector_load(x + i, count - i), avx2_splat(max))));
}

/* sum exp(x[i] - max); the exponentials are kept in `kept` unless it is NULL. */
static inline float softmax_sum(const struct softmax *work, int64_t row, float max, float *kept) {
    float buffer[CPU_BLOCK];
    struct vector_pair sums = vector_pair(0.0f);
    for (int64_t i = 0; i < work->n; i += CPU_BLOCK) {
        const int64_t count = work->n - i < CPU_BLOCK ? work->n - i : CPU_BLOCK;
        const float *x = softmax_load(work, row, i, count, buffer);
        for (int64_t j = 0; j < count; j += 8) {
            const int64_t left = count - j;
            const __m256 e = vector_select(
                left, avx2_exp(_mm256_sub_ps(vector_load(x + j, left), avx2_splat(max))), 0.0f);
            __m256 *at = &sums.at[j / 8 % 2];
            *at = _mm256_add_ps(*at, e);
            if (kept != NULL)
                vector_store(kept + i + j, left, e);
        }
    }
    return vector_sum(_mm256_add_ps(sums.at[0], sums.at[1]));
}

static inline const char *softmax_accept(struct cpu_node *node) {
    const char *reason = heedi_cpu_accept_rows(node);
    if (reason == NULL)
        heedi_cpu_want_lines(node, 0);
    return reason;
}

#endif
