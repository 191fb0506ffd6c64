/* SPDX-License-Identifier: Apache-2.0 */
/* cache_append: state[row[i], pos[i] + j, c] = x[i, j, c]; what falls outside of the state is
 * dropped. The state is written where it is, and is the result.
 *
 * Bindings:  0 state f32 (write, any strides), 1 x f32, f16 or bf16, 2 pos i32, 3 row i32 (read,
 *            any strides; without row, row i of x goes to row i)
 * Workgroup: one element of x each
 * Dispatch:  ceil(count / width) */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint X_TYPE = HEED_TYPE_F32;
layout(constant_id = 2) const uint HAS_ROW = 0;

layout(binding = 0) writeonly buffer State { uint state[]; };
layout(binding = 1) readonly buffer X { uint x[]; };
layout(binding = 2) readonly buffer Pos { uint pos[]; };
layout(binding = 3) readonly buffer Row { uint row[]; };
layout(push_constant) uniform Push { heed_cache_append_params it; };

void main() {
    const uint index = INVOCATION;
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
    state[at] = widened(ELEMENT(x, X_TYPE, from), X_TYPE);
}
