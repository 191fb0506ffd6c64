/* SPDX-License-Identifier: Apache-2.0 */
/* The `heed` program: finds the verb, reads its options, runs it. */
#include <errno.h>
#include <string.h>

#include "tools/os.h"
#include "tools/tool.h"

static const struct heedi_tool_verb verbs[] = {
    {
        .name = "translate",
        .usage = " [TEXT...]",
        .summary = "translate arguments, files, or standard input line by line",
        .help =
            "Each argument is one text. Without arguments and without --input, lines are read\n"
            "from standard input and translated as soon as they are there. One line goes out\n"
            "for each line that comes in, in the same order; empty lines stay empty. A line\n"
            "that cannot be translated is reported on standard error and leaves an empty line.\n"
            "With --format json each line is an object: text, translation, score (the mean\n"
            "log-probability of the tokens), tokens (ids), error (null where there is none).\n"
            "A text that begins with '-' goes after '--'.\n\n"
            "--shadow B watches over a backend at work: a share of what it computes is computed\n"
            "again by backend B, on a copy of what went in, by a thread of low priority. At the\n"
            "end standard error says how much was compared and whether it agreed; where it did\n"
            "not, which node of which backend is wrong. The exit code stays the same. When the\n"
            "thread cannot keep up, some of that share is left out, and counted.\n",
        .options = TOOL_MODEL | TOOL_BACKEND | TOOL_THREADS | TOOL_BEAM | TOOL_MAX_LENGTH |
                   TOOL_STEPS | TOOL_INPUT_FILE | TOOL_OUTPUT_FILE | TOOL_FORMAT | TOOL_PROFILE |
                   TOOL_SHADOW | TOOL_VERBOSE,
        .most_arguments = SIZE_MAX,
        .run = heedi_tool_translate,
    },
    {
        .name = "devices",
        .usage = "",
        .summary = "list the backends and devices that can compute here",
        .help = "Plugins are looked for in the folders of HEED_PLUGIN_PATH and in the plugin\n"
                "folder of the installation. One that cannot be used is listed with the reason.\n"
                "Under a device stands what its backend tells of it: of vulkan the driver,\n"
                "identity, memory, limits, features that it has and lacks, and the kernels\n"
                "that these select. BACKEND:N chooses device N, as in --backend vulkan:1.\n",
        .options = TOOL_FORMAT | TOOL_VERBOSE,
        .run = heedi_tool_devices,
    },
    {
        .name = "inspect",
        .usage = " [MODEL]",
        .summary = "show the configuration, tensors and sizes of a model",
        .help = "MODEL is a Hugging Face Marian directory or a GGUF file; the default model\n"
                "without it.\n",
        .options = TOOL_MODEL | TOOL_FORMAT | TOOL_VERBOSE,
        .most_arguments = 1,
        .run = heedi_tool_inspect,
    },
    {
        .name = "convert",
        .usage = " MODEL -o FILE.gguf",
        .summary = "package a model as one GGUF file",
        .help = "Writes weights, configuration, vocabulary and tokenizers into one GGUF v3 file.\n"
                "It is written under a temporary name and renamed when it is whole.\n",
        .options = TOOL_OUTPUT_FILE | TOOL_TYPE | TOOL_VERBOSE,
        .least_arguments = 1,
        .most_arguments = 1,
        .run = heedi_tool_convert,
    },
    {
        .name = "bench",
        .usage = "",
        .summary = "compare backends: operators, translation, the machine's limits",
        .help = "Without options: a tour of two minutes, every backend on shapes of real models.\n"
                "--op measures operators, on their own shapes or on those of --shape (for all\n"
                "shapes: --op help); --translate measures a model at work.\n\n"
                "First the machine's limits are measured with the same number of threads: a loop\n"
                "of multiply-adds, and reading from each cache and from memory. The ideal time of\n"
                "a piece of work is max(flops / peak, bytes / bandwidth of the level that the\n"
                "operands lie in); 'ideal' in the tables is its share of the measured time. A\n"
                "device of its own has its own limits, its backend's best product and copying;\n"
                "there 'on device' is the time by the device's own clock, which 'arithmetic',\n"
                "'traffic' and 'ideal' are computed from.\n"
                "Operands are taken in turn from sets that together are three times the last\n"
                "cache (256 sets at most), as the weights of a model are not in the cache when\n"
                "their turn comes, unless --warm-cache is given. Backends take turns by slices of\n"
                "milliseconds, so that a drifting machine harms none. A run includes what brings\n"
                "operands to a device and results back. Sampling ends when the 95 % interval of\n"
                "every median is no wider than 2 % of it, or when the time is up ('~' marks such\n"
                "a median). 'prepare' is what compiling the operator and packing its weights\n"
                "takes, once.\n\n"
                "--translate gives words of the source and tokens of the translation per second,\n"
                "one line at a time and all lines at once; latency of single lines; the time to\n"
                "open the model; the time from the start of the program to its first line; and\n"
                "the peak memory. The last two are those of heed translate in a process of its\n"
                "own. A backend is helped out by scalar where it cannot run an operator. The\n"
                "ideal counts the work that the programs contain, padding of buckets included.\n"
                "--tune finds the shapes of workgroups that suit a device (a backend must offer\n"
                "some, as vulkan does): each is compared with the scalar backend's results, then\n"
                "with the others' times; the winners are kept in the user's cache folder and used\n"
                "from then on.\n\n"
                "--bundle is for the owner of a device who wants to help: it tunes, goes on the\n"
                "tour (with weights of 32 and 16 bits) and writes devices, drivers, limits,\n"
                "versions and all figures into one file. It holds no names of users, hosts or\n"
                "folders, and no text but that of heed's own sentences' figures.\n\n"
                "BLEU is computed as sacreBLEU does (13a, mixed case, exponential smoothing).\n",
        .options = TOOL_OP | TOOL_SHAPE | TOOL_TEXT | TOOL_REFERENCE | TOOL_MODEL | TOOL_BACKENDS |
                   TOOL_THREADS | TOOL_DTYPE | TOOL_WARM_CACHE | TOOL_MAX_LENGTH | TOOL_STEPS |
                   TOOL_SECONDS | TOOL_SEED | TOOL_JSON | TOOL_CSV | TOOL_OUTPUT_FILE |
                   TOOL_REPORT | TOOL_TUNE | TOOL_BUNDLE | TOOL_VERBOSE,
        .run = heedi_tool_bench,
    },
    {
        .name = "check",
        .usage = "",
        .summary = "check that backends compute what the operators mean",
        .help =
            "Draws cases of every operator (shapes, views, types, attributes, values), runs them\n"
            "on each backend in guarded and poisoned memory, and compares with references in\n"
            "double precision by bounds derived from how the backend says that it rounds:\n"
            "'hard' holds for any order of summation, 'statistical' for sums of random values.\n"
            "A table shows the largest error as a share of the bounds, and where it is.\n\n"
            "The seed is printed and replays: heed check --op OP --case N --seed S. A case that\n"
            "fails is made as small as it can be and written to a file that\n"
            "heed check --replay FILE runs again, on any backend. What a backend declines is\n"
            "counted; of those that come with heed it is known how much that may be.\n\n"
            "--model PATH ('default': the one that comes with heed) translates a text and "
            "computes\n"
            "each graph of it node by node: on the operands of the other side, which tells the\n"
            "kernel that is wrong, and on its own, which tells how errors grow; then as a whole\n"
            "and in the groups of nodes that the backend fuses. With --all and --report the page\n"
            "has this too, of the default model.\n\n"
            "The exit code is 0 only if everything holds.\n",
        .options =
            TOOL_MODEL | TOOL_OP | TOOL_SEED | TOOL_JSON | TOOL_REPORT | TOOL_CHECK | TOOL_VERBOSE,
        .run = heedi_tool_check,
    },
};

enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

static void print_help(FILE *stream) {
    fputs("Translates text with attention models on the processor you have.\n\n"
          "usage: heed VERB [OPTION...] [ARGUMENT...]\n"
          "       heed VERB --help\n"
          "       heed --version\n\n",
          stream);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(stream, "  %-11s %s\n", verbs[i].name, verbs[i].summary);
    fputs("\nexit codes:\n"
          "  0  success\n"
          "  1  internal error (out of memory, device lost)\n"
          "  2  wrong usage\n"
          "  3  a model or an input file cannot be opened or read\n"
          "  4  some lines could not be translated; all others were\n"
          "  5  the output could not be written (full disk, closed pipe)\n"
          "  6  no usable backend\n"
          "  7  a backend does not compute what it should\n\n"
          "environment:\n"
          "  HEED_BACKEND        backends to use, as with --backend\n"
          "  HEED_PLUGIN_PATH    folders with plugins, separated by ':', searched first\n"
          "  HEED_DEFAULT_MODEL  the model that is used without --model\n",
          stream);
}

static int unknown_verb(const char *word) {
    const char *names[VERB_COUNT + 1];
    for (size_t i = 0; i < VERB_COUNT; i++)
        names[i] = verbs[i].name;
    names[VERB_COUNT] = NULL;
    const char *kind = word[0] == '-' ? "option" : "verb";
    const char *near = heedi_tool_suggest(word, names);
    if (near != NULL)
        heedi_tool_message("unknown %s '%s'; did you mean '%s'? See heed --help", kind, word, near);
    else
        heedi_tool_message("unknown %s '%s'; see heed --help", kind, word);
    return TOOL_USAGE;
}

static const struct heedi_tool_verb *find_verb(const char *word) {
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i].name, word) == 0)
            return &verbs[i];
    return NULL;
}

static int run_verb(const struct heedi_tool_verb *verb, int count, char **argv) {
    struct heedi_tool_options options;
    int code = heedi_tool_options_parse(verb, count, argv, &options);
    if (code == TOOL_OK && options.help)
        heedi_tool_options_help(verb);
    else if (code == TOOL_OK)
        code = verb->run(&options);
    heedi_tool_options_free(&options);
    return code;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    const char *word = argv[1];
    const struct heedi_tool_verb *verb = find_verb(word);
    if (verb != NULL)
        return run_verb(verb, argc - 2, argv + 2);
    if (strcmp(word, "--version") == 0) {
        printf("heed %s (plugin interface %u.%u)\n", heed_version(), HEED_ABI_MAJOR,
               HEED_ABI_MINOR);
        return TOOL_OK;
    }
    if (strcmp(word, "--help") != 0 && strcmp(word, "-h") != 0 && strcmp(word, "help") != 0)
        return unknown_verb(word);
    if (argc < 3) {
        print_help(stdout);
        return TOOL_OK;
    }
    verb = find_verb(argv[2]);
    if (verb == NULL)
        return unknown_verb(argv[2]);
    heedi_tool_options_help(verb);
    return TOOL_OK;
}

int main(int argc, char **argv) {
    heedi_tool_os_ignore_closed_pipes();
    const int code = run(argc, argv);
    errno = 0;
    if (code == TOOL_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        heedi_tool_message("cannot write standard output: %s",
                           errno != 0 ? strerror(errno) : "an earlier write failed");
        return TOOL_OUTPUT;
    }
    return code;
}
