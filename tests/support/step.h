/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder's attention, step after step, in double precision: products, caches and attention as
 * they must be, for tests of what fuses them. */
#ifndef HEED_TESTS_SUPPORT_STEP_H
#define HEED_TESTS_SUPPORT_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/tensor.h"

/* What is attended: rows of width k, over slots of a cache, or over sentences of a source. */
struct support_shape {
    int rows, heads, d, k;
    int slots, keys;      /* keys: of a slot, or of all sentences */
    enum heed_dtype type; /* of weights; with those of 8 bits, rows of x are quantised */
    bool bias, tables, cross;
    bool apart;     /* q is an output, too: nothing is fused */
    bool elsewhere; /* attention has a table of its own: a row may see what another stores */
};

/* q, k and v; most rows and slots. */
enum { SUPPORT_PARTS = 3, SUPPORT_STEP_ROWS = 80 };

/* Operands in the width that the graph has, and the caches as they must be. */
struct support_step {
    struct support_shape shape;
    int n, parts;
    void *stored[SUPPORT_PARTS];                               /* weights in their type */
    float *scales[SUPPORT_PARTS];                              /* of i8 */
    float *weights[SUPPORT_PARTS], *biases[SUPPORT_PARTS], *x; /* what they mean */
    double *caches[2], *products;
    int32_t position[SUPPORT_STEP_ROWS], key_len[SUPPORT_STEP_ROWS], row[SUPPORT_STEP_ROWS];
    int32_t offsets[SUPPORT_STEP_ROWS + 1];
    int32_t seen[SUPPORT_STEP_ROWS]; /* the rows that attention sees */
};

/* Where numbers are drawn from then on. */
void support_draw_from(uint32_t seed);
int support_draw(int below);
/* To be freed. */
void *support_room(size_t count, size_t bytes);
float *support_draw_floats(size_t count, float most);

void support_step_create(struct support_step *model, const struct support_shape *shape);
void support_step_destroy(struct support_step *model);
size_t support_step_cache_elems(const struct support_step *model);
/* Slots in another order at each step; where each row is in its own, and rows that are idle, point
 * outside, see what is not there, or do not see what they store. */
void support_step_draw(struct support_step *model, int step);
/* The products of all rows; what of them goes to the caches. */
void support_step_multiply(struct support_step *model);
void support_step_append(struct support_step *model);
/* y of one row and head. */
void support_step_attend(const struct support_step *model, int i, int head, double *y);

#endif
