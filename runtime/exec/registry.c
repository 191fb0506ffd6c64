/* SPDX-License-Identifier: Apache-2.0 */
/* Where plugins are: registered ones, folders, and backends linked in. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/os.h"
#include "runtime/exec/plugin.h"

#if defined(_WIN32)
#define PATH_LIST_SEPARATOR ';'
#else
#define PATH_LIST_SEPARATOR ':'
#endif

/* ---- backends registered by the embedder: for the life of the process, so in a fixed table ----
 */

enum { MAX_REGISTERED = 64 };
static struct heedi_static_plugin registered[MAX_REGISTERED]; /* under the global lock */
static uint32_t registered_count;

static uint32_t find_registered(const char *name) {
    uint32_t i = 0;
    while (i < registered_count && strcmp(registered[i].name, name) != 0)
        i++;
    return i;
}

enum heed_status heed_backend_register(struct heed_context *context, const char *name,
                                       heed_backend_entry_fn entry) {
    if (name == NULL || entry == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_backend_register: name and entry must not be NULL");
    struct heed_backend table;
    struct heed_error error = heedi_plugin_error();
    const enum heed_status status = heedi_plugin_read(entry, name, &table, &error);
    if (status != HEED_OK)
        return heedi_fail(context, status, "backend '%s': %s", name, error.message);
    heedi_os_global_lock();
    const uint32_t at = find_registered(name);
    const bool room = at < MAX_REGISTERED;
    if (room) {
        registered[at] = (struct heedi_static_plugin){name, entry};
        if (at == registered_count)
            registered_count++;
    }
    heedi_os_global_unlock();
    if (!room)
        return heedi_fail(context, HEED_ERROR_LIMIT,
                          "backend '%s' cannot be registered: %d are already", name,
                          MAX_REGISTERED);
    return HEED_OK;
}

/* The entry at `index` of the registered backends; its name is NULL behind the last. */
static struct heedi_static_plugin registered_at(uint32_t index) {
    struct heedi_static_plugin entry = {NULL, NULL};
    heedi_os_global_lock();
    if (index < registered_count)
        entry = registered[index];
    heedi_os_global_unlock();
    return entry;
}

/* ---- places, in the order in which they are searched ---- */

enum place_kind { PLACE_REGISTERED, PLACE_FOLDER, PLACE_LINKED_IN };
struct place {
    enum place_kind kind;
    char *folder; /* PLACE_FOLDER: without a trailing separator */
};
struct places {
    const struct heedi_env *env;
    struct place *at;
    size_t count, capacity;
    bool failed; /* out of memory */
};

static void add_place(struct places *places, enum place_kind kind, char *folder) {
    if (kind == PLACE_FOLDER && folder == NULL)
        places->failed = true;
    if (!places->failed && places->count == places->capacity) {
        const size_t capacity = places->capacity == 0 ? 8 : 2 * places->capacity;
        struct place *grown =
            heedi_grow(places->env, places->at, places->count, capacity, sizeof *grown);
        if (grown == NULL) {
            places->failed = true;
        } else {
            places->at = grown;
            places->capacity = capacity;
        }
    }
    if (places->failed)
        heedi_free(places->env, folder);
    else
        places->at[places->count++] = (struct place){kind, folder};
}

static void add_path_list(struct places *places, const char *list) {
    while (list != NULL && *list != '\0') {
        const char *end = strchr(list, PATH_LIST_SEPARATOR);
        const size_t bytes = end != NULL ? (size_t)(end - list) : strlen(list);
        if (bytes > 0)
            add_place(places, PLACE_FOLDER, heedi_asprintf(places->env, "%.*s", (int)bytes, list));
        list = end != NULL ? end + 1 : NULL;
    }
}

/* The plugin folder as seen from libheed itself, which lies in <prefix>/<libdir>, or, linked into a
 * program, in <prefix>/<bindir>. So an installation can be moved, and a build tree, which has the
 * same layout, works as it is. */
static void add_own_folders(struct places *places) {
    char own[4096];
    if (heedi_os_own_folder(own, sizeof own)) {
        add_place(places, PLACE_FOLDER, heedi_asprintf(places->env, "%s/heed", own));
        char up[64] = "";
        size_t used = 0;
        for (const char *c = HEEDI_BINDIR; *c != '\0' && used + sizeof "/.." <= sizeof up; c++)
            if (c[0] != '/' && (c[1] == '/' || c[1] == '\0')) {
                memcpy(up + used, "/..", sizeof "/..");
                used += sizeof "/.." - 1;
            }
        if (HEEDI_BINDIR[0] != '/' && HEEDI_PLUGIN_DIR[0] != '/')
            add_place(places, PLACE_FOLDER,
                      heedi_asprintf(places->env, "%s%s/%s", own, up, HEEDI_PLUGIN_DIR));
    }
    if (HEEDI_PLUGIN_DIR[0] == '/')
        add_place(places, PLACE_FOLDER, heedi_strdup(places->env, HEEDI_PLUGIN_DIR));
    else
        add_place(places, PLACE_FOLDER,
                  heedi_asprintf(places->env, "%s/%s", HEEDI_PREFIX, HEEDI_PLUGIN_DIR));
}

static void free_places(struct places *places) {
    for (size_t i = 0; i < places->count; i++)
        heedi_free(places->env, places->at[i].folder);
    heedi_free(places->env, places->at);
}

static bool list_places(const struct heedi_env *env, const char *plugin_path,
                        struct places *places) {
    *places = (struct places){.env = env};
    add_place(places, PLACE_REGISTERED, NULL);
    add_path_list(places, plugin_path != NULL ? plugin_path : heedi_os_getenv("HEED_PLUGIN_PATH"));
    add_place(places, PLACE_LINKED_IN, NULL);
    add_own_folders(places);
    if (places->failed)
        free_places(places);
    return !places->failed;
}

/* ---- opening ---- */

void heedi_backend_clear(const struct heedi_env *env, struct heedi_backend *backend) {
    heedi_free(env, backend->path);
    backend->path = NULL;
}

/* Opens what is already in the process; HEED_ERROR_NOT_FOUND when `found` is not `name`. */
static enum heed_status open_entry(const struct heedi_env *env, struct heedi_static_plugin entry,
                                   struct heedi_backend *backend, struct heed_error *error) {
    memset(backend, 0, sizeof *backend);
    snprintf(backend->name, sizeof backend->name, "%s", entry.name);
    backend->path = heedi_strdup(env, "");
    if (backend->path == NULL)
        return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    return heedi_plugin_read(entry.entry, entry.name, &backend->table, error);
}

/* Opens a file; takes over `path`, which may be NULL after a failed allocation. */
static enum heed_status open_file(char *path, const char *name, struct heedi_backend *backend,
                                  struct heed_error *error) {
    memset(backend, 0, sizeof *backend);
    snprintf(backend->name, sizeof backend->name, "%s", name);
    backend->path = path;
    if (path == NULL)
        return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    return heedi_plugin_load(path, name, &backend->table, error);
}

static char *plugin_file_path(const struct heedi_env *env, const char *folder, const char *name) {
    return heedi_asprintf(env, "%s/%s%s%s", folder, HEEDI_PLUGIN_PREFIX, name,
                          heedi_os_library_suffix());
}

/* Extracts "foo" from "heed-backend-foo.so"; false for a file that is not named like a plugin. */
static bool name_of_file(const char *file, char name[HEEDI_PLUGIN_NAME_BYTES]) {
    const char *suffix = heedi_os_library_suffix();
    const size_t prefix_bytes = strlen(HEEDI_PLUGIN_PREFIX), suffix_bytes = strlen(suffix);
    const size_t bytes = strlen(file);
    if (bytes <= prefix_bytes + suffix_bytes ||
        strncmp(file, HEEDI_PLUGIN_PREFIX, prefix_bytes) != 0 ||
        strcmp(file + bytes - suffix_bytes, suffix) != 0)
        return false;
    const size_t name_bytes = bytes - prefix_bytes - suffix_bytes;
    if (name_bytes >= HEEDI_PLUGIN_NAME_BYTES)
        return false;
    memcpy(name, file + prefix_bytes, name_bytes);
    name[name_bytes] = '\0';
    return heedi_plugin_name_valid(name);
}

static void describe_broken(const struct heedi_backend *backend, const struct heed_error *detail,
                            struct heed_error *broken) {
    const bool file = backend->path != NULL && backend->path[0] != '\0';
    heedi_error(broken, (enum heed_status)detail->status, "plugin %s skipped: %.600s",
                file ? backend->path : backend->name, detail->message);
}

enum heed_status heedi_plugin_open_path(const struct heedi_env *env, const char *path,
                                        struct heedi_backend *backend, struct heed_error *error) {
    char name[HEEDI_PLUGIN_NAME_BYTES];
    const char *file = strrchr(path, '/');
    if (!name_of_file(file != NULL ? file + 1 : path, name)) {
        memset(backend, 0, sizeof *backend);
        return heedi_error(error, HEED_ERROR_INVALID_ARGUMENT,
                           "a plugin file must be called " HEEDI_PLUGIN_PREFIX "<name>%s",
                           heedi_os_library_suffix());
    }
    const enum heed_status status = open_file(heedi_strdup(env, path), name, backend, error);
    if (status != HEED_OK) {
        struct heed_error broken;
        describe_broken(backend, error, &broken);
        heedi_error(error, status, "%s", broken.message);
        heedi_backend_clear(env, backend);
    }
    return status;
}

/* Looks for `name` in one place. */
static enum heed_status open_in_place(const struct heedi_env *env, const struct place *place,
                                      const char *name, struct heedi_backend *backend,
                                      struct heed_error *error) {
    if (place->kind == PLACE_FOLDER) {
        char *path = plugin_file_path(env, place->folder, name);
        if (path != NULL && heedi_os_file_kind(path) == HEEDI_FILE_NONE) {
            heedi_free(env, path);
            memset(backend, 0, sizeof *backend);
            return HEED_ERROR_NOT_FOUND;
        }
        return open_file(path, name, backend, error);
    }
    for (uint32_t i = 0;; i++) {
        const struct heedi_static_plugin entry =
            place->kind == PLACE_REGISTERED ? registered_at(i) : heedi_static_plugins[i];
        if (entry.name == NULL)
            break;
        if (strcmp(entry.name, name) == 0)
            return open_entry(env, entry, backend, error);
    }
    memset(backend, 0, sizeof *backend);
    return HEED_ERROR_NOT_FOUND;
}

enum heed_status heedi_plugin_open(const struct heedi_env *env, const char *plugin_path,
                                   const char *name, struct heedi_backend *backend,
                                   struct heed_error *error) {
    struct places places;
    memset(backend, 0, sizeof *backend);
    if (!heedi_plugin_name_valid(name))
        return heedi_error(error, HEED_ERROR_INVALID_ARGUMENT,
                           "'%s' is not the name of a backend: 1 to %d lower-case letters, digits "
                           "and '_'",
                           name, HEEDI_PLUGIN_NAME_BYTES - 1);
    if (!list_places(env, plugin_path, &places))
        return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    /* A broken file on the way is remembered: it is the reason where nothing better follows. */
    struct heed_error broken = heedi_plugin_error();
    enum heed_status status = HEED_ERROR_NOT_FOUND;
    for (size_t i = 0; i < places.count && status != HEED_OK && status != HEED_ERROR_OUT_OF_MEMORY;
         i++) {
        struct heed_error detail = heedi_plugin_error();
        status = open_in_place(env, &places.at[i], name, backend, &detail);
        if (status != HEED_OK && status != HEED_ERROR_NOT_FOUND) {
            if (broken.message[0] != '\0')
                heedi_log(env, HEED_LOG_WARNING, "%s", broken.message);
            describe_broken(backend, &detail, &broken);
        }
        if (status != HEED_OK)
            heedi_backend_clear(env, backend);
    }
    free_places(&places);
    if (status == HEED_ERROR_OUT_OF_MEMORY)
        return heedi_error(error, status, "out of memory");
    if (status != HEED_OK && broken.message[0] != '\0')
        return heedi_error(error, HEED_ERROR_NOT_FOUND, "%s", broken.message);
    if (status != HEED_OK)
        return heedi_error(error, HEED_ERROR_NOT_FOUND,
                           "there is no " HEEDI_PLUGIN_PREFIX "%s%s in the plugin path or the "
                           "plugin folder of the library",
                           name, heedi_os_library_suffix());
    if (broken.message[0] != '\0')
        heedi_log(env, HEED_LOG_WARNING, "%s", broken.message);
    return HEED_OK;
}

/* ---- listing ---- */

struct listing {
    const struct heedi_env *env;
    heedi_plugin_fn fn;
    void *user;
    const char *folder; /* being listed */
    char (*seen)[HEEDI_PLUGIN_NAME_BYTES];
    size_t seen_count, seen_capacity;
    bool stopped;
    bool failed; /* out of memory */
};

static bool was_seen(const struct listing *listing, const char *name) {
    for (size_t i = 0; i < listing->seen_count; i++)
        if (strcmp(listing->seen[i], name) == 0)
            return true;
    return false;
}

static void mark_seen(struct listing *listing, const char *name) {
    if (listing->seen_count == listing->seen_capacity) {
        const size_t capacity = listing->seen_capacity == 0 ? 8 : 2 * listing->seen_capacity;
        void *grown = heedi_grow(listing->env, listing->seen, listing->seen_count, capacity,
                                 sizeof *listing->seen);
        if (grown == NULL) {
            listing->failed = true;
            return;
        }
        listing->seen = grown;
        listing->seen_capacity = capacity;
    }
    snprintf(listing->seen[listing->seen_count++], HEEDI_PLUGIN_NAME_BYTES, "%s", name);
}

/* Hands over one result of opening. */
static void deliver(struct listing *listing, enum heed_status status, struct heedi_backend *backend,
                    const struct heed_error *error) {
    if (status == HEED_ERROR_OUT_OF_MEMORY) {
        listing->failed = true;
    } else if (status == HEED_OK) {
        mark_seen(listing, backend->name);
        if (!listing->failed) {
            listing->stopped = !listing->fn(listing->user, backend, NULL);
            return;
        }
    } else {
        listing->stopped = !listing->fn(listing->user, backend, error->message);
    }
    heedi_backend_clear(listing->env, backend);
}

static void visit_file(void *user, const char *file) {
    struct listing *listing = user;
    char name[HEEDI_PLUGIN_NAME_BYTES];
    if (listing->stopped || listing->failed || !name_of_file(file, name) || was_seen(listing, name))
        return;
    struct heedi_backend backend;
    struct heed_error error = heedi_plugin_error();
    const enum heed_status status =
        open_file(plugin_file_path(listing->env, listing->folder, name), name, &backend, &error);
    deliver(listing, status, &backend, &error);
}

static void visit_entries(struct listing *listing, enum place_kind kind) {
    for (uint32_t i = 0; !listing->stopped && !listing->failed; i++) {
        const struct heedi_static_plugin entry =
            kind == PLACE_REGISTERED ? registered_at(i) : heedi_static_plugins[i];
        if (entry.name == NULL)
            return;
        if (was_seen(listing, entry.name))
            continue;
        struct heedi_backend backend;
        struct heed_error error = heedi_plugin_error();
        const enum heed_status status = open_entry(listing->env, entry, &backend, &error);
        deliver(listing, status, &backend, &error);
    }
}

enum heed_status heedi_plugin_each(const struct heedi_env *env, const char *plugin_path,
                                   heedi_plugin_fn fn, void *user, struct heed_error *error) {
    struct places places;
    if (!list_places(env, plugin_path, &places))
        return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    const struct heed_context context = {.env = *env};
    struct listing listing = {.env = env, .fn = fn, .user = user};
    for (size_t i = 0; i < places.count && !listing.stopped && !listing.failed; i++) {
        listing.folder = places.at[i].folder;
        if (places.at[i].kind != PLACE_FOLDER)
            visit_entries(&listing, places.at[i].kind);
        else if (heedi_os_file_kind(listing.folder) == HEEDI_FILE_DIRECTORY &&
                 !heedi_os_list(&context, listing.folder, visit_file, &listing, error))
            heedi_log(env, HEED_LOG_WARNING, "plugin folder skipped: %s", error->message);
    }
    free_places(&places);
    heedi_free(env, listing.seen);
    if (listing.failed)
        return heedi_error(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    return HEED_OK;
}
