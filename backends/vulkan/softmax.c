/* SPDX-License-Identifier: Apache-2.0 */
/* softmax and log_softmax over the last dimension: a workgroup per row. */
#include "vulkan.h"

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
    const struct heed_row_params params = heedi_vk_row_params(x, y);
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
