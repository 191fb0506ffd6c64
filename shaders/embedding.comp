/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: y[r, i] = table[ids[r], i], times scale[ids[r]] where the table is i8, times the scale
 * of its block where it is q8_0; zeros for an id outside of the table.
 *
 * Bindings:  0 table (read, any strides), 1 ids i32 (read, any strides), 2 scale f32 (read; of an
 *            i8 table), 3 y f32 (write, contiguous)
 * Workgroup: one element each
 * Dispatch:  ceil(count / width)
 * Error:     one rounding with an i8 table, else none */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer Table { uint table[]; };
layout(binding = 1) readonly buffer Ids { uint ids[]; };
layout(binding = 2) readonly buffer Scale { float scale[]; };
layout(binding = 3) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { heed_embedding_params it; };

/* A block is 34 bytes: a scale in f16, then 32 values of 8 bits. */
uint block_value(uint block, uint at) {
    const uint first = 34 * block;
    const uint factor = ELEMENT(table, HEED_TYPE_F16, first >> 1);
    const uint value = ELEMENT(table, HEED_TYPE_I8, first + 2 + at);
    return floatBitsToUint(uintBitsToFloat(widened(value, HEED_TYPE_I8)) *
                           uintBitsToFloat(widened_f16(factor)));
}

uint value_of(uint id, uint column) {
    const uint row = it.table_offset + id * it.row_stride;
    if (TYPE == HEED_TYPE_Q8_0)
        return block_value(row + column / 32 * it.column_stride, column % 32);
    const uint at = row + column * it.column_stride;
    const uint bits = widened(ELEMENT(table, TYPE, at), TYPE);
    if (TYPE != HEED_TYPE_I8)
        return bits;
    return floatBitsToUint(uintBitsToFloat(bits) * scale[it.scale_offset + id * it.scale_stride]);
}

void main() {
    const uint i = INVOCATION;
    if (i >= it.count)
        return;
    const uint id = ids[it.ids_offset + offset_of(i / it.n, it.dims, it.ids_strides)];
    if (id - it.first < it.shown)
        y[it.y_offset + i] = value_of(id, i % it.n);
    else if (id >= it.rows && it.first == 0)
        y[it.y_offset + i] = 0;
}
