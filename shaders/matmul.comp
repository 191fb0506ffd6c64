/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: y[i, j] = act(sum_p a[i, p] b[p, j] + bias[j]), for batches of matrices.
 *
 * Bindings:  0 a, 1 b, 2 bias (read, any strides, each of any float type; in words), 3 y f32
 *            (written, contiguous)
 * Workgroup: a tile of TY * TM rows and TX * TN columns; invocation (x, y) has rows y * TM + 0,
 *            1, ... and columns x, x + TX, ...; pieces of a and b, DEPTH of p at a time, lie in
 *            shared memory
 * Dispatch:  batches * ceil(m / (TY * TM)) * ceil(columns / (TX * TN)); columns count first, so
 *            that neighbouring workgroups share a
 * Shared:    4 * DEPTH * (TY * TM + TX * TN + 2)
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     the order of sums is that of params.h: at most SEGMENT + ceil(k / SEGMENT) roundings
 *            on the way of a product; then bias and activation */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define MATMUL_I8 0
#define MATMUL_THEN THEN_STORE
#include "common/matmul.glsl"
