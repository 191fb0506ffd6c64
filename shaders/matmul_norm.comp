/* SPDX-License-Identifier: Apache-2.0 */
/* matmul_norm: y[i] = layer_norm(r[i] + sum_p a[i, p] b[p] + bias), gamma and beta included.
 *
 * Bindings:  0 a (read, any strides, f32, f16 or bf16), 1 b, bias, gamma, beta side by side
 *            (read), 2 residual r f32 (read, contiguous), 3 y f32 (written and read,
 *            contiguous), then a counter for a row of tiles
 * Workgroup: as matmul.comp; the last of a row of tiles normalises rows
 * Dispatch:  as matmul.comp
 * Shared:    that of matmul.comp, and 4
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     the product has the bits of matmul.comp; one addition; that of layer_norm */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define MATMUL_I8 0
#define MATMUL_THEN THEN_NORM
#include "common/matmul.glsl"
