/* SPDX-License-Identifier: Apache-2.0 */
/* Running a case and judging it.
 *
 * Inputs and outputs lie between guard zones that must stay as they are; what lies in a device's
 * own memory its plugin has to guard (heed_backend.wait). Outputs and guards are filled with a
 * poison that changes from run to run: an element that shows the poison both times was not written,
 * one that differs in another way depends on memory that nobody set, or on chance. */
#include "runtime/check/trial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/check/check.h"
#include "runtime/exec/executor.h"

enum { GUARD_BYTES = 256, PORTS = HEED_MAX_INPUTS + HEED_MAX_OUTPUTS };
/* NaN; tiny; large: adding to it, multiplying it, or taking a maximum with it shows. */
static const unsigned char poisons[] = {0xff, 0x01, 0x5a};
enum { POISONS = sizeof poisons };

/* Memory of an input or output. */
struct zone {
    unsigned char *block; /* guard, data, guard */
    size_t bytes;         /* of the data */
};

/* A program of one executor that is ready to run. */
struct session {
    struct heed_program *program;
    struct heed_instance *instance;
    struct heed_state *state;
    struct zone zones[PORTS]; /* inputs, then outputs; block NULL: none */
};

/* What the runs of one case share. */
struct trial {
    struct heedi_target *target;
    const struct heedi_case *it;
    struct heedi_case_graph built;
    struct heedi_call call;
    struct heed_error error;
    bool state;                         /* the result is what the node makes of a state */
    size_t bytes[HEED_MAX_OUTPUTS];     /* of each result */
    void *results[3][HEED_MAX_OUTPUTS]; /* of the first run, of another, and of one more */
    struct heed_check_finding *finding;
};

/* ---- findings ---- */

static void find_element(struct trial *trial, enum heed_check_fault fault, uint32_t output,
                         int64_t elem) {
    struct heed_check_finding *finding = trial->finding;
    const struct heed_tensor_desc *desc = &trial->call.outputs[output];
    finding->fault = fault;
    finding->output = output;
    finding->rank = desc->rank;
    for (uint32_t i = desc->rank; i-- > 0;) {
        finding->index[i] = desc->dims[i] > 0 ? elem % desc->dims[i] : 0;
        elem = desc->dims[i] > 0 ? elem / desc->dims[i] : 0;
    }
}

static void find_differences(struct trial *trial, enum heed_check_fault fault, int a, int b) {
    struct heed_check_finding *finding = trial->finding;
    int64_t count = 0;
    for (uint32_t i = 0; i < trial->call.output_count; i++) {
        const enum heed_dtype dtype = trial->call.outputs[i].dtype;
        const size_t size = heed_dtype_bytes(dtype);
        for (size_t at = 0; at < trial->bytes[i]; at += size) {
            const char *first = (const char *)trial->results[a][i] + at;
            const char *second = (const char *)trial->results[b][i] + at;
            if (memcmp(first, second, size) == 0 || count++ > 0)
                continue;
            find_element(trial, fault, i, (int64_t)(at / size));
            finding->expected = heedi_load(first, dtype, 0);
            finding->actual = heedi_load(second, dtype, 0);
            finding->ulp = heedi_ulp_distance(dtype, finding->expected, finding->actual);
        }
    }
    (void)snprintf(finding->message, sizeof finding->message, "%lld elements differ",
                   (long long)count);
}

/* Whether the elements in which the first two results differ have the first poison in the first and
 * `poison` in the second. */
static bool find_unwritten(struct trial *trial, unsigned char poison) {
    for (uint32_t i = trial->call.output_count; i-- > 0;) {
        const size_t size = heed_dtype_bytes(trial->call.outputs[i].dtype);
        const unsigned char *first = trial->results[0][i], *second = trial->results[1][i];
        for (size_t at = trial->bytes[i]; at > 0; at -= size) {
            size_t same = 0;
            if (memcmp(first + at - size, second + at - size, size) == 0)
                continue;
            while (same < size && first[at - size + same] == poisons[0] &&
                   second[at - size + same] == poison)
                same++;
            if (same < size)
                return false;
            find_element(trial, HEED_CHECK_UNWRITTEN, i, (int64_t)(at / size) - 1);
        }
    }
    return true;
}

