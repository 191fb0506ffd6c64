/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows, few of them: as matmul_quantized_dot.comp, but b is read once.
 *
 * Bindings:  0 a (read; rows of quantize_rows.comp, or f32 along k on boundaries of 16 bytes), 1 b
 *            in words (read; i8 of any strides, or q8_0 along k), 2 bias of any float type (read,
 *            any stride) and, where a is f32, scales of columns, 3 y f32 (written, contiguous)
 * Workgroup: COLUMNS columns of all rows, at most ROWS <= 16; LANES >= ROWS invocations share a
 *            column, each with 32 of k at a time
 * Dispatch:  batches * ceil(columns / COLUMNS)
 * Shared:    4 * max(ROWS * COLUMNS, 8) * (LANES + 1) + 12 * ROWS
 * Needs:     4 x 8-bit integer dot product (VK_KHR_shader_integer_dot_product)
 * Error:     none before the activation: the bits are fixed */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#define INTEGER_DOT 1
#define MATMUL_THEN THEN_STORE
#include "common/matmul_quantized_skinny.glsl"
