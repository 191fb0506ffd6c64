/* SPDX-License-Identifier: Apache-2.0 */
/* `heed check --model`: backends inside a real model. */
#include <stdlib.h>
#include <string.h>

#include "tools/check/check.h"
#include "tools/json.h"
#include "tools/os.h"

static const double GROWTH = 1.5; /* what is told of is so much more than before */

struct walking {
    struct heedi_checking *checking;
    struct heedi_checked_backend *backend;
};

/* Room for one more element of an array whose capacity is a power of two. */
static bool make_room(struct walking *walking, void **array, size_t count, size_t size) {
    if ((count & (count - 1)) != 0)
        return true;
    void *grown = realloc(*array, (count == 0 ? 1 : 2 * count) * size);
    if (grown == NULL) {
        walking->checking->code = TOOL_INTERNAL;
        heedi_tool_message("out of memory");
        return false;
    }
    *array = grown;
    return true;
}

static struct heed_check_place place_of(const char *graph, uint32_t step, const char *name,
                                        uint32_t op) {
    struct heed_check_place place = {.step = step, .op = op};
    snprintf(place.name, sizeof place.name, "%s", name);
    snprintf(place.graph, sizeof place.graph, "%s", graph);
    return place;
}

static void show_progress(const struct walking *walking, const struct heed_check_place *place) {
    char line[120];
    snprintf(line, sizeof line, "%.30s: %.10s %u, node %zu", walking->backend->entry, place->graph,
             place->step, walking->backend->node_count);
    if (walking->checking->progress)
        heedi_tool_progress_text(line);
}

static int take_node(void *user, const struct heed_check_node *node) {
    struct walking *walking = user;
    struct heedi_checked_backend *backend = walking->backend;
    void *array = backend->nodes;
    if (!make_room(walking, &array, backend->node_count, sizeof *backend->nodes))
        return 1;
    backend->nodes = array;
    struct heedi_checked_node *kept = &backend->nodes[backend->node_count++];
    *kept = (struct heedi_checked_node){.place =
                                            place_of(node->graph, node->step, node->name, node->op),
                                        .isolated = node->isolated->hard,
                                        .relative = node->relative,
                                        .fault = (enum heed_check_fault)node->isolated->fault,
                                        .declined = node->isolated->declined != 0};
    show_progress(walking, &kept->place);
    return 0;
}

/* The node of a piece is among those of the last graph. */
static size_t find_node(const struct heedi_checked_backend *backend, const char *name) {
    for (size_t i = backend->node_count; i-- > 0;)
        if (strcmp(backend->nodes[i].place.name, name) == 0)
            return i;
    return backend->node_count;
}

static int take_piece(void *user, const struct heed_check_piece *piece) {
    struct walking *walking = user;
    struct heedi_checked_backend *backend = walking->backend;
    void *array = backend->pieces;
    if (!make_room(walking, &array, backend->piece_count, sizeof *backend->pieces))
        return 1;
    backend->pieces = array;
    struct heedi_checked_piece *kept = &backend->pieces[backend->piece_count++];
    *kept = (struct heedi_checked_piece){
        .place = place_of(piece->graph, piece->step, piece->name, piece->op),
        .at = find_node(backend, piece->name),
        .node_count = piece->node_count,
        .group = piece->group != 0,
        .reproduced = piece->reproduced != 0,
        .over =
            piece->error != NULL || piece->mismatches > 0 || !(piece->relative <= piece->tolerance),
        .relative = piece->relative,
        .one_by_one = piece->one_by_one,
        .tolerance = piece->tolerance,
        .mismatches = piece->mismatches,
        .ties = piece->ties};
    snprintf(kept->nodes, sizeof kept->nodes, "%s", piece->nodes);
    show_progress(walking, &kept->place);
    return 0;
}

/* "decoder 3, decoder.1.fc1" */
static void print_place(const struct heed_check_place *place, FILE *stream) {
    fputs(place->graph, stream);
    if (strcmp(place->graph, "decoder") == 0)
        fprintf(stream, " step %u", place->step);
    fprintf(stream, ", %s (%s)", place->name, heed_op_name((enum heed_op)place->op));
}

bool heedi_check_model_holds(const struct heed_check_model_report *report) {
    /* Where tokens differ although the best was ahead by more than errors are, something is wrong.
     */
    const bool close = report->margin <= 2 * report->logits;
    return report->over == 0 && report->together_over == 0 && report->other_over == 0 &&
           report->pair_over == 0 && (report->same_choices == report->choices || close) &&
           (report->same_translation != 0 || close);
}

