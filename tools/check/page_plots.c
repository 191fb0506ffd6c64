/* SPDX-License-Identifier: Apache-2.0 */
/* The plots of the page: histograms of errors, and how errors grow with depth. */
#include <math.h>
#include <string.h>

#include "tools/bench/page.h"
#include "tools/check/check.h"

enum { BINS = 21 };

static void write_histogram(const char *label, const char *what, const double counts[BINS],
                            size_t colour, FILE *page) {
    enum { WIDTH = 420, HEIGHT = 166, LEFT = 8, BOTTOM = 40, TOP = 18 };
    const double step = (WIDTH - 2.0 * LEFT) / BINS, full = HEIGHT - BOTTOM - TOP;
    double most = 1;
    for (size_t bin = 0; bin < BINS; bin++)
        most = fmax(most, counts[bin]);
    fputs("<figure><figcaption>", page);
    heedi_bench_page_text(page, label);
    fprintf(page,
            " <small>how many %s, on a logarithmic scale</small></figcaption>\n"
            "<svg viewBox=\"0 0 %d %d\" role=img aria-label=\"histogram of the errors of %s\">\n",
            what, WIDTH, HEIGHT, what);
    for (size_t bin = 0; bin < BINS; bin++) {
        const double height = full * log1p(counts[bin]) / log1p(most);
        const double x = LEFT + step * (double)bin, y = HEIGHT - BOTTOM - height;
        if (counts[bin] > 0)
            fprintf(page,
                    "<rect class=%s%zu x=%.1f y=%.1f width=%.1f height=%.1f rx=1.5><title>%.0f "
                    "%s</title></rect>",
                    bin == BINS - 1 ? "bad c" : "c", colour % 12, x + 1, y, step - 2, height,
                    counts[bin], what);
        if (counts[bin] > 0)
            fprintf(page, "<text class=tick text-anchor=middle x=%.1f y=%.1f>%.0f</text>",
                    x + step / 2, y - 3, counts[bin]);
    }
    for (int i = 0; i < 4; i++)
        fprintf(page, "<text class=tick text-anchor=%s x=%.1f y=%d>%.2g</text>",
                i == 0 ? "start" : "middle", LEFT + step * 5 * i, HEIGHT - 24, 0.25 * i);
    fprintf(page,
            "<text class=tick text-anchor=end x=%d y=%d>over 1</text><path class=full "
            "d=\"M%.1f %dV%d\" /><text class=axis x=%d y=%d>largest error, as a share of the "
            "bound</text></svg></figure>\n",
            WIDTH - LEFT, HEIGHT - 24, LEFT + step * 20, TOP, HEIGHT - BOTTOM, LEFT, HEIGHT - 7);
}

void heedi_check_histogram(const struct heedi_checked_backend *backend, size_t colour, FILE *page) {
    double counts[BINS] = {0};
    for (size_t i = 0; i < backend->row_count; i++)
        for (size_t bin = 0; bin < BINS; bin++)
            counts[bin] += (double)backend->rows[i].histogram[bin];
    write_histogram(backend->label, "cases", counts, colour, page);
}

/* As heed_check_row has cases: shares in (i / 20, (i + 1) / 20], and what is beyond. */
void heedi_check_nodes_histogram(const struct heedi_checked_backend *backend, size_t colour,
                                 FILE *page) {
    double counts[BINS] = {0};
    for (size_t i = 0; i < backend->node_count; i++) {
        const struct heedi_checked_node *it = &backend->nodes[i];
        const double at = ceil(it->isolated * (BINS - 1)) - 1;
        if (it->declined)
            continue;
        if (it->fault != HEED_CHECK_NONE || !(at < BINS - 1))
            counts[BINS - 1]++;
        else
            counts[at > 0 ? (size_t)at : 0]++;
    }
    write_histogram(backend->label, "nodes", counts, colour, page);
}

/* ---- growth ---- */

enum { WIDE = 960, HIGH = 340, LEFT = 56, RIGHT = 12, TOP = 26, BOTTOM = 40, DECADES = 5 };

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
    range.low = fmax(range.low, range.high - DECADES); /* less is nothing */
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
    fprintf(page, "<path class=\"curve k%zu d%zu\" d=\"", colour % 12, colour % 4);
    for (size_t i = 0; i < backend->node_count; i++) {
        const double relative = backend->nodes[i].relative;
        if (!(relative > 0) || !isfinite(relative))
            continue;
        fprintf(page, "%c%.1f %.1f", down ? 'L' : 'M', x_of(range, i), y_of(range, relative));
        down = true;
    }
    fputs("\" />\n", page);
}

/* What came out of the graphs as they are run, and what is beyond its tolerance. */
static void write_pieces(const struct heedi_checked_backend *backend, size_t colour,
                         const struct range *range, FILE *page) {
    for (size_t i = 0; i < backend->piece_count; i++) {
        const struct heedi_checked_piece *it = &backend->pieces[i];
        if (!(it->relative > 0) || (it->group && !it->over))
            continue;
        const double x = x_of(range, it->at), y = y_of(range, it->relative);
        if (it->over)
            fprintf(page, "<path class=cross d=\"M%.1f %.1fl8 8m0 -8l-8 8\">", x - 4, y - 4);
        else
            fprintf(page, "<circle class=\"dot c%zu\" cx=%.1f cy=%.1f r=2.4>", colour % 12, x, y);
        fputs("<title>", page);
        heedi_bench_page_text(page, backend->label);
        fprintf(page, ", as run: %.2e at ", it->relative);
        heedi_bench_page_text(page, it->place.name);
        fputs(it->over ? "</title></path>" : "</title></circle>", page);
    }
}

static void write_worst(const struct heedi_checked_backend *backend, size_t colour,
                        const struct range *range, FILE *page) {
    size_t worst = 0;
    for (size_t i = 1; i < backend->node_count; i++)
        if (backend->nodes[i].relative > backend->nodes[worst].relative)
            worst = i;
    if (backend->node_count == 0 || !(backend->nodes[worst].relative > 0))
        return;
    fprintf(page, "<circle class=\"ring k%zu\" cx=%.1f cy=%.1f r=6><title>", colour % 12,
            x_of(range, worst), y_of(range, backend->nodes[worst].relative));
    heedi_bench_page_text(page, backend->label);
    fprintf(page, " differs most: %.2e at ", backend->nodes[worst].relative);
    heedi_bench_page_text(page, backend->nodes[worst].place.name);
    fputs("</title></circle>", page);
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
    for (size_t b = 0; b < checking->backend_count; b++) {
        write_line(&checking->backends[b], b, &range, page);
        write_pieces(&checking->backends[b], b, &range, page);
        write_worst(&checking->backends[b], b, &range, page);
    }
    fprintf(page,
            "<text class=axis x=%d y=%d>nodes, in the order of computation</text><text class=axis "
            "x=0 y=12>difference, relative to the largest of a node's results</text>",
            LEFT, HIGH - 6);
    fputs("</svg></div>\n<p class=legend>", page);
    for (size_t b = 0; b < checking->backend_count; b++) {
        fprintf(page,
                "<span><svg viewBox=\"0 0 26 10\"><path class=\"curve k%zu d%zu\" "
                "stroke-width=3 d=\"M0 5H26\" /></svg>",
                b % 12, b % 4);
        heedi_bench_page_text(page, checking->backends[b].label);
        fputs("</span>", page);
    }
    fputs("</p>\n", page);
}
