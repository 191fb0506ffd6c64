/* SPDX-License-Identifier: Apache-2.0 */
/* Shadows: the draw, the queue, and the thread that looks at what is in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/os.h"
#include "runtime/check/check.h"
#include "runtime/check/random.h"
#include "runtime/check/shadow.h"

enum { DEFAULT_ITEMS = 64, DEFAULT_FINDINGS = 8, MOST_FINDINGS = 1 << 16, COMPILED = 16 };
static const uint64_t default_bytes = (uint64_t)256 << 20;

/* A part as the shadow's backend runs it. */
struct compiled {
    struct heed_program *program; /* a reference; NULL: a free place */
    uint32_t part;
    uint64_t used;                         /* when last, by the thread's clock */
    struct heedi_shadow_run run, choosing; /* programs NULL: declined; not needed yet */
    struct heedi_shadow_tolerance tolerance;
    uint32_t fallback_nodes;
    char declined[112]; /* why; "" if it is not */
};

struct heed_shadow {
    struct heedi_observer observer; /* first */
    struct heedi_env env;
    struct heed_shadow_options options;
    char backend[32]; /* for findings */
    struct heedi_mutex *mutex;
    struct heedi_condition *changed;
    struct heedi_thread *thread;

    /* Guarded by the mutex. */
    bool stopping;
    struct heedi_snapshot *first, *last;
    uint64_t bytes;       /* of what waits */
    unsigned char *spare; /* a block that was a snapshot's: fresh memory costs as much as copying */
    size_t spare_bytes;
    uint64_t queued, settled; /* snapshots put in, and looked at */
    struct heed_shadow_statistics counts;
    struct heed_shadow_finding *findings; /* [options.max_findings] */
    uint32_t finding_count;

    /* Of the thread. */
    struct heed_context *context;
    struct heedi_target target;
    struct heedi_shadow_states states;
    struct compiled compiled[COMPILED];
    uint64_t clock;
};

const char *heed_shadow_blame_text(enum heed_shadow_blame blame) {
    switch (blame) {
#define HEED_SHADOW_BLAME_CASE(NAME, value, text)                                                  \
    case HEED_SHADOW_BLAME_##NAME:                                                                 \
        return text;
        HEED_SHADOW_BLAME_LIST(HEED_SHADOW_BLAME_CASE)
#undef HEED_SHADOW_BLAME_CASE
    }
    return "?";
}

/* ---- the threads that run instances ---- */

/* The draw of run `number` (Steele, Lea, Flood 2014: the numbers of SplitMix64 can be had in any
 * order). */
static bool draws(const struct heed_shadow *shadow, uint64_t number) {
    struct heedi_random random = {shadow->options.seed + number * 0x9e3779b97f4a7c15u};
    return (double)(heedi_random_bits(&random) >> 11) * 0x1p-53 < shadow->options.rate;
}

/* Takes back what was reserved for a snapshot. */
static void give_up(struct heed_shadow *shadow, struct heedi_snapshot *snapshot, uint64_t *count) {
    heedi_os_lock(shadow->mutex);
    *count += 1;
    shadow->counts.waiting--;
    if (snapshot != NULL && snapshot->counted)
        shadow->bytes -= snapshot->bytes;
    heedi_os_unlock(shadow->mutex);
    heedi_snapshot_destroy(&shadow->env, snapshot);
}

/* Counts a run; true if it is drawn and there is room for one more. */
static bool enter(struct heed_shadow *shadow, uint32_t steps, uint64_t *number) {
    bool room = false;
    heedi_os_lock(shadow->mutex);
    *number = shadow->counts.seen++;
    shadow->counts.skipped += steps > 1 ? steps - 1 : 0;
    if (draws(shadow, *number)) {
        shadow->counts.drawn++;
        room = shadow->counts.waiting < shadow->options.queue_items;
        if (room)
            shadow->counts.waiting++;
        else
            shadow->counts.dropped++;
    }
    heedi_os_unlock(shadow->mutex);
    return room;
}

