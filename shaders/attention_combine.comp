/* SPDX-License-Identifier: Apache-2.0 */
/* attention, the parts of attention_split.comp: y[r, c] = sum_i y_i[r, c] f_i / sum_i s_i f_i,
 * f_i = exp(m_i - max_i m_i)
 *
 * Bindings:  0 parts f32 [rows, splits, 2 + n]: m, s, y (read), 1 y f32 (write, contiguous)
 * Workgroup: one row; invocation t takes elements t, t + width, ...; parts are added in their order
 * Dispatch:  rows
 * Error:     an exponential, a sum of `splits` terms, a quotient */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"

layout(binding = 0) readonly buffer Parts { float parts[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_attention_combine_params it; };

const uint MINUS_INFINITY = 0xff800000u;

void main() {
    const uint row = WORKGROUP, pitch = it.n + 2;
    if (row >= it.rows)
        return;
    const uint first = row * it.splits * pitch;
    float greatest = uintBitsToFloat(MINUS_INFINITY);
    for (uint i = 0; i < it.splits; i++) {
        const float own = parts[first + i * pitch];
        greatest = own > greatest ? own : greatest;
    }
    /* nothing but weights of 0, or NaN where a score is */
    const float shift = floatBitsToUint(greatest) == MINUS_INFINITY ? 0.0 : greatest;
    for (uint c = gl_LocalInvocationID.x; c < it.n; c += gl_WorkGroupSize.x) {
        float sum = 0.0, total = 0.0;
        for (uint i = 0; i < it.splits; i++) {
            const uint at = first + i * pitch;
            const float factor = heed_exp(parts[at] - shift);
            total += factor * parts[at + 1];
            sum += factor * parts[at + 2 + c];
        }
        y[it.y_offset + row * it.n + c] = total == 0.0 ? 0.0 : sum / total;
    }
}
