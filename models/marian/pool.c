/* SPDX-License-Identifier: Apache-2.0 */
/* Instances and states of a Marian session, kept for the next batch of the same size. */
#include <string.h>

#include "heed/shadow.h"
#include "models/marian/session.h"
#include "runtime/exec/executor.h"

static bool same_bucket(const struct heedi_marian_bucket *a, const struct heedi_marian_bucket *b) {
    return a->decoder == b->decoder && a->tokens == b->tokens && a->sentences == b->sentences &&
           a->rows == b->rows && a->cache_rows == b->cache_rows && a->keys == b->keys &&
           a->steps == b->steps && a->inspect == b->inspect;
}

static void clear_run(struct heedi_marian_run *run) {
    heed_instance_destroy(run->instance);
    heed_program_release(run->program);
    memset(run, 0, sizeof *run);
}

struct building {
    const struct heedi_marian *marian;
    const struct heedi_marian_bucket *bucket;
};

static enum heed_status build(void *user, struct heed_context *context, struct heed_graph **graph) {
    const struct building *building = user;
    return (building->bucket->decoder ? heedi_marian_decoder_graph : heedi_marian_encoder_graph)(
        context, building->marian, building->bucket, graph);
}

/* Finds the memory of the inputs and outputs; false if the program lacks one. */
static bool find_io(struct heedi_marian_run *run) {
    struct heed_instance *instance = run->instance;
    if (!run->bucket.decoder) {
        run->io.encoder.tokens = heed_instance_input(instance, "tokens", NULL);
        run->io.encoder.positions = heed_instance_input(instance, "positions", NULL);
        run->io.encoder.offsets = heed_instance_input(instance, "offsets", NULL);
        return run->io.encoder.tokens && run->io.encoder.positions && run->io.encoder.offsets;
    }
    run->io.decoder.rows = heed_instance_input(instance, "rows", NULL);
    run->io.decoder.source_offsets = heed_instance_input(instance, "source_offsets", NULL);
    run->io.decoder.next = heed_instance_output(instance, "next", NULL);
    run->io.decoder.log_prob = heed_instance_output(instance, "log_prob", NULL);
    return run->io.decoder.rows && run->io.decoder.source_offsets && run->io.decoder.next &&
           run->io.decoder.log_prob;
}

/* Prepares a decoder for series of steps; then its outputs are those of all steps. */
static enum heed_status set_steps(struct heed_context *context, struct heedi_marian_run *run) {
    static const struct heed_carry rows = {.output = "rows_next", .input = "rows"};
    static const char *const chosen[] = {"next", "log_prob"};
    const struct heed_steps_options options = {.struct_size = sizeof options,
                                               .most = run->bucket.steps,
                                               .carries = &rows,
                                               .carry_count = 1,
                                               .stacked = chosen,
                                               .stacked_count = 2};
    const enum heed_status status = heed_instance_set_steps(context, run->instance, &options);
    if (status != HEED_OK)
        return status;
    run->io.decoder.next = heed_instance_output_at(run->instance, chosen[0], 0, NULL);
    run->io.decoder.log_prob = heed_instance_output_at(run->instance, chosen[1], 0, NULL);
    return HEED_OK;
}

static enum heed_status make_run(struct heedi_marian_session *session, struct heed_context *context,
                                 const struct heedi_marian_bucket *bucket,
                                 struct heedi_marian_run *run) {
    struct building building = {session->marian, bucket};
    struct heedi_program_prefix prefix;
    char key[160];
    snprintf(key, sizeof key, "%s%s/t%u/s%u/r%u/c%u/k%u/n%u%s",
             heedi_program_prefix(&prefix, session->model), bucket->decoder ? "decoder" : "encoder",
             bucket->tokens, bucket->sentences, bucket->rows, bucket->cache_rows, bucket->keys,
             bucket->steps, bucket->inspect ? "/inspect" : "");
    run->bucket = *bucket;
    enum heed_status status = heed_executor_cached_program(context, session->executor, key, build,
                                                           &building, &run->program);
    if (status == HEED_OK)
        status = heed_instance_create(context, run->program, &run->instance);
    if (status == HEED_OK && !find_io(run))
        status = heedi_fail(context, HEED_ERROR_INTERNAL, "%s: an input or output is missing", key);
    if (status == HEED_OK && bucket->steps > 1)
        status = set_steps(context, run);
    if (status != HEED_OK) {
        clear_run(run);
        return status;
    }
    if (session->profile)
        heed_instance_set_profile(run->instance, session->profile);
    if (session->shadow)
        heed_instance_set_shadow(run->instance, session->shadow);
    return HEED_OK;
}

