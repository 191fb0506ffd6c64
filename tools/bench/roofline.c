/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring the roofline, and what it says of a piece of work. */
#include "tools/bench/roofline.h"

#include <stdlib.h>
#include <string.h>

#include "tools/os.h"

uint64_t heedi_bench_last_cache(const struct heedi_bench_caches *caches) {
    const uint64_t largest = caches->l3 > 0 ? caches->l3 : caches->l2;
    return largest > 0 ? largest : UINT64_C(32) << 20;
}

const struct heedi_bench_level *heedi_bench_level_of(const struct heedi_bench_roofline *roofline,
                                                     double working_set_bytes) {
    size_t i = 0;
    while (i + 1 < roofline->level_count && working_set_bytes > roofline->levels[i].capacity_bytes)
        i++;
    return &roofline->levels[i];
}

double heedi_bench_ideal_s(const struct heedi_bench_roofline *roofline,
                           const struct heedi_bench_level *level, double flops, double bytes) {
    const double arithmetic = flops / roofline->flops_per_s, traffic = bytes / level->bytes_per_s;
    return arithmetic > traffic ? arithmetic : traffic;
}

/* ---- measuring ---- */

/* Each test is made in several short passes, far apart, so that a machine that others use has a
 * chance to show what it can do. */
enum { ROUNDS = 3 };
static const double PASS_S = 0.08;

/* Repeats pass(work) for about `limit_s` and returns the shortest time: a limit of the machine is
 * what it does when nothing disturbs it. */
static double shortest(void (*pass)(void *work), void *work, double limit_s) {
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    double best = 0;
    pass(work);
    do {
        const uint64_t pass_ns = heedi_tool_os_now_ns();
        pass(work);
        const double seconds = heedi_tool_seconds_since(pass_ns);
        if (best == 0 || seconds < best)
            best = seconds;
    } while (heedi_tool_seconds_since(begin_ns) < limit_s);
    return best > 0 ? best : 1e-9;
}

struct arithmetic {
    struct heed_pool *pool;
    const struct heedi_bench_peak_kernel *kernel;
    uint64_t rounds;
    int64_t pieces;
    float seed[64];
};

static void multiply_add(void *arg, int64_t begin, int64_t end) {
    const struct arithmetic *work = arg;
    float result[64];
    volatile float kept;
    for (int64_t i = begin; i < end; i++) {
        work->kernel->run(work->rounds, work->seed, result);
        kept = result[0];
        (void)kept;
    }
}

static void one_thread_pass(void *arg) {
    const struct arithmetic *work = arg;
    multiply_add(arg, 0, work->pieces);
}

static void arithmetic_pass(void *arg) {
    struct arithmetic *work = arg;
    heed_pool_parallel_for(work->pool, work->pieces, 1, multiply_add, work);
}

static void measure_arithmetic(struct heed_pool *pool, struct heedi_bench_roofline *roofline) {
    /* A few tenths of a millisecond a pass: long against waking threads, short against the time
     * slices of whatever else runs here. */
    struct arithmetic work = {.pool = pool, .rounds = 20000, .pieces = 2 * roofline->threads};
    const struct heedi_bench_peak_kernel *kernels = NULL;
    const size_t count = heedi_bench_peak_kernels(&kernels);
    for (size_t i = 0; i < 64; i++)
        work.seed[i] = 0.5f + 0.001f * (float)i;
    for (size_t i = 0; i < count; i++) {
        work.kernel = &kernels[i];
        const double flops = kernels[i].flops_per_round * (double)work.rounds * (double)work.pieces;
        const double rate = flops / shortest(arithmetic_pass, &work, PASS_S);
        const double one_rate = flops / shortest(one_thread_pass, &work, PASS_S / 2);
        if (rate > roofline->flops_per_s) {
            roofline->flops_per_s = rate;
            roofline->kernel = kernels[i].name;
        }
        if (one_rate > roofline->one_thread_flops_per_s)
            roofline->one_thread_flops_per_s = one_rate;
    }
}