static bool reserve(struct heed_shadow *shadow, struct heedi_snapshot *snapshot) {
    const uint64_t bytes = snapshot->bytes, most = shadow->options.queue_bytes;
    heedi_os_lock(shadow->mutex);
    snapshot->counted = bytes <= most && shadow->bytes <= most - bytes;
    if (snapshot->counted)
        shadow->bytes += bytes;
    if (snapshot->counted && shadow->spare_bytes >= snapshot->bytes) {
        snapshot->block = shadow->spare;
        snapshot->block_bytes = shadow->spare_bytes;
        shadow->spare = NULL;
        shadow->spare_bytes = 0;
    }
    heedi_os_unlock(shadow->mutex);
    return snapshot->counted;
}

static void *before(struct heedi_observer *observer, struct heed_instance *instance, uint32_t part,
                    uint32_t steps) {
    struct heed_shadow *shadow = (struct heed_shadow *)(void *)observer;
    uint64_t number;
    if (!enter(shadow, steps, &number))
        return NULL;
    struct heedi_snapshot *snapshot = heedi_snapshot_plan(&shadow->env, instance, part);
    if (snapshot != NULL && reserve(shadow, snapshot) &&
        heedi_snapshot_before(&shadow->env, snapshot, instance)) {
        snapshot->number = number;
        snapshot->series = steps > 0;
        return snapshot;
    }
    give_up(shadow, snapshot, &shadow->counts.dropped);
    return NULL;
}

static void after(struct heedi_observer *observer, void *ticket, struct heed_instance *instance,
                  bool ran) {
    struct heed_shadow *shadow = (struct heed_shadow *)(void *)observer;
    struct heedi_snapshot *snapshot = ticket;
    if (!ran) {
        give_up(shadow, snapshot, &shadow->counts.abandoned);
        return;
    }
    if (!heedi_snapshot_after(&shadow->env, snapshot, instance)) {
        give_up(shadow, snapshot, &shadow->counts.dropped);
        return;
    }
    heedi_os_lock(shadow->mutex);
    if (shadow->last != NULL)
        shadow->last->next = snapshot;
    else
        shadow->first = snapshot;
    shadow->last = snapshot;
    shadow->queued++;
    heedi_os_wake_all(shadow->changed);
    heedi_os_unlock(shadow->mutex);
}

void heed_instance_set_shadow(struct heed_instance *instance, struct heed_shadow *shadow) {
    instance->observer = shadow != NULL ? &shadow->observer : NULL;
}

/* ---- the background: compiled parts ---- */

static void forget(struct heed_shadow *shadow, struct compiled *compiled) {
    const struct heedi_env *env = &shadow->context->env;
    heedi_shadow_run_close(env, &compiled->run);
    heedi_shadow_run_close(env, &compiled->choosing);
    heedi_free(env, compiled->tolerance.least);
    heed_program_release(compiled->program);
    *compiled = (struct compiled){.program = NULL};
}

/* Makes a profile as imprecise as another is. */
static void widen(struct heed_numeric_profile *numeric, const struct heed_numeric_profile *other) {
    if (heedi_check_roundoff(other) > heedi_check_roundoff(numeric)) {
        numeric->unit_roundoff = other->unit_roundoff;
        numeric->accumulator = other->accumulator;
    }
    numeric->exp_ulp = fmaxf(numeric->exp_ulp, other->exp_ulp);
    numeric->tanh_ulp = fmaxf(numeric->tanh_ulp, other->tanh_ulp);
    numeric->erf_ulp = fmaxf(numeric->erf_ulp, other->erf_ulp);
}

/* Counts what the backend itself runs of the part; widens its profile by that of the fallback. */
static void look_at_placement(struct compiled *compiled, struct heed_numeric_profile *numeric) {
    const struct heedi_partition *partition = &compiled->run.program->partition;
    const struct heedi_engine *engine = compiled->run.program->engine;
    const char *reason = "";
    uint32_t own = 0;
    for (int32_t n = 0; n < partition->graph->node_count; n++) {
        if (partition->device_of_node[n] < 0)
            continue;
        widen(numeric, &engine->devices[partition->device_of_node[n]]->info.numeric);
        own += partition->device_of_node[n] == 0;
        compiled->fallback_nodes += partition->device_of_node[n] != 0;
        if (partition->device_of_node[n] != 0)
            reason = partition->reasons[n];
    }
    if (own == 0)
        (void)snprintf(compiled->declined, sizeof compiled->declined, "%s",
                       reason[0] != '\0' ? reason : "it runs none of the nodes");
}

