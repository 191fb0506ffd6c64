/* SPDX-License-Identifier: Apache-2.0 */
/* Which operators the plugin runs, and the shaders that it has. */
#include "spirv.h"
#include "vulkan.h"

const struct vk_shader_info heedi_vk_shaders[VK_SHADER_COUNT] = {
#define SHADER(ID, name, bindings)                                                                 \
    [VK_SHADER_##ID] = {#name, spirv_##name, sizeof spirv_##name, bindings},
#include "kernels.inc"
#undef SHADER
};

/* clang-format off */
const struct vk_operator *const heedi_vk_operators[HEED_OP_COUNT_PLUS_ONE] = {
    [HEED_OP_MATMUL] = &heedi_vk_matmul,
    [HEED_OP_ATTENTION] = &heedi_vk_attention,
    [HEED_OP_SOFTMAX] = &heedi_vk_softmax,
    [HEED_OP_LOG_SOFTMAX] = &heedi_vk_softmax,
    [HEED_OP_LAYER_NORM] = &heedi_vk_layer_norm,
    [HEED_OP_ADD] = &heedi_vk_binary,
    [HEED_OP_MUL] = &heedi_vk_binary,
    [HEED_OP_SCALE] = &heedi_vk_scale,
    [HEED_OP_RELU] = &heedi_vk_unary,
    [HEED_OP_GELU] = &heedi_vk_gelu,
    [HEED_OP_SILU] = &heedi_vk_unary,
    [HEED_OP_TANH] = &heedi_vk_unary,
    [HEED_OP_SIGMOID] = &heedi_vk_unary,
    [HEED_OP_EMBEDDING] = &heedi_vk_embedding,
    [HEED_OP_POSITIONS] = &heedi_vk_positions,
    [HEED_OP_CONCAT] = &heedi_vk_concat,
    [HEED_OP_COPY] = &heedi_vk_copy,
    [HEED_OP_CAST] = &heedi_vk_cast,
    [HEED_OP_ARGMAX] = &heedi_vk_argmax,
    [HEED_OP_TOP_K] = &heedi_vk_top_k,
    [HEED_OP_CACHE_APPEND] = &heedi_vk_cache_append,
    [HEED_OP_GATHER_ROWS] = &heedi_vk_gather_rows,
    [HEED_OP_ADVANCE] = &heedi_vk_advance,
};
/* clang-format on */
