/* SPDX-License-Identifier: Apache-2.0 */
/* What products with quantised rows share: operands, words of a, and what is done with a sum. Rows
 * of a are packed already, by quantize_rows.comp: padded with zeros to a_row words each, the scales
 * of rows after them, then those of columns. Or they are floats, four on each boundary of 16 bytes,
 * that the workgroup packs itself; then the scales of columns lie with the bias. Before this file
 * is included, QUANTIZED_ROWS is the number of a workgroup's rows, and MATMUL_THEN says what
 * follows the product. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/functions.glsl"
#include "common/packed.glsl"

layout(constant_id = HEED_MATMUL_TYPES) const uint TYPES = 0;
layout(constant_id = HEED_MATMUL_ACTIVATION) const uint ACTIVATION = HEED_UNARY_COPY;
/* How b lies in memory: 0 any strides; 1 along k, in whole words; 2 the same, in blocks of 16. */
layout(constant_id = HEED_MATMUL_ALONG) const uint ALONG = 0;

const bool PACKED = (TYPES & 15) == 0;
const uint B_TYPE = (TYPES >> 4) & 15, BIAS_TYPE = (TYPES >> 8) & 15;
const bool BLOCKS = B_TYPE == HEED_TYPE_Q8_0;
const uint WORDS = HEED_MATMUL_SEGMENT / 4; /* of a segment of k, or of a block */

layout(binding = 0) readonly buffer Rows { uint a[]; };
layout(binding = 0) readonly buffer Quads { vec4 quads_of_a[]; };
layout(binding = 0) readonly buffer Scales { float scales[]; };
layout(binding = 1) readonly buffer B { uint b[]; };
layout(binding = 1) readonly buffer WideB { uvec4 wide_b[]; };
#if MATMUL_THEN == THEN_NORM
layout(binding = 1) readonly buffer Bias { uint bias[]; };
layout(push_constant) uniform Push { heed_matmul_params it; heed_norm_params norm; };
#elif MATMUL_THEN == THEN_CHOICE
layout(binding = 2) readonly buffer Bias { uint bias[]; };
layout(push_constant) uniform Push { heed_matmul_params it; heed_choice_params choose; };
#else
layout(binding = 2) readonly buffer Bias { uint bias[]; };
layout(binding = 3) buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_matmul_params it; };
#endif

/* ---- a ---- */

/* Where the workgroup's rows begin, and those of their batch, in elements of a. */
uint my_batch, my_row, my_start;

/* Of all rows of all batches, the number of row `row` of the workgroup. */
uint line_of(uint row) {
    return my_batch * it.m + min(my_row + row, it.m - 1);
}

#include "common/quantize_tile.glsl"

vec4 row_quad(uint row, uint quad) {
    return quads_of_a[(my_start + min(my_row + row, it.m - 1) * it.a_row) / 4 + quad];
}

/* To be called by all invocations, before any other function of a. */
void begin_rows(uint batch, uint row) {
    my_batch = batch;
    my_row = row;
    my_start = it.a_offset + batch / it.inner * it.a_batch[0] + batch % it.inner * it.a_batch[1];
    if (!PACKED)
        scale_rows(it.k / 4);
}

/* Values 4 * word to 4 * word + 3 along k of row `row` of the workgroup; zeros beyond k. */
uint row_word(uint row, uint word) {
    if (PACKED)
        return word < it.a_row ? a[line_of(row) * it.a_row + word] : 0;
    return word < it.k / 4 ? quantized_word(row, word) : 0;
}

/* ---- b ---- */

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

/* ---- y ---- */

/* The result of row `row` of the workgroup, all but the activation. */
float finish(int whole, float total, uint row, uint column) {
    const uint rows = it.batches * it.m;
    const float left = PACKED ? scales[rows * it.a_row + line_of(row)] : row_scale[row];
    precise float value;
    if (BLOCKS) {
        value = total * left;
    } else {
        const float right =
            PACKED ? scales[rows * (it.a_row + 1) + column]
                   : uintBitsToFloat(bias[it.scale_offset + column * it.scale_stride]);
        precise float both = left * right;
        value = float(whole) * both;
    }
    if (BIAS_TYPE != 0) {
        const uint at = it.bias_offset + column * it.bias_stride;
        value = value + heed_float(BIAS_TYPE, bias[heed_word(BIAS_TYPE, at)], at);
    }
    return value;
}
