/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of the next token: argmax, log_softmax and top_k of the same logits, in a few walks
 * over a row and without writing its log-probabilities. Called with the calls of the three.
 *
 * Results of top_k wait in its scratch until all rows are done: the plan may have put them where
 * the logits are, which it takes for read by then. */
#include <string.h>

#include "softmax.h"
#include "top_k.h"

enum { ARGMAX = 0, TOP_K = 2 };

/* The first index at which the log-probability is that of the greatest logit: others may be rounded
 * to it. */
static int32_t find_log(const struct softmax *logits, int64_t index, const struct top_k_row *row,
                        float greatest) {
    const __m256 max = _mm256_set1_ps(row->max), log_sum = _mm256_set1_ps(row->log_sum);
    const __m256 best = _mm256_sub_ps(_mm256_sub_ps(_mm256_set1_ps(greatest), max), log_sum);
    float buffer[CPU_BLOCK];
    for (int64_t i = 0; i < logits->n; i += CPU_BLOCK) {
        const int64_t count = logits->n - i < CPU_BLOCK ? logits->n - i : CPU_BLOCK;
        const float *x = softmax_load(logits, index, i, count, buffer);
        for (int64_t j = 0; j < count; j += 8) {
            const __m256 value = vector_select(count - j, vector_load(x + j, count - j), NAN);
            const __m256 log = _mm256_sub_ps(_mm256_sub_ps(value, max), log_sum);
            const int hits = _mm256_movemask_ps(_mm256_cmp_ps(log, best, _CMP_EQ_OQ));
            if (hits != 0)
                return (int32_t)(i + j) + __builtin_ctz((unsigned)hits);
        }
    }
    return 0; /* all are NaN */
}

struct choice {
    struct softmax logits;
    int64_t k;
    int32_t *indices; /* [rows][k], both in the scratch */
    float *values;
};

static void choice_range(void *arg, int64_t begin, int64_t end) {
    const struct choice *work = arg;
    const struct cpu_call *call = work->logits.call;
    const struct heed_tensor_desc *x = call->in[0].desc;
    int32_t *next = call[ARGMAX].out[0].data;
    for (int64_t i = begin; i < end; i++) {
        const float greatest = softmax_greatest(&work->logits, i);
        const float max = softmax_shift(greatest);
        const struct top_k_row row = {.x = &call->in[0],
                                      .from = heedi_cpu_offset(x, x->rank - 1, i),
                                      .n = work->logits.n,
                                      .logs = true,
                                      .max = max,
                                      .log_sum = logf(softmax_sum(&work->logits, i, max, NULL))};
        int32_t *indices = work->indices + i * work->k;
        next[i] = (int32_t)softmax_find(&work->logits, i, greatest);
        if (work->k == 1)
            indices[0] = find_log(&work->logits, i, &row, greatest);
        else
            heedi_avx2_top_k_row(&row, work->k, indices);
        for (int64_t j = 0; j < work->k; j++)
            work->values[i * work->k + j] = heedi_avx2_top_k_value(&row, indices[j]);
    }
}

void heed_f32_argmax_log_softmax_top_k__avx2(const struct cpu_call *call) {
    const int64_t rows = heedi_cpu_rows(call->in[0].desc);
    const int64_t k = call[TOP_K].node->attrs.top_k.k, count = rows * k;
    int32_t *indices = call[TOP_K].scratch;
    struct choice work = {.logits = softmax_work(call),
                          .k = k,
                          .indices = indices,
                          .values = (float *)(void *)(indices + count)};
    heedi_cpu_parallel(call, rows, 4 * work.logits.n, choice_range, &work);
    if (count == 0)
        return;
    memcpy(call[TOP_K].out[0].data, work.values, (size_t)count * sizeof *work.values);
    memcpy(call[TOP_K].out[1].data, work.indices, (size_t)count * sizeof *work.indices);
}
