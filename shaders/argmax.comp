/* SPDX-License-Identifier: Apache-2.0 */
/* argmax: y[r] is the lowest index of the greatest x[r, i]; NaN is less than everything.
 *
 * Bindings:  0 x f32, f16 or bf16 (read, any strides), 1 y i32 (write, contiguous)
 * Workgroup: one row; invocation t takes elements t, t + width, ...
 * Dispatch:  rows
 * Shared:    8 bytes for each of HEED_MAX_WIDTH invocations */
#version 450
#extension GL_GOOGLE_include_directive : require
#define SUBGROUPS 0
#include "common/argmax.glsl"
