/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of offering, then the cutting into parts. */
#include "runtime/exec/partition.h"

#include <string.h>

#include "runtime/exec/offer.h"
#include "runtime/ops/op.h"

/* Rounds of rewriting; each lowers or copies at least once, and lowerings do not nest deeply. */
enum { MAX_ROUNDS = 16 };

/* ---- bans ---- */

void heedi_bans_init(struct heedi_bans *bans, const struct heedi_env *env) {
    memset(bans, 0, sizeof *bans);
    heedi_arena_init(&bans->arena, env);
}

void heedi_bans_clear(struct heedi_bans *bans) {
    heedi_free(&bans->arena.env, bans->at);
    heedi_arena_clear(&bans->arena);
}

enum heed_status heedi_bans_add(struct heed_context *context, struct heedi_bans *bans,
                                int32_t origin, uint32_t device, const char *reason) {
    for (size_t i = 0; i < bans->count; i++)
        if (bans->at[i].origin == origin && bans->at[i].device == device)
            return HEED_OK;
    if (bans->count == bans->capacity) {
        const size_t capacity = bans->capacity == 0 ? 32 : 2 * bans->capacity;
        void *grown =
            heedi_grow(&bans->arena.env, bans->at, bans->count, capacity, sizeof *bans->at);
        if (grown == NULL)
            return heedi_fail_memory(context, "a partition", capacity * sizeof *bans->at);
        bans->at = grown;
        bans->capacity = capacity;
    }
    char *copy = heedi_arena_strdup(&bans->arena, reason);
    if (copy == NULL)
        return heedi_fail_memory(context, "a partition", strlen(reason) + 1);
    bans->at[bans->count++] = (struct heedi_ban){origin, device, copy};
    return HEED_OK;
}

/* ---- what to change before the next round ---- */

struct changes {
    unsigned char *lower; /* per node of the graph */
    uint32_t *contiguous;
    uint32_t count;
    int64_t first_refused; /* index into the offer's nodes, -1: none */
};

/* True when the node may be lowered: nobody chosen and the operator is composite. */
static bool lowerable(const struct heed_graph *graph, uint32_t node) {
    const struct heedi_op *op = heedi_op_find(graph->nodes[node].op);
    return op != NULL && op->lower != NULL;
}

static enum heed_status find_changes(struct heed_context *context, struct heedi_offer *offer,
                                     struct changes *changes) {
    const size_t nodes = (size_t)offer->graph->node_count;
    *changes = (struct changes){.first_refused = -1};
    changes->lower = heedi_arena_alloc(&offer->arena, nodes, sizeof *changes->lower);
    changes->contiguous = heedi_arena_alloc(&offer->arena, nodes, sizeof *changes->contiguous);
    if (changes->lower == NULL || changes->contiguous == NULL)
        return heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY,
                          "out of memory while partitioning graph '%s'", offer->graph->name);
    for (uint32_t i = 0; i < offer->node_count; i++) {
        const uint32_t node = offer->nodes[i];
        if (offer->chosen[i] < 0) {
            if (changes->first_refused < 0)
                changes->first_refused = i;
            if (lowerable(offer->graph, node)) {
                changes->lower[node] = 1;
                changes->count++;
            }
            continue;
        }
        const struct heed_claim *claim = heedi_offer_claim(offer, (uint32_t)offer->chosen[i], i);
        if (claim->verdict == HEED_VERDICT_CONTIGUOUS) {
            changes->contiguous[node] = claim->contiguous_inputs;
            changes->count++;
        }
    }
    return HEED_OK;
}

/* Some nodes stay refused after all that can be lowered has been: true unless one of them shares a
 * state with a node that is about to be lowered, which may free it. Being generous costs a round.
 */
static bool hopeless(const struct heedi_offer *offer, const struct changes *changes) {
    if (changes->first_refused < 0)
        return false;
    for (uint32_t i = 0; i < offer->node_count; i++)
        if (offer->chosen[i] < 0 && changes->lower[offer->nodes[i]])
            return false;
    return true;
}

