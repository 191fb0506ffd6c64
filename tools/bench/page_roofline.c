/* SPDX-License-Identifier: Apache-2.0 */
/* The roofline plot: arithmetic per byte against arithmetic per second, both logarithmic. */
#include <math.h>

#include "tools/bench/page.h"

enum { WIDTH = 900, HEIGHT = 520, LEFT = 78, RIGHT = 24, TOP = 24, BOTTOM = 56 };

struct plot {
    FILE *page;
    double x_low, x_high, y_low, y_high; /* decimal logarithms */
};

static double at_x(const struct plot *plot, double intensity) {
    return LEFT +
           (WIDTH - LEFT - RIGHT) * (log10(intensity) - plot->x_low) / (plot->x_high - plot->x_low);
}

static double at_y(const struct plot *plot, double flops_per_s) {
    return HEIGHT - BOTTOM -
           (HEIGHT - TOP - BOTTOM) * (log10(flops_per_s) - plot->y_low) /
               (plot->y_high - plot->y_low);
}

/* A little around everything that is shown. */
static void find_limits(struct plot *plot, const struct heedi_bench *bench) {
    const struct heedi_bench_roofline *roofline = &bench->roofline;
    const struct heedi_bench_level *memory = &roofline->levels[roofline->level_count - 1];
    double x_most = 2 * roofline->flops_per_s / memory->bytes_per_s, x_least = 0.1;
    double y_least = roofline->flops_per_s / 1000, y_most = roofline->flops_per_s;
    for (size_t i = 0; i < bench->case_count; i++) {
        const struct heedi_bench_case *it = &bench->cases[i];
        if (it->flops <= 0 || it->bytes <= 0)
            continue;
        x_most = fmax(x_most, it->flops / it->bytes);
        x_least = fmin(x_least, it->flops / it->bytes);
        for (size_t b = 0; b < bench->backend_count; b++) {
            if (!it->results[b].measured)
                continue;
            y_least = fmin(y_least, it->flops / it->results[b].run.median);
            y_most = fmax(y_most, it->flops / it->results[b].run.median);
        }
    }
    plot->x_low = log10(x_least) - 0.25;
    plot->x_high = log10(x_most) + 0.25;
    plot->y_low = log10(y_least) - 0.25;
    plot->y_high = log10(y_most) + 0.35;
}

