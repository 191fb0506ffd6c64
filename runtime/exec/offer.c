/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the devices, and choosing one for each node. */
#include "runtime/exec/offer.h"

#include <stdio.h>
#include <string.h>

const struct heed_claim *heedi_offer_claim(const struct heedi_offer *offer, uint32_t device,
                                           uint32_t index) {
    return &offer->claims[(size_t)device * offer->node_count + index];
}

static void refuse(struct heed_claim *claim, const char *reason) {
    claim->verdict = HEED_VERDICT_NO;
    snprintf(claim->reason, sizeof claim->reason, "%.*s", (int)sizeof claim->reason - 1, reason);
}

/* Bits of `wanted` that name inputs which a copy would make contiguous. A copy is never put in
 * front of a copy, which is how inputs are made contiguous in the first place. */
static uint32_t copyable_inputs(const struct heed_graph *graph, const struct heedi_node *node,
                                uint32_t wanted) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < node->input_count && node->op != HEED_OP_COPY; i++) {
        if ((wanted >> i & 1u) == 0 || node->inputs[i] == HEED_NO_TENSOR)
            continue;
        const struct heedi_tensor *input = &graph->tensors[node->inputs[i]];
        if (!heed_desc_contiguous(&input->desc) || input->offset_elems != 0)
            bits |= 1u << i;
    }
    return bits;
}

/* Makes the answers of one device safe and consistent. */
static void check_claims(struct heedi_offer *offer, uint32_t device,
                         const struct heedi_bans *bans) {
    for (uint32_t i = 0; i < offer->node_count; i++) {
        struct heed_claim *claim = &offer->claims[(size_t)device * offer->node_count + i];
        const struct heedi_node *node = &offer->graph->nodes[offer->nodes[i]];
        claim->reason[sizeof claim->reason - 1] = '\0';
        if (claim->verdict == HEED_VERDICT_CONTIGUOUS) {
            claim->contiguous_inputs =
                copyable_inputs(offer->graph, node, claim->contiguous_inputs);
            if (claim->contiguous_inputs == 0)
                refuse(claim, "asks for contiguous inputs where none can be copied");
        } else if (claim->verdict == HEED_VERDICT_NO) {
            if (claim->reason[0] == '\0')
                refuse(claim, "declined");
        } else if (claim->verdict != HEED_VERDICT_YES) {
            refuse(claim, "gave an unknown answer");
        }
        for (size_t b = 0; bans != NULL && b < bans->count; b++)
            if (bans->at[b].device == device && bans->at[b].origin == node->origin)
                refuse(claim, bans->at[b].reason);
    }
}

static enum heed_status ask(struct heed_context *context, struct heedi_offer *offer,
                            const struct heedi_bans *bans) {
    struct heedi_subgraph subgraph;
    enum heed_status status = heedi_subgraph_create(context, offer->graph, offer->nodes,
                                                    offer->node_count, NULL, 0, &subgraph);
    if (status != HEED_OK)
        return status;
    for (uint32_t d = 0; d < offer->device_count; d++) {
        struct heedi_device *device = offer->engine->devices[d];
        struct heed_claim *claims = &offer->claims[(size_t)d * offer->node_count];
        for (uint32_t i = 0; i < offer->node_count; i++)
            claims[i].struct_size = (uint32_t)sizeof *claims;
        if (heedi_flag_raised(&device->aside)) {
            for (uint32_t i = 0; i < offer->node_count; i++)
                refuse(&claims[i], device->aside_reason);
            continue;
        }
        struct heed_error error = heedi_plugin_error();
        status = heedi_plugin_status(device->backend.table.query(device->plugin, &subgraph.view,
                                                                 claims, sizeof *claims, &error),
                                     &error);
        if (status == HEED_ERROR_OUT_OF_MEMORY) {
            heedi_fail(context, status, "backend '%s': %s", device->backend.name, error.message);
            break;
        }
        if (status != HEED_OK) {
            heedi_log(&device->engine->env, HEED_LOG_WARNING,
                      "backend '%s' cannot say what it runs of graph '%s': %s",
                      device->backend.name, offer->graph->name, error.message);
            for (uint32_t i = 0; i < offer->node_count; i++)
                refuse(&claims[i], error.message);
            status = HEED_OK;
        }
        check_claims(offer, d, bans);
    }
    heedi_subgraph_clear(&subgraph);
    return status;
}

/* ---- nodes that touch one state go together ---- */

/* The group of a node: a representative node, found by halving paths (Tarjan and van Leeuwen
 * 1984). */