static enum heed_status fail_refused(struct heed_context *context, struct heedi_offer *offer,
                                     uint32_t index) {
    const struct heedi_node *node = &offer->graph->nodes[offer->nodes[index]];
    const char *reasons = heedi_offer_reasons(offer, index, offer->device_count);
    return heedi_fail(context, HEED_ERROR_UNSUPPORTED,
                      "graph '%s': no backend can run node '%s' (%s): %s", offer->graph->name,
                      node->name, heed_op_name(node->op),
                      reasons != NULL ? reasons : "out of memory while collecting the reasons");
}

/* ---- cutting into parts ---- */

/* True when the outputs that the node reads are all made; `made` is per node. */
static bool inputs_ready(const struct heed_graph *graph, const struct heedi_node *node,
                         const int32_t *part_of_node, const bool *blocked) {
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HEED_NO_TENSOR)
            continue;
        const heed_tensor storage = graph->tensors[node->inputs[i]].storage;
        const struct heedi_tensor *owner = &graph->tensors[storage];
        if (owner->kind == HEEDI_TENSOR_STATE
                ? blocked[storage]
                : owner->producer >= 0 && part_of_node[owner->producer] < 0)
            return false;
    }
    return true;
}

/* Readers and writers of a state keep their order: once one is left out, so are all after it. */
static void block_states(const struct heed_graph *graph, const struct heedi_node *node,
                         bool *blocked) {
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HEED_NO_TENSOR)
            blocked[graph->tensors[node->inputs[i]].storage] = true;
}

static enum heed_status cut(struct heed_context *context, const struct heedi_offer *offer,
                            struct heedi_partition *partition) {
    const struct heed_graph *graph = partition->graph;
    const uint32_t count = offer->node_count;
    uint32_t *order = heedi_arena_alloc(&partition->arena, count, sizeof *order);
    bool *blocked =
        heedi_arena_alloc(&partition->arena, (size_t)graph->tensor_count, sizeof *blocked);
    /* At most one part per node. */
    partition->parts = heedi_arena_alloc(&partition->arena, count, sizeof *partition->parts);
    if (order == NULL || blocked == NULL || partition->parts == NULL)
        return heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY,
                          "out of memory while partitioning graph '%s'", graph->name);
    uint32_t done = 0, first_left = 0;
    while (done < count) {
        while (partition->part_of_node[offer->nodes[first_left]] >= 0)
            first_left++;
        const int32_t device = offer->chosen[first_left];
        struct heedi_part *part = &partition->parts[partition->part_count];
        *part = (struct heedi_part){.device = (uint32_t)device, .nodes = &order[done]};
        memset(blocked, 0, (size_t)graph->tensor_count * sizeof *blocked);
        for (uint32_t i = first_left; i < count; i++) {
            const uint32_t n = offer->nodes[i];
            if (partition->part_of_node[n] >= 0)
                continue;
            if (offer->chosen[i] != device ||
                !inputs_ready(graph, &graph->nodes[n], partition->part_of_node, blocked)) {
                block_states(graph, &graph->nodes[n], blocked);
                continue;
            }
            partition->part_of_node[n] = (int32_t)partition->part_count;
            part->nodes[part->node_count++] = n;
        }
        done += part->node_count;
        partition->part_count++;
    }
    return HEED_OK;
}

/* Records the choice and cuts. */
static enum heed_status settle(struct heed_context *context, struct heedi_offer *offer,
                               struct heedi_partition *partition) {
    const struct heed_graph *graph = partition->graph;
    const size_t nodes = (size_t)graph->node_count;
    struct heedi_arena *arena = &partition->arena;
    partition->device_of_node = heedi_arena_alloc(arena, nodes, sizeof(int32_t));
    partition->part_of_node = heedi_arena_alloc(arena, nodes, sizeof(int32_t));
    partition->reasons = heedi_arena_alloc(arena, nodes, sizeof *partition->reasons);
    if (partition->device_of_node == NULL || partition->part_of_node == NULL ||
        partition->reasons == NULL)
        goto fail;
    for (size_t n = 0; n < nodes; n++) {
        partition->device_of_node[n] = partition->part_of_node[n] = -1;
        partition->reasons[n] = "";
    }
    for (uint32_t i = 0; i < offer->node_count; i++) {
        const uint32_t n = offer->nodes[i];
        const struct heedi_device *device = offer->engine->devices[offer->chosen[i]];
        partition->device_of_node[n] = offer->chosen[i];
        if (offer->chosen[i] == 0)
            continue;
        const char *reasons = heedi_offer_reasons(offer, i, (uint32_t)offer->chosen[i]);
        char *copy = reasons != NULL ? heedi_arena_strdup(arena, reasons) : NULL;
        if (copy == NULL)
            goto fail;
        partition->reasons[n] = copy;
        heedi_log(&context->env, HEED_LOG_INFO, "graph '%s': node '%s' (%s) runs on '%s' (%s)",
                  graph->name, graph->nodes[n].name, heed_op_name(graph->nodes[n].op),
                  device->backend.name, copy);
    }
    return cut(context, offer, partition);
fail:
    return heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY,
                      "out of memory while partitioning graph '%s'", graph->name);
}

