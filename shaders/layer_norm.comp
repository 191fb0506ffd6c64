/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm: y[r, i] = (x[r, i] - mean) / sqrt(variance + eps) gamma[i] + beta[i], where mean and
 * variance are those of row r.
 *
 * Source:    Ba, Kiros, Hinton 2016; the variance is taken in a second pass over x - mean
 * Bindings:  0 x f32 (read, any strides), 1 gamma, 2 beta (read, f32, f16 or bf16), 3 y f32 (write,
 *            contiguous)
 * Workgroup: one row; invocation t takes elements t, t + width, ...
 * Dispatch:  (rows, 1, 1)
 * Shared:    4 bytes for each of HEED_MAX_WIDTH invocations
 * Needs:     nothing
 * Error:     two sums of n terms in order of a tree; one square root, two quotients */
#version 450
#extension GL_GOOGLE_include_directive : require
#define SUBGROUPS 0
#include "common/layer_norm.glsl"
