/* SPDX-License-Identifier: Apache-2.0 */
/* Running a Marian model: a batch is encoded, then its rows are decoded step by step.
 *
 * Rows keep their place in the key/value cache when others leave: cache_row says where a row's keys
 * are, and no keys move, except into a larger cache when the sentences outgrow the present one. */
#include "models/marian/session.h"

#include <string.h>

#include "runtime/exec/executor.h"

#define LEAST_TOKENS 16u
#define LEAST_KEYS 64u

static struct heedi_marian_session *own(struct heedi_session *session) {
    return (struct heedi_marian_session *)(void *)session;
}

/* The smallest of least, 2 least, 4 least, ... that is not below `count`. */
static uint32_t bucket_of(uint32_t count, uint32_t least) {
    uint32_t size = least;
    while (size < count)
        size *= 2;
    return size;
}

static void fill_encoder(const struct heedi_marian_session *session,
                         const struct heedi_sources *sources) {
    const struct heedi_marian_run *run = session->encoder;
    const uint32_t total = (uint32_t)sources->offsets[sources->count];
    memcpy(run->io.encoder.tokens, sources->tokens, total * sizeof(int32_t));
    for (uint32_t i = 0; i < sources->count; i++)
        for (int32_t at = sources->offsets[i]; at < sources->offsets[i + 1]; at++)
            run->io.encoder.positions[at] = at - sources->offsets[i];
    for (uint32_t at = total; at < session->tokens; at++)
        run->io.encoder.tokens[at] = run->io.encoder.positions[at] = -1; /* idle: zeros */
    memcpy(run->io.encoder.offsets, session->offsets, (session->sentences + 1) * sizeof(int32_t));
}

static enum heed_status begin(struct heedi_session *base, struct heed_context *context,
                              const struct heedi_sources *sources) {
    struct heedi_marian_session *session = own(base);
    const uint64_t started = heedi_os_now_ns();
    session->tokens = bucket_of((uint32_t)sources->offsets[sources->count], LEAST_TOKENS);
    session->sentences = bucket_of(sources->count, 1);
    session->cache_rows = session->sentences;
    session->keys = LEAST_KEYS;
    session->rows = sources->count;
    session->position = 0;
    session->encoder = session->decoder = NULL;
    session->self_now = NULL;
    for (uint32_t i = 0; i <= session->sentences; i++) /* beyond the last: empty */
        session->offsets[i] = sources->offsets[i < sources->count ? i : sources->count];
    for (uint32_t i = 0; i < session->rows; i++)
        session->cache_row[i] = session->source_row[i] = (int32_t)i;

    const struct heedi_marian_bucket bucket = {
        .tokens = session->tokens, .sentences = session->sentences, .inspect = session->inspect};
    enum heed_status status =
        heedi_marian_acquire_run(session, context, &bucket, &session->encoder);
    if (status == HEED_OK)
        status = heedi_marian_acquire_states(session, context, session->encoder, true,
                                             &session->cross_now);
    if (status == HEED_OK)
        status =
            heedi_marian_bind_states(session, context, session->encoder, true, session->cross_now);
    if (status != HEED_OK)
        return status;
    session->steps = heedi_marian_steps(session);
    session->sentence_tokens = (uint32_t)sources->offsets[sources->count] / sources->count;
    fill_encoder(session, sources);
    status = heed_instance_run(context, session->encoder->instance);
    base->encode_runs++;
    base->encode_ns += heedi_os_now_ns() - started;
    return status;
}

/* Copies what the live rows have generated so far into row 0, 1, ... of other states. */
static enum heed_status move_rows(struct heedi_marian_session *session,
                                  struct heed_context *context,
                                  const struct heedi_marian_states *from,
                                  const struct heedi_marian_states *to) {
    const size_t position_bytes = (size_t)session->marian->config.d_model * sizeof(float);
    const size_t bytes = session->position * position_bytes;
    enum heed_status status = heedi_marian_reserve_transfer(session, context, bytes);
    for (int32_t i = 0; i < 2 * session->marian->config.decoder_layers; i++) {
        struct heed_state *source = i % 2 ? from->v[i / 2] : from->k[i / 2];
        struct heed_state *target = i % 2 ? to->v[i / 2] : to->k[i / 2];
        for (uint32_t row = 0; status == HEED_OK && row < session->rows; row++) {
            status = heed_state_read(
                context, source, (size_t)session->cache_row[row] * from->length * position_bytes,
                session->transfer, bytes);
            if (status == HEED_OK)
                status = heed_state_write(context, target, row * to->length * position_bytes,
                                          session->transfer, bytes);
        }
    }
    return status;
}

