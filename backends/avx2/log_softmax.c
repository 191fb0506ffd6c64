/* SPDX-License-Identifier: Apache-2.0 */
/* log_softmax over the last dimension: y = (x - m) - log sum exp(x - m), m the maximum
 * (Blanchard, Higham, Higham 2021, IMA J. Numer. Anal., sec. 3). */
#include "softmax.h"

static void log_softmax_row(const struct softmax *work, int64_t row) {
    const struct cpu_operand *y = &work->call->out[0];
    const int64_t n = work->n, to = row * n;
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    const float max = softmax_shift(softmax_greatest(work, row));
    const __m256 shift = avx2_splat(max);
    const __m256 log_sum = avx2_splat(logf(softmax_sum(work, row, max, NULL)));
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        const float *x = softmax_load(work, row, i, count, x_buffer);
        float *target = heedi_cpu_target(y, to + i, y_buffer);
        for (int64_t j = 0; j < count; j += 8) {
            const __m256 shifted = _mm256_sub_ps(vector_load(x + j, count - j), shift);
            vector_store(target + j, count - j, _mm256_sub_ps(shifted, log_sum));
        }
        heedi_avx2_store(y, to + i, count, target);
    }
}

static void log_softmax_range(void *arg, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++)
        log_softmax_row(arg, row);
}

void heed_f32_log_softmax__avx2(const struct cpu_call *call) {
    struct softmax work = softmax_work(call);
    heedi_cpu_parallel(call, heedi_cpu_rows(call->in[0].desc), 4 * work.n, log_softmax_range,
                       &work);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_avx2_kernels[AVX2_LOG_SOFTMAX];
    return softmax_accept(node);
}

const struct cpu_operator heedi_avx2_log_softmax = {.accept = accept};