static void backend_failed(struct trial *trial, const char *what) {
    trial->finding->fault = HEED_CHECK_ERROR;
    (void)snprintf(trial->finding->message, sizeof trial->finding->message, "%s: %s", what,
                   heed_last_error(trial->target->context));
}

/* ---- sessions ---- */

static enum heed_status place(struct trial *trial, struct session *session, uint32_t port,
                              const char *name, size_t bytes) {
    struct heed_context *context = trial->target->context;
    struct zone *zone = &session->zones[port];
    zone->bytes = bytes;
    zone->block = heedi_alloc_aligned(&context->env, bytes + 2 * (size_t)GUARD_BYTES, 64);
    if (zone->block == NULL)
        return heedi_fail_memory(context, "guarded memory", bytes);
    return heedi_instance_place(context, session->instance, name, zone->block + GUARD_BYTES);
}

static enum heed_status bind_state(struct trial *trial, struct session *session, const char *name) {
    struct heed_context *context = trial->target->context;
    enum heed_status status = heed_state_create(context, session->program, name, &session->state);
    if (status == HEED_OK)
        status = heed_instance_bind_state(context, session->instance, name, session->state);
    return status;
}

static enum heed_status open_session(struct trial *trial, uint32_t executor,
                                     struct session *session) {
    struct heed_context *context = trial->target->context;
    char name[16];
    if (session->program == NULL) {
        const enum heed_status compiled = heed_program_compile(
            context, trial->target->executors[executor], trial->built.graph, &session->program);
        if (compiled != HEED_OK)
            return compiled;
    }
    enum heed_status status = heed_instance_create(context, session->program, &session->instance);
    for (uint32_t i = 0; status == HEED_OK && i < trial->it->operand_count; i++) {
        const enum heedi_source source = trial->it->operands[i].source;
        (void)snprintf(name, sizeof name, "x%u", (unsigned)i);
        if (source == HEEDI_SOURCE_INPUT)
            status = place(trial, session, i, name, trial->built.storage_bytes[i]);
        else if (source == HEEDI_SOURCE_STATE)
            status = bind_state(trial, session, name);
    }
    for (uint32_t i = 0; status == HEED_OK && !trial->state && i < trial->call.output_count; i++) {
        (void)snprintf(name, sizeof name, "y%u", (unsigned)i);
        status = place(trial, session, HEED_MAX_INPUTS + i, name, trial->bytes[i]);
    }
    return status;
}

static void close_session(const struct trial *trial, struct session *session) {
    heed_instance_destroy(session->instance);
    heed_state_destroy(session->state);
    heed_program_release(session->program);
    for (uint32_t i = 0; i < PORTS; i++)
        heedi_free(&trial->target->context->env, session->zones[i].block);
    *session = (struct session){.program = NULL};
}

/* ---- runs ---- */

static void fill(const struct trial *trial, struct session *session, unsigned char poison) {
    for (uint32_t i = 0; i < PORTS; i++) {
        struct zone *zone = &session->zones[i];
        if (zone->block == NULL)
            continue;
        memset(zone->block, poison, zone->bytes + 2 * (size_t)GUARD_BYTES);
        if (i < HEED_MAX_INPUTS && zone->bytes > 0)
            memcpy(zone->block + GUARD_BYTES, trial->built.storages[i], zone->bytes);
    }
}

