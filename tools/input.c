/* SPDX-License-Identifier: Apache-2.0 */
/* Lines from arguments, files or standard input.
 *
 * A read returns what is there, and the lines that it completed are given out before the next read:
 * whoever writes one line into a pipe and waits gets its translation, and whoever pipes a book gets
 * batches. Files are read one after the other; a batch holds lines of one of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/os.h"
#include "tools/tool.h"

enum { READ_BYTES = 1 << 16 };

struct heedi_tool_input {
    const char *const *paths; /* "-": standard input */
    size_t path_count, next_path;
    const char *path; /* of the open file, NULL: standard input or arguments */
    int descriptor;   /* -1: none is open */
    uint64_t line;    /* number of the next line */
    uint64_t total_bytes, done_bytes;
    char *buffer; /* bytes [begin, end) are read and not given out yet */
    size_t begin, end, capacity;
    bool discarding; /* inside the rest of a line that was too long */
    const char *texts[TOOL_BATCH_LINES];
    size_t lengths[TOOL_BATCH_LINES];
};

static const char *const standard_input[] = {"-"};

static int out_of_memory(void) {
    heedi_tool_message("out of memory while reading the input");
    return TOOL_INTERNAL;
}

static bool reserve(struct heedi_tool_input *input, size_t capacity) {
    if (input->buffer != NULL && capacity <= input->capacity)
        return true;
    char *buffer = realloc(input->buffer, capacity);
    if (buffer == NULL)
        return false;
    input->buffer = buffer;
    input->capacity = capacity;
    return true;
}

/* Arguments become the lines of a text, so that everything after this is the same for them. */
static bool take_arguments(struct heedi_tool_input *input,
                           const struct heedi_tool_options *options) {
    size_t bytes = 0;
    for (size_t i = 0; i < options->argument_count; i++)
        bytes += strlen(options->arguments[i]) + 1;
    if (!reserve(input, bytes))
        return false;
    for (size_t i = 0; i < options->argument_count; i++) {
        const size_t length = strlen(options->arguments[i]);
        memcpy(input->buffer + input->end, options->arguments[i], length);
        input->buffer[input->end + length] = '\n';
        input->end += length + 1;
    }
    return true;
}

/* Looks at every file before the work begins: a mistyped name is said at once. */
static int check_files(struct heedi_tool_input *input) {
    bool known = true;
    for (size_t i = 0; i < input->path_count; i++) {
        uint64_t bytes = 0;
        if (strcmp(input->paths[i], "-") == 0) {
            known = false;
            continue;
        }
        const int descriptor = heedi_tool_os_open(input->paths[i], &bytes);
        if (descriptor < 0) {
            heedi_tool_message("cannot open input '%s': %s", input->paths[i], strerror(errno));
            return TOOL_INPUT;
        }
        heedi_tool_os_close(descriptor);
        known = known && bytes > 0;
        input->total_bytes += bytes;
    }
    if (!known)
        input->total_bytes = 0;
    return TOOL_OK;
}

int heedi_tool_input_open(const struct heedi_tool_options *options,
                          struct heedi_tool_input **result) {
    struct heedi_tool_input *input = calloc(1, sizeof *input);
    *result = input;
    if (input == NULL)
        return out_of_memory();
    input->descriptor = -1;
    input->line = 1;
    if (options->argument_count > 0)
        return take_arguments(input, options) ? TOOL_OK : out_of_memory();
    input->paths = options->input_count > 0 ? options->inputs : standard_input;
    input->path_count = options->input_count > 0 ? options->input_count : 1;
    return check_files(input);
}

void heedi_tool_input_close(struct heedi_tool_input *input) {
    if (input == NULL)
        return;
    if (input->descriptor > 0)
        heedi_tool_os_close(input->descriptor);
    free(input->buffer);
    free(input);
}

void heedi_tool_input_progress(const struct heedi_tool_input *input, uint64_t *done,
                               uint64_t *total) {
    *done = input->done_bytes;
    *total = input->total_bytes;
}

