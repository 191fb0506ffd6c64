/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one value: y[i] = f(x[i]); f is the activation KIND, or a product with a factor.
 * With elements of less than a word y begins with a word, and its last is filled with zeros.
 *
 * Bindings:  0 x (read, any strides), 1 y (write, contiguous); each f32, f16 or bf16
 * Workgroup: one word of y each
 * Dispatch:  ceil(words / width)
 * Error:     that of the functions in common/functions.glsl, in f32; then one rounding */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint KIND = HEED_UNARY_SCALE;
layout(constant_id = 2) const uint X_TYPE = HEED_TYPE_F32;
layout(constant_id = 3) const uint Y_TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { heed_unary_params it; };

void main() {
    const uint shift = word_shift(Y_TYPE), per_word = 1 << shift;
    const uint first = INVOCATION << shift;
    if (first >= it.count)
        return;
    uint word = 0;
    for (uint i = 0; i < per_word && first + i < it.count; i++) {
        const uint from = it.x_offset + offset_of(first + i, it.dims, it.x_strides);
        const float value = uintBitsToFloat(widened(ELEMENT(x, X_TYPE, from), X_TYPE));
        const float result =
            KIND == HEED_UNARY_SCALE ? value * it.factor : heed_activate(KIND, value);
        word |= narrowed(floatBitsToUint(result), Y_TYPE) << (i * 16);
    }
    y[(it.y_offset + first) >> shift] = word;
}
