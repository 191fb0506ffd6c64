/* SPDX-License-Identifier: Apache-2.0 */
/* Products of attention over one tile of keys: scores and weighted sums of values. Every score is
 * one chain of fused multiply-adds over d, every element of y one chain over the keys; so a query
 * has the bits that it has alone, whether its keys were packed for many queries or read in place.
 */
#include <string.h>

#include "attention.h"
#include "transpose.h"
#include "vector.h"

/* 8 elements of a line, or as many as there are and zeros. */
TILE_INLINE __m256 load_line(const struct cpu_operand *x, int64_t offset, int64_t count) {
    const enum heed_dtype dtype = x->desc->dtype;
    if (count >= 8)
        return tile_load(x->data, offset, dtype);
    float buffer[8] = {0};
    const float *line = heedi_avx2_load(x, offset, count, buffer);
    memmove(buffer, line, (size_t)count * sizeof *buffer);
    return _mm256_loadu_ps(buffer);
}

/* Elements [p, p + 8) of 8 keys, transposed: rows[i] is element p + i of all of them. */
TILE_INLINE void load_keys(const struct cpu_attention *work, const int64_t *offsets, int64_t keys,
                           int64_t p, __m256 rows[8]) {
    for (int64_t j = 0; j < 8; j++)
        rows[j] = j < keys && offsets[j] >= 0 ? load_line(work->k, offsets[j] + p, work->d - p)
                                              : _mm256_setzero_ps();
    transpose_8x8(rows);
}

/* Whether 8 f32 keys can be read in even steps. */
static bool even_keys(const struct cpu_attention *work, const struct attention_keys *keys,
                      int64_t j) {
    return keys->even && keys->count - j >= 8 && work->k->desc->dtype == HEED_F32;
}

static void pack_keys(const struct cpu_attention *work, const struct attention_keys *keys,
                      float *target) {
    const int64_t d = work->d;
    const int64_t count = (keys->count + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    for (int64_t j = 0; j < count; j += 8) {
        float *panel = target + j / TILE_COLUMNS * d * TILE_COLUMNS + j % TILE_COLUMNS;
        if (even_keys(work, keys, j)) {
            transpose_lines_f32((const float *)work->k->data + keys->k[j],
                                work->k->desc->strides[2], d, panel, TILE_COLUMNS);
            continue;
        }
        for (int64_t p = 0; p < d; p += 8) {
            __m256 rows[8];
            load_keys(work, keys->k + j, keys->count - j, p, rows);
            for (int64_t i = 0; i < 8 && p + i < d; i++)
                _mm256_storeu_ps(panel + (p + i) * TILE_COLUMNS, rows[i]);
        }
    }
}

static void pack_values(const struct cpu_attention *work, const struct attention_keys *keys,
                        float *target) {
    const int64_t dv = work->dv;
    for (int64_t j = 0; j < keys->count; j++)
        for (int64_t p = 0; p < dv; p += TILE_COLUMNS) {
            __m256 low = _mm256_setzero_ps(), high = low;
            if (keys->v[j] >= 0)
                low = load_line(work->v, keys->v[j] + p, dv - p);
            if (keys->v[j] >= 0 && p + 8 < dv)
                high = load_line(work->v, keys->v[j] + p + 8, dv - p - 8);
            float *line = target + p * ATTENTION_KEYS + j * TILE_COLUMNS;
            _mm256_storeu_ps(line, low);
            _mm256_storeu_ps(line + 8, high);
        }
}

/* Values are read where they lie if they do so in whole panels, and not so far apart that their
 * lines compete for the same places of the first cache. */
static bool values_in_place(const struct cpu_attention *work, const struct attention_keys *keys) {
    const struct heed_tensor_desc *v = work->v->desc;
    return keys->even && v->dtype == HEED_F32 && work->dv % TILE_COLUMNS == 0 &&
           v->strides[2] <= ATTENTION_WIDTH;
}

void heedi_avx2_pack_keys(const struct cpu_attention *work, const struct attention_keys *keys,
                          struct attention_panels *panels) {
    pack_keys(work, keys, panels->k);
    if (values_in_place(work, keys)) {
        panels->values = (const float *)work->v->data + keys->v[0];
        panels->line = work->v->desc->strides[2];
        panels->panel = TILE_COLUMNS;
        return;
    }
    pack_values(work, keys, panels->v);
    panels->values = panels->v;
    panels->line = TILE_COLUMNS;
    panels->panel = ATTENTION_KEYS * TILE_COLUMNS;
}

/* ---- register tiles ---- */

#define ROWS(rows)                                                                                 \
    static void tile_##rows(const struct tile_operands *given) {                                   \
        struct tile_operands it = *given;                                                          \
        it.a_k = 1;                                                                                \
        tile_multiply(&it, rows, 1, HEED_F32, it.b_k, false);                                      \
    }