static enum heed_status compile(struct heed_shadow *shadow, const struct heedi_snapshot *snapshot,
                                struct compiled *compiled) {
    const struct heedi_device *device = snapshot->program->parts[snapshot->part].device;
    compiled->program = heed_program_retain(snapshot->program);
    compiled->part = snapshot->part;
    enum heed_status status =
        heedi_shadow_run_open(shadow->context, shadow->target.executors[0], &shadow->states,
                              snapshot->program, snapshot->part, false, &compiled->run);
    if (status == HEED_ERROR_UNSUPPORTED) {
        (void)snprintf(compiled->declined, sizeof compiled->declined, "%.111s",
                       heed_last_error(shadow->context));
        return HEED_OK;
    }
    if (status == HEED_OK) {
        struct heed_numeric_profile numeric = shadow->target.numeric;
        look_at_placement(compiled, &numeric);
        status = heedi_shadow_tolerance(shadow->context, snapshot->program, snapshot->part,
                                        &device->info.numeric, &numeric, &compiled->tolerance);
    }
    if (status == HEED_OK && compiled->declined[0] != '\0')
        heedi_shadow_run_close(&shadow->context->env, &compiled->run);
    if (status != HEED_OK)
        forget(shadow, compiled);
    return status;
}

static enum heed_status find_compiled(struct heed_shadow *shadow,
                                      const struct heedi_snapshot *snapshot,
                                      struct compiled **found) {
    struct compiled *oldest = &shadow->compiled[0];
    enum heed_status status = HEED_OK;
    *found = NULL;
    for (int i = 0; i < COMPILED && *found == NULL; i++) {
        struct compiled *compiled = &shadow->compiled[i];
        if (compiled->program == snapshot->program && compiled->part == snapshot->part)
            *found = compiled;
        else if (compiled->used < oldest->used)
            oldest = compiled;
    }
    if (*found == NULL) {
        forget(shadow, oldest);
        status = compile(shadow, snapshot, oldest);
        *found = oldest;
    }
    if (status == HEED_OK)
        (*found)->used = ++shadow->clock;
    return status;
}

/* ---- the background: findings ---- */

static void copy_name(char *to, size_t bytes, const char *name) {
    (void)snprintf(to, bytes, "%s", name != NULL ? name : "");
}

static void describe(const struct heed_shadow *shadow, const struct heedi_snapshot *snapshot,
                     const struct heedi_shadow_verdict *verdict,
                     struct heed_shadow_finding *finding) {
    const struct heed_graph *graph = snapshot->program->partition.graph;
    const struct heedi_compiled *part = &snapshot->program->parts[snapshot->part];
    const struct heedi_tensor *tensor = &graph->tensors[part->bindings[verdict->binding].tensor];
    int64_t elem = verdict->elem;
    *finding = (struct heed_shadow_finding){.struct_size = sizeof *finding,
                                            .part = snapshot->part,
                                            .number = snapshot->number,
                                            .nodes = part->node_count,
                                            .state = tensor->kind == HEEDI_TENSOR_STATE,
                                            .dtype = (uint32_t)tensor->desc.dtype,
                                            .rank = tensor->desc.rank,
                                            .primary_value = verdict->primary,
                                            .shadow_value = verdict->shadow,
                                            .bound = verdict->bound,
                                            .fraction = verdict->fraction,
                                            .blame = HEED_SHADOW_BLAME_NOT_SOUGHT};
    copy_name(finding->graph, sizeof finding->graph, graph->name);
    copy_name(finding->first, sizeof finding->first, graph->nodes[part->nodes[0]].name);
    copy_name(finding->primary, sizeof finding->primary, part->device->backend.name);
    copy_name(finding->shadow, sizeof finding->shadow, shadow->backend);
    copy_name(finding->tensor, sizeof finding->tensor,
              tensor->output_name != NULL ? tensor->output_name : tensor->name);
    if (tensor->producer >= 0)
        copy_name(finding->producer, sizeof finding->producer, graph->nodes[tensor->producer].name);
    for (uint32_t d = tensor->desc.rank; d-- > 0;) {
        const int64_t size = tensor->desc.dims[d];
        finding->index[d] = size > 0 ? elem % size : 0;
        elem = size > 0 ? elem / size : 0;
    }
}

