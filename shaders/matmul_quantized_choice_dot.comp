/* SPDX-License-Identifier: Apache-2.0 */
/* matmul_quantized_choice_dot: of each row of a product with quantised rows, the
 * k greatest elements, or their log_softmax, and their indices, as matmul_choice.comp.
 *
 * Source:    Milakov and Gimelshein 2018 (sums of exponentials put together), Gaihre et al. 2021
 *            (the greatest lie in the blocks whose greatest come first)
 * Bindings:  0 a, 1 b, 2 bias and scales of columns (read, as matmul_quantized.comp),
 *            3 y: indices i32, values f32 (written), a counter for a row of tiles, three words
 *            for each row and block of HEED_MATMUL_CHOICE_BLOCK columns, the product if k > 1
 *            (written and read)
 * Workgroup: as matmul_quantized_dot.comp; the last of a row of tiles goes on
 * Dispatch:  as matmul_quantized_dot.comp; tiles are whole blocks wide
 * Shared:    that of matmul_quantized.comp, and 3076
 * Needs:     4 x 8-bit integer dot product (VK_KHR_shader_integer_dot_product)
 * Error:     none in the product; else that of matmul_choice.comp */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#define INTEGER_DOT 1
#define MATMUL_THEN THEN_CHOICE
#include "common/matmul_quantized.glsl"
