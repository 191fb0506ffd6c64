/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the devices of an executor. */
#include "runtime/exec/engine.h"

#include <stdio.h>
#include <string.h>

static void close_device(struct heedi_device *device) {
    if (device == NULL)
        return;
    const struct heedi_env *env = &device->engine->env;
    if (device->plugin != NULL)
        device->backend.table.destroy(device->plugin);
    heedi_backend_clear(env, &device->backend);
    heedi_free(env, device);
}

enum heed_status heedi_engine_create(struct heed_context *context, struct heed_pool *pool,
                                     struct heedi_engine **engine) {
    struct heedi_engine *made = heedi_calloc(&context->env, 1, sizeof *made);
    *engine = NULL;
    if (made == NULL)
        return heedi_fail_memory(context, "an executor", sizeof *made);
    made->env = context->env;
    heedi_ref_init(&made->references);
    enum heed_status status = HEED_OK;
    if (pool != NULL)
        made->pool = heed_pool_retain(pool);
    else
        status = heed_pool_create(context, NULL, &made->pool);
    if (status == HEED_OK) {
        made->opening = heedi_os_mutex_create(&made->env);
        made->mutex = heedi_os_mutex_create(&made->env);
        made->prepared_made = heedi_os_condition_create(&made->env);
        if (made->opening == NULL || made->mutex == NULL || made->prepared_made == NULL)
            status = heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY,
                                "out of memory while creating the locks of an executor");
    }
    if (status != HEED_OK) {
        heedi_engine_release(made);
        return status;
    }
    *engine = made;
    return HEED_OK;
}

struct heedi_engine *heedi_engine_retain(struct heedi_engine *engine) {
    heedi_ref_retain(&engine->references);
    return engine;
}

void heedi_engine_release(struct heedi_engine *engine) {
    if (engine == NULL || !heedi_ref_release(&engine->references))
        return;
    const struct heedi_env env = engine->env;
    for (uint32_t i = 0; i < engine->device_count; i++)
        close_device(engine->devices[i]);
    heedi_free(&env, engine->list);
    heedi_free(&env, engine->plugin_path);
    heedi_free(&env, engine->weights);
    if (engine->prepared_made != NULL)
        heedi_os_condition_destroy(&env, engine->prepared_made);
    if (engine->mutex != NULL)
        heedi_os_mutex_destroy(&env, engine->mutex);
    if (engine->opening != NULL)
        heedi_os_mutex_destroy(&env, engine->opening);
    heed_pool_release(engine->pool);
    heedi_free(&env, engine);
}

uint32_t heedi_engine_devices(struct heedi_engine *engine) {
    heedi_os_lock(engine->mutex);
    const uint32_t count = engine->device_count;
    heedi_os_unlock(engine->mutex);
    return count;
}

bool heedi_engine_has(const struct heedi_engine *engine, const char *backend) {
    for (uint32_t i = 0; i < engine->device_count; i++)
        if (strcmp(engine->devices[i]->backend.name, backend) == 0)
            return true;
    return false;
}

/* Copies the table of an extension; false if there is none that can be read. */
static bool read_extension(const struct heedi_device *device, const char *name, void *table,
                           size_t bytes) {
    const void *raw = device->backend.table.get_extension(name);
    return raw != NULL && heedi_read_struct(table, bytes, raw, name, NULL) == HEED_OK;
}

/* Looks for extensions; one that is incomplete counts as none. */
static void find_extensions(struct heedi_device *device) {
    if (device->backend.table.get_extension == NULL)
        return;
    if (read_extension(device, HEED_EXTENSION_PROFILE, &device->profile_table,
                       sizeof device->profile_table) &&
        device->profile_table.enable != NULL && device->profile_table.entries != NULL)
        device->profile = &device->profile_table;
    if (read_extension(device, HEED_EXTENSION_STEPS, &device->steps_table,
                       sizeof device->steps_table) &&
        device->steps_table.configure != NULL && device->steps_table.submit != NULL)
        device->steps = &device->steps_table;
    if (read_extension(device, HEED_EXTENSION_COUNTERS, &device->counters_table,
                       sizeof device->counters_table) &&
        device->counters_table.counters != NULL)
        device->counters = &device->counters_table;
}

void heedi_device_failed(struct heedi_device *device, enum heed_status status, const char *reason) {
    struct heedi_engine *engine = device->engine;
    if (status != HEED_ERROR_DEVICE_LOST && status != HEED_ERROR_DEVICE_MEMORY &&
        status != HEED_ERROR_TIMEOUT)
        return;
    heedi_os_lock(engine->mutex);
    const bool first = !heedi_flag_raised(&device->aside);
    if (first) {
        snprintf(device->aside_reason, sizeof device->aside_reason, "set aside: %.90s", reason);
        heedi_flag_raise(&device->aside);
    }
    heedi_os_unlock(engine->mutex);
    if (first)
        heedi_log(&engine->env, HEED_LOG_WARNING, "backend '%s' is used no more: %s",
                  device->backend.name, reason);
}

enum heed_status heedi_engine_add(struct heedi_engine *engine, struct heedi_backend *backend,
                                  uint32_t index, const char *plugin_options,
                                  const struct heed_device_info *info, struct heed_error *error) {
    struct heedi_device *device = heedi_calloc(&engine->env, 1, sizeof *device);
    if (device == NULL) {
        heedi_backend_clear(&engine->env, backend);
        return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    }
    device->engine = engine;
    device->backend = *backend;
    memset(backend, 0, sizeof *backend);
    device->index = index;
    device->info = *info;
    heedi_host_init(device);
    if (engine->device_count == HEEDI_MAX_ENGINE_DEVICES) {
        close_device(device);
        return heedi_error(error, HEED_ERROR_LIMIT, "%d backends are open, more are not possible",
                           HEEDI_MAX_ENGINE_DEVICES);
    }
    const struct heed_plugin_options options = {
        .struct_size = (uint32_t)sizeof options, .device = index, .options = plugin_options};
    *error = heedi_plugin_error();
    enum heed_status status = heedi_plugin_status(
        device->backend.table.create(&device->host, &options, &device->plugin, error), error);
    if (status == HEED_OK && device->plugin == NULL)
        status = heedi_error(error, HEED_ERROR_INTERNAL, "create succeeded without a result");
    if (status != HEED_OK) {
        device->plugin = NULL; /* what a failed call leaves there means nothing */
        close_device(device);
        return status;
    }
    find_extensions(device);
    heedi_os_lock(engine->mutex);
    engine->devices[engine->device_count++] = device;
    heedi_os_unlock(engine->mutex);
    return HEED_OK;
}
