/* SPDX-License-Identifier: Apache-2.0 */
/* Options: one table that parsing, help and suggestions all read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

struct option {
    uint32_t bit;
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: a switch */
    const char *help;     /* lines after the first are indented by the printer */
};

static const struct option table[] = {
    {TOOL_MODEL, "model", 0, "PATH",
     "model: a Hugging Face Marian directory or a GGUF file\n"
     "(default: the one that comes with heed, or HEED_DEFAULT_MODEL)"},
    {TOOL_BACKEND, "backend", 0, "A,B,C",
     "backends in order of preference: names, name:device, or paths of\n"
     "plugin files; with options in parentheses where a plugin has any;\n"
     "'auto': all that are installed. With '?' at its end\n"
     "a backend is opened only where those before it cannot do all the\n"
     "work; end the list with 'only' to allow no fallback to scalar\n"
     "(default: HEED_BACKEND, else the processor's backends, fastest first)"},
    {TOOL_THREADS, "threads", 0, "N", "processor threads (default: all that may be used)"},
    {TOOL_BEAM, "beam", 0, "N", "hypotheses kept by the search; only 1 (greedy) for now"},
    {TOOL_MAX_LENGTH, "max-length", 0, "N",
     "most tokens of a translation (default: the model's limit)"},
    {TOOL_STEPS, "steps-per-submit", 0, "N",
     "most decoding steps that a device takes in one submission; the\n"
     "translation is the same (default: 1 to 8 on a GPU, by the time that\n"
     "steps take; 1 elsewhere)"},
    {TOOL_INPUT_FILE, "input", 'i', "FILE",
     "read lines from FILE ('-': standard input); may be repeated"},
    {TOOL_OUTPUT_FILE, "output", 'o', "FILE",
     "write to FILE instead of standard output; it is called FILE.part\n"
     "until it is complete"},
    {TOOL_FORMAT, "format", 0, "text|json", "form of the output (default: text)"},
    {TOOL_TYPE, "type", 0, "f32|f16|int8|q8_0",
     "type of stored matrices (default: f16); with int8 (a scale per row)\n"
     "and q8_0 (a scale per 32 values) products are computed in 8 bits"},
    {TOOL_PROFILE, "profile", 0, "FILE", "write a Chrome trace (JSON) of what ran where and when"},
    {TOOL_SHADOW, "shadow", 0, "B",
     "run a share of the work again on backend B, in the background, and\n"
     "say at the end whether it agrees; the translation is the same"},
    {TOOL_SHADOW, "shadow-rate", 0, "R", "the share, 0 to 1 (default: 0.01)"},
    {TOOL_SHADOW, "shadow-seed", 0, "N", "what chooses that share (default: 1)"},
    {TOOL_OP, "op", 0, "A,B", "operators; 'all': every one"},
    {TOOL_SHAPE, "shape", 0, "SHAPE", "shape, such as 32x512x2048:relu; may be repeated"},
    {TOOL_TEXT, "translate", 0, "FILE", "measure the translation of FILE, a sentence per line"},
    {TOOL_REFERENCE, "reference", 0, "FILE",
     "translations of the same lines by people: gives BLEU"},
    {TOOL_BACKENDS, "backends", 0, "A,B,C",
     "backends to compare: names, name:device, or paths of plugin files;\n"
     "A+B: together, A first (default: all that can be used here)"},
    {TOOL_DTYPE, "dtype", 0, "TYPE",
     "f32, f16, bf16 or i8: type of weights, of keys and values, or of\n"
     "all operands where there are neither (default: f32)"},
    {TOOL_WARM_CACHE, "warm-cache", 0, NULL, "one set of operands, again and again"},
    {TOOL_SECONDS, "seconds", 0, "N", "most time for one backend in one measurement (default: 2)"},
    {TOOL_SEED, "seed", 0, "N", "what operands are drawn from (default: 1)"},
    {TOOL_JSON, "json", 0, NULL, "print JSON instead of tables"},
    {TOOL_CSV, "csv", 0, NULL, "print CSV instead of tables"},
    {TOOL_REPORT, "report", 0, "FILE.html", "also write a page with charts, complete in itself"},
    {TOOL_CHECK, "backend", 0, "A,B,C",
     "backends to check, each by itself: names, name:device, or paths of\n"
     "plugin files; may be repeated\n"
     "(default: all that can be used here but devices in software)"},
    {TOOL_CHECK, "all", 0, NULL,
     "every backend, devices in software too, as a matrix of backends and\n"
     "operators, with the precision that they are found to have"},
    {TOOL_CHECK, "cases", 0, "N",
     "cases of each operator to judge; what a backend declines comes on\n"
     "top (default: 200 to 1200, declined ones included)"},
    {TOOL_CHECK, "case", 0, "N", "only this case of an operator"},
    {TOOL_CHECK, "threads", 0, "A,B,C",
     "numbers of threads that must give the same bits (default: 1,4)"},
    {TOOL_CHECK, "repeat", 0, "N", "runs of each case that must give the same bits (default: 3)"},
    {TOOL_CHECK, "minutes", 0, "N", "go on with new cases for so long"},
    {TOOL_CHECK, "input", 0, "TEXT", "with --model: what is translated (default: a sentence)"},
    {TOOL_CHECK, "against", 0, "B|f64",
     "with --model: the other side, a backend or references in double\n"
     "precision (default: f64)"},
    {TOOL_CHECK, "tokens", 0, "N", "with --model: steps of the decoder to look at (default: 8)"},
    {TOOL_CHECK, "save", 0, "FOLDER", "where failing cases are written (default: '.')"},
    {TOOL_CHECK, "replay", 0, "FILE", "run the case in FILE"},
    {TOOL_TUNE, "tune", 0, NULL,
     "find the best shapes of workgroups for the devices, and keep them;\n"
     "before anything else is measured"},
    {TOOL_BUNDLE, "bundle", 0, "FILE.json",
     "write all that can be measured of the devices here, tuning included,\n"
     "into one file, for those who work on heed"},
    {TOOL_VERBOSE, "verbose", 'v', NULL, "say on standard error what ran where, memory and time"},
    {TOOL_HELP, "help", 'h', NULL, "show this help"},
};