enum heed_status heedi_marian_acquire_run(struct heedi_marian_session *session,
                                          struct heed_context *context,
                                          const struct heedi_marian_bucket *bucket,
                                          struct heedi_marian_run **result) {
    struct heedi_marian_run *oldest = &session->runs[0];
    for (int i = 0; i < HEEDI_MARIAN_INSTANCES; i++) {
        struct heedi_marian_run *run = &session->runs[i];
        if (run->instance && same_bucket(&run->bucket, bucket)) {
            run->used = ++session->clock;
            *result = run;
            return HEED_OK;
        }
        if (run->used < oldest->used)
            oldest = run;
    }
    if (session->encoder == oldest)
        session->encoder = NULL;
    clear_run(oldest);
    const enum heed_status status = make_run(session, context, bucket, oldest);
    if (status != HEED_OK)
        return status;
    oldest->used = ++session->clock;
    *result = oldest;
    return HEED_OK;
}

uint32_t heedi_marian_steps(const struct heedi_marian_session *session) {
    if (session->inspect) /* wants the outputs of single steps */
        return 1;
    if (session->steps_per_submit > 0)
        return session->steps_per_submit;
    return heedi_program_on_gpu(session->encoder->program) ? HEEDI_SERIES_MOST : 1;
}

/* ---- states ---- */

static void clear_states(const struct heedi_marian_session *session,
                         struct heedi_marian_states *states) {
    for (int32_t i = 0; i < session->marian->config.decoder_layers; i++) {
        if (states->k)
            heed_state_destroy(states->k[i]);
        if (states->v)
            heed_state_destroy(states->v[i]);
    }
    if (states->k)
        heedi_free(&session->env, states->k);
    if (states->v)
        heedi_free(&session->env, states->v);
    memset(states, 0, sizeof *states);
}

static enum heed_status make_states(struct heedi_marian_session *session,
                                    struct heed_context *context,
                                    const struct heedi_marian_run *run, bool cross,
                                    struct heedi_marian_states *states) {
    const size_t layers = (size_t)session->marian->config.decoder_layers;
    enum heed_status status = HEED_OK;
    states->k = heedi_calloc(&session->env, layers, sizeof(struct heed_state *));
    states->v = heedi_calloc(&session->env, layers, sizeof(struct heed_state *));
    if (!states->k || !states->v)
        status = heedi_fail_memory(context, "states", layers * sizeof(struct heed_state *));
    for (size_t i = 0; status == HEED_OK && i < layers; i++) {
        struct heedi_marian_name name;
        heedi_marian_name(&name, cross ? "cross_k" : "self_k", (int32_t)i);
        status = heed_state_create(context, run->program, name.text, &states->k[i]);
        heedi_marian_name(&name, cross ? "cross_v" : "self_v", (int32_t)i);
        if (status == HEED_OK)
            status = heed_state_create(context, run->program, name.text, &states->v[i]);
    }
    if (status != HEED_OK) {
        clear_states(session, states);
        return status;
    }
    states->bytes = 2 * layers * states->rows * states->length *
                    (size_t)session->marian->config.d_model * sizeof(float);
    return HEED_OK;
}

/* Whether the states lie on the devices that a program uses them on. */
static bool fit(const struct heedi_marian_session *session, const struct heedi_marian_run *run,
                bool cross, const struct heedi_marian_states *states) {
    for (int32_t i = 0; i < session->marian->config.decoder_layers; i++) {
        struct heedi_marian_name name;
        heedi_marian_name(&name, cross ? "cross_k" : "self_k", i);
        if (!heedi_program_takes(run->program, name.text, states->k[i]))
            return false;
        heedi_marian_name(&name, cross ? "cross_v" : "self_v", i);
        if (!heedi_program_takes(run->program, name.text, states->v[i]))
            return false;
    }
    return true;
}