/* Chooses the decoder for the present number of rows, and a larger cache where the next position
 * needs one; rows that have left do not go along. */
static enum heed_status choose_decoder(struct heedi_marian_session *session,
                                       struct heed_context *context) {
    const struct heedi_marian_states *before = session->self_now;
    const bool grows = session->position >= session->keys;
    if (grows) {
        session->keys = bucket_of(session->position + 1, LEAST_KEYS);
        session->cache_rows = bucket_of(session->rows, 1);
    }
    const struct heedi_marian_bucket bucket = {.tokens = session->tokens,
                                               .sentences = session->sentences,
                                               .rows = bucket_of(session->rows, 1),
                                               .cache_rows = session->cache_rows,
                                               .keys = session->keys,
                                               .steps = session->steps,
                                               .decoder = true,
                                               .inspect = session->inspect};
    struct heedi_marian_run *run = NULL;
    enum heed_status status = heedi_marian_acquire_run(session, context, &bucket, &run);
    if (status == HEED_OK && (grows || !before))
        status = heedi_marian_acquire_states(session, context, run, false, &session->self_now);
    else if (status == HEED_OK)
        status = heedi_marian_fit_states(session, context, run, false, &session->self_now);
    if (status == HEED_OK)
        status = heedi_marian_fit_states(session, context, run, true, &session->cross_now);
    if (status == HEED_OK)
        status = heedi_marian_bind_states(session, context, run, false, session->self_now);
    if (status == HEED_OK)
        status = heedi_marian_bind_states(session, context, run, true, session->cross_now);
    if (status == HEED_OK && grows) {
        status = move_rows(session, context, before, session->self_now);
        for (uint32_t i = 0; i < session->rows; i++)
            session->cache_row[i] = (int32_t)i;
    }
    if (status != HEED_OK)
        return status;
    memcpy(run->io.decoder.source_offsets, session->offsets,
           (session->sentences + 1) * sizeof(int32_t));
    session->decoder = run;
    return HEED_OK;
}

static void fill_decoder(const struct heedi_marian_session *session, const int32_t *tokens) {
    const struct heedi_marian_run *run = session->decoder;
    const uint32_t count = run->bucket.rows;
    int32_t *rows = run->io.decoder.rows;
    for (uint32_t row = 0; row < count; row++) {
        const bool live = row < session->rows;
        const int32_t position = (int32_t)session->position;
        rows[HEED_ROWS_TOKEN * count + row] = live ? tokens[row] : -1;
        rows[HEED_ROWS_POSITION * count + row] = live ? position : (int32_t)session->keys;
        rows[HEED_ROWS_KEY_LEN * count + row] = live ? position + 1 : 0;
        rows[HEED_ROWS_CACHE_ROW * count + row] = live ? session->cache_row[row] : -1;
        rows[HEED_ROWS_SOURCE_ROW * count + row] = live ? session->source_row[row] : -1;
    }
}

/* How many steps to take now: what is left of the search and the cache, and, where nobody has said
 * more, what suits the time that steps take. */
static uint32_t steps_now(const struct heedi_marian_session *session, uint32_t most) {
    const uint32_t room = session->keys - session->position;
    uint32_t count = session->steps;
    if (session->steps_per_submit == 0 && count > 1) {
        const uint32_t suits =
            heedi_series_length(heedi_program_submission_ns(session->decoder->program),
                                session->decoder->step_ns, session->sentence_tokens);
        count = suits < count ? suits : count;
    }
    count = count < most ? count : most;
    return count < room ? count : room;
}

static enum heed_status run_steps(struct heed_context *context, struct heedi_marian_run *run,
                                  uint32_t count, struct heedi_series *result) {
    const uint64_t started = heedi_os_now_ns();
    const enum heed_status status = run->bucket.steps > 1
                                        ? heed_instance_run_steps(context, run->instance, count)
                                        : heed_instance_run(context, run->instance);
    run->step_ns = heedi_series_step_ns(heedi_program_submission_ns(run->program),
                                        heedi_os_now_ns() - started, count);
    result->steps = count;
    result->stride = run->bucket.rows;
    result->tokens = run->io.decoder.next;
    result->log_probs = run->io.decoder.log_prob;
    return status;
}

