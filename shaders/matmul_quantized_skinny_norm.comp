/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows, y[i] = layer_norm(r[i] + product[i]), gamma and beta included, as
 * matmul_quantized_skinny.comp and layer_norm.comp have it.
 *
 * Bindings:  0 a (read, as matmul_quantized_skinny.comp), 1 b, bias, scales of columns, gamma,
 *            beta side by side (read), 2 residual r f32 (read, contiguous), 3 y f32 (written and
 *            read, contiguous), then a counter for all workgroups
 * Workgroup: as matmul_quantized_skinny.comp; the last of all workgroups normalises rows
 * Dispatch:  as matmul_quantized_skinny.comp
 * Shared:    that of matmul_quantized_skinny.comp, and 4
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     none in the product; one addition; that of layer_norm */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define INTEGER_DOT 0
#define MATMUL_THEN THEN_NORM
#include "common/matmul_quantized_skinny.glsl"