struct stream {
    struct heed_pool *pool;
    heedi_bench_read_fn read;
    const char *memory;
    size_t piece_bytes;
    int64_t pieces, repeats; /* each thread reads its pieces again and again */
};

static void read_pieces(void *arg, int64_t begin, int64_t end) {
    const struct stream *work = arg;
    volatile uint64_t kept;
    for (int64_t repeat = 0; repeat < work->repeats; repeat++)
        for (int64_t i = begin; i < end; i++) {
            kept = work->read(work->memory + (size_t)i * work->piece_bytes, work->piece_bytes);
            (void)kept;
        }
}

static void stream_pass(void *arg) {
    struct stream *work = arg;
    heed_pool_parallel_for(work->pool, work->pieces, 1, read_pieces, work);
}

/* Bytes per second of reading `bytes` of `memory`, shared out among the threads. */
static double read_rate(struct heed_pool *pool, const char *memory, size_t bytes) {
    const size_t threads = heed_pool_threads(pool);
    struct stream work = {.pool = pool, .read = heedi_bench_read_kernel(), .memory = memory};
    /* A large set is cut finely, so that a thread that is held up costs little; a small one has one
     * piece for each thread, so that it stays in that thread's cache. */
    const size_t cut = bytes / threads > (size_t)16 << 20 ? 16 : 1;
    work.pieces = (int64_t)(threads * cut);
    work.piece_bytes = bytes / (threads * cut) / 1024 * 1024;
    if (work.piece_bytes == 0)
        work.piece_bytes = 1024;
    const double once = (double)work.piece_bytes * (double)work.pieces;
    work.repeats = once < 64e6 ? (int64_t)(64e6 / once) + 1 : 1;
    return once * (double)work.repeats / shortest(stream_pass, &work, PASS_S);
}

static void add_level(struct heedi_bench_roofline *roofline, const char *name, double capacity,
                      double read_bytes) {
    roofline->levels[roofline->level_count++] = (struct heedi_bench_level){
        .name = name, .capacity_bytes = capacity, .read_bytes = read_bytes};
}

static void measure_level(struct heed_pool *pool, const char *memory,
                          struct heedi_bench_level *level) {
    const double rate = read_rate(pool, memory, (size_t)level->read_bytes);
    if (rate > level->bytes_per_s)
        level->bytes_per_s = rate;
}

bool heedi_bench_roofline_measure(struct heed_pool *pool, const struct heedi_bench_caches *caches,
                                  struct heedi_bench_roofline *roofline) {
    memset(roofline, 0, sizeof *roofline);
    roofline->threads = heed_pool_threads(pool);
    /* Four times the last cache, so that hardly anything of it is left from the pass before. */
    const size_t last = (size_t)heedi_bench_last_cache(caches);
    const size_t most = 4 * last > (size_t)64 << 20 ? 4 * last : (size_t)64 << 20;
    const struct {
        const char *name;
        uint64_t bytes;
    } inner[] = {{"L1", caches->l1 * roofline->threads},
                 {"L2", caches->l2 * roofline->threads},
                 {"L3", caches->l3}};
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (inner[i].bytes > 0 && inner[i].bytes <= most)
            /* half of a cache: the rest is for what else lives there */
            add_level(roofline, inner[i].name, (double)inner[i].bytes, (double)inner[i].bytes / 2);
    add_level(roofline, "memory", 0, (double)most);
    return heedi_bench_roofline_refine(pool, roofline);
}

bool heedi_bench_roofline_refine(struct heed_pool *pool, struct heedi_bench_roofline *roofline) {
    const size_t most = (size_t)roofline->levels[roofline->level_count - 1].read_bytes;
    char *memory = malloc(most);
    if (memory == NULL)
        return false;
    memset(memory, 1, most);
    for (int round = 0; round < ROUNDS; round++) {
        measure_arithmetic(pool, roofline);
        for (size_t i = 0; i < roofline->level_count; i++)
            measure_level(pool, memory, &roofline->levels[i]);
    }
    free(memory);
    return true;
}
