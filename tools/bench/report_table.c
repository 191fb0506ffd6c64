/* SPDX-License-Identifier: Apache-2.0 */
/* The report on a terminal. */
#include <string.h>

#include "tools/bench/bench.h"

/* The limits of a device. */
static void print_roof(const struct heedi_bench_backend *backend, FILE *stream) {
    struct heedi_bench_number flops, bytes;
    if (backend->roof.level_count == 0)
        return;
    fprintf(stream, "limits of %s: %s (its best product, %s), %s %s\n", backend->label,
            heedi_bench_print_rate(&flops, backend->roof.flops_per_s, "FLOP/s"), backend->product,
            backend->roof.levels[0].name,
            heedi_bench_print_rate(&bytes, backend->roof.levels[0].bytes_per_s, "B/s"));
}

static void print_head(const struct heedi_bench *bench, FILE *stream) {
    const struct heedi_bench_roofline *roofline = &bench->roofline;
    struct heedi_bench_number number;
    struct heedi_tool_size size;
    fprintf(stream, "heed %s%s%s, %s, %s, %u threads on %u processors, seed %llu\n", heed_version(),
            heedi_bench_commit[0] != '\0' ? " " : "", heedi_bench_commit, heedi_bench_compiler,
            bench->machine.processor, (unsigned)roofline->threads,
            (unsigned)bench->machine.processors, (unsigned long long)bench->seed);
    fprintf(stream, "limits: %s (%s)",
            heedi_bench_print_rate(&number, roofline->flops_per_s, "FLOP/s"), roofline->kernel);
    for (size_t i = 0; i < roofline->level_count; i++) {
        const struct heedi_bench_level *level = &roofline->levels[i];
        fprintf(stream, ", %s", level->name);
        if (level->capacity_bytes > 0)
            fprintf(stream, " (%s)", heedi_tool_print_size(&size, level->capacity_bytes));
        fprintf(stream, " %s", heedi_bench_print_rate(&number, level->bytes_per_s, "B/s"));
    }
    fputc('\n', stream);
    const double gain = roofline->flops_per_s / roofline->one_thread_flops_per_s;
    if (gain < 0.8 * roofline->threads)
        fprintf(
            stream,
            "note: %u threads do only %.2f times the arithmetic of one; other work runs on this "
            "machine, or threads share cores\n",
            (unsigned)roofline->threads, gain);
    for (size_t i = 0; i < bench->backend_count; i++)
        fprintf(stream, "%s: %s\n", bench->backends[i].label, bench->backends[i].description);
    for (size_t i = 0; i < bench->backend_count; i++)
        print_roof(&bench->backends[i], stream);
}

/* ---- operators ---- */

/* "~" before a median that did not become stable. */
static void print_result(const struct heedi_bench *bench, const struct heedi_bench_case *it,
                         size_t index, FILE *stream) {
    const struct heedi_bench_result *result = &it->results[index];
    const double seconds = heedi_bench_case_s(result);
    const double ideal = heedi_bench_case_ideal_s(bench, it, index);
    struct heedi_bench_number median, device, p10, p90, flops, bytes, prepare;
    char marked[40], share[16] = "-";
    fprintf(stream, "  %-16s", bench->backends[index].label);
    if (!result->measured) {
        fprintf(stream, " %s\n", result->reason[0] != '\0' ? result->reason : "not measured");
        return;
    }
    const struct heedi_bench_stats *run = &result->run;
    snprintf(marked, sizeof marked, "%s%s", run->stable ? "" : "~",
             heedi_bench_print_time(&median, run->median));
    if (ideal > 0)
        snprintf(share, sizeof share, "%.0f %%", 100 * ideal / seconds);
    fprintf(stream, " %10s %9s %9s %6zu %9s %12s %11s %6s %9s\n", marked,
            heedi_bench_print_time(&p10, run->p10), heedi_bench_print_time(&p90, run->p90),
            run->count,
            result->device_s > 0 ? heedi_bench_print_time(&device, result->device_s) : "-",
            it->flops > 0 ? heedi_bench_print_rate(&flops, it->flops / seconds, "FLOP/s") : "-",
            heedi_bench_print_rate(&bytes, it->bytes / seconds, "B/s"), share,
            heedi_bench_print_time(&prepare, result->prepare_s));
}

static void print_comparison(const struct heedi_bench *bench, FILE *stream) {
    struct heedi_bench_comparison it;
    for (size_t i = 1; i < bench->backend_count; i++)
        if (heedi_bench_compare(bench, 0, i, &it))
            fprintf(stream,
                    "%s is %.2f times as fast as %s (geometric mean of %zu cases, %.2f to %.2f)\n",
                    bench->backends[0].label, it.mean, bench->backends[i].label, it.count, it.least,
                    it.most);
}

static void print_cases(const struct heedi_bench *bench, FILE *stream) {
    struct heedi_bench_number ideal;
    struct heedi_tool_size size;
    char name[96];
    fprintf(stream, "\n  %-16s %10s %9s %9s %6s %9s %12s %11s %6s %9s\n", "operators", "median",
            "p10", "p90", "n", "on device", "arithmetic", "traffic", "ideal", "prepare");
    for (size_t i = 0; i < bench->case_count; i++) {
        const struct heedi_bench_case *it = &bench->cases[i];
        if (it->level == NULL)
            continue;
        fprintf(stream, "%s  (operands %s in %u set%s, %s; ideal %s)\n",
                heedi_bench_case_name(it, name), heedi_tool_print_size(&size, it->working_set),
                (unsigned)it->sets, it->sets == 1 ? "" : "s", it->level->name,
                heedi_bench_print_time(&ideal, it->ideal_s));
        for (size_t b = 0; b < bench->backend_count; b++)
            print_result(bench, it, b, stream);
    }
    print_comparison(bench, stream);
}

