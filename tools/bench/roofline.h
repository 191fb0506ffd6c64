/* SPDX-License-Identifier: Apache-2.0 */
/* The roofline of a machine (Williams, Waterman, Patterson 2009): what its arithmetic and its
 * memory allow at best, as measured on it at one number of threads. */
#ifndef HEEDI_TOOLS_BENCH_ROOFLINE_H
#define HEEDI_TOOLS_BENCH_ROOFLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/executor.h"

enum { HEEDI_BENCH_LEVELS = 4 };

/* A level of the memory hierarchy: reading a working set that it holds. */
struct heedi_bench_level {
    const char *name;      /* "L2", "memory" */
    double capacity_bytes; /* of all threads together; the last level holds everything */
    double read_bytes;     /* so much was read again and again */
    double bytes_per_s;
};

struct heedi_bench_roofline {
    uint32_t threads;
    double flops_per_s; /* f32, a multiply-add counts 2 */
    double one_thread_flops_per_s;
    const char *kernel; /* the instructions that reached it */
    size_t level_count; /* at least 1; ascending capacity */
    struct heedi_bench_level levels[HEEDI_BENCH_LEVELS];
};

/* Sizes of the data caches of one core, in bytes; 0: there is none, or nothing is known of it. */
struct heedi_bench_caches {
    uint64_t l1, l2, l3;
};
/* The largest cache; 32 MiB where nothing is known. */
uint64_t heedi_bench_last_cache(const struct heedi_bench_caches *caches);

/* Runs the peak loop and the read streams on the threads of `pool`, for about two seconds. False
 * when memory is out. */
bool heedi_bench_roofline_measure(struct heed_pool *pool, const struct heedi_bench_caches *caches,
                                  struct heedi_bench_roofline *roofline);
/* Measures again, later; the greater figures count. A machine that others use may have been held up
 * the first time. */
bool heedi_bench_roofline_refine(struct heed_pool *pool, struct heedi_bench_roofline *roofline);

/* The level that a working set lies in. */
const struct heedi_bench_level *heedi_bench_level_of(const struct heedi_bench_roofline *roofline,
                                                     double working_set_bytes);

/* Shortest time for work on operands that lie in a level: max(flops / peak, bytes / bandwidth). */
double heedi_bench_ideal_s(const struct heedi_bench_roofline *roofline,
                           const struct heedi_bench_level *level, double flops, double bytes);

/* ---- peak.c: what is measured ---- */

/* A loop of independent multiply-adds in registers. */
struct heedi_bench_peak_kernel {
    const char *name;
    double flops_per_round;
    void (*run)(uint64_t rounds, const float *seed, float *result); /* 64 floats each */
};
/* Kernels that this processor can run, best last; the number of them. */
size_t heedi_bench_peak_kernels(const struct heedi_bench_peak_kernel **kernels);

/* Reads `bytes` (a multiple of 1024) once, from the start to the end; returns a sum of them. */
typedef uint64_t (*heedi_bench_read_fn)(const void *memory, size_t bytes);
heedi_bench_read_fn heedi_bench_read_kernel(void);

#endif
