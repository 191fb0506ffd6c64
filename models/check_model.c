/* SPDX-License-Identifier: Apache-2.0 */
/* Checking a backend inside a real model: a translation leads, its graphs are walked. */
#include <math.h>
#include <string.h>

#include "heed/check_model.h"
#include "models/decode/decode.h"
#include "runtime/check/walk.h"
#include "runtime/exec/executor.h"

static const uint32_t default_steps = 8;
static const char default_text[] = "Two men are playing guitar in front of a large crowd.";

struct check {
    struct heed_context *context;
    struct heed_model *model;
    struct heed_check_model_options options;
    struct heed_check_model_report *report;
    struct heedi_target target, against;
    struct heedi_walk walk;
    struct heed_instance *instance; /* whose inputs are read */
    const char *graph;
    uint32_t step, depth;
    bool ended;
};

/* ---- nodes ---- */

static void note(struct heed_check_place *place, const struct check *check,
                 const struct heedi_node *node) {
    snprintf(place->name, sizeof place->name, "%s", node->name);
    snprintf(place->graph, sizeof place->graph, "%s", check->graph);
    place->step = check->step;
    place->op = (uint32_t)node->op;
}

static void gather(struct check *check, const struct heedi_walk_node *node) {
    struct heed_check_model_report *report = check->report;
    report->nodes++;
    report->declined += node->isolated.declined;
    if (node->isolated.fault != HEED_CHECK_NONE) {
        if (report->over++ == 0) {
            note(&report->first_over, check, node->node);
            report->first_finding = node->isolated;
        }
    }
    if (node->other.fault != HEED_CHECK_NONE && report->other_over++ == 0) {
        note(&report->first_other, check, node->node);
        report->first_other_finding = node->other;
    }
    report->pair_over += !(node->pair <= 1);
    if (node->pair > report->pair) {
        report->pair = node->pair;
        note(&report->worst_pair, check, node->node);
    }
    if (!node->isolated.declined && node->isolated.hard > report->isolated) {
        report->isolated = node->isolated.hard;
        note(&report->worst_isolated, check, node->node);
    }
    if (node->relative > report->accumulated) {
        report->accumulated = node->relative;
        note(&report->worst_accumulated, check, node->node);
    }
    if (node->rows > 0) {
        if (report->choices == 0 || node->margin < report->margin)
            report->margin = node->margin;
        report->choices += node->rows;
        report->same_choices += node->same_choice;
        report->shared_best += node->shared_best * (double)node->rows;
        report->logits = fmax(report->logits, node->logits);
    }
}

static bool take_node(void *user, const struct heedi_walk_node *node) {
    struct check *check = user;
    const struct heed_check_node seen = {.struct_size = sizeof seen,
                                         .op = (uint32_t)node->node->op,
                                         .graph = check->graph,
                                         .name = node->node->name,
                                         .step = check->step,
                                         .depth = check->depth++,
                                         .isolated = &node->isolated,
                                         .relative = node->relative,
                                         .mismatches = node->mismatches,
                                         .other = check->walk.against != NULL ? &node->other : NULL,
                                         .pair = node->pair};
    gather(check, node);
    if (check->options.node != NULL && check->options.node(check->options.user, &seen) != 0)
        check->ended = true;
    return !check->ended;
}

/* ---- pieces ---- */

/* "a, b, c"; what has no room is left out. */
static void list_nodes(const struct heedi_walk_piece *piece, char *text, size_t bytes) {
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < piece->node_count && used < bytes; i++) {
        const int written = snprintf(text + used, bytes - used, "%s%s", i > 0 ? ", " : "",
                                     piece->graph->nodes[piece->nodes[i]].name);
        used += written > 0 ? (size_t)written : 0;
    }
}

static void describe(const struct heed_check_piece *it, char *text, size_t bytes) {
    if (it->error != NULL)
        snprintf(text, bytes, "%s", it->error);
    else if (it->mismatches > 0)
        snprintf(text, bytes, "%lld integers differ", (long long)it->mismatches);
    else
        snprintf(text, bytes, "differs by %.2e, tolerated are %.2e", it->relative, it->tolerance);
}

