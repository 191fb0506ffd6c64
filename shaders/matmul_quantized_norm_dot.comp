/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows, y[i] = layer_norm(r[i] + product[i]), gamma and beta included, as
 * matmul_quantized_dot.comp and layer_norm.comp have it.
 *
 * Bindings:  0 a (read, as matmul_quantized_dot.comp), 1 b, bias, scales of columns, gamma,
 *            beta side by side (read), 2 residual r f32 (read, contiguous), 3 y f32 (written and
 *            read, contiguous), then a counter for a row of tiles
 * Workgroup: as matmul_quantized_dot.comp; the last of a row of tiles normalises rows
 * Dispatch:  as matmul_quantized_dot.comp
 * Shared:    that of matmul_quantized.comp, at least 32 * TX * TY, and 4
 * Needs:     4 x 8-bit integer dot product (VK_KHR_shader_integer_dot_product)
 * Error:     none in the product; one addition; that of layer_norm */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#define INTEGER_DOT 1
#define MATMUL_THEN THEN_NORM
#include "common/matmul_quantized.glsl"
