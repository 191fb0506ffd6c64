/* SPDX-License-Identifier: Apache-2.0 */
/* The selection of top_k, for one row of values or of log-probabilities that nobody stores. */
#ifndef HEEDI_AVX2_TOP_K_H
#define HEEDI_AVX2_TOP_K_H

#include "avx2.h"

struct top_k_row {
    const struct cpu_operand *x;
    int64_t from, n; /* elements of the row */
    bool logs;       /* of (x - max) - log_sum, else of x */
    float max, log_sum;
};

/* The indices of the k best, in order. */
void heedi_avx2_top_k_row(const struct top_k_row *row, int64_t k, int32_t *indices);
/* What an element is compared by. */
float heedi_avx2_top_k_value(const struct top_k_row *row, int32_t index);

#endif
