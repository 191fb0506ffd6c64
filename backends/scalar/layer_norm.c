/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm over the last dimension: y = (x - mean) / sqrt(var + eps) * gamma + beta (Ba, Kiros,
 * Hinton 2016). The variance is taken in a second pass over x - mean, which does not cancel. */
#include <math.h>

#include "scalar.h"

struct layer_norm {
    const struct cpu_call *call;
    int64_t n, stride;
    float eps;
};

static void layer_norm_row(const struct layer_norm *work, int64_t row) {
    const struct cpu_operand *x = &work->call->in[0], *y = &work->call->out[0];
    const struct cpu_operand *gamma = &work->call->in[1], *beta = &work->call->in[2];
    const int64_t from = heedi_cpu_offset(x->desc, x->desc->rank - 1, row);
    const int64_t to = row * work->n;
    const int64_t n = work->n, stride = work->stride;
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    float gamma_buffer[CPU_BLOCK], beta_buffer[CPU_BLOCK];

    float lanes[SCALAR_LANES] = {0};
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        heedi_scalar_sum(lanes, heedi_scalar_load(x, from + i * stride, stride, count, x_buffer),
                         count);
    }
    const float mean = heedi_scalar_fold(lanes) / (float)n;

    float squares[SCALAR_LANES] = {0};
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        const float *values = heedi_scalar_load(x, from + i * stride, stride, count, x_buffer);
        for (int64_t j = 0; j < count; j++)
            y_buffer[j] = values[j] - mean;
        heedi_scalar_dot(squares, y_buffer, y_buffer, count);
    }
    const float factor = 1.0f / sqrtf(heedi_scalar_fold(squares) / (float)n + work->eps);

    const int64_t gamma_stride = gamma->desc->strides[0], beta_stride = beta->desc->strides[0];
    for (int64_t i = 0; i < n; i += CPU_BLOCK) {
        const int64_t count = n - i < CPU_BLOCK ? n - i : CPU_BLOCK;
        const float *values = heedi_scalar_load(x, from + i * stride, stride, count, x_buffer);
        const float *g =
            heedi_scalar_load(gamma, i * gamma_stride, gamma_stride, count, gamma_buffer);
        const float *b = heedi_scalar_load(beta, i * beta_stride, beta_stride, count, beta_buffer);
        float *target = heedi_cpu_target(y, to + i, y_buffer);
        for (int64_t j = 0; j < count; j++)
            target[j] = (values[j] - mean) * factor * g[j] + b[j];
        heedi_scalar_store(y, to + i, count, target);
    }
}

static void layer_norm_range(void *arg, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++)
        layer_norm_row(arg, row);
}

void heed_f32_layer_norm__scalar(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[0].desc;
    struct layer_norm work = {.call = call,
                              .n = x->dims[x->rank - 1],
                              .stride = x->strides[x->rank - 1],
                              .eps = call->node->attrs.layer_norm.eps};
    heedi_cpu_parallel(call, heedi_cpu_rows(x), 8 * work.n, layer_norm_range, &work);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_scalar_kernels[SCALAR_LAYER_NORM];
    return heedi_cpu_accept_layer_norm(node);
}

const struct cpu_operator heedi_scalar_layer_norm = {
    .attrs_size = sizeof(struct heed_layer_norm_attrs), .accept = accept};
