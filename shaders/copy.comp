/* SPDX-License-Identifier: Apache-2.0 */
/* copy: y[i] = x[i], of any type and any strides. With elements of less than a word y is
 * contiguous, begins with a word, and its last word is filled with zeros.
 *
 * Bindings:  0 x (read, any strides), 1 y (write)
 * Workgroup: one word of y each
 * Dispatch:  ceil(words / width) */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { heed_copy_params it; };

void main() {
    const uint shift = word_shift(TYPE), per_word = 1 << shift;
    const uint first = INVOCATION << shift;
    if (first >= it.count)
        return;
    uint word = 0;
    for (uint i = 0; i < per_word && first + i < it.count; i++) {
        const uint from = it.x_offset + offset_of(first + i, it.dims, it.x_strides);
        word |= ELEMENT(x, TYPE, from) << (i * (32 >> shift));
    }
    y[(it.y_offset + offset_of(first, it.dims, it.y_strides)) >> shift] = word;
}
