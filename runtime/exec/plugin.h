/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins: finding them, and reading across the plugin interface.
 *
 * Nothing that a plugin file contains is trusted before it was checked here: see heedi_plugin_load.
 */
#ifndef HEEDI_EXEC_PLUGIN_H
#define HEEDI_EXEC_PLUGIN_H

#include "heed/backend.h"
#include "heed/executor.h"
#include "runtime/base/context.h"

#define HEEDI_PLUGIN_PREFIX "heed-backend-"
#define HEEDI_PLUGIN_NAME_BYTES 32
/* Devices of one backend that can be named; a backend with more shows its first ones. */
#define HEEDI_MAX_DEVICES 32

/* A backend whose table was checked. Plugins are never unloaded, so a copy is good for ever. */
struct heedi_backend {
    char name[HEEDI_PLUGIN_NAME_BYTES];
    char *path; /* of the file, "" when linked in or registered; heedi_backend_clear frees it */
    struct heed_backend table;
};
void heedi_backend_clear(const struct heedi_env *env, struct heedi_backend *plugin);

/* ---- registry.c ---- */

/* Where plugins are looked for, in this order: the embedder's registered backends, the folders of
 * `plugin_path` (NULL: HEED_PLUGIN_PATH of the environment), the backends linked in, the plugin
 * folder beside libheed, the plugin folder of the configured prefix. */

/* Opens the backend `name` from the first place that has a sound one, and nothing else. A broken
 * file on the way is logged in one line. `error` says where was looked. */
enum heed_status heedi_plugin_open(const struct heedi_env *env, const char *plugin_path,
                                   const char *name, struct heedi_backend *plugin,
                                   struct heed_error *error);
/* Opens the plugin file `path`, whose name must be heed-backend-<name>.so. */
enum heed_status heedi_plugin_open_path(const struct heedi_env *env, const char *path,
                                        struct heedi_backend *plugin, struct heed_error *error);

/* Called for each place that claims to hold a backend, each name once (the place that
 * heedi_plugin_open would choose first; a broken file does not hide a later one). `reason` is NULL
 * for a sound plugin, which the callee now owns; else why it was refused, and `plugin` has only
 * name and path. Returns false to stop. */
typedef bool (*heedi_plugin_fn)(void *user, struct heedi_backend *plugin, const char *reason);
enum heed_status heedi_plugin_each(const struct heedi_env *env, const char *plugin_path,
                                   heedi_plugin_fn fn, void *user, struct heed_error *error);

/* Backends linked into libheed; ends with a NULL name. The build generates the list. */
struct heedi_static_plugin {
    const char *name;
    heed_backend_entry_fn entry;
};
extern const struct heedi_static_plugin heedi_static_plugins[];
/* The list of backends where the user gives none: from the build, too. */
extern const char heedi_default_backends[];

/* ---- load.c ---- */

/* Opens a shared object and checks all that can be checked: that it is a regular file and a shared
 * object, exports the entry, serves this major version, that its table is long enough, has every
 * required function, no unknown demand, and the name `expected`. The message in `error` does not
 * repeat the path. */
enum heed_status heedi_plugin_load(const char *path, const char *expected,
                                   struct heed_backend *table, struct heed_error *error);
/* The same for an entry function that is already in the process. */
enum heed_status heedi_plugin_read(heed_backend_entry_fn entry, const char *expected,
                                   struct heed_backend *table, struct heed_error *error);
/* True for a name of 1 to 31 lower-case letters, digits and '_'. */
bool heedi_plugin_name_valid(const char *name);

/* Devices of a backend, read by the rules of heed/backend.h. Without any: *count is 0 and `error`
 * has the reason. */
enum heed_status heedi_plugin_devices(const struct heed_backend *table,
                                      struct heed_device_info *devices, uint32_t capacity,
                                      uint32_t *count, struct heed_error *error);

/* A cleared error for a call into a plugin. */
struct heed_error heedi_plugin_error(void);
/* What a plugin returned, made safe: an unknown status becomes HEED_ERROR_INTERNAL, a message is
 * terminated, has no line breaks, and is never empty after a failure. */
enum heed_status heedi_plugin_status(enum heed_status status, struct heed_error *error);

#endif
