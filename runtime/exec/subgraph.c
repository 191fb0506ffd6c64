/* SPDX-License-Identifier: Apache-2.0 */
/* Describing nodes of a graph to a plugin. */
#include "runtime/exec/subgraph.h"

#include <string.h>

uint64_t heedi_storage_bytes(const struct heed_tensor_desc *desc) {
    return (uint64_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
}

struct builder {
    const struct heed_graph *graph;
    struct heedi_subgraph *subgraph;
    int32_t *local; /* index in the sub-graph + 1, per tensor of the graph; 0: not in it */
    const int32_t *part_of_node;
    int32_t part;
};

/* The index of a tensor in the sub-graph; its storage owner comes first. */
static int32_t add_tensor(struct builder *builder, heed_tensor tensor) {
    struct heedi_subgraph *subgraph = builder->subgraph;
    if (builder->local[tensor] > 0)
        return builder->local[tensor] - 1;
    const struct heedi_tensor *from = &builder->graph->tensors[tensor];
    const struct heedi_tensor *owner = &builder->graph->tensors[from->storage];
    const int32_t storage = from->storage != tensor ? add_tensor(builder, from->storage) : -1;
    const int32_t index = (int32_t)subgraph->view.tensor_count++;
    builder->local[tensor] = index + 1;
    subgraph->origins[index] = tensor;
    subgraph->tensors[index] = (struct heed_subgraph_tensor){
        .struct_size = (uint32_t)sizeof *subgraph->tensors,
        .role = owner->kind == HEEDI_TENSOR_CONSTANT ? HEED_ROLE_CONSTANT
                : owner->kind == HEEDI_TENSOR_STATE  ? HEED_ROLE_STATE
                                                     : HEED_ROLE_INTERNAL,
        .name = from->name,
        .desc = from->desc,
        .storage = storage >= 0 ? storage : index,
        .binding = -1,
        .offset_elems = from->offset_elems,
        .bound = from->bound,
        .arena_offset_bytes = -1,
        .first_node = -1,
        .last_node = -1,
    };
    if (owner->kind == HEEDI_TENSOR_CONSTANT) {
        subgraph->tensors[index].weight_id = owner->weight->id;
        subgraph->tensors[index].data = owner->weight->data;
    }
    return index;
}

static void add_node(struct builder *builder, uint32_t graph_node) {
    struct heedi_subgraph *subgraph = builder->subgraph;
    const struct heedi_node *from = &builder->graph->nodes[graph_node];
    const int32_t index = (int32_t)subgraph->view.node_count++;
    struct heed_subgraph_node *node = &subgraph->nodes[index];
    *node = (struct heed_subgraph_node){
        .struct_size = (uint32_t)sizeof *node,
        .op = from->op,
        .op_version = 1,
        .graph_node = graph_node,
        .name = from->name,
        .attrs = from->attrs,
        .attrs_size = from->attrs_size,
        .input_count = from->input_count,
        .output_count = from->output_count,
    };
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        node->inputs[i] = i < from->input_count && from->inputs[i] != HEED_NO_TENSOR
                              ? add_tensor(builder, from->inputs[i])
                              : -1;
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++)
        node->outputs[i] = i < from->output_count ? add_tensor(builder, from->outputs[i]) : -1;
}

/* Marks a storage as alive at a node of the sub-graph. */
static void touch(struct heedi_subgraph *subgraph, int32_t tensor, int32_t node) {
    if (tensor < 0)
        return;
    struct heed_subgraph_tensor *owner = &subgraph->tensors[subgraph->tensors[tensor].storage];
    if (owner->role != HEED_ROLE_INTERNAL)
        return;
    if (owner->first_node < 0)
        owner->first_node = node;
    owner->last_node = node;
}

static void find_liveness(struct heedi_subgraph *subgraph) {
    for (uint32_t n = 0; n < subgraph->view.node_count; n++) {
        const struct heed_subgraph_node *node = &subgraph->nodes[n];
        for (uint32_t i = 0; i < node->input_count; i++)
            touch(subgraph, node->inputs[i], (int32_t)n);
        for (uint32_t i = 0; i < node->output_count; i++)
            touch(subgraph, node->outputs[i], (int32_t)n);
    }
}

/* Finds the storages that this part makes and that another part or the caller reads. */
static void mark_outputs(struct builder *builder) {
    const struct heed_graph *graph = builder->graph;
    struct heed_subgraph_tensor *tensors = builder->subgraph->tensors;
    for (int32_t t = 0; t < graph->tensor_count; t++) {
        const int32_t local = builder->local[graph->tensors[t].storage];
        if (local > 0 && graph->tensors[t].output_name != NULL &&
            tensors[local - 1].role == HEED_ROLE_INTERNAL)
            tensors[local - 1].role = HEED_ROLE_OUTPUT;
    }
    for (int32_t n = 0; n < graph->node_count; n++) {
        const struct heedi_node *node = &graph->nodes[n];
        if (node->view || node->dead || builder->part_of_node[n] == builder->part)
            continue;
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (node->inputs[i] == HEED_NO_TENSOR)
                continue;
            const int32_t local = builder->local[graph->tensors[node->inputs[i]].storage];
            if (local > 0 && tensors[local - 1].role == HEED_ROLE_INTERNAL)
                tensors[local - 1].role = HEED_ROLE_OUTPUT;
        }
    }
}

