/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared weights: packed once per device and layout, shared by programs and threads. */
#include <string.h>

#include "runtime/base/weight.h"
#include "runtime/exec/engine.h"

/* ---- weights by identity; the engine's mutex is held ---- */

static struct heedi_known_weight *find_known(struct heedi_engine *engine, uint64_t id) {
    for (size_t i = 0; i < engine->weight_count; i++)
        if (engine->weights[i].weight->id == id)
            return &engine->weights[i];
    return NULL;
}

static void forget_first(struct heedi_engine *engine, const struct heed_graph *graph,
                         int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const struct heedi_tensor *tensor = &graph->tensors[i];
        if (tensor->kind != HEEDI_TENSOR_CONSTANT)
            continue;
        struct heedi_known_weight *known = find_known(engine, tensor->weight->id);
        if (known != NULL && --known->uses == 0)
            *known = engine->weights[--engine->weight_count];
    }
}

enum heed_status heedi_weights_know(struct heed_context *context, struct heedi_engine *engine,
                                    const struct heed_graph *graph) {
    enum heed_status status = HEED_OK;
    heedi_os_lock(engine->mutex);
    for (int32_t i = 0; status == HEED_OK && i < graph->tensor_count; i++) {
        const struct heedi_tensor *tensor = &graph->tensors[i];
        if (tensor->kind != HEEDI_TENSOR_CONSTANT)
            continue;
        struct heedi_known_weight *known = find_known(engine, tensor->weight->id);
        if (known != NULL) {
            known->uses++;
            continue;
        }
        if (engine->weight_count == engine->weight_capacity) {
            const size_t capacity = engine->weight_capacity == 0 ? 64 : 2 * engine->weight_capacity;
            void *grown = heedi_grow(&engine->env, engine->weights, engine->weight_count, capacity,
                                     sizeof *engine->weights);
            if (grown == NULL) {
                forget_first(engine, graph, i);
                status = heedi_fail_memory(context, "the table of weights",
                                           capacity * sizeof *engine->weights);
                break;
            }
            engine->weights = grown;
            engine->weight_capacity = capacity;
        }
        /* Borrowed: the graph of the program keeps the weight. */
        engine->weights[engine->weight_count++] =
            (struct heedi_known_weight){.weight = tensor->weight, .uses = 1};
    }
    heedi_os_unlock(engine->mutex);
    return status;
}

void heedi_weights_forget(struct heedi_engine *engine, const struct heed_graph *graph) {
    heedi_os_lock(engine->mutex);
    forget_first(engine, graph, graph->tensor_count);
    heedi_os_unlock(engine->mutex);
}

/* ---- prepared weights ---- */

static struct heed_prepared *find_prepared(const struct heedi_device *device, uint64_t id,
                                           const char *layout) {
    struct heed_prepared *at = device->engine->prepared;
    while (at != NULL &&
           (at->device != device || at->weight->id != id || strcmp(at->layout, layout) != 0))
        at = at->next;
    return at;
}

static void unlink_prepared(struct heedi_engine *engine, struct heed_prepared *prepared) {
    struct heed_prepared **at = &engine->prepared;
    while (*at != prepared)
        at = &(*at)->next;
    *at = prepared->next;
}

static void free_prepared(const struct heedi_env *env, struct heed_prepared *prepared) {
    if (prepared == NULL)
        return;
    heed_weight_release(prepared->weight);
    heedi_free(env, prepared->layout);
    heedi_free(env, prepared);
}

/* True when some packed form of the weight still counts on its source. */
static bool source_needed(const struct heedi_engine *engine, const struct heed_weight *weight) {
    for (const struct heed_prepared *at = engine->prepared; at != NULL; at = at->next)
        if (at->weight == weight && (at->keep_source || at->stage == HEEDI_PREPARED_MAKING))
            return true;
    return false;
}