static void gather_piece(struct check *check, const struct heed_check_piece *it,
                         const struct heedi_node *last) {
    struct heed_check_model_report *report = check->report;
    const double share = it->relative / it->tolerance;
    const bool over = it->error != NULL || it->mismatches > 0 || !(share <= 1);
    report->results += it->group == 0 && it->error == NULL;
    report->groups += it->group;
    report->unlike += it->group != 0 && it->reproduced == 0;
    if (it->group != 0 && it->node_count > report->largest_group)
        report->largest_group = it->node_count;
    if (over && report->together_over++ == 0) {
        if (last != NULL)
            note(&report->first_together, check, last);
        snprintf(report->first_nodes, sizeof report->first_nodes, "%s", it->nodes);
        describe(it, report->together_message, sizeof report->together_message);
    }
    if (it->error == NULL && last != NULL && share > report->together) {
        report->together = share;
        note(&report->worst_together, check, last);
        snprintf(report->worst_nodes, sizeof report->worst_nodes, "%s", it->nodes);
    }
}

static bool take_piece(void *user, const struct heedi_walk_piece *piece) {
    struct check *check = user;
    const struct heedi_node *last =
        piece->node_count > 0 ? &piece->graph->nodes[piece->nodes[piece->node_count - 1]] : NULL;
    char nodes[sizeof check->report->first_nodes];
    list_nodes(piece, nodes, sizeof nodes);
    const struct heed_check_piece seen = {.struct_size = sizeof seen,
                                          .op = last != NULL ? (uint32_t)last->op : 0,
                                          .graph = check->graph,
                                          .name = last != NULL ? last->name : "",
                                          .nodes = nodes,
                                          .node_count = piece->node_count,
                                          .step = check->step,
                                          .group = piece->group,
                                          .reproduced = piece->reproduced,
                                          .relative = piece->relative,
                                          .one_by_one = piece->one_by_one,
                                          .tolerance = piece->tolerance,
                                          .mismatches = piece->mismatches,
                                          .ties = piece->ties,
                                          .error = piece->error};
    gather_piece(check, &seen, last);
    if (check->options.piece != NULL && check->options.piece(check->options.user, &seen) != 0)
        check->ended = true;
    return !check->ended;
}

static const void *input(void *user, const char *name) {
    const struct check *check = user;
    return heed_instance_input(check->instance, name, NULL);
}

/* ---- graphs ---- */

/* Walks the graph that the session has just run. Its inputs are as they were. */
static enum heed_status walk(struct check *check, struct heedi_session *session, bool decoder) {
    const struct heed_program *program = NULL;
    check->instance = session->table->instance(session, decoder, &program);
    check->graph = decoder ? "decoder" : "encoder";
    if (check->instance == NULL)
        return heedi_fail(check->context, HEED_ERROR_INTERNAL, "the model has run no %s",
                          check->graph);
    const struct heedi_walk_sink sink = {take_node, take_piece, input, check};
    return heedi_walk_graph(&check->walk, program->partition.graph, &sink);
}

static enum heed_status follow(struct check *check, struct heedi_session *session,
                               const struct heedi_tokens *tokens) {
    const int32_t offsets[] = {0, (int32_t)tokens->count};
    const struct heedi_sources sources = {tokens->ids, offsets, 1};
    const struct heedi_generation *generation = &check->model->generation;
    const uint32_t steps = check->options.steps > 0 ? check->options.steps : default_steps;
    int32_t last = generation->start;
    enum heed_status status = session->table->begin(session, check->context, &sources);
    if (status == HEED_OK)
        status = walk(check, session, false);
    for (; status == HEED_OK && check->step < steps && !check->ended; check->step++) {
        struct heedi_series series;
        status = session->table->step(session, check->context, &last, 1, &series);
        if (status == HEED_OK)
            status = walk(check, session, true);
        if (status == HEED_OK)
            last = series.tokens[0];
        if (last == generation->eos)
            break;
    }
    return status;
}

