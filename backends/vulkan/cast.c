/* SPDX-License-Identifier: Apache-2.0 */
/* cast: between any two types. */
#include "vulkan.h"

static const char *accept(struct vk_node *node) {
    const struct vk_tensor *x = &node->in[0], *y = &node->out[0];
    if ((uint32_t)y->desc.dtype != node->attrs.cast.dtype)
        return "the result must have the type that the attributes name";
    if (x->desc.dtype == HEED_Q8_0 || y->desc.dtype == HEED_Q8_0)
        return "q8_0 is left to other backends";
    if (y->offset_elems != 0)
        return "the result must begin where its memory does";
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_tensor *x = &program->nodes[index].in[0], *y = &program->nodes[index].out[0];
    const uint32_t width = heedi_vk_width(program->plugin);
    const uint32_t per_word = 4 / (uint32_t)heed_dtype_bytes(y->desc.dtype);
    struct heed_copy_params params = {
        .count = (uint32_t)heed_desc_elems(&y->desc),
        .x_offset = (uint32_t)x->offset_elems,
    };
    heedi_vk_dims4(&y->desc, params.dims);
    heedi_vk_strides4(&x->desc, params.x_strides);
    const uint32_t words = params.count / per_word + (params.count % per_word != 0);
    const struct vk_request request = {
        .shader = VK_SHADER_CAST,
        .constants = {[HEED_CONSTANT_WIDTH] = width,
                      [1] = (uint32_t)x->desc.dtype,
                      [2] = (uint32_t)y->desc.dtype},
        .bindings = {heedi_vk_reads(x), heedi_vk_writes(y)},
        .groups = words / width + (words % width != 0),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_cast = {
    .attrs_size = sizeof(struct heed_cast_attrs), .accept = accept, .build = build};
