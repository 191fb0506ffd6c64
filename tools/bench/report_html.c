/* SPDX-License-Identifier: Apache-2.0 */
/* The report as one page that needs nothing else: no script, no network, no font. */
#include <string.h>
#include <time.h>

#include "tools/bench/page.h"

static const char style[] =
    ":root{color-scheme:light dark;--back:#fbfbfa;--card:#fff;--text:#1d2125;--soft:#5c6670;"
    "--line:#dfe3e6;--strong:#9aa4ad;--mark:#1d2125;--c0:#2a6fbb;--c1:#d9822b;--c2:#2f9e6e;"
    "--c3:#b8529c;--c4:#7a6ad8;--c5:#c2452d;--c6:#4aa3c7;--c7:#8a8f3c;--c8:#7d6b5d;--c9:#5f7f9e;"
    "--c10:#a05a7b;--c11:#4f8f4f}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#14171a;--card:#1c2024;--text:#e8eaec;"
    "--soft:#9aa4ad;--line:#31373d;--strong:#68727b;--mark:#fff;--c0:#5aa2ee;--c1:#f0a04b;"
    "--c2:#4cc38f;--c3:#dd82c4;--c4:#a497f5;--c5:#ec7762;--c6:#76c5e6;--c7:#b9bf62;--c8:#b39c8a;"
    "--c9:#8fb0d0;--c10:#cf8aab;--c11:#7fc07f}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:1040px;padding:28px 24px 56px;"
    "background:var(--back);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI',"
    "Roboto,'Helvetica Neue',Arial,sans-serif}\n"
    "h1{font-size:27px;margin:0 0 2px;letter-spacing:-.01em}h2{font-size:20px;margin:36px 0 4px}"
    "h3{font-size:15px;margin:22px 0 4px}h3 small,figcaption small{font-weight:400;"
    "color:var(--soft);font-size:12.5px}p{margin:4px 0 12px}.soft{color:var(--soft)}\n"
    "section,.card{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:16px 20px;margin:14px 0}\n"
    ".facts{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:0}"
    ".facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}\n"
    ".grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:14px 32px}"
    "figure{margin:0}figcaption{font-weight:600;font-size:14px;margin-bottom:4px}\n"
    "svg{display:block;width:100%;height:auto;font-family:inherit}.wide{overflow-x:auto}"
    ".wide>svg{min-width:680px}.legend{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13.5px}"
    ".legend span{display:inline-flex;align-items:center;gap:6px}.legend svg{width:16px}\n"
    "text{fill:var(--text);font-size:12px}.tick,.axis{fill:var(--soft);font-size:11.5px}"
    ".axis{font-size:12.5px}.label{font-size:12px}.value{font-size:11.5px;"
    "font-variant-numeric:tabular-nums}.none{fill:var(--soft);font-size:11.5px;font-style:italic}"
    ".ceiling{fill:var(--soft);font-size:11.5px;paint-order:stroke;stroke:var(--card);stroke-width:"
    "4px}.grid{stroke:var(--line)}"
    ".full{stroke:var(--strong);stroke-dasharray:4 3}.roof{stroke:var(--text);stroke-width:2}"
    ".inner{stroke:var(--strong);stroke-width:1.2;stroke-dasharray:6 4}"
    ".whisker{stroke:var(--mark);stroke-width:1.1;fill:none;opacity:.75}.ideal{fill:var(--mark);"
    "opacity:.8}circle{stroke:var(--card);stroke-width:1}\n"
    ".c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}"
    ".c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}.c7{fill:var(--c7)}"
    ".c8{fill:var(--c8)}.c9{fill:var(--c9)}.c10{fill:var(--c10)}.c11{fill:var(--c11)}\n"
    "table{border-collapse:collapse;font-size:12.5px;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{padding:3px 8px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}"
    "th{color:var(--soft);font-weight:600}td.l,th.l{text-align:left}tr.head "
    ".soft{font-weight:400}.frame{fill:none;stroke:var(--line)}tr.head td{border-bottom:0;"
    "padding-top:10px;font-weight:600;text-align:left}td.w{white-space:normal}\n"
    "@media print{body{max-width:none}section,.card{break-inside:avoid}}\n";

/* ---- head ---- */

static void fact(FILE *page, const char *name, const char *value) {
    fprintf(page, "<dt>%s<dd>", name);
    heedi_bench_page_text(page, value);
    fputc('\n', page);
}

