/* SPDX-License-Identifier: Apache-2.0 */
/* The selection of top_k, for one row of values or of log-probabilities that nobody stores; and the
 * choice of the next token, which products of the vocabulary prepare. */
#ifndef HEEDI_AVX2_TOP_K_H
#define HEEDI_AVX2_TOP_K_H

#include "avx2.h"

struct top_k_row {
    const struct cpu_operand *x;
    int64_t from, n; /* elements of the row */
    bool logs;       /* of (x - max) - log_sum, else of x */
    float max, log_sum;
    /* The greatest element that is not NaN (-inf: there is none) of each CHOICE_BLOCK neighbours,
     * so that only blocks that matter are looked at; NULL: unknown. */
    const float *greatest;
};

/* A value of the row as it is compared. */
static inline float top_k_compared(const struct top_k_row *row, float value) {
    return row->logs ? (value - row->max) - row->log_sum : value;
}

/* The indices of the k best, in order. */
void heedi_avx2_top_k_row(const struct top_k_row *row, int64_t k, int32_t *indices);
/* What an element is compared by. */
float heedi_avx2_top_k_value(const struct top_k_row *row, int32_t index);

/* ---- choice.c ---- */
/* Divides the columns of every piece of a product. */
enum { CHOICE_BLOCK = 32 };

static inline int64_t choice_blocks(int64_t n) {
    return (n + CHOICE_BLOCK - 1) / CHOICE_BLOCK;
}

/* Where the greatest of each block are wanted, [rows][blocks]: in the scratch of the call of top_k.
 */
float *heedi_avx2_choice_greatest(const struct cpu_call *top_k);
/* Fills `greatest` for a piece of logits [.., n]; `column` is a multiple of CHOICE_BLOCK, and so
 * are `columns` unless they reach n or beyond. */
void heedi_avx2_choice_piece(const float *logits, int64_t n, int64_t row, int64_t rows,
                             int64_t column, int64_t columns, float *greatest);
/* argmax, log_softmax and top_k, called with the calls of the three, when
 * heedi_avx2_choice_greatest is filled. */
void heedi_avx2_choose(const struct cpu_call *call);

#endif