static void print_growth(const struct heedi_checked_backend *backend, FILE *stream) {
    double most = 0;
    fputs("  growth of the accumulated error (relative to the largest of each node's results):\n",
          stream);
    for (size_t i = 0; i < backend->node_count; i++) {
        const struct heedi_checked_node *node = &backend->nodes[i];
        if (node->relative <= most * GROWTH)
            continue;
        most = node->relative;
        fprintf(stream, "    %.2e at node %zu: ", node->relative, i);
        print_place(&node->place, stream);
        fputc('\n', stream);
    }
}

/* "decoder 3, decoder.1.fc1 (matmul), fused of a, b, c" */
static void print_nodes(const struct heed_check_place *place, const char *nodes, FILE *stream) {
    print_place(place, stream);
    if (strchr(nodes, ',') != NULL)
        fprintf(stream, ", one kernel for %s", nodes);
    fputc('\n', stream);
}

static void print_together(const struct heed_check_model_report *it, FILE *stream) {
    fprintf(stream, "  as run: %u results of whole graphs and %u fused groups (of up to %u nodes)",
            it->results, it->groups, it->largest_group);
    fprintf(stream, ", %u beyond their tolerance\n", it->together_over);
    if (it->unlike > 0)
        fprintf(stream, "    %u groups are computed otherwise for themselves than in the graph\n",
                it->unlike);
    if (it->together_over > 0) {
        fprintf(stream, "  FAIL the first beyond its tolerance: %s\n    ", it->together_message);
        print_nodes(&it->first_together, it->first_nodes, stream);
    }
    if (it->together > 0) {
        fprintf(stream, "    %.3f of the tolerance at the most: ", it->together);
        print_nodes(&it->worst_together, it->worst_nodes, stream);
    }
}

static void print_first(const char *whose, const struct heed_check_place *place,
                        const struct heed_check_finding *finding, FILE *stream) {
    fprintf(stream, "  FAIL the first beyond %s bound: ", whose);
    print_place(place, stream);
    fprintf(stream, "\n    %s: expected %.9g, found %.9g, %.3g of the bound%s%s\n",
            heed_check_fault_name((enum heed_check_fault)finding->fault), finding->expected,
            finding->actual, finding->hard, finding->message[0] != '\0' ? "; " : "",
            finding->message);
}

/* Where the other side is a backend. */
static void print_pair(const struct heed_check_model_report *it, FILE *stream) {
    if (it->other_over > 0) {
        fprintf(stream, "  the other side: %u beyond their bounds\n", it->other_over);
        print_first("the other side's", &it->first_other, &it->first_other_finding, stream);
    }
    fprintf(stream, "  both on the same operands: %.3f of the sum of their bounds at the most",
            it->pair);
    if (it->pair > 0) {
        fputs(": ", stream);
        print_place(&it->worst_pair, stream);
    }
    fputc('\n', stream);
}

static void print_backend(const struct heedi_checking *checking,
                          const struct heedi_checked_backend *backend, FILE *stream) {
    const struct heed_check_model_report *it = &backend->model;
    const char *against = checking->options->check.against;
    fprintf(stream, "\n%s against %s: %s\n", backend->entry, against != NULL ? against : "f64",
            heedi_check_model_holds(it) ? "holds" : "FAILS");
    fprintf(stream, "  %u nodes, %u beyond their bounds, %u declined, %.1f s\n", it->nodes,
            it->over, it->declined, backend->seconds);
    if (it->over > 0)
        print_first("its", &it->first_over, &it->first_finding, stream);
    fprintf(stream, "  isolated: %.3f of the hard bound at the most: ", it->isolated);
    print_place(&it->worst_isolated, stream);
    fputc('\n', stream);
    if (against != NULL && strcmp(against, "f64") != 0)
        print_pair(it, stream);
    fprintf(stream, "  accumulated: the largest error, %.2e, is at ", it->accumulated);
    print_place(&it->worst_accumulated, stream);
    fputc('\n', stream);
    print_growth(backend, stream);
    print_together(it, stream);
    fprintf(stream,
            "  logits: off by %.2e at the most; %lld of %lld rows have the same best token "
            "(smallest margin %.2e), %.1f of the best 5 are the same\n",
            it->logits, (long long)it->same_choices, (long long)it->choices, it->margin,
            it->shared_best);
    fprintf(stream, "  translation: %s\n", it->translation);
    if (it->same_translation)
        fputs("  the other side's is the same\n", stream);
    else
        fprintf(stream, "  DIFFERENT from the other side's: %s\n", it->expected);
}

