/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a graph in the form in which plugins see them. */
#ifndef HEEDI_EXEC_SUBGRAPH_H
#define HEEDI_EXEC_SUBGRAPH_H

#include "heed/backend.h"
#include "runtime/exec/plan.h"
#include "runtime/graph/graph.h"

/* A boundary tensor or a state of a sub-graph, in the order of its bindings. */
struct heedi_binding {
    enum heed_role role;
    heed_tensor tensor; /* owner of the storage in the whole graph */
};

struct heedi_subgraph {
    struct heed_subgraph view; /* what a plugin is given; points into the arrays below */
    struct heedi_arena arena;
    struct heed_subgraph_tensor *tensors;
    struct heed_subgraph_node *nodes;
    struct heedi_binding *bindings;
    heed_tensor *origins; /* tensor of the graph, per tensor of the sub-graph */
};

/* Describes the nodes `nodes[0..count)` of a frozen graph (indices in execution order, no views).
 * With `part_of_node` (one entry per node of the graph, -1: nowhere) and `part`, roles are those of
 * that part: what comes from or goes to another part or the caller is a boundary. With NULL all
 * that is neither constant nor state is internal, for offering. */
enum heed_status heedi_subgraph_create(struct heed_context *context, const struct heed_graph *graph,
                                       const uint32_t *nodes, uint32_t count,
                                       const int32_t *part_of_node, int32_t part,
                                       struct heedi_subgraph *subgraph);
/* Gives every internal storage its place in the arena. */
enum heed_status heedi_subgraph_plan(struct heed_context *context, struct heedi_subgraph *subgraph,
                                     uint32_t alignment, struct heedi_plan *plan);
void heedi_subgraph_clear(struct heedi_subgraph *subgraph);

/* Bytes of the storage of a tensor; graphs have checked that they fit. */
uint64_t heedi_storage_bytes(const struct heed_tensor_desc *desc);

#endif
