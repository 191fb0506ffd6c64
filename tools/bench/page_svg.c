/* SPDX-License-Identifier: Apache-2.0 */
/* Bar charts. */
#include <math.h>
#include <string.h>

#include "tools/bench/page.h"

void heedi_bench_page_text(FILE *page, const char *text) {
    for (; *text != '\0'; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", page);
            break;
        case '<':
            fputs("&lt;", page);
            break;
        case '>':
            fputs("&gt;", page);
            break;
        case '"':
            fputs("&quot;", page);
            break;
        default:
            fputc(*text, page);
            break;
        }
}

static void open_svg(FILE *page, double width, double height, const char *label) {
    fprintf(page, "<svg viewBox=\"0 0 %.0f %.0f\" role=img aria-label=\"", width, height);
    heedi_bench_page_text(page, label);
    fputs("\">\n", page);
}

static void bar(FILE *page, size_t colour, double x, double y, double width, double height) {
    fprintf(page, "<rect class=c%zu x=%.1f y=%.1f width=%.1f height=%.1f rx=2 />", colour, x, y,
            fmax(width, 1), height);
}

/* From p10 to p90, across the middle of a bar. */
static void whisker(FILE *page, double from, double to, double y) {
    if (to - from >= 2)
        fprintf(page, "<path class=whisker d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\" />", from,
                y, to, from, y - 3, to, y - 3);
}

void heedi_bench_page_bars(const struct heedi_bench *bench, const struct heedi_bench_bars *bars,
                           FILE *page) {
    enum { WIDTH = 420, LABEL = 110, WORDS = 92, ROW = 24, FULL = WIDTH - LABEL - WORDS };
    double most = 0;
    for (size_t i = 0; i < bench->backend_count; i++)
        most = fmax(most, fmax(bars->of[i].value, bars->of[i].high));
    fputs("<figure><figcaption>", page);
    heedi_bench_page_text(page, bars->title);
    fputs(" <small>", page);
    heedi_bench_page_text(page, bars->note);
    fputs("</small></figcaption>\n", page);
    open_svg(page, WIDTH, ROW * (double)bench->backend_count + 4, bars->title);
    for (size_t i = 0; i < bench->backend_count; i++) {
        const double y = ROW * (double)i + 4, scale = most > 0 ? FULL / most : 0;
        const double value = bars->of[i].value;
        fprintf(page, "<text class=label x=%d y=%.1f text-anchor=end>", LABEL - 8, y + 13);
        heedi_bench_page_text(page, bench->backends[i].label);
        fputs("</text>", page);
        if (value < 0) {
            fprintf(page, "<text class=none x=%d y=%.1f>none</text>\n", LABEL, y + 13);
            continue;
        }
        bar(page, i, LABEL, y, scale * value, ROW - 6);
        whisker(page, LABEL + scale * bars->of[i].low, LABEL + scale * bars->of[i].high,
                y + (ROW - 6) / 2.0);
        fprintf(page, "<text class=value x=%.1f y=%.1f>",
                LABEL + scale * fmax(value, bars->of[i].high) + 6, y + 13);
        heedi_bench_page_text(page, bars->of[i].words);
        fputs("</text>\n", page);
    }
    fputs("</svg></figure>\n", page);
}

/* ---- operators ---- */

enum { WIDE = 900, NAME = 190, BESIDE = 215, THICK = 15, SPACE = 12, HEAD = 22 };
static const double FULL_SHARE = 1.0, MOST_SHARE = 1.1;

static double share_x(double share) {
    return NAME + (WIDE - NAME - BESIDE) * fmin(share, MOST_SHARE) / MOST_SHARE;
}

static void share_axis(FILE *page, double height) {
    for (int percent = 0; percent <= 100; percent += 25) {
        const double x = share_x(percent / 100.0);
        fprintf(page,
                "<line class=\"grid%s\" x1=%.1f x2=%.1f y1=%d y2=%.1f />"
                "<text class=tick x=%.1f y=12 text-anchor=middle>%d %%</text>\n",
                percent == 100 ? " full" : "", x, x, HEAD - 5, height, x, percent);
    }
}

