/* SPDX-License-Identifier: Apache-2.0 */
/* A real graph on a backend and on what it is held against: node by node, and as it is run. */
#ifndef HEEDI_CHECK_WALK_H
#define HEEDI_CHECK_WALK_H

#include "runtime/check/trial.h"
#include "runtime/exec/executor.h"
#include "runtime/graph/graph.h"

/* Computations of a graph side by side: references (or another backend); the backend, node by node
 * on its own results; and the same within one fused group that begins with the reference's. */
enum heedi_walk_side {
    HEEDI_WALK_REFERENCE,
    HEEDI_WALK_BACKEND,
    HEEDI_WALK_GROUP,
    HEEDI_WALK_SIDES
};

/* The contents of a state from graph to graph; by name. */
struct heedi_walk_state {
    char *name;
    size_t bytes;
    void *sides[HEEDI_WALK_GROUP];
    double relative;         /* what the two sides differ by, as in heedi_walk_node */
    struct heed_state *real; /* of the whole graphs as they are run */
};

struct heedi_walk_run;

struct heedi_walk {
    struct heed_context *context;
    struct heedi_target *target;  /* the backend that is checked */
    struct heedi_target *against; /* NULL: the operators' references in double precision */
    struct heedi_walk_state *states;
    size_t state_count;
    struct heedi_walk_run *runs; /* a list */
};
void heedi_walk_clear(struct heedi_walk *walk);

/* What came of one node. */
struct heedi_walk_node {
    const struct heedi_node *node;
    struct heed_check_finding isolated; /* on the same operands as the other side, by the bounds */
    struct heed_check_finding other;    /* the same of the other side, where that is a backend */
    double pair; /* both held against each other, as a fraction of the sum of their bounds */
    /* Its results on its own operands against the other side's: largest difference, as it is and
     * divided by the largest magnitude (of the results, or of the operands where their common size
     * cancels, as it does in log-probabilities); how many elements of type i32 or i8 differ. */
    double difference, relative;
    int64_t mismatches;
    /* Where the node chooses (argmax, top_k): rows, how many choose the same, how many of the five
     * best they have in common on the average, the smallest margin between the best and the next,
     * and the largest difference of what is chosen from. */
    int64_t rows, same_choice;
    double shared_best, margin, logits;
};

/* What came of a piece of a graph as the backend runs it: what leaves the whole graph (or goes to
 * another backend), or a fused group for itself on the reference's operands. */
struct heedi_walk_piece {
    const struct heed_graph *graph;
    const uint32_t *nodes; /* what one kernel computes together; the last one makes the result */
    uint32_t node_count;
    bool group;
    bool reproduced;    /* the group ran as one kernel for itself too */
    const char *tensor; /* the result */
    const char *error;  /* the backend has failed with this; else NULL */
    /* Largest difference as in heedi_walk_node; of the same nodes one by one; what is tolerated. */
    double relative, one_by_one, tolerance;
    int64_t mismatches, ties; /* integers that differ; choices between what is as good */
};

/* What is done with what is found; false ends the walk. */
struct heedi_walk_sink {
    bool (*node)(void *user, const struct heedi_walk_node *node);
    bool (*piece)(void *user, const struct heedi_walk_piece *piece);
    const void *(*input)(void *user, const char *name); /* contents of inputs */
    void *user;
};

/* Walks a frozen graph, in the form that it has for the backend (with its copies, and lowered where
 * it asks for that), one by one, in fused groups, and as a whole. States that were not seen before
 * begin as zeros. */
enum heed_status heedi_walk_graph(struct heedi_walk *walk, struct heed_graph *graph,
                                  const struct heedi_walk_sink *sink);

/* ---- walk_memory.c ---- */

/* The storages of one graph on all sides, by tensor; NULL where a tensor owns none. */
struct heedi_walk_memory {
    struct heedi_walk *walk;
    const struct heed_graph *graph;
    void **storage[HEEDI_WALK_SIDES];
    void **before;    /* states as the graph finds them, on the reference's side */
    bool *borrowed;   /* weights, states */
    double *relative; /* by tensor: the largest of it and of all that it was computed from */
};
enum heed_status heedi_walk_memory_make(struct heedi_walk_memory *memory,
                                        const struct heedi_walk_sink *sink);
