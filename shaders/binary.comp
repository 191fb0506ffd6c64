/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of two values: y[i] = a[i] + b[i], or a[i] * b[i], where a and b broadcast to y. With
 * elements of less than a word y begins with a word, and its last is filled with zeros.
 *
 * Bindings:  0 a, 1 b (read, any strides), 2 y (write, contiguous); all i32, or each f32, f16 or
 *            bf16
 * Workgroup: one word of y each
 * Dispatch:  ceil(words / width)
 * Error:     one rounding to f32 and one to the type of y; i32 wraps modulo 2^32 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint KIND = HEED_BINARY_ADD;
layout(constant_id = 2) const uint A_TYPE = HEED_TYPE_F32;
layout(constant_id = 3) const uint B_TYPE = HEED_TYPE_F32;
layout(constant_id = 4) const uint Y_TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer A { uint a[]; };
layout(binding = 1) readonly buffer B { uint b[]; };
layout(binding = 2) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { heed_binary_params it; };

uint result_of(uint left, uint right) {
    if (Y_TYPE == HEED_TYPE_I32)
        return KIND == HEED_BINARY_ADD ? left + right : left * right;
    const float x = uintBitsToFloat(widened(left, A_TYPE));
    const float z = uintBitsToFloat(widened(right, B_TYPE));
    return narrowed(floatBitsToUint(KIND == HEED_BINARY_ADD ? x + z : x * z), Y_TYPE);
}

void main() {
    const uint shift = word_shift(Y_TYPE), per_word = 1 << shift;
    const uint first = INVOCATION << shift;
    if (first >= it.count)
        return;
    uint word = 0;
    for (uint i = 0; i < per_word && first + i < it.count; i++) {
        const uint left = it.a_offset + offset_of(first + i, it.dims, it.a_strides);
        const uint right = it.b_offset + offset_of(first + i, it.dims, it.b_strides);
        word |= result_of(ELEMENT(a, A_TYPE, left), ELEMENT(b, B_TYPE, right)) << (i * 16);
    }
    y[(it.y_offset + first) >> shift] = word;
}
