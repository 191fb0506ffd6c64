/* SPDX-License-Identifier: Apache-2.0 */
/* Reports in files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/os.h"
#include "tools/tool.h"

static int out_of_memory(void) {
    heedi_tool_message("out of memory");
    return TOOL_INTERNAL;
}

/* A report is written under a temporary name and renamed when it is whole; a pipe or a device is
 * written directly. */
struct target {
    const char *path;
    bool direct;
    char *resolved, *part;
    FILE *stream;
};

static int cannot_write(const struct target *target) {
    heedi_tool_message("cannot write %s: %s", target->path, strerror(errno));
    return TOOL_OUTPUT;
}

static int open_target(const char *path, struct target *target) {
    const enum heedi_tool_target kind = heedi_tool_os_target(path);
    *target = (struct target){.path = path, .direct = kind == TOOL_TARGET_SPECIAL};
    if (kind == TOOL_TARGET_DIRECTORY) {
        errno = EISDIR;
        return cannot_write(target);
    }
    target->resolved = heedi_tool_os_resolve(path);
    const size_t length = target->resolved != NULL ? strlen(target->resolved) : 0;
    target->part = target->resolved != NULL ? malloc(length + sizeof ".part") : NULL;
    if (target->part == NULL)
        return out_of_memory();
    memcpy(target->part, target->resolved, length);
    memcpy(target->part + length, ".part", sizeof ".part");
    target->stream = fopen(target->direct ? path : target->part, target->direct ? "a" : "w");
    return target->stream != NULL ? TOOL_OK : cannot_write(target);
}

/* Frees the target in any case. `keep`: renames; else what was written goes. */
static int close_target(struct target *target, bool keep) {
    int code = TOOL_OK;
    if (target->stream != NULL) {
        const bool whole = keep && !ferror(target->stream);
        const bool done =
            whole && !target->direct
                ? heedi_tool_os_replace(target->stream, target->part, target->resolved)
                : fclose(target->stream) == 0 && (whole || !keep);
        const int error = errno;
        if (!target->direct && !(whole && done))
            remove(target->part);
        errno = error;
        if (!done)
            code = cannot_write(target);
    }
    free(target->resolved);
    free(target->part);
    return code;
}

int heedi_tool_report_try(const char *path) {
    struct target target;
    if (path == NULL || strcmp(path, "-") == 0)
        return TOOL_OK;
    const int code = open_target(path, &target);
    const int closed = close_target(&target, false);
    return code != TOOL_OK ? code : closed;
}

int heedi_tool_report(const char *path, bool (*write)(const void *what, FILE *stream),
                      const void *what) {
    struct target target;
    int code = open_target(path, &target);
    if (code == TOOL_OK && !write(what, target.stream))
        code = out_of_memory();
    const int closed = close_target(&target, code == TOOL_OK);
    return code != TOOL_OK ? code : closed;
}
