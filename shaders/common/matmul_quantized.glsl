/* SPDX-License-Identifier: Apache-2.0 */
/* What matmul_quantized.comp and matmul_quantized_dot.comp do; they say which by INTEGER_DOT. */
#include "common/quantized.glsl"

layout(constant_id = HEED_MATMUL_TX) const uint TX = 8;
layout(constant_id = HEED_MATMUL_TY) const uint TY = 8;
layout(constant_id = HEED_MATMUL_TM) const uint TM = 4;
layout(constant_id = HEED_MATMUL_TN) const uint TN = 4;

const uint THREADS = TX * TY;
const uint ROWS = TY * TM, COLUMNS = TX * TN;
/* One more, so that writes along k do not meet in one bank. */
const uint A_PITCH = ROWS + 1, B_PITCH = COLUMNS + 1;

shared uint a_piece[WORDS * A_PITCH]; /* [word][row] */
shared uint b_piece[WORDS * B_PITCH]; /* [word][column] */
shared float factors[COLUMNS];        /* of blocks */

void fetch_a(uint first_row, uint batch, uint word) {
    for (uint i = gl_LocalInvocationID.x; i < ROWS * WORDS; i += THREADS) {
        const uint row = i / WORDS, q = i % WORDS;
        const uint there = batch * it.m + min(first_row + row, it.m - 1);
        a_piece[q * A_PITCH + row] = a[there * it.a_row + word + q];
    }
}

void fetch_b(uint start, uint first_column, uint word) {
    const uint end = it.column + it.columns;
    for (uint i = gl_LocalInvocationID.x; i < COLUMNS * WORDS; i += THREADS) {
        const uint column = i / WORDS, q = i % WORDS;
        const uint there = start + min(first_column + column, end - 1) * it.b_n;
        b_piece[q * B_PITCH + column] = column_word(there, word + q);
    }
    if (BLOCKS)
        for (uint i = gl_LocalInvocationID.x; i < COLUMNS; i += THREADS)
            factors[i] =
                block_scale(start + min(first_column + i, end - 1) * it.b_n + word / WORDS);
}

void main() {
    const uint columns = (it.columns + COLUMNS - 1) / COLUMNS, rows = (it.m + ROWS - 1) / ROWS;
    const uint batch = WORKGROUP / columns / rows;
    if (batch >= it.batches) /* of the whole workgroup */
        return;
    const uint first_column = it.column + WORKGROUP % columns * COLUMNS;
    const uint first_row = WORKGROUP / columns % rows * ROWS;
    const uint b_start = it.b_offset + batch / it.inner * it.b_batch[0] +
                         batch % it.inner * it.b_batch[1];
    const uint end = it.column + it.columns;
    const uint x = gl_LocalInvocationID.x % TX, top = gl_LocalInvocationID.x / TX * TM;

    precise float total[TM * TN];
    int whole[TM * TN];
    [[unroll]] for (uint i = 0; i < TM * TN; i++) {
        total[i] = 0.0;
        whole[i] = 0;
    }
    for (uint word = 0; word < it.a_row; word += WORDS) {
        barrier(); /* the pieces before these have been read */
        fetch_a(first_row, batch, word);
        fetch_b(b_start, first_column, word);
        barrier();
        SUM sum[TM * TN];
        [[unroll]] for (uint i = 0; i < TM * TN; i++)
            sum[i] = SUM(0);
        for (uint q = 0; q < WORDS; q++) {
            FOUR left[TM];
            [[unroll]] for (uint i = 0; i < TM; i++)
                left[i] = unpacked(a_piece[q * A_PITCH + top + i]);
            [[unroll]] for (uint j = 0; j < TN; j++) {
                const FOUR right = unpacked(b_piece[q * B_PITCH + x + j * TX]);
                [[unroll]] for (uint i = 0; i < TM; i++)
                    sum[i * TN + j] = add_products(left[i], right, sum[i * TN + j]);
            }
        }
        [[unroll]] for (uint j = 0; j < TN; j++)
            [[unroll]] for (uint i = 0; i < TM; i++)
                if (BLOCKS) {
                    precise float product = float(sum[i * TN + j]) * factors[x + j * TX];
                    total[i * TN + j] = total[i * TN + j] + product;
                } else {
                    whole[i * TN + j] += int(sum[i * TN + j]);
                }
    }

    [[unroll]] for (uint i = 0; i < TM; i++)
        [[unroll]] for (uint j = 0; j < TN; j++) {
            const uint row = first_row + top + i, column = first_column + x + j * TX;
            if (row >= it.m || column >= end)
                continue;
            const uint line = batch * it.m + row;
            y[it.y_offset + line * it.n + column] =
                finish(whole[i * TN + j], total[i * TN + j], line, column);
        }
    if (ACTIVATION == HEED_UNARY_COPY)
        return;
    /* In a loop of its own that is not unrolled, as the code of an activation is long. */
    for (uint i = 0; i < TM * TN; i++) {
        const uint row = first_row + top + i / TN, column = first_column + x + i % TN * TX;
        const uint at = it.y_offset + (batch * it.m + row) * it.n + column;
        if (row >= it.m || column >= end)
            continue;
        y[at] = heed_activate(ACTIVATION, y[at]);
    }
}
