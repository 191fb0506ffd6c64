/* SPDX-License-Identifier: Apache-2.0 */
/* States: device memory that survives runs. */
#include <inttypes.h>

#include "runtime/exec/executor.h"

enum heed_status heed_state_create(struct heed_context *context, struct heed_program *program,
                                   const char *name, struct heed_state **state) {
    if (state == NULL || program == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_state_create: program and state must not be NULL");
    *state = NULL;
    const struct heedi_state_slot *slot = name != NULL ? heedi_program_state(program, name) : NULL;
    if (slot == NULL)
        return heedi_fail(context, HEED_ERROR_NOT_FOUND, "graph '%s' has no state '%s'",
                          program->partition.graph->name, name != NULL ? name : "(null)");
    struct heed_state *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return heedi_fail_memory(context, "a state", sizeof *made);
    made->env = context->env;
    made->engine = heedi_engine_retain(program->engine);
    made->device = slot->device;
    made->desc = program->partition.graph->tensors[slot->tensor].desc;
    struct heed_error error = heedi_plugin_error();
    enum heed_status status =
        heedi_plugin_status(made->device->backend.table.state_create(
                                made->device->plugin, &made->desc, &made->state, &error),
                            &error);
    if (status == HEED_OK && made->state == NULL)
        status =
            heedi_error(&error, HEED_ERROR_INTERNAL, "state_create succeeded without a result");
    if (status != HEED_OK) {
        heedi_device_failed(slot->device, status, error.message);
        made->state = NULL;
        heed_state_destroy(made);
        return heedi_fail(context, status, "state '%s' on backend '%s': %s", name,
                          slot->device->backend.name, error.message);
    }
    *state = made;
    return HEED_OK;
}

void heed_state_destroy(struct heed_state *state) {
    if (state == NULL)
        return;
    const struct heedi_env env = state->env;
    if (state->state != NULL)
        state->device->backend.table.state_destroy(state->state);
    heedi_engine_release(state->engine);
    heedi_free(&env, state);
}

static enum heed_status check_range(struct heed_context *context, const struct heed_state *state,
                                    size_t offset, size_t bytes) {
    const uint64_t total = heedi_storage_bytes(&state->desc);
    if (offset > total || bytes > total - offset)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "bytes [%zu, %zu + %zu) lie outside the state of %" PRIu64 " bytes",
                          offset, offset, bytes, total);
    return HEED_OK;
}

static enum heed_status failed(struct heed_context *context, const struct heed_state *state,
                               enum heed_status status, const char *what,
                               const struct heed_error *error) {
    heedi_device_failed(state->device, status, error->message);
    return heedi_fail(context, status, "%s a state on backend '%s': %s", what,
                      state->device->backend.name, error->message);
}

enum heed_status heed_state_write(struct heed_context *context, struct heed_state *state,
                                  size_t offset_bytes, const void *data, size_t bytes) {
    enum heed_status status = check_range(context, state, offset_bytes, bytes);
    if (status != HEED_OK || bytes == 0)
        return status;
    struct heed_error error = heedi_plugin_error();
    status = heedi_plugin_status(
        state->device->backend.table.state_write(state->state, offset_bytes, data, bytes, &error),
        &error);
    return status == HEED_OK ? HEED_OK : failed(context, state, status, "writing", &error);
}

enum heed_status heed_state_read(struct heed_context *context, struct heed_state *state,
                                 size_t offset_bytes, void *data, size_t bytes) {
    enum heed_status status = check_range(context, state, offset_bytes, bytes);
    if (status != HEED_OK || bytes == 0)
        return status;
    struct heed_error error = heedi_plugin_error();
    status = heedi_plugin_status(
        state->device->backend.table.state_read(state->state, offset_bytes, data, bytes, &error),
        &error);
    return status == HEED_OK ? HEED_OK : failed(context, state, status, "reading", &error);
}

void heed_state_desc(const struct heed_state *state, struct heed_tensor_desc *desc) {
    *desc = state->desc;
}
