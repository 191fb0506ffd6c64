/* SPDX-License-Identifier: Apache-2.0 */
/* What operators ask of their operands and attributes, whatever kernels a plugin has for them. */
#include <math.h>

#include "common.h"

const char *heedi_common_accept_positions(const struct heed_positions_attrs *attrs,
                                          const struct heed_tensor_desc *pos,
                                          const struct heed_tensor_desc *y) {
    if (attrs->form > HEED_POSITIONS_INTERLEAVED)
        return "unknown form of positions";
    if (attrs->width < 2 || attrs->width % 2 != 0 ||
        (attrs->form == HEED_POSITIONS_HALVES_T2T && attrs->width < 4))
        return "the width must be even and hold a sine and a cosine";
    if (pos->dtype != HEED_I32 || y->dtype != HEED_F32)
        return "positions are i32 and their vectors f32";
    return NULL;
}

double heedi_common_wavelength(const struct heed_positions_attrs *attrs, uint32_t i) {
    return pow(10000.0, attrs->form == HEED_POSITIONS_HALVES_T2T ? i / (0.5 * attrs->width - 1.0)
                                                                 : 2.0 * i / attrs->width);
}

const char *heedi_common_accept_advance(const struct heed_advance_attrs *attrs,
                                        const struct heed_tensor_desc *rows,
                                        const struct heed_tensor_desc *next) {
    if (rows->dtype != HEED_I32 || rows->rank != 2 || rows->dims[0] != HEED_ROWS_COUNT)
        return "rows must be i32 [5, b]";
    if (next->dtype != HEED_I32 || next->rank != 1 || next->dims[0] != rows->dims[1])
        return "next must be i32 [b]";
    if (attrs->capacity < 1 || attrs->capacity > INT32_MAX)
        return "unknown capacity";
    return NULL;
}