enum heed_status heedi_marian_acquire_states(struct heedi_marian_session *session,
                                             struct heed_context *context,
                                             const struct heedi_marian_run *run, bool cross,
                                             struct heedi_marian_states **result) {
    struct heedi_marian_states *pool = cross ? session->cross : session->self;
    struct heedi_marian_states *oldest = &pool[0];
    const uint32_t rows = cross ? 1 : run->bucket.cache_rows;
    const uint32_t length = cross ? run->bucket.tokens : run->bucket.keys;
    for (int i = 0; i < HEEDI_MARIAN_STATE_SETS; i++) {
        struct heedi_marian_states *states = &pool[i];
        if (states->k && states->rows == rows && states->length == length &&
            fit(session, run, cross, states)) {
            states->used = ++session->clock;
            *result = states;
            return HEED_OK;
        }
        if (states->used < oldest->used)
            oldest = states;
    }
    clear_states(session, oldest);
    oldest->rows = rows;
    oldest->length = length;
    const enum heed_status status = make_states(session, context, run, cross, oldest);
    if (status != HEED_OK)
        return status;
    oldest->used = ++session->clock;
    *result = oldest;
    return HEED_OK;
}

enum heed_status heedi_marian_fit_states(struct heedi_marian_session *session,
                                         struct heed_context *context,
                                         const struct heedi_marian_run *run, bool cross,
                                         struct heedi_marian_states **states) {
    const struct heedi_marian_states *from = *states;
    if (fit(session, run, cross, from))
        return HEED_OK;
    struct heedi_marian_states *to = NULL;
    const size_t layers = (size_t)session->marian->config.decoder_layers;
    const size_t bytes = (size_t)(from->bytes / (2 * layers));
    enum heed_status status = heedi_marian_acquire_states(session, context, run, cross, &to);
    if (status == HEED_OK)
        status = heedi_marian_reserve_transfer(session, context, bytes);
    for (size_t i = 0; status == HEED_OK && i < 2 * layers; i++) {
        struct heed_state *source = i % 2 ? from->v[i / 2] : from->k[i / 2];
        struct heed_state *target = i % 2 ? to->v[i / 2] : to->k[i / 2];
        status = heed_state_read(context, source, 0, session->transfer, bytes);
        if (status == HEED_OK)
            status = heed_state_write(context, target, 0, session->transfer, bytes);
    }
    if (status == HEED_OK)
        *states = to;
    return status;
}

enum heed_status heedi_marian_reserve_transfer(struct heedi_marian_session *session,
                                               struct heed_context *context, size_t bytes) {
    if (session->transfer_elems * sizeof(float) >= bytes)
        return HEED_OK;
    float *transfer = heedi_calloc(&session->env, bytes, 1);
    if (!transfer)
        return heedi_fail_memory(context, "moving keys and values", bytes);
    if (session->transfer)
        heedi_free(&session->env, session->transfer);
    session->transfer = transfer;
    session->transfer_elems = bytes / sizeof(float);
    return HEED_OK;
}

enum heed_status heedi_marian_bind_states(struct heedi_marian_session *session,
                                          struct heed_context *context,
                                          struct heedi_marian_run *run, bool cross,
                                          const struct heedi_marian_states *states) {
    enum heed_status status = HEED_OK;
    for (int32_t i = 0; status == HEED_OK && i < session->marian->config.decoder_layers; i++) {
        struct heedi_marian_name name;
        heedi_marian_name(&name, cross ? "cross_k" : "self_k", i);
        status = heed_instance_bind_state(context, run->instance, name.text, states->k[i]);
        heedi_marian_name(&name, cross ? "cross_v" : "self_v", i);
        if (status == HEED_OK)
            status = heed_instance_bind_state(context, run->instance, name.text, states->v[i]);
    }
    return status;
}

void heedi_marian_clear_pools(struct heedi_marian_session *session) {
    for (int i = 0; i < HEEDI_MARIAN_INSTANCES; i++)
        clear_run(&session->runs[i]);
    for (int i = 0; i < HEEDI_MARIAN_STATE_SETS; i++) {
        clear_states(session, &session->self[i]);
        clear_states(session, &session->cross[i]);
    }
}
