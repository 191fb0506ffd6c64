/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one value: y[i] = f(x[i]); f is the activation KIND, or a product with a factor.
 *
 * Bindings:  0 x f32 (read, any strides), 1 y f32 (write, contiguous)
 * Workgroup: one element each
 * Dispatch:  ceil(count / width)
 * Error:     that of the functions in common/functions.glsl */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"

layout(constant_id = 1) const uint KIND = HEED_UNARY_SCALE;

layout(binding = 0) readonly buffer X { float x[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_unary_params it; };

void main() {
    const uint i = INVOCATION;
    if (i >= it.count)
        return;
    const float value = x[it.x_offset + offset_of(i, it.dims, it.x_strides)];
    y[it.y_offset + i] = KIND == HEED_UNARY_SCALE ? value * it.factor : heed_activate(KIND, value);
}
