/* SPDX-License-Identifier: Apache-2.0 */
/* What layer_norm.comp and layer_norm_subgroup.comp do; they say which by SUBGROUPS. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/reduce.glsl"

layout(constant_id = 1) const uint GAMMA_TYPE = HEED_TYPE_F32;
layout(constant_id = 2) const uint BETA_TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) readonly buffer Gamma { uint gamma[]; };
layout(binding = 2) readonly buffer Beta { uint beta[]; };
layout(binding = 3) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_layer_norm_params it; };

void main() {
    const uint row = WORKGROUP;
    const uint t = gl_LocalInvocationID.x, width = gl_WorkGroupSize.x;
    if (row >= it.rows)
        return;
    const uint from = it.x_offset + offset_of(row, it.dims, it.x_strides);
    float sum = 0.0;
    for (uint i = t; i < it.n; i += width)
        sum += x[from + i * it.x_stride];
    const float mean = reduce_sum(sum) / float(it.n);
    float squares = 0.0;
    for (uint i = t; i < it.n; i += width) {
        precise const float difference = x[from + i * it.x_stride] - mean;
        squares += difference * difference;
    }
    const float factor = 1.0 / sqrt(reduce_sum(squares) / float(it.n) + it.eps);
    for (uint i = t; i < it.n; i += width) {
        precise const float difference = x[from + i * it.x_stride] - mean;
        const uint at = it.gamma_offset + i * it.gamma_stride;
        const uint to = it.beta_offset + i * it.beta_stride;
        const float g = heed_float(GAMMA_TYPE, gamma[heed_word(GAMMA_TYPE, at)], at);
        const float b = heed_float(BETA_TYPE, beta[heed_word(BETA_TYPE, to)], to);
        y[it.y_offset + row * it.n + i] = difference * factor * g + b;
    }
}
