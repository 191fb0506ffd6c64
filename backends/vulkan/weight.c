/* SPDX-License-Identifier: Apache-2.0 */
/* Constants on the device: uploaded once, shared by all programs. */
#include <stdio.h>
#include <string.h>

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

/* The constant that is prepared. */
struct wanted {
    const struct heed_plugin_program *program;
    const struct vk_storage *storage;
};

static enum heed_status prepare(void *arg, const struct heed_tensor_desc *desc, const void *data,
                                void **object, size_t *bytes, struct heed_error *error) {
    const struct wanted *wanted = arg;
    const uint64_t count = (uint64_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
    struct vk_weight *weight = NULL;
    const enum heed_status status =
        heedi_vk_weight_create(wanted->program->plugin, data, count, &weight, error);
    if (status != HEED_OK)
        return status;
    *object = weight;
    *bytes = (size_t)weight->region.bytes;
    return HEED_OK;
}

/* ---- constants side by side ---- */

enum { PART_ALIGN = 16 };

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
    const struct wanted *wanted = arg;
    const struct heed_plugin_program *program = wanted->program;
    const struct vk_storage *storage = wanted->storage;
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

/* ---- constants in another order ---- */

bool heedi_vk_may_lay_out(const struct vk_tensor *tensor, struct vk_tensor *laid_out) {
    const struct heed_tensor_desc *desc = &tensor->desc;
    const uint64_t bytes = (uint64_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
    *laid_out = *tensor;
    laid_out->desc = heed_desc(desc->dtype, desc->rank, desc->dims);
    laid_out->offset_elems = 0;
    laid_out->owner_bytes = bytes;
    /* blocks of elements cannot be parted, and what repeats elements could be of any size */
    return tensor->role == HEED_ROLE_CONSTANT && heed_dtype_values(desc->dtype) == 1 &&
           bytes <= tensor->owner_bytes;
}

/* Some elements of a view, from number `first` on. */
static void gather(const struct vk_storage *storage, int64_t first, int64_t count, char *to) {
    const struct heed_tensor_desc *view = &storage->view;
    const int64_t n = view->dims[view->rank - 1], stride = view->strides[view->rank - 1];
    const size_t elem_bytes = heed_dtype_bytes(view->dtype);
    for (int64_t i = first, left = count, run; left > 0; i += run, left -= run) {
        int64_t at = storage->view_offset + i % n * stride;
        int64_t row = i / n;
        for (uint32_t d = view->rank - 1; d-- > 0; row /= view->dims[d])
            at += row % view->dims[d] * view->strides[d];
        run = left < n - i % n ? left : n - i % n;
        for (int64_t j = 0; j < run; j++, at += stride, to += elem_bytes)
            memcpy(to, (const char *)storage->data + (size_t)at * elem_bytes, elem_bytes);
    }
}

static enum heed_status prepare_laid_out(void *arg, const struct heed_tensor_desc *desc,
                                         const void *data, void **object, size_t *bytes,
                                         struct heed_error *error) {
    enum { PIECE = 1 << 18 };
    const struct wanted *wanted = arg;
    const struct vk_storage *storage = wanted->storage;
    struct heed_plugin *plugin = wanted->program->plugin;
    const int64_t count = heed_desc_elems(&storage->view);
    const uint64_t elem_bytes = heed_dtype_bytes(storage->view.dtype);
    struct vk_weight *weight = NULL;
    (void)desc, (void)data;
    char *piece = heedi_common_calloc(plugin->host, PIECE, elem_bytes);
    if (piece == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    enum heed_status status = create_empty(plugin, storage->bytes, &weight, error);
    for (int64_t i = 0; status == HEED_OK && i < count; i += PIECE) {
        const int64_t now = count - i < PIECE ? count - i : PIECE;
        gather(storage, i, now, piece);
        status = heedi_vk_upload(plugin, &weight->region, (uint64_t)i * elem_bytes, piece,
                                 (uint64_t)now * elem_bytes, error);
    }
    heedi_common_free(plugin->host, piece);
    if (status != HEED_OK) {
        heedi_vk_weight_destroy(weight);
        return status;
    }
    *object = weight;
    *bytes = (size_t)weight->region.bytes;
    return HEED_OK;
}

enum heed_status heedi_vk_lay_out(struct heed_plugin_program *program, struct vk_tensor *tensor,
                                  struct heed_error *error) {
    const struct vk_storage *source = &program->storages[tensor->storage];
    struct vk_storage made = {.offset_bytes = -1,
                              .binding = -1,
                              .role = HEED_ROLE_CONSTANT,
                              .first_node = -1,
                              .last_node = -1,
                              .weight_id = source->weight_id,
                              .data = source->data,
                              .is_laid_out = true,
                              .view = tensor->desc,
                              .view_offset = tensor->offset_elems};
    if (!heedi_vk_may_lay_out(tensor, tensor))
        return heedi_common_fail(error, HEED_ERROR_INTERNAL, "a tensor cannot be laid out anew");
    made.bytes = tensor->owner_bytes;
    return heedi_vk_add_storage(program, &made, &tensor->storage, error);
}

/* ---- constants of a program ---- */

/* What the host tells forms of a weight apart by. */
enum { LAYOUT_BYTES = 32 + 24 * VK_MAX_PARTS };

static heed_prepare_fn layout_of(const struct heed_plugin_program *program,
                                 const struct vk_storage *storage, char layout[LAYOUT_BYTES]) {
    const struct heed_tensor_desc *view = &storage->view;
    int used = 0;
    if (storage->is_laid_out) {
        used =
            snprintf(layout, LAYOUT_BYTES, "vulkan_laid_out:%lld", (long long)storage->view_offset);
        for (uint32_t i = 0; i < view->rank; i++)
            used += snprintf(layout + used, LAYOUT_BYTES - (size_t)used, ":%lld*%lld",
                             (long long)view->dims[i], (long long)view->strides[i]);
        return prepare_laid_out;
    }
    used =
        snprintf(layout, LAYOUT_BYTES, "vulkan_%s", storage->part_count > 0 ? "packed" : "plain");
    for (uint32_t i = 1; i < storage->part_count; i++)
        used += snprintf(layout + used, LAYOUT_BYTES - (size_t)used, ":%llu",
                         (unsigned long long)program->storages[storage->parts[i]].weight_id);
    return storage->part_count > 0 ? prepare_pack : prepare;
}

enum heed_status heedi_vk_constant(struct heed_plugin_program *program, int32_t index,
                                   struct heed_error *error) {
    struct heed_plugin *plugin = program->plugin;
    struct vk_storage *storage = index >= 0 ? &program->storages[index] : NULL;
    if (storage == NULL || storage->role != HEED_ROLE_CONSTANT || storage->weight != NULL)
        return HEED_OK;
    struct wanted wanted = {.program = program, .storage = storage};
    const uint64_t id = storage->part_count > 0 ? program->storages[storage->parts[0]].weight_id
                                                : storage->weight_id;
    char layout[LAYOUT_BYTES];
    heed_prepare_fn make = layout_of(program, storage, layout);
    void *object = NULL;
    const enum heed_status status =
        plugin->host->prepared_acquire(plugin->host->handle, id, layout, make, destroy, &wanted, 0,
                                       &storage->prepared, &object, error);
    storage->weight = object;
    return status;
}