ROWS(1)
ROWS(2)
ROWS(3)
ROWS(4)
ROWS(5)
ROWS(6)
static void (*const tiles[TILE_ROWS])(const struct tile_operands *) = {tile_1, tile_2, tile_3,
                                                                       tile_4, tile_5, tile_6};
static void tile_1x4(const struct tile_operands *given) {
    struct tile_operands it = *given;
    it.a_k = 1;
    tile_multiply(&it, 1, 4, HEED_F32, it.b_k, false);
}

void heedi_avx2_scores(const float *q, int64_t d, const struct attention_panels *panels,
                       int64_t keys, int64_t rows, float *scores) {
    struct tile_operands it = {
        .a_row = d, .c_row = ATTENTION_KEYS, .k = d, .first = true, .b_k = TILE_COLUMNS};
    for (int64_t panel = 0; panel * TILE_COLUMNS < keys; panel++) {
        it.b = panels->k + panel * d * TILE_COLUMNS;
        for (int64_t r = 0, count = 0; r < rows; r += count) {
            count = tile_height(rows - r);
            it.a = q + r * d;
            it.c = scores + r * ATTENTION_KEYS + panel * TILE_COLUMNS;
            tiles[count - 1](&it);
        }
    }
}

/* The chains of 8 keys, from `p` to d. */
TILE_INLINE __m256 chain(const float *q, int64_t p, int64_t d, const __m256 rows[8], __m256 sums) {
    if (d - p >= 8) {
        TILE_UNROLL
        for (int64_t i = 0; i < 8; i++)
            sums = _mm256_fmadd_ps(_mm256_broadcast_ss(q + p + i), rows[i], sums);
    } else {
        for (int64_t i = 0; p + i < d; i++)
            sums = _mm256_fmadd_ps(_mm256_broadcast_ss(q + p + i), rows[i], sums);
    }
    return sums;
}

/* Scores of 8 f32 keys in even steps. */
static __m256 scores_of_even(const float *q, int64_t d, const float *keys, int64_t stride) {
    __m256 sums = _mm256_setzero_ps();
    int64_t p = 0;
    for (; p + 8 <= d; p += 8) {
        __m256 rows[8];
        TILE_UNROLL
        for (int64_t j = 0; j < 8; j++)
            rows[j] = _mm256_loadu_ps(keys + j * stride + p);
        transpose_8x8(rows);
        sums = chain(q, p, d, rows, sums);
    }
    if (p < d) {
        __m256 rows[8];
        for (int64_t j = 0; j < 8; j++)
            rows[j] = _mm256_maskload_ps(keys + j * stride + p, vector_mask(d - p));
        transpose_8x8(rows);
        sums = chain(q, p, d, rows, sums);
    }
    return sums;
}

void heedi_avx2_scores_in_place(const struct cpu_attention *work, const float *q,
                                const struct attention_keys *keys, float *scores) {
    for (int64_t j = 0; j < keys->count; j += 8) {
        __m256 sums = _mm256_setzero_ps();
        if (even_keys(work, keys, j)) {
            sums = scores_of_even(q, work->d, (const float *)work->k->data + keys->k[j],
                                  work->k->desc->strides[2]);
        } else {
            for (int64_t p = 0; p < work->d; p += 8) {
                __m256 rows[8];
                load_keys(work, keys->k + j, keys->count - j, p, rows);
                sums = chain(q, p, work->d, rows, sums);
            }
        }
        _mm256_storeu_ps(scores + j, sums);
    }
}

