/* SPDX-License-Identifier: Apache-2.0 */
/* Between a network and a search: what a model offers (a session) and what searches make of it.
 *
 * A session is a model ready to run on an executor. It works on one batch at a time: begin() takes
 * the source sentences and makes one row for each; step() feeds every row its newest token and
 * answers with its best continuation, or several tokens of it; select() keeps some of the rows. A
 * search knows no network, a network knows no search. Beam search adds to this interface: more
 * candidates per row from step(), and rows that select() repeats (the key/value cache then takes a
 * table of ancestors).
 *
 * Thread rule: one thread at a time. Nothing is allocated by step() and select() once a batch of
 * the same size has been seen. */
#ifndef HEEDI_DECODE_DECODE_H
#define HEEDI_DECODE_DECODE_H

#include "models/model.h"

/* Most sentences, and rows, of a batch: bounds the key/value cache. */
#define HEEDI_MAX_ROWS 64

struct heedi_session_options {
    struct heed_executor *executor; /* retained */
    struct heed_profile *profile;   /* outlives the session; NULL: none */
    struct heed_shadow *shadow;     /* outlives the session; NULL: none */
    bool inspect;                   /* more outputs, for tests */
    uint32_t steps_per_submit;      /* as heed_translator_options */
};

/* Source sentences, back to back: sentence i is tokens[offsets[i]] .. tokens[offsets[i + 1] - 1].
 */
struct heedi_sources {
    const int32_t *tokens;
    const int32_t *offsets; /* [count + 1], from 0 */
    uint32_t count;         /* 1 .. HEEDI_MAX_ROWS */
};

/* The most probable continuation of each row by one token or more, valid until the next call.
 * Tokens that follow the one that ends a row mean nothing. */
struct heedi_series {
    uint32_t steps;         /* at least 1 */
    uint32_t stride;        /* from a step to the next, at least the rows */
    const int32_t *tokens;  /* [steps, rows] */
    const float *log_probs; /* [steps, rows] */
};

typedef void (*heedi_session_program_fn)(void *user, const char *part,
                                         const struct heed_program *program);

struct heedi_session_table {
    enum heed_status (*begin)(struct heedi_session *session, struct heed_context *context,
                              const struct heedi_sources *sources);
    /* tokens: [rows], the last of each row (at first: the start token). `most` > 0 steps at once,
     * or less. */
    enum heed_status (*step)(struct heedi_session *session, struct heed_context *context,
                             const int32_t *tokens, uint32_t most, struct heedi_series *result);
    /* Row i becomes what row rows[i] was; `rows` ascends strictly. */
    void (*select)(struct heedi_session *session, const uint32_t *rows, uint32_t count);
    /* An output of the last encoder (decoder == false) or decoder run, by name; NULL if absent. */
    const void *(*output)(struct heedi_session *session, bool decoder, const char *name,
                          size_t *bytes);
    /* The instance of the last encoder or decoder run, and its program; NULL before any. */
    struct heed_instance *(*instance)(struct heedi_session *session, bool decoder,
                                      const struct heed_program **program);
    /* Calls fn with the programs in use ("encoder", "decoder"); returns bytes of states. */
    uint64_t (*programs)(const struct heedi_session *session, heedi_session_program_fn fn,
                         void *user);
    /* Forgets all instances and states, as after a failure of a device: the next begin() makes them
     * anew, without devices that were set aside. */
    void (*reset)(struct heedi_session *session);
    void (*destroy)(struct heedi_session *session);
};

struct heedi_session {
    const struct heedi_session_table *table;
    uint64_t encode_runs, encode_ns, step_runs, step_ns; /* for the report */
};

/* ---- series.c: how many steps to take at once ---- */

/* What a submission costs a device that is not the processor, besides its steps, where it has not
 * been measured; of common drivers, about. */
#define HEEDI_SUBMISSION_NS 100000u
#define HEEDI_SERIES_MOST 8u
#define HEEDI_SERIES_UNMEASURED 4u

/* For sentences of about so many tokens, where a submission costs `submission_ns`, 0: not known,
 * and a step takes `step_ns`, 0: not known yet. */
uint32_t heedi_series_length(uint64_t submission_ns, uint64_t step_ns, uint32_t tokens);
/* What a step takes where a series took `series_ns`; at least 1. */
uint64_t heedi_series_step_ns(uint64_t submission_ns, uint64_t series_ns, uint32_t steps);

/* ---- greedy search ---- */

/* What came out for one sentence. */
struct heedi_hypothesis {
    const int32_t *tokens; /* eos included; valid until the next search */
    uint32_t count;
    double log_prob; /* sum over the tokens; a forced eos adds nothing */
};

/* Memory of a search, kept from batch to batch. */
struct heedi_greedy {
    struct heedi_env env;
    int32_t *history; /* [HEEDI_MAX_ROWS, max_length] */
    uint32_t max_length;
};

void heedi_greedy_init(struct heedi_greedy *greedy, const struct heedi_env *env);
void heedi_greedy_clear(struct heedi_greedy *greedy);
/* Translates a batch: at each step the most probable token; a sentence ends with eos, which is
 * forced as its max_length-th token. `hypotheses` has sources->count entries. */
enum heed_status heedi_greedy_search(struct heedi_greedy *greedy, struct heed_context *context,
                                     struct heedi_session *session,
                                     const struct heedi_generation *generation, uint32_t max_length,
                                     const struct heedi_sources *sources,
                                     struct heedi_hypothesis *hypotheses);

#endif
