/* SPDX-License-Identifier: Apache-2.0 */
/* The online softmax of attention over a run of queries: see attention.c for the recurrence. */
#include <math.h>
#include <string.h>

#include "attention.h"
#include "functions.h"
#include "vector.h"

/* What goes on from tile to tile. */
struct progress {
    float max[ATTENTION_ROWS];
    float tile_max[ATTENTION_ROWS];
    float sums[ATTENTION_ROWS][8]; /* of exponentials: of keys 0, 8, 16..., of 1, 9, ... */
    int64_t width;                 /* of a row of y: dv rounded up to 16 */
    float q[ATTENTION_ELEMS];      /* [rows][d] */
    float y[ATTENTION_ELEMS];      /* [rows][width] */
    float scores[ATTENTION_ROWS * ATTENTION_KEYS];
    int64_t begin[ATTENTION_ROWS], end[ATTENTION_ROWS]; /* visible keys within the tile */
};

static int64_t within_tile(int64_t key, int64_t first) {
    const int64_t at = key - first;
    return at < 0 ? 0 : at > ATTENTION_KEYS ? ATTENTION_KEYS : at;
}

/* Where keys [first, first + 64) lie, and who sees which of them; false if nobody sees any. */
static bool find_tile(const struct cpu_attention *work, const struct attention_run *run,
                      int64_t first, struct progress *at, struct attention_keys *keys) {
    const int64_t *k = work->k->desc->strides, *v = work->v->desc->strides;
    keys->count = 0;
    keys->even = run->row >= 0;
    for (int64_t r = 0; r < run->rows; r++) {
        at->begin[r] = within_tile(run->begin[r], first);
        at->end[r] = within_tile(run->end[r], first);
        if (at->begin[r] < at->end[r] && at->end[r] > keys->count)
            keys->count = at->end[r];
    }
    for (int64_t j = 0; j < keys->count; j++) {
        const int64_t row =
            run->row >= 0 ? run->row : heedi_cpu_attention_key_row(work, run->sequence, first + j);
        keys->k[j] = row >= 0 ? row * k[0] + run->k_offset + (first + j) * k[2] : -1;
        keys->v[j] = row >= 0 ? row * v[0] + run->v_offset + (first + j) * v[2] : -1;
    }
    return keys->count > 0;
}

/* scale * scores + bias of one query; -inf where it sees no key. Returns the greatest. */
static float finish_scores(const struct cpu_attention *work, const struct attention_run *run,
                           int64_t row, int64_t first, const struct attention_keys *keys,
                           const struct progress *at, float *scores) {
    float bias[ATTENTION_KEYS];
    const float *added = NULL;
    if (work->bias->desc != NULL)
        added = heedi_avx2_load_strided(work->bias,
                                        run->bias_offset + row * work->bias_strides[2] +
                                            first * work->bias_strides[3],
                                        work->bias_strides[3], keys->count, bias);
    const __m256 scale = _mm256_set1_ps(work->scale), none = _mm256_set1_ps(-INFINITY);
    __m256 max = none;
    if (added == NULL && run->row >= 0 && at->begin[row] == 0 && at->end[row] == ATTENTION_KEYS) {
        for (int64_t j = 0; j < ATTENTION_KEYS; j += 8) { /* the usual tile: all is visible */
            const __m256 score = _mm256_mul_ps(_mm256_loadu_ps(scores + j), scale);
            _mm256_storeu_ps(scores + j, score);
            max = _mm256_max_ps(score, max);
        }
        return vector_max(max);
    }
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i begin = _mm256_set1_epi32((int)at->begin[row]);
    const __m256i end = _mm256_set1_epi32((int)at->end[row]);
    for (int64_t j = 0; j < keys->count; j += 8) {
        __m256 score = _mm256_mul_ps(_mm256_loadu_ps(scores + j), scale);
        if (added != NULL)
            score = _mm256_add_ps(score, vector_load(added + j, keys->count - j));
        const __m256i index = _mm256_add_epi32(lanes, _mm256_set1_epi32((int)j));
        const __m256i seen =
            _mm256_andnot_si256(_mm256_cmpgt_epi32(begin, index), _mm256_cmpgt_epi32(end, index));
        score = _mm256_blendv_ps(none, score, _mm256_castsi256_ps(seen));
        _mm256_storeu_ps(scores + j, score);
        max = _mm256_max_ps(score, max);
    }
    if (run->row >= 0)
        return vector_max(max);
    float most = -INFINITY;
    for (int64_t j = 0; j < keys->count; j++) {
        scores[j] = keys->k[j] >= 0 ? scores[j] : -INFINITY;
        most = scores[j] > most ? scores[j] : most;
    }
    return most;
}

/* Scores become exp(score - max), which are added to the sums. */
static void exponentials(const struct attention_keys *keys, float max, float *scores,
                         float sums[8]) {
    __m256 sum = _mm256_loadu_ps(sums);
    const __m256 shift = _mm256_set1_ps(max);
    for (int64_t j = 0; j < keys->count; j += 8) {
        const __m256 e = avx2_exp(_mm256_sub_ps(_mm256_loadu_ps(scores + j), shift));
        _mm256_storeu_ps(scores + j, e);
        sum = _mm256_add_ps(sum, e);
    }
    _mm256_storeu_ps(sums, sum);
}

/* y and the sums of one query, scaled for a greater maximum. */
static void raise_max(struct progress *at, int64_t row, float max) {
    const __m256 correction = avx2_exp(_mm256_set1_ps(at->max[row] - max));
    float *y = at->y + row * at->width;
    for (int64_t i = 0; i < at->width; i += 8)
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_loadu_ps(y + i), correction));
    _mm256_storeu_ps(at->sums[row], _mm256_mul_ps(_mm256_loadu_ps(at->sums[row]), correction));
    at->max[row] = max;
}

