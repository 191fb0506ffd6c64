/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: rows of a table of any type by id, widened to f32. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_embedding_params) == 72, "as in the shader");

enum { TABLE = 0, IDS = 1, TABLE_SCALE = 2 };

/* Adds the dispatch; `params` lacks what ids and y say. */
static enum heed_status add(struct heed_plugin_program *program, uint32_t index,
                            struct heed_embedding_params *params, enum heed_dtype type,
                            struct vk_binding table, const struct vk_tensor *ids,
                            struct vk_binding scale, const struct vk_tensor *y,
                            struct heed_error *error) {
    const uint32_t width = heedi_vk_width(program->plugin);
    params->count = (uint32_t)heed_desc_elems(&y->desc);
    params->ids_offset = (uint32_t)ids->offset_elems;
    params->y_offset = (uint32_t)y->offset_elems;
    heedi_vk_dims4(&ids->desc, params->dims);
    heedi_vk_strides4(&ids->desc, params->ids_strides);
    const struct vk_request request = {
        .shader = VK_SHADER_EMBEDDING,
        .constants = {[HEED_CONSTANT_WIDTH] = width, [1] = (uint32_t)type},
        .bindings = {table, heedi_vk_reads(ids), scale, heedi_vk_writes(y)},
        .groups = params->count / width + (params->count % width != 0),
        .push = params,
        .push_bytes = sizeof *params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

enum heed_status heedi_vk_look_up(struct heed_plugin_program *program, uint32_t index,
                                  struct vk_binding table, uint32_t rows, uint32_t n,
                                  struct heed_error *error) {
    const struct vk_tensor *ids = &program->nodes[index].in[0];
    const struct vk_tensor *y = &program->nodes[index].out[0];
    struct heed_embedding_params params = {
        .n = n,
        .rows = rows,
        .row_stride = n,
        .column_stride = 1,
    };
    return add(program, index, &params, HEED_F32, table, ids,
               (struct vk_binding){.storage = VK_STORAGE_NONE}, y, error);
}

static const char *accept(struct vk_node *node) {
    const struct vk_tensor *table = &node->in[TABLE], *scale = &node->in[TABLE_SCALE];
    const enum heed_dtype type = table->desc.dtype;
    if (type != HEED_I8 && type != HEED_Q8_0 && !heedi_vk_is_float(table))
        return "the table must be of a float type, i8 or q8_0";
    if (table->desc.rank != 2)
        return "the table must have two dimensions";
    if (!heedi_vk_present(&node->in[IDS]) || node->in[IDS].desc.dtype != HEED_I32)
        return "the ids must be i32";
    if ((type == HEED_I8) != heedi_vk_present(scale) ||
        (type == HEED_I8 && (scale->desc.dtype != HEED_F32 || scale->desc.rank != 1)))
        return "an i8 table, and no other, has scales, which must be f32";
    if (node->out[0].desc.dtype != HEED_F32)
        return "only a result in f32 is known here";
    return NULL;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *table = &node->in[TABLE], *ids = &node->in[IDS];
    const struct vk_tensor *scale = &node->in[TABLE_SCALE], *y = &node->out[0];
    struct heed_embedding_params params = {
        .n = (uint32_t)(table->desc.dims[1] * heed_dtype_values(table->desc.dtype)),
        .rows = (uint32_t)table->desc.dims[0],
        .row_stride = (uint32_t)table->desc.strides[0],
        .column_stride = (uint32_t)table->desc.strides[1],
        .table_offset = (uint32_t)table->offset_elems,
        .scale_offset = (uint32_t)scale->offset_elems,
        .scale_stride = (uint32_t)scale->desc.strides[0],
    };
    return add(program, index, &params, table->desc.dtype, heedi_vk_reads(table), ids,
               heedi_vk_reads(scale), y, error);
}

const struct vk_operator heedi_vk_embedding = {
    .attrs_size = sizeof(struct heed_embedding_attrs), .accept = accept, .build = build};
