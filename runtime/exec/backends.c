/* SPDX-License-Identifier: Apache-2.0 */
/* The user's list of backends: "vulkan:1,avx2?,scalar", "name(options)", a path, "auto", "only". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/exec/engine.h"

/* Completes every list that does not end with "only": it runs every operator. */
static const char fallback_entry[] = ",scalar?";

struct opening {
    struct heed_context *context;
    struct heedi_engine *engine;
    const char *plugin_path;
};

/* Opens device `index` of a backend; takes over `backend`. `plugin_options` are for it to read. */
static enum heed_status open_device(const struct opening *opening, struct heedi_backend *backend,
                                    uint32_t index, const char *plugin_options,
                                    struct heed_error *error) {
    const struct heedi_env *env = &opening->engine->env;
    struct heed_device_info *devices = heedi_calloc(env, HEEDI_MAX_DEVICES, sizeof *devices);
    uint32_t count = 0;
    enum heed_status status;
    if (devices == NULL)
        status = heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    else
        status = heedi_plugin_devices(&backend->table, devices, HEEDI_MAX_DEVICES, &count, error);
    if (status == HEED_OK && count == 0)
        status = HEED_ERROR_NOT_FOUND; /* enumerate has said why */
    else if (status == HEED_OK && index >= count)
        status = heedi_error(error, HEED_ERROR_NOT_FOUND, "there is no device %u, only %u of them",
                             index, count);
    if (status == HEED_OK)
        status = heedi_engine_add(opening->engine, backend, index, plugin_options, &devices[index],
                                  error);
    else
        heedi_backend_clear(env, backend);
    heedi_free(env, devices);
    return status;
}

/* ---- "auto" ---- */

/* An installed backend with its best device. */
struct candidate {
    struct heedi_backend backend;
    uint32_t device;
    uint32_t rank;
    uint32_t preference;
    bool broken; /* it cannot say what devices it has */
};
struct candidates {
    const struct heedi_env *env;
    struct candidate *at;
    size_t count, capacity;
    bool failed; /* out of memory */
};

/* 0: never chosen by itself. */
static uint32_t rank_of(uint32_t device_type) {
    switch (device_type) {
    case HEED_DEVICE_GPU_DISCRETE:
        return 3;
    case HEED_DEVICE_GPU_INTEGRATED:
        return 2;
    case HEED_DEVICE_CPU:
    case HEED_DEVICE_OTHER:
        return 1;
    default:
        return 0;
    }
}

static int better_first(const void *left, const void *right) {
    const struct candidate *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank > b->rank ? -1 : 1;
    if (a->preference != b->preference)
        return a->preference > b->preference ? -1 : 1;
    return strcmp(a->backend.name, b->backend.name);
}

/* Finds the best device of a backend; false if it has none that may be chosen by itself. */
static bool best_device(struct candidates *candidates, struct candidate *candidate,
                        struct heed_error *error) {
    struct heed_device_info *devices =
        heedi_calloc(candidates->env, HEEDI_MAX_DEVICES, sizeof *devices);
    uint32_t count = 0;
    if (devices == NULL) {
        candidates->failed = true;
        return false;
    }
    const enum heed_status status =
        heedi_plugin_devices(&candidate->backend.table, devices, HEEDI_MAX_DEVICES, &count, error);
    if (status != HEED_OK)
        candidate->broken = true;
    else if (count > 0)
        heedi_error(error, HEED_ERROR_NOT_FOUND, "it has only software devices");
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t rank = rank_of(devices[i].type);
        if (rank > candidate->rank) {
            candidate->rank = rank;
            candidate->device = i;
            candidate->preference = devices[i].preference;
        }
    }
    heedi_free(candidates->env, devices);
    return candidate->rank > 0;
}