/* ---- JSON ---- */

static bool add_place(cJSON *parent, const char *name, const struct heed_check_place *place) {
    cJSON *object = name != NULL ? cJSON_AddObjectToObject(parent, name) : parent;
    bool ok = object != NULL;
    JSON_TEXT(object, "graph", place->graph);
    JSON_NUMBER(object, "step", place->step);
    JSON_TEXT(object, "node", place->name);
    JSON_TEXT(object, "op", heed_op_name((enum heed_op)place->op));
    return ok;
}

/* Against references all is 0. */
static bool add_pair(cJSON *parent, const struct heed_check_model_report *it) {
    cJSON *object = cJSON_AddObjectToObject(parent, "pair");
    bool ok = object != NULL;
    JSON_NUMBER(object, "other_over", it->other_over);
    if (it->other_over > 0)
        ok = ok && add_place(object, "first_other_over", &it->first_other);
    JSON_NUMBER(object, "over", it->pair_over);
    JSON_NUMBER(object, "share_of_both_bounds", it->pair);
    if (it->pair > 0)
        ok = ok && add_place(object, "worst", &it->worst_pair);
    return ok;
}

static bool add_together(cJSON *parent, const struct heed_check_model_report *it) {
    cJSON *object = cJSON_AddObjectToObject(parent, "as_run");
    bool ok = object != NULL;
    JSON_NUMBER(object, "results", it->results);
    JSON_NUMBER(object, "groups", it->groups);
    JSON_NUMBER(object, "largest_group", it->largest_group);
    JSON_NUMBER(object, "unlike", it->unlike);
    JSON_NUMBER(object, "over", it->together_over);
    JSON_NUMBER(object, "worst_share", it->together);
    if (it->together > 0) {
        ok = ok && add_place(object, "worst", &it->worst_together);
        JSON_TEXT(object, "worst_nodes", it->worst_nodes);
    }
    if (it->together_over > 0) {
        ok = ok && add_place(object, "first_over", &it->first_together);
        JSON_TEXT(object, "first_nodes", it->first_nodes);
        JSON_TEXT(object, "message", it->together_message);
    }
    return ok;
}

static bool add_pieces(cJSON *parent, const struct heedi_checked_backend *backend) {
    cJSON *array = cJSON_AddArrayToObject(parent, "together");
    bool ok = array != NULL;
    for (size_t i = 0; ok && i < backend->piece_count; i++) {
        const struct heedi_checked_piece *it = &backend->pieces[i];
        cJSON *object = heedi_tool_json_append(array);
        ok = object != NULL && add_place(object, NULL, &it->place);
        JSON_TEXT(object, "what", it->group ? "group" : "result");
        JSON_NUMBER(object, "nodes", it->node_count);
        JSON_NUMBER(object, "relative", it->relative);
        JSON_NUMBER(object, "one_by_one", it->one_by_one);
        JSON_NUMBER(object, "tolerance", it->tolerance);
        JSON_NUMBER(object, "mismatches", it->mismatches);
        JSON_NUMBER(object, "ties", it->ties);
        if (it->group)
            JSON_FLAG(object, "reproduced", it->reproduced);
    }
    return ok;
}

