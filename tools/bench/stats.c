/* SPDX-License-Identifier: Apache-2.0 */
/* Order statistics of timings. */
#include "tools/bench/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double heedi_bench_quantile(const double *sorted, size_t count, double q) {
    const double rank = q * (double)(count - 1);
    const size_t below = (size_t)rank;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* Exact up to here; 2^-count is still a normal double. The normal approximation beyond is off by
 * at most one rank. */
enum { EXACT_SAMPLES = 1000 };

bool heedi_bench_median_ranks(size_t count, size_t *low, size_t *high) {
    *low = 0;
    *high = count > 0 ? count - 1 : 0;
    if (count < 6)
        return false;
    if (count > EXACT_SAMPLES) {
        const double n = (double)count;
        *low = (size_t)floor(0.5 * (n - 1.9599639845400545 * sqrt(n)) - 0.5);
        *high = count - 1 - *low;
        return true;
    }
    /* The greatest l with P(fewer than l + 1 samples below the median) <= 0.025. */
    double term = ldexp(1.0, -(int)count), tail = term;
    for (size_t i = 1; i < count; i++) {
        term *= (double)(count - i + 1) / (double)i;
        tail += term;
        if (tail > 0.025)
            break;
        *low = i;
    }
    *high = count - 1 - *low;
    return true;
}

void heedi_bench_stats(double *samples, size_t count, struct heedi_bench_stats *stats) {
    memset(stats, 0, sizeof *stats);
    if (count == 0)
        return;
    size_t low = 0, high = 0;
    qsort(samples, count, sizeof *samples, ascending);
    const bool bounded = heedi_bench_median_ranks(count, &low, &high);
    stats->count = count;
    stats->median = heedi_bench_quantile(samples, count, 0.5);
    stats->p10 = heedi_bench_quantile(samples, count, 0.1);
    stats->p90 = heedi_bench_quantile(samples, count, 0.9);
    stats->p99 = heedi_bench_quantile(samples, count, 0.99);
    stats->least = samples[0];
    stats->most = samples[count - 1];
    stats->low = samples[low];
    stats->high = samples[high];
    stats->stable = bounded && stats->high - stats->low <= HEEDI_BENCH_STABLE * stats->median;
}

double heedi_bench_geometric_mean(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += log(values[i]);
    return count > 0 ? exp(sum / (double)count) : 0;
}
