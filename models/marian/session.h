/* SPDX-License-Identifier: Apache-2.0 */
/* A Marian model ready to run: pools of instances and states, and the batch being worked on. */
#ifndef HEEDI_MARIAN_SESSION_H
#define HEEDI_MARIAN_SESSION_H

#include "models/decode/decode.h"
#include "models/marian/graphs.h"

/* Most instances and sets of states kept for reuse; the least recently used goes first. A batch
 * needs one encoder and, as its rows become fewer, one decoder per power of two. */
#define HEEDI_MARIAN_INSTANCES 16
#define HEEDI_MARIAN_STATE_SETS 4

/* An instance of a bucket's program, with its inputs found by name once. */
struct heedi_marian_run {
    struct heedi_marian_bucket bucket;
    struct heed_program *program;
    struct heed_instance *instance; /* NULL: a free place */
    uint64_t used;                  /* when last, by the session's clock */
    uint64_t step_ns;               /* that a step took last; 0: not known */
    union {
        struct {
            int32_t *tokens, *positions, *offsets;
        } encoder;
        struct {
            int32_t *rows; /* [HEED_ROWS_COUNT, bucket.rows] */
            int32_t *source_offsets;
            const int32_t *next;
            const float *log_prob;
        } decoder;
    } io;
};

/* The keys and values of all layers: of `rows` hypotheses and `length` positions (self), or of a
 * batch's sources (cross: rows is 1, length its tokens). */
struct heedi_marian_states {
    uint32_t rows, length;
    struct heed_state **k, **v; /* [decoder_layers]; NULL: a free place */
    uint64_t bytes;
    uint64_t used;
};

struct heedi_marian_session {
    struct heedi_session base; /* first */
    struct heedi_env env;
    struct heed_model *model;
    const struct heedi_marian *marian;
    struct heed_executor *executor;
    struct heed_profile *profile;
    struct heed_shadow *shadow;
    bool inspect;
    uint32_t steps_per_submit; /* 0: chosen for each batch */
    uint64_t clock;
    struct heedi_marian_run runs[HEEDI_MARIAN_INSTANCES];
    struct heedi_marian_states self[HEEDI_MARIAN_STATE_SETS], cross[HEEDI_MARIAN_STATE_SETS];
    float *transfer; /* for moving keys into a larger cache, or to another device */
    size_t transfer_elems;

    /* The batch. */
    uint32_t tokens, sentences, cache_rows, keys; /* buckets */
    uint32_t steps;                               /* most of a series */
    uint32_t sentence_tokens;                     /* mean of the sources */
    uint32_t rows;                                /* hypotheses */
    uint32_t position;                            /* of the next token of every row */
    int32_t offsets[HEEDI_MAX_ROWS + 1];          /* [sentences + 1] */
    int32_t cache_row[HEEDI_MAX_ROWS], source_row[HEEDI_MAX_ROWS];
    struct heedi_marian_run *encoder, *decoder; /* last ones; decoder NULL: to be chosen */
    struct heedi_marian_states *self_now, *cross_now;
};

enum heed_status heedi_marian_session_create(struct heed_context *context, struct heed_model *model,
                                             const struct heedi_session_options *options,
                                             struct heedi_session **session);

/* pool.c: an instance for a bucket, and states that fit it; made where there are none. */
enum heed_status heedi_marian_acquire_run(struct heedi_marian_session *session,
                                          struct heed_context *context,
                                          const struct heedi_marian_bucket *bucket,
                                          struct heedi_marian_run **run);
/* Most steps to take at once: what the user asked for, or what the encoder's device can bear. */
uint32_t heedi_marian_steps(const struct heedi_marian_session *session);
enum heed_status heedi_marian_acquire_states(struct heedi_marian_session *session,
                                             struct heed_context *context,
                                             const struct heedi_marian_run *run, bool cross,
                                             struct heedi_marian_states **states);
/* Where a program uses states on other devices than those they lie on: *states becomes a copy
 * there. */
enum heed_status heedi_marian_fit_states(struct heedi_marian_session *session,
                                         struct heed_context *context,
                                         const struct heedi_marian_run *run, bool cross,
                                         struct heedi_marian_states **states);
/* Room for `bytes` in session->transfer. */
enum heed_status heedi_marian_reserve_transfer(struct heedi_marian_session *session,
                                               struct heed_context *context, size_t bytes);
enum heed_status heedi_marian_bind_states(struct heedi_marian_session *session,
                                          struct heed_context *context,
                                          struct heedi_marian_run *run, bool cross,
                                          const struct heedi_marian_states *states);
void heedi_marian_clear_pools(struct heedi_marian_session *session);

#endif
