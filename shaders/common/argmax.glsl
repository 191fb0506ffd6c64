/* SPDX-License-Identifier: Apache-2.0 */
/* What argmax.comp and argmax_subgroup.comp do; they say which by SUBGROUPS. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"
#include "common/order.glsl"

layout(constant_id = 1) const uint TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { heed_row_params it; };

void main() {
    const uint row = WORKGROUP;
    if (row >= it.rows)
        return;
    const uint from = it.x_offset + offset_of(row, it.dims, it.x_strides);
    candidate best = NO_CANDIDATE;
    for (uint i = gl_LocalInvocationID.x; i < it.n; i += gl_WorkGroupSize.x) {
        const uint at = from + i * it.x_stride;
        const candidate next = candidate(order_key(widened(ELEMENT(x, TYPE, at), TYPE)), i);
        if (comes_before(next, best))
            best = next;
    }
    best = order_first(best);
    if (gl_LocalInvocationID.x == 0)
        y[it.y_offset + row] = best.index;
}
