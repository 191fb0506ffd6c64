/* SPDX-License-Identifier: Apache-2.0 */
/* cast: between float types, to nearest, ties to even. */
#include "avx2.h"

struct cast {
    const struct cpu_call *call;
    struct cpu_loop loop;
};

static void cast_range(void *arg, int64_t begin, int64_t end) {
    const struct cast *work = arg;
    const struct cpu_operand *x = &work->call->in[0], *y = &work->call->out[0];
    float buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        heedi_avx2_store(y, at.y, at.count,
                         heedi_avx2_load_strided(x, at.x[0],
                                                 work->loop.strides[0][HEED_MAX_RANK - 1], at.count,
                                                 buffer));
    }
}

void heed_f32_cast__avx2(const struct cpu_call *call) {
    struct cast work = {.call = call,
                        .loop = heedi_cpu_loop(call->out[0].desc, call->in[0].desc, NULL)};
    heedi_cpu_parallel(call, work.loop.units, CPU_BLOCK / 4, cast_range, &work);
}

static const char *accept(struct cpu_node *node) {
    if ((uint32_t)node->out[0].desc.dtype != node->attrs.cast.dtype)
        return "the result must have the type that the attributes name";
    if (!heedi_cpu_is_float(&node->in[0]) || !heedi_cpu_is_float(&node->out[0]))
        return "both types must be float types";
    node->kernel = &heedi_avx2_kernels[AVX2_CAST];
    return NULL;
}

const struct cpu_operator heedi_avx2_cast = {.attrs_size = sizeof(struct heed_cast_attrs),
                                             .accept = accept};
