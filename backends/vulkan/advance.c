/* SPDX-License-Identifier: Apache-2.0 */
/* advance: feeds the tokens that a decoding step chose back to the next one, without the host. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_advance_params) == 36, "as in the shader");

enum { ROWS = 0, NEXT = 1 };

static const char *accept(struct vk_node *node) {
    return heedi_common_accept_advance(&node->attrs.advance, &node->in[ROWS].desc,
                                       &node->in[NEXT].desc);
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *rows = &node->in[ROWS], *next = &node->in[NEXT], *y = &node->out[0];
    const struct heed_advance_params params = {
        .count = (uint32_t)next->desc.dims[0],
        .eos = (uint32_t)node->attrs.advance.eos,
        .capacity = node->attrs.advance.capacity,
        .rows_offset = (uint32_t)rows->offset_elems,
        .row_stride = (uint32_t)rows->desc.strides[0],
        .column_stride = (uint32_t)rows->desc.strides[1],
        .next_offset = (uint32_t)next->offset_elems,
        .next_stride = (uint32_t)next->desc.strides[0],
        .y_offset = (uint32_t)y->offset_elems,
    };
    const uint32_t width = heedi_vk_row_width(program->plugin, params.count);
    const struct vk_request request = {
        .shader = VK_SHADER_ADVANCE,
        .constants = {[HEED_CONSTANT_WIDTH] = width},
        .bindings = {heedi_vk_reads(rows), heedi_vk_reads(next), heedi_vk_writes(y)},
        .groups = params.count / width + (params.count % width != 0),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_advance = {
    .attrs_size = sizeof(struct heed_advance_attrs), .accept = accept, .build = build};