static void draw_axes(const struct plot *plot) {
    FILE *page = plot->page;
    fprintf(page, "<rect class=frame x=%d y=%d width=%d height=%d />\n", LEFT, TOP,
            WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    for (int x = (int)ceil(plot->x_low); x <= plot->x_high; x++) {
        const double at = at_x(plot, pow(10, x));
        fprintf(page,
                "<line class=grid x1=%.1f x2=%.1f y1=%d y2=%d />"
                "<text class=tick x=%.1f y=%d text-anchor=middle>%g</text>\n",
                at, at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 18, pow(10, x));
    }
    for (int y = (int)ceil(plot->y_low); y <= plot->y_high; y++) {
        struct heedi_bench_number number;
        const double at = at_y(plot, pow(10, y));
        static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
        const int prefix = y >= 0 ? y / 3 : 0;
        snprintf(number.text, sizeof number.text, "%g %s", pow(10, y - 3 * prefix),
                 prefix < 6 ? prefixes[prefix] : "");
        fprintf(page,
                "<line class=grid x1=%d x2=%d y1=%.1f y2=%.1f />"
                "<text class=tick x=%d y=%.1f text-anchor=end>%s</text>\n",
                LEFT, WIDTH - RIGHT, at, at, LEFT - 8, at + 4, number.text);
    }
    fprintf(page,
            "<text class=axis x=%d y=%d text-anchor=middle>arithmetic intensity, FLOP per byte of "
            "operands</text>\n"
            "<text class=axis transform=\"translate(18 %d) rotate(-90)\" text-anchor=middle>"
            "FLOP/s</text>\n",
            LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 12, TOP + (HEIGHT - TOP - BOTTOM) / 2);
}

/* A level's slope up to the ridge, its name along it. Names of levels that lie close together are
 * set apart along their lines. */
static void draw_level(const struct plot *plot, const struct heedi_bench_roofline *roofline,
                       size_t index) {
    const struct heedi_bench_level *level = &roofline->levels[index];
    const double rate = level->bytes_per_s, ridge = roofline->flops_per_s / rate;
    const double from = fmax(pow(10, plot->x_low), pow(10, plot->y_low) / rate);
    const double x1 = at_x(plot, from), y1 = at_y(plot, from * rate);
    const double x2 = at_x(plot, ridge), y2 = at_y(plot, roofline->flops_per_s);
    const double angle = atan2(y2 - y1, x2 - x1), length = hypot(x2 - x1, y2 - y1);
    const bool last = index + 1 == roofline->level_count;
    const double along = last ? length - 16 : length * (0.12 + 0.26 * (double)index);
    struct heedi_bench_number number;
    /* the last level is the lowest line: its name goes below */
    const double beside = last ? 16 : -6;
    fprintf(plot->page,
            "<line class=\"roof%s\" x1=%.1f y1=%.1f x2=%.1f y2=%.1f />"
            "<text class=ceiling text-anchor=%s transform=\"translate(%.1f %.1f) rotate(%.2f)\" "
            "y=%.0f>%s %s</text>\n",
            last ? "" : " inner", x1, y1, x2, y2, last ? "end" : "start", x1 + along * cos(angle),
            y1 + along * sin(angle), angle * 180 / 3.14159265358979, beside, level->name,
            heedi_bench_print_rate(&number, rate, "B/s"));
}

static void draw_roof(const struct plot *plot, const struct heedi_bench_roofline *roofline) {
    struct heedi_bench_number number;
    const double y = at_y(plot, roofline->flops_per_s);
    fprintf(plot->page,
            "<line class=roof x1=%.1f x2=%d y1=%.1f y2=%.1f />"
            "<text class=ceiling x=%d y=%.1f text-anchor=end>multiply-adds %s</text>\n",
            at_x(plot, fmax(roofline->flops_per_s / roofline->levels[0].bytes_per_s,
                            pow(10, plot->x_low))),
            WIDTH - RIGHT, y, y, WIDTH - RIGHT - 4, y - 7,
            heedi_bench_print_rate(&number, roofline->flops_per_s, "FLOP/s"));
    for (size_t i = 0; i < roofline->level_count; i++)
        draw_level(plot, roofline, i);
}

/* Shapes tell backends apart where colours do not. */
static void draw_mark(FILE *page, size_t backend, double x, double y) {
    switch (backend % 4) {
    case 0:
        fprintf(page, "<circle class=c%zu cx=%.1f cy=%.1f r=5>", backend, x, y);
        break;
    case 1:
        fprintf(page, "<rect class=c%zu x=%.1f y=%.1f width=9 height=9>", backend, x - 4.5,
                y - 4.5);
        break;
    case 2:
        fprintf(page, "<path class=c%zu d=\"M%.1f %.1fl5.5 9.5h-11z\">", backend, x, y - 6);
        break;
    default:
        fprintf(page, "<path class=c%zu d=\"M%.1f %.1fl6 6l-6 6l-6 -6z\">", backend, x, y - 6);
        break;
    }
}

static void draw_points(const struct plot *plot, const struct heedi_bench *bench) {
    static const char *const ends[] = {"circle", "rect", "path", "path"};
    struct heedi_bench_number rate, time;
    char name[96];
    for (size_t b = 0; b < bench->backend_count; b++)
        for (size_t i = 0; i < bench->case_count; i++) {
            const struct heedi_bench_case *it = &bench->cases[i];
            const struct heedi_bench_result *result = &it->results[b];
            if (!result->measured || it->flops <= 0 || it->bytes <= 0)
                continue;
            const double flops = it->flops / heedi_bench_case_s(result);
            draw_mark(plot->page, b, at_x(plot, it->flops / it->bytes), at_y(plot, flops));
            fputs("<title>", plot->page);
            heedi_bench_page_text(plot->page, bench->backends[b].label);
            fprintf(plot->page, ": %s, %s, %s</title></%s>\n", heedi_bench_case_name(it, name),
                    heedi_bench_print_time(&time, heedi_bench_case_s(result)),
                    heedi_bench_print_rate(&rate, flops, "FLOP/s"), ends[b % 4]);
        }
}

void heedi_bench_page_legend(const struct heedi_bench *bench, FILE *page) {
    fputs("<p class=legend>", page);
    for (size_t b = 0; b < bench->backend_count; b++) {
        static const char *const ends[] = {"circle", "rect", "path", "path"};
        fputs("<span><svg width=16 height=16 aria-hidden=true>", page);
        draw_mark(page, b, 8, 8);
        fprintf(page, "</%s></svg> ", ends[b % 4]);
        heedi_bench_page_text(page, bench->backends[b].label);
        fputs("</span>", page);
    }
    fputs("</p>\n", page);
}

void heedi_bench_page_roofline(const struct heedi_bench *bench, FILE *page) {
    struct plot plot = {.page = page};
    find_limits(&plot, bench);
    heedi_bench_page_legend(bench, page);
    fprintf(page,
            "<div class=wide><svg viewBox=\"0 0 %d %d\" role=img aria-label=\"roofline plot\">\n",
            WIDTH, HEIGHT);
    draw_axes(&plot);
    draw_roof(&plot, &bench->roofline);
    draw_points(&plot, bench);
    fputs("</svg></div>\n", page);
}
