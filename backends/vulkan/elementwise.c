/* SPDX-License-Identifier: Apache-2.0 */
/* add, mul, and functions of one value. */
#include "vulkan.h"

/* Words of the result are written whole. */
static const char *accept_result(const struct vk_tensor *y) {
    return y->offset_elems != 0 && heed_dtype_bytes(y->desc.dtype) < 4
               ? "a result of 16-bit elements must begin where its memory does"
               : NULL;
}

static uint64_t groups_of(const struct vk_tensor *y, uint32_t width) {
    const uint64_t bytes = (uint64_t)heed_desc_elems(&y->desc) * heed_dtype_bytes(y->desc.dtype);
    return ((bytes + 3) / 4 + width - 1) / width;
}

/* ---- functions of one value ---- */

static const char *accept_unary(struct vk_node *node) {
    if (!heedi_vk_is_float(&node->in[0]) || !heedi_vk_is_float(&node->out[0]))
        return "the operand and the result must be f32, f16 or bf16";
    return accept_result(&node->out[0]);
}

static uint32_t function_of(const struct vk_node *node) {
    switch (node->op) {
    case HEED_OP_RELU:
        return HEED_UNARY_RELU;
    case HEED_OP_GELU:
        return node->attrs.gelu.tanh_form != 0 ? HEED_UNARY_GELU_TANH : HEED_UNARY_GELU_ERF;
    case HEED_OP_SILU:
        return HEED_UNARY_SILU;
    case HEED_OP_TANH:
        return HEED_UNARY_TANH;
    case HEED_OP_SIGMOID:
        return HEED_UNARY_SIGMOID;
    default:
        return HEED_UNARY_SCALE;
    }
}

static enum heed_status build_unary(struct heed_plugin_program *program, uint32_t index,
                                    struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *x = &node->in[0], *y = &node->out[0];
    const uint32_t width = heedi_vk_width(program->plugin);
    struct heed_unary_params params = {
        .count = (uint32_t)heed_desc_elems(&y->desc),
        .x_offset = (uint32_t)x->offset_elems,
        .y_offset = (uint32_t)y->offset_elems,
        .factor = node->op == HEED_OP_SCALE ? node->attrs.scale.factor : 1.0f,
    };
    heedi_vk_dims4(&y->desc, params.dims);
    heedi_vk_strides4(&x->desc, params.x_strides);
    const struct vk_request request = {
        .shader = VK_SHADER_UNARY,
        .constants = {[HEED_CONSTANT_WIDTH] = width,
                      [1] = function_of(node),
                      [2] = (uint32_t)x->desc.dtype,
                      [3] = (uint32_t)y->desc.dtype},
        .bindings = {heedi_vk_reads(x), heedi_vk_writes(y)},
        .groups = groups_of(y, width),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_unary = {.accept = accept_unary, .build = build_unary};
const struct vk_operator heedi_vk_gelu = {
    .attrs_size = sizeof(struct heed_gelu_attrs), .accept = accept_unary, .build = build_unary};
const struct vk_operator heedi_vk_scale = {
    .attrs_size = sizeof(struct heed_scale_attrs), .accept = accept_unary, .build = build_unary};

/* ---- functions of two values ---- */

static const char *accept_binary(struct vk_node *node) {
    const struct vk_tensor *a = &node->in[0], *b = &node->in[1], *y = &node->out[0];
    const bool integers =
        a->desc.dtype == HEED_I32 && b->desc.dtype == HEED_I32 && y->desc.dtype == HEED_I32;
    if (!integers && (!heedi_vk_is_float(a) || !heedi_vk_is_float(b) || !heedi_vk_is_float(y)))
        return "both operands and the result must be of float types, or all i32";
    return accept_result(y);
}

static enum heed_status build_binary(struct heed_plugin_program *program, uint32_t index,
                                     struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *a = &node->in[0], *b = &node->in[1], *y = &node->out[0];
    const uint32_t width = heedi_vk_width(program->plugin);
    struct heed_binary_params params = {
        .count = (uint32_t)heed_desc_elems(&y->desc),
        .a_offset = (uint32_t)a->offset_elems,
        .b_offset = (uint32_t)b->offset_elems,
        .y_offset = (uint32_t)y->offset_elems,
    };
    heedi_vk_dims4(&y->desc, params.dims);
    heedi_vk_strides4(&a->desc, params.a_strides);
    heedi_vk_strides4(&b->desc, params.b_strides);
    const struct vk_request request = {
        .shader = VK_SHADER_BINARY,
        .constants = {[HEED_CONSTANT_WIDTH] = width,
                      [1] = node->op == HEED_OP_ADD ? HEED_BINARY_ADD : HEED_BINARY_MUL,
                      [2] = (uint32_t)a->desc.dtype,
                      [3] = (uint32_t)b->desc.dtype,
                      [4] = (uint32_t)y->desc.dtype},
        .bindings = {heedi_vk_reads(a), heedi_vk_reads(b), heedi_vk_writes(y)},
        .groups = groups_of(y, width),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_binary = {.accept = accept_binary, .build = build_binary};
