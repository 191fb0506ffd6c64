/* SPDX-License-Identifier: Apache-2.0 */
/* softmax over the last dimension, shifted by the maximum: y = exp(x - m) / sum exp(x - m)
 * (Blanchard, Higham, Higham 2021, IMA J. Numer. Anal., eq. 1.3). */
#include "softmax.h"

static void softmax_row(const struct softmax *work, int64_t row) {
    const struct cpu_operand *y = &work->call->out[0];
    const int64_t n = work->n, to = row * n;
    float buffer[CPU_BLOCK];
    const float max = softmax_shift(softmax_greatest(work, row));
    const bool kept = y->desc->dtype == HEED_F32; /* exponentials wait in the result */
    const float sum = softmax_sum(work, row, max, kept ? (float *)y->data + to : NULL);
    const __m256 total = avx2_splat(sum);
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        float *target = heedi_cpu_target(y, to + i, buffer);
        if (sum == 0.0f) {
            heedi_cpu_zero(y, to + i, count);
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

void heed_f32_softmax__avx2(const struct cpu_call *call) {
    struct softmax work = softmax_work(call);
    heedi_cpu_parallel(call, heedi_cpu_rows(call->in[0].desc), 4 * work.n, softmax_range, &work);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_avx2_kernels[AVX2_SOFTMAX];
    return softmax_accept(node);
}

const struct cpu_operator heedi_avx2_softmax = {.accept = accept};
