/* SPDX-License-Identifier: Apache-2.0 */
/* matmul_choice: of each row of a product, as matmul.comp computes it, the k greatest elements, or
 * their log_softmax, and their indices, as argmax.comp, top_k.comp and softmax.comp.
 *
 * Source:    Milakov and Gimelshein 2018 (sums of exponentials put together), Gaihre et al. 2021
 *            (the greatest lie in the blocks whose greatest come first)
 * Bindings:  0 a, 1 b, 2 bias (read, as matmul.comp), 3 y: indices i32, values f32 (written), a
 *            counter for a row of tiles, three words for each row and block of
 *            HEED_MATMUL_CHOICE_BLOCK columns, the product if k > 1 (written and read)
 * Workgroup: as matmul.comp; the last of a row of tiles goes on
 * Dispatch:  as matmul.comp; tiles are whole blocks wide
 * Shared:    that of matmul.comp, and 3076
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     the product has the bits of matmul.comp; that of log_softmax, and one exponential in
 *            each of at most 17 + n / 1024 steps, where a greater element is found */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define MATMUL_I8 0
#define MATMUL_THEN THEN_CHOICE
#include "common/matmul.glsl"