/* Looks at the guards: true if all are whole. */
static bool guards_hold(struct trial *trial, const struct session *session, unsigned char poison) {
    for (uint32_t i = 0; i < PORTS; i++) {
        const struct zone *zone = &session->zones[i];
        const bool output = i >= HEED_MAX_INPUTS;
        for (size_t at = 0; zone->block != NULL && at < 2 * (size_t)GUARD_BYTES; at++) {
            const bool after = at >= GUARD_BYTES;
            if (zone->block[after ? zone->bytes + at : at] == poison)
                continue;
            const size_t distance = after ? at - GUARD_BYTES + 1 : GUARD_BYTES - at;
            find_element(trial, HEED_CHECK_OVERRUN, output ? i - HEED_MAX_INPUTS : 0, 0);
            (void)snprintf(trial->finding->message, sizeof trial->finding->message,
                           "byte %zu %s %s %u was written", distance,
                           after ? "after the end of" : "before the start of",
                           output ? "output" : "input",
                           (unsigned)(output ? i - HEED_MAX_INPUTS : i));
            return false;
        }
        if (zone->block != NULL && !output && zone->bytes > 0 &&
            memcmp(zone->block + GUARD_BYTES, trial->built.storages[i], zone->bytes) != 0) {
            trial->finding->fault = HEED_CHECK_INPUT;
            (void)snprintf(trial->finding->message, sizeof trial->finding->message,
                           "input %u was changed", (unsigned)i);
            return false;
        }
    }
    return true;
}

/* Runs once and leaves the results in results[slot]; what goes wrong is a finding. */
static void run(struct trial *trial, struct session *session, int poison, int slot) {
    struct heed_context *context = trial->target->context;
    enum heed_status status = HEED_OK;
    fill(trial, session, poisons[poison]);
    if (session->state != NULL)
        status = heed_state_write(context, session->state, 0, trial->built.storages[0],
                                  trial->built.storage_bytes[0]);
    if (status == HEED_OK)
        status = heed_instance_run(context, session->instance);
    if (status == HEED_OK && session->state != NULL)
        status =
            heed_state_read(context, session->state, 0, trial->results[slot][0], trial->bytes[0]);
    if (status != HEED_OK) {
        backend_failed(trial, "running");
        if (status == HEED_ERROR_INTERNAL && strstr(heed_last_error(context), ": guards: ") != NULL)
            trial->finding->fault = HEED_CHECK_OVERRUN;
        return;
    }
    if (!guards_hold(trial, session, poisons[poison]))
        return;
    for (uint32_t i = 0; !trial->state && i < trial->call.output_count; i++)
        if (trial->bytes[i] > 0)
            memcpy(trial->results[slot][i], session->zones[HEED_MAX_INPUTS + i].block + GUARD_BYTES,
                   trial->bytes[i]);
}

static bool same_results(const struct trial *trial, int a, int b) {
    for (uint32_t i = 0; i < trial->call.output_count; i++)
        if (memcmp(trial->results[a][i], trial->results[b][i], trial->bytes[i]) != 0)
            return false;
    return true;
}

/* Results 0 and 1 differ: does chance decide, or what memory held? */
static void explain_difference(struct trial *trial, struct session *session, int poison) {
    struct heed_check_finding *finding = trial->finding;
    if (find_unwritten(trial, poisons[poison]))
        return;
    finding->fault = HEED_CHECK_NONE; /* or of some elements only */
    for (int i = 0; i < trial->target->confirm_runs; i++) {
        run(trial, session, 0, 2);
        if (finding->fault != HEED_CHECK_NONE)
            return;
        if (!same_results(trial, 0, 2)) {
            find_differences(trial, HEED_CHECK_REPEAT, 0, 2);
            return;
        }
    }
    find_differences(trial, HEED_CHECK_UNINITIALISED, 0, 1);
}

static void run_first(struct trial *trial, struct session *session, int32_t repeat) {
    const int32_t runs = repeat > 0 ? repeat : POISONS;
    run(trial, session, 0, 0);
    for (int32_t i = 1; trial->finding->fault == HEED_CHECK_NONE && i < runs; i++) {
        run(trial, session, i % POISONS, 1);
        if (trial->finding->fault != HEED_CHECK_NONE || same_results(trial, 0, 1))
            continue;
        if (i % POISONS == 0)
            find_differences(trial, HEED_CHECK_REPEAT, 0, 1);
        else
            explain_difference(trial, session, i % POISONS);
    }
}

