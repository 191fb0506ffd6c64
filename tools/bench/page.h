/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the report as a page. Everything is written to a stream whose errors are looked at
 * once, in the end. */
#ifndef HEEDI_TOOLS_BENCH_PAGE_H
#define HEEDI_TOOLS_BENCH_PAGE_H

#include "tools/bench/bench.h"

/* Text with what HTML and SVG reserve escaped; bytes that are no ASCII pass as they are. */
void heedi_bench_page_text(FILE *page, const char *text);

/* ---- page_svg.c ---- */

/* A bar chart with one bar per backend: what it shows, and of each backend the length (< 0: none),
 * the ends of the whisker (both 0: none) and the words beside it. */
struct heedi_bench_bars {
    const char *title, *note;
    struct {
        double value, low, high;
        char words[64];
    } of[HEEDI_BENCH_BACKENDS];
};
void heedi_bench_page_bars(const struct heedi_bench *bench, const struct heedi_bench_bars *bars,
                           FILE *page);

/* Cases [first, last): bars as long as the share of the ideal. */
void heedi_bench_page_shares(const struct heedi_bench *bench, size_t first, size_t last,
                             FILE *page);
/* Time by operator of a translation: measured, with the ideal inside. */
void heedi_bench_page_parts(const struct heedi_bench *bench, size_t backend, FILE *page);

/* ---- page_roofline.c ---- */
void heedi_bench_page_legend(const struct heedi_bench *bench, FILE *page);
void heedi_bench_page_roofline(const struct heedi_bench *bench, FILE *page);

#endif
