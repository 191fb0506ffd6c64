/* SPDX-License-Identifier: Apache-2.0 */
/* The sentences of a translation benchmark and their references. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/bench.h"

/* For the tour: what the default model knows, short and long. */
static const char *const builtin[] = {
    "A man is riding a bike.",
    "Two dogs are running in the snow.",
    "A woman in a red coat is waiting for the bus.",
    "Children are playing football in the park.",
    "The street is wet.",
    "An old man with a hat is sitting on a bench and reading a newspaper.",
    "Three people are standing in front of a large building.",
    "A little girl is eating ice cream.",
    "A group of friends is having dinner at a long table in the garden.",
    "Where is the station?",
    "A worker in a yellow vest is repairing the roof of a small house.",
    "The boy is jumping into the water.",
    "A brown horse is standing in a field behind a wooden fence.",
    "Several cyclists are waiting at a red light on a busy street in the city.",
    "A young woman is playing the guitar on a stage.",
    "He opens the door.",
    "Two men in blue shirts are carrying a heavy table up the stairs of an old house.",
    "A cat is sleeping on the sofa.",
    "People are buying fruit and vegetables at a market on a sunny morning.",
    "A child in a green jacket is building a castle out of sand with a small red shovel.",
};

static void free_lines(char **lines) {
    for (size_t i = 0; lines != NULL && lines[i] != NULL; i++)
        free(lines[i]);
    free(lines);
}

static char **read_lines(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    char *all = NULL, **lines = NULL;
    size_t used = 0, room = 0;
    *count = 0;
    errno = file != NULL ? 0 : errno;
    for (size_t got = 1; file != NULL && got > 0;) {
        if (room - used < 4096) {
            char *grown = realloc(all, room = 2 * room + 65536);
            if (grown == NULL)
                goto done;
            all = grown;
        }
        got = fread(all + used, 1, room - used - 1, file);
        used += got;
    }
    if (file == NULL || ferror(file))
        goto done;
    all[used] = '\0';
    for (size_t i = 0; i < used; i++)
        *count += all[i] == '\n' || i + 1 == used;
    lines = calloc(*count + 1, sizeof *lines);
    char *at = all;
    for (size_t i = 0; lines != NULL && i < *count; i++) {
        char *end = memchr(at, '\n', used - (size_t)(at - all));
        size_t length = end != NULL ? (size_t)(end - at) : used - (size_t)(at - all);
        char *next = at + length + 1;
        length -= length > 0 && at[length - 1] == '\r';
        lines[i] = malloc(length + 1);
        if (lines[i] == NULL)
            break;
        memcpy(lines[i], at, length);
        lines[i][length] = '\0';
        at = next;
    }
done:
    if (lines == NULL || (*count > 0 && lines[*count - 1] == NULL)) {
        heedi_tool_message("%s: %s", path, errno != 0 ? strerror(errno) : "cannot be read");
        free_lines(lines);
        lines = NULL;
    }
    if (file != NULL)
        fclose(file);
    free(all);
    return lines;
}

static uint64_t count_words(const char *line) {
    uint64_t words = 0;
    for (bool inside = false; *line != '\0'; line++) {
        const bool space = isspace((unsigned char)*line) != 0;
        words += !space && !inside;
        inside = !space;
    }
    return words;
}

static char **copy_builtin(size_t *count) {
    *count = sizeof builtin / sizeof *builtin;
    char **lines = calloc(*count + 1, sizeof *lines);
    bool copied = lines != NULL;
    for (size_t i = 0; copied && i < *count; i++) {
        lines[i] = malloc(strlen(builtin[i]) + 1);
        copied = lines[i] != NULL;
        if (copied)
            memcpy(lines[i], builtin[i], strlen(builtin[i]) + 1);
    }
    if (copied)
        return lines;
    heedi_tool_message("out of memory");
    free_lines(lines);
    return NULL;
}

int heedi_bench_text_open(struct heedi_bench *bench) {
    struct heedi_bench_text *text = &bench->text;
    const char *path = bench->options->bench.translate;
    size_t references = 0;
    text->model = bench->options->model;
    text->reference = bench->options->bench.reference;
    text->source = path != NULL ? path : "built-in sentences";
    text->lines = path != NULL ? read_lines(path, &text->count) : copy_builtin(&text->count);
    if (text->lines == NULL)
        return TOOL_INPUT;
    if (text->count == 0) {
        heedi_tool_message("%s: there is no line to translate", text->source);
        return TOOL_INPUT;
    }
    for (size_t i = 0; i < text->count; i++)
        text->words += count_words(text->lines[i]);
    if (text->reference == NULL)
        return TOOL_OK;
    text->references = read_lines(text->reference, &references);
    if (text->references == NULL)
        return TOOL_INPUT;
    if (references != text->count) {
        heedi_tool_message("%s has %zu lines, but the reference %s has %zu", text->source,
                           text->count, text->reference, references);
        return TOOL_INPUT;
    }
    return TOOL_OK;
}

void heedi_bench_text_free(struct heedi_bench_text *text) {
    free_lines(text->lines);
    free_lines(text->references);
    memset(text, 0, sizeof *text);
}
