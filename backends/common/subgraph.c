/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a sub-graph that may come from an older or a newer host. Query and compile look at a node
 * through the same function, so what was claimed can be compiled. */
#include <stdio.h>
#include <string.h>

#include "common.h"

enum heed_status heedi_common_subgraph(struct heed_subgraph *known,
                                       const struct heed_subgraph *subgraph,
                                       struct heed_error *error) {
    if (!heedi_common_read(known, sizeof *known, subgraph, subgraph->struct_size))
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "the sub-graph holds a field that this version does not know");
    if ((known->node_count > 0 && (known->nodes == NULL || known->node_stride < 4)) ||
        (known->tensor_count > 0 && (known->tensors == NULL || known->tensor_stride < 4)) ||
        known->tensor_count > INT32_MAX)
        return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "the sub-graph's arrays are missing or malformed");
    return HEED_OK;
}

const char *heedi_common_tensor(const struct heed_subgraph *subgraph, int32_t index,
                                struct heed_subgraph_tensor *tensor) {
    if (index < 0 || (uint32_t)index >= subgraph->tensor_count)
        return "a tensor index is out of range";
    const struct heed_subgraph_tensor *given = heed_subgraph_tensor_at(subgraph, index);
    if (!heedi_common_read(tensor, sizeof *tensor, given, given->struct_size))
        return "a tensor holds a field that this version does not know";
    if (heed_dtype_bytes(tensor->desc.dtype) == 0)
        return "a tensor has an element type that this version does not know";
    if (tensor->desc.rank > HEED_MAX_RANK)
        return "a tensor has more dimensions than this version knows";
    if (tensor->storage < 0 || (uint32_t)tensor->storage >= subgraph->tensor_count)
        return "the storage of a tensor is out of range";
    return NULL;
}

enum heed_status heedi_common_storage(const struct heed_subgraph *subgraph, uint32_t index,
                                      struct heed_subgraph_tensor *tensor,
                                      struct heed_error *error) {
    const char *reason = heedi_common_tensor(subgraph, (int32_t)index, tensor);
    if (reason != NULL)
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED, "tensor %u: %s", (unsigned)index,
                                 reason);
    const bool owner = tensor->storage == (int32_t)index;
    const uint64_t bytes =
        (uint64_t)heed_desc_elems(&tensor->desc) * heed_dtype_bytes(tensor->desc.dtype);
    const int32_t binding = tensor->binding;
    if (!owner || tensor->role != HEED_ROLE_CONSTANT)
        tensor->data = NULL;
    if (!owner || tensor->role != HEED_ROLE_INTERNAL || tensor->arena_offset_bytes < 0 ||
        (uint64_t)tensor->arena_offset_bytes + bytes > subgraph->arena_bytes)
        tensor->arena_offset_bytes = -1;
    tensor->binding = -1;
    if (!owner || tensor->role == HEED_ROLE_CONSTANT || tensor->role == HEED_ROLE_INTERNAL)
        return HEED_OK;
    if (tensor->role > HEED_ROLE_STATE || binding < 0 ||
        (uint32_t)binding >= subgraph->binding_count)
        return heedi_common_fail(
            error, HEED_ERROR_UNSUPPORTED,
            "tensor %u has role %u and binding %d, which this version does not know",
            (unsigned)index, (unsigned)tensor->role, (int)binding);
    tensor->binding = binding;
    return HEED_OK;
}

/* Entry `index` of a sub-graph's nodes. NULL, or what is wrong with it. */
static const char *read_node(const struct heed_subgraph *subgraph, uint32_t index,
                             struct heed_subgraph_node *node) {
    const struct heed_subgraph_node *given = heed_subgraph_node_at(subgraph, index);
    const bool known = heedi_common_read(node, sizeof *node, given, given->struct_size);
    if (node->name == NULL)
        node->name = "";
    if (!known)
        return "the node holds a field that this version does not know";
    if (node->op >= HEED_OP_COUNT_PLUS_ONE)
        return "unknown operator";
    if (node->op_version != 1)
        return "unknown version of the operator";
    if (node->input_count > HEED_MAX_INPUTS || node->output_count > HEED_MAX_OUTPUTS)
        return "more inputs or outputs than this version knows";
    if (node->input_count == 0 || node->inputs[0] < 0 || node->output_count == 0 ||
        node->outputs[0] < 0)
        return "the first input or output is missing";
    for (uint32_t i = 0; i < node->output_count; i++) {
        struct heed_subgraph_tensor output;
        if (node->outputs[i] < 0)
            continue;
        const char *reason = heedi_common_tensor(subgraph, node->outputs[i], &output);
        if (reason != NULL)
            return reason;
        if (node->op != HEED_OP_CACHE_APPEND && !heed_desc_contiguous(&output.desc))
            return "an output is not contiguous";
    }
    return NULL;
}

