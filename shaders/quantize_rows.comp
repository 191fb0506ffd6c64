/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a product's a as integers of 8 bits, packed into words, as HEED_QUANTIZE_ROWS says:
 * q = round(a * 127 / m), scale = m / 127, m the greatest magnitude of the row. Beside them go the
 * scales of b's columns, so that the product finds all in one buffer.
 *
 * Bindings:  0 a (read, any strides, f32, f16 or bf16), 1 scales of columns f32 (read),
 *            2 rows (written): words, then the scales of rows, then those of columns
 * Workgroup: one row, or the scales of as many columns as it has invocations
 * Dispatch:  rows + ceil(n / width)
 * Shared:    4 bytes for each of HEED_MAX_WIDTH invocations
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     none: the bits are fixed */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/quantize.glsl"

layout(constant_id = 1) const uint TYPE = HEED_TYPE_F32;

layout(binding = 0) readonly buffer A { uint a[]; };
layout(binding = 1) readonly buffer Scale { uint scale[]; };
layout(binding = 2) writeonly buffer Rows { uint rows[]; };
layout(push_constant) uniform Push { heed_quantize_rows_params it; };

shared uint partial[HEED_MAX_WIDTH];

float element(uint start, uint p) {
    const uint at = start + p * it.a_k;
    return heed_float(TYPE, a[heed_word(TYPE, at)], at);
}

/* The bits of the greatest magnitude; a NaN's are the greatest of all. */
uint greatest_of(uint start) {
    const uint t = gl_LocalInvocationID.x;
    uint greatest = 0;
    for (uint p = t; p < it.k; p += gl_WorkGroupSize.x)
        greatest = max(greatest, floatBitsToUint(element(start, p)) & 0x7fffffffu);
    partial[t] = greatest;
    barrier();
    for (uint half_width = gl_WorkGroupSize.x / 2; half_width > 0; half_width /= 2) {
        if (t < half_width)
            partial[t] = max(partial[t], partial[t + half_width]);
        barrier();
    }
    return partial[0];
}

void main() {
    const uint t = gl_LocalInvocationID.x, row = WORKGROUP;
    if (row >= it.rows) { /* of the whole workgroup */
        const uint column = (row - it.rows) * gl_WorkGroupSize.x + t;
        if (column < it.n)
            rows[it.rows * (it.pitch + 1) + column] =
                scale[it.scale_offset + column * it.scale_stride];
        return;
    }
    const uint batch = row / it.m;
    const uint start = it.a_offset + batch / it.inner * it.a_batch[0] +
                       batch % it.inner * it.a_batch[1] + row % it.m * it.a_row;
    float factor;
    const float row_scale = quantize_scale(greatest_of(start), factor);
    if (t == 0)
        rows[it.rows * it.pitch + row] = floatBitsToUint(row_scale);
    for (uint word = t; word < it.pitch; word += gl_WorkGroupSize.x) {
        uint packed_word = 0;
        for (uint i = 0; i < 4; i++)
            if (4 * word + i < it.k) {
                const int value = quantize(element(start, 4 * word + i), factor);
                packed_word |= (uint(value) & 0xffu) << 8 * i;
            }
        rows[row * it.pitch + word] = packed_word;
    }
}
