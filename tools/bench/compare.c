/* SPDX-License-Identifier: Apache-2.0 */
/* How much faster one backend is than another, over all cases that both ran. */
#include <stdlib.h>

#include "tools/bench/bench.h"

bool heedi_bench_compare(const struct heedi_bench *bench, size_t backend, size_t against,
                         struct heedi_bench_comparison *comparison) {
    double *ratios = malloc((bench->case_count + 1) * sizeof *ratios);
    *comparison = (struct heedi_bench_comparison){0};
    for (size_t i = 0; ratios != NULL && i < bench->case_count; i++) {
        const struct heedi_bench_result *results = bench->cases[i].results;
        if (!results[backend].measured || !results[against].measured)
            continue;
        const double ratio = results[against].run.median / results[backend].run.median;
        if (comparison->count == 0 || ratio < comparison->least)
            comparison->least = ratio;
        if (ratio > comparison->most)
            comparison->most = ratio;
        ratios[comparison->count++] = ratio;
    }
    if (ratios != NULL)
        comparison->mean = heedi_bench_geometric_mean(ratios, comparison->count);
    free(ratios);
    return comparison->count > 0;
}