static bool collect(void *user, struct heedi_backend *backend, const char *reason) {
    struct candidates *candidates = user;
    if (reason != NULL) {
        heedi_log(candidates->env, HEED_LOG_WARNING, "plugin %s skipped: %s",
                  backend->path != NULL && backend->path[0] != '\0' ? backend->path : backend->name,
                  reason);
        return true;
    }
    struct candidate candidate = {.backend = *backend};
    struct heed_error error = heedi_plugin_error();
    if (!best_device(candidates, &candidate, &error)) {
        heedi_log(candidates->env, candidate.broken ? HEED_LOG_WARNING : HEED_LOG_INFO,
                  "backend '%s' not chosen: %s", backend->name, error.message);
        heedi_backend_clear(candidates->env, backend);
        return !candidates->failed;
    }
    if (candidates->count == candidates->capacity) {
        const size_t capacity = candidates->capacity == 0 ? 8 : 2 * candidates->capacity;
        void *grown = heedi_grow(candidates->env, candidates->at, candidates->count, capacity,
                                 sizeof *candidates->at);
        if (grown == NULL) {
            candidates->failed = true;
            heedi_backend_clear(candidates->env, backend);
            return false;
        }
        candidates->at = grown;
        candidates->capacity = capacity;
    }
    candidates->at[candidates->count++] = candidate;
    return true;
}

/* Opens the installed backends by kind of device, then by their own preference. */
static enum heed_status open_auto(const struct opening *opening) {
    struct candidates candidates = {.env = &opening->engine->env};
    struct heed_error error = heedi_plugin_error();
    enum heed_status status =
        heedi_plugin_each(candidates.env, opening->plugin_path, collect, &candidates, &error);
    if (candidates.failed)
        status = HEED_ERROR_OUT_OF_MEMORY;
    if (status == HEED_OK && candidates.count > 0)
        qsort(candidates.at, candidates.count, sizeof *candidates.at, better_first);
    for (size_t i = 0; i < candidates.count; i++) {
        struct candidate *candidate = &candidates.at[i];
        if (status != HEED_OK || heedi_engine_has(opening->engine, candidate->backend.name)) {
            heedi_backend_clear(candidates.env, &candidate->backend);
            continue;
        }
        char name[HEEDI_PLUGIN_NAME_BYTES];
        memcpy(name, candidate->backend.name, sizeof name);
        const enum heed_status opened =
            open_device(opening, &candidate->backend, candidate->device, "", &error);
        if (opened == HEED_ERROR_OUT_OF_MEMORY)
            status = opened;
        else if (opened != HEED_OK)
            heedi_log(candidates.env, HEED_LOG_WARNING, "backend '%s' skipped: %s", name,
                      error.message);
    }
    heedi_free(candidates.env, candidates.at);
    if (status == HEED_ERROR_OUT_OF_MEMORY)
        return heedi_fail(opening->context, status, "out of memory while looking for plugins");
    return status == HEED_OK ? HEED_OK : heedi_fail(opening->context, status, "%s", error.message);
}

/* ---- the list ---- */

/* Splits "(<options>)" off the end of an entry; "" where there are none. */
static const char *split_options(char *entry) {
    const size_t length = strlen(entry);
    char *open = strchr(entry, '(');
    if (open == NULL || entry[length - 1] != ')')
        return "";
    *open = entry[length - 1] = '\0';
    return open + 1;
}

/* Splits ":<number>" off the end of an entry. */
static uint32_t split_device(char *entry) {
    char *colon = strrchr(entry, ':');
    if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strlen(colon + 1) > 9)
        return 0;
    *colon = '\0';
    return (uint32_t)strtoul(colon + 1, NULL, 10);
}

/* An entry of a list: [begin, last) without the white space around it; the list goes on after
 * `end`, a comma that no parentheses enclose or its end. */
struct entry {
    char *begin, *last, *end;
};

static struct entry entry_at(char *list) {
    struct entry entry = {.end = list + strcspn(list, ",(")};
    char *close = *entry.end == '(' ? strchr(entry.end, ')') : NULL;
    entry.end = close != NULL ? close + strcspn(close, ",") : list + strcspn(list, ",");
    entry.begin = list + strspn(list, " \t");
    if (entry.begin > entry.end)
        entry.begin = entry.end;
    entry.last = entry.end;
    while (entry.last > entry.begin && (entry.last[-1] == ' ' || entry.last[-1] == '\t'))
        entry.last--;
    return entry;
}

/* Opens one entry. A backend that cannot be opened is left out, and logged where it was not
 * optional; the list goes on. */
