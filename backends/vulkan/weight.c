/* SPDX-License-Identifier: Apache-2.0 */
/* Constants on the device: uploaded once, shared by all programs. */
#include <stdio.h>

#include "vulkan.h"

void heedi_vk_weight_destroy(struct vk_weight *weight) {
    if (weight == NULL)
        return;
    heedi_vk_release(weight->plugin, &weight->region);
    heedi_common_free(weight->plugin->host, weight);
}

static enum heed_status create_empty(struct heed_plugin *plugin, uint64_t bytes,
                                     struct vk_weight **weight, struct heed_error *error) {
    *weight = heedi_common_calloc(plugin->host, 1, sizeof **weight);
    if (*weight == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    (*weight)->plugin = plugin;
    return heedi_vk_allocate(plugin, VK_MEMORY_DEVICE, bytes, &(*weight)->region, error);
}

enum heed_status heedi_vk_weight_create(struct heed_plugin *plugin, const void *data,
                                        uint64_t bytes, struct vk_weight **weight,
                                        struct heed_error *error) {
    struct vk_weight *made = NULL;
    *weight = NULL;
    enum heed_status status = create_empty(plugin, bytes, &made, error);
    if (status == HEED_OK)
        status = heedi_vk_upload(plugin, &made->region, 0, data, bytes, error);
    if (status != HEED_OK) {
        heedi_vk_weight_destroy(made);
        return status;
    }
    *weight = made;
    return HEED_OK;
}

static void destroy(void *object) {
    heedi_vk_weight_destroy(object);
}

static enum heed_status prepare(void *arg, const struct heed_tensor_desc *desc, const void *data,
                                void **object, size_t *bytes, struct heed_error *error) {
    const uint64_t count = (uint64_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
    struct vk_weight *weight = NULL;
    const enum heed_status status = heedi_vk_weight_create(arg, data, count, &weight, error);
    if (status != HEED_OK)
        return status;
    *object = weight;
    *bytes = (size_t)weight->region.bytes;
    return HEED_OK;
}

/* ---- constants side by side ---- */

enum { PART_ALIGN = 16 };

struct pack {
    const struct heed_plugin_program *program;
    const struct vk_storage *storage;
};

static uint64_t part_room(const struct heed_plugin_program *program, int32_t part) {
    return (program->storages[part].bytes + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
}

static enum heed_status prepare_nothing(void *arg, const struct heed_tensor_desc *desc,
                                        const void *data, void **object, size_t *bytes,
                                        struct heed_error *error) {
    (void)arg, (void)desc, (void)data, (void)error;
    *object = NULL;
    *bytes = 0;
    return HEED_OK;
}

/* The host gives the mapped pages of a weight back when it has been prepared, but knows of the
 * first part only; so the others are prepared too, as nothing. A failure costs no more than that
 * these pages stay. */
static void give_pages_back(const struct heed_plugin_program *program, int32_t part) {
    const struct heed_host *host = program->plugin->host;
    struct heed_error error = {.struct_size = sizeof error};
    struct heed_prepared *prepared = NULL;
    void *object = NULL;
    if (host->prepared_acquire(host->handle, program->storages[part].weight_id, "vulkan_part",
                               prepare_nothing, NULL, NULL, 0, &prepared, &object,
                               &error) == HEED_OK)
        host->prepared_release(host->handle, prepared);
}

static enum heed_status prepare_pack(void *arg, const struct heed_tensor_desc *desc,
                                     const void *data, void **object, size_t *bytes,
                                     struct heed_error *error) {
    const struct pack *pack = arg;
    const struct heed_plugin_program *program = pack->program;
    const struct vk_storage *storage = pack->storage;
    struct vk_weight *weight = NULL;
    (void)desc, (void)data;
    enum heed_status status = create_empty(program->plugin, storage->bytes, &weight, error);
    uint64_t at = 0;
    for (uint32_t i = 0; status == HEED_OK && i < storage->part_count; i++) {
        const struct vk_storage *part = &program->storages[storage->parts[i]];
        status =
            heedi_vk_upload(program->plugin, &weight->region, at, part->data, part->bytes, error);
        at += part_room(program, storage->parts[i]);
    }
    if (status != HEED_OK) {
        heedi_vk_weight_destroy(weight);
        return status;
    }
    for (uint32_t i = 1; i < storage->part_count; i++)
        give_pages_back(program, storage->parts[i]);
    *object = weight;
    *bytes = (size_t)weight->region.bytes;
    return HEED_OK;
}

enum heed_status heedi_vk_pack(struct heed_plugin_program *program,
                               const struct vk_tensor *const *tensors, uint32_t count,
                               int32_t *storage, uint64_t *offsets, struct heed_error *error) {
    struct vk_storage made = {.offset_bytes = -1,
                              .binding = -1,
                              .role = HEED_ROLE_CONSTANT,
                              .first_node = -1,
                              .last_node = -1};
    for (uint32_t i = 0; i < count; i++) {
        offsets[i] = made.bytes;
        if (!heedi_vk_present(tensors[i]))
            continue;
        if (made.part_count == VK_MAX_PARTS || tensors[i]->role != HEED_ROLE_CONSTANT)
            return heedi_common_fail(error, HEED_ERROR_INTERNAL,
                                     "what is packed must be %d weights", VK_MAX_PARTS);
        made.parts[made.part_count++] = tensors[i]->storage;
        made.bytes += part_room(program, tensors[i]->storage);
    }
    return heedi_vk_add_storage(program, &made, storage, error);
}

/* ---- constants of a program ---- */

enum heed_status heedi_vk_constant(struct heed_plugin_program *program, int32_t index,
                                   struct heed_error *error) {
    struct heed_plugin *plugin = program->plugin;
    struct vk_storage *storage = index >= 0 ? &program->storages[index] : NULL;
    if (storage == NULL || storage->role != HEED_ROLE_CONSTANT || storage->weight != NULL)
        return HEED_OK;
    struct pack pack = {.program = program, .storage = storage};
    const bool packed = storage->part_count > 0;
    const uint64_t id =
        packed ? program->storages[storage->parts[0]].weight_id : storage->weight_id;
    char layout[32 + 24 * VK_MAX_PARTS] = "vulkan_plain";
    int used = packed ? snprintf(layout, sizeof layout, "vulkan_packed") : 0;
    for (uint32_t i = 1; i < storage->part_count; i++)
        used += snprintf(layout + used, sizeof layout - (size_t)used, ":%llu",
                         (unsigned long long)program->storages[storage->parts[i]].weight_id);
    void *object = NULL;
    const enum heed_status status = plugin->host->prepared_acquire(
        plugin->host->handle, id, layout, packed ? prepare_pack : prepare, destroy,
        packed ? (void *)&pack : plugin, 0, &storage->prepared, &object, error);
    storage->weight = object;
    return status;
}
