/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow runs from the inside: what one device computed is computed again on another, and the two
 * are compared.
 *
 *   shadow.c           the public functions, the draw, the queue, the thread
 *   shadow_snapshot.c  what a part reads and writes, copied while it runs
 *   shadow_graph.c     a part as a graph of its own, run on the other backend
 *   shadow_judge.c     the tolerance of a whole part, and the comparison
 *   shadow_explain.c   which node is to blame */
#ifndef HEEDI_CHECK_SHADOW_H
#define HEEDI_CHECK_SHADOW_H

#include "heed/shadow.h"
#include "runtime/check/trial.h"
#include "runtime/exec/executor.h"

/* ---- shadow_snapshot.c ---- */

/* Some bytes of what a part is bound to, as they were before or after it ran. */
struct heedi_shadow_piece {
    uint32_t binding;
    bool after;
    size_t offset, bytes; /* in the storage that is bound */
    unsigned char *data;  /* in the snapshot's block */
};

/* All that a part read, and what it made of it. */
struct heedi_snapshot {
    struct heedi_snapshot *next;  /* in the queue */
    struct heed_program *program; /* a reference */
    uint32_t part;
    struct heedi_shadow_piece *pieces;
    size_t piece_count, piece_capacity;
    size_t bytes; /* of all pieces, each from a multiple of 64 on */
    unsigned char *block;
    size_t block_bytes; /* at least `bytes`; 0: none yet */
    bool counted;       /* among what waits */
    bool series;        /* the device takes several steps; outputs are those of the first */
    uint64_t number;
};

/* Says what has to be copied of the part that is about to run: its inputs and outputs whole; of
 * states the rows that it reads and those that it writes, where positions and lengths can be known
 * beforehand. Nothing is copied yet. NULL when memory is out. */
struct heedi_snapshot *heedi_snapshot_plan(const struct heedi_env *env,
                                           struct heed_instance *instance, uint32_t part);
/* Copies what is there before the run, and what is there after it. */
bool heedi_snapshot_before(const struct heedi_env *env, struct heedi_snapshot *snapshot,
                           struct heed_instance *instance);
bool heedi_snapshot_after(const struct heedi_env *env, struct heedi_snapshot *snapshot,
                          struct heed_instance *instance);
/* NULL is allowed. */
void heedi_snapshot_destroy(const struct heedi_env *env, struct heedi_snapshot *snapshot);

/* ---- shadow_graph.c ---- */

/* "b3": binding 3 of the part, as its input, state or output; "c3": what node 3 chooses from. */
struct heedi_shadow_name {
    char text[16];
};
const char *heedi_shadow_name(struct heedi_shadow_name *name, char kind, uint32_t number);

/* The graph of one part of a program, frozen. With `choices`, what argmax and top_k choose from are
 * outputs too. */
enum heed_status heedi_shadow_graph(struct heed_context *context,
                                    const struct heed_program *program, uint32_t part, bool choices,
                                    struct heed_graph **graph);

/* States that runs share: only one runs at a time, each with all that it needs written before, and
 * caches are large. */
struct heedi_shadow_state {
    struct heed_state *state; /* NULL: a free place */
    uint32_t users;           /* runs */
};
struct heedi_shadow_states {
    struct heedi_shadow_state *at;
    size_t count;
};
/* When no run uses them any more. */
void heedi_shadow_states_clear(const struct heedi_env *env, struct heedi_shadow_states *states);

/* The graph of a part, ready to run on some executor. */
struct heedi_shadow_run {
    struct heed_program *program;
    struct heed_instance *instance;
    struct heed_state **states; /* one per binding of the part, NULL where it is no state */
    uint32_t binding_count;
    struct heedi_shadow_states *shared; /* where they come from */
};
enum heed_status heedi_shadow_run_open(struct heed_context *context, struct heed_executor *executor,
                                       struct heedi_shadow_states *shared,
                                       const struct heed_program *program, uint32_t part,
                                       bool choices, struct heedi_shadow_run *run);
void heedi_shadow_run_close(const struct heedi_env *env, struct heedi_shadow_run *run);
/* Runs on what the snapshot has from before. */
enum heed_status heedi_shadow_run_again(struct heed_context *context, struct heedi_shadow_run *run,
                                        const struct heedi_snapshot *snapshot);
/* The present contents of a piece into `data`. */
enum heed_status heedi_shadow_run_read(struct heed_context *context, struct heedi_shadow_run *run,
                                       const struct heedi_shadow_piece *piece, void *data);

/* ---- shadow_judge.c ---- */

/* How far two honest computations of a part may lie apart: see heed/shadow.h. */
struct heedi_shadow_tolerance {
    double relative; /* to the largest magnitude of a row */
    double *least;   /* per binding: the magnitude that a row is taken to have at least */
};
enum heed_status heedi_shadow_tolerance(struct heed_context *context,
                                        const struct heed_program *program, uint32_t part,
                                        const struct heed_numeric_profile *a,
                                        const struct heed_numeric_profile *b,
                                        struct heedi_shadow_tolerance *tolerance);

struct heedi_shadow_verdict {
    bool agrees;
    bool tie;        /* only by forgiving choices between values that are as good as equal */
    bool compared;   /* anything at all */
    double fraction; /* largest difference as a fraction of what is tolerated */
    uint32_t binding;
    int64_t elem; /* of that storage, row-major */
    double primary, shadow, bound;
};
/* Compares what the snapshot has from after the run with what `run` has made. Choices that differ
 * are looked at by `choosing`, opened when it is needed first. */
struct heedi_shadow_judging {
    struct heed_context *context;
    struct heed_executor *executor;
    const struct heedi_snapshot *snapshot;
    struct heedi_shadow_run *run;
    struct heedi_shadow_run *choosing; /* program NULL: not opened */
    struct heedi_shadow_states *shared;
    const struct heedi_shadow_tolerance *tolerance;
};
enum heed_status heedi_shadow_judge(struct heedi_shadow_judging *judging,
                                    struct heedi_shadow_verdict *verdict);

/* ---- shadow_explain.c ---- */

/* Looks for who is to blame and writes it into the finding. `target` is the shadow's backend. */
void heedi_shadow_explain(struct heed_context *context, const struct heedi_snapshot *snapshot,
                          struct heedi_target *target,
                          const struct heedi_shadow_tolerance *tolerance,
                          struct heed_shadow_finding *finding);

#endif
