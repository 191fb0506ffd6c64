/* SPDX-License-Identifier: Apache-2.0 */
/* cache_append: x[i, j] is written to state[row[i], pos[i] + j], in the state's type. What falls
 * outside the state is dropped. */
#include "avx2.h"

enum { STATE = 0, X = 1 };

/* One step of one row. */
static void append_row(const struct cpu_call *call, int64_t from, int64_t to) {
    const struct cpu_operand *state = &call->in[STATE], *x = &call->in[X];
    const int64_t n = x->desc->dims[2];
    float buffer[CPU_BLOCK];
    for (int64_t j = 0; j < n; j += CPU_BLOCK) {
        const int64_t count = n - j < CPU_BLOCK ? n - j : CPU_BLOCK;
        heedi_avx2_store(state, to + j, count, heedi_avx2_load(x, from + j, count, buffer));
    }
}

static void cache_append_range(void *arg, int64_t begin, int64_t end) {
    heedi_cpu_append(arg, begin, end, append_row);
}

void heed_f32_cache_append__avx2(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[X].desc;
    heedi_cpu_parallel(call, x->dims[0] * x->dims[1], x->dims[2] / 4, cache_append_range,
                       (void *)(uintptr_t)call);
}

static const char *accept(struct cpu_node *node) {
    const char *reason = heedi_cpu_accept_cache_append(node);
    if (reason != NULL)
        return reason;
    if (node->in[STATE].desc.dims[2] > 1 && node->in[STATE].desc.strides[2] != 1)
        return "neighbours in the state's last dimension must be neighbours in memory";
    heedi_cpu_want_lines(node, X);
    node->kernel = &heedi_avx2_kernels[AVX2_CACHE_APPEND];
    return NULL;
}

const struct cpu_operator heedi_avx2_cache_append = {.accept = accept};
