/* SPDX-License-Identifier: Apache-2.0 */
/* What matmul_quantized.comp, matmul_quantized_norm.comp, matmul_quantized_choice.comp and those
 * with _dot do; they say which by INTEGER_DOT and MATMUL_THEN. */
#define QUANTIZED_ROWS (TY * TM)
#include "params.h"
layout(constant_id = HEED_MATMUL_TX) const uint TX = 8;
layout(constant_id = HEED_MATMUL_TY) const uint TY = 8;
layout(constant_id = HEED_MATMUL_TM) const uint TM = 4;
layout(constant_id = HEED_MATMUL_TN) const uint TN = 4;
#include "common/quantized.glsl"

const uint THREADS = TX * TY;
const uint ROWS = TY * TM, COLUMNS = TX * TN;
/* One more, so that writes along k do not meet in one bank. */
const uint A_PITCH = ROWS + 1, B_PITCH = COLUMNS + 1;

#if MATMUL_THEN == THEN_NORM
const uint THEN_WORDS = 8 * THREADS; /* of THREADS / 16 rows */
#elif MATMUL_THEN == THEN_CHOICE
const uint THEN_WORDS = TY * COLUMNS;
#else
const uint THEN_WORDS = 0;
#endif
const uint PIECES = WORDS * (A_PITCH + B_PITCH);
/* A piece of a, [word][row], then one of b, [word][column]; and what follows the product. */
shared uint pieces[PIECES > THEN_WORDS ? PIECES : THEN_WORDS];
shared float factors[COLUMNS]; /* of blocks */
#define A_PIECE(word, row) pieces[(word) * A_PITCH + (row)]
#define B_PIECE(word, column) pieces[WORDS * A_PITCH + (word) * B_PITCH + (column)]

#if MATMUL_THEN == THEN_NORM
#define NORM_GET(at) uintBitsToFloat(pieces[at])
#define NORM_PUT(at, value) pieces[at] = floatBitsToUint(value)
#include "common/norm.glsl"
#elif MATMUL_THEN == THEN_CHOICE
#include "common/choice.glsl"
#include "common/choice_tile.glsl"

float slice_element(uint at, uint column) {
    return uintBitsToFloat(pieces[at]);
}
#endif

void fetch_a(uint word) {
    for (uint i = gl_LocalInvocationID.x; i < ROWS * WORDS; i += THREADS)
        A_PIECE(i % WORDS, i / WORDS) = row_word(i / WORDS, word + i % WORDS);
}

void fetch_b(uint start, uint first_column, uint word) {
    const uint end = it.column + it.columns;
    for (uint i = gl_LocalInvocationID.x; i < COLUMNS * WORDS; i += THREADS) {
        const uint column = i / WORDS, q = i % WORDS;
        const uint there = start + min(first_column + column, end - 1) * it.b_n;
        B_PIECE(q, column) = column_word(there, word + q);
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
    begin_rows(batch, first_row);
    for (uint word = 0; word * 4 < it.k; word += WORDS) {
        barrier(); /* the pieces before these have been read */
        fetch_a(word);
        fetch_b(b_start, first_column, word);
        barrier();
        SUM sum[TM * TN];
        [[unroll]] for (uint i = 0; i < TM * TN; i++)
            sum[i] = SUM(0);
        for (uint q = 0; q < WORDS; q++) {
            FOUR left[TM];
            [[unroll]] for (uint i = 0; i < TM; i++)
                left[i] = unpacked(A_PIECE(q, top + i));
            [[unroll]] for (uint j = 0; j < TN; j++) {
                const FOUR right = unpacked(B_PIECE(q, x + j * TX));
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

#if MATMUL_THEN == THEN_CHOICE
    /* Row y * TM + slice of each y comes together at a time, its columns beside each other. */
    for (uint slice = 0; slice < TM; slice++) {
        barrier(); /* pieces, and rows before these, have been read */
        [[unroll]] for (uint i = 0; i < TM; i++)
            [[unroll]] for (uint j = 0; j < TN; j++)
                if (i == slice)
                    pieces[top / TM * COLUMNS + x + j * TX] = floatBitsToUint(
                        finish(whole[i * TN + j], total[i * TN + j], top + i,
                               min(first_column + x + j * TX, end - 1)));
        barrier();
        choose_slice(first_row + slice, first_column);
    }
    choice_finish(first_row, min(first_row + ROWS, it.m), min(8, THREADS / 16), first_row / ROWS,
                  columns);
#else
    [[unroll]] for (uint i = 0; i < TM; i++)
        [[unroll]] for (uint j = 0; j < TN; j++) {
            const uint row = first_row + top + i, column = first_column + x + j * TX;
            if (row >= it.m || column >= end)
                continue;
            const float value =
                finish(whole[i * TN + j], total[i * TN + j], top + i, column);
#if MATMUL_THEN == THEN_NORM
            norm_store(row, column, value);
        }
    norm_finish(first_row, min(first_row + ROWS, it.m), THREADS / 16, first_row / ROWS, columns);
#else
            y[it.y_offset + (batch * it.m + row) * it.n + column] = value;
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
#endif
#endif
}
