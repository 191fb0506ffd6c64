/* SPDX-License-Identifier: Apache-2.0 */
/* States: memory that survives runs, such as a key/value cache. */
#include <string.h>

#include "cpu.h"

enum heed_status heedi_cpu_state_create(struct heed_plugin *plugin,
                                        const struct heed_tensor_desc *desc,
                                        struct heed_plugin_state **state,
                                        struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    *state = NULL;
    size_t bytes = heed_dtype_bytes(desc->dtype);
    if (bytes == 0 || desc->rank > HEED_MAX_RANK || !heed_desc_contiguous(desc))
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "a state must be contiguous, of a known type and of rank "
                                 "0 to %d",
                                 HEED_MAX_RANK);
    for (uint32_t i = 0; i < desc->rank; i++) {
        const uint64_t dim = (uint64_t)desc->dims[i];
        if (desc->dims[i] < 0 || (dim > 0 && bytes > SIZE_MAX / dim))
            return heedi_common_fail(error, HEED_ERROR_LIMIT,
                                     "dimension %u of a state is %lld: too large", (unsigned)i,
                                     (long long)desc->dims[i]);
        bytes *= (size_t)dim;
    }
    struct heed_plugin_state *made = heedi_common_calloc(host, 1, sizeof *made);
    if (made == NULL)
        goto fail;
    made->host = host;
    made->desc = *desc;
    made->bytes = bytes;
    made->memory = heedi_common_calloc(host, bytes, 1);
    if (made->memory == NULL)
        goto fail;
    *state = made;
    return HEED_OK;

fail:
    heedi_cpu_state_destroy(made);
    return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                             "out of memory for a state of %zu bytes", bytes);
}

void heedi_cpu_state_destroy(struct heed_plugin_state *state) {
    if (state == NULL)
        return;
    const struct heed_host *host = state->host;
    heedi_common_free(host, state->memory);
    heedi_common_free(host, state);
}

static enum heed_status check_range(const struct heed_plugin_state *state, size_t offset_bytes,
                                    size_t bytes, struct heed_error *error) {
    if (offset_bytes > state->bytes || bytes > state->bytes - offset_bytes)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "%zu bytes at %zu lie outside a state of %zu bytes", bytes,
                                 offset_bytes, state->bytes);
    return HEED_OK;
}

enum heed_status heedi_cpu_state_write(struct heed_plugin_state *state, size_t offset_bytes,
                                       const void *data, size_t bytes, struct heed_error *error) {
    const enum heed_status status = check_range(state, offset_bytes, bytes, error);
    if (status == HEED_OK && bytes > 0)
        memcpy((char *)state->memory + offset_bytes, data, bytes);
    return status;
}

enum heed_status heedi_cpu_state_read(struct heed_plugin_state *state, size_t offset_bytes,
                                      void *data, size_t bytes, struct heed_error *error) {
    const enum heed_status status = check_range(state, offset_bytes, bytes, error);
    if (status == HEED_OK && bytes > 0)
        memcpy(data, (const char *)state->memory + offset_bytes, bytes);
    return status;
}
