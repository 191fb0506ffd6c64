/* SPDX-License-Identifier: Apache-2.0 */
/* Measuring one case.
 *
 * A run of the model finds its weights in memory, not in the cache, and its activations just
 * written. So operands are taken in turn from several sets that together are three times the last
 * cache (as far as MOST_SETS reach; `--warm-cache` keeps to one set). Backends take turns by
 * slices of a few milliseconds, A B C A B C ..., so that a machine that drifts (frequency, other
 * tenants) drifts for all of them. A sample is as many runs as fill SAMPLE_S, so that the clock
 * does not matter. It goes on until every backend's median is stable or its time is up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/bench.h"

enum { MOST_SETS = 256, MOST_SAMPLES = 4096, SLICE_SAMPLES = 8, LEAST_ROUNDS = 8 };
enum { DEVICE_SAMPLES = 99 }; /* by a device's own clock */

static const double SAMPLE_S = 100e-6, SLICE_S = 4e-3;

/* One backend in the case. */
struct lane {
    struct heed_executor *executor;
    struct heed_program **programs;   /* one per set, or one for all */
    struct heed_instance **instances; /* one per set */
    struct heed_state **states;
    uint32_t program_count, next;
    uint64_t runs; /* in a sample */
    double run_s;  /* about what one run takes */
    double *samples;
    size_t count;
    double spent_s;
    bool running;
};

struct race {
    struct heedi_bench *bench;
    struct heedi_bench_case *it;
    struct heedi_bench_graph *graphs; /* one per set of weights */
    uint32_t graph_count;
    struct lane lanes[HEEDI_BENCH_BACKENDS];
};

static bool stop(struct race *race, size_t lane, enum heed_status status) {
    char *reason = race->it->results[lane].reason;
    heedi_bench_reason(race->bench, status, reason);
    /* "graph 'bench': no backend can run node 'node' (add): avx2: ..." */
    const char *why = strstr(reason, "node 'node' (");
    why = why != NULL ? strstr(why, "): ") : NULL;
    if (why != NULL)
        memmove(reason, why + 3, strlen(why + 3) + 1);
    race->lanes[lane].running = false;
    return false;
}

/* ---- making ---- */

static bool bind_states(struct race *race, size_t index, uint32_t set) {
    const struct heedi_bench_graph *graph = &race->graphs[0];
    struct lane *lane = &race->lanes[index];
    struct heed_context *context = race->bench->context;
    for (uint32_t i = 0; i < graph->operand_count; i++) {
        const struct heedi_bench_operand *operand = &graph->operands[i];
        if (operand->storage != HEEDI_BENCH_STATE)
            continue;
        enum heed_status status =
            heed_state_create(context, lane->programs[0], operand->name, &lane->states[set]);
        if (status == HEED_OK)
            status = heed_instance_bind_state(context, lane->instances[set], operand->name,
                                              lane->states[set]);
        if (status != HEED_OK)
            return stop(race, index, status);
    }
    return true;
}

struct costs {
    struct heedi_bench_case *it;
    struct heedi_bench_result *result;
    double flops, bytes;
};

static void add_cost(void *user, const struct heed_placement *placement) {
    struct costs *costs = user;
    const char *name = heed_op_name(costs->it->shape.op->op);
    char *ran_on = costs->result->ran_on;
    const size_t used = strlen(ran_on), room = sizeof costs->result->ran_on - used;
    if (strcmp(placement->backend, "view") == 0)
        return;
    if (strstr(ran_on, placement->backend) == NULL)
        snprintf(ran_on + used, room, "%s%s", used > 0 ? "+" : "", placement->backend);
    costs->flops += placement->flops;
    costs->bytes += placement->bytes;
    /* What the operator itself needs counts, also for backends that take it apart. */
    if (strcmp(placement->op, name) == 0) {
        costs->it->flops = placement->flops;
        costs->it->bytes = placement->bytes;
    }
}

/* Compiles each graph; what that takes is the time to prepare. */
static bool compile(struct race *race, size_t index) {
    struct lane *lane = &race->lanes[index];
    struct heedi_bench_result *result = &race->it->results[index];
    struct heed_memory memory = {.struct_size = sizeof memory};
    struct heedi_bench_stats stats;
    for (uint32_t i = 0; i < race->graph_count; i++) {
        const uint64_t begin_ns = heedi_tool_os_now_ns();
        const enum heed_status status = heed_program_compile(
            race->bench->context, lane->executor, race->graphs[i].graph, &lane->programs[i]);
        if (status != HEED_OK)
            return stop(race, index, status);
        lane->samples[i] = heedi_tool_seconds_since(begin_ns);
        lane->program_count++;
    }
    heedi_bench_stats(lane->samples, race->graph_count, &stats);
    result->prepare_s = stats.median;
    if (lane->program_count > 0 && heed_program_memory(lane->programs[0], &memory) == HEED_OK)
        result->prepared_bytes = memory.prepared_bytes / lane->program_count;
    struct costs costs = {.it = race->it, .result = result};
    heed_program_placements(lane->programs[0], add_cost, &costs);
    if (race->it->flops <= 0 && race->it->bytes <= 0) {
        race->it->flops = costs.flops;
        race->it->bytes = costs.bytes;
    }
    return true;
}

