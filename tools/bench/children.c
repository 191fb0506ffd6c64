/* SPDX-License-Identifier: Apache-2.0 */
/* What a backend does to a process of its own: peak memory, and the time from the start of the
 * program to its first line. Both are those of `heed translate` as a person runs it. */
#include <string.h>

#include "tools/bench/bench.h"

enum { COLD_STARTS = 7, MOST_WORDS = 60 };

struct command {
    const char *words[MOST_WORDS + 1];
    size_t count;
    char threads[16], length[16], steps[16];
};

static void say(struct command *command, const char *word) {
    if (command->count < MOST_WORDS)
        command->words[command->count++] = word;
}

static void begin(struct command *command, const struct heedi_bench *bench, size_t backend) {
    memset(command, 0, sizeof *command);
    snprintf(command->threads, sizeof command->threads, "%u",
             (unsigned)heed_pool_threads(bench->pool));
    say(command, "translate");
    say(command, "--backend");
    say(command, bench->backends[backend].list);
    say(command, "--threads");
    say(command, command->threads);
    if (bench->options->max_length > 0) {
        snprintf(command->length, sizeof command->length, "%u",
                 (unsigned)bench->options->max_length);
        say(command, "--max-length");
        say(command, command->length);
    }
    if (bench->options->steps > 0) {
        snprintf(command->steps, sizeof command->steps, "%u", (unsigned)bench->options->steps);
        say(command, "--steps-per-submit");
        say(command, command->steps);
    }
    if (bench->text.model != NULL) {
        say(command, "--model");
        say(command, bench->text.model);
    }
}

static void measure(struct heedi_bench *bench, size_t backend) {
    const struct heedi_bench_text *text = &bench->text;
    struct heedi_bench_translation *result = &bench->translations[backend];
    struct heedi_bench_stats stats;
    struct heedi_tool_child child;
    struct command command;
    double seconds[COLD_STARTS];
    size_t count = 0;
    heedi_bench_progress(bench, "%s: starting a process", bench->backends[backend].label);
    begin(&command, bench, backend);
    say(&command, "--");
    say(&command, text->lines[0]);
    for (int i = 0; i < COLD_STARTS; i++)
        if (heedi_tool_os_run(command.words, &child) && child.code == TOOL_OK &&
            child.first_output_s >= 0)
            seconds[count++] = child.first_output_s;
    heedi_bench_stats(seconds, count, &stats);
    result->cold_s = count > 0 ? stats.median : -1;
    if (count == 0)
        return;
    begin(&command, bench, backend);
    if (bench->options->bench.translate != NULL) {
        say(&command, "--input");
        say(&command, text->source);
    } else {
        say(&command, "--");
        for (size_t i = 0; i < text->count; i++)
            say(&command, text->lines[i]);
    }
    if (heedi_tool_os_run(command.words, &child) &&
        (child.code == TOOL_OK || child.code == TOOL_LINES))
        result->peak_bytes = child.peak_bytes;
}

void heedi_bench_children(struct heedi_bench *bench) {
    for (size_t i = 0; i < bench->backend_count; i++)
        measure(bench, i);
}
