/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that a plugin may call. Its handle is the device that it was opened on. */
#include <string.h>

#include "runtime/exec/engine.h"

static struct heedi_device *device_of(struct heed_host_handle *handle) {
    return (struct heedi_device *)(void *)handle;
}

static void host_log(struct heed_host_handle *handle, int32_t level, const char *line) {
    const struct heedi_device *device = device_of(handle);
    const enum heed_log_level known = level < HEED_LOG_ERROR   ? HEED_LOG_ERROR
                                      : level > HEED_LOG_DEBUG ? HEED_LOG_DEBUG
                                                               : (enum heed_log_level)level;
    heedi_log(&device->engine->env, known, "%s: %s", device->backend.name,
              line != NULL ? line : "");
}

static void host_parallel_for(struct heed_host_handle *handle, int64_t count, int64_t grain,
                              heed_range_fn fn, void *arg) {
    heed_pool_parallel_for(device_of(handle)->engine->pool, count, grain, fn, arg);
}

static uint32_t host_thread_count(struct heed_host_handle *handle) {
    return heed_pool_threads(device_of(handle)->engine->pool);
}

static void *host_allocate(struct heed_host_handle *handle, size_t bytes, size_t alignment) {
    heedi_counter_add(&device_of(handle)->allocations);
    return heedi_alloc_aligned(&device_of(handle)->engine->env, bytes, alignment);
}

static void host_release(struct heed_host_handle *handle, void *memory) {
    heedi_free(&device_of(handle)->engine->env, memory);
}

static enum heed_status host_prepared_acquire(struct heed_host_handle *handle, uint64_t weight_id,
                                              const char *layout, heed_prepare_fn prepare,
                                              heed_prepared_destroy_fn destroy, void *arg,
                                              uint32_t keep_source, struct heed_prepared **prepared,
                                              void **object, struct heed_error *error) {
    return heedi_prepared_acquire(device_of(handle), weight_id, layout, prepare, destroy, arg,
                                  keep_source, prepared, object, error);
}

static void host_prepared_release(struct heed_host_handle *handle, struct heed_prepared *prepared) {
    heedi_prepared_release(device_of(handle), prepared);
}

void heedi_host_init(struct heedi_device *device) {
    device->host = (struct heed_host){
        .struct_size = (uint32_t)sizeof device->host,
        .abi_version = HEED_ABI_VERSION,
        .handle = (struct heed_host_handle *)(void *)device,
        .log = host_log,
        .parallel_for = host_parallel_for,
        .thread_count = host_thread_count,
        .allocate = host_allocate,
        .release = host_release,
        .prepared_acquire = host_prepared_acquire,
        .prepared_release = host_prepared_release,
    };
}