/* Executors with other pools have to give the bits of the first. */
static enum heed_status run_others(struct trial *trial) {
    enum heed_status status = HEED_OK;
    for (uint32_t e = 1; e < trial->target->count && status == HEED_OK; e++) {
        struct session session = {.program = NULL};
        status = open_session(trial, e, &session);
        if (status != HEED_OK && status != HEED_ERROR_OUT_OF_MEMORY) {
            backend_failed(trial, "preparing");
            status = HEED_OK;
        }
        for (int i = 0; status == HEED_OK && i < 2 && trial->finding->fault == HEED_CHECK_NONE;
             i++) {
            run(trial, &session, i, 1);
            if (trial->finding->fault == HEED_CHECK_NONE && !same_results(trial, 0, 1))
                find_differences(trial, HEED_CHECK_THREADS, 0, 1);
        }
        close_session(trial, &session);
        if (trial->finding->fault != HEED_CHECK_NONE)
            break;
    }
    return status;
}

/* ---- judging ---- */

static enum heed_status judge(struct trial *trial) {
    const void *inputs[HEED_MAX_INPUTS] = {0}, *outputs[HEED_MAX_OUTPUTS] = {0};
    struct heed_check_finding *finding = trial->finding;
    struct heedi_verdict verdict;
    for (uint32_t i = 0; i < trial->it->operand_count; i++) {
        if (trial->call.inputs[i] == NULL)
            continue;
        const struct heedi_tensor *tensor = &trial->built.graph->tensors[trial->built.inputs[i]];
        inputs[i] = (const char *)trial->built.storages[i] +
                    (size_t)tensor->offset_elems * heed_dtype_bytes(tensor->desc.dtype);
    }
    for (uint32_t i = 0; i < trial->call.output_count; i++)
        outputs[i] = trial->results[0][i];
    const enum heed_status status =
        heedi_check_call(trial->target->context, &trial->call, inputs, outputs,
                         &trial->target->numeric, trial->it->random_data, &verdict);
    if (status != HEED_OK)
        return status;
    enum heed_check_fault fault = HEED_CHECK_NONE;
    if (!verdict.agrees && (!isfinite(verdict.expected) || !isfinite(verdict.actual)))
        fault = HEED_CHECK_SPECIAL;
    else if (!verdict.agrees)
        fault = verdict.hard > 1 ? HEED_CHECK_VALUE : HEED_CHECK_STATISTICAL;
    find_element(trial, fault, verdict.output, verdict.index);
    finding->expected = verdict.expected;
    finding->actual = verdict.actual;
    finding->hard = verdict.hard;
    finding->statistical = trial->it->random_data ? verdict.statistical : 0;
    finding->ulp = verdict.ulp;
    finding->largest_ulp = verdict.largest_ulp;
    return HEED_OK;
}

/* ---- trials ---- */

/* The node as its operator sees it, and memory for what it gives. */
static enum heed_status prepare(struct trial *trial) {
    struct heed_context *context = trial->target->context;
    const struct heedi_case *it = trial->it;
    const struct heed_graph *graph = trial->built.graph;
    struct heedi_call *call = &trial->call;
    *call = (struct heedi_call){.op = it->op,
                                .name = "node",
                                .attrs = it->attrs_size > 0 ? &it->attrs : NULL,
                                .input_count = it->operand_count,
                                .error = &trial->error};
    for (uint32_t i = 0; i < it->operand_count; i++) {
        if (trial->built.inputs[i] == HEED_NO_TENSOR)
            continue;
        call->inputs[i] = &graph->tensors[trial->built.inputs[i]].desc;
        call->input_names[i] = "operand";
        trial->state = trial->state || it->operands[i].source == HEEDI_SOURCE_STATE;
    }
    const enum heed_status status = heedi_op_infer(call);
    if (status != HEED_OK)
        return heedi_fail(context, status, "%s", trial->error.message);
    for (uint32_t i = 0; i < call->output_count; i++) {
        trial->bytes[i] =
            (size_t)heed_desc_elems(&call->outputs[i]) * heed_dtype_bytes(call->outputs[i].dtype);
        for (int slot = 0; slot < 3; slot++) {
            trial->results[slot][i] = heedi_calloc(&context->env, trial->bytes[i], 1);
            if (trial->results[slot][i] == NULL)
                return heedi_fail_memory(context, "results", trial->bytes[i]);
        }
    }
    trial->finding->dtype = (uint32_t)call->outputs[0].dtype;
    return HEED_OK;
}