static enum heed_status open_entry(const struct opening *opening, char *entry, bool optional) {
    const struct heedi_env *env = &opening->engine->env;
    if (strcmp(entry, "auto") == 0)
        return open_auto(opening);
    struct heedi_backend backend;
    struct heed_error error = heedi_plugin_error();
    const char *plugin_options = split_options(entry);
    const uint32_t index = split_device(entry);
    if (optional && heedi_engine_has(opening->engine, entry))
        return HEED_OK;
    enum heed_status status =
        strchr(entry, '/') != NULL
            ? heedi_plugin_open_path(env, entry, &backend, &error)
            : heedi_plugin_open(env, opening->plugin_path, entry, &backend, &error);
    if (status == HEED_OK)
        status = open_device(opening, &backend, index, plugin_options, &error);
    if (status == HEED_ERROR_OUT_OF_MEMORY)
        return heedi_fail(opening->context, status, "backend '%s': %s", entry, error.message);
    if (status != HEED_OK) {
        heedi_fail(opening->context, HEED_ERROR_NOT_FOUND, "backend '%s' cannot be used: %s", entry,
                   error.message);
        heedi_log(env, optional ? HEED_LOG_DEBUG : HEED_LOG_WARNING, "%s",
                  heed_last_error(opening->context));
    }
    return HEED_OK;
}

/* Opens entries in order. When more than `seen` devices are open, what is optional waits with all
 * that follows it; so does everything if `just_one`. */
static enum heed_status open_entries(const struct opening *opening, uint32_t seen, bool just_one) {
    struct heedi_engine *engine = opening->engine;
    enum heed_status status = HEED_OK;
    while (status == HEED_OK && engine->next_entry != NULL) {
        const struct entry entry = entry_at(engine->next_entry);
        const bool optional = entry.last > entry.begin && entry.last[-1] == '?';
        if (engine->device_count > seen && (optional || just_one))
            break;
        engine->next_entry = *entry.end == ',' ? entry.end + 1 : NULL;
        *(optional ? entry.last - 1 : entry.last) = '\0';
        if (*entry.begin != '\0')
            status = open_entry(opening, entry.begin, optional);
    }
    return status;
}

/* Takes an "only" off the end of the list; false if it stands elsewhere. */
static bool take_only(char *list, bool *only) {
    *only = false;
    for (char *next = list; next != NULL;) {
        const struct entry entry = entry_at(next);
        next = *entry.end == ',' ? entry.end + 1 : NULL;
        *only = entry.last - entry.begin == 4 && memcmp(entry.begin, "only", 4) == 0;
        if (*only && next != NULL)
            return false;
        if (*only)
            *entry.begin = '\0';
    }
    return true;
}

enum heed_status heedi_backends_open(struct heed_context *context, struct heedi_engine *engine,
                                     const char *backends, const char *plugin_path) {
    const char *list = backends != NULL ? backends : heedi_os_getenv("HEED_BACKEND");
    bool only = false;
    if (list == NULL)
        list = heedi_default_backends;
    const size_t length = strlen(list);
    engine->list = heedi_calloc(&engine->env, length + sizeof fallback_entry, 1);
    if (plugin_path != NULL)
        engine->plugin_path = heedi_strdup(&engine->env, plugin_path);
    if (engine->list == NULL || (plugin_path != NULL && engine->plugin_path == NULL))
        return heedi_fail_memory(context, "the list of backends", length + sizeof fallback_entry);
    memcpy(engine->list, list, length);
    if (!take_only(engine->list, &only))
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "list of backends '%s': \"only\" must come last", list);
    if (!only)
        memcpy(engine->list + length, fallback_entry, sizeof fallback_entry);
    engine->next_entry = engine->list;
    heedi_fail(context, HEED_ERROR_NOT_FOUND, "no backend was found");
    const struct opening opening = {context, engine, engine->plugin_path};
    const enum heed_status status = open_entries(&opening, 0, false);
    if (status != HEED_OK)
        return status;
    if (engine->device_count == 0)
        return heedi_fail_within(context, HEED_ERROR_NOT_FOUND, "list of backends '%s'", list);
    context->error.message[0] = '\0';
    context->error.status = HEED_OK;
    return HEED_OK;
}

enum heed_status heedi_backends_open_more(struct heed_context *context, struct heedi_engine *engine,
                                          uint32_t seen, bool *opened) {
    const struct opening opening = {context, engine, engine->plugin_path};
    heedi_os_lock(engine->opening);
    const enum heed_status status = open_entries(&opening, seen, true);
    *opened = engine->device_count > seen;
    heedi_os_unlock(engine->opening);
    return status;
}
