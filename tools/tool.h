/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of the `heed` program share. The program uses libheed's public headers only. */
#ifndef HEEDI_TOOLS_TOOL_H
#define HEEDI_TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "heed/convert.h"
#include "heed/shadow.h"
#include "heed/translate.h"

#if defined(__GNUC__)
#define HEEDI_TOOL_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define HEEDI_TOOL_PRINTF(text, first)
#endif

/* Exit codes: documented by `heed --help`, in tools/README.md, and never renumbered. */
enum {
    TOOL_OK = 0,
    TOOL_INTERNAL = 1,   /* out of memory, a device lost, a defect */
    TOOL_USAGE = 2,      /* the command line is wrong */
    TOOL_INPUT = 3,      /* a model or an input cannot be opened or read */
    TOOL_LINES = 4,      /* everything was read, some lines could not be translated */
    TOOL_OUTPUT = 5,     /* the output cannot be written (full disk, closed pipe) */
    TOOL_NO_BACKEND = 6, /* no usable backend */
    TOOL_DISAGREES = 7,  /* a backend does not compute what it should */
};

/* ---- options.c ---- */

/* One bit per option, so that a verb can say which ones it takes. */
enum {
    TOOL_MODEL = 1u << 0,
    TOOL_BACKEND = 1u << 1,
    TOOL_THREADS = 1u << 2,
    TOOL_BEAM = 1u << 3,
    TOOL_MAX_LENGTH = 1u << 4,
    TOOL_INPUT_FILE = 1u << 5,
    TOOL_OUTPUT_FILE = 1u << 6,
    TOOL_FORMAT = 1u << 7,
    TOOL_TYPE = 1u << 8,
    TOOL_PROFILE = 1u << 9,
    TOOL_VERBOSE = 1u << 10,
    TOOL_HELP = 1u << 11, /* every verb */
    TOOL_OP = 1u << 12,
    TOOL_SHAPE = 1u << 13,
    TOOL_BACKENDS = 1u << 14,
    TOOL_DTYPE = 1u << 15,
    TOOL_WARM_CACHE = 1u << 16,
    TOOL_TEXT = 1u << 17,
    TOOL_REFERENCE = 1u << 18,
    TOOL_SECONDS = 1u << 19,
    TOOL_SEED = 1u << 20,
    TOOL_JSON = 1u << 21,
    TOOL_CSV = 1u << 22,
    TOOL_REPORT = 1u << 23,
    TOOL_STEPS = 1u << 24,
    TOOL_CHECK = 1u << 25, /* every option of `heed check` alone */
    TOOL_TUNE = 1u << 26,
    TOOL_BUNDLE = 1u << 27,
    TOOL_SHADOW = 1u << 28, /* every option of the shadow */
};

struct heedi_tool_bench_options {
    const char *ops, *backends, *translate, *reference, *report, *bundle;
    const char **shapes; /* values of --shape */
    size_t shape_count;
    enum heed_dtype dtype;  /* HEED_DTYPE_NONE: not given */
    uint32_t seconds, seed; /* 0: not given */
    bool warm_cache, json, csv, tune;
};

struct heedi_tool_check_options {
    const char **backends; /* values of --backend */
    size_t backend_count;
    const char *threads, *replay, *folder, *input, *against;
    uint32_t cases, repeat, minutes, tokens; /* 0: not given */
    uint32_t number;                         /* of one case */
    bool single;                             /* `number` is given */
    bool all;
};

struct heedi_tool_shadow_options {
    const char *backend;
    double rate;
    uint32_t seed;
    bool detailed; /* rate or seed is given */
};

struct heedi_tool_options {
    const char *model, *backends, *output, *profile;
    uint32_t threads, max_length; /* 0: not given */
    uint32_t steps;               /* per submission; 0: not given */
    enum heed_dtype type;         /* HEED_DTYPE_NONE: not given */
    bool json, verbose, help;
    const char **inputs; /* values of --input */
    size_t input_count;
    const char **arguments; /* what is no option */
    size_t argument_count;
    struct heedi_tool_bench_options bench;
    struct heedi_tool_check_options check;
    struct heedi_tool_shadow_options shadow;
};

struct heedi_tool_verb {
    const char *name;
    const char *usage;   /* what follows the name: "[TEXT...]" */
    const char *summary; /* one line */
    const char *help;    /* paragraphs for `heed VERB --help` */
    uint32_t options;    /* bits of TOOL_* */
    size_t least_arguments, most_arguments;
    int (*run)(const struct heedi_tool_options *options);
};

/* Reads argv[0 .. count) of a verb. On failure says why and returns TOOL_USAGE (or TOOL_INTERNAL).
 * Strings stay argv's. Release with heedi_tool_options_free() in either case. */
int heedi_tool_options_parse(const struct heedi_tool_verb *verb, int count, char **argv,
                             struct heedi_tool_options *options);
void heedi_tool_options_free(struct heedi_tool_options *options);
void heedi_tool_options_help(const struct heedi_tool_verb *verb);
/* The candidate (list ends with NULL) that a mistyped word is closest to, or NULL. */
const char *heedi_tool_suggest(const char *word, const char *const *candidates);

/* ---- session.c: messages, contexts, models ---- */

