/* SPDX-License-Identifier: Apache-2.0 */
/* matmul_quantized_skinny_choice_dot: of each row of a product with quantised rows, the
 * k greatest elements, or their log_softmax, and their indices, as matmul_skinny_choice.comp.
 *
 * Source:    Milakov and Gimelshein 2018 (sums of exponentials put together), Gaihre et al. 2021
 *            (the greatest lie in the blocks whose greatest come first)
 * Bindings:  0 a, 1 b, 2 bias and scales of columns (read, as matmul_quantized_skinny.comp),
 *            3 y: indices i32, values f32 (written), a counter for all workgroups, three words
 *            for each row and block of HEED_MATMUL_CHOICE_BLOCK columns, the product if k > 1
 *            (written and read)
 * Workgroup: a block of columns of all rows; the last of all workgroups goes on
 * Dispatch:  ceil(n / HEED_MATMUL_CHOICE_BLOCK)
 * Shared:    that of matmul_quantized_skinny.comp, and 3076
 * Needs:     4 x 8-bit integer dot product (VK_KHR_shader_integer_dot_product)
 * Error:     none in the product; else that of matmul_skinny_choice.comp */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#define INTEGER_DOT 1
#define MATMUL_THEN THEN_CHOICE
#include "common/matmul_quantized_skinny.glsl"
