/* SPDX-License-Identifier: Apache-2.0 */
/* The plots of the page: histograms of errors, and how errors grow with depth. */
#include <math.h>
#include <string.h>

#include "tools/bench/page.h"
#include "tools/check/check.h"

enum { BINS = 21 };

void heedi_check_histogram(const struct heedi_checked_backend *backend, size_t colour, FILE *page) {
    enum { WIDTH = 420, HEIGHT = 150, LEFT = 8, BOTTOM = 24, TOP = 18 };
    const double step = (WIDTH - 2.0 * LEFT) / BINS, full = HEIGHT - BOTTOM - TOP;
    double counts[BINS] = {0}, most = 1;
    for (size_t i = 0; i < backend->row_count; i++)
        for (size_t bin = 0; bin < BINS; bin++)
            counts[bin] += (double)backend->rows[i].histogram[bin];
    for (size_t bin = 0; bin < BINS; bin++)
        most = fmax(most, counts[bin]);
    fputs("<figure><figcaption>", page);
    heedi_bench_page_text(page, backend->label);
    fprintf(page,
            " <small>cases by their largest error; logarithmic</small></figcaption>\n"
            "<svg viewBox=\"0 0 %d %d\" role=img aria-label=\"histogram of errors\">\n",
            WIDTH, HEIGHT);
    for (size_t bin = 0; bin < BINS; bin++) {
        const double height = full * log1p(counts[bin]) / log1p(most);
        const double x = LEFT + step * (double)bin, y = HEIGHT - BOTTOM - height;
        if (counts[bin] > 0)
            fprintf(page,
                    "<rect class=%s%zu x=%.1f y=%.1f width=%.1f height=%.1f rx=1.5><title>%.0f "
                    "cases</title></rect>",
                    bin == BINS - 1 ? "bad c" : "c", colour % 12, x + 1, y, step - 2, height,
                    counts[bin]);
        if (counts[bin] > 0)
            fprintf(page, "<text class=tick text-anchor=middle x=%.1f y=%.1f>%.0f</text>",
                    x + step / 2, y - 3, counts[bin]);
    }
    for (int i = 0; i < 4; i++)
        fprintf(page, "<text class=tick text-anchor=%s x=%.1f y=%d>%.2g</text>",
                i == 0 ? "start" : "middle", LEFT + step * 5 * i, HEIGHT - 8, 0.25 * i);
    fprintf(page,
            "<text class=tick text-anchor=end x=%d y=%d>over 1</text><path class=full "
            "d=\"M%.1f %dV%d\" /></svg></figure>\n",
            WIDTH - LEFT, HEIGHT - 8, LEFT + step * 20, TOP, HEIGHT - BOTTOM);
}

/* ---- growth ---- */

enum { WIDE = 960, HIGH = 340, LEFT = 56, RIGHT = 12, TOP = 22, BOTTOM = 40 };

struct range {
    double low, high; /* powers of ten */
    size_t nodes;
};

static struct range range_of(const struct heedi_checking *checking) {
    struct range range = {.low = 0, .high = -20};
    for (size_t b = 0; b < checking->backend_count; b++) {
        const struct heedi_checked_backend *backend = &checking->backends[b];
        if (backend->node_count > range.nodes)
            range.nodes = backend->node_count;
        for (size_t i = 0; i < backend->node_count; i++)
            if (backend->nodes[i].relative > 0 && isfinite(backend->nodes[i].relative)) {
                range.low = fmin(range.low, floor(log10(backend->nodes[i].relative)));
                range.high = fmax(range.high, ceil(log10(backend->nodes[i].relative)));
            }
    }
    range.low = fmax(range.low, -10); /* less is nothing */
    if (range.high <= range.low)
        range.high = range.low + 1;
    return range;
}

static double x_of(const struct range *range, size_t node) {
    return LEFT + (WIDE - LEFT - RIGHT) * (double)node / (double)(range->nodes + !range->nodes);
}

static double y_of(const struct range *range, double relative) {
    const double power = fmin(fmax(log10(relative), range->low), range->high);
    return TOP + (HIGH - TOP - BOTTOM) * (range->high - power) / (range->high - range->low);
}

/* Where one graph ends and the next begins. */
static void write_steps(const struct heedi_checked_backend *backend, const struct range *range,
                        FILE *page) {
    for (size_t i = 0; i < backend->node_count; i++) {
        const struct heed_check_place *it = &backend->nodes[i].place;
        const struct heed_check_place *before = &backend->nodes[i > 0 ? i - 1 : 0].place;
        if (i > 0 && it->step == before->step && strcmp(it->graph, before->graph) == 0)
            continue;
        fprintf(page, "<path class=grid d=\"M%.1f %dV%d\" /><text class=tick x=%.1f y=%d>",
                x_of(range, i), TOP, HIGH - BOTTOM, x_of(range, i) + 3, HIGH - BOTTOM + 15);
        if (strcmp(it->graph, "decoder") == 0)
            fprintf(page, "step %u</text>", it->step);
        else
            fprintf(page, "%s</text>", it->graph);
    }
}

static void write_line(const struct heedi_checked_backend *backend, size_t colour,
                       const struct range *range, FILE *page) {
    bool down = false;
    fprintf(page, "<path class=\"curve k%zu\" d=\"", colour % 12);
    for (size_t i = 0; i < backend->node_count; i++) {
        const double relative = backend->nodes[i].relative;
        if (!(relative > 0) || !isfinite(relative))
            continue;
        fprintf(page, "%c%.1f %.1f", down ? 'L' : 'M', x_of(range, i), y_of(range, relative));
        down = true;
    }
    fputs("\" />\n", page);
}

void heedi_check_growth(const struct heedi_checking *checking, FILE *page) {
    const struct range range = range_of(checking);
    fprintf(
        page,
        "<div class=wide><svg viewBox=\"0 0 %d %d\" role=img aria-label=\"growth of errors\">\n",
        WIDE, HIGH);
    for (int power = (int)range.low; power <= (int)range.high; power++) {
        const double y = y_of(&range, pow(10, power));
        fprintf(page,
                "<path class=grid d=\"M%d %.1fH%d\" /><text class=tick text-anchor=end x=%d "
                "y=%.1f>1e%d</text>",
                LEFT, y, WIDE - RIGHT, LEFT - 6, y + 4, power);
    }
    write_steps(&checking->backends[0], &range, page);
    for (size_t b = 0; b < checking->backend_count; b++)
        write_line(&checking->backends[b], b, &range, page);
    fprintf(page, "<text class=axis x=%d y=%d>nodes, in the order of computation</text>", LEFT,
            HIGH - 6);
    fputs("</svg></div>\n<p class=legend>", page);
    for (size_t b = 0; b < checking->backend_count; b++) {
        fprintf(page,
                "<span><svg viewBox=\"0 0 16 10\"><rect class=c%zu width=16 height=10 rx=2 "
                "/></svg>",
                b % 12);
        heedi_bench_page_text(page, checking->backends[b].label);
        fputs("</span>", page);
    }
    fputs("</p>\n", page);
}
