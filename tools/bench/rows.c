/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a translation on one backend, line by line: the same on the terminal and on the
 * page. */
#include "tools/bench/bench.h"

#define ROW(name)                                                                                  \
    static const char *name(const struct heedi_bench *bench, size_t i,                             \
                            struct heedi_bench_number *buffer)
#define NUMBER(...) (snprintf(buffer->text, sizeof buffer->text, __VA_ARGS__), buffer->text)

ROW(tokens_line) {
    const struct heedi_bench_translation *it = &bench->translations[i];
    return NUMBER("%.0f", (double)it->tokens / it->total_s);
}
ROW(words_line) {
    return NUMBER("%.0f", (double)bench->text.words / bench->translations[i].total_s);
}
ROW(tokens_batch) {
    const struct heedi_bench_translation *it = &bench->translations[i];
    return NUMBER("%s%.0f", it->batch.stable ? "" : "~", (double)it->tokens / it->batch.median);
}
ROW(words_batch) {
    return NUMBER("%.0f", (double)bench->text.words / bench->translations[i].batch.median);
}
ROW(latency_median) {
    return heedi_bench_print_time(buffer, bench->translations[i].latency.median);
}
ROW(latency_p10) {
    return heedi_bench_print_time(buffer, bench->translations[i].latency.p10);
}
ROW(latency_p90) {
    return heedi_bench_print_time(buffer, bench->translations[i].latency.p90);
}
ROW(latency_p99) {
    return heedi_bench_print_time(buffer, bench->translations[i].latency.p99);
}
ROW(total) {
    return heedi_bench_print_time(buffer, bench->translations[i].total_s);
}
ROW(ideal_total) {
    if (!heedi_bench_has_roof(bench, i))
        return "-";
    return heedi_bench_print_time(buffer, bench->translations[i].ideal_s);
}
ROW(times_ideal) {
    const struct heedi_bench_translation *it = &bench->translations[i];
    return heedi_bench_has_roof(bench, i) ? NUMBER("%.2f", it->total_s / it->ideal_s) : "-";
}
ROW(on_device) {
    const double seconds = bench->translations[i].device_s;
    return seconds > 0 ? heedi_bench_print_time(buffer, seconds) : "-";
}
ROW(opening) {
    return heedi_bench_print_time(buffer, bench->translations[i].open_s);
}
ROW(first_line) {
    return heedi_bench_print_time(buffer, bench->translations[i].first_s);
}
ROW(cold_start) {
    const double seconds = bench->translations[i].cold_s;
    return seconds >= 0 ? heedi_bench_print_time(buffer, seconds) : "-";
}
ROW(peak_memory) {
    struct heedi_tool_size size;
    const uint64_t bytes = bench->translations[i].peak_bytes;
    return bytes > 0 ? NUMBER("%s", heedi_tool_print_size(&size, (double)bytes)) : "-";
}
ROW(lines_failed) {
    return NUMBER("%zu", bench->translations[i].failed);
}
ROW(lines_differing) {
    return NUMBER("%zu", bench->translations[i].differing);
}
ROW(bleu) {
    return NUMBER("%.2f", bench->translations[i].bleu);
}
ROW(passes) {
    return NUMBER("%zu", bench->translations[i].passes);
}
ROW(batches) {
    return NUMBER("%zu", bench->translations[i].batch.count);
}

static const struct heedi_bench_row table[] = {
    {"line by line", "tokens/s", tokens_line},
    {"", "words/s", words_line},
    {"", "a line, median", latency_median},
    {"", "p10", latency_p10},
    {"", "p90", latency_p90},
    {"", "p99", latency_p99},
    {"", "all lines", total},
    {"", "on the device", on_device},
    {"", "ideal", ideal_total},
    {"", "times the ideal", times_ideal},
    {"", "passes", passes},
    {"all at once", "tokens/s", tokens_batch},
    {"", "words/s", words_batch},
    {"", "samples", batches},
    {"start", "opening the model", opening},
    {"", "first line after it", first_line},
    {"", "cold, to the first line", cold_start},
    {"memory", "peak of the process", peak_memory},
    {"lines", "failed", lines_failed},
    {"", "unlike the first's", lines_differing},
    {"quality", "BLEU", bleu},
};

size_t heedi_bench_rows(const struct heedi_bench *bench, const struct heedi_bench_row **rows) {
    *rows = table;
    /* the last one needs a reference */
    return sizeof table / sizeof *table - (bench->text.reference == NULL);
}
