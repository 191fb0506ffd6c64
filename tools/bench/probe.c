/* SPDX-License-Identifier: Apache-2.0 */
/* One operator on one shape, run by one executor: what limits and tuning are measured with. */
#include <math.h>
#include <string.h>

#include "tools/bench/probe.h"

/* ---- the clock ---- */

static void add_ns(void *user, const char *backend, const char *op, uint64_t runs, uint64_t ns) {
    uint64_t *sum = user;
    (void)backend;
    (void)runs;
    if (op[0] != '\0') /* whole parts are timed by the host */
        *sum += ns;
}

double heedi_bench_clock_read(struct heedi_bench_clock *clock) {
    uint64_t sum = 0;
    heed_profile_totals(clock->profile, add_ns, &sum);
    const double seconds = (double)(sum - clock->ns) * 1e-9;
    clock->ns = sum;
    return seconds;
}

/* ---- probes ---- */

static void add_cost(void *user, const struct heed_placement *placement) {
    struct heedi_bench_probe *probe = user;
    if (strcmp(placement->backend, "view") == 0)
        return;
    probe->flops += placement->flops;
    probe->bytes += placement->bytes;
}

bool heedi_bench_probe_open(struct heedi_bench_probe *probe, const struct heedi_bench *bench,
                            struct heed_executor *executor, const struct heedi_bench_shape *shape,
                            enum heed_dtype dtype) {
    struct heed_context *context = bench->context;
    memset(probe, 0, sizeof *probe);
    probe->context = context;
    if (heedi_bench_graph_build(context, shape, dtype, bench->seed, 0, &probe->graph) != HEED_OK ||
        heed_program_compile(context, executor, probe->graph.graph, &probe->program) != HEED_OK ||
        heed_instance_create(context, probe->program, &probe->instance) != HEED_OK ||
        heed_profile_create(context, &probe->clock.profile) != HEED_OK)
        return false;
    heedi_bench_graph_fill(&probe->graph, bench->seed, 0, probe->instance);
    heed_program_placements(probe->program, add_cost, probe);
    heed_instance_set_profile(probe->instance, probe->clock.profile);
    return true;
}

void heedi_bench_probe_close(struct heedi_bench_probe *probe) {
    heed_instance_destroy(probe->instance);
    heed_profile_destroy(probe->clock.profile);
    heed_program_release(probe->program);
    heedi_bench_graph_free(&probe->graph);
    memset(probe, 0, sizeof *probe);
}

double heedi_bench_probe_run(struct heedi_bench_probe *probe) {
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    if (heed_instance_run(probe->context, probe->instance) != HEED_OK)
        return 0;
    const double host = heedi_tool_seconds_since(begin_ns);
    const double device = heedi_bench_clock_read(&probe->clock);
    return device > 0 ? device : host;
}

bool heedi_bench_probe_agrees(const struct heedi_bench_probe *probe,
                              const struct heedi_bench_probe *reference, double tolerance) {
    size_t bytes = 0, wanted_bytes = 0;
    const float *y = heed_instance_output(probe->instance, "y", &bytes);
    const float *wanted = heed_instance_output(reference->instance, "y", &wanted_bytes);
    double most = 0;
    if (y == NULL || wanted == NULL || bytes != wanted_bytes)
        return false;
    for (size_t i = 0; i < bytes / sizeof *y; i++)
        most = fmax(most, fabs((double)wanted[i]));
    for (size_t i = 0; i < bytes / sizeof *y; i++)
        if (!(fabs((double)y[i] - (double)wanted[i]) <= tolerance * most)) /* NaN is caught too */
            return false;
    return true;
}
