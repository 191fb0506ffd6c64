/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows (HEED_QUANTIZE_ROWS of heed/ops.h), by an i8 or q8_0 b:
 *     y[i, j] = act(sum_p q[i, p] b[p, j] (row_scale[i] scale[j]) + bias[j])
 * and for q8_0 the chain of sums over blocks that is fixed there.
 *
 * Bindings:  0 a (read; rows of quantize_rows.comp, or f32 along k on boundaries of 16 bytes), 1 b
 *            in words (read; i8 of any strides, or q8_0 along k), 2 bias of any float type (read,
 *            any stride) and, where a is f32, scales of columns, 3 y f32 (written, contiguous)
 * Workgroup: a tile of TY * TM rows and TX * TN columns; invocation (x, y) has rows y * TM + 0,
 *            1, ... and columns x, x + TX, ...; pieces of a and b, 32 of k at a time, lie in
 *            shared memory
 * Dispatch:  batches * ceil(m / (TY * TM)) * ceil(columns / (TX * TN)); columns count first, so
 *            that neighbouring workgroups share a
 * Shared:    44 * TY * TM + 36 * TX * TN + 64
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     none before the activation: the bits are fixed */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define INTEGER_DOT 0
#define MATMUL_THEN THEN_STORE
#include "common/matmul_quantized.glsl"