/* Looks into a disagreement, if it is one of the first, and keeps it. */
static void keep(struct heed_shadow *shadow, const struct heedi_snapshot *snapshot,
                 const struct compiled *compiled, const struct heedi_shadow_verdict *verdict) {
    struct heed_shadow_finding finding;
    if (shadow->finding_count >= shadow->options.max_findings) /* written by this thread alone */
        return;
    const uint64_t begin_ns = heedi_os_now_ns();
    describe(shadow, snapshot, verdict, &finding);
    heedi_shadow_explain(shadow->context, snapshot, &shadow->target, &compiled->tolerance,
                         &finding);
    heedi_os_lock(shadow->mutex);
    shadow->findings[shadow->finding_count++] = finding;
    shadow->counts.explaining_ns += heedi_os_now_ns() - begin_ns;
    heedi_os_unlock(shadow->mutex);
    if (shadow->options.finding != NULL)
        shadow->options.finding(shadow->options.user, &finding);
}

/* ---- the background: one snapshot ---- */

static enum heed_status compare(struct heed_shadow *shadow, const struct heedi_snapshot *snapshot,
                                struct compiled **compiled, struct heedi_shadow_verdict *verdict) {
    enum heed_status status = find_compiled(shadow, snapshot, compiled);
    if (status != HEED_OK || (*compiled)->declined[0] != '\0')
        return status;
    status = heedi_shadow_run_again(shadow->context, &(*compiled)->run, snapshot);
    if (status != HEED_OK)
        return status;
    struct heedi_shadow_judging judging = {.context = shadow->context,
                                           .executor = shadow->target.executors[0],
                                           .snapshot = snapshot,
                                           .run = &(*compiled)->run,
                                           .choosing = &(*compiled)->choosing,
                                           .shared = &shadow->states,
                                           .tolerance = &(*compiled)->tolerance};
    return heedi_shadow_judge(&judging, verdict);
}

static void count(struct heed_shadow *shadow, const struct heedi_snapshot *snapshot,
                  enum heed_status status, const struct compiled *compiled,
                  const struct heedi_shadow_verdict *verdict) {
    struct heed_shadow_statistics *counts = &shadow->counts;
    const struct heed_graph *graph = snapshot->program->partition.graph;
    const struct heedi_compiled *part = &snapshot->program->parts[snapshot->part];
    if (status != HEED_OK) {
        counts->failed++;
        copy_name(counts->reason, sizeof counts->reason, heed_last_error(shadow->context));
        return;
    }
    if (compiled->declined[0] != '\0') {
        counts->declined++;
        copy_name(counts->reason, sizeof counts->reason, compiled->declined);
        return;
    }
    counts->checked++;
    counts->ties += verdict->tie;
    counts->disagreed += !verdict->agrees;
    counts->nodes += part->node_count;
    counts->fallback_nodes += compiled->fallback_nodes;
    if (verdict->compared &&
        (counts->worst_tensor[0] == '\0' || verdict->fraction > counts->worst)) {
        const struct heedi_tensor *tensor =
            &graph->tensors[part->bindings[verdict->binding].tensor];
        counts->worst = verdict->fraction;
        copy_name(counts->worst_tensor, sizeof counts->worst_tensor,
                  tensor->output_name != NULL ? tensor->output_name : tensor->name);
    }
}

static void look_at(struct heed_shadow *shadow, struct heedi_snapshot *snapshot) {
    const uint64_t begin_ns = heedi_os_now_ns();
    struct heedi_shadow_verdict verdict = {.agrees = true};
    struct compiled *compiled = NULL;
    const enum heed_status status = compare(shadow, snapshot, &compiled, &verdict);
    heedi_os_lock(shadow->mutex);
    count(shadow, snapshot, status, compiled, &verdict);
    shadow->counts.busy_ns += heedi_os_now_ns() - begin_ns;
    heedi_os_unlock(shadow->mutex);
    if (status == HEED_OK && !verdict.agrees)
        keep(shadow, snapshot, compiled, &verdict);
}

