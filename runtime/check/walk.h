/* SPDX-License-Identifier: Apache-2.0 */
/* A real graph, node by node, on a backend and on what it is held against. */
#ifndef HEEDI_CHECK_WALK_H
#define HEEDI_CHECK_WALK_H

#include "runtime/check/trial.h"
#include "runtime/graph/graph.h"

/* The contents of a state on both sides, from graph to graph; by name. */
struct heedi_walk_state {
    char *name;
    size_t bytes;
    void *sides[2];
};

/* Two computations of the same graphs side by side: one of references (or of another backend), one
 * of the backend on its own results. */
struct heedi_walk {
    struct heed_context *context;
    struct heedi_target *target;  /* the backend that is checked */
    struct heedi_target *against; /* NULL: the operators' references in double precision */
    struct heedi_walk_state *states;
    size_t state_count;
};
void heedi_walk_clear(struct heedi_walk *walk);

/* What came of one node. */
struct heedi_walk_node {
    const struct heedi_node *node;
    struct heed_check_finding isolated; /* on the same operands as the other side, by the bounds */
    /* Its results on its own operands against the other side's: largest difference, as it is and
     * divided by the largest magnitude; how many elements of type i32 or i8 differ. */
    double difference, relative;
    int64_t mismatches;
    /* Where the node chooses (argmax): rows, how many choose the same, how many of the five best
     * they have in common on the average, the smallest margin between the best and the next, and
     * the largest difference of what is chosen from. */
    int64_t rows, same_choice;
    double shared_best, margin, logits;
};
/* False ends the walk. */
typedef bool (*heedi_walk_fn)(void *user, const struct heedi_walk_node *node);

/* Walks a frozen graph. `input` gives the contents of inputs, by name. States that were not seen
 * before begin as zeros. */
enum heed_status heedi_walk_graph(struct heedi_walk *walk, const struct heed_graph *graph,
                                  const void *(*input)(void *user, const char *name),
                                  void *input_user, heedi_walk_fn fn, void *user);

#endif
