/* SPDX-License-Identifier: Apache-2.0 */
/* concat: each input is copied to its place. */
#include "vulkan.h"

static const char *accept(struct vk_node *node) {
    const struct heed_tensor_desc *y = &node->out[0].desc;
    if (heed_dtype_bytes(y->dtype) != 4)
        return "only elements of 4 bytes are known here";
    if (node->attrs.concat.axis >= y->rank)
        return "the axis is not one of the result's";
    for (uint32_t i = 0; i < node->input_count; i++) {
        const struct vk_tensor *x = &node->in[i];
        if (heedi_vk_present(x) && (x->desc.dtype != y->dtype || x->desc.rank != y->rank))
            return "the inputs and the result must have one type and rank";
    }
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *y = &node->out[0];
    const uint32_t axis = node->attrs.concat.axis;
    enum heed_status status = HEED_OK;
    int64_t start = 0; /* of the current input along the axis */
    for (uint32_t i = 0; status == HEED_OK && i < node->input_count; i++) {
        const struct vk_tensor *x = &node->in[i];
        if (!heedi_vk_present(x))
            continue;
        status = heedi_vk_move(program, index, x, y, start * y->desc.strides[axis], error);
        start += x->desc.dims[axis];
    }
    return status;
}

const struct vk_operator heedi_vk_concat = {
    .attrs_size = sizeof(struct heed_concat_attrs), .accept = accept, .build = build};
