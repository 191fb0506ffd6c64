/* SPDX-License-Identifier: Apache-2.0 */
/* What matmul_quantized_skinny.comp and matmul_quantized_skinny_dot.comp do; they say which by
 * INTEGER_DOT. */
#include "common/quantized.glsl"

layout(constant_id = HEED_MATMUL_ROWS) const uint ROWS = 1;
layout(constant_id = HEED_MATMUL_LANES) const uint LANES = 16;
layout(constant_id = HEED_MATMUL_COLUMNS) const uint COLUMNS = 8;

const uint PITCH = LANES + 1; /* one more, so that readers of it do not meet in one bank */

shared uint partial[ROWS * COLUMNS * PITCH]; /* [row][column][lane]: floats of blocks, else sums */

/* The sums of all rows over one segment of k. */
void sum_segment(uint b_at, uint first_line, uint segment, out SUM sum[ROWS]) {
    FOUR weights[WORDS];
    if (ALONG == 2) {
        const uint chunk = (b_at >> 4) + segment * (WORDS / 4);
        const uvec4 low = wide_b[chunk], high = wide_b[chunk + 1];
        [[unroll]] for (uint i = 0; i < WORDS; i++)
            weights[i] = unpacked(i < 4 ? low[i & 3] : high[i & 3]);
    } else {
        [[unroll]] for (uint i = 0; i < WORDS; i++)
            weights[i] = unpacked(column_word(b_at, segment * WORDS + i));
    }
    [[unroll]] for (uint row = 0; row < ROWS; row++) {
        const uint line = first_line + min(row, it.m - 1);
        const uint chunk = (line * it.a_row + segment * WORDS) / 4;
        const uvec4 low = wide_a[chunk], high = wide_a[chunk + 1];
        sum[row] = SUM(0);
        [[unroll]] for (uint i = 0; i < WORDS; i++)
            sum[row] = add_products(unpacked(i < 4 ? low[i & 3] : high[i & 3]), weights[i],
                                    sum[row]);
    }
}

void main() {
    const uint groups = (it.columns + COLUMNS - 1) / COLUMNS, batch = WORKGROUP / groups;
    if (batch >= it.batches) /* of the whole workgroup */
        return;
    const uint t = gl_LocalInvocationID.x, first = it.column + WORKGROUP % groups * COLUMNS;
    const uint end = it.column + it.columns;
    const uint lane = t % LANES, slot = t / LANES * PITCH + lane;
    const uint b_at = it.b_offset + batch / it.inner * it.b_batch[0] +
                      batch % it.inner * it.b_batch[1] + min(first + t / LANES, end - 1) * it.b_n;
    const uint segments = it.a_row / WORDS;
    precise float total = 0.0; /* of row t / COLUMNS, column t % COLUMNS */
    int whole[ROWS];
    [[unroll]] for (uint row = 0; row < ROWS; row++)
        whole[row] = 0;
    for (uint base = 0; base < segments; base += LANES) {
        SUM sum[ROWS];
        [[unroll]] for (uint row = 0; row < ROWS; row++)
            sum[row] = SUM(0);
        if (base + lane < segments)
            sum_segment(b_at, batch * it.m, base + lane, sum);
        if (BLOCKS) { /* added up in the order of blocks */
            const float factor = block_scale(b_at + min(base + lane, segments - 1));
            barrier(); /* products before these have been read */
            [[unroll]] for (uint row = 0; row < ROWS; row++) {
                precise float product = float(sum[row]) * factor;
                partial[row * COLUMNS * PITCH + slot] = floatBitsToUint(product);
            }
            barrier();
            if (t < ROWS * COLUMNS)
                for (uint i = 0; i < min(LANES, segments - base); i++)
                    total = total + uintBitsToFloat(partial[t * PITCH + i]);
        } else {
            [[unroll]] for (uint row = 0; row < ROWS; row++)
                whole[row] += int(sum[row]);
        }
    }
    int sum_of_lanes = 0;
    if (!BLOCKS) {
        [[unroll]] for (uint row = 0; row < ROWS; row++)
            partial[row * COLUMNS * PITCH + slot] = uint(whole[row]);
        barrier();
        if (t < ROWS * COLUMNS)
            [[unroll]] for (uint i = 0; i < LANES; i++)
                sum_of_lanes += int(partial[t * PITCH + i]);
    }

    const uint row = t / COLUMNS, column = first + t % COLUMNS;
    if (row >= it.m || column >= end)
        return;
    const uint line = batch * it.m + row;
    y[it.y_offset + line * it.n + column] =
        heed_activate(ACTIVATION, finish(sum_of_lanes, total, line, column));
}
