/* SPDX-License-Identifier: Apache-2.0 */
/* gather_rows: rows of a tensor of any type by number; nothing is converted. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_gather_rows_params) == 64, "as in the shader");

enum { X = 0, INDEX = 1 };

static const char *accept(struct vk_node *node) {
    const struct vk_tensor *x = &node->in[X], *index = &node->in[INDEX], *y = &node->out[0];
    if (!heedi_vk_present(index) || index->desc.dtype != HEED_I32 || index->desc.rank != 1)
        return "the index must be i32 with one dimension";
    if (x->desc.rank < 1 || x->desc.dtype != y->desc.dtype)
        return "the result must have the type of the input, which must have a dimension";
    if (x->desc.dtype == HEED_Q8_0)
        return "q8_0 is left to other backends";
    if (y->offset_elems != 0)
        return "the result must begin where its memory does";
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *x = &node->in[X], *rows = &node->in[INDEX], *y = &node->out[0];
    const uint32_t width = heedi_vk_width(program->plugin);
    const uint32_t per_word = 4 / (uint32_t)heed_dtype_bytes(x->desc.dtype);
    struct heed_tensor_desc row = x->desc; /* one row, as the first of one */
    row.dims[0] = 1;
    struct heed_gather_rows_params params = {
        .count = (uint32_t)heed_desc_elems(&y->desc),
        .n = (uint32_t)heed_desc_elems(&row),
        .rows = (uint32_t)x->desc.dims[0],
        .row_stride = (uint32_t)x->desc.strides[0],
        .x_offset = (uint32_t)x->offset_elems,
        .index_offset = (uint32_t)rows->offset_elems,
        .index_stride = (uint32_t)rows->desc.strides[0],
    };
    heedi_vk_dims4(&row, params.dims);
    heedi_vk_strides4(&row, params.x_strides);
    const uint32_t words = params.count / per_word + (params.count % per_word != 0);
    const struct vk_request request = {
        .shader = VK_SHADER_GATHER_ROWS,
        .constants = {[HEED_CONSTANT_WIDTH] = width, [1] = (uint32_t)x->desc.dtype},
        .bindings = {heedi_vk_reads(x), heedi_vk_reads(rows), heedi_vk_writes(y)},
        .groups = words / width + (words % width != 0),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_gather_rows = {.accept = accept, .build = build};
