/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured of single operators: one case is an operator, a shape, a form and a type.
 *
 * A shape is written as numbers joined by 'x', in the order of the operator's dimensions, and may
 * end in a form: "32x512x2048:relu". */
#ifndef HEEDI_TOOLS_BENCH_CASES_H
#define HEEDI_TOOLS_BENCH_CASES_H

#include <stdbool.h>

#include "heed/executor.h"

enum { HEEDI_BENCH_DIMS = 5 };

/* How an operator is measured. */
struct heedi_bench_op {
    enum heed_op op;
    uint32_t rank;
    uint32_t tour;             /* so many of the shapes, the first ones, belong to the tour */
    const char *dims;          /* their names, "m x k x n" */
    const char *forms;         /* separated by spaces; "" for none */
    const char *meaning;       /* what the dimensions are */
    const char *const *shapes; /* of real models; NULL at the end */
};
/* All of them; the number of entries. */
size_t heedi_bench_ops(const struct heedi_bench_op **ops);
/* NULL for an unknown name and for operators that only look at memory differently. */
const struct heedi_bench_op *heedi_bench_op_find(const char *name, size_t length);

struct heedi_bench_shape {
    const struct heedi_bench_op *op;
    int64_t dims[HEEDI_BENCH_DIMS];
    char form[20]; /* "" for the plain one */
};
/* On failure writes a sentence to `error`. */
bool heedi_bench_shape_parse(const struct heedi_bench_op *op, const char *text,
                             struct heedi_bench_shape *shape, char *error, size_t error_size);

/* ---- operands.c ---- */

enum heedi_bench_storage { HEEDI_BENCH_INPUT, HEEDI_BENCH_WEIGHT, HEEDI_BENCH_STATE };

struct heedi_bench_operand {
    enum heedi_bench_storage storage;
    char name[8];
    enum heed_dtype dtype;
    size_t elems;
    float spread;      /* floats are uniform in [-spread, spread) */
    int64_t low, high; /* integers, both included */
};

/* A graph of one node, and what its inputs are to be filled with. */
struct heedi_bench_graph {
    struct heed_graph *graph;
    struct heedi_bench_operand operands[HEED_MAX_INPUTS];
    uint32_t operand_count;
    bool weights; /* constants that are read whole: other operands need another graph */
    double bytes; /* of operands and results that one run touches */
};

/* `dtype`: of weights, of keys and values, or of all floats where there are neither. `set` draws
 * other weights. The context says what went wrong. Release with heedi_bench_graph_free() in any
 * case. */
enum heed_status heedi_bench_graph_build(struct heed_context *context,
                                         const struct heedi_bench_shape *shape,
                                         enum heed_dtype dtype, uint64_t seed, uint32_t set,
                                         struct heedi_bench_graph *graph);
void heedi_bench_graph_free(struct heedi_bench_graph *graph);

/* Fills the inputs of an instance with values drawn from `seed` and `set`. */
void heedi_bench_graph_fill(const struct heedi_bench_graph *graph, uint64_t seed, uint32_t set,
                            struct heed_instance *instance);

#endif