static void write_facts(const struct heedi_bench *bench, FILE *page) {
    const struct heedi_tool_machine *machine = &bench->machine;
    const struct heedi_bench_roofline *roofline = &bench->roofline;
    struct heedi_tool_size size;
    struct heedi_bench_number number, rate;
    char text[400];
    fputs("<dl class=\"facts card\">\n", page);
    snprintf(text, sizeof text, "%s, %u processors, %s of memory", machine->processor,
             (unsigned)machine->processors,
             heedi_tool_print_size(&size, (double)machine->memory_bytes));
    fact(page, "machine", text);
    snprintf(text, sizeof text, "%u", (unsigned)roofline->threads);
    fact(page, "threads", text);
    snprintf(text, sizeof text, "%s with %s, %.2f times what one thread does",
             heedi_bench_print_rate(&number, roofline->flops_per_s, "FLOP/s"), roofline->kernel,
             roofline->flops_per_s / roofline->one_thread_flops_per_s);
    fact(page, "arithmetic", text);
    size_t used = 0;
    for (size_t i = 0; i < roofline->level_count && used < sizeof text; i++) {
        const struct heedi_bench_level *level = &roofline->levels[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %s", i > 0 ? ", " : "",
                                 level->name,
                                 heedi_bench_print_rate(&number, level->bytes_per_s, "B/s"));
        if (level->capacity_bytes > 0 && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, " (%s)",
                                     heedi_tool_print_size(&size, level->capacity_bytes));
    }
    fact(page, "reading", text);
    fact(page, "system", machine->system);
    fact(page, "compiler", heedi_bench_compiler);
    snprintf(text, sizeof text,
             "%s%s%s, seed %llu, at most %.1f s for each measurement of a backend", heed_version(),
             heedi_bench_commit[0] != '\0' ? ", commit " : "", heedi_bench_commit,
             (unsigned long long)bench->seed, bench->seconds);
    fact(page, "heed", text);
    for (size_t i = 0; i < bench->backend_count; i++) {
        const struct heedi_bench_backend *backend = &bench->backends[i];
        const size_t length = strlen(backend->label);
        const bool named = strncmp(backend->description, backend->label, length) == 0;
        snprintf(text, sizeof text, "%.100s%s%.290s", named ? "" : backend->label,
                 named ? "" : ": ", backend->description);
        fact(page, i == 0 ? "backends" : "", text);
        if (backend->roof.level_count == 0)
            continue;
        snprintf(text, sizeof text, "%.100s at best: %s (product %s), copying %s", backend->label,
                 heedi_bench_print_rate(&number, backend->roof.flops_per_s, "FLOP/s"),
                 backend->product,
                 heedi_bench_print_rate(&rate, backend->roof.levels[0].bytes_per_s, "B/s"));
        fact(page, "", text);
    }
    fputs("</dl>\n", page);
}

/* ---- translation ---- */

typedef void (*fill_fn)(const struct heedi_bench *bench, size_t backend,
                        struct heedi_bench_bars *bars);

static void chart(const struct heedi_bench *bench, FILE *page, const char *title, const char *note,
                  fill_fn fill) {
    struct heedi_bench_bars bars = {.title = title, .note = note};
    for (size_t i = 0; i < bench->backend_count; i++) {
        bars.of[i].value = -1;
        if (bench->translations[i].measured)
            fill(bench, i, &bars);
    }
    heedi_bench_page_bars(bench, &bars, page);
}

#define FILL(name)                                                                                 \
    static void name(const struct heedi_bench *bench, size_t i, struct heedi_bench_bars *bars)
#define WORDS(...) snprintf(bars->of[i].words, sizeof bars->of[i].words, __VA_ARGS__)

FILL(fill_line) {
    const struct heedi_bench_translation *it = &bench->translations[i];
    bars->of[i].value = (double)it->tokens / it->total_s;
    WORDS("%.0f", bars->of[i].value);
}
FILL(fill_batch) {
    const struct heedi_bench_translation *it = &bench->translations[i];
    bars->of[i].value = (double)it->tokens / it->batch.median;
    WORDS("%.0f", bars->of[i].value);
}
FILL(fill_latency) {
    const struct heedi_bench_stats *stats = &bench->translations[i].latency;
    struct heedi_bench_number number;
    bars->of[i].value = stats->median;
    bars->of[i].low = stats->p10;
    bars->of[i].high = stats->p90;
    WORDS("%s", heedi_bench_print_time(&number, stats->median));
}
FILL(fill_ideal) {
    const struct heedi_bench_translation *it = &bench->translations[i];
    if (!heedi_bench_has_roof(bench, i) || it->ideal_s <= 0)
        return;
    bars->of[i].value = it->total_s / it->ideal_s;
    WORDS("%.2f", bars->of[i].value);
}
FILL(fill_cold) {
    struct heedi_bench_number number;
    bars->of[i].value = bench->translations[i].cold_s;
    WORDS("%s", heedi_bench_print_time(&number, bars->of[i].value));
}
FILL(fill_memory) {
    struct heedi_tool_size size;
    const double bytes = (double)bench->translations[i].peak_bytes;
    bars->of[i].value = bytes > 0 ? bytes : -1;
    WORDS("%s", heedi_tool_print_size(&size, bytes));
}
FILL(fill_bleu) {
    bars->of[i].value = bench->translations[i].bleu;
    WORDS("%.2f", bars->of[i].value);
}

