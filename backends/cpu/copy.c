/* SPDX-License-Identifier: Apache-2.0 */
/* copy: the elements of any strided tensor, in row-major order. */
#include "cpu.h"

struct copy {
    const struct cpu_call *call;
    struct cpu_loop loop;
    size_t bytes; /* of one element */
};

static void copy_range(void *arg, int64_t begin, int64_t end) {
    const struct copy *work = arg;
    const char *x = work->call->in[0].data;
    char *y = work->call->out[0].data;
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        heedi_cpu_move(y + (size_t)at.y * work->bytes, x + (size_t)at.x[0] * work->bytes,
                       work->loop.strides[0][3], at.count, work->bytes);
    }
}

void heed_any_copy__cpu(const struct cpu_call *call) {
    struct copy work = {.call = call,
                        .loop = heedi_cpu_loop(call->out[0].desc, call->in[0].desc, NULL),
                        .bytes = heed_dtype_bytes(call->out[0].desc->dtype)};
    heedi_cpu_parallel(call, work.loop.units, CPU_BLOCK, copy_range, &work);
}

static const char *accept(struct cpu_node *node) {
    if (node->in[0].desc.dtype != node->out[0].desc.dtype)
        return "the result must have the type of the input";
    node->kernel = &heedi_cpu_kernels[CPU_COPY];
    return NULL;
}

const struct cpu_operator heedi_cpu_copy = {.accept = accept};
