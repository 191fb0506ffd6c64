/* SPDX-License-Identifier: Apache-2.0 */
/* `heed bench --tune`: which shapes of workgroups suit a device.
 *
 * A backend offers choices for its kernels and cases to compare them by. Every choice is opened as
 * an executor of its own; its results must agree with the scalar backend's before it is timed, and
 * then all take turns, so that what drifts, drifts for all. The one with the least geometric mean
 * of its cases' medians wins, if it gains more than noise might. Winners are kept by the backend.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/probe.h"

enum { LEAST_ROUNDS = 5, MOST_ROUNDS = 99 };
static const double WORTH = 0.03; /* a gain that noise does not explain */
/* Sums of 512 products: about sqrt(512) roundings of 2^-24 each, of which this is far; one product
 * that is missing shows up as about 1 / sqrt(512) of the greatest element. */
static const double TOLERANCE = 1e-4;

struct choice {
    struct heed_executor *executor;
    struct heedi_bench_probe probes[HEED_TUNE_CASES];
    double *samples; /* [case][round] */
    bool running;
};

struct contest {
    struct heedi_bench *bench;
    size_t backend;
    const struct heed_tune_kernel *kernel;
    struct heedi_bench_tuned *result;
    struct heed_executor *scalar;
    struct heedi_bench_probe references[HEED_TUNE_CASES];
    struct heedi_bench_shape shapes[HEED_TUNE_CASES];
    struct choice choices[HEED_TUNE_CHOICES];
};

/* ---- what is compared ---- */

static struct heed_executor *open_list(const struct heedi_bench *bench, const char *list) {
    struct heed_executor *executor = NULL;
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = list, .pool = bench->pool};
    return heed_executor_create(bench->context, &options, &executor) == HEED_OK ? executor : NULL;
}

/* Shapes as heed bench knows them. */
static bool find_shapes(struct contest *contest) {
    const struct heed_tune_kernel *kernel = contest->kernel;
    contest->result->case_count = kernel->case_count;
    for (uint32_t i = 0; i < kernel->case_count; i++) {
        const struct heed_tune_case *it = &kernel->cases[i];
        struct heedi_bench_shape *shape = &contest->shapes[i];
        const char *name = heed_op_name((enum heed_op)it->op);
        char text[40] = "";
        memset(shape, 0, sizeof *shape);
        shape->op = heedi_bench_op_find(name, strlen(name));
        if (shape->op == NULL)
            return false;
        for (uint32_t d = 0; d < shape->op->rank; d++) {
            const size_t used = strlen(text);
            if (it->dims[d] < 1 || it->dims[d] > 1 << 20)
                return false;
            shape->dims[d] = it->dims[d];
            snprintf(text + used, sizeof text - used, "%s%lld", d > 0 ? "x" : "",
                     (long long)it->dims[d]);
        }
        snprintf(contest->result->cases[i], sizeof contest->result->cases[i], "%.12s %.20s %.5s",
                 name, text, heed_dtype_name((enum heed_dtype)it->dtype));
    }
    return true;
}

static bool open_references(struct contest *contest) {
    contest->scalar = open_list(contest->bench, "scalar,only");
    if (contest->scalar == NULL)
        return false;
    for (uint32_t i = 0; i < contest->kernel->case_count; i++)
        if (!heedi_bench_probe_open(&contest->references[i], contest->bench, contest->scalar,
                                    &contest->shapes[i],
                                    (enum heed_dtype)contest->kernel->cases[i].dtype) ||
            heedi_bench_probe_run(&contest->references[i]) <= 0)
            return false;
    return true;
}

/* Opens choice `index`, and looks whether it is right. */
static void open_choice(struct contest *contest, uint32_t index) {
    const struct heedi_bench *bench = contest->bench;
    struct choice *choice = &contest->choices[index];
    struct heedi_bench_choice *result = &contest->result->choices[index];
    char list[256];
    snprintf(list, sizeof list, "%.150s(%.30s=%.30s),only", bench->backends[contest->backend].list,
             contest->kernel->name, contest->kernel->choices[index]);
    heedi_bench_progress(bench, "%s: %s %s", bench->backends[contest->backend].label,
                         contest->kernel->name, contest->kernel->choices[index]);
    choice->executor = open_list(bench, list);
    choice->samples = calloc(HEED_TUNE_CASES * MOST_ROUNDS, sizeof *choice->samples);
    choice->running = choice->executor != NULL && choice->samples != NULL;
    for (uint32_t i = 0; choice->running && i < contest->kernel->case_count; i++) {
        struct heedi_bench_probe *probe = &choice->probes[i];
        choice->running =
            heedi_bench_probe_open(probe, bench, choice->executor, &contest->shapes[i],
                                   (enum heed_dtype)contest->kernel->cases[i].dtype) &&
            heedi_bench_probe_run(probe) > 0;
        if (choice->running)
            result->wrong = !heedi_bench_probe_agrees(probe, &contest->references[i], TOLERANCE);
        choice->running = choice->running && !result->wrong;
    }
}

static void close_contest(struct contest *contest) {
    for (uint32_t c = 0; c < HEED_TUNE_CHOICES; c++) {
        for (uint32_t i = 0; i < HEED_TUNE_CASES; i++)
            heedi_bench_probe_close(&contest->choices[c].probes[i]);
        heed_executor_release(contest->choices[c].executor);
        free(contest->choices[c].samples);
    }
    for (uint32_t i = 0; i < HEED_TUNE_CASES; i++)
        heedi_bench_probe_close(&contest->references[i]);
    heed_executor_release(contest->scalar);
}

