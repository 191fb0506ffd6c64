/* SPDX-License-Identifier: Apache-2.0 */
/* Agreement of a backend with the operators' references: draws operands in every form (plain
 * inputs, constants, transposed, sliced, stepped and broadcast views), builds a graph of one node,
 * runs it through the executor and compares each element with the reference in double precision.
 *
 * Every case has its own seed, so a failure replays alone: the message names HEED_SEED and
 * HEED_CASE. */
#ifndef HEEDI_TESTS_SUPPORT_AGREE_H
#define HEEDI_TESTS_SUPPORT_AGREE_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/heed.h"

struct agree_random {
    uint64_t state;
};
uint64_t agree_bits(struct agree_random *random);
/* From low to high, both included. */
int64_t agree_range(struct agree_random *random, int64_t low, int64_t high);
bool agree_chance(struct agree_random *random, int percent);
/* 1, primes, powers of two and their neighbours, up to `most`. */
int64_t agree_dim(struct agree_random *random, int64_t most);
/* The same, but sometimes 0. */
int64_t agree_dim_or_0(struct agree_random *random, int64_t most);
enum heed_dtype agree_float_type(struct agree_random *random);

enum agree_values {
    AGREE_NORMAL,  /* standard normal */
    AGREE_HEAVY,   /* over many orders of magnitude */
    AGREE_TINY,    /* around and below the smallest normal f32 */
    AGREE_LARGE,   /* logits up to +-60 */
    AGREE_TIES,    /* small integers */
    AGREE_SPECIAL, /* also NaN, infinities, both zeros, beyond i32 (products do not overflow) */
    AGREE_MASK,    /* 0 or -inf, as a bias that hides keys */
    AGREE_VALUES
};
/* Any but AGREE_MASK. */
enum agree_values agree_any_values(struct agree_random *random);
float agree_value(struct agree_random *random, enum agree_values values);

enum { AGREE_EXECUTORS = 4 };

/* How an operand lies in memory. */
enum agree_form {
    AGREE_PLAIN,
    AGREE_TRANSPOSED,
    AGREE_SLICED,
    AGREE_STEPPED,
    AGREE_BROADCAST,
    AGREE_FORMS
};

/* A context and executors that differ in how they share out work: one, two, four threads, and a
 * loop that takes the smallest pieces from the last to the first. */
struct agree_suite {
    struct heed_context *context;
    struct heed_pool *pools[AGREE_EXECUTORS];
    struct heed_executor *executors[AGREE_EXECUTORS];
    struct heed_numeric_profile numeric; /* of the backend */
    bool rows_vary;                      /* of the backend: see struct support_backend */
    uint64_t seed;
    int64_t only_case; /* -1: all */
    int64_t every;     /* HEED_TEST_EVERY: one case of so many; 1: all */
    int64_t cases;     /* run so far */
    bool drawn_seed;   /* HEED_SEED is set */
};
/* Runs `count` tests on every backend that there is, as a group named after it; *state of a test is
 * the suite. Returns how many failed. */
struct CMUnitTest;
int agree_main(const struct CMUnitTest *tests, size_t count);

struct agree_operand {
    heed_tensor tensor; /* HEED_NO_TENSOR: absent */
    struct heed_tensor_desc storage;
    void *data; /* of the storage */
    char name[8];
    bool input, state;
};

/* What the cases of one operator have had, to be sure that chance left no hole. */
struct agree_coverage {
    int64_t forms[HEED_MAX_INPUTS][HEED_I8 + 1][AGREE_FORMS];
    int64_t empty, ones; /* operands with a dimension of 0, of 1 */
};

/* A graph in the making. */
struct agree_case {
    struct agree_suite *suite;
    struct agree_random random;
    struct agree_coverage *coverage;
    struct heed_graph *graph;
    struct agree_operand operands[HEED_MAX_INPUTS];
    uint32_t operand_count;
    bool plain;     /* no views, no constants */
    bool irregular; /* some values are not independent and normal: no statistical limit */
};

/* Operands in the order of the operator's inputs. */
void agree_float(struct agree_case *it, enum heed_dtype dtype, uint32_t rank, const int64_t *dims,
                 enum agree_values values);
/* i8 or i32 with values from low to high. */
void agree_integer(struct agree_case *it, enum heed_dtype dtype, uint32_t rank, const int64_t *dims,
                   int64_t low, int64_t high);
/* A vector of i32 with these values, sometimes every other element of its storage. */
void agree_given(struct agree_case *it, int64_t count, const int32_t *values);
void agree_state(struct agree_case *it, enum heed_dtype dtype, const int64_t dims[3]);
void agree_absent(struct agree_case *it);

/* Builds the node, runs it and compares. */
void agree_check(struct agree_case *it, enum heed_op op, const void *attrs);

/* Calls draw() for `count` cases of an operator. Fails where they leave out a form of an operand in
 * one of its types, or empty shapes, unless a seed or a case was asked for. */
void agree_cases(struct agree_suite *suite, enum heed_op op, int64_t count,
                 void (*draw)(struct agree_case *it));

#endif
