/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm over the last dimension: a workgroup per row. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_layer_norm_params) == 72, "as the shader sees it");

static const char *accept(struct vk_node *node) {
    if (node->in[0].desc.dtype != HEED_F32 || node->out[0].desc.dtype != HEED_F32)
        return "only f32 is known here";
    if (!heedi_vk_is_float(&node->in[1]) || !heedi_vk_is_float(&node->in[2]))
        return "gamma and beta must be of a float type";
    if (node->in[0].desc.rank < 1 || node->in[1].desc.rank != 1 || node->in[2].desc.rank != 1)
        return "gamma and beta must have one dimension and the input at least one";
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *x = &node->in[0], *gamma = &node->in[1], *beta = &node->in[2];
    const struct vk_tensor *y = &node->out[0];
    struct heed_layer_norm_params params = {
        .rows = (uint32_t)heedi_vk_rows(&x->desc),
        .n = (uint32_t)x->desc.dims[x->desc.rank - 1],
        .x_offset = (uint32_t)x->offset_elems,
        .gamma_offset = (uint32_t)gamma->offset_elems,
        .gamma_stride = (uint32_t)gamma->desc.strides[0],
        .beta_offset = (uint32_t)beta->offset_elems,
        .beta_stride = (uint32_t)beta->desc.strides[0],
        .y_offset = (uint32_t)y->offset_elems,
        .eps = node->attrs.layer_norm.eps,
    };
    heedi_vk_row_strides(&x->desc, params.dims, params.x_strides, &params.x_stride);
    const struct vk_request request = {
        .shader = heedi_vk_proven(program, VK_FORM_SUBGROUP) ? VK_SHADER_LAYER_NORM_SUBGROUP
                                                             : VK_SHADER_LAYER_NORM,
        .constants = {[HEED_CONSTANT_WIDTH] = heedi_vk_row_width(program->plugin, params.n),
                      [1] = (uint32_t)gamma->desc.dtype,
                      [2] = (uint32_t)beta->desc.dtype},
        .bindings = {heedi_vk_reads(x), heedi_vk_reads(gamma), heedi_vk_reads(beta),
                     heedi_vk_writes(y)},
        .groups = params.rows,
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_layer_norm = {
    .attrs_size = sizeof(struct heed_layer_norm_attrs), .accept = accept, .build = build};
