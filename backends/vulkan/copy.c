/* SPDX-License-Identifier: Apache-2.0 */
/* copy: the elements of any strided tensor, in row-major order. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_copy_params) == 60, "as in the shader");

enum heed_status heedi_vk_move(struct heed_plugin_program *program, uint32_t node,
                               const struct vk_tensor *x, const struct vk_tensor *y,
                               int64_t y_start, struct heed_error *error) {
    const uint32_t width = heedi_vk_width(program->plugin);
    const uint32_t per_word = 4 / (uint32_t)heed_dtype_bytes(x->desc.dtype);
    struct heed_copy_params params = {
        .count = (uint32_t)heed_desc_elems(&x->desc),
        .x_offset = (uint32_t)x->offset_elems,
        .y_offset = (uint32_t)(y->offset_elems + y_start),
    };
    heedi_vk_dims4(&x->desc, params.dims);
    heedi_vk_strides4(&x->desc, params.x_strides);
    heedi_vk_strides4(&y->desc, params.y_strides);
    const uint32_t words = params.count / per_word + (params.count % per_word != 0);
    const struct vk_request request = {
        .shader = VK_SHADER_COPY,
        .constants = {[HEED_CONSTANT_WIDTH] = width, [1] = (uint32_t)x->desc.dtype},
        .bindings = {heedi_vk_reads(x), heedi_vk_writes(y)},
        .groups = words / width + (words % width != 0),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, node, &request, error);
}

static const char *accept(struct vk_node *node) {
    const struct vk_tensor *x = &node->in[0], *y = &node->out[0];
    if (x->desc.dtype != y->desc.dtype)
        return "the result must have the type of the input";
    if (x->desc.dtype == HEED_Q8_0)
        return "q8_0 is left to other backends";
    if (y->offset_elems != 0)
        return "the result must begin where its memory does";
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    return heedi_vk_move(program, index, &node->in[0], &node->out[0], 0, error);
}

const struct vk_operator heedi_vk_copy = {.accept = accept, .build = build};
