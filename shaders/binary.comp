/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of two values: y[i] = a[i] + b[i], or a[i] * b[i], where a and b broadcast to y.
 *
 * Bindings:  0 a, 1 b (read, any strides), 2 y (write, contiguous); all f32 or all i32
 * Workgroup: one element each
 * Dispatch:  ceil(count / width)
 * Error:     one rounding; i32 wraps modulo 2^32 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"

layout(constant_id = 1) const uint KIND = HEED_BINARY_ADD;
layout(constant_id = 2) const uint TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer A { uint a[]; };
layout(binding = 1) readonly buffer B { uint b[]; };
layout(binding = 2) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { heed_binary_params it; };

void main() {
    const uint i = INVOCATION;
    if (i >= it.count)
        return;
    const uint left = a[it.a_offset + offset_of(i, it.dims, it.a_strides)];
    const uint right = b[it.b_offset + offset_of(i, it.dims, it.b_strides)];
    uint result;
    if (TYPE == HEED_TYPE_I32)
        result = KIND == HEED_BINARY_ADD ? left + right : left * right;
    else
        result = floatBitsToUint(KIND == HEED_BINARY_ADD
                                     ? uintBitsToFloat(left) + uintBitsToFloat(right)
                                     : uintBitsToFloat(left) * uintBitsToFloat(right));
    y[it.y_offset + i] = result;
}
