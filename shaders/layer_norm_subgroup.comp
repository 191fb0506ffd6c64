/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm: y[r, i] = (x[r, i] - mean) / sqrt(variance + eps) gamma[i] + beta[i], where mean and
 * variance are those of row r.
 *
 * Source:    Ba, Kiros, Hinton 2016; the variance is taken in a second pass over x - mean
 * Bindings:  0 x f32 (read, any strides), 1 gamma, 2 beta (read, f32, f16 or bf16), 3 y f32 (write,
 *            contiguous)
 * Workgroup: one row; invocation t takes elements t, t + width, ...
 * Dispatch:  (rows, 1, 1)
 * Shared:    4 bytes for each subgroup, of which there are HEED_MAX_WIDTH at most
 * Needs:     subgroups with arithmetic, of any size
 * Error:     two sums of n terms in an order of the device; one square root, two quotients */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#define SUBGROUPS 1
#include "common/layer_norm.glsl"
