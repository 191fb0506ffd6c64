/* SPDX-License-Identifier: Apache-2.0 */
/* argmax over the last dimension: the lowest index of the greatest element; NaN is less than
 * everything. First the greatest value, then where it is. */
#include "softmax.h"

/* The first index at which the row is `max`; 0 if it is nowhere, as in a row of NaN. */
static int64_t find(const struct softmax *work, int64_t row, float max) {
    float buffer[AVX2_BLOCK];
    for (int64_t i = 0; i < work->n; i += AVX2_BLOCK) {
        const int64_t count = work->n - i < AVX2_BLOCK ? work->n - i : AVX2_BLOCK;
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

static void argmax_range(void *arg, int64_t begin, int64_t end) {
    const struct softmax *work = arg;
    int32_t *y = work->call->out[0].data;
    float buffer[AVX2_BLOCK];
    for (int64_t row = begin; row < end; row++) {
        struct vector_pair most = vector_pair(-INFINITY);
        for (int64_t i = 0; i < work->n; i += AVX2_BLOCK) {
            const int64_t count = work->n - i < AVX2_BLOCK ? work->n - i : AVX2_BLOCK;
            vector_fold_max(&most, softmax_load(work, row, i, count, buffer), count);
        }
        y[row] = (int32_t)find(work, row, vector_max(_mm256_max_ps(most.at[0], most.at[1])));
    }
}

void heed_f32_argmax__avx2(const struct avx2_call *call) {
    struct softmax work = softmax_work(call);
    heedi_avx2_parallel(call, heedi_avx2_rows(call->in[0].desc), work.n, argmax_range, &work);
}

static const char *accept(struct avx2_node *node) {
    if (!heedi_avx2_is_float(&node->in[0]) || node->in[0].desc.rank < 1)
        return "the input must be of a float type and have a dimension";
    if (node->out[0].desc.dtype != HEED_I32)
        return "the result must be i32";
    heedi_avx2_want_lines(node, 0);
    node->kernel = AVX2_ARGMAX;
    return NULL;
}

const struct avx2_operator heedi_avx2_argmax = {.accept = accept};
