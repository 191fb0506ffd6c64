/* SPDX-License-Identifier: Apache-2.0 */
/* What matmul_quantized_skinny.comp, matmul_quantized_skinny_norm.comp,
 * matmul_quantized_skinny_choice.comp and those with _dot do; they say which by INTEGER_DOT and
 * MATMUL_THEN. */
#define QUANTIZED_ROWS ROWS
#include "params.h"
layout(constant_id = HEED_MATMUL_ROWS) const uint ROWS = 1;
layout(constant_id = HEED_MATMUL_LANES) const uint LANES = 16;
layout(constant_id = HEED_MATMUL_COLUMNS) const uint COLUMNS = 8;
#include "common/quantized.glsl"

const uint THREADS = LANES * COLUMNS;
const uint PITCH = LANES + 1; /* one more, so that readers of it do not meet in one bank */
const uint SUMS = ROWS * COLUMNS, LINES = SUMS > WORDS ? SUMS : WORDS;
const uint TOGETHER = LINES / WORDS < ROWS ? LINES / WORDS : ROWS; /* rows in work at a time */

/* By turns the words of some rows, [row][word of a segment][lane], and what the lanes have found,
 * [row][column][lane]: floats of blocks, else sums. */
shared uint partial[LINES * PITCH];

#if MATMUL_THEN == THEN_NORM
#define NORM_GET(at) uintBitsToFloat(partial[at])
#define NORM_PUT(at, value) partial[at] = floatBitsToUint(value)
#include "common/norm.glsl"
#elif MATMUL_THEN == THEN_CHOICE
#include "common/choice.glsl"
#endif

/* Words of b in one segment of k. */
void fetch_b(uint b_at, uint segment, out FOUR weights[WORDS]) {
    if (ALONG == 2) {
        const uint chunk = (b_at >> 4) + segment * (WORDS / 4);
        const uvec4 low = wide_b[chunk], high = wide_b[chunk + 1];
        [[unroll]] for (uint i = 0; i < WORDS; i++)
            weights[i] = unpacked(i < 4 ? low[i & 3] : high[i & 3]);
    } else {
        [[unroll]] for (uint i = 0; i < WORDS; i++)
            weights[i] = unpacked(column_word(b_at, segment * WORDS + i));
    }
}

/* Words of TOGETHER rows from `first` on, in LANES segments from `segment` on. */
void fetch_a(uint first, uint segment) {
    for (uint i = gl_LocalInvocationID.x; i < TOGETHER * LANES * WORDS; i += THREADS) {
        const uint row = i / (LANES * WORDS), lane = i / WORDS % LANES, word = i % WORDS;
        partial[(row * WORDS + word) * PITCH + lane] =
            row_word(first + row, (segment + lane) * WORDS + word);
    }
}

/* The sums of all rows over one segment of k for each lane, the first of them `segment`. */
void sum_segments(uint b_at, uint segment, uint last, out SUM sum[ROWS]) {
    const uint lane = gl_LocalInvocationID.x % LANES;
    FOUR weights[WORDS];
    fetch_b(b_at, min(segment + lane, last), weights);
    [[unroll]] for (uint first = 0; first < ROWS; first += TOGETHER) {
        barrier(); /* what lies there has been read */
        fetch_a(first, segment);
        barrier();
        [[unroll]] for (uint row = 0; row < TOGETHER; row++) {
            SUM both = SUM(0);
            [[unroll]] for (uint i = 0; i < WORDS; i++)
                both = add_products(unpacked(partial[(row * WORDS + i) * PITCH + lane]),
                                    weights[i], both);
            sum[first + row] = both;
        }
    }
}

/* Row t / COLUMNS, column first + t % COLUMNS of the product, bias included; of rows that
 * begin_rows() has begun. */
float product_of(uint batch, uint first) {
    const uint t = gl_LocalInvocationID.x, lane = t % LANES, slot = t / LANES * PITCH + lane;
    const uint last = it.column + it.columns - 1;
    const uint b_at = it.b_offset + batch / it.inner * it.b_batch[0] +
                      batch % it.inner * it.b_batch[1] + min(first + t / LANES, last) * it.b_n;
    const uint segments = (it.k + HEED_MATMUL_SEGMENT - 1) / HEED_MATMUL_SEGMENT;
    precise float total = 0.0;
    int whole[ROWS];
    [[unroll]] for (uint row = 0; row < ROWS; row++)
        whole[row] = 0;
    for (uint base = 0; base < segments; base += LANES) {
        SUM sum[ROWS];
        sum_segments(b_at, base, segments - 1, sum);
        if (BLOCKS) { /* added up in the order of blocks */
            const float factor = block_scale(b_at + min(base + lane, segments - 1));
            barrier(); /* words have been read */
            [[unroll]] for (uint row = 0; row < ROWS; row++) {
                precise float product = float(sum[row]) * factor;
                partial[row * COLUMNS * PITCH + slot] = floatBitsToUint(product);
            }
            barrier();
            if (t < SUMS)
                for (uint i = 0; i < min(LANES, segments - base); i++)
                    total = total + uintBitsToFloat(partial[t * PITCH + i]);
        } else {
            [[unroll]] for (uint row = 0; row < ROWS; row++)
                whole[row] += int(sum[row]);
        }
    }
    int sum_of_lanes = 0;
    if (!BLOCKS) {
        barrier(); /* words have been read */
        [[unroll]] for (uint row = 0; row < ROWS; row++)
            partial[row * COLUMNS * PITCH + slot] = uint(whole[row]);
        barrier();
        if (t < SUMS)
            [[unroll]] for (uint i = 0; i < LANES; i++)
                sum_of_lanes += int(partial[t * PITCH + i]);
    }
    return finish(sum_of_lanes, total, min(t / COLUMNS, ROWS - 1), min(first + t % COLUMNS, last));
}

#define BEGIN_PRODUCTS(batch) begin_rows(batch, 0)
#include "common/skinny_main.glsl"
