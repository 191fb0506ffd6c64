/* SPDX-License-Identifier: Apache-2.0 */
/* One operator on one shape, run by one executor: what limits and tuning are measured with. */
#ifndef HEEDI_TOOLS_BENCH_PROBE_H
#define HEEDI_TOOLS_BENCH_PROBE_H

#include "tools/bench/bench.h"

struct heedi_bench_probe {
    struct heed_context *context;
    struct heedi_bench_graph graph;
    struct heed_program *program;
    struct heed_instance *instance;
    struct heedi_bench_clock clock;
    double flops, bytes; /* of a run */
};

/* False where the executor cannot do it; the context says why. Close in any case. */
bool heedi_bench_probe_open(struct heedi_bench_probe *probe, const struct heedi_bench *bench,
                            struct heed_executor *executor, const struct heedi_bench_shape *shape,
                            enum heed_dtype dtype);
void heedi_bench_probe_close(struct heedi_bench_probe *probe);
/* Seconds of one run, by the device's own clock where it tells; 0 where the run fails. */
double heedi_bench_probe_run(struct heedi_bench_probe *probe);
/* Whether the f32 results of the last runs of two probes of one shape agree: no element differs by
 * more than `tolerance` of the reference's greatest. */
bool heedi_bench_probe_agrees(const struct heedi_bench_probe *probe,
                              const struct heedi_bench_probe *reference, double tolerance);

#endif