static void write_rows(const struct heedi_bench *bench, FILE *page) {
    const struct heedi_bench_row *rows = NULL;
    const size_t count = heedi_bench_rows(bench, &rows);
    fputs("<section class=wide><table><tr><th><th>", page);
    for (size_t i = 0; i < bench->backend_count; i++) {
        fputs("<th>", page);
        heedi_bench_page_text(page, bench->backends[i].label);
    }
    for (size_t r = 0; r < count; r++) {
        fprintf(page, "\n<tr><td class=\"l soft\">%s<td class=l>%s", rows[r].group, rows[r].name);
        for (size_t i = 0; i < bench->backend_count; i++) {
            struct heedi_bench_number buffer;
            fprintf(page, "<td>%s",
                    bench->translations[i].measured ? rows[r].value(bench, i, &buffer) : "");
        }
    }
    fputs("</table></section>\n", page);
}

static void write_translation(const struct heedi_bench *bench, FILE *page) {
    const struct heedi_bench_text *text = &bench->text;
    struct heedi_tool_size size;
    fprintf(page, "<h2>Translation</h2>\n<p class=soft>%zu lines, %llu words, of ", text->count,
            (unsigned long long)text->words);
    heedi_bench_page_text(page, text->source);
    fputs("; model: ", page);
    heedi_bench_page_text(page, text->model != NULL ? text->model : "default");
    fprintf(page, ", %s of weights, read from %s at best.</p>\n<section class=grid2>\n",
            heedi_tool_print_size(&size, text->weight_bytes),
            text->level != NULL ? text->level->name : "memory");
    chart(bench, page, "Tokens per second", "one line at a time, more is better", fill_line);
    chart(bench, page, "Tokens per second", "all lines at once, more is better", fill_batch);
    chart(bench, page, "Time of one line", "median, p10 to p90, less is better", fill_latency);
    chart(bench, page, "Times the ideal", "line by line, 1 is the machine's limit", fill_ideal);
    chart(bench, page, "Cold start", "of the program, to its first line", fill_cold);
    chart(bench, page, "Peak memory", "of the whole process", fill_memory);
    if (text->reference != NULL)
        chart(bench, page, "BLEU", "13a, mixed case, more is better", fill_bleu);
    fputs("</section>\n<h3>Time by operator <small>all lines, one at a time, with a clock around "
          "each node; the thin bar is the ideal</small></h3>\n<section class=grid2>\n",
          page);
    for (size_t i = 0; i < bench->backend_count; i++)
        if (bench->translations[i].measured)
            heedi_bench_page_parts(bench, i, page);
    fputs("</section>\n", page);
    write_rows(bench, page);
    for (size_t i = 0; i < bench->backend_count; i++)
        if (!bench->translations[i].measured) {
            fputs("<p class=soft>", page);
            heedi_bench_page_text(page, bench->backends[i].label);
            fputs(": ", page);
            heedi_bench_page_text(page, bench->translations[i].reason);
            fputs("</p>\n", page);
        }
}

/* ---- tables ---- */

static void write_result(const struct heedi_bench *bench, const struct heedi_bench_case *it,
                         size_t index, FILE *page) {
    const struct heedi_bench_result *result = &it->results[index];
    const struct heedi_bench_stats *run = &result->run;
    const double seconds = heedi_bench_case_s(result);
    const double ideal = heedi_bench_case_ideal_s(bench, it, index);
    struct heedi_bench_number median, device, p10, p90, flops, bytes, prepare;
    fputs("<tr><td class=l>", page);
    heedi_bench_page_text(page, bench->backends[index].label);
    if (!result->measured) {
        fputs("<td class=\"l w\" colspan=10>", page);
        heedi_bench_page_text(page, result->reason);
        fputc('\n', page);
        return;
    }
    fprintf(page, "<td>%s%s<td>%s<td>%s<td>&#177;%.1f %%<td>%zu<td>%s<td>%s<td>%s",
            run->stable ? "" : "~", heedi_bench_print_time(&median, run->median),
            heedi_bench_print_time(&p10, run->p10), heedi_bench_print_time(&p90, run->p90),
            50 * (run->high - run->low) / run->median, run->count,
            result->device_s > 0 ? heedi_bench_print_time(&device, result->device_s) : "",
            it->flops > 0 ? heedi_bench_print_rate(&flops, it->flops / seconds, "FLOP/s") : "",
            heedi_bench_print_rate(&bytes, it->bytes / seconds, "B/s"));
    if (ideal > 0)
        fprintf(page, "<td>%.0f %%", 100 * ideal / seconds);
    else
        fputs("<td>", page);
    fprintf(page, "<td>%s\n", heedi_bench_print_time(&prepare, result->prepare_s));
}

