/* SPDX-License-Identifier: Apache-2.0 */
/* softmax and log_softmax over the last dimension: a workgroup per row. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_softmax_params) == 52, "as the shader sees it");

static const char *accept(struct vk_node *node) {
    if (node->in[0].desc.dtype != HEED_F32 || node->out[0].desc.dtype != HEED_F32)
        return "only f32 is known here";
    if (node->in[0].desc.rank < 1)
        return "the input must have a dimension";
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *x = &node->in[0], *y = &node->out[0];
    struct heed_softmax_params params = {
        .rows = (uint32_t)heedi_vk_rows(&x->desc),
        .n = (uint32_t)x->desc.dims[x->desc.rank - 1],
        .x_offset = (uint32_t)x->offset_elems,
        .y_offset = (uint32_t)y->offset_elems,
    };
    heedi_vk_row_strides(&x->desc, params.dims, params.x_strides, &params.x_stride);
    const struct vk_request request = {
        .shader = heedi_vk_proven(program, VK_FORM_SUBGROUP) ? VK_SHADER_SOFTMAX_SUBGROUP
                                                             : VK_SHADER_SOFTMAX,
        .constants = {[HEED_CONSTANT_WIDTH] = heedi_vk_row_width(program->plugin, params.n),
                      [1] = node->op == HEED_OP_LOG_SOFTMAX},
        .bindings = {heedi_vk_reads(x), heedi_vk_writes(y)},
        .groups = params.rows,
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_softmax = {.accept = accept, .build = build};
