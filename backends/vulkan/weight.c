/* SPDX-License-Identifier: Apache-2.0 */
/* Constants on the device: uploaded once, shared by all programs. */
#include "vulkan.h"

void heedi_vk_weight_destroy(struct vk_weight *weight) {
    if (weight == NULL)
        return;
    heedi_vk_release(weight->plugin, &weight->region);
    heedi_vk_free(weight->plugin->host, weight);
}

enum heed_status heedi_vk_weight_create(struct heed_plugin *plugin, const void *data,
                                        uint64_t bytes, struct vk_weight **weight,
                                        struct heed_error *error) {
    struct vk_weight *made = heedi_vk_calloc(plugin->host, 1, sizeof *made);
    *weight = NULL;
    if (made == NULL)
        return heedi_vk_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    made->plugin = plugin;
    enum heed_status status =
        heedi_vk_allocate(plugin, VK_MEMORY_DEVICE, bytes, &made->region, error);
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

enum heed_status heedi_vk_weight_acquire(struct heed_plugin *plugin, uint64_t weight_id,
                                         struct heed_prepared **prepared,
                                         const struct vk_weight **weight,
                                         struct heed_error *error) {
    void *object = NULL;
    const enum heed_status status =
        plugin->host->prepared_acquire(plugin->host->handle, weight_id, "vulkan_plain", prepare,
                                       destroy, plugin, 0, prepared, &object, error);
    *weight = object;
    return status;
}