/* Keeps the larger of two blocks in the place of the spare one. */
static void leave_block(struct heed_shadow *shadow, struct heedi_snapshot *snapshot) {
    unsigned char *const block = shadow->spare;
    const size_t bytes = shadow->spare_bytes;
    if (snapshot->block_bytes <= bytes)
        return;
    shadow->spare = snapshot->block;
    shadow->spare_bytes = snapshot->block_bytes;
    snapshot->block = block;
    snapshot->block_bytes = bytes;
}

static void work(void *arg) {
    struct heed_shadow *shadow = arg;
    heedi_os_thread_background();
    heedi_os_lock(shadow->mutex);
    for (;;) {
        while (shadow->first == NULL && !shadow->stopping)
            heedi_os_wait(shadow->changed, shadow->mutex);
        if (shadow->stopping)
            break;
        struct heedi_snapshot *snapshot = shadow->first;
        shadow->first = snapshot->next;
        if (shadow->first == NULL)
            shadow->last = NULL;
        heedi_os_unlock(shadow->mutex);
        look_at(shadow, snapshot);
        heedi_os_lock(shadow->mutex);
        shadow->bytes -= snapshot->bytes;
        shadow->counts.waiting--;
        shadow->settled++;
        leave_block(shadow, snapshot);
        heedi_os_wake_all(shadow->changed);
        heedi_os_unlock(shadow->mutex);
        heedi_snapshot_destroy(&shadow->env, snapshot);
        heedi_os_lock(shadow->mutex);
    }
    heedi_os_unlock(shadow->mutex);
}

/* ---- public functions ---- */

static enum heed_status read_options(struct heed_context *context,
                                     const struct heed_shadow_options *given,
                                     struct heed_shadow_options *options) {
    enum heed_status status =
        heedi_read_struct(options, sizeof *options, given, "heed_shadow_options", &context->error);
    if (status != HEED_OK)
        return status;
    if (!(options->rate >= 0 && options->rate <= 1))
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "shadow: the rate must lie between 0 and 1, not %g", options->rate);
    if (options->max_findings > MOST_FINDINGS)
        return heedi_fail(context, HEED_ERROR_LIMIT, "shadow: at most %d findings are kept, not %u",
                          MOST_FINDINGS, (unsigned)options->max_findings);
    if (options->queue_items == 0)
        options->queue_items = DEFAULT_ITEMS;
    if (options->queue_bytes == 0)
        options->queue_bytes = default_bytes;
    if (options->max_findings == 0)
        options->max_findings = DEFAULT_FINDINGS;
    return HEED_OK;
}

/* The thread's own context: quiet, as nobody expects lines from it. */
static enum heed_status open_backend(struct heed_context *context, struct heed_shadow *shadow) {
    const struct heed_context_options quiet = {.struct_size = sizeof quiet,
                                               .allocator = &context->env.allocator,
                                               .log_level = HEED_LOG_ERROR};
    const struct heed_check_options wanted = {.struct_size = sizeof wanted,
                                              .backend = shadow->options.backend,
                                              .plugin_path = shadow->options.plugin_path};
    if (heed_context_create(&quiet, &shadow->context) != HEED_OK)
        return heedi_fail_memory(context, "a context", 0);
    const enum heed_status status =
        heedi_target_open_plain(shadow->context, &wanted, &shadow->target);
    if (status != HEED_OK)
        return heedi_fail(context, status, "shadow: %s", heed_last_error(shadow->context));
    copy_name(shadow->backend, sizeof shadow->backend,
              shadow->target.executors[0]->engine->devices[0]->backend.name);
    return HEED_OK;
}

