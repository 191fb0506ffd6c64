/* SPDX-License-Identifier: Apache-2.0 */
/* What products with quantised rows share: operands, and what is done with a sum. The rows of a,
 * packed and padded with zeros by quantize_rows.comp, are a_row words each; the scales of rows come
 * after them, then those of columns. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/functions.glsl"
#include "common/packed.glsl"

layout(constant_id = HEED_MATMUL_TYPES) const uint TYPES = 0;
layout(constant_id = HEED_MATMUL_ACTIVATION) const uint ACTIVATION = HEED_UNARY_COPY;
/* How b lies in memory: 0 any strides; 1 along k, in whole words; 2 the same, in blocks of 16. */
layout(constant_id = HEED_MATMUL_ALONG) const uint ALONG = 0;

const uint B_TYPE = (TYPES >> 4) & 15, BIAS_TYPE = (TYPES >> 8) & 15;
const bool BLOCKS = B_TYPE == HEED_TYPE_Q8_0;
const uint WORDS = HEED_MATMUL_SEGMENT / 4; /* of a segment of k, or of a block */

layout(binding = 0) readonly buffer Rows { uint a[]; };
layout(binding = 0) readonly buffer WideRows { uvec4 wide_a[]; };
layout(binding = 0) readonly buffer Scales { float scales[]; };
layout(binding = 1) readonly buffer B { uint b[]; };
layout(binding = 1) readonly buffer WideB { uvec4 wide_b[]; };
layout(binding = 2) readonly buffer Bias { uint bias[]; };
layout(binding = 3) buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_matmul_params it; };

/* A block of q8_0 is 34 bytes: a scale in f16, then 32 values of 8 bits. */
float block_scale(uint block) {
    const uint at = 17 * block;
    return heed_float(HEED_TYPE_F16, b[at >> 1], at);
}

/* Values 4 * word to 4 * word + 3 along k of the column that begins at `start`. Beyond k, where
 * rows of a have zeros, it may be anything. */
uint column_word(uint start, uint word) {
    if (BLOCKS) {
        const uint half_word = 17 * (start + word / WORDS) + 1 + word % WORDS * 2;
        const uint low = b[half_word >> 1];
        return (half_word & 1) == 0 ? low : low >> 16 | b[(half_word >> 1) + 1] << 16;
    }
    if (ALONG != 0)
        return b[(start >> 2) + min(word, (it.k - 1) >> 2)];
    uint packed_word = 0;
    for (uint i = 0; i < 4; i++) {
        const uint at = start + min(4 * word + i, it.k - 1) * it.b_k;
        packed_word |= (b[at >> 2] >> (at & 3) * 8 & 0xffu) << 8 * i;
    }
    return packed_word;
}

/* The result of row `row` of all batches, all but the activation. */
float finish(int whole, float total, uint row, uint column) {
    const uint rows = it.batches * it.m;
    const float row_scale = scales[rows * it.a_row + row];
    precise float value;
    if (BLOCKS) {
        value = total * row_scale;
    } else {
        precise float both = row_scale * scales[rows * (it.a_row + 1) + column];
        value = float(whole) * both;
    }
    if (BIAS_TYPE != 0) {
        const uint at = it.bias_offset + column * it.bias_stride;
        value = value + heed_float(BIAS_TYPE, bias[heed_word(BIAS_TYPE, at)], at);
    }
    return value;
}
