/* SPDX-License-Identifier: Apache-2.0 */
/* Partition: which device runs which node of a graph. */
#ifndef HEEDI_EXEC_PARTITION_H
#define HEEDI_EXEC_PARTITION_H

#include "runtime/exec/engine.h"
#include "runtime/exec/subgraph.h"

/* Devices that may not run a node again because compiling it failed there, by node of the graph
 * that the user built (heedi_node.origin). */
struct heedi_ban {
    int32_t origin;
    uint32_t device;
    char *reason; /* in the arena of heedi_bans */
};
struct heedi_bans {
    struct heedi_arena arena;
    struct heedi_ban *at;
    size_t count, capacity;
};
void heedi_bans_init(struct heedi_bans *bans, const struct heedi_env *env);
void heedi_bans_clear(struct heedi_bans *bans);
enum heed_status heedi_bans_add(struct heed_context *context, struct heedi_bans *bans,
                                int32_t origin, uint32_t device, const char *reason);

/* Nodes that one device runs together. */
struct heedi_part {
    uint32_t device;
    uint32_t node_count;
    uint32_t *nodes; /* of heedi_partition.graph, in execution order */
};

struct heedi_partition {
    struct heedi_arena arena;
    struct heed_graph *graph; /* a reference: the graph given, or what it was rewritten to */
    int32_t *device_of_node;  /* per node; -1: nothing runs */
    int32_t *part_of_node;    /* per node; -1: nothing runs */
    const char **reasons;     /* per node: why the devices before its own declined, or "" */
    struct heedi_part *parts;
    uint32_t part_count;
};

/* Offers the graph to the devices in order.
 *
 * Each node goes to the first device that claims it; all nodes that touch one state go to the first
 * that claims all of them. Where a device asks for contiguous inputs, copies are put in; what no
 * device claims is lowered; and the result is offered again, a bounded number of times.
 *
 * Parts are formed by walking the nodes in order and taking along, for the device of the first node
 * that is left, everything of that device whose inputs are there; so independent branches do not
 * cut a part. HEED_ERROR_UNSUPPORTED names the first node that nobody can run, and each reason. */
enum heed_status heedi_partition_create(struct heed_context *context, struct heedi_engine *engine,
                                        struct heed_graph *graph, const struct heedi_bans *bans,
                                        struct heedi_partition *partition);
void heedi_partition_clear(struct heedi_partition *partition);

#endif