/* Writes "heed: ..." as one line to stderr, past the progress bar. */
void heedi_tool_message(const char *format, ...) HEEDI_TOOL_PRINTF(1, 2);
/* These say what went wrong and return an exit code. */
int heedi_tool_context(const struct heedi_tool_options *options, struct heed_context **context);
int heedi_tool_model(struct heed_context *context, const char *path, struct heed_model **model);
/* "1.5 MiB" for people. */
struct heedi_tool_size {
    char text[24];
};
const char *heedi_tool_print_size(struct heedi_tool_size *buffer, double bytes);

/* ---- input.c: texts from arguments, files or standard input ---- */

/* Lines that are there now, without their ends ("\n" or "\r\n"); valid until the next call. */
struct heedi_tool_lines {
    const char **texts;
    size_t *lengths;
    size_t count;
    uint64_t first_number; /* of the first line in its source, counted from 1 */
    const char *source;    /* path of the file, NULL: arguments or standard input */
    bool oversized;        /* the one line is longer than TOOL_LINE_BYTES and was cut */
};

enum {
    TOOL_LINE_BYTES = 1 << 20, /* longest line that is looked at */
    TOOL_BATCH_LINES = 1024    /* most lines given at once */
};

struct heedi_tool_input;
int heedi_tool_input_open(const struct heedi_tool_options *options,
                          struct heedi_tool_input **input);
/* Waits until at least one line is there and gives all, `most` at the most, that can be had without
 * waiting longer. lines->count is 0 at the end. Returns an exit code. */
int heedi_tool_input_next(struct heedi_tool_input *input, size_t most,
                          struct heedi_tool_lines *lines);
/* Bytes given out so far, and of all files together (0: not known beforehand). */
void heedi_tool_input_progress(const struct heedi_tool_input *input, uint64_t *done,
                               uint64_t *total);
void heedi_tool_input_close(struct heedi_tool_input *input);

/* ---- output.c: lines to standard output or a file ---- */

struct heedi_tool_output;
/* `path` NULL or "-": standard output. A regular file is written as PATH.part until finish. */
int heedi_tool_output_open(const char *path, struct heedi_tool_output **output);
/* Writes bytes and a newline and flushes. Says at the first failure why. */
int heedi_tool_output_line(struct heedi_tool_output *output, const char *bytes, size_t count);
/* Frees `output` (NULL is allowed). `complete`: renames PATH.part to PATH; otherwise PATH.part
 * stays if a line was written to it. Returns an exit code. */
int heedi_tool_output_finish(struct heedi_tool_output *output, bool complete);

/* ---- report.c: a report as a whole ---- */

/* Has a report written to a file, which gets its name when it is whole. `write` returns false when
 * memory is out. Says what is wrong and returns an exit code. */
int heedi_tool_report(const char *path, bool (*write)(const void *what, FILE *stream),
                      const void *what);
/* That a report can be written is looked at before the long work. `path` NULL or "-": nothing to
 * look at. */
int heedi_tool_report_try(const char *path);

/* ---- backend_list.c: lists such as "avx2,vulkan:1(f16=1),/folder/heed-backend-scalar.so" ---- */

/* Length of the first entry; commas in parentheses belong to it. */
size_t heedi_tool_entry_length(const char *list);
/* Where the name begins in an entry of `length` bytes: behind a plugin's folder and
 * "heed-backend-".
 */
const char *heedi_tool_entry_name(const char *entry, size_t length);
/* The entry for a device: "vulkan" for the first of a backend, else "vulkan:1". */
enum { TOOL_DEVICE_ENTRY = 48 };
void heedi_tool_device_entry(const struct heed_device *device, char entry[TOOL_DEVICE_ENTRY]);
/* Whether the first entry of a list, options aside, names the device: by its backend, by number, or
 * by the path of its plugin. */
bool heedi_tool_entry_names(const char *entry, const struct heed_device *device);

/* ---- shadow.c: runs on another backend in the background ---- */

/* Opens the shadow that the options ask for; *shadow is NULL without one. Says what is wrong and
 * returns an exit code. */
int heedi_tool_shadow_open(struct heed_context *context, const struct heedi_tool_options *options,
                           struct heed_shadow **shadow);
/* Waits for what is queued and says on stderr what came of it. */
void heedi_tool_shadow_report(struct heed_shadow *shadow,
                              const struct heedi_tool_shadow_options *options);

/* ---- progress.c: one line on a terminal's stderr ---- */

void heedi_tool_progress_show(uint64_t lines, uint64_t done_bytes, uint64_t total_bytes);
/* Any other text in its place, shorter than a line. */
void heedi_tool_progress_text(const char *text);
/* Takes the bar away, if there is one. */
void heedi_tool_progress_hide(void);

/* ---- verbs ---- */
int heedi_tool_translate(const struct heedi_tool_options *options);
int heedi_tool_devices(const struct heedi_tool_options *options);
int heedi_tool_inspect(const struct heedi_tool_options *options);
int heedi_tool_convert(const struct heedi_tool_options *options);
int heedi_tool_bench(const struct heedi_tool_options *options);
int heedi_tool_check(const struct heedi_tool_options *options);
/* "discrete gpu", of an enum heed_device_type. */
const char *heedi_tool_device_type(uint32_t type);

#endif