/* Rows of one register tile over keys that all of them see. */
static void add_block(int64_t dv, const struct attention_panels *panels, int64_t rows,
                      const float *weights, int64_t begin, int64_t end, float *y) {
    const int64_t columns = (dv + TILE_COLUMNS - 1) / TILE_COLUMNS;
    struct tile_operands it = {.a = weights + begin,
                               .a_row = ATTENTION_KEYS,
                               .c_row = columns * TILE_COLUMNS,
                               .b_k = panels->line,
                               .b_panel = panels->panel,
                               .k = end - begin};
    if (begin >= end)
        return;
    for (int64_t panel = 0; panel < columns;) {
        const bool wide = rows == 1 && columns - panel >= 4;
        it.b = panels->values + panel * panels->panel + begin * panels->line;
        it.c = y + panel * TILE_COLUMNS;
        (wide ? tile_1x4 : tiles[rows - 1])(&it);
        panel += wide ? 4 : 1;
    }
}

void heedi_avx2_add_values(int64_t dv, const struct attention_panels *panels, int64_t rows,
                           const float *weights, const int64_t *begin, const int64_t *end,
                           float *y) {
    const int64_t width = (dv + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    for (int64_t first = 0, count = 0; first < rows; first += count) {
        count = tile_height(rows - first);
        int64_t low = 0, high = ATTENTION_KEYS; /* keys that every row sees */
        for (int64_t r = first; r < first + count; r++) {
            low = begin[r] > low ? begin[r] : low;
            high = end[r] < high ? end[r] : high;
        }
        /* A row's other keys apart, before and after: a weight of zero would not keep the
         * infinities of keys that it does not see away from it. */
        const bool shared = low < high;
        for (int64_t r = first; r < first + count; r++)
            add_block(dv, panels, 1, weights + r * ATTENTION_KEYS, begin[r], shared ? low : end[r],
                      y + r * width);
        if (!shared)
            continue;
        add_block(dv, panels, count, weights + first * ATTENTION_KEYS, low, high,
                  y + first * width);
        for (int64_t r = first; r < first + count; r++)
            add_block(dv, panels, 1, weights + r * ATTENTION_KEYS, high, end[r], y + r * width);
    }
}

void heedi_avx2_add_values_in_place(const struct cpu_attention *work,
                                    const struct attention_keys *keys, const float *weights,
                                    int64_t begin, int64_t end, float *y) {
    enum { VECTORS = 8 };
    for (int64_t p = 0; p < work->dv; p += 8 * VECTORS) {
        const int64_t left = work->dv - p;
        __m256 sums[VECTORS];
        if (left >= 8 * VECTORS) {
            for (int i = 0; i < VECTORS; i++)
                sums[i] = _mm256_loadu_ps(y + p + 8 * i);
            for (int64_t j = begin; j < end; j++) {
                if (keys->v[j] < 0)
                    continue;
                const __m256 weight = _mm256_broadcast_ss(weights + j);
                for (int i = 0; i < VECTORS; i++)
                    sums[i] = _mm256_fmadd_ps(
                        weight,
                        tile_load(work->v->data, keys->v[j] + p + 8 * i, work->v->desc->dtype),
                        sums[i]);
            }
            for (int i = 0; i < VECTORS; i++)
                _mm256_storeu_ps(y + p + 8 * i, sums[i]);
            continue;
        }
        for (int64_t i = 0; i < left; i += 8) {
            __m256 sum = _mm256_loadu_ps(y + p + i);
            for (int64_t j = begin; j < end; j++)
                if (keys->v[j] >= 0)
                    sum = _mm256_fmadd_ps(_mm256_broadcast_ss(weights + j),
                                          load_line(work->v, keys->v[j] + p + i, left - i), sum);
            _mm256_storeu_ps(y + p + i, sum);
        }
    }
}
