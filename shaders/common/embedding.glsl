/* SPDX-License-Identifier: Apache-2.0 */
/* What embedding.comp and embedding_positions.comp do; they say which by WITH_POSITIONS. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer Table { uint table[]; };
layout(binding = 1) readonly buffer Ids { uint ids[]; };
layout(binding = 3) writeonly buffer Y { uint y[]; };
#if WITH_POSITIONS
layout(binding = 2) readonly buffer Positions { float vectors[]; };
layout(push_constant) uniform Push { heed_embedding_params it; heed_add_positions_params add; };
#else
layout(binding = 2) readonly buffer Scale { float scale[]; };
layout(push_constant) uniform Push { heed_embedding_params it; };
#endif

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
#if !WITH_POSITIONS
    if (TYPE == HEED_TYPE_I8)
        return floatBitsToUint(uintBitsToFloat(bits) *
                               scale[it.scale_offset + id * it.scale_stride]);
#endif
    return bits;
}

void main() {
    const uint i = INVOCATION;
    if (i >= it.count)
        return;
    const uint row = i / it.n, column = i % it.n;
    const uint id = ids[it.ids_offset + offset_of(row, it.dims, it.ids_strides)];
#if WITH_POSITIONS
    const uint place = ids[add.places_offset + offset_of(row, it.dims, add.places_strides)];
    const float word = id < it.rows ? uintBitsToFloat(value_of(id, column)) : 0.0;
    precise const float scaled = word * add.factor;
    precise const float sum = scaled + (place < add.rows ? vectors[place * it.n + column] : 0.0);
    y[it.y_offset + i] = floatBitsToUint(sum);
#else
    if (id - it.first < it.shown)
        y[it.y_offset + i] = value_of(id, column);
    else if (id >= it.rows && it.first == 0)
        y[it.y_offset + i] = 0;
#endif
}
