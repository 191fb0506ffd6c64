/* SPDX-License-Identifier: Apache-2.0 */
/* top_k over the last dimension: a workgroup per row, one result after another. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_top_k_params) == 60, "as in the shader");

/* The time of a row grows with k; a search asks for few. */
enum { MOST_RESULTS = 64 };

static const char *accept(struct vk_node *node) {
    const struct heed_tensor_desc *x = &node->in[0].desc;
    if (x->dtype != HEED_F32 || node->out[0].desc.dtype != HEED_F32 || x->rank < 1)
        return "only f32 with a dimension is known here";
    if (!heedi_vk_present(&node->out[1]) || node->out[1].desc.dtype != HEED_I32)
        return "the results must be values and i32 indices";
    if (node->attrs.top_k.k < 1 || node->attrs.top_k.k > (uint64_t)x->dims[x->rank - 1])
        return "k must be at least 1 and at most the last dimension";
    if (node->attrs.top_k.k > MOST_RESULTS)
        return "so large a k is left to other backends";
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *x = &node->in[0];
    const struct vk_tensor *values = &node->out[0], *indices = &node->out[1];
    struct heed_top_k_params params = {
        .rows = (uint32_t)heedi_vk_rows(&x->desc),
        .n = (uint32_t)x->desc.dims[x->desc.rank - 1],
        .k = node->attrs.top_k.k,
        .x_offset = (uint32_t)x->offset_elems,
        .values_offset = (uint32_t)values->offset_elems,
        .indices_offset = (uint32_t)indices->offset_elems,
    };
    heedi_vk_row_strides(&x->desc, params.dims, params.x_strides, &params.x_stride);
    const struct vk_request request = {
        .shader =
            heedi_vk_proven(program, VK_FORM_SUBGROUP) ? VK_SHADER_TOP_K_SUBGROUP : VK_SHADER_TOP_K,
        .constants = {[HEED_CONSTANT_WIDTH] = heedi_vk_row_width(program->plugin, params.n)},
        .bindings = {heedi_vk_reads(x), heedi_vk_writes(values), heedi_vk_writes(indices)},
        .groups = params.rows,
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_top_k = {
    .attrs_size = sizeof(struct heed_top_k_attrs), .accept = accept, .build = build};