enum heed_status heed_shadow_create(struct heed_context *context,
                                    const struct heed_shadow_options *options,
                                    struct heed_shadow **shadow) {
    struct heed_shadow_options known;
    if (shadow == NULL || options == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_shadow_create: options and shadow must not be NULL");
    *shadow = NULL;
    enum heed_status status = read_options(context, options, &known);
    if (status != HEED_OK)
        return status;
    struct heed_shadow *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return heedi_fail_memory(context, "a shadow", sizeof *made);
    made->observer = (struct heedi_observer){before, after};
    made->env = context->env;
    made->options = known;
    made->findings = heedi_calloc(&made->env, known.max_findings, sizeof *made->findings);
    made->mutex = heedi_os_mutex_create(&made->env);
    made->changed = heedi_os_condition_create(&made->env);
    if (made->findings == NULL || made->mutex == NULL || made->changed == NULL)
        status = heedi_fail_memory(context, "a shadow", sizeof *made);
    if (status == HEED_OK)
        status = open_backend(context, made);
    made->options.backend = made->options.plugin_path = NULL; /* the caller's */
    if (status == HEED_OK) {
        made->thread = heedi_os_thread_start(&made->env, work, made, "heed-shadow");
        if (made->thread == NULL)
            status = heedi_fail(context, HEED_ERROR_INTERNAL, "shadow: no thread can be started");
    }
    if (status != HEED_OK) {
        heed_shadow_destroy(made);
        return status;
    }
    *shadow = made;
    return HEED_OK;
}

void heed_shadow_destroy(struct heed_shadow *shadow) {
    if (shadow == NULL)
        return;
    const struct heedi_env env = shadow->env;
    if (shadow->thread != NULL) {
        heedi_os_lock(shadow->mutex);
        shadow->stopping = true;
        heedi_os_wake_all(shadow->changed);
        heedi_os_unlock(shadow->mutex);
        heedi_os_thread_join(&env, shadow->thread);
    }
    while (shadow->first != NULL) {
        struct heedi_snapshot *snapshot = shadow->first;
        shadow->first = snapshot->next;
        heedi_snapshot_destroy(&env, snapshot);
    }
    for (int i = 0; shadow->context != NULL && i < COMPILED; i++)
        forget(shadow, &shadow->compiled[i]);
    heedi_shadow_states_clear(&env, &shadow->states);
    heedi_target_close(&shadow->target);
    heed_context_destroy(shadow->context);
    if (shadow->changed != NULL)
        heedi_os_condition_destroy(&env, shadow->changed);
    heedi_os_mutex_destroy(&env, shadow->mutex);
    heedi_free(&env, shadow->spare);
    heedi_free(&env, shadow->findings);
    heedi_free(&env, shadow);
}

void heed_shadow_drain(struct heed_shadow *shadow) {
    heedi_os_lock(shadow->mutex);
    const uint64_t wanted = shadow->queued;
    while (shadow->settled < wanted)
        heedi_os_wait(shadow->changed, shadow->mutex);
    heedi_os_unlock(shadow->mutex);
}

/* Copies as much of a struct as the caller knows. */
static void give(void *to, const void *from, uint32_t size, size_t known) {
    memcpy(to, from, size < known ? size : known);
    memcpy(to, &size, sizeof size); /* each begins with its size */
}

enum heed_status heed_shadow_statistics(const struct heed_shadow *shadow,
                                        struct heed_shadow_statistics *statistics) {
    if (shadow == NULL || statistics == NULL ||
        statistics->struct_size < sizeof statistics->struct_size)
        return HEED_ERROR_INVALID_ARGUMENT;
    heedi_os_lock(shadow->mutex);
    give(statistics, &shadow->counts, statistics->struct_size, sizeof *statistics);
    heedi_os_unlock(shadow->mutex);
    return HEED_OK;
}

enum heed_status heed_shadow_finding(const struct heed_shadow *shadow, uint32_t index,
                                     struct heed_shadow_finding *finding) {
    if (shadow == NULL || finding == NULL || finding->struct_size < sizeof finding->struct_size)
        return HEED_ERROR_INVALID_ARGUMENT;
    heedi_os_lock(shadow->mutex);
    const bool found = index < shadow->finding_count;
    if (found)
        give(finding, &shadow->findings[index], finding->struct_size, sizeof *finding);
    heedi_os_unlock(shadow->mutex);
    return found ? HEED_OK : HEED_ERROR_NOT_FOUND;
}