static bool open_lane(struct race *race, size_t index) {
    struct lane *lane = &race->lanes[index];
    const uint32_t sets = race->it->sets;
    lane->programs = calloc(sets, sizeof(*lane->programs));
    lane->instances = calloc(sets, sizeof(*lane->instances));
    lane->states = calloc(sets, sizeof(*lane->states));
    lane->samples = malloc(MOST_SAMPLES * sizeof *lane->samples);
    if (lane->programs == NULL || lane->instances == NULL || lane->states == NULL ||
        lane->samples == NULL)
        return stop(race, index, HEED_ERROR_OUT_OF_MEMORY);
    lane->executor =
        heedi_bench_executor(race->bench, index, true, race->it->results[index].reason);
    if (lane->executor == NULL || !compile(race, index))
        return false;
    for (uint32_t set = 0; set < sets; set++) {
        const uint32_t program = set < race->graph_count ? set : 0;
        const enum heed_status status = heed_instance_create(
            race->bench->context, lane->programs[program], &lane->instances[set]);
        if (status != HEED_OK)
            return stop(race, index, status);
        heedi_bench_graph_fill(&race->graphs[program], race->bench->seed, set,
                               lane->instances[set]);
        if (!bind_states(race, index, set))
            return false;
    }
    lane->running = true;
    return true;
}

static void close_lane(struct race *race, struct lane *lane) {
    for (uint32_t i = 0; i < race->it->sets; i++) {
        if (lane->instances != NULL)
            heed_instance_destroy(lane->instances[i]);
        if (lane->states != NULL)
            heed_state_destroy(lane->states[i]);
        if (lane->programs != NULL)
            heed_program_release(lane->programs[i]);
    }
    free(lane->instances);
    free(lane->states);
    free(lane->programs);
    free(lane->samples);
    heed_executor_release(lane->executor);
}

/* ---- running ---- */

static bool run_once(struct race *race, size_t index) {
    struct lane *lane = &race->lanes[index];
    const enum heed_status status =
        heed_instance_run(race->bench->context, lane->instances[lane->next]);
    lane->next = lane->next + 1 < race->it->sets ? lane->next + 1 : 0;
    return status == HEED_OK || stop(race, index, status);
}

/* Each set once, then on for a while; ends early where one run takes long. Learns how many runs
 * make a sample. */
static void warm_up(struct race *race, size_t index) {
    struct lane *lane = &race->lanes[index];
    const double most_s = race->bench->seconds / 4;
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    uint64_t last_ns = begin_ns;
    for (uint32_t runs = 0; lane->running && run_once(race, index); runs++) {
        const double took = heedi_tool_seconds_since(last_ns),
                     all = heedi_tool_seconds_since(begin_ns);
        last_ns = heedi_tool_os_now_ns();
        if (runs == 0 || took < lane->run_s)
            lane->run_s = took;
        if (all > most_s || (runs + 1 >= race->it->sets && all > 10e-3))
            break;
    }
    lane->runs = lane->run_s < SAMPLE_S ? (uint64_t)(SAMPLE_S / (lane->run_s + 1e-8)) + 1 : 1;
    lane->spent_s += heedi_tool_seconds_since(begin_ns);
    lane->next = 0;
}

static void take_slice(struct race *race, size_t index) {
    struct lane *lane = &race->lanes[index];
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    double slice_s = 0;
    /* what the others left in the caches is not this backend's fault */
    if (race->it->sets == 1 && lane->run_s < SLICE_S && !run_once(race, index))
        return;
    for (int i = 0; i < SLICE_SAMPLES && slice_s < SLICE_S && lane->count < MOST_SAMPLES; i++) {
        const uint64_t sample_ns = heedi_tool_os_now_ns();
        for (uint64_t run = 0; run < lane->runs; run++)
            if (!run_once(race, index))
                return;
        lane->samples[lane->count++] = heedi_tool_seconds_since(sample_ns) / (double)lane->runs;
        slice_s = heedi_tool_seconds_since(begin_ns);
    }
    lane->spent_s += heedi_tool_seconds_since(begin_ns);
}

/* Sorting the samples in between does no harm: their order means nothing. */
static bool settled(struct race *race, size_t index) {
    struct lane *lane = &race->lanes[index];
    struct heedi_bench_result *result = &race->it->results[index];
    if (!lane->running)
        return true;
    heedi_bench_stats(lane->samples, lane->count, &result->run);
    return result->run.stable;
}

static bool exhausted(const struct race *race, const struct lane *lane) {
    return !lane->running || lane->count >= MOST_SAMPLES ||
           (lane->spent_s >= race->bench->seconds && lane->count > 0);
}

