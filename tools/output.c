/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to standard output or to a file that gets its name when it is complete. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/os.h"
#include "tools/tool.h"

struct heedi_tool_output {
    const char *name; /* for messages */
    FILE *stream;
    char *path; /* NULL: written directly */
    char *part;
    uint64_t lines;
    bool failed;
};

static int cannot_write(struct heedi_tool_output *output) {
    const int error = errno;
    output->failed = true;
    if (error == EPIPE)
        heedi_tool_message("%s: the reader closed the pipe after %llu lines", output->name,
                           (unsigned long long)output->lines);
    else
        heedi_tool_message("cannot write %s: %s", output->name, strerror(error));
    return TOOL_OUTPUT;
}

static void release(struct heedi_tool_output *output) {
    free(output->path);
    free(output->part);
    free(output);
}

static int open_file(const char *path, struct heedi_tool_output *output) {
    switch (heedi_tool_os_target(path)) {
    case TOOL_TARGET_DIRECTORY:
        errno = EISDIR;
        return cannot_write(output);
    case TOOL_TARGET_SPECIAL:
        /* "a": /dev/stdout may lead to a file that is not ours to truncate */
        output->stream = fopen(path, "a");
        return output->stream != NULL ? TOOL_OK : cannot_write(output);
    case TOOL_TARGET_REGULAR:
        break;
    }
    output->path = heedi_tool_os_resolve(path);
    if (output->path == NULL)
        return cannot_write(output);
    const size_t length = strlen(output->path);
    output->part = malloc(length + sizeof ".part");
    if (output->part == NULL)
        return cannot_write(output);
    memcpy(output->part, output->path, length);
    memcpy(output->part + length, ".part", sizeof ".part");
    output->name = output->part;
    output->stream = fopen(output->part, "w");
    return output->stream != NULL ? TOOL_OK : cannot_write(output);
}

int heedi_tool_output_open(const char *path, struct heedi_tool_output **result) {
    struct heedi_tool_output *output = calloc(1, sizeof *output);
    *result = NULL;
    if (output == NULL) {
        heedi_tool_message("out of memory");
        return TOOL_INTERNAL;
    }
    if (path == NULL || strcmp(path, "-") == 0) {
        output->name = "standard output";
        output->stream = stdout;
    } else {
        output->name = path;
        const int code = open_file(path, output);
        if (code != TOOL_OK) {
            release(output);
            return code;
        }
    }
    *result = output;
    return TOOL_OK;
}

int heedi_tool_output_line(struct heedi_tool_output *output, const char *bytes, size_t count) {
    if (output->failed)
        return TOOL_OUTPUT;
    if (fwrite(bytes, 1, count, output->stream) != count || fputc('\n', output->stream) == EOF ||
        fflush(output->stream) != 0)
        return cannot_write(output);
    output->lines++;
    return TOOL_OK;
}

int heedi_tool_output_finish(struct heedi_tool_output *output, bool complete) {
    int code = TOOL_OK;
    if (output == NULL)
        return code;
    if (output->part != NULL && complete && !output->failed) {
        if (!heedi_tool_os_replace(output->stream, output->part, output->path))
            code = cannot_write(output);
    } else if (output->stream != stdout && fclose(output->stream) != 0 && !output->failed) {
        code = cannot_write(output);
    }
    if (output->part != NULL && (!complete || output->failed)) {
        if (output->lines == 0)
            remove(output->part);
        else
            heedi_tool_message("%s keeps the first %llu lines", output->part,
                               (unsigned long long)output->lines);
    }
    release(output);
    return code;
}
