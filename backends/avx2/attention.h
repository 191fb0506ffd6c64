/* SPDX-License-Identifier: Apache-2.0 */
/* attention from the inside: what attention.c finds out about queries and keys, and
 * attention_tile.c computes with. */
#ifndef HEEDI_AVX2_ATTENTION_H
#define HEEDI_AVX2_ATTENTION_H

#include "avx2.h"
#include "backends/cpu/attention.h"
#include "tile.h"

enum {
    ATTENTION_KEYS = 64,    /* keys of a tile, 4 panels */
    ATTENTION_ROWS = 144,   /* most queries of a piece of work, 24 register tiles */
    ATTENTION_ELEMS = 9216, /* of the queries of a piece, and of their results */
    ATTENTION_WIDTH = 128,  /* largest d and dv */
    ATTENTION_FEW_ROWS = 2  /* up to so many queries read keys and values where they lie */
};

/* Neighbouring queries of one sequence and head, and the keys that they may see. */
struct attention_run {
    int64_t rows;               /* 1 to ATTENTION_ROWS */
    int64_t item;               /* of the first query: its row of y */
    int64_t q_offset;           /* of q[batch, head, t, 0] of the first */
    int64_t k_offset, v_offset; /* of key 0 of row 0 */
    int64_t row;                /* of k and v; -1: by key, from kv_row */
    int64_t sequence;           /* entry of kv_row */
    int64_t bias_offset;
    int64_t begin[ATTENTION_ROWS], end[ATTENTION_ROWS]; /* visible keys of each query */
};

/* Computes a run. */
void heedi_avx2_attend(const struct cpu_attention *work, const struct attention_run *run);

/* ---- attention_tile.c ---- */

/* A tile of keys: offsets of their elements in k and v, -1 where a key is not visible to anybody.
 */
struct attention_keys {
    int64_t count;
    bool even; /* offsets differ by the stride of keys throughout */
    int64_t k[ATTENTION_KEYS], v[ATTENTION_KEYS];
};

/* Keys and values of a tile as the micro-kernel wants them: panels of 16 keys [d][16], and panels
 * of 16 columns [keys][16], zeros where there is nothing. */
struct attention_panels {
    float k[ATTENTION_KEYS * ATTENTION_WIDTH];
    float v[ATTENTION_KEYS * ATTENTION_WIDTH];
    const float *values; /* v, or values where they lie */
    int64_t line, panel; /* distance of keys and of panels of 16 columns there */
};
void heedi_avx2_pack_keys(const struct cpu_attention *work, const struct attention_keys *keys,
                          struct attention_panels *panels);

/* q . k for `rows` queries q [rows][d] and the first `keys` of a tile, to scores [rows][64]: from
 * panels, or for one query from the keys where they lie. An element's bits are the same either way.
 */
void heedi_avx2_scores(const float *q, int64_t d, const struct attention_panels *panels,
                       int64_t keys, int64_t rows, float *scores);
void heedi_avx2_scores_in_place(const struct cpu_attention *work, const float *q,
                                const struct attention_keys *keys, float *scores);

/* y [rows][width] += weights [rows][64] * values, each row over its keys [begin, end) of the tile;
 * width is dv rounded up to 16. */
void heedi_avx2_add_values(int64_t dv, const struct attention_panels *panels, int64_t rows,
                           const float *weights, const int64_t *begin, const int64_t *end,
                           float *y);
void heedi_avx2_add_values_in_place(const struct cpu_attention *work,
                                    const struct attention_keys *keys, const float *weights,
                                    int64_t begin, int64_t end, float *y);

#endif
