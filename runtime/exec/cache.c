/* SPDX-License-Identifier: Apache-2.0 */
/* Programs by key, bounded, least recently used goes first. */
#include <string.h>

#include "runtime/exec/executor.h"

struct entry {
    struct entry *next; /* more recently used ones come first */
    char *key;
    struct heed_program *program; /* a reference; NULL while a thread is building it */
    bool forgotten;               /* while it was being built: its builder must not keep it */
};

struct heedi_cache {
    struct heedi_env env;
    struct heedi_mutex *mutex;
    struct heedi_condition *built; /* an entry got its program, or its builder gave up */
    struct entry *first;
    uint32_t count; /* entries with a program */
    uint32_t capacity;
};

static struct entry *new_entry(const struct heedi_env *env, const char *key) {
    struct entry *entry = heedi_calloc(env, 1, sizeof *entry);
    if (entry != NULL)
        entry->key = heedi_strdup(env, key);
    if (entry == NULL || entry->key == NULL) {
        heedi_free(env, entry);
        return NULL;
    }
    return entry;
}

static void free_entry(const struct heedi_env *env, struct entry *entry) {
    if (entry == NULL)
        return;
    heed_program_release(entry->program);
    heedi_free(env, entry->key);
    heedi_free(env, entry);
}

static void free_entries(const struct heedi_env *env, struct entry *entry) {
    while (entry != NULL) {
        struct entry *next = entry->next;
        free_entry(env, entry);
        entry = next;
    }
}

enum heed_status heedi_cache_create(struct heed_context *context, uint32_t capacity,
                                    struct heedi_cache **cache) {
    struct heedi_cache *made = heedi_calloc(&context->env, 1, sizeof *made);
    *cache = NULL;
    if (made == NULL)
        return heedi_fail_memory(context, "a cache of programs", sizeof *made);
    made->env = context->env;
    made->capacity = capacity;
    made->mutex = heedi_os_mutex_create(&made->env);
    made->built = heedi_os_condition_create(&made->env);
    if (made->mutex == NULL || made->built == NULL) {
        heedi_cache_destroy(made);
        return heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY,
                          "out of memory while creating the locks of a cache");
    }
    *cache = made;
    return HEED_OK;
}

void heedi_cache_destroy(struct heedi_cache *cache) {
    if (cache == NULL)
        return;
    const struct heedi_env env = cache->env;
    free_entries(&env, cache->first);
    if (cache->built != NULL)
        heedi_os_condition_destroy(&env, cache->built);
    if (cache->mutex != NULL)
        heedi_os_mutex_destroy(&env, cache->mutex);
    heedi_free(&env, cache);
}

/* ---- the mutex is held ---- */

static void unlink_entry(struct heedi_cache *cache, struct entry *entry) {
    struct entry **at = &cache->first;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    entry->next = NULL;
}

static void put_first(struct heedi_cache *cache, struct entry *entry) {
    entry->next = cache->first;
    cache->first = entry;
}

static struct entry *find(struct heedi_cache *cache, const char *key) {
    struct entry *entry = cache->first;
    while (entry != NULL && (entry->forgotten || strcmp(entry->key, key) != 0))
        entry = entry->next;
    return entry;
}

/* Takes the least recently used program out when there are too many; NULL otherwise. */
static struct entry *evict(struct heedi_cache *cache) {
    struct entry *oldest = NULL;
    if (cache->count <= cache->capacity)
        return NULL;
    for (struct entry *entry = cache->first; entry != NULL; entry = entry->next)
        if (entry->program != NULL)
            oldest = entry;
    if (oldest == NULL)
        return NULL;
    unlink_entry(cache, oldest);
    cache->count--;
    return oldest;
}

/* ---- building, without the mutex ---- */

static enum heed_status build_program(struct heed_context *context, struct heed_executor *executor,
                                      heed_graph_build_fn build, void *user,
                                      struct heed_program **program) {
    struct heed_graph *graph = NULL;
    enum heed_status status = build(user, context, &graph);
    if (status == HEED_OK)
        status = heed_program_compile(context, executor, graph, program);
    heed_graph_release(graph);
    return status;
}

/* Fills the entry that the caller has put into the cache for `key`. */
static enum heed_status fill(struct heed_context *context, struct heed_executor *executor,
                             struct entry *entry, heed_graph_build_fn build, void *user,
                             struct heed_program **program) {
    struct heedi_cache *cache = executor->cache;
    const enum heed_status status = build_program(context, executor, build, user, program);
    struct entry *dropped = NULL;
    heedi_os_lock(cache->mutex);
    if (status == HEED_OK && !entry->forgotten) {
        entry->program = heed_program_retain(*program);
        unlink_entry(cache, entry);
        put_first(cache, entry);
        cache->count++;
        dropped = evict(cache);
    } else {
        unlink_entry(cache, entry);
        dropped = entry;
    }
    heedi_os_wake_all(cache->built);
    heedi_os_unlock(cache->mutex);
    free_entry(&cache->env, dropped);
    return status;
}

enum heed_status heed_executor_cached_program(struct heed_context *context,
                                              struct heed_executor *executor, const char *key,
                                              heed_graph_build_fn build, void *user,
                                              struct heed_program **program) {
    if (executor == NULL || key == NULL || build == NULL || program == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_executor_cached_program: executor, key, build and program must not "
                          "be NULL");
    struct heedi_cache *cache = executor->cache;
    *program = NULL;
    heedi_os_lock(cache->mutex);
    struct entry *entry, *dropped = NULL;
    /* Another thread may be building it; should that fail, this one tries for itself. */
    while ((entry = find(cache, key)) != NULL && entry->program == NULL)
        heedi_os_wait(cache->built, cache->mutex);
    if (entry != NULL && !heedi_program_usable(entry->program)) {
        unlink_entry(cache, entry);
        cache->count--;
        dropped = entry;
        entry = NULL;
    }
    if (entry != NULL) {
        unlink_entry(cache, entry);
        put_first(cache, entry);
        *program = heed_program_retain(entry->program);
    } else {
        entry = new_entry(&cache->env, key);
        if (entry != NULL)
            put_first(cache, entry);
    }
    heedi_os_unlock(cache->mutex);
    free_entry(&cache->env, dropped);
    if (*program != NULL)
        return HEED_OK;
    if (entry == NULL)
        return heedi_fail_memory(context, "an entry of the program cache", strlen(key) + 1);
    return fill(context, executor, entry, build, user, program);
}

void heed_executor_forget(struct heed_executor *executor, const char *prefix) {
    struct heedi_cache *cache = executor->cache;
    struct entry *dropped = NULL;
    const size_t length = strlen(prefix);
    heedi_os_lock(cache->mutex);
    for (struct entry *entry = cache->first, *next; entry != NULL; entry = next) {
        next = entry->next;
        if (strncmp(entry->key, prefix, length) != 0)
            continue;
        if (entry->program == NULL) {
            entry->forgotten = true;
            continue;
        }
        unlink_entry(cache, entry);
        cache->count--;
        entry->next = dropped;
        dropped = entry;
    }
    heedi_os_wake_all(cache->built);
    heedi_os_unlock(cache->mutex);
    free_entries(&cache->env, dropped);
}
