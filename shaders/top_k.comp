/* SPDX-License-Identifier: Apache-2.0 */
/* top_k: the k greatest x[r, i], descending, equals by ascending index; NaN is less than
 * everything.
 *
 * Each invocation holds the first of its own elements that is not yet among the results; the first
 * of these is the next result, and who held it looks for its next.
 *
 * Bindings:  0 x f32 (read, any strides), 1 values f32, 2 indices i32 (write, contiguous)
 * Workgroup: one row; invocation t takes elements t, t + width, ...
 * Dispatch:  rows
 * Shared:    8 bytes for each of HEED_MAX_WIDTH invocations */
#version 450
#extension GL_GOOGLE_include_directive : require
#define SUBGROUPS 0
#include "common/top_k.glsl"