static uint32_t group_of(uint32_t *parent, uint32_t node) {
    while (parent[node] != node) {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    return node;
}

static void join_states(const struct heedi_offer *offer, uint32_t *parent, uint32_t *first_user) {
    for (uint32_t i = 0; i < offer->node_count; i++) {
        const struct heedi_node *node = &offer->graph->nodes[offer->nodes[i]];
        parent[i] = i;
        for (uint32_t k = 0; k < node->input_count; k++) {
            if (node->inputs[k] == HEED_NO_TENSOR)
                continue;
            const heed_tensor storage = offer->graph->tensors[node->inputs[k]].storage;
            if (offer->graph->tensors[storage].kind != HEEDI_TENSOR_STATE)
                continue;
            if (first_user[storage] == 0)
                first_user[storage] = i + 1;
            else
                parent[group_of(parent, i)] = group_of(parent, first_user[storage] - 1);
        }
    }
}

/* chosen[i] becomes the first device that claims every node of the group of i. */
static enum heed_status choose(struct heed_context *context, struct heedi_offer *offer) {
    const uint32_t count = offer->node_count;
    uint32_t *parent = heedi_arena_alloc(&offer->arena, count, sizeof *parent);
    uint32_t *first_user =
        heedi_arena_alloc(&offer->arena, (size_t)offer->graph->tensor_count, sizeof *first_user);
    bool *claimed = heedi_arena_alloc(&offer->arena, count, sizeof *claimed);
    if (parent == NULL || first_user == NULL || claimed == NULL)
        return heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY,
                          "out of memory while partitioning graph '%s'", offer->graph->name);
    join_states(offer, parent, first_user);
    for (uint32_t i = 0; i < count; i++)
        offer->chosen[i] = -1;
    for (uint32_t d = 0; d < offer->device_count; d++) {
        for (uint32_t i = 0; i < count; i++)
            claimed[i] = true;
        for (uint32_t i = 0; i < count; i++)
            if (heedi_offer_claim(offer, d, i)->verdict == HEED_VERDICT_NO)
                claimed[group_of(parent, i)] = false;
        for (uint32_t i = 0; i < count; i++)
            if (offer->chosen[i] < 0 && claimed[group_of(parent, i)])
                offer->chosen[i] = (int32_t)d;
    }
    return HEED_OK;
}

enum heed_status heedi_offer_create(struct heed_context *context, struct heedi_engine *engine,
                                    const struct heed_graph *graph, const struct heedi_bans *bans,
                                    struct heedi_offer *offer) {
    memset(offer, 0, sizeof *offer);
    heedi_arena_init(&offer->arena, &context->env);
    offer->engine = engine;
    offer->device_count = heedi_engine_devices(engine);
    offer->graph = graph;
    const size_t nodes = (size_t)graph->node_count;
    offer->nodes = heedi_arena_alloc(&offer->arena, nodes, sizeof *offer->nodes);
    offer->chosen = heedi_arena_alloc(&offer->arena, nodes, sizeof *offer->chosen);
    offer->claims =
        heedi_arena_alloc(&offer->arena, nodes * offer->device_count, sizeof *offer->claims);
    enum heed_status status = HEED_OK;
    if (offer->nodes == NULL || offer->chosen == NULL || offer->claims == NULL) {
        status = heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY,
                            "out of memory while partitioning graph '%s'", graph->name);
        goto fail;
    }
    for (int32_t n = 0; n < graph->node_count; n++)
        if (!graph->nodes[n].view && !graph->nodes[n].dead)
            offer->nodes[offer->node_count++] = (uint32_t)n;
    status = ask(context, offer, bans);
    if (status == HEED_OK)
        status = choose(context, offer);
    if (status == HEED_OK)
        return HEED_OK;
fail:
    heedi_offer_clear(offer);
    return status;
}

void heedi_offer_clear(struct heedi_offer *offer) {
    heedi_arena_clear(&offer->arena);
}

const char *heedi_offer_reasons(struct heedi_offer *offer, uint32_t index, uint32_t devices) {
    const size_t bytes =
        devices * (HEEDI_PLUGIN_NAME_BYTES + sizeof offer->claims->reason + sizeof ": ; ") + 1;
    char *text = heedi_arena_alloc(&offer->arena, bytes, 1);
    size_t used = 0;
    for (uint32_t d = 0; text != NULL && d < devices; d++) {
        const struct heed_claim *claim = heedi_offer_claim(offer, d, index);
        const char *reason = claim->verdict == HEED_VERDICT_NO
                                 ? claim->reason
                                 : "does not run every node of the same state";
        used += (size_t)snprintf(text + used, bytes - used, "%s%s: %s", used > 0 ? "; " : "",
                                 offer->engine->devices[d]->backend.name, reason);
    }
    return text;
}