enum { OPTION_COUNT = sizeof table / sizeof *table };

/* ---- suggestions ---- */

/* Edits (insert, delete, replace) that turn a into b; rows of the usual table, kept short. */
static size_t edit_distance(const char *a, const char *b) {
    enum { LONGEST = 32 };
    size_t row[LONGEST + 1];
    const size_t rows = strlen(a), columns = strlen(b);
    if (columns > LONGEST || rows > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[columns];
}

const char *heedi_tool_suggest(const char *word, const char *const *candidates) {
    const char *nearest = NULL;
    const size_t length = strlen(word);
    size_t least = 4; /* further away than three edits is another word */
    for (; *candidates != NULL; candidates++) {
        if (length >= 3 && strncmp(*candidates, word, length) == 0)
            return *candidates;
        const size_t distance = edit_distance(word, *candidates);
        if (distance < least && distance < length && distance < strlen(*candidates)) {
            least = distance;
            nearest = *candidates;
        }
    }
    return nearest;
}

static int unknown_option(const struct heedi_tool_verb *verb, const char *word, size_t length) {
    char name[34] = "";
    const char *names[OPTION_COUNT + 1];
    size_t count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((verb->options | TOOL_HELP) & table[i].bit)
            names[count++] = table[i].name;
    names[count] = NULL;
    if (strncmp(word, "--", 2) == 0 && length - 2 < sizeof name)
        memcpy(name, word + 2, length - 2);
    const char *near = heedi_tool_suggest(name, names);
    if (near != NULL)
        heedi_tool_message("unknown option '%.*s'; did you mean '--%s'? See heed %s --help",
                           (int)length, word, near, verb->name);
    else
        heedi_tool_message("unknown option '%.*s'; see heed %s --help (what is no option, but "
                           "begins with '-', goes after '--')",
                           (int)length, word, verb->name);
    return TOOL_USAGE;
}

/* ---- values ---- */

static bool parse_from(const char *name, const char *value, uint32_t least, uint32_t most,
                       uint32_t *number) {
    char *end = NULL;
    errno = 0;
    const unsigned long long parsed = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || parsed < least ||
        parsed > most) {
        heedi_tool_message("--%s: expected a whole number from %u to %lu, got '%s'", name,
                           (unsigned)least, (unsigned long)most, value);
        return false;
    }
    *number = (uint32_t)parsed;
    return true;
}