/* A translation on the backends that are used by default says which tokens go in. */
static enum heed_status walk_all(struct check *check, const char *text) {
    struct heed_context *context = check->context;
    const struct heed_executor_options wanted = {.struct_size = sizeof wanted,
                                                 .plugin_path = check->options.plugin_path};
    struct heed_executor *executor = NULL;
    struct heedi_session *session = NULL;
    struct heedi_tokens tokens;
    size_t count = 0;
    heedi_tokens_init(&tokens, &context->env);
    enum heed_status status = heed_executor_create(context, &wanted, &executor);
    const struct heedi_session_options options = {.executor = executor, .steps_per_submit = 1};
    if (status == HEED_OK)
        status = check->model->network->session_create(context, check->model, &options, &session);
    if (status == HEED_OK)
        status = heedi_tokenizer_encode(context, &check->model->tokenizer, text, strlen(text),
                                        &tokens, &count);
    if (status == HEED_OK && count > check->model->generation.max_positions)
        status = heedi_fail(context, HEED_ERROR_LIMIT, "the text has %zu tokens, more than %u",
                            count, check->model->generation.max_positions);
    if (status == HEED_OK)
        status = follow(check, session, &tokens);
    if (session != NULL)
        session->table->destroy(session);
    heedi_tokens_clear(&tokens);
    heed_executor_release(executor);
    return status;
}

/* ---- whole translations ---- */

static enum heed_status translate(struct check *check, const char *backends, const char *text,
                                  char *result, size_t bytes) {
    const struct heed_executor_options wanted = {.struct_size = sizeof wanted,
                                                 .backends = backends,
                                                 .plugin_path = check->options.plugin_path};
    struct heed_translator_options options = {.struct_size = sizeof options};
    struct heed_translator *translator = NULL;
    char *translation = NULL;
    enum heed_status status = heed_executor_create(check->context, &wanted, &options.executor);
    if (status == HEED_OK)
        status = heed_translator_create(check->context, check->model, &options, &translator);
    if (status == HEED_OK)
        status = heed_translate(translator, text, &translation);
    if (status == HEED_OK)
        snprintf(result, bytes, "%s", translation);
    heed_string_free(translator, translation);
    heed_translator_destroy(translator);
    heed_executor_release(options.executor);
    return status;
}

/* ---- the check ---- */

static enum heed_status open_targets(struct check *check) {
    struct heed_check_options wanted = {.struct_size = sizeof wanted,
                                        .backend = check->options.backend,
                                        .plugin_path = check->options.plugin_path};
    enum heed_status status = heedi_target_open(check->context, &wanted, &check->target);
    wanted.backend = check->options.against;
    if (status == HEED_OK && wanted.backend != NULL)
        status = heedi_target_open(check->context, &wanted, &check->against);
    check->walk.context = check->context;
    check->walk.target = &check->target;
    check->walk.against = wanted.backend != NULL ? &check->against : NULL;
    return status;
}

enum heed_status heed_check_model(struct heed_context *context, struct heed_model *model,
                                  const struct heed_check_model_options *given,
                                  struct heed_check_model_report *report) {
    struct check check = {.context = context, .model = model, .report = report};
    if (model == NULL || report == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_check_model: model and report must not be NULL");
    *report = (struct heed_check_model_report){.struct_size = sizeof *report};
    enum heed_status status = heedi_read_options(context, "heed_check_model_options", given,
                                                 &check.options, sizeof check.options);
    if (status != HEED_OK)
        return status;
    const char *text = check.options.text != NULL ? check.options.text : default_text;
    status = open_targets(&check);
    if (status == HEED_OK)
        status = walk_all(&check, text);
    if (status == HEED_OK && !check.ended)
        status = translate(&check, check.options.backend, text, report->translation,
                           sizeof report->translation);
    if (status == HEED_OK && !check.ended)
        status = translate(&check, check.options.against, text, report->expected,
                           sizeof report->expected);
    report->same_translation = strcmp(report->translation, report->expected) == 0;
    if (report->choices > 0)
        report->shared_best /= (double)report->choices;
    heedi_walk_clear(&check.walk);
    heedi_target_close(&check.target);
    heedi_target_close(&check.against);
    return status;
}
