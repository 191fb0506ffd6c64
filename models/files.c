/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and mapping the files of a model, the default model among them. */
#include "models/files.h"

#include <string.h>

#include "models/model.h"

#define DEFAULT_MODEL "en-de-tiny.gguf"

enum heed_status heedi_map_file(struct heed_context *context, const char *path,
                                struct heedi_mapping *mapping) {
    struct heed_error error = {.struct_size = sizeof error};
    if (heedi_os_map(path, mapping, &error))
        return HEED_OK;
    return heedi_fail(context, error.status ? (enum heed_status)error.status : HEED_ERROR_IO, "%s",
                      error.message);
}

/* Length of `folder` without the trailing components `tail` ("lib/x86_64-linux-gnu"), 0 if it does
 * not end so. */
static size_t without_tail(const char *folder, const char *tail) {
    const size_t bytes = strlen(folder), tail_bytes = strlen(tail);
    if (bytes <= tail_bytes || strcmp(folder + bytes - tail_bytes, tail) != 0 ||
        folder[bytes - tail_bytes - 1] != '/')
        return 0;
    return bytes - tail_bytes - 1;
}

/* Length of the parent of `folder`. */
static size_t parent(const char *folder) {
    const char *slash = strrchr(folder, '/');
    return slash ? (size_t)(slash - folder) : 0;
}

/* An installation and a build tree have the same layout: the model lies in HEEDI_MODEL_DIR under
 * the folder above that of the library, or above that of the program that it is linked into. */
enum heed_status heedi_default_model_path(struct heed_context *context, char **path) {
    const struct heedi_env *env = &context->env;
    const char *named = heedi_os_getenv("HEED_DEFAULT_MODEL");
    char own[4096];
    if (named) {
        *path = heedi_strdup(env, named);
        return *path ? HEED_OK : heedi_fail_memory(context, "a path", strlen(named));
    }
    size_t roots[3] = {0, 0, 0};
    if (heedi_os_own_folder(own, sizeof own)) {
        roots[0] = without_tail(own, HEEDI_LIBDIR);
        roots[1] = without_tail(own, HEEDI_BINDIR);
        roots[2] = parent(own);
    }
    for (int i = 0; i < 4; i++) {
        char *candidate = NULL;
        if (i < 3 && roots[i] == 0)
            continue;
        if (i < 3)
            candidate = heedi_asprintf(env, "%.*s/%s/%s", (int)roots[i], own, HEEDI_MODEL_DIR,
                                       DEFAULT_MODEL);
        else
            candidate =
                heedi_asprintf(env, "%s/%s/%s", HEEDI_PREFIX, HEEDI_MODEL_DIR, DEFAULT_MODEL);
        if (!candidate)
            return heedi_fail_memory(context, "a path", sizeof own);
        if (heedi_os_file_kind(candidate) == HEEDI_FILE_REGULAR) {
            *path = candidate;
            return HEED_OK;
        }
        heedi_free(env, candidate);
    }
    return heedi_fail(context, HEED_ERROR_NOT_FOUND,
                      "the default model %s is not where the library looks for it (%s/%s and the "
                      "library's own place); name a model, or set HEED_DEFAULT_MODEL",
                      DEFAULT_MODEL, HEEDI_PREFIX, HEEDI_MODEL_DIR);
}
