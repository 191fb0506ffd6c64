/* SPDX-License-Identifier: Apache-2.0 */
/* log_softmax over the last dimension: y = (x - m) - log sum exp(x - m), m the maximum
 * (Blanchard, Higham, Higham 2021, IMA J. Numer. Anal., sec. 3). */
#include <math.h>

#include "scalar.h"

struct log_softmax {
    const struct cpu_call *call;
    int64_t n, stride;
};

static void log_softmax_row(const struct log_softmax *work, int64_t row) {
    const struct cpu_operand *x = &work->call->in[0], *y = &work->call->out[0];
    const int64_t from = heedi_cpu_offset(x->desc, x->desc->rank - 1, row);
    const int64_t to = row * work->n;
    const int64_t n = work->n, stride = work->stride;
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK], max;
    /* for a row of -inf the sum is 0 and its logarithm -inf */
    const float log_sum = logf(heedi_scalar_sum_exp(x, from, stride, n, &max));
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        const float *values = heedi_scalar_load(x, from + i * stride, stride, count, x_buffer);
        float *target = heedi_cpu_target(y, to + i, y_buffer);
        for (int64_t j = 0; j < count; j++)
            target[j] = (values[j] - max) - log_sum;
        heedi_scalar_store(y, to + i, count, target);
    }
}

static void log_softmax_range(void *arg, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++)
        log_softmax_row(arg, row);
}

void heed_f32_log_softmax__scalar(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[0].desc;
    struct log_softmax work = {
        .call = call, .n = x->dims[x->rank - 1], .stride = x->strides[x->rank - 1]};
    heedi_cpu_parallel(call, heedi_cpu_rows(x), 24 * work.n, log_softmax_range, &work);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_scalar_kernels[SCALAR_LOG_SOFTMAX];
    return heedi_cpu_accept_rows(node);
}

const struct cpu_operator heedi_scalar_log_softmax = {.accept = accept};
