/* SPDX-License-Identifier: Apache-2.0 */
/* What softmax.comp and softmax_subgroup.comp do; they say which by SUBGROUPS. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"
#include "common/reduce.glsl"

layout(constant_id = 1) const uint LOGARITHM = 0;

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_row_params it; };

const uint MINUS_INFINITY = 0xff800000u, NOT_A_NUMBER = 0x7fc00000u;

void main() {
    const uint row = WORKGROUP;
    const uint t = gl_LocalInvocationID.x, width = gl_WorkGroupSize.x;
    if (row >= it.rows)
        return;
    const uint from = it.x_offset + offset_of(row, it.dims, it.x_strides);
    const uint to = it.y_offset + row * it.n;
    float greatest = uintBitsToFloat(MINUS_INFINITY);
    for (uint i = t; i < it.n; i += width) {
        const float value = x[from + i * it.x_stride];
        greatest = value > greatest ? value : greatest;
    }
    greatest = reduce_max(greatest);
    if (floatBitsToUint(greatest) == MINUS_INFINITY)
        greatest = 0.0; /* then all exponentials are 0, or NaN where x is */
    float part = 0.0;
    for (uint i = t; i < it.n; i += width) {
        precise const float shifted = x[from + i * it.x_stride] - greatest;
        const float e = heed_exp(shifted);
        part += e;
        if (LOGARITHM == 0)
            y[to + i] = e;
    }
    const float sum = reduce_sum(part);
    if (LOGARITHM == 0) {
        for (uint i = t; i < it.n; i += width)
            y[to + i] = sum == 0.0 ? 0.0 : y[to + i] / sum;
        return;
    }
    const float log_sum = sum > 0.0 ? log(sum) : uintBitsToFloat(NOT_A_NUMBER);
    for (uint i = t; i < it.n; i += width) {
        precise const float shifted = x[from + i * it.x_stride] - greatest;
        y[to + i] = shifted - log_sum;
    }
}
