/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs computed by the reference of each operator, without executor and backends: every stored
 * result is rounded to its type. For tests of what turns one graph into another. */
#ifndef HEED_TESTS_SUPPORT_EVALUATE_H
#define HEED_TESTS_SUPPORT_EVALUATE_H

#include "runtime/graph/graph.h"

/* One run. `inputs` has the contiguous contents of the graph's inputs in the order in which they
 * were added. States start as zeros. Memory is taken with malloc; a test fails where there is
 * none. */
struct evaluation {
    const struct heed_graph *graph;
    void **storage; /* by tensor; NULL where the tensor lies in another's memory */
};
void evaluate_begin(struct evaluation *run, const struct heed_graph *graph,
                    const void *const *inputs);
void evaluate_end(struct evaluation *run);

/* The tensor that the graph gives out under this name; the test fails if there is none. */
heed_tensor evaluate_find(const struct heed_graph *graph, const char *output);
/* Element `index` (row-major) of a tensor. */
double evaluate_element(const struct evaluation *run, heed_tensor tensor, int64_t index);

/* A frozen graph with every node of this operator replaced by its lowering; the test fails
 * where there is none. */
struct heed_graph *evaluate_lowered(struct heed_context *context, struct heed_graph *graph,
                                    enum heed_op op);

#endif
