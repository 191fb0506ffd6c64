/* SPDX-License-Identifier: Apache-2.0 */
/* Order statistics of timings.
 *
 * Timings are skewed and have outliers (interrupts, other tenants of the machine), so nothing here
 * uses a mean or a variance: medians, quantiles, and an interval of the median that holds for any
 * distribution. */
#ifndef HEEDI_TOOLS_BENCH_STATS_H
#define HEEDI_TOOLS_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>

struct heedi_bench_stats {
    size_t count;
    double median, p10, p90, p99, least, most;
    double low, high; /* 95 % interval of the median; equal to least and most below 6 samples */
    bool stable;      /* high - low <= HEEDI_BENCH_STABLE * median */
};

/* A median is stable when its 95 % interval is no wider than this share of it. */
#define HEEDI_BENCH_STABLE 0.02

/* Sorts `samples` and describes them; all zero for none. */
void heedi_bench_stats(double *samples, size_t count, struct heedi_bench_stats *stats);

/* Quantile q in [0, 1] of ascending samples, count >= 1: linear between the neighbours of rank
 * q (count - 1) (type 7 of Hyndman and Fan 1996). */
double heedi_bench_quantile(const double *sorted, size_t count, double q);

/* Ranks (from 0) of the two order statistics that enclose the median of the distribution with a
 * probability of at least 95 %, whatever the distribution: the number of samples below the median
 * is binomial (count, 1/2). False below 6 samples, where no such pair exists. */
bool heedi_bench_median_ranks(size_t count, size_t *low, size_t *high);

/* exp(mean(log x)); 0 for none. All positive. */
double heedi_bench_geometric_mean(const double *values, size_t count);

#endif
