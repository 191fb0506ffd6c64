/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of attention_step.glsl with quantised rows and weights of 8 bits, with the bits that
 * quantize_rows.comp and matmul_quantized_skinny.comp give: sums of segments are integers, and so
 * are those of i8; q8_0 has floats, added in the order of blocks. Before it is included,
 * INTEGER_DOT says how four products are added. */
#define QUANTIZED_ROWS ROWS
#include "common/quantize_tile.glsl"
#include "common/packed.glsl"

layout(constant_id = HEED_STEP_SEGMENTS) const uint SEGMENTS = 1; /* of k */

const bool BLOCKS = WEIGHT_TYPE == HEED_TYPE_Q8_0;
const uint WORDS = HEED_MATMUL_SEGMENT / 4; /* of a segment */

/* [row][word][segment]: neighbours read neighbours */
shared uint packed_x[ROWS * WORDS * SEGMENTS];

struct total_sums {
    float blocks;
    int whole;
};
#define TOTAL total_sums
const TOTAL NOTHING = TOTAL(0.0, 0);

/* What quantize_tile.glsl asks for. */
vec4 row_quad(uint row, uint quad) {
    return wide_memory[(x_row(first_row() + row) >> 2) + quad];
}

/* Packs the rows, each by its team. */
void prepare() {
    const uint row = gl_LocalInvocationID.x / TEAM, lane = gl_LocalInvocationID.x % TEAM;
    scale_rows(it.k / 4);
    for (uint quad = lane; quad < it.k / 4; quad += TEAM)
        packed_x[(row * WORDS + quad % WORDS) * SEGMENTS + quad / WORDS] =
            quantized_word(row, quad);
    barrier();
}

/* Block `block` of q8_0 is 34 bytes, a scale in f16 and 32 values of 8 bits: the word in which it
 * begins, with its low or its high half. */
uint block_word(uint block) {
    return 17 * block >> 1;
}

float block_scale(uint block) {
    return heed_float(HEED_TYPE_F16, weights[block_word(block)], block);
}

/* Four words of weights, from word `first` of a segment on. */
void read_weights(uint segment, uint first, out uint words[4]) {
    if (BLOCKS) {
        const uint at = block_word(segment) + first;
        uint low = weights[at];
        [[unroll]] for (uint i = 0; i < 4; i++) {
            const uint high = weights[at + i + 1];
            words[i] = (segment & 1) == 0 ? low >> 16 | high << 16 : high;
            low = high;
        }
    } else {
        const uvec4 wide = wide_weights[(segment * WORDS + first) / 4];
        [[unroll]] for (uint i = 0; i < 4; i++)
            words[i] = wide[i];
    }
}

/* Sums over a segment of columns first, first + COLUMNS, ... of all rows; 0 beyond k. Those of
 * integers are below 2^24, and so exact. */
void sum_segment(uint head, uint first, uint segment,
                 out precise float sums[SUMS]) {
    SUM whole[SUMS];
    [[unroll]] for (uint i = 0; i < SUMS; i++)
        whole[i] = SUM(0);
    const uint words = segment < SEGMENTS ? WORDS : 0;
    [[dont_unroll]] for (uint word = 0; word < words; word += 4) {
        uint right[TILE * 4];
        [[unroll]] for (uint j = 0; j < TILE; j++) {
            uint four[4];
            read_weights(weight_row(head, column_of(first, j)) * SEGMENTS + segment, word, four);
            [[unroll]] for (uint i = 0; i < 4; i++)
                right[j * 4 + i] = four[i];
        }
        [[unroll]] for (uint i = 0; i < 4; i++) {
            FOUR columns[TILE];
            [[unroll]] for (uint j = 0; j < TILE; j++)
                columns[j] = unpacked(right[j * 4 + i]);
            [[unroll]] for (uint row = 0; row < ROWS; row++) {
                const FOUR left =
                    unpacked(packed_x[(row * WORDS + word + i) * SEGMENTS + segment]);
                [[unroll]] for (uint j = 0; j < TILE; j++)
                    whole[j * ROWS + row] =
                        add_products(left, columns[j], whole[j * ROWS + row]);
            }
        }
    }
    [[unroll]] for (uint j = 0; j < TILE; j++) {
        float factor = 1.0;
        if (BLOCKS)
            factor = segment < SEGMENTS
                         ? block_scale(weight_row(head, column_of(first, j)) * SEGMENTS + segment)
                         : 0.0;
        [[unroll]] for (uint row = 0; row < ROWS; row++)
            sums[j * ROWS + row] = float(whole[j * ROWS + row]) * factor;
    }
}

void add_segment(inout TOTAL total, float sum) {
    if (BLOCKS) {
        precise const float blocks = total.blocks + sum;
        total.blocks = blocks;
    } else {
        total.whole += int(sum);
    }
}

/* Of `row` of the workgroup and a row of the weights, without the bias. */
float product(TOTAL total, uint row, uint weight) {
    precise float value;
    if (BLOCKS) {
        value = total.blocks * row_scale[row];
    } else {
        const float weight_scale = uintBitsToFloat(weights[it.scale_offset + weight]);
        precise const float both = row_scale[row] * weight_scale;
        value = float(total.whole) * both;
    }
    return value;
}