enum heed_status heedi_common_check_storages(const struct heed_subgraph *subgraph,
                                             struct heed_error *error) {
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        struct heed_subgraph_node node;
        read_node(subgraph, i, &node);
        for (uint32_t j = 0; j < node.input_count + node.output_count; j++) {
            const int32_t index =
                j < node.input_count ? node.inputs[j] : node.outputs[j - node.input_count];
            struct heed_subgraph_tensor tensor, owner;
            if (index < 0 || heedi_common_tensor(subgraph, index, &tensor) != NULL ||
                heed_desc_elems(&tensor.desc) == 0)
                continue;
            const enum heed_status status =
                heedi_common_storage(subgraph, (uint32_t)tensor.storage, &owner, error);
            if (status != HEED_OK)
                return status;
            if (owner.data == NULL && owner.binding < 0 && owner.arena_offset_bytes < 0)
                return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                         "node %u (%s) uses tensor %d, which has no memory",
                                         (unsigned)i, node.name, (int)tensor.storage);
        }
    }
    return HEED_OK;
}

const char *heedi_common_attrs(union heed_op_attrs *attrs, uint32_t bytes,
                               const struct heed_subgraph_node *node) {
    memset(attrs, 0, sizeof *attrs);
    if (node->attrs == NULL ? bytes > 0 : node->attrs_size < sizeof attrs->words[0])
        return "the attributes are missing";
    if (node->attrs != NULL && !heedi_common_read(attrs, bytes, node->attrs, node->attrs_size))
        return "the attributes hold a field that this version does not know";
    return NULL;
}

enum heed_status heedi_common_query(const struct heed_plugin *plugin,
                                    const struct heed_subgraph *subgraph, struct heed_claim *claims,
                                    size_t stride, heedi_common_accept_fn accept,
                                    struct heed_error *error) {
    struct heed_subgraph known;
    const enum heed_status status = heedi_common_subgraph(&known, subgraph, error);
    if (status != HEED_OK)
        return status;
    for (uint32_t i = 0; i < known.node_count; i++) {
        struct heed_claim *target = (void *)((char *)claims + (size_t)i * stride);
        struct heed_subgraph_node node;
        uint32_t contiguous = 0;
        const char *reason = read_node(&known, i, &node);
        if (reason == NULL)
            reason = accept(plugin, &known, i, &node, NULL, &contiguous);
        struct heed_claim claim;
        memset(&claim, 0, sizeof claim);
        claim.struct_size = target->struct_size;
        claim.verdict = reason != NULL    ? HEED_VERDICT_NO
                        : contiguous != 0 ? HEED_VERDICT_CONTIGUOUS
                                          : HEED_VERDICT_YES;
        claim.contiguous_inputs = reason == NULL ? contiguous : 0;
        if (reason != NULL)
            snprintf(claim.reason, sizeof claim.reason, "%s", reason);
        memcpy(target, &claim, claim.struct_size < sizeof claim ? claim.struct_size : sizeof claim);
    }
    return HEED_OK;
}

enum heed_status heedi_common_accept(const struct heed_plugin *plugin,
                                     const struct heed_subgraph *subgraph,
                                     heedi_common_accept_fn accept,
                                     struct heed_plugin_program *program,
                                     struct heed_error *error) {
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        struct heed_subgraph_node node;
        uint32_t contiguous = 0;
        const char *reason = read_node(subgraph, i, &node);
        if (reason == NULL)
            reason = accept(plugin, subgraph, i, &node, program, &contiguous);
        if (reason == NULL && contiguous != 0)
            reason = "an input is not contiguous";
        if (reason != NULL)
            return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED, "node %u (%s): %s", (unsigned)i,
                                     node.name, reason);
    }
    return HEED_OK;
}
