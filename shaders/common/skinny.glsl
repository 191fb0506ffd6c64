/* SPDX-License-Identifier: Apache-2.0 */
/* What matmul_skinny.comp, matmul_skinny_norm.comp and matmul_skinny_choice.comp do; they say which
 * by MATMUL_THEN. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/functions.glsl"

layout(constant_id = HEED_MATMUL_TYPES) const uint TYPES = 0;
layout(constant_id = HEED_MATMUL_ACTIVATION) const uint ACTIVATION = HEED_UNARY_COPY;
layout(constant_id = HEED_MATMUL_ROWS) const uint ROWS = 1;
layout(constant_id = HEED_MATMUL_LANES) const uint LANES = 16;
layout(constant_id = HEED_MATMUL_COLUMNS) const uint COLUMNS = 8;
/* Rows of a and columns of b lie along p, on boundaries of 16 bytes; k is a multiple of STEP. */
layout(constant_id = HEED_MATMUL_WIDE) const uint WIDE = 0;

const uint A_TYPE = TYPES & 15, B_TYPE = (TYPES >> 4) & 15, BIAS_TYPE = (TYPES >> 8) & 15;
const uint STEP = HEED_MATMUL_STEP;
const uint PITCH = LANES + 1; /* one more, so that readers of it do not meet in one bank */

layout(binding = 0) readonly buffer A { uint a[]; };
layout(binding = 0) readonly buffer WideA { uvec4 wide_a[]; };
layout(binding = 1) readonly buffer B { uint b[]; };
layout(binding = 1) readonly buffer WideB { uvec4 wide_b[]; };
shared float partial[ROWS * COLUMNS * PITCH]; /* [row][column][lane] */

const uint THREADS = LANES * COLUMNS;

#if MATMUL_THEN == THEN_NORM
layout(binding = 1) readonly buffer Bias { uint bias[]; };
layout(push_constant) uniform Push { heed_matmul_params it; heed_norm_params norm; };
#define NORM_GET(at) partial[at]
#define NORM_PUT(at, value) partial[at] = value
#include "common/norm.glsl"
#elif MATMUL_THEN == THEN_CHOICE
layout(binding = 2) readonly buffer Bias { uint bias[]; };
layout(push_constant) uniform Push { heed_matmul_params it; heed_choice_params choose; };
#include "common/choice.glsl"
#else
layout(binding = 2) readonly buffer Bias { uint bias[]; };
layout(binding = 3) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_matmul_params it; };
#endif

/* STEP elements from `at` on; zeros from `count` on. */
#define READ(values, buffer, wide, type, at, stride, count)                                        \
    if (WIDE != 0) {                                                                               \
        const uint chunk = type == HEED_TYPE_F32 ? (at) >> 2 : (at) >> 3;                          \
        const uvec4 low = wide[chunk], high = type == HEED_TYPE_F32 ? wide[chunk + 1] : low;       \
        [[unroll]] for (uint i = 0; i < STEP; i++)                                                 \
            values[i] = type == HEED_TYPE_F32                                                      \
                            ? uintBitsToFloat(i < 4 ? low[i & 3] : high[i & 3])                    \
                            : heed_float(type, low[i >> 1], i);                                    \
    } else {                                                                                       \
        [[unroll]] for (uint i = 0; i < STEP; i++) {                                               \
            const uint element = (at) + min(i, count - 1) * (stride);                              \
            const float value = heed_float(type, buffer[heed_word(type, element)], element);       \
            values[i] = i < count ? value : 0.0;                                                   \
        }                                                                                          \
    }

/* Puts the sums of segment [from, to) of p into shared memory. */
void sum_segment(uint a_at, uint b_at, uint from, uint to, uint slot) {
    precise float sum[ROWS];
    [[unroll]] for (uint row = 0; row < ROWS; row++)
        sum[row] = 0.0;
    for (uint p = from; p < to; p += STEP) {
        const uint count = min(STEP, to - p);
        float weights[STEP];
        READ(weights, b, wide_b, B_TYPE, b_at + p * it.b_k, it.b_k, count)
        [[unroll]] for (uint row = 0; row < ROWS; row++) {
            float values[STEP];
            const uint there = min(row, it.m - 1);
            READ(values, a, wide_a, A_TYPE, a_at + there * it.a_row + p * it.a_k, it.a_k, count)
            [[unroll]] for (uint i = 0; i < STEP; i++)
                sum[row] = fma(values[i], weights[i], sum[row]);
        }
    }
    [[unroll]] for (uint row = 0; row < ROWS; row++)
        partial[row * COLUMNS * PITCH + slot] = sum[row];
}

/* Row t / COLUMNS, column first + t % COLUMNS of the product, bias included. */
float product_of(uint batch, uint first) {
    const uint t = gl_LocalInvocationID.x, column = first + t % COLUMNS;
    const uint end = it.column + it.columns;
    const uint outer = batch / it.inner, inner = batch % it.inner;
    const uint a_at = it.a_offset + outer * it.a_batch[0] + inner * it.a_batch[1];
    const uint b_at = it.b_offset + outer * it.b_batch[0] + inner * it.b_batch[1];
    const uint bias_at = it.bias_offset + batch * it.bias_batch;
    const uint line = b_at + min(first + t / LANES, end - 1) * it.b_n;
    precise float total = 0.0;
    for (uint base = 0; base < it.k; base += LANES * HEED_MATMUL_SEGMENT) {
        const uint from = min(base + t % LANES * HEED_MATMUL_SEGMENT, it.k);
        barrier(); /* sums before these have been read */
        sum_segment(a_at, line, from, min(from + HEED_MATMUL_SEGMENT, it.k),
                    t / LANES * PITCH + t % LANES);
        barrier();
        if (t < ROWS * COLUMNS)
            [[unroll]] for (uint lane = 0; lane < LANES; lane++)
                total += partial[t * PITCH + lane];
    }
    if (BIAS_TYPE != 0) {
        const uint at = bias_at + min(column, end - 1) * it.bias_stride;
        total += heed_float(BIAS_TYPE, bias[heed_word(BIAS_TYPE, at)], at);
    }
    return total;
}

#define BEGIN_PRODUCTS(batch)
#include "common/skinny_main.glsl"