static bool parse_number(const char *name, const char *value, uint32_t most, uint32_t *number) {
    return parse_from(name, value, 1, most, number);
}

static bool parse_choice(const struct option *option, const char *value, const char *first,
                         const char *second, bool *is_second) {
    *is_second = strcmp(value, second) == 0;
    if (*is_second || strcmp(value, first) == 0)
        return true;
    heedi_tool_message("--%s: expected %s or %s, got '%s'", option->name, first, second, value);
    return false;
}

static bool parse_dtype(const struct option *option, const char *value, enum heed_dtype *dtype) {
    static const enum heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16, HEED_I8};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(value, heed_dtype_name(types[i])) == 0) {
            *dtype = types[i];
            return true;
        }
    heedi_tool_message("--%s: expected f32, f16, bf16 or i8, got '%s'", option->name, value);
    return false;
}

static bool parse_share(const char *name, const char *value, double *share) {
    char *end = NULL;
    *share = strtod(value, &end);
    if (value[strspn(value, "0123456789.eE+-")] == '\0' && *end == '\0' && *share >= 0 &&
        *share <= 1)
        return true;
    heedi_tool_message("--%s: expected a number from 0 to 1, got '%s'", name, value);
    return false;
}

static bool set_shadow_option(const char *name, const char *value,
                              struct heedi_tool_shadow_options *shadow) {
    if (strcmp(name, "shadow") == 0) {
        shadow->backend = value;
        return true;
    }
    shadow->detailed = true;
    if (strcmp(name, "shadow-rate") == 0)
        return parse_share(name, value, &shadow->rate);
    return parse_from(name, value, 0, UINT32_MAX, &shadow->seed);
}

/* Options of `heed check` alone. */
static bool set_check_option(const char *name, const char *value,
                             struct heedi_tool_check_options *check) {
    if (strcmp(name, "backend") == 0)
        check->backends[check->backend_count++] = value;
    else if (strcmp(name, "threads") == 0)
        check->threads = value;
    else if (strcmp(name, "all") == 0)
        check->all = true;
    else if (strcmp(name, "save") == 0)
        check->folder = value;
    else if (strcmp(name, "replay") == 0)
        check->replay = value;
    else if (strcmp(name, "input") == 0)
        check->input = value;
    else if (strcmp(name, "against") == 0)
        check->against = value;
    else if (strcmp(name, "tokens") == 0)
        return parse_number(name, value, 1000, &check->tokens);
    else if (strcmp(name, "cases") == 0)
        return parse_number(name, value, 100000000, &check->cases);
    else if (strcmp(name, "repeat") == 0)
        return parse_number(name, value, 1000000, &check->repeat);
    else if (strcmp(name, "minutes") == 0)
        return parse_number(name, value, 10000, &check->minutes);
    else {
        check->single = true;
        return parse_from(name, value, 0, UINT32_MAX, &check->number);
    }
    return true;
}

