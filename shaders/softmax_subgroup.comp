/* SPDX-License-Identifier: Apache-2.0 */
/* softmax:     y[r, i] = exp(x[r, i] - m) / sum_j exp(x[r, j] - m), m = max_j x[r, j]
 * log_softmax: y[r, i] = (x[r, i] - m) - log sum_j exp(x[r, j] - m)
 *
 * Source:    Blanchard, Higham, Higham 2021 (the shifted forms)
 * Bindings:  0 x f32 (read, any strides), 1 y f32 (write, contiguous)
 * Workgroup: one row; invocation t takes elements t, t + width, ...
 * Dispatch:  (rows, 1, 1)
 * Shared:    4 bytes for each subgroup, of which there are HEED_MAX_WIDTH at most
 * Needs:     subgroups with arithmetic, of any size
 * Error:     that of exp, a sum of n terms in an order of the device, one quotient or logarithm */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#define SUBGROUPS 1
#include "common/softmax.glsl"
