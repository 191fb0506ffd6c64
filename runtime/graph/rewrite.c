/* SPDX-License-Identifier: Apache-2.0 */
/* Rewriting a frozen graph between two rounds of offering it to backends: composite nodes are
 * replaced by their lowering, inputs are made contiguous. The new graph is built by the same
 * checked functions as any other. */
#include "runtime/graph/graph.h"
#include "runtime/ops/op.h"

struct rewrite {
    struct heed_context *context;
    const struct heed_graph *from;
    struct heed_graph *to;
    heed_tensor *map; /* tensor of `from` -> tensor of `to` */
};

static enum heed_status copy_leaves(struct rewrite *rewrite) {
    for (int32_t i = 0; i < rewrite->from->tensor_count; i++) {
        const struct heedi_tensor *tensor = &rewrite->from->tensors[i];
        const struct heed_tensor_desc *desc = &tensor->desc;
        heed_tensor *to = &rewrite->map[i];
        *to = HEED_NO_TENSOR;
        enum heed_status status = HEED_OK;
        switch (tensor->kind) {
        case HEEDI_TENSOR_INPUT:
            status = heed_graph_input(rewrite->to, tensor->name, desc->dtype, desc->rank,
                                      desc->dims, tensor->bound, to);
            break;
        case HEEDI_TENSOR_STATE:
            status = heed_graph_state(rewrite->to, tensor->name, desc->dtype, desc->rank,
                                      desc->dims, to);
            break;
        case HEEDI_TENSOR_CONSTANT:
            status = heed_graph_constant(rewrite->to, tensor->weight, to);
            break;
        case HEEDI_TENSOR_NODE:
            break;
        }
        if (status != HEED_OK)
            return status;
    }
    return HEED_OK;
}

static enum heed_status lower(struct rewrite *rewrite, const struct heedi_node *node,
                              const heed_tensor *inputs, heed_tensor *outputs) {
    const struct heedi_op *op = heedi_op_find(node->op);
    if (op->lower == NULL)
        return heedi_fail(rewrite->context, HEED_ERROR_UNSUPPORTED, "%s %s: has no lowering",
                          op->name, node->name);
    struct heedi_call call = {.op = node->op,
                              .name = node->name,
                              .attrs = node->attrs,
                              .input_count = node->input_count,
                              .output_count = node->output_count,
                              .error = &rewrite->context->error,
                              .context = rewrite->context};
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HEED_NO_TENSOR) {
            call.inputs[i] = &rewrite->from->tensors[node->inputs[i]].desc;
            call.input_names[i] = rewrite->from->tensors[node->inputs[i]].name;
        }
    for (uint32_t i = 0; i < node->output_count; i++)
        call.outputs[i] = rewrite->from->tensors[node->outputs[i]].desc;
    const struct heedi_env *env = &rewrite->context->env;
    char *scope = heedi_asprintf(env, "%s/", node->name);
    if (scope == NULL)
        return heedi_fail_memory(rewrite->context, "a scope", 1);
    heed_graph_scope(rewrite->to, scope);
    heedi_free(env, scope);
    const enum heed_status status = op->lower(rewrite->to, &call, inputs, outputs);
    heed_graph_scope(rewrite->to, NULL);
    return status != HEED_OK ? status : rewrite->to->status;
}

static enum heed_status copy_node(struct rewrite *rewrite, int32_t index, bool lowered,
                                  uint32_t contiguous) {
    const struct heedi_node *node = &rewrite->from->nodes[index];
    const int32_t first = rewrite->to->node_count;
    heed_tensor inputs[HEED_MAX_INPUTS];
    heed_tensor outputs[HEED_MAX_OUTPUTS] = {HEED_NO_TENSOR, HEED_NO_TENSOR};
    enum heed_status status = HEED_OK;
    for (uint32_t i = 0; i < node->input_count && status == HEED_OK; i++) {
        inputs[i] = HEED_NO_TENSOR;
        if (node->inputs[i] == HEED_NO_TENSOR)
            continue;
        inputs[i] = rewrite->map[node->inputs[i]];
        if (contiguous >> i & 1u)
            status = heed_graph_unary(rewrite->to, HEED_OP_COPY, NULL, inputs[i], &inputs[i]);
    }
    if (status != HEED_OK)
        return status;
    status = lowered ? lower(rewrite, node, inputs, outputs)
                     : heed_graph_add(rewrite->to, node->op, node->name, inputs, node->input_count,
                                      node->attrs, outputs);
    for (uint32_t i = 0; i < node->output_count && status == HEED_OK; i++) {
        rewrite->map[node->outputs[i]] = outputs[i];
        const char *name = rewrite->from->tensors[node->outputs[i]].output_name;
        if (name != NULL)
            status = heed_graph_output(rewrite->to, name, outputs[i]);
    }
    for (int32_t n = first; n < rewrite->to->node_count; n++)
        rewrite->to->nodes[n].origin = node->origin;
    return status;
}

enum heed_status heedi_graph_rewrite(struct heed_context *context, struct heed_graph *graph,
                                     const unsigned char *lower_node, const uint32_t *contiguous,
                                     struct heed_graph **rewritten) {
    *rewritten = NULL;
    struct rewrite rewrite = {.context = context, .from = graph};
    enum heed_status status = heed_graph_create(context, graph->name, &rewrite.to);
    if (status != HEED_OK)
        return status;
    rewrite.map = heedi_calloc(&context->env, (size_t)graph->tensor_count + 1, sizeof *rewrite.map);
    if (rewrite.map == NULL)
        status = heedi_fail_memory(context, "a map of tensors", (size_t)graph->tensor_count);
    if (status == HEED_OK)
        status = copy_leaves(&rewrite);
    for (int32_t n = 0; n < graph->node_count && status == HEED_OK; n++)
        if (!graph->nodes[n].dead)
            status = copy_node(&rewrite, n, lower_node != NULL && lower_node[n] != 0,
                               contiguous == NULL ? 0 : contiguous[n]);
    if (status == HEED_OK)
        status = heed_graph_freeze(rewrite.to);
    heedi_free(&context->env, rewrite.map);
    if (status != HEED_OK) {
        heed_graph_release(rewrite.to);
        return status;
    }
    *rewritten = rewrite.to;
    return HEED_OK;
}
