/* SPDX-License-Identifier: Apache-2.0 */
/* `heed check`: what its parts share. */
#ifndef HEEDI_TOOLS_CHECK_CHECK_H
#define HEEDI_TOOLS_CHECK_CHECK_H

#include "heed/check_model.h"
#include "tools/tool.h"

enum {
    HEEDI_CHECKED_BACKENDS = 16,
    HEEDI_CHECKED_ROWS = (HEED_OP_COUNT_PLUS_ONE - 1) * (HEED_I8 + 1),
    HEEDI_CHECKED_POOLS = 8
};

/* A failing case, made small and written to a file. */
struct heedi_checked_failure {
    struct heed_check_finding drawn, smallest;
    char path[512]; /* "" where it could not be written */
};

/* A node of a model. */
struct heedi_checked_node {
    struct heed_check_place place;
    double isolated, relative;
    enum heed_check_fault fault;
    bool declined;
};

/* Nodes of a model that were run together. */
struct heedi_checked_piece {
    struct heed_check_place place; /* of the last one */
    size_t at;                     /* which node that is */
    uint32_t node_count;
    char nodes[256]; /* their names: "a, b, c" */
    bool group, reproduced, over;
    double relative, one_by_one, tolerance;
    int64_t mismatches, ties;
};

struct heedi_checked_backend {
    char entry[256]; /* as it stands in a list */
    char name[64];   /* without its folder and options: for file names and the table of what may be
                        declined */
    char label[96];  /* the same with its options, for tables */
    char description[448];
    bool found;
    struct heed_numeric_profile numeric;
    struct heed_check_precision precision; /* with --all; else name is "" */
    struct heed_check_row rows[HEEDI_CHECKED_ROWS];
    size_t row_count;
    struct heedi_checked_failure *failures;
    size_t failure_count;
    double seconds;
    struct heed_check_model_report model; /* with --model */
    struct heedi_checked_node *nodes;
    size_t node_count;
    struct heedi_checked_piece *pieces;
    size_t piece_count;
};

struct heedi_checking {
    const struct heedi_tool_options *options;
    struct heed_context *context;
    struct heed_pool *pools[HEEDI_CHECKED_POOLS];
    uint32_t pool_count;
    uint32_t threads[HEEDI_CHECKED_POOLS];
    uint64_t seed;
    bool ops[HEED_OP_COUNT_PLUS_ONE]; /* what is checked */
    struct heedi_checked_backend *backends;
    size_t backend_count;
    uint64_t deadline_ns; /* 0: none */
    bool progress;
    int code;
};

/* ---- backends.c ---- */
/* Finds what is to be checked. Says what is wrong and returns an exit code. */
int heedi_check_backends(struct heedi_checking *checking);

/* ---- model.c ---- */
/* Checks the backends inside a model and reports. Returns an exit code. */
int heedi_check_models(struct heedi_checking *checking);
/* Checks them inside the model, without a report. `path` NULL: the default model. */
int heedi_check_walk(struct heedi_checking *checking, const char *path);
bool heedi_check_model_holds(const struct heed_check_model_report *report);

/* ---- declined.c ---- */
/* The largest share of an operator's cases that a backend that comes with heed may decline; 1 for
 * other backends. */
double heedi_check_may_decline(const char *backend, enum heed_op op);
/* Cases and declined ones of an operator, over all its types. */
void heedi_check_count(const struct heedi_checked_backend *backend, enum heed_op op, int64_t *cases,
                       int64_t *declined);
/* Why the last case of an operator was declined; "" where none was. */
const char *heedi_check_declined_reason(const struct heedi_checked_backend *backend,
                                        enum heed_op op);
/* Whether it declines more than it may, by more than four standard deviations of what is drawn. */
bool heedi_check_declines_too_much(const struct heedi_checked_backend *backend, enum heed_op op);
/* Whether nothing failed and nothing was declined that should not be. */
bool heedi_check_holds(const struct heedi_checked_backend *backend);

/* Whether probes found less precision than the backend declares. */
bool heedi_check_lowers_precision(const struct heedi_checked_backend *backend);

/* ---- report_table.c, report_matrix.c, report_json.c ---- */
/* "[2, 3]" */
const char *heedi_check_index(const struct heed_check_finding *finding, char text[96]);
void heedi_check_table(const struct heedi_checking *checking, FILE *stream);
/* Backends beside each other, and how precise they were found to be. */
void heedi_check_matrix(const struct heedi_checking *checking, FILE *stream);
/* What is declined, each failing case, and a line for each backend. */
void heedi_check_summary(const struct heedi_checking *checking, FILE *stream);
/* ---- report_html.c, page_rows.c, page_plots.c ---- */
/* One page that needs nothing else; `checking` is a struct heedi_checking. */
bool heedi_check_html(const void *checking, FILE *page);
/* Every row of a backend, and what it declines beside what it may. */
void heedi_check_rows(const struct heedi_checked_backend *backend, FILE *page);
/* How many cases have how large an error, as a share of the hard bound. */
void heedi_check_histogram(const struct heedi_checked_backend *backend, size_t colour, FILE *page);
/* Accumulated error over the depth of a model, a line for each backend. */
void heedi_check_growth(const struct heedi_checking *checking, FILE *page);
/* How many nodes of a model have how large an error. */
void heedi_check_nodes_histogram(const struct heedi_checked_backend *backend, size_t colour,
                                 FILE *page);
/* ---- page_model.c ---- */
void heedi_check_page_model(const struct heedi_checking *checking, FILE *page);

/* ---- report_json.c ---- */
/* False: out of memory. */
bool heedi_check_json(const struct heedi_checking *checking, FILE *stream);

#endif
