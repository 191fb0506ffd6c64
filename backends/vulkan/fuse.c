/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of nodes that are run by fewer dispatches than they have nodes.
 *
 * The host's plan thinks of nodes as run one after another: the result of a group's last node may
 * lie where an input of its first one lay. In a fused dispatch some workgroups still read inputs
 * when others write results, so such results get rooms of their own, outside of the plan. A room
 * is used again when what it held is read by no later node. */
#include "fuse.h"

/* Tried in this order; the first that fits is taken. */
static const struct vk_fusion *const fusions[] = {
    &heedi_vk_fuse_attention_step,
    &heedi_vk_fuse_attention_cross,
    &heedi_vk_fuse_products,
    &heedi_vk_fuse_norm,
    &heedi_vk_fuse_choice,
    &heedi_vk_fuse_embedding,
    NULL,
};

/* ---- for matching ---- */

bool heedi_vk_is_inner(const struct heed_plugin_program *program, const struct vk_tensor *tensor,
                       uint32_t first, uint32_t last) {
    if (!heedi_vk_present(tensor))
        return false;
    const struct vk_storage *storage = &program->storages[tensor->storage];
    return storage->role == HEED_ROLE_INTERNAL && storage->first_node >= (int32_t)first &&
           storage->last_node <= (int32_t)last;
}

bool heedi_vk_is_constant(const struct vk_tensor *tensor) {
    return heedi_vk_present(tensor) && tensor->role == HEED_ROLE_CONSTANT;
}

bool heedi_vk_is_same(const struct vk_tensor *a, const struct vk_tensor *b) {
    if (!heedi_vk_present(a) || !heedi_vk_present(b))
        return heedi_vk_present(a) == heedi_vk_present(b);
    return a->storage == b->storage && a->offset_elems == b->offset_elems;
}

bool heedi_vk_has_dims(const struct vk_tensor *tensor, uint32_t rank, const int64_t *dims) {
    if (!heedi_vk_present(tensor) || tensor->desc.rank != rank)
        return false;
    for (uint32_t i = 0; i < rank; i++)
        if (tensor->desc.dims[i] != dims[i])
            return false;
    return true;
}

uint32_t heedi_vk_offset_in_pack(const struct vk_tensor *tensor, uint64_t bytes) {
    if (!heedi_vk_present(tensor))
        return 0;
    return (uint32_t)(bytes / heed_dtype_bytes(tensor->desc.dtype) +
                      (uint64_t)tensor->offset_elems);
}

/* ---- rooms ---- */

enum heed_status heedi_vk_make_room(struct heed_plugin_program *program,
                                    const struct vk_tensor *const *tensors, uint32_t count,
                                    uint32_t first, uint32_t tail_bytes, struct heed_error *error) {
    struct vk_room *room = NULL;
    int32_t until = -1;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct vk_storage *storage = &program->storages[tensors[i]->storage];
        const int32_t last = storage->role == HEED_ROLE_INTERNAL ? storage->last_node : INT32_MAX;
        until = last > until ? last : until;
        bytes += (storage->bytes + 3) / 4 * 4;
    }
    for (uint32_t i = 0; i < program->room_count && room == NULL; i++)
        if (program->rooms[i].bytes == bytes && program->rooms[i].tail_bytes == tail_bytes &&
            program->rooms[i].busy_until < (int32_t)first)
            room = &program->rooms[i];
    if (room == NULL) {
        if (program->room_count == program->node_count * HEED_MAX_OUTPUTS)
            return heedi_common_fail(error, HEED_ERROR_INTERNAL, "more rooms than results");
        room = &program->rooms[program->room_count++];
        *room = (struct vk_room){.bytes = bytes, .tail_bytes = tail_bytes};
        room->offset_bytes = (uint64_t)heedi_vk_reserve(program, bytes + tail_bytes);
    }
    room->busy_until = until;
    uint64_t at = room->offset_bytes;
    for (uint32_t i = 0; i < count; i++) {
        struct vk_storage *storage = &program->storages[tensors[i]->storage];
        storage->offset_bytes = (int64_t)at;
        at += (storage->bytes + 3) / 4 * 4;
    }
    return HEED_OK;
}

enum heed_status heedi_vk_clear_rooms(const struct heed_plugin_program *program,
                                      const struct vk_region *memory, struct heed_error *error) {
    enum heed_status status = HEED_OK;
    for (uint32_t i = 0; status == HEED_OK && i < program->room_count; i++) {
        const struct vk_room *room = &program->rooms[i];
        const uint64_t at = room->offset_bytes + room->bytes;
        if (room->tail_bytes == 0)
            continue;
        struct vk_region tail = {.block = memory->block,
                                 .buffer = memory->buffer,
                                 .offset = memory->offset + at,
                                 .bytes = room->tail_bytes};
        if (memory->mapped != NULL)
            tail.mapped = (char *)memory->mapped + at;
        status = heedi_vk_clear(program->plugin, &tail, error);
    }
    return status;
}

/* Whether the storage lies over another that nodes first .. last read. */
static bool lies_over_input(const struct heed_plugin_program *program, int32_t result,
                            uint32_t first, uint32_t last) {
    const struct vk_storage *y = &program->storages[result];
    for (uint32_t i = first; i <= last; i++)
        for (uint32_t j = 0; j < program->nodes[i].input_count; j++) {
            const int32_t read = program->nodes[i].in[j].storage;
            if (read < 0 || read == result || program->storages[read].offset_bytes < 0)
                continue;
            const struct vk_storage *x = &program->storages[read];
            if (x->first_node < (int32_t)first &&
                y->offset_bytes < x->offset_bytes + (int64_t)x->bytes &&
                x->offset_bytes < y->offset_bytes + (int64_t)y->bytes)
                return true;
        }
    return false;
}

/* Moves results of nodes first .. last away from what these nodes read. */
static enum heed_status part_results(struct heed_plugin_program *program, uint32_t first,
                                     uint32_t last, struct heed_error *error) {
    enum heed_status status = HEED_OK;
    for (uint32_t i = first; status == HEED_OK && i <= last; i++)
        for (uint32_t j = 0; status == HEED_OK && j < program->nodes[i].output_count; j++) {
            const struct vk_tensor *y = &program->nodes[i].out[j];
            if (heedi_vk_present(y) && program->storages[y->storage].offset_bytes >= 0 &&
                !heedi_vk_is_inner(program, y, first, last) &&
                lies_over_input(program, y->storage, first, last))
                status = heedi_vk_make_room(program, &y, 1, first, 0, error);
        }
    return status;
}

/* ---- building ---- */

enum heed_status heedi_vk_build(struct heed_plugin_program *program, uint32_t first,
                                uint32_t *count, struct heed_error *error) {
    const struct vk_fusion *fusion = NULL;
    const bool may = program->plugin->device.limits.fuse != 0 && !program->apart;
    *count = 0;
    for (uint32_t i = 0; may && *count == 0 && fusions[i] != NULL; i++) {
        fusion = fusions[i];
        *count = fusion->match(program, first);
        if (!heedi_vk_constants_fit(program, first, *count))
            *count = 0;
    }
    program->group_first = first;
    if (*count == 0) {
        *count = 1;
        return heedi_vk_operators[program->nodes[first].op]->build(program, first, error);
    }
    enum heed_status status = HEED_OK;
    if (!fusion->makes_rooms)
        status = part_results(program, first, first + *count - 1, error);
    return status != HEED_OK ? status : fusion->build(program, first, *count, error);
}
