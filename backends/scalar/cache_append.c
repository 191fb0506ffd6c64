/* SPDX-License-Identifier: Apache-2.0 */
/* cache_append: x[i, j] is written to state[row[i], pos[i] + j], in the state's type. What falls
 * outside the state is dropped. */
#include <string.h>

#include "scalar.h"

enum { STATE = 0, X = 1 };

/* One step of one row: `n` elements. The state's innermost stride may be any. */
static void append_row(const struct cpu_call *call, int64_t from, int64_t to) {
    const struct cpu_operand *state = &call->in[STATE], *x = &call->in[X];
    const int64_t n = x->desc->dims[2], x_stride = x->desc->strides[2];
    const int64_t stride = state->desc->strides[2];
    const size_t bytes = heed_dtype_bytes(state->desc->dtype);
    if (x->desc->dtype == state->desc->dtype && stride == 1) {
        heedi_cpu_move((char *)state->data + (size_t)to * bytes,
                       (const char *)x->data + (size_t)from * bytes, x_stride, n, bytes);
        return;
    }
    float buffer[CPU_BLOCK];
    for (int64_t j = 0; j < n; j += CPU_BLOCK) {
        const int64_t count = n - j < CPU_BLOCK ? n - j : CPU_BLOCK;
        const float *values = heedi_scalar_load(x, from + j * x_stride, x_stride, count, buffer);
        if (stride == 1)
            heedi_scalar_store(state, to + j, count, values);
        else
            for (int64_t k = 0; k < count; k++)
                heedi_scalar_store(state, to + (j + k) * stride, 1, values + k);
    }
}

static void cache_append_range(void *arg, int64_t begin, int64_t end) {
    heedi_cpu_append(arg, begin, end, append_row);
}

void heed_any_cache_append__scalar(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[X].desc;
    heedi_cpu_parallel(call, x->dims[0] * x->dims[1], x->dims[2], cache_append_range,
                       (void *)(uintptr_t)call);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_scalar_kernels[SCALAR_CACHE_APPEND];
    return heedi_cpu_accept_cache_append(node);
}

const struct cpu_operator heedi_scalar_cache_append = {.accept = accept};