/* The recurrence; scores become weights of the values. First all maxima, then all exponentials: one
 * query after the other would leave the processor waiting for each maximum. */
static void update(const struct cpu_attention *work, const struct attention_run *run, int64_t first,
                   const struct attention_keys *keys, struct progress *at) {
    for (int64_t r = 0; r < run->rows; r++)
        if (at->begin[r] < at->end[r])
            at->tile_max[r] =
                finish_scores(work, run, r, first, keys, at, at->scores + r * ATTENTION_KEYS);
    for (int64_t r = 0; r < run->rows; r++) {
        if (at->begin[r] >= at->end[r])
            continue;
        if (at->tile_max[r] > at->max[r])
            raise_max(at, r, at->tile_max[r]);
        /* Where all is -inf so far, exponentials are 0, or NaN, which the sums must show. */
        const float max = at->max[r] == -INFINITY ? 0.0f : at->max[r];
        exponentials(keys, max, at->scores + r * ATTENTION_KEYS, at->sums[r]);
    }
}

static float total(const struct progress *at, int64_t row) {
    return vector_sum(_mm256_loadu_ps(at->sums[row]));
}

static void load_queries(const struct cpu_attention *work, const struct attention_run *run,
                         struct progress *at) {
    for (int64_t r = 0; r < run->rows; r++) {
        const int64_t offset = run->q_offset + r * work->q->desc->strides[2];
        float *target = at->q + r * work->d;
        const float *line = heedi_avx2_load(work->q, offset, work->d, target);
        if (line != target)
            memcpy(target, line, (size_t)work->d * sizeof *target);
    }
}

/* The weights of one query: its scores once more. */
static void store_weights(const struct cpu_attention *work, const struct attention_run *run,
                          int64_t row, int64_t first, const struct attention_keys *keys,
                          struct progress *at) {
    float *scores = at->scores + row * ATTENTION_KEYS;
    const float sum = total(at, row);
    float unused[8] = {0};
    if (at->begin[row] >= at->end[row] || sum == 0.0f)
        return;
    heedi_avx2_scores_in_place(work, at->q + row * work->d, keys, scores);
    finish_scores(work, run, row, first, keys, at, scores);
    exponentials(keys, at->max[row] == -INFINITY ? 0.0f : at->max[row], scores, unused);
    for (int64_t j = 0; j < keys->count; j += 8)
        _mm256_storeu_ps(scores + j,
                         _mm256_div_ps(_mm256_loadu_ps(scores + j), _mm256_set1_ps(sum)));
    for (int64_t j = 0; j < keys->count; j++)
        if (keys->k[j] < 0) /* also where the sum is NaN */
            scores[j] = 0.0f;
    heedi_avx2_store(&work->call->out[1],
                     (run->item + row) * work->weights_len + first + at->begin[row],
                     at->end[row] - at->begin[row], scores + at->begin[row]);
}

static void tile(const struct cpu_attention *work, const struct attention_run *run, int64_t first,
                 const struct attention_keys *keys, struct progress *at) {
    struct attention_panels panels;
    const bool packed = run->rows > ATTENTION_FEW_ROWS;
    if (packed) {
        heedi_avx2_pack_keys(work, keys, &panels);
        heedi_avx2_scores(at->q, work->d, &panels, keys->count, run->rows, at->scores);
    } else {
        for (int64_t r = 0; r < run->rows; r++)
            heedi_avx2_scores_in_place(work, at->q + r * work->d, keys,
                                       at->scores + r * ATTENTION_KEYS);
    }
    update(work, run, first, keys, at);
    if (packed) {
        heedi_avx2_add_values(work->dv, &panels, run->rows, at->scores, at->begin, at->end, at->y);
        return;
    }
    for (int64_t r = 0; r < run->rows; r++)
        heedi_avx2_add_values_in_place(work, keys, at->scores + r * ATTENTION_KEYS, at->begin[r],
                                       at->end[r], at->y + r * at->width);
}

void heedi_avx2_attend(const struct cpu_attention *work, const struct attention_run *run) {
    struct progress at;
    struct attention_keys keys;
    int64_t begin = INT64_MAX, end = 0;
    at.width = (work->dv + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    load_queries(work, run, &at);
    for (int64_t r = 0; r < run->rows; r++) {
        at.max[r] = -INFINITY;
        memset(at.sums[r], 0, sizeof at.sums[r]);
        begin = run->begin[r] < begin ? run->begin[r] : begin;
        end = run->end[r] > end ? run->end[r] : end;
    }
    memset(at.y, 0, (size_t)(run->rows * at.width) * sizeof *at.y);
    begin = begin / ATTENTION_KEYS * ATTENTION_KEYS;
    for (int64_t first = begin; first < end; first += ATTENTION_KEYS)
        if (find_tile(work, run, first, &at, &keys))
            tile(work, run, first, &keys, &at);
    for (int64_t r = 0; r < run->rows; r++) {
        float *y = at.y + r * at.width;
        const float sum = total(&at, r);
        if (sum == 0.0f)
            continue; /* the result is zero already */
        const __m256 factor = _mm256_set1_ps(1.0f / sum);
        for (int64_t i = 0; i < at.width; i += 8)
            _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_loadu_ps(y + i), factor));
        heedi_avx2_store(&work->call->out[0], (run->item + r) * work->dv, work->dv, y);
    }
    if (work->call->out[1].desc == NULL)
        return;
    for (int64_t first = begin; first < end; first += ATTENTION_KEYS)
        if (find_tile(work, run, first, &at, &keys))
            for (int64_t r = 0; r < run->rows; r++)
                store_weights(work, run, r, first, &keys, &at);
}
