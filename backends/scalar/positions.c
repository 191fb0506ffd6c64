/* SPDX-License-Identifier: Apache-2.0 */
/* positions: sinusoidal position vectors (Vaswani et al. 2017, sec. 3.5), computed in double and
 * rounded once. The wavelengths are worked out when the program is compiled. */
#include <math.h>

#include "scalar.h"

static void positions_range(void *arg, int64_t begin, int64_t end) {
    const struct cpu_call *call = arg;
    const struct heed_positions_attrs *attrs = &call->node->attrs.positions;
    const struct cpu_operand *x = &call->in[0];
    const double *wavelengths = call->node->table;
    const int64_t half = attrs->width / 2, n = attrs->width;
    const bool interleaved = attrs->form == HEED_POSITIONS_INTERLEAVED;
    for (int64_t row = begin; row < end; row++) {
        const int64_t position =
            heedi_cpu_load_i32(x, heedi_cpu_offset(x->desc, x->desc->rank, row));
        float *y = (float *)call->out[0].data + row * n;
        if (position < 0 || position >= (int64_t)attrs->max_len) {
            heedi_cpu_zero(&call->out[0], row * n, n);
            continue;
        }
        for (int64_t i = 0; i < half; i++) {
            const double angle = (double)position / wavelengths[i];
            y[interleaved ? 2 * i : i] = (float)sin(angle);
            y[interleaved ? 2 * i + 1 : half + i] = (float)cos(angle);
        }
    }
}

void heed_f32_positions__scalar(const struct cpu_call *call) {
    heedi_cpu_parallel(call, heed_desc_elems(call->in[0].desc),
                       64 * (int64_t)call->node->attrs.positions.width, positions_range,
                       (void *)(uintptr_t)call);
}

static enum heed_status prepare(struct heed_plugin *plugin, struct cpu_node *node,
                                struct heed_error *error) {
    return heedi_cpu_prepare_positions(plugin->host, node, 1, error);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_scalar_kernels[SCALAR_POSITIONS];
    return heedi_cpu_accept_positions(node);
}

const struct cpu_operator heedi_scalar_positions = {
    .attrs_size = sizeof(struct heed_positions_attrs), .accept = accept, .prepare = prepare};
