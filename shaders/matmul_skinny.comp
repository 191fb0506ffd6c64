/* SPDX-License-Identifier: Apache-2.0 */
/* matmul for few rows: y[i, j] = act(sum_p a[i, p] b[p, j] + bias[j]), for batches; b is
 * read once.
 *
 * Bindings:  0 a, 1 b, 2 bias (read, any strides, each f32, f16 or bf16; f16 and bf16 in words),
 *            3 y f32 (write, contiguous)
 * Workgroup: COLUMNS columns of all rows, at most ROWS <= 16; LANES >= ROWS invocations share a
 *            column, each with one segment of p at a time; how many changes no bit
 * Dispatch:  batches * ceil(columns / COLUMNS)
 * Shared:    4 * ROWS * COLUMNS * (LANES + 1)
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     that of matmul.comp, and the same bits */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define MATMUL_THEN THEN_STORE
#include "common/skinny.glsl"
