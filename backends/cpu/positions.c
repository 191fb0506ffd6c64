/* SPDX-License-Identifier: Apache-2.0 */
/* positions: the wavelengths of sinusoidal position vectors (Vaswani et al. 2017, sec. 3.5). */
#include "cpu.h"

enum heed_status heedi_cpu_prepare_positions(const struct heed_host *host, struct cpu_node *node,
                                             uint32_t unit, struct heed_error *error) {
    const struct heed_positions_attrs *attrs = &node->attrs.positions;
    const uint32_t half = attrs->width / 2, count = (half + unit - 1) / unit * unit;
    double *wavelengths = heedi_common_calloc(host, count, sizeof *wavelengths);
    if (wavelengths == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                 "out of memory for the wavelengths of %s", node->name);
    for (uint32_t i = 0; i < count; i++)
        wavelengths[i] = heedi_common_wavelength(attrs, i);
    node->table = wavelengths;
    return HEED_OK;
}

const char *heedi_cpu_accept_positions(const struct cpu_node *node) {
    return heedi_common_accept_positions(&node->attrs.positions, &node->in[0].desc,
                                         &node->out[0].desc);
}
