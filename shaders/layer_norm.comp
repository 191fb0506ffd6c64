/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm: y[r, i] = (x[r, i] - mean) / sqrt(variance + eps) gamma[i] + beta[i], where mean and
 * variance are those of row r.
 *
 * Source:    Ba, Kiros, Hinton 2016; the variance is taken in a second pass over x - mean
 * Bindings:  0 x f32 (read, any strides), 1 gamma, 2 beta (read, f32, f16 or bf16), 3 y f32 (write,
 *            contiguous)
 * Workgroup: one row; invocation t takes elements t, t + width, ...
 * Dispatch:  (rows, 1, 1)
 * Shared:    4 bytes for each of HEED_MAX_WIDTH invocations
 * Needs:     nothing
 * Error:     two sums of n terms in order of a tree; one square root, two quotients */
#version 450
#extension GL_GOOGLE_include_directive : require
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
