/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: rows of a table of any type by id, widened to f32. */
#include "ranges.h"

_Static_assert(sizeof(struct heed_embedding_params) == 80, "as in the shader");

enum { TABLE = 0, IDS = 1, TABLE_SCALE = 2 };

/* A table, whose rows are `lines`, and what shaders are told of it. */
struct table {
    struct vk_binding binding, scale;
    struct vk_lines lines;
    enum heed_dtype type;
    struct heed_embedding_params params;
};

/* Adds a dispatch for each piece of the table that a storage buffer shows. */
static enum heed_status add(struct heed_plugin_program *program, uint32_t index,
                            const struct table *table, const struct vk_tensor *ids,
                            const struct vk_tensor *y, struct heed_error *error) {
    const struct heed_plugin *plugin = program->plugin;
    const uint32_t width = heedi_vk_width(plugin);
    struct heed_embedding_params params = table->params;
    const uint64_t shown = heedi_vk_lines_shown(plugin, &table->lines);
    enum heed_status status = HEED_OK;
    params.count = (uint32_t)heed_desc_elems(&y->desc);
    params.ids_offset = (uint32_t)ids->offset_elems;
    params.y_offset = (uint32_t)y->offset_elems;
    heedi_vk_dims4(&ids->desc, params.dims);
    heedi_vk_strides4(&ids->desc, params.ids_strides);
    do {
        const uint32_t left = params.rows - params.first;
        struct vk_request request = {
            .shader = VK_SHADER_EMBEDDING,
            .constants = {[HEED_CONSTANT_WIDTH] = width, [1] = (uint32_t)table->type},
            .bindings = {table->binding, heedi_vk_reads(ids), table->scale, heedi_vk_writes(y)},
            .groups = params.count / width + (params.count % width != 0),
            .push = &params,
            .push_bytes = sizeof params,
        };
        params.shown = left < shown ? left : (uint32_t)shown;
        params.table_offset = heedi_vk_show_lines(plugin, &table->lines, params.first, params.shown,
                                                  &request.bindings[0]);
        status = heedi_vk_dispatch(program, index, &request, error);
        params.first += params.shown;
    } while (status == HEED_OK && params.first < params.rows);
    return status;
}

enum heed_status heedi_vk_look_up(struct heed_plugin_program *program, uint32_t index,
                                  struct vk_binding table, uint32_t rows, uint32_t n,
                                  struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct table it = {
        .binding = table,
        .scale = {.storage = VK_STORAGE_NONE},
        .lines = {.total_bytes = (uint64_t)rows * n * sizeof(float),
                  .elem_bytes = sizeof(float),
                  .stride = n,
                  .elems = n,
                  .count = rows},
        .type = HEED_F32,
        .params = {.n = n, .rows = rows, .row_stride = n, .column_stride = 1},
    };
    return add(program, index, &it, &node->in[0], &node->out[0], error);
}

/* Rows of the table, for where it is larger than a storage buffer shows. */
static struct vk_lines rows_of(const struct vk_tensor *table) {
    const struct heed_tensor_desc *desc = &table->desc;
    return (struct vk_lines){
        .total_bytes = table->owner_bytes,
        .elem_bytes = heed_dtype_bytes(desc->dtype),
        .offset = (uint64_t)table->offset_elems,
        .stride = (uint64_t)desc->strides[0],
        .elems = desc->dims[1] > 0 ? (uint64_t)((desc->dims[1] - 1) * desc->strides[1] + 1) : 0,
        .count = (uint64_t)desc->dims[0],
    };
}

static bool fits(const struct heed_plugin *plugin, const struct vk_tensor *table) {
    const struct vk_lines rows = rows_of(table);
    return rows.count == 0 || heedi_vk_lines_shown(plugin, &rows) > 0;
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
    struct vk_tensor laid_out;
    if (!fits(node->plugin, table) &&
        (!heedi_vk_may_lay_out(table, &laid_out) || !fits(node->plugin, &laid_out)))
        return "no row of the table fits in a storage buffer of this device";
    return NULL;
}

struct heed_embedding_params heedi_vk_embedding_params(const struct vk_node *node) {
    const struct vk_tensor *table = &node->in[TABLE], *scale = &node->in[TABLE_SCALE];
    const struct vk_tensor *ids = &node->in[IDS], *y = &node->out[0];
    struct heed_embedding_params params = {
        .count = (uint32_t)heed_desc_elems(&y->desc),
        .n = (uint32_t)(table->desc.dims[1] * heed_dtype_values(table->desc.dtype)),
        .rows = (uint32_t)table->desc.dims[0],
        .row_stride = (uint32_t)table->desc.strides[0],
        .column_stride = (uint32_t)table->desc.strides[1],
        .table_offset = (uint32_t)table->offset_elems,
        .ids_offset = (uint32_t)ids->offset_elems,
        .scale_offset = (uint32_t)scale->offset_elems,
        .scale_stride = (uint32_t)scale->desc.strides[0],
        .y_offset = (uint32_t)y->offset_elems,
    };
    heedi_vk_dims4(&ids->desc, params.dims);
    heedi_vk_strides4(&ids->desc, params.ids_strides);
    return params;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    struct vk_node *node = &program->nodes[index];
    struct vk_tensor *table = &node->in[TABLE], *scale = &node->in[TABLE_SCALE];
    const enum heed_status status =
        fits(node->plugin, table) ? HEED_OK : heedi_vk_lay_out(program, table, error);
    if (status != HEED_OK)
        return status;
    const struct table it = {
        .binding = heedi_vk_reads(table),
        .scale = heedi_vk_reads(scale),
        .lines = rows_of(table),
        .type = table->desc.dtype,
        .params = heedi_vk_embedding_params(node),
    };
    return add(program, index, &it, &node->in[IDS], &node->out[0], error);
}

const struct vk_operator heedi_vk_embedding = {.attrs_size = sizeof(struct heed_embedding_attrs),
                                               .cuts = 1u << TABLE,
                                               .accept = accept,
                                               .build = build};