static enum heed_status step(struct heedi_session *base, struct heed_context *context,
                             const int32_t *tokens, uint32_t most, struct heedi_series *result) {
    struct heedi_marian_session *session = own(base);
    const uint64_t started = heedi_os_now_ns();
    enum heed_status status = HEED_OK;
    if (!session->decoder || session->position >= session->keys)
        status = choose_decoder(session, context);
    if (status != HEED_OK)
        return status;
    fill_decoder(session, tokens);
    status = run_steps(context, session->decoder, steps_now(session, most), result);
    if (status != HEED_OK)
        return status;
    session->position += result->steps;
    base->step_runs += result->steps;
    base->step_ns += heedi_os_now_ns() - started;
    return HEED_OK;
}

static void keep_rows(struct heedi_session *base, const uint32_t *rows, uint32_t count) {
    struct heedi_marian_session *session = own(base);
    for (uint32_t i = 0; i < count; i++) { /* ascending: nothing is overwritten too early */
        session->cache_row[i] = session->cache_row[rows[i]];
        session->source_row[i] = session->source_row[rows[i]];
    }
    session->rows = count;
    if (session->decoder && bucket_of(count, 1) != session->decoder->bucket.rows)
        session->decoder = NULL;
}

static const void *output(struct heedi_session *base, bool decoder, const char *name,
                          size_t *bytes) {
    const struct heedi_marian_session *session = own(base);
    const struct heedi_marian_run *run = decoder ? session->decoder : session->encoder;
    return run ? heed_instance_output(run->instance, name, bytes) : NULL;
}

static struct heed_instance *instance(struct heedi_session *base, bool decoder,
                                      const struct heed_program **program) {
    const struct heedi_marian_session *session = own(base);
    const struct heedi_marian_run *run = decoder ? session->decoder : session->encoder;
    *program = run ? run->program : NULL;
    return run ? run->instance : NULL;
}

static uint64_t programs(const struct heedi_session *base, heedi_session_program_fn fn,
                         void *user) {
    const struct heedi_marian_session *session = (const struct heedi_marian_session *)base;
    uint64_t bytes = 0;
    for (int i = 0; i < HEEDI_MARIAN_INSTANCES; i++)
        if (session->runs[i].instance)
            fn(user, session->runs[i].bucket.decoder ? "decoder" : "encoder",
               session->runs[i].program);
    for (int i = 0; i < HEEDI_MARIAN_STATE_SETS; i++)
        bytes += session->self[i].bytes + session->cross[i].bytes;
    return bytes;
}

static void reset(struct heedi_session *base) {
    struct heedi_marian_session *session = own(base);
    heedi_marian_clear_pools(session);
    session->encoder = session->decoder = NULL;
    session->self_now = session->cross_now = NULL;
}

static void destroy(struct heedi_session *base) {
    if (!base)
        return;
    struct heedi_marian_session *session = own(base);
    const struct heedi_env env = session->env;
    heedi_marian_clear_pools(session);
    if (session->transfer)
        heedi_free(&env, session->transfer);
    heed_executor_release(session->executor);
    heed_model_close(session->model);
    heedi_free(&env, session);
}

static const struct heedi_session_table table = {begin,    step,     keep_rows, output,
                                                 instance, programs, reset,     destroy};

enum heed_status heedi_marian_session_create(struct heed_context *context, struct heed_model *model,
                                             const struct heedi_session_options *options,
                                             struct heedi_session **result) {
    struct heedi_marian_session *session = heedi_calloc(&context->env, 1, sizeof *session);
    if (!session)
        return heedi_fail_memory(context, "a session", sizeof *session);
    session->base.table = &table;
    session->env = context->env;
    session->model = heed_model_retain(model);
    session->marian = heedi_marian_of(model);
    session->executor = heed_executor_retain(options->executor);
    session->profile = options->profile;
    session->shadow = options->shadow;
    session->inspect = options->inspect;
    session->steps_per_submit = options->steps_per_submit;
    *result = &session->base;
    return HEED_OK;
}
