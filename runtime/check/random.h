/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that replay, and what checks draw from them. */
#ifndef HEEDI_CHECK_RANDOM_H
#define HEEDI_CHECK_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/tensor.h"

struct heedi_random {
    uint64_t state;
};
uint64_t heedi_random_bits(struct heedi_random *random);
/* From low to high, both included. */
int64_t heedi_random_range(struct heedi_random *random, int64_t low, int64_t high);
bool heedi_random_chance(struct heedi_random *random, int percent);
/* 1, primes, powers of two and their neighbours, up to `most`. */
int64_t heedi_random_dim(struct heedi_random *random, int64_t most);
/* The same, but sometimes 0. */
int64_t heedi_random_dim_or_0(struct heedi_random *random, int64_t most);
enum heed_dtype heedi_random_float_type(struct heedi_random *random);

enum heedi_values {
    HEEDI_VALUES_NORMAL,      /* standard normal */
    HEEDI_VALUES_HEAVY,       /* over many orders of magnitude */
    HEEDI_VALUES_OUTLIERS,    /* normal, one in 64 a hundred times as large: as activations of
                                 transformers are (Dettmers et al. 2022) */
    HEEDI_VALUES_TINY,        /* around and below the smallest normal f32 */
    HEEDI_VALUES_LARGE,       /* logits up to +-60 */
    HEEDI_VALUES_TIES,        /* small integers */
    HEEDI_VALUES_SPECIAL,     /* also NaN, infinities, both zeros, beyond i32 (products do not
                                 overflow) */
    HEEDI_VALUES_MASK,        /* 0 or -inf, as a bias that hides keys; some rows all -inf */
    HEEDI_VALUES_FINITE_MASK, /* 0 or -1e9, as models have them that were trained so */
    HEEDI_VALUES_KINDS
};
/* Any but masks. */
enum heedi_values heedi_random_values(struct heedi_random *random);
float heedi_random_value(struct heedi_random *random, enum heedi_values values);

#endif
