/* SPDX-License-Identifier: Apache-2.0 */
/* softmax over the last dimension, shifted by the maximum: y = exp(x - m) / sum exp(x - m)
 * (Blanchard, Higham, Higham 2021, IMA J. Numer. Anal., eq. 1.3). */
#include "softmax.h"

static void softmax_row(const struct softmax *work, int64_t row) {
    const struct avx2_operand *y = &work->call->out[0];
    const int64_t n = work->n, to = row * n;
    float buffer[AVX2_BLOCK];
    const float max = softmax_shift(softmax_greatest(work, row));
    const bool kept = y->desc->dtype == HEED_F32; /* exponentials wait in the result */
    const float sum = softmax_sum(work, row, max, kept ? (float *)y->data + to : NULL);
    const __m256 total = avx2_splat(sum);
    for (int64_t i = 0; i < n; i += AVX2_BLOCK) {
        const int64_t count = n - i < AVX2_BLOCK ? n - i : AVX2_BLOCK;
        float *target = heedi_avx2_target(y, to + i, buffer);
        if (sum == 0.0f) {
            heedi_avx2_zero(y, to + i, count);
            continue;
        }
        if (!kept)
            softmax_exp(softmax_load(work, row, i, count, buffer), count, max, buffer);
        for (int64_t j = 0; j < count; j += 8)
            vector_store(target + j, count - j,
                         _mm256_div_ps(vector_load(target + j, count - j), total));
        heedi_avx2_store(y, to + i, count, target);
    }
}

static void softmax_range(void *arg, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++)
        softmax_row(arg, row);
}

void heed_f32_softmax__avx2(const struct avx2_call *call) {
    struct softmax work = softmax_work(call);
    heedi_avx2_parallel(call, heedi_avx2_rows(call->in[0].desc), 4 * work.n, softmax_range, &work);
}

static const char *accept(struct avx2_node *node) {
    node->kernel = AVX2_SOFTMAX;
    return softmax_accept(node);
}

const struct avx2_operator heedi_avx2_softmax = {.accept = accept};