/* ---- translation ---- */

static void print_parts(const struct heedi_bench *bench, size_t index, FILE *stream) {
    const struct heedi_bench_translation *it = &bench->translations[index];
    struct heedi_bench_number measured, ideal;
    fprintf(stream, "\n  %s, by operator, line by line with a clock around each node\n",
            bench->backends[index].label);
    fprintf(stream, "  %-16s %10s %11s %11s %7s\n", "operator", "runs", "measured", "ideal",
            "share");
    for (size_t i = 0; i < it->part_count; i++) {
        const struct heedi_bench_part *part = &it->parts[i];
        fprintf(stream, "  %-16s %10llu %11s %11s", part->op[0] != '\0' ? part->op : "(whole part)",
                (unsigned long long)part->runs,
                part->measured_s > 0 ? heedi_bench_print_time(&measured, part->measured_s) : "-",
                heedi_bench_print_time(&ideal, part->ideal_s));
        if (part->measured_s > 0)
            fprintf(stream, " %5.0f %%\n", 100 * part->ideal_s / part->measured_s);
        else
            fputs("       -\n", stream);
    }
}

static void print_translation(const struct heedi_bench *bench, FILE *stream) {
    const struct heedi_bench_text *text = &bench->text;
    const struct heedi_bench_row *rows = NULL;
    struct heedi_tool_size size;
    fprintf(stream, "\ntranslation of %s: %zu lines, %llu words; model: %s, %s of weights (%s)\n",
            text->source, text->count, (unsigned long long)text->words,
            text->model != NULL ? text->model : "default",
            heedi_tool_print_size(&size, text->weight_bytes),
            text->level != NULL ? text->level->name : "not opened");
    fprintf(stream, "  %-38s", "");
    for (size_t i = 0; i < bench->backend_count; i++)
        fprintf(stream, " %14s", bench->backends[i].label);
    fputc('\n', stream);
    const size_t count = heedi_bench_rows(bench, &rows);
    for (size_t r = 0; r < count; r++) {
        fprintf(stream, "  %-13s %-24s", rows[r].group, rows[r].name);
        for (size_t i = 0; i < bench->backend_count; i++) {
            struct heedi_bench_number buffer;
            fprintf(stream, " %14s",
                    bench->translations[i].measured ? rows[r].value(bench, i, &buffer) : "-");
        }
        fputc('\n', stream);
    }
    for (size_t i = 0; i < bench->backend_count; i++)
        if (bench->translations[i].measured)
            fprintf(stream, "  %s ran on %s\n", bench->backends[i].label,
                    bench->translations[i].ran_on);
        else
            fprintf(stream, "  %s: %s\n", bench->backends[i].label, bench->translations[i].reason);
    for (size_t i = 0; i < bench->backend_count; i++)
        if (bench->translations[i].measured)
            print_parts(bench, i, stream);
}

/* ---- tuning ---- */

static void print_tuned(const struct heedi_bench_tuned *kernel, FILE *stream) {
    struct heedi_bench_number time;
    fprintf(stream, "  %s:", kernel->name);
    for (size_t i = 0; i < kernel->case_count; i++)
        fprintf(stream, "%s %s", i > 0 ? "," : "", kernel->cases[i]);
    fputc('\n', stream);
    for (size_t i = 0; i < kernel->choice_count; i++) {
        const struct heedi_bench_choice *choice = &kernel->choices[i];
        fprintf(stream, "    %-12s", choice->text);
        if (choice->wrong)
            fputs("      wrong results", stream);
        else if (choice->seconds <= 0)
            fputs("      not run", stream);
        else
            fprintf(stream, " %10s %6.2f times as fast",
                    heedi_bench_print_time(&time, choice->seconds), 1 / choice->ratio);
        fprintf(stream, "%s%s\n", i == kernel->standard ? "  standard" : "",
                i == kernel->winner ? "  winner" : "");
    }
}

static void print_tuning(const struct heedi_bench *bench, FILE *stream) {
    for (size_t b = 0; b < bench->backend_count; b++) {
        const struct heedi_bench_tuning *tuning = &bench->tunings[b];
        if (tuning->kernel_count == 0)
            continue;
        fprintf(stream, "\ntuning of %s, medians of the shapes' times added up\n",
                bench->backends[b].label);
        for (size_t k = 0; k < tuning->kernel_count; k++)
            print_tuned(&tuning->kernels[k], stream);
        if (tuning->saved)
            fprintf(stream, "  kept for this device: %s\n",
                    tuning->kept[0] != '\0' ? tuning->kept : "the standard choices");
        else
            fprintf(stream, "  not kept: %s\n", tuning->reason);
    }
}

void heedi_bench_table(const struct heedi_bench *bench, FILE *stream) {
    struct heedi_bench_number elapsed;
    print_head(bench, stream);
    print_tuning(bench, stream);
    if (bench->case_count > 0)
        print_cases(bench, stream);
    if (bench->text.count > 0)
        print_translation(bench, stream);
    fprintf(stream, "\nmeasured in %s\n", heedi_bench_print_time(&elapsed, bench->elapsed_s));
}
