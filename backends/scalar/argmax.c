/* SPDX-License-Identifier: Apache-2.0 */
/* argmax over the last dimension: the lowest index of the greatest element; NaN is less than
 * everything. */
#include "scalar.h"

struct argmax {
    const struct cpu_call *call;
    int64_t n, stride;
};

static void argmax_range(void *arg, int64_t begin, int64_t end) {
    const struct argmax *work = arg;
    const struct cpu_operand *x = &work->call->in[0];
    int32_t *y = work->call->out[0].data;
    float buffer[CPU_BLOCK];
    for (int64_t row = begin; row < end; row++) {
        const int64_t from = heedi_cpu_offset(x->desc, x->desc->rank - 1, row);
        int64_t best = 0;
        float max = 0.0f;
        bool found = false; /* something that is not NaN */
        for (int64_t i = 0; i < work->n; i += CPU_BLOCK) {
            const int64_t count = work->n - i < CPU_BLOCK ? work->n - i : CPU_BLOCK;
            const float *values =
                heedi_scalar_load(x, from + i * work->stride, work->stride, count, buffer);
            for (int64_t j = 0; j < count; j++) {
                if (found ? values[j] > max : values[j] == values[j]) {
                    max = values[j];
                    best = i + j;
                    found = true;
                }
            }
        }
        y[row] = (int32_t)best;
    }
}

void heed_f32_argmax__scalar(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[0].desc;
    struct argmax work = {
        .call = call, .n = x->dims[x->rank - 1], .stride = x->strides[x->rank - 1]};
    heedi_cpu_parallel(call, heedi_cpu_rows(x), work.n, argmax_range, &work);
}

static const char *accept(struct cpu_node *node) {
    if (!heedi_cpu_is_float(&node->in[0]) || node->in[0].desc.rank < 1)
        return "the input must be of a float type and have a dimension";
    if (node->out[0].desc.dtype != HEED_I32)
        return "the result must be i32";
    node->kernel = &heedi_scalar_kernels[SCALAR_ARGMAX];
    return NULL;
}

const struct cpu_operator heedi_scalar_argmax = {.accept = accept};
