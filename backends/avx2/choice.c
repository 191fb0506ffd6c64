/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of the next token: argmax, log_softmax and top_k of the same logits, without writing
 * log-probabilities. The greatest logit of every 32 neighbours is found first, by the product that
 * makes the logits, while they are in the first cache, if there is one; then one walk sums the
 * exponentials, and otherwise only blocks that hold what is looked for are read again.
 *
 * Results of top_k wait in its scratch until all rows are done: the plan may have put them where
 * the logits are, which it takes for read by then. */
#include <string.h>

#include "softmax.h"
#include "top_k.h"

enum { ARGMAX = 0, TOP_K = 2 };

static float greatest_of(const float *x, int64_t n) {
    struct vector_pair most = vector_pair(-INFINITY);
    vector_fold_max(&most, x, n);
    return vector_max(_mm256_max_ps(most.at[0], most.at[1]));
}

void heedi_avx2_choice_piece(const float *logits, int64_t n, int64_t row, int64_t rows,
                             int64_t column, int64_t columns, float *greatest) {
    const int64_t end = column + columns < n ? column + columns : n;
    for (int64_t i = row; i < row + rows; i++)
        for (int64_t j = column; j < end; j += CHOICE_BLOCK)
            greatest[i * choice_blocks(n) + j / CHOICE_BLOCK] =
                greatest_of(logits + i * n + j, end - j < CHOICE_BLOCK ? end - j : CHOICE_BLOCK);
}

/* The first index at which the row compares as `best`, one of its greatest elements; 0 if all are
 * NaN. Of log-probabilities, others may be rounded to the same: subtraction keeps the order, so a
 * block holds such a one just if its greatest is. */
static int32_t find(const struct top_k_row *row, float best) {
    const int64_t blocks = choice_blocks(row->n);
    int64_t block = 0;
    while (block < blocks && top_k_compared(row, row->greatest[block]) != top_k_compared(row, best))
        block++;
    const float *x = (const float *)row->x->data + row->from;
    for (int64_t i = block * CHOICE_BLOCK; i < row->n && i < (block + 1) * CHOICE_BLOCK; i++)
        if (top_k_compared(row, x[i]) == top_k_compared(row, best))
            return (int32_t)i;
    return 0;
}

struct choice {
    struct softmax logits;
    int64_t k;
    float *greatest; /* [rows][blocks], [rows][k], [rows][k]: all in the scratch */
    int32_t *indices;
    float *values;
};

static struct choice lay_out(const struct cpu_call *call) {
    const struct cpu_call *top_k = &call[TOP_K];
    const int64_t rows = heedi_cpu_rows(call->in[0].desc);
    const int64_t k = top_k->node->attrs.top_k.k;
    struct choice work = {.logits = softmax_work(call), .k = k};
    work.greatest = heedi_avx2_choice_greatest(top_k);
    work.indices = (int32_t *)(void *)(work.greatest + rows * choice_blocks(work.logits.n));
    work.values = (float *)(void *)(work.indices + rows * k);
    return work;
}

float *heedi_avx2_choice_greatest(const struct cpu_call *top_k) {
    return top_k->scratch;
}

static void choice_range(void *arg, int64_t begin, int64_t end) {
    const struct choice *work = arg;
    const struct cpu_call *call = work->logits.call;
    const struct heed_tensor_desc *x = call->in[0].desc;
    const int64_t blocks = choice_blocks(work->logits.n);
    int32_t *next = call[ARGMAX].out[0].data;
    for (int64_t i = begin; i < end; i++) {
        struct top_k_row row = {.x = &call->in[0],
                                .from = heedi_cpu_offset(x, x->rank - 1, i),
                                .n = work->logits.n,
                                .greatest = work->greatest + i * blocks};
        const float best = greatest_of(row.greatest, blocks);
        next[i] = find(&row, best);
        row.logs = true;
        row.max = softmax_shift(best);
        row.log_sum = logf(softmax_sum(&work->logits, i, row.max, NULL));
        int32_t *indices = work->indices + i * work->k;
        if (work->k == 1)
            indices[0] = find(&row, best);
        else
            heedi_avx2_top_k_row(&row, work->k, indices);
        for (int64_t j = 0; j < work->k; j++)
            work->values[i * work->k + j] = heedi_avx2_top_k_value(&row, indices[j]);
    }
}

void heedi_avx2_choose(const struct cpu_call *call) {
    struct choice work = lay_out(call);
    const int64_t rows = heedi_cpu_rows(call->in[0].desc), count = rows * work.k;
    heedi_cpu_parallel(call, rows, 2 * work.logits.n, choice_range, &work);
    if (count == 0)
        return;
    memcpy(call[TOP_K].out[0].data, work.values, (size_t)count * sizeof *work.values);
    memcpy(call[TOP_K].out[1].data, work.indices, (size_t)count * sizeof *work.indices);
}

static void greatest_range(void *arg, int64_t begin, int64_t end) {
    const struct choice *work = arg;
    const struct cpu_operand *x = &work->logits.call->in[0];
    const int64_t n = work->logits.n;
    for (int64_t i = begin; i < end; i++) {
        const float *row = (const float *)x->data + heedi_cpu_offset(x->desc, x->desc->rank - 1, i);
        heedi_avx2_choice_piece(row, n, 0, 1, 0, n, work->greatest + i * choice_blocks(n));
    }
}

void heed_f32_argmax_log_softmax_top_k__avx2(const struct cpu_call *call) {
    struct choice work = lay_out(call);
    heedi_cpu_parallel(call, heedi_cpu_rows(call->in[0].desc), work.logits.n / 4, greatest_range,
                       &work);
    heedi_avx2_choose(call);
}