static void write_table(const struct heedi_bench *bench, FILE *page) {
    struct heedi_tool_size size;
    struct heedi_bench_number ideal;
    char name[96];
    fputs("<h2>All numbers</h2>\n<section class=wide><table><tr><th class=l>backend<th>median"
          "<th>p10<th>p90<th>95 %<th>samples<th>on device<th>arithmetic<th>traffic<th>of "
          "ideal<th>prepare\n",
          page);
    for (size_t i = 0; i < bench->case_count; i++) {
        const struct heedi_bench_case *it = &bench->cases[i];
        fprintf(page,
                "<tr class=head><td colspan=11>%s <span class=soft>ideal %s; %u set%s, %s, "
                "%s</span>\n",
                heedi_bench_case_name(it, name), heedi_bench_print_time(&ideal, it->ideal_s),
                (unsigned)it->sets, it->sets == 1 ? "" : "s",
                heedi_tool_print_size(&size, it->working_set), it->level->name);
        for (size_t b = 0; b < bench->backend_count; b++)
            write_result(bench, it, b, page);
    }
    fputs("</table></section>\n", page);
}

static void write_comparison(const struct heedi_bench *bench, FILE *page) {
    struct heedi_bench_comparison it;
    for (size_t i = 1; i < bench->backend_count; i++) {
        if (!heedi_bench_compare(bench, 0, i, &it))
            continue;
        fputs("<p><b>", page);
        heedi_bench_page_text(page, bench->backends[0].label);
        fprintf(page, "</b> is <b>%.2f times</b> as fast as <b>", it.mean);
        heedi_bench_page_text(page, bench->backends[i].label);
        fprintf(page,
                "</b> <span class=soft>(geometric mean of the %zu cases that both ran; %.2f to "
                "%.2f)</span></p>\n",
                it.count, it.least, it.most);
    }
}

static size_t end_of_op(const struct heedi_bench *bench, size_t first) {
    size_t last = first + 1;
    while (last < bench->case_count && bench->cases[last].shape.op == bench->cases[first].shape.op)
        last++;
    return last;
}

static void write_operators(const struct heedi_bench *bench, FILE *page) {
    fputs("<h2>Roofline</h2>\n<p class=soft>Each mark is a shape of an operator on a backend; its "
          "distance from the line above it is what is left to gain.</p>\n<section>\n",
          page);
    heedi_bench_page_roofline(bench, page);
    fputs("</section>\n<h2>Operators</h2>\n<p class=soft>Share of the ideal time, max(FLOP / peak, "
          "bytes / bandwidth); the thin line is p10 to p90.</p>\n<section>\n",
          page);
    heedi_bench_page_legend(bench, page);
    write_comparison(bench, page);
    for (size_t first = 0, last; first < bench->case_count; first = last) {
        last = end_of_op(bench, first);
        /* operators with few shapes that follow each other share a chart */
        if (last - first < 3)
            while (last < bench->case_count && end_of_op(bench, last) - last < 3)
                last = end_of_op(bench, last);
        heedi_bench_page_shares(bench, first, last, page);
    }
    fputs("</section>\n", page);
}

void heedi_bench_html(const struct heedi_bench *bench, FILE *page) {
    char when[64] = "";
    const time_t now = time(NULL);
    const struct tm *utc = gmtime(&now);
    if (utc != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", utc);
    fprintf(page,
            "<!doctype html>\n<html lang=en><meta charset=utf-8>"
            "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
            "<title>heed bench, %s</title>\n<style>\n%s</style>\n"
            "<h1>heed bench</h1>\n<p class=soft>%s, %.0f s of measuring%s</p>\n",
            when, style, when, bench->elapsed_s,
            bench->options->bench.warm_cache ? ", operands warm in the cache" : "");
    write_facts(bench, page);
    if (bench->text.count > 0)
        write_translation(bench, page);
    if (bench->case_count > 0) {
        write_operators(bench, page);
        write_table(bench, page);
    }
    fputs("<p class=soft>A sample is the mean of so many runs as fill 0.1 ms; backends take turns "
          "by slices of a few milliseconds. Sampling ends when the 95 % interval of every median "
          "(order statistics, no assumption on the distribution) is no wider than 2 % of it, or "
          "when the time is up; ~ marks a median that did not get there.</p>\n</html>\n",
          page);
}