/* Options of operators, and of `heed bench` alone. */
static bool set_bench_option(const struct option *option, const char *value,
                             struct heedi_tool_options *options) {
    struct heedi_tool_bench_options *bench = &options->bench;
    switch (option->bit) {
    case TOOL_OP:
        bench->ops = value;
        break;
    case TOOL_SHAPE:
        bench->shapes[bench->shape_count++] = value;
        break;
    case TOOL_TEXT:
        bench->translate = value;
        break;
    case TOOL_REFERENCE:
        bench->reference = value;
        break;
    case TOOL_BACKENDS:
        bench->backends = value;
        break;
    case TOOL_DTYPE:
        return parse_dtype(option, value, &bench->dtype);
    case TOOL_WARM_CACHE:
        bench->warm_cache = true;
        break;
    case TOOL_SECONDS:
        return parse_number(option->name, value, 3600, &bench->seconds);
    case TOOL_SEED:
        return parse_number(option->name, value, UINT32_MAX, &bench->seed);
    case TOOL_JSON:
        bench->json = true;
        break;
    case TOOL_CSV:
        bench->csv = true;
        break;
    case TOOL_TUNE:
        bench->tune = true;
        break;
    case TOOL_BUNDLE:
        bench->bundle = value;
        break;
    default:
        bench->report = value;
        break;
    }
    return true;
}

static bool parse_type(const struct option *option, const char *value, enum heed_dtype *type) {
    static const struct {
        const char *name;
        enum heed_dtype type;
    } types[] = {{"f32", HEED_F32}, {"f16", HEED_F16}, {"int8", HEED_I8}, {"q8_0", HEED_Q8_0}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(value, types[i].name) == 0) {
            *type = types[i].type;
            return true;
        }
    heedi_tool_message("--%s: expected f32, f16, int8 or q8_0, got '%s'", option->name, value);
    return false;
}

/* `value` is "" for a switch. */
static bool set_option(const struct option *option, const char *value,
                       struct heedi_tool_options *options) {
    uint32_t beam = 1;
    if (option->argument != NULL && *value == '\0') {
        heedi_tool_message("--%s: the value is empty", option->name);
        return false;
    }
    switch (option->bit) {
    case TOOL_MODEL:
        options->model = value;
        break;
    case TOOL_BACKEND:
        options->backends = value;
        break;
    case TOOL_THREADS:
        return parse_number(option->name, value, 1024, &options->threads);
    case TOOL_BEAM:
        if (!parse_number(option->name, value, 1024, &beam))
            return false;
        if (beam != 1)
            heedi_tool_message("--beam %u: this version searches greedily, only 1 is possible",
                               (unsigned)beam);
        return beam == 1;
    case TOOL_MAX_LENGTH:
        return parse_number(option->name, value, 1000000, &options->max_length);
    case TOOL_STEPS:
        return parse_number(option->name, value, HEED_MAX_STEPS_PER_SUBMIT, &options->steps);
    case TOOL_INPUT_FILE:
        options->inputs[options->input_count++] = value;
        break;
    case TOOL_OUTPUT_FILE:
        options->output = value;
        break;
    case TOOL_FORMAT:
        return parse_choice(option, value, "text", "json", &options->json);
    case TOOL_TYPE:
        return parse_type(option, value, &options->type);
    case TOOL_PROFILE:
        options->profile = value;
        break;
    case TOOL_VERBOSE:
        options->verbose = true;
        break;
    case TOOL_HELP:
        options->help = true;
        break;
    case TOOL_SHADOW:
        return set_shadow_option(option->name, value, &options->shadow);
    case TOOL_CHECK:
        return set_check_option(option->name, value, &options->check);
    default:
        return set_bench_option(option, value, options);
    }
    return true;
}

/* ---- the command line ---- */

/* The option that `word` ("--name", "--name=value", "-x") names, if the verb takes it. */
static const struct option *find_option(const struct heedi_tool_verb *verb, const char *word,
                                        size_t length) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &table[i];
        const bool named = length > 2 && word[1] == '-' && strlen(option->name) == length - 2 &&
                           memcmp(option->name, word + 2, length - 2) == 0;
        const bool lettered = length == 2 && option->letter != 0 && word[1] == option->letter;
        if ((named || lettered) && ((verb->options | TOOL_HELP) & option->bit))
            return option;
    }
    return NULL;
}

