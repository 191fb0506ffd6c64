/* SPDX-License-Identifier: Apache-2.0 */
/* attention: y[b, h, t] = sum_j w_j v[r, g, j], w = softmax_j(scale q[b, h, t] . k[r, g, j] + bias)
 * over the keys j that the query may see, and w where it is asked for; heed/ops.h has all the forms
 *
 * Source:    Milakov and Gimelshein 2018, algorithm 3, in tiles of keys as Dao et al. 2022;
 *            common/attention.glsl has the order of sums
 * Bindings:  0 all that the instance owns, as words: q f32, bias, tables of i32 (read); 1 k, 2 v
 *            (read, f32, f16 or bf16, elements of a row side by side); 3 y f32 (write, contiguous),
 *            or again all, with y and w
 * Workgroup: one query of one head. Each invocation scores one of WIDTH keys; then as many as there
 *            are groups of four columns sum one tile of them
 * Dispatch:  batches x heads x queries
 * Shared:    8 ROOM + 12 WIDTH + (28 + 4 ROOM) WIDTH / KEYS + 20 bytes; 12,804 at most, as WIDTH is
 *            at most 16,384 / ROOM
 * Needs:     nothing
 * Error:     scores as sums of d products; sums over keys, rescaled once for each tile */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define ATTENTION_SPLIT 0
#include "common/attention_query.glsl"
