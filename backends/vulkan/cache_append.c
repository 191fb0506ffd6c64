/* SPDX-License-Identifier: Apache-2.0 */
/* cache_append: the state is written in place; the result names the same memory. */
#include "vulkan.h"

_Static_assert(sizeof(struct heed_cache_append_params) == 68, "as in the shader");

enum { STATE = 0, X = 1, POSITION = 2, ROW = 3 };

static const char *accept(struct vk_node *node) {
    const struct vk_tensor *state = &node->in[STATE], *x = &node->in[X];
    const struct vk_tensor *position = &node->in[POSITION], *row = &node->in[ROW];
    if (!heedi_vk_present(x) || state->desc.rank != 3 || x->desc.rank != 3)
        return "the state and what is appended must have three dimensions";
    if (!heedi_vk_is_float(state) || !heedi_vk_is_float(x))
        return "the state and what is appended must be of float types";
    if (!heedi_vk_present(position) || position->desc.dtype != HEED_I32 ||
        (heedi_vk_present(row) && row->desc.dtype != HEED_I32))
        return "positions and rows must be i32";
    return NULL;
}

/* Elements that an invocation writes: two of 16 bits, where all of a row lie in words of its own.
 */
static uint32_t elements_of(const struct vk_tensor *state) {
    const int64_t *strides = state->desc.strides, *dims = state->desc.dims;
    return state->desc.dtype != HEED_F32 && strides[2] == 1 && dims[2] % 2 == 0 &&
                   strides[0] % 2 == 0 && strides[1] % 2 == 0 && state->offset_elems % 2 == 0
               ? 2
               : 1;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct vk_tensor *state = &node->in[STATE], *x = &node->in[X];
    const struct vk_tensor *position = &node->in[POSITION], *row = &node->in[ROW];
    const uint32_t width = heedi_vk_width(program->plugin), elements = elements_of(state);
    struct heed_cache_append_params params = {
        .count = (uint32_t)heed_desc_elems(&x->desc),
        .steps = (uint32_t)x->desc.dims[1],
        .n = (uint32_t)x->desc.dims[2],
        .rows = (uint32_t)state->desc.dims[0],
        .capacity = (uint32_t)state->desc.dims[1],
        .state_offset = (uint32_t)state->offset_elems,
        .x_offset = (uint32_t)x->offset_elems,
        .pos_offset = (uint32_t)position->offset_elems,
        .pos_stride = (uint32_t)position->desc.strides[0],
        .row_offset = (uint32_t)row->offset_elems,
        .row_stride = (uint32_t)row->desc.strides[0],
    };
    for (uint32_t i = 0; i < 3; i++) {
        params.x_strides[i] = (uint32_t)x->desc.strides[i];
        params.state_strides[i] = (uint32_t)state->desc.strides[i];
    }
    const struct vk_request request = {
        .shader = VK_SHADER_CACHE_APPEND,
        .constants = {[HEED_CONSTANT_WIDTH] = width,
                      [1] = (uint32_t)x->desc.dtype,
                      [2] = heedi_vk_present(row),
                      [3] = (uint32_t)state->desc.dtype,
                      [4] = elements},
        .bindings = {heedi_vk_writes(state), heedi_vk_reads(x), heedi_vk_reads(position),
                     heedi_vk_reads(row)},
        .groups = ((uint64_t)params.count / elements + width - 1) / width,
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, index, &request, error);
}

const struct vk_operator heedi_vk_cache_append = {.accept = accept, .build = build};