/* A new entry in the stage MAKING, linked in; NULL when out of memory. The mutex is held. */
static struct heed_prepared *add_prepared(struct heedi_device *device, struct heed_weight *weight,
                                          const char *layout, bool keep_source,
                                          heed_prepared_destroy_fn destroy) {
    struct heedi_engine *engine = device->engine;
    struct heed_prepared *made = heedi_calloc(&engine->env, 1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->layout = heedi_strdup(&engine->env, layout);
    if (made->layout == NULL) {
        heedi_free(&engine->env, made);
        return NULL;
    }
    made->device = device;
    made->weight = heed_weight_retain(weight);
    made->keep_source = keep_source;
    made->references = 1;
    made->destroy = destroy;
    made->next = engine->prepared;
    engine->prepared = made;
    return made;
}

/* Runs prepare without the lock, so that it may use the pool and other weights can be prepared. */
static enum heed_status make(struct heedi_engine *engine, struct heed_prepared *prepared,
                             heed_prepare_fn prepare, void *arg, struct heed_error *error) {
    const struct heed_weight *weight = prepared->weight;
    const enum heed_status status = heedi_plugin_status(
        prepare(arg, &weight->desc, weight->data, &prepared->object, &prepared->bytes, error),
        error);
    heedi_os_lock(engine->mutex);
    bool discard = false;
    if (status == HEED_OK) {
        prepared->stage = HEEDI_PREPARED_READY;
        engine->prepared_bytes += prepared->bytes;
        discard = weight->mapped && !source_needed(engine, weight);
    } else {
        unlink_prepared(engine, prepared);
    }
    heedi_os_wake_all(engine->prepared_made);
    heedi_os_unlock(engine->mutex);
    if (discard) {
        int64_t elems = heed_desc_elems(&weight->desc);
        heedi_os_discard(weight->data, (size_t)elems * heed_dtype_bytes(weight->desc.dtype));
    }
    if (status != HEED_OK)
        free_prepared(&engine->env, prepared);
    return status;
}

enum heed_status heedi_prepared_acquire(struct heedi_device *device, uint64_t weight_id,
                                        const char *layout, heed_prepare_fn prepare,
                                        heed_prepared_destroy_fn destroy, void *arg,
                                        uint32_t keep_source, struct heed_prepared **prepared,
                                        void **object, struct heed_error *error) {
    struct heedi_engine *engine = device->engine;
    heedi_os_lock(engine->mutex);
    struct heed_prepared *found;
    /* Another thread may be making it; should that fail, this one tries for itself. */
    while ((found = find_prepared(device, weight_id, layout)) != NULL &&
           found->stage == HEEDI_PREPARED_MAKING)
        heedi_os_wait(engine->prepared_made, engine->mutex);
    if (found != NULL) {
        found->references++;
        found->keep_source = found->keep_source || keep_source != 0;
        heedi_os_unlock(engine->mutex);
    } else {
        const struct heedi_known_weight *known = find_known(engine, weight_id);
        if (known != NULL)
            found = add_prepared(device, known->weight, layout, keep_source != 0, destroy);
        heedi_os_unlock(engine->mutex);
        if (known == NULL)
            return heedi_error(error, HEED_ERROR_NOT_FOUND,
                               "no weight with the identity %llu is in use",
                               (unsigned long long)weight_id);
        if (found == NULL)
            return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY,
                               "out of memory while preparing a weight");
        const enum heed_status status = make(engine, found, prepare, arg, error);
        if (status != HEED_OK)
            return status;
    }
    *prepared = found;
    *object = found->object;
    return HEED_OK;
}

void heedi_prepared_release(struct heedi_device *device, struct heed_prepared *prepared) {
    if (prepared == NULL)
        return;
    struct heedi_engine *engine = device->engine;
    heedi_os_lock(engine->mutex);
    const bool last = --prepared->references == 0;
    if (last) {
        unlink_prepared(engine, prepared);
        engine->prepared_bytes -= prepared->bytes;
    }
    heedi_os_unlock(engine->mutex);
    if (!last)
        return;
    if (prepared->destroy != NULL)
        prepared->destroy(prepared->object);
    free_prepared(&engine->env, prepared);
}

uint64_t heedi_prepared_bytes(struct heedi_engine *engine) {
    heedi_os_lock(engine->mutex);
    const uint64_t bytes = engine->prepared_bytes;
    heedi_os_unlock(engine->mutex);
    return bytes;
}
