/* SPDX-License-Identifier: Apache-2.0 */
/* Who is to blame for a disagreement: the same input once more on the first backend, then on both
 * every node alone, by its operator's own bound, and what a backend fuses, against references. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check/shadow.h"
#include "runtime/check/walk.h"

struct explaining {
    struct heed_context *context;
    const struct heedi_snapshot *snapshot;
    struct heed_shadow_finding *finding;
    bool found;  /* a node or a fused group that is wrong for itself */
    bool beyond; /* or only results of the whole */
};

static const struct heedi_compiled *part_of(const struct heedi_snapshot *snapshot) {
    return &snapshot->program->parts[snapshot->part];
}

/* Whether the first backend gives other results than it has given. */
static bool is_unsteady(struct explaining *explaining, struct heed_executor *executor,
                        const struct heedi_shadow_tolerance *tolerance) {
    const struct heedi_snapshot *snapshot = explaining->snapshot;
    struct heedi_shadow_run run = {.program = NULL}, choosing = {.program = NULL};
    struct heedi_shadow_states shared = {.at = NULL};
    struct heedi_shadow_verdict verdict = {.agrees = true};
    enum heed_status status = heedi_shadow_run_open(explaining->context, executor, &shared,
                                                    snapshot->program, snapshot->part, false, &run);
    if (status == HEED_OK)
        status = heedi_shadow_run_again(explaining->context, &run, snapshot);
    struct heedi_shadow_judging judging = {.context = explaining->context,
                                           .executor = executor,
                                           .snapshot = snapshot,
                                           .run = &run,
                                           .choosing = &choosing,
                                           .shared = &shared,
                                           .tolerance = tolerance};
    if (status == HEED_OK)
        status = heedi_shadow_judge(&judging, &verdict);
    heedi_shadow_run_close(&explaining->context->env, &run);
    heedi_shadow_run_close(&explaining->context->env, &choosing);
    heedi_shadow_states_clear(&explaining->context->env, &shared);
    return status == HEED_OK && !verdict.agrees;
}

/* ---- node by node ---- */

static const void *input(void *user, const char *name) {
    const struct explaining *explaining = user;
    const unsigned long binding = strtoul(name + 1, NULL, 10); /* "b3" */
    for (size_t i = 0; i < explaining->snapshot->piece_count; i++)
        if (explaining->snapshot->pieces[i].binding == binding)
            return explaining->snapshot->pieces[i].data;
    return NULL; /* every binding has a piece */
}

static void copy_before(const struct heedi_snapshot *snapshot, uint32_t binding, void *to) {
    for (size_t i = 0; i < snapshot->piece_count; i++) {
        const struct heedi_shadow_piece *piece = &snapshot->pieces[i];
        if (piece->binding == binding && !piece->after && piece->bytes > 0)
            memcpy((char *)to + piece->offset, piece->data, piece->bytes);
    }
}

/* The states of the part as they were before the run, on both sides of a walk. */
static bool fill_states(const struct explaining *explaining, struct heedi_walk *walk) {
    const struct heedi_env *env = &explaining->context->env;
    const struct heedi_compiled *part = part_of(explaining->snapshot);
    const struct heed_graph *graph = explaining->snapshot->program->partition.graph;
    walk->states = heedi_calloc(env, part->binding_count, sizeof *walk->states);
    for (uint32_t b = 0; walk->states != NULL && b < part->binding_count; b++) {
        struct heedi_walk_state *state = &walk->states[walk->state_count];
        struct heedi_shadow_name name;
        if (part->bindings[b].role != HEED_ROLE_STATE)
            continue;
        walk->state_count++;
        state->name = heedi_strdup(env, heedi_shadow_name(&name, 'b', b));
        state->bytes = (size_t)heedi_storage_bytes(&graph->tensors[part->bindings[b].tensor].desc);
        for (int side = 0; side < 2; side++) {
            state->sides[side] = heedi_calloc(env, state->bytes, 1);
            if (state->name == NULL || state->sides[side] == NULL)
                return false;
            copy_before(explaining->snapshot, b, state->sides[side]);
        }
    }
    return walk->states != NULL;
}

