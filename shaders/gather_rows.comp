/* SPDX-License-Identifier: Apache-2.0 */
/* gather_rows: y[i, ...] = x[index[i], ...], zeros where the index is outside of x; of any type.
 * With elements of less than a word y begins with a word, and its last is filled with zeros.
 *
 * Bindings:  0 x, 1 index i32 (read, any strides), 2 y (write, contiguous)
 * Workgroup: one word of y each
 * Dispatch:  ceil(words / width) */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) readonly buffer Index { uint indices[]; };
layout(binding = 2) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { heed_gather_rows_params it; };

void main() {
    const uint shift = word_shift(TYPE), per_word = 1 << shift;
    const uint first = INVOCATION << shift;
    if (first >= it.count)
        return;
    uint word = 0;
    for (uint i = 0; i < per_word && first + i < it.count; i++) {
        const uint row = indices[it.index_offset + (first + i) / it.n * it.index_stride];
        const uint within = offset_of((first + i) % it.n, it.dims, it.x_strides);
        const uint from = it.x_offset + row * it.row_stride + within;
        if (row < it.rows)
            word |= ELEMENT(x, TYPE, from) << (i * (32 >> shift));
    }
    y[(it.y_offset + first) >> shift] = word;
}
