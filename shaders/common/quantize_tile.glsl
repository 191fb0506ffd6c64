/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as 8-bit integers, made by the workgroup that multiplies them, without a dispatch for it:
 * the scales and the words of quantize_rows.comp, bit by bit.
 *
 * The includer defines the number QUANTIZED_ROWS of a workgroup's rows and, behind this file,
 * row_quad(). All invocations call scale_rows(); after it row_scale and quantized_word() are there
 * for all of them. A row is read twice, by each workgroup that has it; the second time it comes
 * from caches.
 *
 * Shared: 12 * QUANTIZED_ROWS */
#include "common/quantize.glsl"

shared uint row_greatest[QUANTIZED_ROWS]; /* bits of magnitudes */
shared float row_factor[QUANTIZED_ROWS], row_scale[QUANTIZED_ROWS];

/* Elements 4 * quad to 4 * quad + 3 of a row of the workgroup, the last row in place of those that
 * there are not. */
vec4 row_quad(uint row, uint quad);

/* The bits of the greatest magnitude of every `team`th quad from `lane` on; a NaN's are the
 * greatest of all. Four loads at a time, so that they need not wait for each other. */
uint greatest_of_quads(uint row, uint quads, uint lane, uint team) {
    uvec4 greatest = uvec4(0);
    for (uint quad = lane; quad < quads; quad += 4 * team)
        [[unroll]] for (uint i = 0; i < 4; i++) {
            const vec4 values = row_quad(row, min(quad + i * team, quads - 1));
            greatest = max(greatest, floatBitsToUint(values) & 0x7fffffffu);
        }
    return max(max(greatest.x, greatest.y), max(greatest.z, greatest.w));
}

/* Finds what makes integers of rows of `quads` times four elements, and what gives them back. */
void scale_rows(uint quads) {
    const uint t = gl_LocalInvocationID.x, width = gl_WorkGroupSize.x;
    const uint team = max(width / QUANTIZED_ROWS, 1); /* that share a row */
    for (uint row = t; row < QUANTIZED_ROWS; row += width)
        row_greatest[row] = 0;
    barrier();
    for (uint row = t / team; row < QUANTIZED_ROWS; row += width / team)
        atomicMax(row_greatest[row], greatest_of_quads(row, quads, t % team, team));
    barrier();
    for (uint row = t; row < QUANTIZED_ROWS; row += width) {
        float factor;
        row_scale[row] = quantize_scale(row_greatest[row], factor);
        row_factor[row] = factor;
    }
    barrier();
}

/* Four elements of a row as integers, the first in the lowest byte. */
uint quantized_word(uint row, uint quad) {
    const vec4 values = row_quad(row, quad);
    uint word = 0;
    [[unroll]] for (uint i = 0; i < 4; i++)
        word |= (uint(quantize(values[i], row_factor[row])) & 0xffu) << 8 * i;
    return word;
}
