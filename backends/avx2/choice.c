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

struct choice {
    struct softmax logits;
    int64_t k;
    int32_t *indices; /* [rows][k], both in the scratch */
    float *values;
};

static void choice_range(void *arg, int64_t begin, int64_t end) {
    const struct choice *work = arg;
    const struct avx2_call *call = work->logits.call;
    const struct heed_tensor_desc *x = call->in[0].desc;
    int32_t *next = call[ARGMAX].out[0].data;
    for (int64_t i = begin; i < end; i++) {
        const float greatest = softmax_greatest(&work->logits, i);
        const float max = softmax_shift(greatest);
        const struct top_k_row row = {.x = &call->in[0],
                                      .from = heedi_avx2_offset(x, x->rank - 1, i),
                                      .n = work->logits.n,
                                      .logs = true,
                                      .max = max,
                                      .log_sum = logf(softmax_sum(&work->logits, i, max, NULL))};
        int32_t *indices = work->indices + i * work->k;
        next[i] = (int32_t)softmax_find(&work->logits, i, greatest);
        heedi_avx2_top_k_row(&row, work->k, indices);
        for (int64_t j = 0; j < work->k; j++)
            work->values[i * work->k + j] = heedi_avx2_top_k_value(&row, indices[j]);
    }
}

void heed_f32_argmax_log_softmax_top_k__avx2(const struct avx2_call *call) {
    const int64_t rows = heedi_avx2_rows(call->in[0].desc);
    const int64_t k = call[TOP_K].node->attrs.top_k.k, count = rows * k;
    int32_t *indices = call[TOP_K].scratch;
    struct choice work = {.logits = softmax_work(call),
                          .k = k,
                          .indices = indices,
                          .values = (float *)(void *)(indices + count)};
    heedi_avx2_parallel(call, rows, 4 * work.logits.n, choice_range, &work);
    if (count == 0)
        return;
    memcpy(call[TOP_K].out[0].data, work.values, (size_t)count * sizeof *work.values);
    memcpy(call[TOP_K].out[1].data, work.indices, (size_t)count * sizeof *work.indices);
}
