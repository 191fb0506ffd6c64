/* SPDX-License-Identifier: Apache-2.0 */
/* States: device memory that survives runs, such as a key/value cache. */
#include "instance.h"

enum heed_status heedi_vk_state_create(struct heed_plugin *plugin,
                                       const struct heed_tensor_desc *desc,
                                       struct heed_plugin_state **state, struct heed_error *error) {
    const uint64_t bytes = (uint64_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
    *state = NULL;
    struct heed_plugin_state *made = heedi_common_calloc(plugin->host, 1, sizeof *made);
    if (made == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    made->plugin = plugin;
    made->id = __atomic_add_fetch(&plugin->state_count, 1, __ATOMIC_RELAXED);
    made->desc = *desc;
    made->bytes = bytes;
    const uint64_t more = plugin->guards ? 4 + VK_GUARD_BYTES : 0;
    enum heed_status status =
        heedi_vk_allocate(plugin, VK_MEMORY_DEVICE, bytes + more, &made->region, error);
    if (status == HEED_OK)
        status = heedi_vk_clear(plugin, &made->region, error);
    if (status == HEED_OK)
        status = heedi_vk_guards_add(made, error);
    if (status != HEED_OK) {
        heedi_vk_state_destroy(made);
        return status;
    }
    *state = made;
    return HEED_OK;
}

void heedi_vk_state_destroy(struct heed_plugin_state *state) {
    if (state == NULL)
        return;
    heedi_vk_release(state->plugin, &state->region);
    heedi_common_free(state->plugin->host, state);
}

static bool inside(const struct heed_plugin_state *state, size_t offset_bytes, size_t bytes) {
    return offset_bytes <= state->bytes && bytes <= state->bytes - offset_bytes;
}

enum heed_status heedi_vk_state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                      const void *data, size_t bytes, struct heed_error *error) {
    if (!inside(state, offset_bytes, bytes))
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "bytes %zu to %zu are outside of the state", offset_bytes,
                                 offset_bytes + bytes);
    return heedi_vk_upload(state->plugin, &state->region, offset_bytes, data, bytes, error);
}

enum heed_status heedi_vk_state_read(struct heed_plugin_state *state, size_t offset_bytes,
                                     void *data, size_t bytes, struct heed_error *error) {
    if (!inside(state, offset_bytes, bytes))
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "bytes %zu to %zu are outside of the state", offset_bytes,
                                 offset_bytes + bytes);
    return heedi_vk_download(state->plugin, &state->region, offset_bytes, data, bytes, error);
}
