/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: y[r, i] = table[ids[r], i], times scale[ids[r]] where the table is i8, times the scale
 * of its block where it is q8_0; zeros for an id outside of the table.
 *
 * Bindings:  0 table (read, any strides), 1 ids i32 (read, any strides), 2 scale f32 (read; of an
 *            i8 table), 3 y f32 (write, contiguous)
 * Workgroup: one element each
 * Dispatch:  ceil(count / width)
 * Error:     one rounding with an i8 table, else none */
#version 450
#extension GL_GOOGLE_include_directive : require
#define WITH_POSITIONS 0
#include "common/embedding.glsl"
