/* SPDX-License-Identifier: Apache-2.0 */
/* advance: y[., i] = (next[i], position + 1, key_len + 1, cache_row, source_row) of the columns of
 * rows i32 [5, count]; (-1, capacity, 0, -1, -1) where next[i] is eos or no position is left.
 *
 * Bindings:  0 rows i32, 1 next i32 (read, any strides), 2 y i32 (write, contiguous)
 * Workgroup: one column for each invocation
 * Dispatch:  ceil(count / width)
 * Needs:     nothing */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"

layout(binding = 0) readonly buffer Rows { int rows[]; };
layout(binding = 1) readonly buffer Next { int next[]; };
layout(binding = 2) writeonly buffer Y { int y[]; };
layout(push_constant) uniform Push { heed_advance_params it; };

int element(uint row, uint column) {
    return rows[it.rows_offset + row * it.row_stride + column * it.column_stride];
}

void main() {
    const uint i = INVOCATION;
    if (i >= it.count)
        return;
    const int token = next[it.next_offset + i * it.next_stride];
    const int position = element(1, i);
    const bool goes_on =
        token != int(it.eos) && position >= 0 && position < int(it.capacity) - 1;
    const uint first = it.y_offset + i;
    y[first] = goes_on ? token : -1;
    y[first + it.count] = goes_on ? position + 1 : int(it.capacity);
    y[first + 2 * it.count] = goes_on ? element(2, i) + 1 : 0;
    y[first + 3 * it.count] = goes_on ? element(3, i) : -1;
    y[first + 4 * it.count] = goes_on ? element(4, i) : -1;
}
