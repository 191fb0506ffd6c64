/* SPDX-License-Identifier: Apache-2.0 */
/* cache_append: state[row[i], pos[i] + j, c] = x[i, j, c], rounded to the state's type; what falls
 * outside of the state is dropped. The state is written where it is, and is the result.
 *
 * Bindings:  0 state (written, any strides), 1 x (read, any strides), both f32, f16 or bf16; 2 pos
 *            i32, 3 row i32 (read, any strides; without row, row i of x goes to row i)
 * Workgroup: one element of x each; with a state of 16-bit elements two neighbours that share a
 *            word, or one of them by atomics where rows of the state are not whole words
 * Dispatch:  ceil(count / (elements of an invocation x width)) */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint X_TYPE = HEED_TYPE_F32;
layout(constant_id = 2) const uint HAS_ROW = 0;
layout(constant_id = 3) const uint STATE_TYPE = HEED_TYPE_F32;
layout(constant_id = 4) const uint ELEMENTS = 1; /* that an invocation writes */

layout(binding = 0) buffer State { uint state[]; };
layout(binding = 1) readonly buffer X { uint x[]; };
layout(binding = 2) readonly buffer Pos { uint pos[]; };
layout(binding = 3) readonly buffer Row { uint row[]; };
layout(push_constant) uniform Push { heed_cache_append_params it; };

/* The bits of element `at` of x, as the state has them. */
uint converted(uint at) {
    return narrowed(widened(ELEMENT(x, X_TYPE, at), X_TYPE), STATE_TYPE);
}

void main() {
    const uint index = INVOCATION * ELEMENTS;
    if (index >= it.count)
        return;
    const uint c = index % it.n, j = index / it.n % it.steps, i = index / it.n / it.steps;
    /* what is negative is large without a sign */
    const uint position = pos[it.pos_offset + i * it.pos_stride] + j;
    const uint to = HAS_ROW != 0 ? row[it.row_offset + i * it.row_stride] : i;
    if (to >= it.rows || position >= it.capacity)
        return;
    const uint from =
        it.x_offset + i * it.x_strides[0] + j * it.x_strides[1] + c * it.x_strides[2];
    const uint at = it.state_offset + to * it.state_strides[0] + position * it.state_strides[1] +
                    c * it.state_strides[2];
    const uint bits = converted(from);
    if (STATE_TYPE == HEED_TYPE_F32) {
        state[at] = bits;
    } else if (ELEMENTS == 2) {
        state[at / 2] = bits | converted(from + it.x_strides[2]) << 16;
    } else {
        const uint shift = at % 2 * 16;
        atomicAnd(state[at / 2], 0xffff0000u >> shift);
        atomicOr(state[at / 2], bits << shift);
    }
}
