/* SPDX-License-Identifier: Apache-2.0 */
/* Greedy search: the most probable token at every step. Sentences leave the batch when
 * they are finished, at the end of the series of steps in which they were. */
#include <string.h>

#include "models/decode/decode.h"

void heedi_greedy_init(struct heedi_greedy *greedy, const struct heedi_env *env) {
    memset(greedy, 0, sizeof *greedy);
    greedy->env = *env;
}

void heedi_greedy_clear(struct heedi_greedy *greedy) {
    if (greedy->history)
        heedi_free(&greedy->env, greedy->history);
    greedy->history = NULL;
    greedy->max_length = 0;
}

static enum heed_status reserve(struct heedi_greedy *greedy, struct heed_context *context,
                                uint32_t max_length) {
    if (max_length <= greedy->max_length)
        return HEED_OK;
    int32_t *history =
        heedi_calloc(&greedy->env, (size_t)HEEDI_MAX_ROWS * max_length, sizeof *history);
    if (!history)
        return heedi_fail_memory(context, "target tokens",
                                 (size_t)HEEDI_MAX_ROWS * max_length * sizeof *history);
    heedi_greedy_clear(greedy);
    greedy->history = history;
    greedy->max_length = max_length;
    return HEED_OK;
}

/* The rows still growing, and where each belongs. */
struct live {
    uint32_t count;
    uint32_t sentence[HEEDI_MAX_ROWS];
    int32_t last[HEEDI_MAX_ROWS]; /* newest token of each row */
};

/* Appends the tokens of a series up to the one that ends the row; true if there is none. */
static bool append_row(struct heedi_greedy *greedy, struct live *live, uint32_t row,
                       const struct heedi_series *series, int32_t eos,
                       struct heedi_hypothesis *hypothesis) {
    int32_t *history = greedy->history + (size_t)live->sentence[row] * greedy->max_length;
    for (uint32_t step = 0; step < series->steps; step++) {
        const size_t at = (size_t)step * series->stride + row;
        live->last[row] = series->tokens[at];
        history[hypothesis->count++] = series->tokens[at];
        hypothesis->log_prob += (double)series->log_probs[at];
        if (series->tokens[at] == eos)
            return false;
    }
    return true;
}

/* Appends a series; rows that ended are left out of `keep`, which lists the others. */
static uint32_t append(struct heedi_greedy *greedy, struct live *live,
                       const struct heedi_series *series, int32_t eos,
                       struct heedi_hypothesis *hypotheses, uint32_t *keep) {
    uint32_t kept = 0;
    for (uint32_t row = 0; row < live->count; row++) {
        const uint32_t sentence = live->sentence[row];
        if (!append_row(greedy, live, row, series, eos, &hypotheses[sentence]))
            continue;
        live->sentence[kept] = sentence;
        live->last[kept] = live->last[row];
        keep[kept++] = row;
    }
    return kept;
}

enum heed_status heedi_greedy_search(struct heedi_greedy *greedy, struct heed_context *context,
                                     struct heedi_session *session,
                                     const struct heedi_generation *generation, uint32_t max_length,
                                     const struct heedi_sources *sources,
                                     struct heedi_hypothesis *hypotheses) {
    struct live live;
    uint32_t keep[HEEDI_MAX_ROWS];
    enum heed_status status = reserve(greedy, context, max_length);
    if (status == HEED_OK)
        status = session->table->begin(session, context, sources);
    if (status != HEED_OK)
        return status;
    live.count = sources->count;
    for (uint32_t i = 0; i < sources->count; i++) {
        live.sentence[i] = i;
        live.last[i] = generation->start;
        hypotheses[i].tokens = greedy->history + (size_t)i * greedy->max_length;
        hypotheses[i].count = 0;
        hypotheses[i].log_prob = 0;
    }
    for (uint32_t length = 1; length < max_length && live.count > 0;) {
        struct heedi_series series;
        status = session->table->step(session, context, live.last, max_length - length, &series);
        if (status != HEED_OK)
            return status;
        const uint32_t kept = append(greedy, &live, &series, generation->eos, hypotheses, keep);
        if (kept > 0 && kept < live.count)
            session->table->select(session, keep, kept);
        live.count = kept;
        length += series.steps;
    }
    for (uint32_t row = 0; row < live.count; row++) {
        const uint32_t sentence = live.sentence[row];
        int32_t *history = greedy->history + (size_t)sentence * greedy->max_length;
        history[hypotheses[sentence].count++] = generation->forced_eos;
    }
    return HEED_OK;
}