static bool take_node(void *user, const struct heedi_walk_node *node) {
    struct explaining *explaining = user;
    struct heed_shadow_finding *finding = explaining->finding;
    if (node->isolated.fault == HEED_CHECK_NONE)
        return true;
    explaining->found = true;
    finding->op = (uint32_t)node->node->op;
    finding->alone = node->isolated;
    (void)snprintf(finding->node, sizeof finding->node, "%s", node->node->name);
    return false;
}

static bool take_piece(void *user, const struct heedi_walk_piece *piece) {
    struct explaining *explaining = user;
    struct heed_shadow_finding *finding = explaining->finding;
    if (piece->error == NULL && piece->relative <= piece->tolerance && piece->mismatches == 0)
        return true;
    explaining->beyond = true;
    if (!piece->group || piece->node_count == 0)
        return true;
    const struct heedi_node *last = &piece->graph->nodes[piece->nodes[piece->node_count - 1]];
    explaining->found = true;
    finding->op = (uint32_t)last->op;
    finding->alone = (struct heed_check_finding){.struct_size = sizeof finding->alone,
                                                 .fault = HEED_CHECK_VALUE,
                                                 .op = (uint32_t)last->op,
                                                 .number = -1,
                                                 .hard = piece->relative / piece->tolerance};
    (void)snprintf(finding->alone.message, sizeof finding->alone.message,
                   "%u nodes that are computed together, from '%s' on, %s", piece->node_count,
                   piece->graph->nodes[piece->nodes[0]].name,
                   piece->error != NULL ? piece->error : "are wrong together, alone they are not");
    (void)snprintf(finding->node, sizeof finding->node, "%s", last->name);
    return false;
}

/* Looks for the first node, or fused group of nodes, that is beyond its bound on a backend. */
static enum heed_status walk_on(struct explaining *explaining, struct heedi_target *target,
                                struct heed_graph *graph) {
    const struct heedi_walk_sink sink = {
        .node = take_node, .piece = take_piece, .input = input, .user = explaining};
    struct heedi_walk walk = {.context = explaining->context, .target = target};
    enum heed_status status = HEED_OK;
    if (!fill_states(explaining, &walk))
        status = heedi_fail_memory(explaining->context, "states", 0);
    if (status == HEED_OK)
        status = heedi_walk_graph(&walk, graph, &sink);
    heedi_walk_clear(&walk);
    return status;
}

void heedi_shadow_explain(struct heed_context *context, const struct heedi_snapshot *snapshot,
                          struct heedi_target *target,
                          const struct heedi_shadow_tolerance *tolerance,
                          struct heed_shadow_finding *finding) {
    struct explaining explaining = {context, snapshot, finding, false, false};
    const struct heedi_device *device = part_of(snapshot)->device;
    /* Nothing but the engine of an executor is looked at by those who compile for it. */
    struct heed_executor executor = {.env = context->env, .engine = device->engine};
    struct heedi_target primary = {.context = context,
                                   .executors = {&executor},
                                   .count = 1,
                                   .numeric = device->info.numeric,
                                   .env = context->env,
                                   .confirm_runs = target->confirm_runs};
    const uint32_t devices = heedi_engine_devices(device->engine);
    while (primary.device < devices && device->engine->devices[primary.device] != device)
        primary.device++;
    if (is_unsteady(&explaining, &executor, tolerance)) {
        finding->blame = HEED_SHADOW_BLAME_UNSTEADY;
        return;
    }
    struct heed_graph *graph = NULL;
    enum heed_status status =
        heedi_shadow_graph(context, snapshot->program, snapshot->part, false, &graph);
    if (status == HEED_OK)
        status = walk_on(&explaining, &primary, graph);
    if (status == HEED_OK && (explaining.found || explaining.beyond)) {
        finding->blame = HEED_SHADOW_BLAME_PRIMARY;
    } else if (status == HEED_OK) {
        status = walk_on(&explaining, target, graph);
        finding->blame = explaining.found || explaining.beyond ? HEED_SHADOW_BLAME_SHADOW
                                                               : HEED_SHADOW_BLAME_UNKNOWN;
    }
    if (status != HEED_OK)
        finding->blame = HEED_SHADOW_BLAME_NOT_SOUGHT;
    heed_graph_release(graph);
}
