/* SPDX-License-Identifier: Apache-2.0 */
/* The report as one page. */
#include "tools/bench/bench.h"

void heedi_bench_html(const struct heedi_bench *bench, FILE *stream) {
    heedi_bench_table(bench, stream);
}
