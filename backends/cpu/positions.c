/* SPDX-License-Identifier: Apache-2.0 */
/* positions: the wavelengths of sinusoidal position vectors (Vaswani et al. 2017, sec. 3.5). */
#include <math.h>

#include "cpu.h"

enum heed_status heedi_cpu_prepare_positions(const struct heed_host *host, struct cpu_node *node,
                                             uint32_t unit, struct heed_error *error) {
    const struct heed_positions_attrs *attrs = &node->attrs.positions;
    const uint32_t half = attrs->width / 2, count = (half + unit - 1) / unit * unit;
    double *wavelengths = heedi_common_calloc(host, count, sizeof *wavelengths);
    if (wavelengths == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                 "out of memory for the wavelengths of %s", node->name);
    for (uint32_t i = 0; i < count; i++) {
        const double exponent = attrs->form == HEED_POSITIONS_HALVES_T2T
                                    ? (double)i / (half - 1.0)
                                    : 2.0 * i / (double)attrs->width;
        wavelengths[i] = pow(10000.0, exponent);
    }
    node->table = wavelengths;
    return HEED_OK;
}

const char *heedi_cpu_accept_positions(const struct cpu_node *node) {
    const struct heed_positions_attrs *attrs = &node->attrs.positions;
    if (attrs->form > HEED_POSITIONS_INTERLEAVED)
        return "unknown form of positions";
    if (attrs->width < 2 || attrs->width % 2 != 0 ||
        (attrs->form == HEED_POSITIONS_HALVES_T2T && attrs->width < 4))
        return "the width must be even and hold a sine and a cosine";
    if (node->in[0].desc.dtype != HEED_I32 || node->out[0].desc.dtype != HEED_F32)
        return "positions are i32 and their vectors f32";
    return NULL;
}
