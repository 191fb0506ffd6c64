/* SPDX-License-Identifier: Apache-2.0 */
/* What matmul_coop_khr.comp and matmul_coop_nv.comp do. They say how matrices of a subgroup are
 * declared, read and multiplied: MATRIX_A, MATRIX_B, MATRIX_SUM, ZERO, READ_A and READ_B (of halves
 * in an array of words, which begin at a word, with a stride in words), MULTIPLY_ADD, WRITE. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/functions.glsl"

layout(constant_id = HEED_MATMUL_TYPES) const uint TYPES = 0;
layout(constant_id = HEED_MATMUL_ACTIVATION) const uint ACTIVATION = HEED_UNARY_COPY;
layout(constant_id = HEED_COOP_M) const uint M = 16;
layout(constant_id = HEED_COOP_N) const uint N = 16;
layout(constant_id = HEED_COOP_K) const uint K = 16;
layout(constant_id = HEED_COOP_SUBGROUPS) const uint SUBGROUPS = 1; /* 1 or 4 */

const uint A_TYPE = TYPES & 15, B_TYPE = (TYPES >> 4) & 15, BIAS_TYPE = (TYPES >> 8) & 15;
const uint ACROSS = SUBGROUPS / 2 > 0 ? SUBGROUPS / 2 : 1, DOWN = SUBGROUPS / ACROSS;
const uint TILES = HEED_COOP_TILES; /* matrices of a subgroup, along rows and along columns */
const uint ROWS = DOWN * TILES * M, COLUMNS = ACROSS * TILES * N;
const uint DEPTH = 2 * K, WORDS = DEPTH / 2; /* of k at a time; two halves are a word */
const uint PITCH = WORDS + 4; /* lines begin on 16 bytes, and in different banks */

layout(binding = 0) readonly buffer A { uint a[]; };
layout(binding = 1) readonly buffer B { uint b[]; };
layout(binding = 2) readonly buffer Bias { uint bias[]; };
layout(binding = 3) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_matmul_params it; };

shared uint a_piece[ROWS * PITCH];    /* [row][words along k] */
shared uint b_piece[COLUMNS * PITCH]; /* [column][words along k] */
shared float results[SUBGROUPS * M * N];

/* Two neighbours along k as halves; zeros from k on. */
#define HALVES(buffer, type, at, stride, p)                                                        \
    (type == HEED_TYPE_F16 && (stride) == 1 && ((at) & 1) == 0 && (p) + 1 < it.k                   \
         ? buffer[(at) >> 1]                                                                       \
         : packHalf2x16(vec2(                                                                      \
               (p) < it.k ? heed_float(type, buffer[heed_word(type, at)], at) : 0.0,               \
               (p) + 1 < it.k                                                                      \
                   ? heed_float(type, buffer[heed_word(type, (at) + (stride))], (at) + (stride))   \
                   : 0.0)))

void fetch_a(uint start, uint first_row, uint p) {
    for (uint i = gl_LocalInvocationID.x; i < ROWS * WORDS; i += gl_WorkGroupSize.x) {
        const uint row = i / WORDS, q = p + i % WORDS * 2;
        const uint at = start + min(first_row + row, it.m - 1) * it.a_row + q * it.a_k;
        a_piece[row * PITCH + i % WORDS] = HALVES(a, A_TYPE, at, it.a_k, q);
    }
}

void fetch_b(uint start, uint first_column, uint p) {
    const uint last = it.column + it.columns - 1;
    for (uint i = gl_LocalInvocationID.x; i < COLUMNS * WORDS; i += gl_WorkGroupSize.x) {
        const uint column = i / WORDS, q = p + i % WORDS * 2;
        const uint at = start + min(first_column + column, last) * it.b_n + q * it.b_k;
        b_piece[column * PITCH + i % WORDS] = HALVES(b, B_TYPE, at, it.b_k, q);
    }
}

/* Stores the matrices of all subgroups that have been put into `results`. */
void store(uint batch, uint first_row, uint first_column, uint i, uint j) {
    for (uint at = gl_LocalInvocationID.x; at < SUBGROUPS * M * N; at += gl_WorkGroupSize.x) {
        const uint part = at / (M * N), row_in = at / N % M, column_in = at % N;
        const uint row = first_row + (part / ACROSS * TILES + i) * M + row_in;
        const uint column = first_column + (part % ACROSS * TILES + j) * N + column_in;
        if (row >= it.m || column >= it.column + it.columns)
            continue;
        float value = results[at];
        if (BIAS_TYPE != 0) {
            const uint there = it.bias_offset + batch * it.bias_batch + column * it.bias_stride;
            value += heed_float(BIAS_TYPE, bias[heed_word(BIAS_TYPE, there)], there);
        }
        y[it.y_offset + (batch * it.m + row) * it.n + column] = heed_activate(ACTIVATION, value);
    }
}

void main() {
    const uint columns = (it.columns + COLUMNS - 1) / COLUMNS, rows = (it.m + ROWS - 1) / ROWS;
    const uint batch = WORKGROUP / columns / rows;
    if (batch >= it.batches) /* of the whole workgroup */
        return;
    const uint first_column = it.column + WORKGROUP % columns * COLUMNS;
    const uint first_row = WORKGROUP / columns % rows * ROWS;
    const uint a_start = it.a_offset + batch / it.inner * it.a_batch[0] +
                         batch % it.inner * it.a_batch[1];
    const uint b_start = it.b_offset + batch / it.inner * it.b_batch[0] +
                         batch % it.inner * it.b_batch[1];
    const uint part = SUBGROUPS == 1 ? 0 : gl_SubgroupID;
    const uint top = part / ACROSS * TILES * M, left = part % ACROSS * TILES * N;

    MATRIX_SUM sum[TILES * TILES];
    [[unroll]] for (uint i = 0; i < TILES * TILES; i++)
        sum[i] = ZERO;
    for (uint p = 0; p < it.k; p += DEPTH) {
        barrier(); /* the pieces before these have been read */
        fetch_a(a_start, first_row, p);
        fetch_b(b_start, first_column, p);
        barrier();
        [[unroll]] for (uint q = 0; q < WORDS; q += K / 2) {
            MATRIX_A above[TILES];
            [[unroll]] for (uint i = 0; i < TILES; i++)
                READ_A(above[i], a_piece, (top + i * M) * PITCH + q, PITCH);
            [[unroll]] for (uint j = 0; j < TILES; j++) {
                MATRIX_B beside;
                READ_B(beside, b_piece, (left + j * N) * PITCH + q, PITCH);
                [[unroll]] for (uint i = 0; i < TILES; i++)
                    sum[i * TILES + j] = MULTIPLY_ADD(above[i], beside, sum[i * TILES + j]);
            }
        }
    }
    [[unroll]] for (uint i = 0; i < TILES; i++)
        [[unroll]] for (uint j = 0; j < TILES; j++) {
            barrier(); /* the results before these have been read */
            WRITE(sum[i * TILES + j], results, part * M * N, N);
            barrier();
            store(batch, first_row, first_column, i, j);
        }
}
