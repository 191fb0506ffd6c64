/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a sub-graph that may come from an older or a newer host, and answering a query. */
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

const char *heedi_common_node(const struct heed_subgraph *subgraph, uint32_t index,
                              struct heed_subgraph_node *node) {
    const struct heed_subgraph_node *given = heed_subgraph_node_at(subgraph, index);
    if (!heedi_common_read(node, sizeof *node, given, given->struct_size))
        return "the node holds a field that this version does not know";
    if (node->op >= HEED_OP_COUNT_PLUS_ONE)
        return "unknown operator";
    if (node->op_version != 1)
        return "unknown version of the operator";
    if (node->input_count > HEED_MAX_INPUTS || node->output_count > HEED_MAX_OUTPUTS)
        return "more inputs or outputs than this version knows";
    if (node->name == NULL)
        node->name = "";
    return NULL;
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
        uint32_t contiguous = 0;
        const char *reason = accept(plugin, &known, i, &contiguous);
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
