/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in the memory of an instance that share one binding, as a shader has only four. Where
 * they lie too far apart for a storage buffer, they are copied side by side, and results back. */

#include "ranges.h"

static uint64_t bytes_of(const struct vk_tensor *tensor) {
    return (uint64_t)heed_desc_elems(&tensor->desc) * heed_dtype_bytes(tensor->desc.dtype);
}

static bool is_narrow(const struct vk_tensor *tensor) {
    return heed_dtype_bytes(tensor->desc.dtype) < sizeof(uint32_t);
}

bool heedi_vk_span(const struct heed_plugin_program *program,
                   const struct vk_tensor *const *tensors, uint32_t count,
                   struct vk_binding *binding) {
    const uint64_t align = program->plugin->device.limits.align_bytes;
    const uint64_t unit = align > 256 ? align : 256;
    uint64_t from = UINT64_MAX, to = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!heedi_vk_present(tensors[i]))
            continue;
        const struct vk_storage *storage = &program->storages[tensors[i]->storage];
        if (storage->offset_bytes < 0) /* without elements it needs none */
            continue;
        const uint64_t at = (uint64_t)storage->offset_bytes, end = at + storage->bytes;
        from = at < from ? at : from;
        to = end > to ? end : to;
    }
    from = from < to ? from / unit * unit : 0;
    to = to > from ? (to + 3) / 4 * 4 : from + 4; /* whole words, and one at least */
    *binding =
        (struct vk_binding){.storage = VK_STORAGE_ALL, .offset_bytes = from, .bytes = to - from};
    return to - from <= program->plugin->device.limits.range_bytes;
}

uint32_t heedi_vk_place(const struct heed_plugin_program *program, const struct vk_binding *binding,
                        const struct vk_tensor *tensor) {
    if (!heedi_vk_present(tensor))
        return UINT32_MAX;
    if (binding->storage != VK_STORAGE_ALL)
        return (uint32_t)tensor->offset_elems;
    const int64_t at = program->storages[tensor->storage].offset_bytes;
    const int64_t elem_bytes = (int64_t)heed_dtype_bytes(tensor->desc.dtype);
    const int64_t before = at < 0 ? 0 : (at - (int64_t)binding->offset_bytes) / elem_bytes;
    return (uint32_t)(before + tensor->offset_elems);
}

/* ---- side by side ---- */

/* Where tensors go in a storage for them: elements smaller than words from its start. Returns how
 * many bytes it must have; 0: they cannot be copied so. */
static uint64_t lay_out(const struct vk_shared *shared, uint64_t offsets[VK_MAX_SHARED]) {
    uint64_t bytes = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < shared->count; i++) {
            if (!heedi_vk_present(shared->tensors[i]) ||
                is_narrow(shared->tensors[i]) != (pass == 0))
                continue;
            if (pass == 0 && (bytes > 0 || i >= shared->read_count))
                return 0;
            offsets[i] = bytes;
            bytes += (bytes_of(shared->tensors[i]) + 15) / 16 * 16;
        }
    return bytes;
}

static enum heed_status bring_together(struct heed_plugin_program *program, uint32_t node,
                                       struct vk_shared *shared, struct heed_error *error) {
    uint64_t offsets[VK_MAX_SHARED];
    const uint64_t bytes = lay_out(shared, offsets);
    int32_t scratch;
    if (bytes == 0 || bytes > program->plugin->device.limits.range_bytes)
        return heedi_common_fail(error, HEED_ERROR_LIMIT,
                                 "node %s: operands that one storage buffer must show take %llu "
                                 "bytes, those of this device show %llu",
                                 program->nodes[node].name, (unsigned long long)bytes,
                                 (unsigned long long)program->plugin->device.limits.range_bytes);
    enum heed_status status = heedi_vk_scratch(program, bytes, &scratch, error);
    for (uint32_t i = 0; status == HEED_OK && i < shared->count; i++) {
        struct vk_tensor *tensor = shared->tensors[i];
        if (!heedi_vk_present(tensor))
            continue;
        const struct heed_tensor_desc *desc = &tensor->desc;
        struct vk_tensor copy = *tensor;
        copy.desc = heed_desc(desc->dtype, desc->rank, desc->dims);
        copy.storage = scratch;
        copy.offset_elems = (int64_t)(offsets[i] / heed_dtype_bytes(desc->dtype));
        if (i < shared->read_count)
            status = heedi_vk_move(program, node, tensor, &copy, 0, error);
        shared->apart[i] = *tensor;
        *tensor = copy;
    }
    shared->binding = (struct vk_binding){.storage = scratch};
    shared->together = true;
    return status;
}

enum heed_status heedi_vk_share(struct heed_plugin_program *program, uint32_t node,
                                struct vk_shared *shared, struct heed_error *error) {
    const struct vk_tensor *tensors[VK_MAX_SHARED];
    enum heed_status status = HEED_OK;
    for (uint32_t i = 0; i < shared->count; i++)
        tensors[i] = shared->tensors[i];
    if (!heedi_vk_span(program, tensors, shared->count, &shared->binding))
        status = bring_together(program, node, shared, error);
    shared->binding.writes = shared->read_count < shared->count;
    return status;
}

enum heed_status heedi_vk_part(struct heed_plugin_program *program, uint32_t node,
                               const struct vk_shared *shared, struct heed_error *error) {
    enum heed_status status = HEED_OK;
    for (uint32_t i = shared->read_count; status == HEED_OK && i < shared->count; i++)
        if (shared->together && heedi_vk_present(shared->tensors[i]))
            status = heedi_vk_move(program, node, shared->tensors[i], &shared->apart[i], 0, error);
    return status;
}
