/* SPDX-License-Identifier: Apache-2.0 */
/* argmax over the last dimension: a workgroup per row. */
#include "vulkan.h"

static const char *accept(struct vk_node *node) {
    if (!heedi_vk_is_float(&node->in[0]) || node->in[0].desc.rank < 1)
        return "the input must be of a float type and have a dimension";
    if (node->out[0].desc.dtype != HEED_I32)
        return "the result must be i32";
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *x = &node->in[0], *y = &node->out[0];
    const struct heed_row_params params = heedi_vk_row_params(x, y);
    const struct vk_request request = {
        .shader = heedi_vk_proven(program, VK_FORM_SUBGROUP) ? VK_SHADER_ARGMAX_SUBGROUP
                                                             : VK_SHADER_ARGMAX,
        .constants = {[HEED_CONSTANT_WIDTH] = heedi_vk_row_width(program->plugin, params.n),
                      [1] = (uint32_t)x->desc.dtype},
        .bindings = {heedi_vk_reads(x), heedi_vk_writes(y)},
        .groups = params.rows,
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_argmax = {.accept = accept, .build = build};