/* Whether the backend itself runs the node; else why not is a finding. */
static bool claimed(struct trial *trial, const struct heed_program *program) {
    const struct heedi_partition *partition = &program->partition;
    if (trial->target->takes_any)
        return true;
    for (int32_t n = 0; n < partition->graph->node_count; n++) {
        if (strcmp(partition->graph->nodes[n].name, "node") != 0)
            continue;
        trial->finding->declined = partition->device_of_node[n] != (int32_t)trial->target->device;
        if (trial->finding->declined)
            (void)snprintf(trial->finding->message, sizeof trial->finding->message, "%s",
                           partition->reasons[n]);
        return !trial->finding->declined;
    }
    trial->finding->declined = 1; /* whole; its lowering was run */
    return false;
}

static enum heed_status run_all(struct trial *trial, int32_t repeat) {
    struct session session = {.program = NULL};
    enum heed_status status = heed_program_compile(
        trial->target->context, trial->target->executors[0], trial->built.graph, &session.program);
    const bool ours = status == HEED_OK && claimed(trial, session.program);
    if (status == HEED_ERROR_UNSUPPORTED) { /* and there is no fallback that would run it */
        trial->finding->declined = 1;
        (void)snprintf(trial->finding->message, sizeof trial->finding->message, "%.200s",
                       heed_last_error(trial->target->context));
        status = HEED_OK;
    }
    if (status == HEED_OK && ours)
        status = open_session(trial, 0, &session);
    if (status != HEED_OK && status != HEED_ERROR_OUT_OF_MEMORY) {
        backend_failed(trial, "preparing");
        status = HEED_OK;
    }
    const struct heed_check_finding *finding = trial->finding;
    if (status == HEED_OK && ours && finding->fault == HEED_CHECK_NONE)
        run_first(trial, &session, repeat);
    close_session(trial, &session);
    if (status == HEED_OK && ours && finding->fault == HEED_CHECK_NONE)
        status = judge(trial);
    if (status == HEED_OK && ours && finding->fault == HEED_CHECK_NONE)
        status = run_others(trial);
    return status;
}

enum heed_status heedi_trial(struct heedi_target *target, const struct heedi_case *it,
                             int32_t repeat, void *const results[HEED_MAX_OUTPUTS],
                             struct heed_check_finding *finding) {
    const struct heedi_env *env = &target->context->env;
    struct trial trial = {.target = target, .it = it, .finding = finding};
    trial.error.struct_size = sizeof trial.error;
    *finding = (struct heed_check_finding){
        .struct_size = sizeof *finding, .op = (uint32_t)it->op, .number = -1};
    enum heed_status status = heedi_case_build(target->context, it, &trial.built);
    if (status != HEED_OK)
        return status;
    status = prepare(&trial);
    if (status == HEED_OK)
        status = run_all(&trial, repeat);
    for (uint32_t i = 0;
         status == HEED_OK && results != NULL && !finding->declined && i < trial.call.output_count;
         i++)
        memcpy(results[i], trial.results[0][i], trial.bytes[i]);
    for (int slot = 0; slot < 3; slot++)
        for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++)
            heedi_free(env, trial.results[slot][i]);
    heedi_case_graph_clear(env, &trial.built);
    return status;
}