/* ---- comparing ---- */

/* Rounds in which every choice runs every case once. Returns how many there were. */
static size_t take_turns(struct contest *contest) {
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    size_t round = 0;
    while (round < MOST_ROUNDS) {
        for (uint32_t c = 0; c < contest->kernel->choice_count; c++)
            for (uint32_t i = 0; contest->choices[c].running && i < contest->kernel->case_count;
                 i++) {
                struct choice *choice = &contest->choices[c];
                const double seconds = heedi_bench_probe_run(&choice->probes[i]);
                choice->samples[i * MOST_ROUNDS + round] = seconds;
                choice->running = seconds > 0;
            }
        round++;
        if (round >= LEAST_ROUNDS && heedi_tool_seconds_since(begin_ns) > contest->bench->seconds)
            break;
    }
    return round;
}

/* The winner stays the standard choice unless another one is better by more than noise. */
static void judge(struct contest *contest, size_t rounds) {
    const struct heed_tune_kernel *kernel = contest->kernel;
    struct heedi_bench_tuned *result = contest->result;
    struct heedi_bench_stats standard[HEED_TUNE_CASES], stats;
    double best = 1 - WORTH;
    result->winner = result->standard;
    if (!contest->choices[kernel->standard].running)
        return;
    for (uint32_t i = 0; i < kernel->case_count; i++)
        heedi_bench_stats(contest->choices[kernel->standard].samples + i * MOST_ROUNDS, rounds,
                          &standard[i]);
    for (uint32_t c = 0; c < kernel->choice_count; c++) {
        struct heedi_bench_choice *choice = &result->choices[c];
        double logs = 0, most = 0, least = 0;
        if (!contest->choices[c].running)
            continue;
        for (uint32_t i = 0; i < kernel->case_count; i++) {
            heedi_bench_stats(contest->choices[c].samples + i * MOST_ROUNDS, rounds, &stats);
            choice->seconds += stats.median;
            logs += log(stats.median / standard[i].median);
            most += stats.high / standard[i].median;
            least += standard[i].low / standard[i].median;
        }
        choice->ratio = exp(logs / kernel->case_count);
        if (choice->ratio < best && most < least) {
            best = choice->ratio;
            result->winner = c;
        }
    }
}

struct tuner {
    struct heedi_bench *bench;
    size_t backend;
};

static void tune_kernel(void *user, const struct heed_tune_kernel *kernel) {
    const struct tuner *tuner = user;
    struct heedi_bench_tuning *tuning = &tuner->bench->tunings[tuner->backend];
    struct contest *contest = calloc(1, sizeof *contest);
    if (contest == NULL || tuning->kernel_count == HEEDI_BENCH_TUNED) {
        free(contest);
        return;
    }
    struct heedi_bench_tuned *result = &tuning->kernels[tuning->kernel_count++];
    *contest = (struct contest){
        .bench = tuner->bench, .backend = tuner->backend, .kernel = kernel, .result = result};
    snprintf(result->name, sizeof result->name, "%.31s", kernel->name);
    result->choice_count = kernel->choice_count;
    result->standard = result->winner = kernel->standard;
    for (uint32_t i = 0; i < kernel->choice_count; i++)
        snprintf(result->choices[i].text, sizeof result->choices[i].text, "%.23s",
                 kernel->choices[i]);
    if (find_shapes(contest) && open_references(contest)) {
        for (uint32_t i = 0; i < kernel->choice_count; i++)
            open_choice(contest, i);
        judge(contest, take_turns(contest));
    }
    close_contest(contest);
    free(contest);
}

/* ---- keeping ---- */

static void keep(struct heedi_bench *bench, size_t backend, struct heed_executor *executor) {
    struct heedi_bench_tuning *tuning = &bench->tunings[backend];
    char kept[sizeof tuning->kept] = "";
    for (size_t k = 0; k < tuning->kernel_count; k++) {
        const struct heedi_bench_tuned *kernel = &tuning->kernels[k];
        const size_t used = strlen(kept);
        if (kernel->winner != kernel->standard)
            snprintf(kept + used, sizeof kept - used, "%s%s=%s", used > 0 ? "," : "", kernel->name,
                     kernel->choices[kernel->winner].text);
    }
    memcpy(tuning->kept, kept, sizeof kept);
    const enum heed_status status = heed_executor_tune_save(bench->context, executor, tuning->kept);
    tuning->saved = status == HEED_OK;
    if (status != HEED_OK)
        heedi_bench_reason(bench, status, tuning->reason);
}

size_t heedi_bench_tune(struct heedi_bench *bench) {
    size_t tuned = 0;
    for (size_t i = 0; i < bench->backend_count; i++) {
        struct tuner tuner = {.bench = bench, .backend = i};
        /* with options of their own, or together, backends are not tuned */
        if (!bench->backends[i].device || strchr(bench->backends[i].list, '(') != NULL)
            continue;
        struct heed_executor *executor =
            heedi_bench_executor(bench, i, true, bench->tunings[i].reason);
        if (executor == NULL)
            continue;
        if (heed_executor_tunable(bench->context, executor, tune_kernel, &tuner) == HEED_OK &&
            bench->tunings[i].kernel_count > 0) {
            keep(bench, i, executor);
            tuned++;
        }
        heed_executor_release(executor);
    }
    return tuned;
}
