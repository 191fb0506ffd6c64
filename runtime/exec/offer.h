/* SPDX-License-Identifier: Apache-2.0 */
/* One round of offering a graph to the devices of an engine. */
#ifndef HEEDI_EXEC_OFFER_H
#define HEEDI_EXEC_OFFER_H

#include "runtime/exec/partition.h"

struct heedi_offer {
    struct heedi_arena arena;
    const struct heedi_engine *engine;
    uint32_t device_count; /* open when the offer was made */
    const struct heed_graph *graph;
    uint32_t *nodes; /* of the graph that run, in order */
    uint32_t node_count;
    struct heed_claim *claims; /* [device][index into nodes] */
    int32_t *chosen;           /* device per index into nodes, -1: nobody */
};

/* Asks every device about every node and chooses. */
enum heed_status heedi_offer_create(struct heed_context *context, struct heedi_engine *engine,
                                    const struct heed_graph *graph, const struct heedi_bans *bans,
                                    struct heedi_offer *offer);
void heedi_offer_clear(struct heedi_offer *offer);

const struct heed_claim *heedi_offer_claim(const struct heedi_offer *offer, uint32_t device,
                                           uint32_t index);
/* "vulkan: no i8; scalar: ..." for the devices [0, devices), in the offer's arena; NULL when out of
 * memory. */
const char *heedi_offer_reasons(struct heedi_offer *offer, uint32_t index, uint32_t devices);

#endif