static void take_turns(struct race *race) {
    const size_t count = race->bench->backend_count;
    bool done = false;
    for (uint64_t round = 0; !done; round++) {
        done = true;
        for (size_t i = 0; i < count; i++)
            if (!exhausted(race, &race->lanes[i]))
                take_slice(race, i);
        /* looking costs time: at growing distances */
        const bool look = round + 1 >= LEAST_ROUNDS && (round < 16 || round % 8 == 0);
        for (size_t i = 0; i < count; i++) {
            const bool out = exhausted(race, &race->lanes[i]);
            done = done && (out || (look && settled(race, i)));
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = &race->lanes[i];
        struct heedi_bench_result *result = &race->it->results[i];
        settled(race, i);
        result->measured = lane->running && lane->count > 0;
    }
}

/* Once more with the device's clock, which takes time of its own: median of the runs. */
static void read_clock(struct race *race, size_t index) {
    struct lane *lane = &race->lanes[index];
    struct heedi_bench_result *result = &race->it->results[index];
    struct heedi_bench_clock clock = {0};
    struct heedi_bench_stats stats;
    double seconds[DEVICE_SAMPLES];
    size_t count = 0;
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    if (heed_profile_create(race->bench->context, &clock.profile) != HEED_OK)
        return;
    for (uint32_t i = 0; i < race->it->sets; i++)
        heed_instance_set_profile(lane->instances[i], clock.profile);
    /* the first run of each set is recorded anew: only the one before the samples is left out */
    for (uint32_t i = 0; i <= DEVICE_SAMPLES && run_once(race, index); i++) {
        const double took = heedi_bench_clock_read(&clock);
        if (i > 0 && took > 0)
            seconds[count++] = took;
        if (heedi_tool_seconds_since(begin_ns) > race->bench->seconds / 2 &&
            (count > 2 || took <= 0))
            break;
    }
    for (uint32_t i = 0; i < race->it->sets; i++)
        heed_instance_set_profile(lane->instances[i], NULL);
    heed_profile_destroy(clock.profile);
    heedi_bench_stats(seconds, count, &stats);
    result->device_s = count > 0 ? stats.median : 0;
}

/* ---- the case ---- */

static enum heed_status build(struct race *race, uint32_t set) {
    const struct heedi_bench *bench = race->bench;
    const struct heedi_bench_case *it = race->it;
    race->graph_count = set + 1;
    return heedi_bench_graph_build(bench->context, &it->shape, it->dtype, bench->seed, set,
                                   &race->graphs[set]);
}

/* Decides on the number of sets and builds their graphs. */
static enum heed_status prepare(struct race *race) {
    struct heedi_bench *bench = race->bench;
    struct heedi_bench_case *it = race->it;
    const struct heedi_bench_caches caches = {bench->machine.l1, bench->machine.l2,
                                              bench->machine.l3};
    it->sets = 1;
    it->level = heedi_bench_level_of(&bench->roofline, 0);
    race->graphs = calloc(MOST_SETS, sizeof *race->graphs);
    enum heed_status status = race->graphs != NULL ? build(race, 0) : HEED_ERROR_OUT_OF_MEMORY;
    if (status != HEED_OK)
        return status;
    const double set_bytes = race->graphs[0].bytes > 1 ? race->graphs[0].bytes : 1;
    const double wanted = ceil(3.0 * (double)heedi_bench_last_cache(&caches) / set_bytes);
    const bool warm = bench->options->bench.warm_cache;
    if (!warm)
        it->sets = wanted > MOST_SETS ? MOST_SETS : (uint32_t)wanted;
    it->working_set = set_bytes * it->sets;
    /* Of twice a cache's size some may still be found there: the ideal must stay a limit. */
    it->level = heedi_bench_level_of(&bench->roofline, warm ? set_bytes : it->working_set / 2);
    for (uint32_t i = 1; status == HEED_OK && race->graphs[0].weights && i < it->sets; i++)
        status = build(race, i);
    return status;
}

/* The case is no case: its operator does not take the type, or there is not the memory. */
static void refuse(struct race *race, enum heed_status status) {
    char reason[HEEDI_BENCH_REASON], name[96];
    heedi_bench_reason(race->bench, status, reason);
    heedi_tool_message("%s: %s", heedi_bench_case_name(race->it, name), reason);
    for (size_t i = 0; i < race->bench->backend_count; i++)
        snprintf(race->it->results[i].reason, HEEDI_BENCH_REASON, "%s", reason);
}

void heedi_bench_run_case(struct heedi_bench *bench, struct heedi_bench_case *it) {
    struct race race = {.bench = bench, .it = it};
    const enum heed_status status = prepare(&race);
    if (status == HEED_OK) {
        for (size_t i = 0; i < bench->backend_count; i++)
            if (open_lane(&race, i))
                warm_up(&race, i);
        take_turns(&race);
        for (size_t i = 0; i < bench->backend_count; i++)
            if (bench->backends[i].device && it->results[i].measured)
                read_clock(&race, i);
    } else {
        refuse(&race, status);
    }
    for (size_t i = 0; i < bench->backend_count; i++)
        close_lane(&race, &race.lanes[i]);
    for (uint32_t i = 0; i < race.graph_count; i++)
        heedi_bench_graph_free(&race.graphs[i]);
    free(race.graphs);
}