static void share_row(const struct heedi_bench *bench, const struct heedi_bench_case *it,
                      size_t backend, double y, FILE *page) {
    const struct heedi_bench_result *result = &it->results[backend];
    const struct heedi_bench_stats *run = &result->run;
    struct heedi_bench_number time, rate;
    if (!result->measured) {
        fprintf(page, "<text class=none x=%d y=%.1f>", NAME + 2, y + 11);
        heedi_bench_page_text(page, bench->backends[backend].label);
        fputs(": not run<title>", page);
        heedi_bench_page_text(page, result->reason);
        fputs("</title></text>\n", page);
        return;
    }
    const struct heedi_bench_roofline *roof = heedi_bench_roof(bench, backend);
    const struct heedi_bench_level *level = heedi_bench_roof_level(bench, backend, it->level);
    const double ideal = heedi_bench_case_ideal_s(bench, it, backend);
    const double seconds = heedi_bench_case_s(result), share = ideal / seconds;
    /* of a device's own time there is the median alone */
    const double p10 = result->device_s > 0 ? seconds : run->p10;
    const double p90 = result->device_s > 0 ? seconds : run->p90;
    bar(page, backend, NAME, y, share_x(share) - NAME, THICK - 3);
    if (ideal > 0 && p90 > p10)
        whisker(page, share_x(ideal / p90), share_x(ideal / p10), y + (THICK - 3) / 2.0);
    /* what is bound by traffic is judged by bytes */
    const bool arithmetic = it->flops / roof->flops_per_s > it->bytes / level->bytes_per_s;
    fprintf(page, "<text class=value x=%.1f y=%.1f>",
            fmax(share_x(share), share_x(ideal / p10)) + 6, y + 10.5);
    if (ideal > 0)
        fprintf(page, "%.0f %%&#8194;", 100 * share);
    fprintf(page, "%s&#8194;%s%s<title>", heedi_bench_print_time(&time, seconds),
            heedi_bench_print_rate(&rate, (arithmetic ? it->flops : it->bytes) / seconds,
                                   arithmetic ? "FLOP/s" : "B/s"),
            share > FULL_SHARE * MOST_SHARE ? " &#9656;" : "");
    heedi_bench_page_text(page, bench->backends[backend].label);
    fprintf(page, ", %zu samples</title></text>\n", run->count);
}

void heedi_bench_page_shares(const struct heedi_bench *bench, size_t first, size_t last,
                             FILE *page) {
    const double row = THICK * (double)bench->backend_count + SPACE;
    const double height = HEAD + row * (double)(last - first);
    const struct heedi_bench_op *op = bench->cases[first].shape.op;
    const bool one = bench->cases[last - 1].shape.op == op;
    if (one) {
        fprintf(page, "<h3>%s <small>%s: ", heed_op_name(op->op), op->dims);
        heedi_bench_page_text(page, op->meaning);
        fputs("</small></h3>", page);
    } else {
        fputs("<h3>Other operators</h3>", page);
    }
    fputs("<div class=wide>\n", page);
    open_svg(page, WIDE, height, "share of the ideal");
    char name[96];
    share_axis(page, height);
    for (size_t i = first; i < last; i++) {
        const struct heedi_bench_case *it = &bench->cases[i];
        const double y = HEAD + row * (double)(i - first);
        heedi_bench_case_name(it, name);
        fprintf(page, "<text class=label x=%d y=%.1f text-anchor=end>%s</text>\n", NAME - 8,
                y + THICK * (double)bench->backend_count / 2 + 2,
                one ? strchr(name, ' ') + 1 : name);
        for (size_t b = 0; b < bench->backend_count; b++)
            share_row(bench, it, b, y + THICK * (double)b, page);
    }
    fputs("</svg></div>\n", page);
}

/* ---- time by operator ---- */

void heedi_bench_page_parts(const struct heedi_bench *bench, size_t backend, FILE *page) {
    enum { WIDTH = 420, LABEL = 110, WORDS = 92, ROW = 19, FULL = WIDTH - LABEL - WORDS };
    const struct heedi_bench_translation *it = &bench->translations[backend];
    struct heedi_bench_number time;
    double most = 0;
    for (size_t i = 0; i < it->part_count; i++)
        most = fmax(most, fmax(it->parts[i].measured_s, it->parts[i].ideal_s));
    fputs("<figure><figcaption>", page);
    heedi_bench_page_text(page, bench->backends[backend].label);
    fputs(" <small>ran on ", page);
    heedi_bench_page_text(page, it->ran_on);
    fputs("</small></figcaption>\n", page);
    open_svg(page, WIDTH, ROW * (double)it->part_count + 4, "time by operator");
    for (size_t i = 0; i < it->part_count; i++) {
        const struct heedi_bench_part *part = &it->parts[i];
        const double y = ROW * (double)i + 3, scale = most > 0 ? FULL / most : 0;
        const double length = scale * part->measured_s, ideal = scale * part->ideal_s;
        fprintf(page, "<text class=label x=%d y=%.1f text-anchor=end>%s</text>", LABEL - 8, y + 11,
                part->op[0] != '\0' ? part->op : "(whole part)");
        if (part->measured_s > 0)
            bar(page, backend, LABEL, y, length, ROW - 5);
        if (part->ideal_s > 0)
            fprintf(page, "<rect class=ideal x=%d y=%.1f width=%.1f height=5 />", LABEL,
                    y + (ROW - 5) / 2.0 - 2.5, fmax(ideal, 1));
        fprintf(
            page, "<text class=value x=%.1f y=%.1f>%s", LABEL + fmax(length, ideal) + 6, y + 11,
            heedi_bench_print_time(&time, part->measured_s > 0 ? part->measured_s : part->ideal_s));
        fprintf(page, "<title>ideal %s, %llu nodes ran</title></text>\n",
                heedi_bench_print_time(&time, part->ideal_s), (unsigned long long)part->runs);
    }
    fputs("</svg></figure>\n", page);
}