void heedi_walk_memory_clear(struct heedi_walk_memory *memory);
/* NULL: out of memory. */
struct heedi_walk_state *heedi_walk_find_state(struct heedi_walk *walk, const char *name,
                                               size_t bytes);
const void *heedi_walk_first(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                             heed_tensor tensor);
size_t heedi_walk_bytes(const struct heed_tensor_desc *desc);

/* ---- walk.c ---- */

/* Runs a node on the backend, or on the one that runs it where the backend declines, with the
 * operands of `side`, and keeps the results there. */
enum heed_status heedi_walk_take_node(const struct heedi_walk_memory *memory,
                                      enum heedi_walk_side side, const struct heedi_node *node);
/* The node as its operator sees it, on a side; `inputs` may be NULL. */
enum heed_status heedi_walk_call(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                                 const struct heedi_node *node, struct heedi_call *call,
                                 const void *inputs[HEED_MAX_INPUTS]);

/* ---- walk_compare.c ---- */

/* Holds `actual`, contiguous, against the reference's side of a tensor that `node` makes. */
void heedi_walk_compare(const struct heedi_walk_memory *memory, const struct heedi_node *node,
                        heed_tensor tensor, const void *actual, struct heedi_walk_node *result);
/* How the two sides choose. */
void heedi_walk_compare_choices(const struct heedi_walk_memory *memory,
                                const struct heedi_node *node, struct heedi_walk_node *result);

/* What rounding an operand of the node to 8 bits may add to what its results differ by where that
 * operand is computed, too, and so may fall to the other side of a tie: some steps of 1/127. 0: the
 * node rounds none. */
double heedi_walk_ties(const struct heedi_node *node);
/* The same for a result that several nodes have computed together. Integers that differ because
 * two choices are as good, as far as the tolerance goes, are ties and no mismatches. */
void heedi_walk_compare_piece(const struct heedi_walk_memory *memory, heed_tensor tensor,
                              const void *actual, struct heedi_walk_piece *piece);

/* ---- walk_run.c ---- */

/* A graph as the backend runs it. */
struct heedi_walk_run {
    struct heedi_walk_run *next;
    struct heed_graph *given; /* a reference */
    struct heed_program *program;
    struct heed_instance *instance;
    struct heed_state **bound; /* by state of the program */
    struct heedi_walk_group *groups;
    uint32_t group_count;
};
/* The run of a graph, compiled when it is first asked for. */
enum heed_status heedi_walk_run_find(struct heedi_walk *walk, struct heed_graph *graph,
                                     struct heedi_walk_run **run);
/* Runs it on the inputs of the sink, once all nodes were walked, and its fused groups each for
 * itself. */
enum heed_status heedi_walk_run(struct heedi_walk_run *run, const struct heedi_walk_memory *memory,
                                const struct heedi_walk_sink *sink, bool *go_on);
void heedi_walk_runs_clear(struct heedi_walk *walk);
/* What may have been computed together with the node: a group, or itself alone. */
const uint32_t *heedi_walk_run_nodes(const struct heedi_walk_run *run, const uint32_t *node,
                                     uint32_t *count);

/* ---- walk_group.c ---- */

/* Nodes that the backend has computed as one. */
struct heedi_walk_group {
    const uint32_t *nodes; /* of the part of the program */
    uint32_t fused;        /* so many */
    uint32_t count; /* and these after them that read their results, to be like in the whole */
    uint32_t part;
    struct heed_plugin_program *program; /* of the `count` nodes; NULL: not compiled yet */
    struct heed_plugin_instance *instance;
    struct heedi_binding *bindings;
    uint32_t binding_count;
    void **memory;                     /* by binding; NULL: a state */
    struct heed_plugin_state **states; /* by binding; NULL: none */
    bool reproduced;
};
/* The groups of a program, as its profile tells of them after a run. */
enum heed_status heedi_walk_groups_find(struct heedi_walk *walk, struct heedi_walk_run *run);
/* Runs a group on the operands of the reference. */
enum heed_status heedi_walk_group_run(struct heedi_walk_group *group,
                                      const struct heedi_walk_run *run,
                                      const struct heedi_walk_memory *memory,
                                      const struct heedi_walk_sink *sink, bool *go_on);
void heedi_walk_groups_clear(const struct heedi_env *env, struct heedi_walk_run *run);

#endif