static bool add_backend(cJSON *array, const struct heedi_checked_backend *backend) {
    const struct heed_check_model_report *it = &backend->model;
    cJSON *object = cJSON_CreateObject();
    bool ok = object != NULL && cJSON_AddItemToArray(array, object);
    JSON_TEXT(object, "backend", backend->entry);
    ok = ok && cJSON_AddBoolToObject(object, "holds", heedi_check_model_holds(it)) != NULL;
    JSON_NUMBER(object, "nodes", it->nodes);
    JSON_NUMBER(object, "over", it->over);
    JSON_NUMBER(object, "declined", it->declined);
    if (it->over > 0)
        ok = ok && add_place(object, "first_over", &it->first_over);
    JSON_NUMBER(object, "isolated", it->isolated);
    ok = ok && add_place(object, "worst_isolated", &it->worst_isolated);
    ok = ok && add_pair(object, it);
    JSON_NUMBER(object, "accumulated", it->accumulated);
    ok = ok && add_place(object, "worst_accumulated", &it->worst_accumulated);
    ok = ok && add_together(object, it);
    JSON_NUMBER(object, "choices", it->choices);
    JSON_NUMBER(object, "same_choices", it->same_choices);
    JSON_NUMBER(object, "shared_best_5", it->shared_best);
    JSON_NUMBER(object, "margin", it->margin);
    JSON_NUMBER(object, "logits", it->logits);
    ok = ok && cJSON_AddBoolToObject(object, "same_translation", it->same_translation != 0) != NULL;
    JSON_TEXT(object, "translation", it->translation);
    JSON_TEXT(object, "expected_translation", it->expected);
    cJSON *nodes = cJSON_AddArrayToObject(object, "path");
    for (size_t i = 0; ok && i < backend->node_count; i++) {
        cJSON *node = cJSON_CreateObject();
        ok = node != NULL && cJSON_AddItemToArray(nodes, node) &&
             add_place(node, NULL, &backend->nodes[i].place);
        JSON_NUMBER(node, "isolated", backend->nodes[i].isolated);
        JSON_NUMBER(node, "relative", backend->nodes[i].relative);
    }
    return ok && add_pieces(object, backend);
}

static bool print_json(const struct heedi_checking *checking) {
    cJSON *root = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(root, "backends");
    bool ok = array != NULL;
    for (size_t i = 0; ok && i < checking->backend_count; i++)
        ok = add_backend(array, &checking->backends[i]);
    char *text = ok ? cJSON_Print(root) : NULL;
    if (text != NULL)
        puts(text);
    cJSON_free(text);
    cJSON_Delete(root);
    return text != NULL;
}

/* ---- the check ---- */

static int check_one(struct heedi_checking *checking, struct heedi_checked_backend *backend,
                     struct heed_model *model) {
    const struct heedi_tool_check_options *check = &checking->options->check;
    struct walking walking = {checking, backend};
    const bool f64 = check->against == NULL || strcmp(check->against, "f64") == 0;
    const struct heed_check_model_options options = {.struct_size = sizeof options,
                                                     .backend = backend->entry,
                                                     .against = f64 ? NULL : check->against,
                                                     .text = check->input,
                                                     .steps = check->tokens,
                                                     .node = take_node,
                                                     .user = &walking,
                                                     .piece = take_piece};
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    const enum heed_status status =
        heed_check_model(checking->context, model, &options, &backend->model);
    backend->seconds = heedi_tool_seconds_since(begin_ns);
    heedi_tool_progress_hide();
    if (status == HEED_OK)
        return checking->code;
    heedi_tool_message("%s", heed_last_error(checking->context));
    return status == HEED_ERROR_FORMAT || status == HEED_ERROR_LIMIT ? TOOL_INPUT
           : status == HEED_ERROR_NOT_FOUND                          ? TOOL_NO_BACKEND
                                                                     : TOOL_INTERNAL;
}

int heedi_check_walk(struct heedi_checking *checking, const char *path) {
    struct heed_model *model = NULL;
    int code = heedi_tool_model(checking->context, path, &model);
    for (size_t i = 0; i < checking->backend_count && code == TOOL_OK; i++)
        code = check_one(checking, &checking->backends[i], model);
    heed_model_close(model);
    return code;
}

int heedi_check_models(struct heedi_checking *checking) {
    const char *path = checking->options->model;
    bool all_hold = true;
    int code = heedi_check_walk(checking, strcmp(path, "default") == 0 ? NULL : path);
    if (code == TOOL_OK && checking->options->bench.report != NULL)
        code = heedi_tool_report(checking->options->bench.report, heedi_check_html, checking);
    if (code == TOOL_OK && checking->options->bench.json && !print_json(checking)) {
        heedi_tool_message("out of memory");
        code = TOOL_INTERNAL;
    }
    for (size_t i = 0; i < checking->backend_count && code == TOOL_OK; i++) {
        if (!checking->options->bench.json)
            print_backend(checking, &checking->backends[i], stdout);
        all_hold = all_hold && heedi_check_model_holds(&checking->backends[i].model);
    }
    return code == TOOL_OK && !all_hold ? TOOL_DISAGREES : code;
}
