/* SPDX-License-Identifier: Apache-2.0 */
/* What matmul.comp, matmul_i8.comp, matmul_norm.comp and matmul_choice.comp do; they say which by
 * MATMUL_I8 and MATMUL_THEN. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/functions.glsl"

layout(constant_id = HEED_MATMUL_TYPES) const uint TYPES = 0;
layout(constant_id = HEED_MATMUL_ACTIVATION) const uint ACTIVATION = HEED_UNARY_COPY;
layout(constant_id = HEED_MATMUL_TX) const uint TX = 8;
layout(constant_id = HEED_MATMUL_TY) const uint TY = 8;
layout(constant_id = HEED_MATMUL_TM) const uint TM = 4;
layout(constant_id = HEED_MATMUL_TN) const uint TN = 4;

const uint A_TYPE = TYPES & 15, B_TYPE = (TYPES >> 4) & 15, BIAS_TYPE = (TYPES >> 8) & 15;
const uint THREADS = TX * TY;
const uint DEPTH = 16;
const uint ROWS = TY * TM, COLUMNS = TX * TN;
/* One more, so that writes along p do not meet in one bank. */
const uint A_PITCH = ROWS + 1, B_PITCH = COLUMNS + 1;

layout(binding = 0) readonly buffer A { uint a[]; };
layout(binding = 1) readonly buffer B { uint b[]; };
shared float a_piece[DEPTH * A_PITCH]; /* [p][row] */
shared float b_piece[DEPTH * B_PITCH]; /* [p][column] */

#if MATMUL_THEN == THEN_NORM
layout(binding = 1) readonly buffer Bias { uint bias[]; };
layout(push_constant) uniform Push { heed_matmul_params it; heed_norm_params norm; };
#define NORM_GET(at) b_piece[at]
#define NORM_PUT(at, value) b_piece[at] = value
#include "common/norm.glsl"
#elif MATMUL_THEN == THEN_CHOICE
layout(binding = 2) readonly buffer Bias { uint bias[]; };
layout(push_constant) uniform Push { heed_matmul_params it; heed_choice_params choose; };
#include "common/choice.glsl"
#else
layout(binding = 2) readonly buffer Bias { uint bias[]; };
#if MATMUL_I8 /* four bindings for five operands: y lies beside a */
layout(binding = 0) buffer YBesideA { float y[]; };
layout(binding = 3) readonly buffer Scale { float scale[]; };
#else
layout(binding = 3) buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { heed_matmul_params it; };
#endif

/* Neighbouring invocations read neighbours in memory: along p, or along rows. */
void fetch_a(uint start, uint first_row, uint p) {
    for (uint i = gl_LocalInvocationID.x; i < ROWS * DEPTH; i += THREADS) {
        const bool along = it.a_k <= 1;
        const uint row = along ? i / DEPTH : i % ROWS, q = along ? i % DEPTH : i / ROWS;
        float value = 0.0;
        if (first_row + row < it.m && p + q < it.k) {
            const uint at = start + (first_row + row) * it.a_row + (p + q) * it.a_k;
            value = heed_float(A_TYPE, a[heed_word(A_TYPE, at)], at);
        }
        a_piece[q * A_PITCH + row] = value;
    }
}

void fetch_b(uint start, uint first_column, uint p) {
    const uint end = it.column + it.columns;
    for (uint i = gl_LocalInvocationID.x; i < COLUMNS * DEPTH; i += THREADS) {
        const bool along = it.b_k <= 1;
        const uint column = along ? i / DEPTH : i % COLUMNS, q = along ? i % DEPTH : i / COLUMNS;
        float value = 0.0;
        if (first_column + column < end && p + q < it.k) {
            const uint at = start + (first_column + column) * it.b_n + (p + q) * it.b_k;
            value = heed_float(B_TYPE, b[heed_word(B_TYPE, at)], at);
        }
        b_piece[q * B_PITCH + column] = value;
    }
}

/* What is stored for a sum, all but the activation. */
float finish(float total, uint column, uint bias_start) {
    precise float value = total;
#if MATMUL_I8
    value = value * scale[it.scale_offset + column * it.scale_stride];
#endif
    if (BIAS_TYPE != 0) {
        const uint at = bias_start + column * it.bias_stride;
        value = value + heed_float(BIAS_TYPE, bias[heed_word(BIAS_TYPE, at)], at);
    }
    return value;
}

#if MATMUL_THEN == THEN_CHOICE
#include "common/choice_tile.glsl"

float slice_element(uint at, uint column) {
    return finish(a_piece[at], column, it.bias_offset);
}
#endif

void main() {
    const uint columns = (it.columns + COLUMNS - 1) / COLUMNS, rows = (it.m + ROWS - 1) / ROWS;
    const uint batch = WORKGROUP / columns / rows;
    if (batch >= it.batches) /* of the whole workgroup */
        return;
    const uint first_column = it.column + WORKGROUP % columns * COLUMNS;
    const uint first_row = WORKGROUP / columns % rows * ROWS;
    const uint outer = batch / it.inner, inner = batch % it.inner;
    const uint a_start = it.a_offset + outer * it.a_batch[0] + inner * it.a_batch[1];
    const uint b_start = it.b_offset + outer * it.b_batch[0] + inner * it.b_batch[1];
    const uint bias_start = it.bias_offset + batch * it.bias_batch;
    const uint end = it.column + it.columns;
    const uint x = gl_LocalInvocationID.x % TX, top = gl_LocalInvocationID.x / TX * TM;

    precise float total[TM * TN], sum[TM * TN];
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        total[i] = sum[i] = 0.0;
    for (uint p = 0; p < it.k; p += DEPTH) {
        barrier();
        fetch_a(a_start, first_row, p);
        fetch_b(b_start, first_column, p);
        barrier();
        for (uint q = 0; q < DEPTH; q++) {
            float left[TM], right[TN];
            [[unroll]] for (uint i = 0; i < TM; i++)
                left[i] = a_piece[q * A_PITCH + top + i];
            [[unroll]] for (uint j = 0; j < TN; j++)
                right[j] = b_piece[q * B_PITCH + x + j * TX];
            [[unroll]] for (uint i = 0; i < TM; i++)
                [[unroll]] for (uint j = 0; j < TN; j++)
                    sum[i * TN + j] = fma(left[i], right[j], sum[i * TN + j]);
        }
        if ((p + DEPTH) % HEED_MATMUL_SEGMENT == 0 || p + DEPTH >= it.k)
            [[unroll]] for (uint i = 0; i < TM * TN; i++) {
                total[i] += sum[i];
                sum[i] = 0.0;
            }
    }

#if MATMUL_THEN == THEN_CHOICE
    /* Row y * TM + slice of each y comes together at a time, its columns beside each other. */
    for (uint slice = 0; slice < TM; slice++) {
        barrier(); /* pieces, and rows before these, have been read */
        [[unroll]] for (uint i = 0; i < TM; i++)
            [[unroll]] for (uint j = 0; j < TN; j++)
                if (i == slice)
                    a_piece[top / TM * COLUMNS + x + j * TX] = total[i * TN + j];
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
            const float value = finish(total[i * TN + j], column, bias_start);
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
