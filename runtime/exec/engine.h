/* SPDX-License-Identifier: Apache-2.0 */
/* Backends opened on devices, with what they share: what programs and states keep alive.
 *
 * An executor is an engine and a cache of programs. Programs keep the engine and not the executor,
 * so that the cache is no circle of references. */
#ifndef HEEDI_EXEC_ENGINE_H
#define HEEDI_EXEC_ENGINE_H

#include "heed/executor.h"
#include "runtime/base/os.h"
#include "runtime/base/refcount.h"
#include "runtime/exec/plugin.h"
#include "runtime/graph/graph.h"

struct heedi_engine;

/* A backend opened on one of its devices. */
struct heedi_device {
    struct heedi_engine *engine;
    struct heedi_backend backend;
    uint32_t index; /* of the device within its backend */
    struct heed_device_info info;
    struct heed_host host; /* what the plugin was given */
    struct heed_plugin *plugin;
    const struct heed_profile_extension *profile; /* NULL: without */
    struct heed_profile_extension profile_table;
    const struct heed_steps_extension *steps; /* NULL: without */
    struct heed_steps_extension steps_table;
    const struct heed_counters_extension *counters; /* NULL: without */
    struct heed_counters_extension counters_table;
    struct heedi_counter allocations; /* by the plugin */
    /* It has failed while running and is offered nothing any more. The reason is written first. */
    struct heedi_flag aside;
    char aside_reason[112];
};

/* A weight that programs of the engine use; makes weights known by their identity. */
struct heedi_known_weight {
    struct heed_weight *weight;
    uint32_t uses; /* programs */
};

enum heedi_prepared_stage { HEEDI_PREPARED_MAKING, HEEDI_PREPARED_READY };

/* What a weight was packed into. */
struct heed_prepared {
    struct heed_prepared *next;
    const struct heedi_device *device;
    struct heed_weight *weight; /* a reference */
    char *layout;
    enum heedi_prepared_stage stage;
    bool keep_source;
    uint32_t references;
    void *object;
    size_t bytes;
    heed_prepared_destroy_fn destroy;
};

enum { HEEDI_MAX_ENGINE_DEVICES = 64 };

struct heedi_engine {
    struct heedi_env env;
    struct heedi_refcount references;
    struct heed_pool *pool;
    /* In the order of the user's list. Entries never change; the count only grows. */
    struct heedi_device *devices[HEEDI_MAX_ENGINE_DEVICES];

    struct heedi_mutex *opening; /* held while backends are opened; guards the next three */
    char *list, *next_entry;     /* what of the list waits until it is needed; NULL: nothing */
    char *plugin_path;           /* NULL: HEED_PLUGIN_PATH */

    struct heedi_mutex *mutex; /* guards what follows */
    uint32_t device_count; /* read it by heedi_engine_devices() where threads share the engine */
    struct heedi_condition *prepared_made; /* a prepared weight left the stage MAKING */
    struct heed_prepared *prepared;
    uint64_t prepared_bytes;
    struct heedi_known_weight *weights;
    size_t weight_count, weight_capacity;
};

/* ---- engine.c ---- */
enum heed_status heedi_engine_create(struct heed_context *context, struct heed_pool *pool,
                                     struct heedi_engine **engine);
struct heedi_engine *heedi_engine_retain(struct heedi_engine *engine);
void heedi_engine_release(struct heedi_engine *engine);
/* Opens a device of a backend and appends it; takes over `backend` in any case. */
enum heed_status heedi_engine_add(struct heedi_engine *engine, struct heedi_backend *backend,
                                  uint32_t index, const char *plugin_options,
                                  const struct heed_device_info *info, struct heed_error *error);
/* How many devices are open by now. */
uint32_t heedi_engine_devices(struct heedi_engine *engine);
/* What a device's failure means for it: after a lost device, exhausted memory or a timeout it is
 * set aside, so that graphs compiled from now on run without it. Any thread. */
void heedi_device_failed(struct heedi_device *device, enum heed_status status, const char *reason);
bool heedi_engine_has(const struct heedi_engine *engine, const char *backend);

/* ---- backends.c ---- */
/* Opens what the list names, in order: see heed_executor_options.backends. What may wait, waits. */
enum heed_status heedi_backends_open(struct heed_context *context, struct heedi_engine *engine,
                                     const char *backends, const char *plugin_path);
/* Opens the next of those that wait, unless more than `seen` devices are open already. *opened:
 * there are more than `seen` now. Any thread. */
enum heed_status heedi_backends_open_more(struct heed_context *context, struct heedi_engine *engine,
                                          uint32_t seen, bool *opened);

/* ---- host.c ---- */
/* Fills the table of functions that a plugin is given; the handle is the device. */
void heedi_host_init(struct heedi_device *device);

/* ---- prepared.c ---- */
/* Makes the constants of a graph known, and forgets them again when no program uses them. */
enum heed_status heedi_weights_know(struct heed_context *context, struct heedi_engine *engine,
                                    const struct heed_graph *graph);
void heedi_weights_forget(struct heedi_engine *engine, const struct heed_graph *graph);
/* heed_host.prepared_acquire and prepared_release. */
enum heed_status heedi_prepared_acquire(struct heedi_device *device, uint64_t weight_id,
                                        const char *layout, heed_prepare_fn prepare,
                                        heed_prepared_destroy_fn destroy, void *arg,
                                        uint32_t keep_source, struct heed_prepared **prepared,
                                        void **object, struct heed_error *error);
void heedi_prepared_release(struct heedi_device *device, struct heed_prepared *prepared);
uint64_t heedi_prepared_bytes(struct heedi_engine *engine);

#endif
