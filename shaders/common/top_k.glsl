/* SPDX-License-Identifier: Apache-2.0 */
/* What top_k.comp and top_k_subgroup.comp do; they say which by SUBGROUPS. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/order.glsl"

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) writeonly buffer Values { uint values[]; };
layout(binding = 2) writeonly buffer Indices { uint indices[]; };
layout(push_constant) uniform Push { heed_top_k_params it; };

/* The first of this invocation's elements that comes after `last`. */
candidate next_after(candidate last, uint from) {
    candidate best = NO_CANDIDATE;
    for (uint i = gl_LocalInvocationID.x; i < it.n; i += gl_WorkGroupSize.x) {
        const candidate next = candidate(order_key(x[from + i * it.x_stride]), i);
        if (comes_before(last, next) && comes_before(next, best))
            best = next;
    }
    return best;
}

void main() {
    const uint row = WORKGROUP;
    if (row >= it.rows)
        return;
    const uint from = it.x_offset + offset_of(row, it.dims, it.x_strides);
    /* no key is that great: NaN, whose bits would be, has the least */
    candidate mine = next_after(candidate(0xffffffffu, 0), from);
    for (uint i = 0; i < it.k; i++) {
        const candidate found = order_first(mine);
        if (found.index == mine.index) {
            values[it.values_offset + row * it.k + i] = x[from + found.index * it.x_stride];
            indices[it.indices_offset + row * it.k + i] = found.index;
            if (i + 1 < it.k)
                mine = next_after(found, from);
        }
    }
}
