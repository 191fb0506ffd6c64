/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs from the inside: what the executor reads and lowering rewrites.
 *
 * Tensors are an array indexed by heed_tensor; nodes are an array in execution order. A view is a
 * tensor whose `storage` is another tensor; view operators are nodes too (flag `view`), so that a
 * graph can be printed as it was built, but nothing runs for them. A state is one storage (the
 * first token); every cache_append output is a tensor with that storage, all dims and strides of
 * it. */
#ifndef HEEDI_GRAPH_GRAPH_H
#define HEEDI_GRAPH_GRAPH_H

#include <stdio.h>

#include "heed/graph.h"
#include "runtime/base/arena.h"
#include "runtime/base/context.h"
#include "runtime/base/refcount.h"
#include "runtime/base/weight.h"

enum heedi_tensor_kind {
    HEEDI_TENSOR_NODE, /* computed by `producer` */
    HEEDI_TENSOR_INPUT,
    HEEDI_TENSOR_CONSTANT,
    HEEDI_TENSOR_STATE
};

struct heedi_tensor {
    const char *name;            /* in the graph's arena */
    enum heedi_tensor_kind kind; /* of this tensor; a view is a NODE tensor */
    struct heed_tensor_desc desc;
    heed_tensor storage;   /* owner of the memory; itself unless a view or a later state token */
    int64_t offset_elems;  /* from the start of the storage */
    int32_t producer;      /* node index, -1 for inputs, constants, states */
    int32_t superseded_by; /* state tokens: node that made the next token, else -1 */
    int64_t bound;
    struct heed_weight *weight; /* constants: a reference, else NULL */
    const char *output_name;    /* != NULL: the caller reads it */
};

struct heedi_node {
    enum heed_op op;
    const char *name;
    bool view;   /* nothing runs */
    bool dead;   /* pruned by freeze */
    void *attrs; /* in the arena, NULL where the operator has none */
    uint32_t attrs_size;
    uint32_t input_count;
    uint32_t output_count;
    heed_tensor inputs[HEED_MAX_INPUTS];
    heed_tensor outputs[HEED_MAX_OUTPUTS];
    int32_t origin; /* lowering: index of the node in the graph that the user built */
};

struct heed_graph {
    struct heed_context *context; /* only until frozen */
    struct heedi_arena arena;
    struct heedi_refcount references;
    const char *name;
    struct heedi_tensor *tensors; /* grown with heedi_grow */
    int32_t tensor_count, tensor_capacity;
    struct heedi_node *nodes;
    int32_t node_count, node_capacity;
    const char *scope;
    enum heed_status status; /* sticky */
    bool frozen;
};

/* A copy of a frozen graph in which node `n` is replaced by what lower(n) builds, for every n with
 * lower_node[n] != 0, and in which inputs i of node n are made contiguous by copy nodes for every
 * set bit i of contiguous[n] (may be NULL). The copy is frozen; `origin` of new nodes names n;
 * names are derived ("attention.3/softmax"). The executor calls it between two rounds of offering.
 * HEED_ERROR_UNSUPPORTED when a node to be lowered has no lowering in its form. */
enum heed_status heedi_graph_rewrite(struct heed_context *context, struct heed_graph *graph,
                                     const unsigned char *lower_node, const uint32_t *contiguous,
                                     struct heed_graph **rewritten);

/* Writes the graph as text, one node a line, for --verbose and tests. */
void heedi_graph_print(const struct heed_graph *graph, FILE *stream);

#endif
