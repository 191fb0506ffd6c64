/* SPDX-License-Identifier: Apache-2.0 */
/* What a device that is no processor can do at best.
 *
 * Such a device is reached through its backend alone, so its limits are those of the backend's own
 * best: arithmetic is that of the quickest of a few square products, traffic that of an elementwise
 * operator on more than caches hold, both by the device's clock where a profile tells it, so that
 * copies between host and device do not count. Cases that do more raise the roof. */
#include <string.h>

#include "tools/bench/probe.h"

static const double LONG_S = 50e-3; /* a probe that takes so long is large enough */

enum { PROBE_RUNS = 3, FIRST_PRODUCT = 256, LAST_PRODUCT = 4096 };
enum { FIRST_STREAM = 1 << 20, LAST_STREAM = 1 << 25 }; /* elements, 4 bytes each */

/* ---- probes ---- */

/* The shortest of a few runs; 0 where one fails. */
static double shortest(struct heedi_bench_probe *probe) {
    double best = 0;
    for (int i = 0; i <= PROBE_RUNS; i++) {
        const double seconds = heedi_bench_probe_run(probe);
        if (seconds <= 0)
            return 0;
        if (i > 0 && (best == 0 || seconds < best)) /* the first one warms up */
            best = seconds;
    }
    return best;
}

/* Seconds of an operator on a shape, 0 where it cannot be run; what it needs is in flops, bytes. */
static double measure(const struct heedi_bench *bench, struct heed_executor *executor,
                      const char *op, const char *text, double *flops, double *bytes) {
    struct heedi_bench_shape shape;
    struct heedi_bench_probe probe;
    char error[200];
    if (!heedi_bench_shape_parse(heedi_bench_op_find(op, strlen(op)), text, &shape, error,
                                 sizeof error))
        return 0;
    const double seconds =
        heedi_bench_probe_open(&probe, bench, executor, &shape, HEED_F32) ? shortest(&probe) : 0;
    *flops = probe.flops;
    *bytes = probe.bytes;
    heedi_bench_probe_close(&probe);
    return seconds;
}

/* ---- roofs ---- */

static void raise_arithmetic(struct heedi_bench_backend *backend, double rate, const char *shape) {
    if (rate <= backend->roof.flops_per_s)
        return;
    backend->roof.flops_per_s = rate;
    snprintf(backend->product, sizeof backend->product, "%.31s", shape);
}

static void measure_roof(struct heedi_bench *bench, size_t index, struct heed_executor *executor) {
    struct heedi_bench_backend *backend = &bench->backends[index];
    char shape[64];
    double flops = 0, bytes = 0, seconds = 0;
    for (int n = FIRST_PRODUCT; n <= LAST_PRODUCT && seconds < LONG_S; n *= 2) {
        snprintf(shape, sizeof shape, "%dx%dx%d", n, n, n);
        seconds = measure(bench, executor, "matmul", shape, &flops, &bytes);
        if (seconds <= 0)
            break;
        raise_arithmetic(backend, flops / seconds, shape);
    }
    double rate = 0;
    seconds = 0;
    for (int n = FIRST_STREAM; n <= LAST_STREAM && seconds < LONG_S; n *= 2) {
        snprintf(shape, sizeof shape, "%dx1024", n / 1024);
        seconds = measure(bench, executor, "relu", shape, &flops, &bytes);
        if (seconds <= 0)
            break;
        rate = bytes / seconds; /* the largest counts, as caches flatter the others */
    }
    if (rate <= 0 || backend->roof.flops_per_s <= 0)
        return;
    backend->roof.levels[0] =
        (struct heedi_bench_level){.name = "device memory", .bytes_per_s = rate};
    backend->roof.level_count = 1;
    backend->roof.kernel = backend->product;
}

void heedi_bench_device_roofs(struct heedi_bench *bench) {
    char reason[HEEDI_BENCH_REASON];
    for (size_t i = 0; i < bench->backend_count; i++) {
        if (!bench->backends[i].device)
            continue;
        heedi_bench_progress(bench, "the limits of %s", bench->backends[i].label);
        struct heed_executor *executor = heedi_bench_executor(bench, i, true, reason);
        if (executor != NULL)
            measure_roof(bench, i, executor);
        heed_executor_release(executor);
    }
}

void heedi_bench_device_refine(struct heedi_bench *bench) {
    for (size_t c = 0; c < bench->case_count; c++)
        for (size_t i = 0; i < bench->backend_count; i++) {
            const struct heedi_bench_case *it = &bench->cases[c];
            const double seconds = heedi_bench_case_s(&it->results[i]);
            if (bench->backends[i].roof.level_count > 0 && it->results[i].measured && seconds > 0)
                raise_arithmetic(&bench->backends[i], it->flops / seconds, it->text);
        }
}

/* ---- what they say ---- */

bool heedi_bench_has_roof(const struct heedi_bench *bench, size_t backend) {
    const struct heedi_bench_backend *it = &bench->backends[backend];
    return it->host || (it->device && it->roof.level_count > 0);
}

const struct heedi_bench_roofline *heedi_bench_roof(const struct heedi_bench *bench,
                                                    size_t backend) {
    const struct heedi_bench_backend *it = &bench->backends[backend];
    return it->roof.level_count > 0 ? &it->roof : &bench->roofline;
}

const struct heedi_bench_level *heedi_bench_roof_level(const struct heedi_bench *bench,
                                                       size_t backend,
                                                       const struct heedi_bench_level *level) {
    const struct heedi_bench_backend *it = &bench->backends[backend];
    return it->roof.level_count > 0 ? &it->roof.levels[0] : level;
}

double heedi_bench_case_ideal_s(const struct heedi_bench *bench, const struct heedi_bench_case *it,
                                size_t backend) {
    if (bench->backends[backend].host)
        return it->ideal_s;
    if (!heedi_bench_has_roof(bench, backend))
        return 0;
    const struct heedi_bench_roofline *roof = &bench->backends[backend].roof;
    return heedi_bench_ideal_s(roof, &roof->levels[0], it->flops, it->bytes);
}

double heedi_bench_case_s(const struct heedi_bench_result *result) {
    return result->device_s > 0 ? result->device_s : result->run.median;
}
