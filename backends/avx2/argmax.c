/* SPDX-License-Identifier: Apache-2.0 */
/* argmax over the last dimension: the lowest index of the greatest element; NaN is less than
 * everything. First the greatest value, then where it is. */
#include "softmax.h"

static void argmax_range(void *arg, int64_t begin, int64_t end) {
    const struct softmax *work = arg;
    int32_t *y = work->call->out[0].data;
    for (int64_t row = begin; row < end; row++)
        y[row] = (int32_t)softmax_find(work, row, softmax_greatest(work, row));
}

void heed_f32_argmax__avx2(const struct cpu_call *call) {
    struct softmax work = softmax_work(call);
    heedi_cpu_parallel(call, heedi_cpu_rows(call->in[0].desc), work.n, argmax_range, &work);
}

static const char *accept(struct cpu_node *node) {
    if (!heedi_cpu_is_float(&node->in[0]) || node->in[0].desc.rank < 1)
        return "the input must be of a float type and have a dimension";
    if (node->out[0].desc.dtype != HEED_I32)
        return "the result must be i32";
    heedi_cpu_want_lines(node, 0);
    node->kernel = &heedi_avx2_kernels[AVX2_ARGMAX];
    return NULL;
}

const struct cpu_operator heedi_avx2_argmax = {.accept = accept};
