/* SPDX-License-Identifier: Apache-2.0 */
/* softmax over the last dimension, shifted by the maximum: y = exp(x - m) / sum exp(x - m)
 * (Blanchard, Higham, Higham 2021, IMA J. Numer. Anal., eq. 1.3). */
#include <math.h>

#include "scalar.h"

struct softmax {
    const struct cpu_call *call;
    int64_t n, stride;
};

float heedi_scalar_sum_exp(const struct cpu_operand *x, int64_t from, int64_t stride, int64_t n,
                           float *max) {
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK], lanes[SCALAR_LANES] = {0};
    float greatest = -INFINITY;
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        const float *values = heedi_scalar_load(x, from + i * stride, stride, count, x_buffer);
        for (int64_t j = 0; j < count; j++)
            greatest = values[j] > greatest ? values[j] : greatest;
    }
    if (greatest == -INFINITY)
        greatest = 0.0f; /* then all exponentials are 0, or NaN where x is */
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        const float *values = heedi_scalar_load(x, from + i * stride, stride, count, x_buffer);
        for (int64_t j = 0; j < count; j++)
            y_buffer[j] = expf(values[j] - greatest);
        heedi_scalar_sum(lanes, y_buffer, count);
    }
    *max = greatest;
    return heedi_scalar_fold(lanes);
}

static void softmax_row(const struct softmax *work, int64_t row) {
    const struct cpu_operand *x = &work->call->in[0], *y = &work->call->out[0];
    const int64_t from = heedi_cpu_offset(x->desc, x->desc->rank - 1, row);
    const int64_t to = row * work->n;
    const int64_t n = work->n, stride = work->stride;
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK], max;
    const float sum = heedi_scalar_sum_exp(x, from, stride, n, &max);
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        const float *values = heedi_scalar_load(x, from + i * stride, stride, count, x_buffer);
        float *target = heedi_cpu_target(y, to + i, y_buffer);
        for (int64_t j = 0; j < count; j++)
            target[j] = sum != 0.0f ? expf(values[j] - max) / sum : 0.0f;
        heedi_scalar_store(y, to + i, count, target);
    }
}

static void softmax_range(void *arg, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++)
        softmax_row(arg, row);
}

void heed_f32_softmax__scalar(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[0].desc;
    struct softmax work = {
        .call = call, .n = x->dims[x->rank - 1], .stride = x->strides[x->rank - 1]};
    heedi_cpu_parallel(call, heedi_cpu_rows(x), 32 * work.n, softmax_range, &work);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_scalar_kernels[SCALAR_SOFTMAX];
    return heedi_cpu_accept_rows(node);
}

const struct cpu_operator heedi_scalar_softmax = {.accept = accept};