/* Roles and bindings as the part sees them. */
static void find_boundary(struct builder *builder) {
    struct heedi_subgraph *subgraph = builder->subgraph;
    mark_outputs(builder);
    for (uint32_t t = 0; t < subgraph->view.tensor_count; t++) {
        struct heed_subgraph_tensor *tensor = &subgraph->tensors[t];
        if (tensor->storage != (int32_t)t)
            continue;
        const struct heedi_tensor *from = &builder->graph->tensors[subgraph->origins[t]];
        const bool made_here =
            from->producer >= 0 && builder->part_of_node[from->producer] == builder->part;
        if ((tensor->role == HEED_ROLE_INTERNAL || tensor->role == HEED_ROLE_OUTPUT) && !made_here)
            tensor->role = HEED_ROLE_INPUT;
        if (tensor->role == HEED_ROLE_INTERNAL || tensor->role == HEED_ROLE_CONSTANT)
            continue;
        tensor->binding = (int32_t)subgraph->view.binding_count;
        subgraph->bindings[subgraph->view.binding_count++] =
            (struct heedi_binding){(enum heed_role)tensor->role, subgraph->origins[t]};
    }
    for (uint32_t t = 0; t < subgraph->view.tensor_count; t++) {
        const struct heed_subgraph_tensor *owner = &subgraph->tensors[subgraph->tensors[t].storage];
        subgraph->tensors[t].role = owner->role;
        subgraph->tensors[t].binding = owner->binding;
    }
}

enum heed_status heedi_subgraph_create(struct heed_context *context, const struct heed_graph *graph,
                                       const uint32_t *nodes, uint32_t count,
                                       const int32_t *part_of_node, int32_t part,
                                       struct heedi_subgraph *subgraph) {
    memset(subgraph, 0, sizeof *subgraph);
    heedi_arena_init(&subgraph->arena, &context->env);
    const size_t tensors = (size_t)graph->tensor_count;
    struct builder builder = {graph, subgraph, NULL, part_of_node, part};
    builder.local = heedi_arena_alloc(&subgraph->arena, tensors, sizeof *builder.local);
    subgraph->tensors = heedi_arena_alloc(&subgraph->arena, tensors, sizeof *subgraph->tensors);
    subgraph->origins = heedi_arena_alloc(&subgraph->arena, tensors, sizeof *subgraph->origins);
    subgraph->bindings = heedi_arena_alloc(&subgraph->arena, tensors, sizeof *subgraph->bindings);
    subgraph->nodes = heedi_arena_alloc(&subgraph->arena, count, sizeof *subgraph->nodes);
    if (builder.local == NULL || subgraph->tensors == NULL || subgraph->origins == NULL ||
        subgraph->bindings == NULL || subgraph->nodes == NULL) {
        heedi_subgraph_clear(subgraph);
        return heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY,
                          "out of memory while describing %u nodes of graph '%s'", count,
                          graph->name);
    }
    for (uint32_t i = 0; i < count; i++)
        add_node(&builder, nodes[i]);
    if (part_of_node != NULL)
        find_boundary(&builder);
    find_liveness(subgraph);

    struct heed_subgraph *view = &subgraph->view;
    view->struct_size = (uint32_t)sizeof *view;
    view->tensors = subgraph->tensors;
    view->tensor_stride = sizeof *subgraph->tensors;
    view->nodes = subgraph->nodes;
    view->node_stride = sizeof *subgraph->nodes;
    view->arena_alignment = 64;
    view->name = graph->name;
    return HEED_OK;
}

enum heed_status heedi_subgraph_plan(struct heed_context *context, struct heedi_subgraph *subgraph,
                                     uint32_t alignment, struct heedi_plan *plan) {
    struct heed_subgraph *view = &subgraph->view;
    struct heedi_plan_item *items =
        heedi_arena_alloc(&subgraph->arena, view->tensor_count, sizeof *items);
    if (items == NULL)
        return heedi_fail_memory(context, "a memory plan", view->tensor_count * sizeof *items);
    uint32_t count = 0;
    for (uint32_t t = 0; t < view->tensor_count; t++) {
        const struct heed_subgraph_tensor *tensor = &subgraph->tensors[t];
        if (tensor->role == HEED_ROLE_INTERNAL && tensor->storage == (int32_t)t)
            items[count++] = (struct heedi_plan_item){.bytes = heedi_storage_bytes(&tensor->desc),
                                                      .first = tensor->first_node,
                                                      .last = tensor->last_node};
    }
    const enum heed_status status = heedi_plan_memory(context, items, count, alignment, plan);
    if (status != HEED_OK)
        return status;
    count = 0;
    for (uint32_t t = 0; t < view->tensor_count; t++) {
        struct heed_subgraph_tensor *tensor = &subgraph->tensors[t];
        if (tensor->role == HEED_ROLE_INTERNAL && tensor->storage == (int32_t)t)
            tensor->arena_offset_bytes = (int64_t)items[count++].offset;
    }
    view->arena_bytes = plan->arena_bytes;
    view->arena_alignment = alignment;
    return HEED_OK;
}

void heedi_subgraph_clear(struct heedi_subgraph *subgraph) {
    heedi_arena_clear(&subgraph->arena);
    memset(subgraph, 0, sizeof *subgraph);
}