/* Offers to the backends that are open; while they leave a node to nobody, opens the next one. */
static enum heed_status offer_to_all(struct heed_context *context, struct heedi_engine *engine,
                                     const struct heedi_bans *bans, const struct heed_graph *graph,
                                     struct heedi_offer *offer, struct changes *changes) {
    for (;;) {
        bool opened = false;
        enum heed_status status = heedi_offer_create(context, engine, graph, bans, offer);
        if (status != HEED_OK)
            return status;
        status = find_changes(context, offer, changes);
        if (status == HEED_OK && changes->first_refused >= 0)
            status = heedi_backends_open_more(context, engine, offer->device_count, &opened);
        if (status == HEED_OK && !opened)
            return HEED_OK;
        heedi_offer_clear(offer);
        if (status != HEED_OK)
            return status;
    }
}

/* Offers once; either settles the partition or replaces its graph for another round. */
static enum heed_status round_of_offers(struct heed_context *context, struct heedi_engine *engine,
                                        const struct heedi_bans *bans, bool last,
                                        struct heedi_partition *partition, bool *settled) {
    struct heedi_offer offer;
    struct changes changes;
    enum heed_status status =
        offer_to_all(context, engine, bans, partition->graph, &offer, &changes);
    if (status != HEED_OK)
        return status;
    if (changes.count == 0 && changes.first_refused < 0) {
        *settled = true;
        status = settle(context, &offer, partition);
        goto done;
    }
    if (hopeless(&offer, &changes) || (last && changes.first_refused >= 0)) {
        status = fail_refused(context, &offer, (uint32_t)changes.first_refused);
        goto done;
    }
    if (last) {
        status = heedi_fail(context, HEED_ERROR_INTERNAL,
                            "graph '%s': backends still ask for copies after %d rounds",
                            partition->graph->name, MAX_ROUNDS);
        goto done;
    }
    struct heed_graph *rewritten = NULL;
    status = heedi_graph_rewrite(context, partition->graph, changes.lower, changes.contiguous,
                                 &rewritten);
    if (status == HEED_ERROR_UNSUPPORTED && changes.first_refused >= 0)
        fail_refused(context, &offer, (uint32_t)changes.first_refused);
    if (status == HEED_OK) {
        heed_graph_release(partition->graph);
        partition->graph = rewritten;
    }
done:
    heedi_offer_clear(&offer);
    return status;
}

enum heed_status heedi_partition_create(struct heed_context *context, struct heedi_engine *engine,
                                        struct heed_graph *graph, const struct heedi_bans *bans,
                                        struct heedi_partition *partition) {
    memset(partition, 0, sizeof *partition);
    heedi_arena_init(&partition->arena, &context->env);
    partition->graph = heed_graph_retain(graph);
    bool settled = false;
    enum heed_status status = HEED_OK;
    for (int round = 1; status == HEED_OK && !settled; round++)
        status = round_of_offers(context, engine, bans, round == MAX_ROUNDS, partition, &settled);
    if (status != HEED_OK)
        heedi_partition_clear(partition);
    return status;
}

void heedi_partition_clear(struct heedi_partition *partition) {
    heed_graph_release(partition->graph);
    heedi_arena_clear(&partition->arena);
    memset(partition, 0, sizeof *partition);
}