static int open_next(struct heedi_tool_input *input) {
    uint64_t bytes = 0;
    const char *path = input->paths[input->next_path++];
    input->line = 1;
    if (strcmp(path, "-") == 0) {
        input->path = NULL;
        input->descriptor = TOOL_STDIN;
        return TOOL_OK;
    }
    input->path = path;
    input->descriptor = heedi_tool_os_open(path, &bytes);
    if (input->descriptor >= 0)
        return TOOL_OK;
    heedi_tool_message("cannot open input '%s': %s", path, strerror(errno));
    return TOOL_INPUT;
}

/* Reads what is there behind the bytes that are kept; at the end of the file closes it. */
static int read_more(struct heedi_tool_input *input) {
    if (input->begin > 0) {
        memmove(input->buffer, input->buffer + input->begin, input->end - input->begin);
        input->end -= input->begin;
        input->begin = 0;
    }
    if (input->end + READ_BYTES > input->capacity &&
        !reserve(input, input->end + (input->end > READ_BYTES ? input->end : READ_BYTES)))
        return out_of_memory();
    const long count = heedi_tool_os_read(input->descriptor, input->buffer + input->end,
                                          input->capacity - input->end);
    if (count < 0) {
        heedi_tool_message("cannot read %s: %s",
                           input->path != NULL ? input->path : "standard input", strerror(errno));
        return TOOL_INPUT;
    }
    input->end += (size_t)count;
    if (count == 0) {
        if (input->descriptor > 0)
            heedi_tool_os_close(input->descriptor);
        input->descriptor = -1;
    }
    return TOOL_OK;
}

static void give_line(struct heedi_tool_input *input, struct heedi_tool_lines *lines,
                      size_t length) {
    const char *text = input->buffer + input->begin;
    input->begin += length;
    input->done_bytes += length;
    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length > 0 && text[length - 1] == '\r')
        length--;
    if (input->discarding) { /* the end of a line whose beginning was given out long ago */
        input->discarding = false;
        return;
    }
    if (input->line == 1 && length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* a byte order mark is not text */
        length -= 3;
    }
    input->texts[lines->count] = text;
    input->lengths[lines->count++] = length;
    input->line++;
}

/* Gives out the complete lines of the buffer, and what is left of it where nothing will follow. */
static void give_lines(struct heedi_tool_input *input, size_t most,
                       struct heedi_tool_lines *lines) {
    while (lines->count < most && input->begin < input->end) {
        const char *start = input->buffer + input->begin;
        const size_t left = input->end - input->begin;
        const char *newline = memchr(start, '\n', left);
        const size_t length = newline != NULL ? (size_t)(newline - start) + 1 : left;
        if (input->discarding && newline == NULL) {
            input->begin = input->end;
            input->done_bytes += left;
            break;
        }
        if (!input->discarding && length > TOOL_LINE_BYTES) {
            if (lines->count > 0)
                break; /* it goes alone, next time */
            give_line(input, lines, TOOL_LINE_BYTES);
            lines->oversized = true;
            input->discarding = true;
            break;
        }
        if (newline == NULL && input->descriptor >= 0)
            break;
        give_line(input, lines, length);
    }
}

int heedi_tool_input_next(struct heedi_tool_input *input, size_t most,
                          struct heedi_tool_lines *lines) {
    if (most > TOOL_BATCH_LINES)
        most = TOOL_BATCH_LINES;
    for (;;) {
        *lines = (struct heedi_tool_lines){
            .texts = input->texts,
            .lengths = input->lengths,
            .first_number = input->line,
            .source = input->path,
        };
        give_lines(input, most, lines);
        if (lines->count > 0)
            return TOOL_OK;
        int code = TOOL_OK;
        if (input->descriptor >= 0) {
            code = read_more(input);
        } else if (input->begin == input->end) {
            input->discarding = false;
            if (input->next_path >= input->path_count)
                return TOOL_OK;
            code = open_next(input);
        }
        if (code != TOOL_OK)
            return code;
    }
}
