/* SPDX-License-Identifier: Apache-2.0 */
/* embedding_positions: y[r, i] = factor table[ids[r], i] + vectors[places[r], i], as the
 * shaders embedding, unary and binary do one after another; what is outside of a table is 0.
 *
 * Bindings:  0 table (read, any strides; f32, f16, bf16 or q8_0), 1 ids and places i32 (read, any
 *            strides), 2 vectors of positions f32 (read), 3 y f32 (write, contiguous)
 * Workgroup: one element each
 * Dispatch:  ceil(count / width)
 * Error:     two roundings, and one with a q8_0 table */
#version 450
#extension GL_GOOGLE_include_directive : require
#define WITH_POSITIONS 1
#include "common/embedding.glsl"
