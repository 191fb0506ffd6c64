/* SPDX-License-Identifier: Apache-2.0 */
/* Constants on the device: uploaded once, shared by all programs. */
#include "vulkan.h"

static void destroy(void *object) {
    struct vk_weight *weight = object;
    if (weight == NULL)
        return;
    heedi_vk_release(weight->plugin, &weight->region);
    heedi_vk_free(weight->plugin->host, weight);
}

static enum heed_status prepare(void *arg, const struct heed_tensor_desc *desc, const void *data,
                                void **object, size_t *bytes, struct heed_error *error) {
    struct heed_plugin *plugin = arg;
    const uint64_t count = (uint64_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
    struct vk_weight *weight = heedi_vk_calloc(plugin->host, 1, sizeof *weight);
    if (weight == NULL)
        return heedi_vk_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    weight->plugin = plugin;
    enum heed_status status =
        heedi_vk_allocate(plugin, VK_MEMORY_DEVICE, count, &weight->region, error);
    if (status == HEED_OK)
        status = heedi_vk_upload(plugin, &weight->region, 0, data, count, error);
    if (status != HEED_OK) {
        destroy(weight);
        return status;
    }
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
