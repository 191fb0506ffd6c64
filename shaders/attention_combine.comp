/* SPDX-License-Identifier: Apache-2.0 */
/* attention, from what attention_split.comp has left of tiles of keys: these merged one after
 * another, values by weights
 *
 * Source:    Milakov and Gimelshein 2018, section 3.1; common/attention.glsl
 * Bindings:  0 tiles f32 [rows, tiles, HEED_ATTENTION_PART + n] (read), 1 y f32 (write, contiguous)
 * Workgroup: one row; invocation t takes elements t, t + width, ...
 * Dispatch:  rows
 * Error:     two exponentials and two roundings for each tile, a quotient */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"
#include "common/merge.glsl"

layout(binding = 0) readonly buffer Tiles { float tiles[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_attention_combine_params it; };

void main() {
    const uint row = WORKGROUP, pitch = HEED_ATTENTION_PART + it.n;
    if (row >= it.rows)
        return;
    for (uint c = gl_LocalInvocationID.x; c < it.n; c += gl_WorkGroupSize.x) {
        float greatest = uintBitsToFloat(MINUS_INFINITY), sum = 0.0;
        float parts[HEED_ATTENTION_LANES];
        for (uint j = 0; j < HEED_ATTENTION_LANES; j++)
            parts[j] = 0.0;
        for (uint i = 0; i < it.tiles; i++) {
            const uint at = (row * it.tiles + i) * pitch;
            if (floatBitsToUint(tiles[at + 1]) == HEED_ATTENTION_UNSEEN)
                continue;
            const vec2 factors = factors_of(greatest, tiles[at]);
            for (uint j = 0; j < HEED_ATTENTION_LANES; j++)
                parts[j] = merged(parts[j], tiles[at + 1 + j], factors);
            sum = merged(sum, tiles[at + HEED_ATTENTION_PART + c], factors);
        }
        precise float total = 0.0;
        for (uint j = 0; j < HEED_ATTENTION_LANES; j++)
            total += parts[j];
        y[it.y_offset + row * it.n + c] = total == 0.0 ? 0.0 : sum / total;
    }
}
