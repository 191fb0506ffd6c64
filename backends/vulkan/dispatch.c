/* SPDX-License-Identifier: Apache-2.0 */
/* What operators build their dispatches with. */
#include <string.h>

#include "vulkan.h"

_Static_assert(sizeof(struct heed_row_params) == 52, "as shaders see it");

struct vk_binding heedi_vk_reads(const struct vk_tensor *tensor) {
    return (struct vk_binding){.storage =
                                   heedi_vk_present(tensor) ? tensor->storage : VK_STORAGE_NONE};
}

struct vk_binding heedi_vk_writes(const struct vk_tensor *tensor) {
    struct vk_binding binding = heedi_vk_reads(tensor);
    binding.writes = true;
    return binding;
}

void heedi_vk_dims4(const struct heed_tensor_desc *y, uint32_t dims[4]) {
    for (uint32_t i = 0; i < 4; i++)
        dims[i] = i + y->rank < 4 ? 1 : (uint32_t)y->dims[i + y->rank - 4];
}

void heedi_vk_strides4(const struct heed_tensor_desc *x, uint32_t strides[4]) {
    for (uint32_t i = 0; i < 4; i++) {
        const bool there = i + x->rank >= 4;
        const uint32_t at = there ? i + x->rank - 4 : 0;
        strides[i] = there && x->dims[at] != 1 ? (uint32_t)x->strides[at] : 0;
    }
}

void heedi_vk_row_strides(const struct heed_tensor_desc *x, uint32_t dims[4], uint32_t strides[4],
                          uint32_t *stride) {
    heedi_vk_dims4(x, dims);
    heedi_vk_strides4(x, strides);
    *stride = strides[3];
    dims[3] = 1;
}

struct heed_row_params heedi_vk_row_params(const struct vk_tensor *x, const struct vk_tensor *y) {
    struct heed_row_params params = {
        .rows = (uint32_t)heedi_vk_rows(&x->desc),
        .n = (uint32_t)x->desc.dims[x->desc.rank - 1],
        .x_offset = (uint32_t)x->offset_elems,
        .y_offset = (uint32_t)y->offset_elems,
    };
    heedi_vk_row_strides(&x->desc, params.dims, params.x_strides, &params.x_stride);
    return params;
}

bool heedi_vk_is_float(const struct vk_tensor *tensor) {
    return heedi_vk_present(tensor) &&
           (tensor->desc.dtype == HEED_F32 || tensor->desc.dtype == HEED_F16 ||
            tensor->desc.dtype == HEED_BF16);
}

bool heedi_vk_is_owned(const struct vk_tensor *tensor) {
    return heedi_vk_present(tensor) && tensor->role != HEED_ROLE_CONSTANT &&
           tensor->role != HEED_ROLE_STATE;
}

bool heedi_vk_suits_software(const struct heed_plugin *plugin) {
    return plugin->device.software && plugin->device.limits.workgroup > 128;
}

int64_t heedi_vk_rows(const struct heed_tensor_desc *desc) {
    int64_t rows = 1;
    for (uint32_t i = 0; i + 1 < desc->rank; i++)
        rows *= desc->dims[i];
    return rows;
}

uint32_t heedi_vk_width(const struct heed_plugin *plugin) {
    uint32_t width = HEED_MAX_WIDTH;
    while (width > plugin->device.limits.workgroup)
        width /= 2;
    return width;
}

uint32_t heedi_vk_row_width(const struct heed_plugin *plugin, uint32_t n) {
    uint32_t width = heedi_vk_width(plugin);
    while (width > 32 && width / 2 >= n)
        width /= 2;
    return width;
}

static bool make_room(struct heed_plugin_program *program) {
    if (program->dispatch_count < program->dispatch_capacity)
        return true;
    const uint32_t capacity = 2 * program->dispatch_capacity + 16;
    struct vk_dispatch *more = heedi_common_calloc(program->plugin->host, capacity, sizeof *more);
    if (more == NULL)
        return false;
    if (program->dispatch_count > 0)
        memcpy(more, program->dispatches, program->dispatch_count * sizeof *more);
    heedi_common_free(program->plugin->host, program->dispatches);
    program->dispatches = more;
    program->dispatch_capacity = capacity;
    return true;
}

enum heed_status heedi_vk_dispatch(struct heed_plugin_program *program, uint32_t node,
                                   const struct vk_request *request, struct heed_error *error) {
    struct heed_plugin *plugin = program->plugin;
    const uint64_t most = plugin->device.limits.groups;
    if (request->groups == 0)
        return HEED_OK;
    if (request->groups > most * most || request->push_bytes > HEED_PUSH_BYTES)
        return heedi_common_fail(error, HEED_ERROR_LIMIT, "%s: %llu workgroups are too many",
                                 program->nodes[node].name, (unsigned long long)request->groups);
    if (!make_room(program))
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    struct vk_dispatch dispatch = {
        .node = node, .fused_count = node - program->group_first, .shader = request->shader};
    const uint64_t rows = (request->groups + most - 1) / most;
    dispatch.groups[0] = (uint32_t)((request->groups + rows - 1) / rows);
    dispatch.groups[1] = (uint32_t)rows;
    dispatch.groups[2] = 1;
    dispatch.push_bytes = request->push_bytes;
    memcpy(dispatch.push, request->push, request->push_bytes);
    memcpy(dispatch.bindings, request->bindings, sizeof dispatch.bindings);
    const uint32_t bindings = heedi_vk_shaders[request->shader].bindings;
    for (uint32_t i = 0; i < HEED_MAX_BINDINGS; i++) {
        if (i >= bindings)
            dispatch.bindings[i].storage = VK_STORAGE_NONE;
        else if (dispatch.bindings[i].storage == VK_STORAGE_NONE) { /* something must be bound */
            dispatch.bindings[i] = dispatch.bindings[0];
            dispatch.bindings[i].writes = false;
        }
    }
    enum heed_status status =
        heedi_vk_pipeline(plugin, request->shader, request->constants, &dispatch.pipeline, error);
    for (uint32_t i = 0; status == HEED_OK && i < bindings; i++)
        status = heedi_vk_constant(program, dispatch.bindings[i].storage, error);
    if (status == HEED_OK)
        program->dispatches[program->dispatch_count++] = dispatch;
    return status;
}
