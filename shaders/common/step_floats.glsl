/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of attention_step.glsl with weights of a float type. Those of segments are added as
 * HEED_MATMUL_SEGMENT has it. */
#define TOTAL float
const TOTAL NOTHING = 0.0;

void prepare() {
}

/* Eight weights from element `at` on, a multiple of eight. */
void read_weights(uint at, out float values[8]) {
    const uint chunk = WEIGHT_TYPE == HEED_TYPE_F32 ? at >> 2 : at >> 3;
    const uvec4 low = wide_weights[chunk];
    const uvec4 high = WEIGHT_TYPE == HEED_TYPE_F32 ? wide_weights[chunk + 1] : low;
    [[unroll]] for (uint i = 0; i < 8; i++)
        values[i] = WEIGHT_TYPE == HEED_TYPE_F32
                        ? uintBitsToFloat(i < 4 ? low[i & 3] : high[i & 3])
                        : heed_float(WEIGHT_TYPE, low[i >> 1], i);
}

/* Sums over a segment of columns first, first + COLUMNS, ... of all rows; 0 beyond k. */
void sum_segment(uint head, uint first, uint segment,
                 out precise float sums[SUMS]) {
    const uint from = min(segment * HEED_MATMUL_SEGMENT, it.k);
    const uint to = min(from + HEED_MATMUL_SEGMENT, it.k);
    [[unroll]] for (uint i = 0; i < SUMS; i++)
        sums[i] = 0.0;
    for (uint p = from; p < to; p += 8) {
        float right[TILE * 8];
        [[unroll]] for (uint j = 0; j < TILE; j++) {
            float values[8];
            read_weights(weight_row(head, column_of(first, j)) * it.k + p, values);
            [[unroll]] for (uint i = 0; i < 8; i++)
                right[j * 8 + i] = values[i];
        }
        [[unroll]] for (uint row = 0; row < ROWS; row++) {
            const uint at = (x_row(first_row() + row) + p) >> 2;
            const vec4 low = wide_memory[at], high = wide_memory[at + 1];
            [[unroll]] for (uint j = 0; j < TILE; j++)
                [[unroll]] for (uint i = 0; i < 8; i++)
                    sums[j * ROWS + row] = fma(i < 4 ? low[i & 3] : high[i & 3], right[j * 8 + i],
                                               sums[j * ROWS + row]);
        }
    }
}

void add_segment(precise inout TOTAL total, float sum) {
    total += sum;
}

/* Of `row` of the workgroup and a row of the weights, without the bias. */
float product(TOTAL total, uint row, uint weight) {
    return total;
}