/* Reads the option at argv[*at], leaving *at at its last word. */
static int parse_option(const struct heedi_tool_verb *verb, int count, char **argv, int *at,
                        struct heedi_tool_options *options) {
    const char *word = argv[*at];
    const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    const size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *option = find_option(verb, word, length);
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (option == NULL)
        return unknown_option(verb, word, length);
    if (option->argument == NULL && value != NULL) {
        heedi_tool_message("--%s takes no value, got '%s'", option->name, value);
        return TOOL_USAGE;
    }
    if (option->argument != NULL && value == NULL) {
        if (*at + 1 >= count) {
            heedi_tool_message("--%s needs a value: --%s %s", option->name, option->name,
                               option->argument);
            return TOOL_USAGE;
        }
        value = argv[++*at];
    }
    return set_option(option, value != NULL ? value : "", options) ? TOOL_OK : TOOL_USAGE;
}

int heedi_tool_options_parse(const struct heedi_tool_verb *verb, int count, char **argv,
                             struct heedi_tool_options *options) {
    bool options_ended = false;
    *options = (struct heedi_tool_options){.shadow = {.rate = 0.01, .seed = 1}};
    options->inputs = calloc((size_t)count + 1, sizeof *options->inputs);
    options->arguments = calloc((size_t)count + 1, sizeof *options->arguments);
    options->bench.shapes = calloc((size_t)count + 1, sizeof *options->bench.shapes);
    options->check.backends = calloc((size_t)count + 1, sizeof *options->check.backends);
    if (options->inputs == NULL || options->arguments == NULL || options->bench.shapes == NULL ||
        options->check.backends == NULL) {
        heedi_tool_message("out of memory");
        return TOOL_INTERNAL;
    }
    for (int i = 0; i < count; i++) {
        const char *word = argv[i];
        if (!options_ended && strcmp(word, "--") == 0) {
            options_ended = true;
        } else if (options_ended || word[0] != '-' || word[1] == '\0') {
            options->arguments[options->argument_count++] = word;
        } else {
            const int code = parse_option(verb, count, argv, &i, options);
            if (code != TOOL_OK)
                return code;
        }
    }
    if (options->help)
        return TOOL_OK;
    if (options->argument_count < verb->least_arguments ||
        options->argument_count > verb->most_arguments) {
        const bool few = options->argument_count < verb->least_arguments;
        heedi_tool_message("%s '%s'; usage: heed %s [OPTION...]%s",
                           few ? "an argument is missing after" : "unexpected argument",
                           few ? verb->name : options->arguments[verb->most_arguments], verb->name,
                           verb->usage);
        return TOOL_USAGE;
    }
    return TOOL_OK;
}

void heedi_tool_options_free(struct heedi_tool_options *options) {
    free(options->inputs);
    free(options->arguments);
    free(options->bench.shapes);
    free(options->check.backends);
}

void heedi_tool_options_help(const struct heedi_tool_verb *verb) {
    printf("heed %s: %s\n\nusage: heed %s [OPTION...]%s\n\n%s\noptions:\n", verb->name,
           verb->summary, verb->name, verb->usage, verb->help);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &table[i];
        char left[40] = "";
        const char *line = option->help;
        if (!((verb->options | TOOL_HELP) & option->bit))
            continue;
        snprintf(left, sizeof left, "%c%c%s --%s %s", option->letter != 0 ? '-' : ' ',
                 option->letter != 0 ? option->letter : ' ', option->letter != 0 ? "," : " ",
                 option->name, option->argument != NULL ? option->argument : "");
        for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1, left[0] = '\0')
            printf("  %-24s %.*s\n", left, (int)(end - line), line);
        printf("  %-24s %s\n", left, line);
    }
    puts("\nExit codes are listed by heed --help.");
}
