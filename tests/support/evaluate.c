/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a frozen graph with the operators' references. */
#include "tests/support/evaluate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "runtime/check/case.h"
#include "runtime/ops/op.h"

static void *take(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (memory == NULL)
        fail_msg("out of memory");
    return memory;
}

static const void *first_element(const struct evaluation *run, heed_tensor tensor) {
    const struct heedi_tensor *it = &run->graph->tensors[tensor];
    const unsigned char *storage = run->storage[it->storage];
    return storage + (size_t)it->offset_elems * heed_dtype_bytes(it->desc.dtype);
}

static void compute(const struct evaluation *run, const struct heedi_node *node) {
    struct heed_error error = {.struct_size = (uint32_t)sizeof error};
    struct heedi_call call = {.op = node->op,
                              .name = node->name,
                              .attrs = node->attrs,
                              .input_count = node->input_count,
                              .error = &error};
    struct heedi_reference reference = {.call = &call};
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HEED_NO_TENSOR)
            continue;
        call.inputs[i] = &run->graph->tensors[node->inputs[i]].desc;
        call.input_names[i] = run->graph->tensors[node->inputs[i]].name;
        reference.data[i] = first_element(run, node->inputs[i]);
    }
    if (heedi_op_infer(&call) != HEED_OK)
        fail_msg("%s", error.message);
    for (uint32_t i = 0; i < call.output_count; i++)
        reference.out[i] = take((size_t)heed_desc_elems(&call.outputs[i]), sizeof(double));
    heedi_op_find(node->op)->reference(&reference);
    for (uint32_t i = 0; i < call.output_count; i++) {
        const struct heedi_tensor *made = &run->graph->tensors[node->outputs[i]];
        assert_memory_equal(&made->desc, &call.outputs[i], sizeof made->desc);
        for (int64_t e = 0; e < heed_desc_elems(&made->desc); e++)
            heedi_store(run->storage[made->storage], made->desc.dtype, e, reference.out[i][e]);
        free(reference.out[i]);
    }
}

void evaluate_begin(struct evaluation *run, const struct heed_graph *graph,
                    const void *const *inputs) {
    run->graph = graph;
    run->storage = take((size_t)graph->tensor_count, sizeof *run->storage);
    for (int32_t i = 0; i < graph->tensor_count; i++) {
        const struct heedi_tensor *tensor = &graph->tensors[i];
        const size_t elems = (size_t)heed_desc_elems(&tensor->desc);
        const size_t size = heed_dtype_bytes(tensor->desc.dtype);
        if (tensor->storage != i)
            continue;
        run->storage[i] = take(elems, size);
        if (tensor->kind == HEEDI_TENSOR_INPUT)
            memcpy(run->storage[i], *inputs++, elems * size);
        else if (tensor->kind == HEEDI_TENSOR_CONSTANT)
            memcpy(run->storage[i], tensor->weight->data, elems * size);
    }
    for (int32_t n = 0; n < graph->node_count; n++)
        if (!graph->nodes[n].view && !graph->nodes[n].dead)
            compute(run, &graph->nodes[n]);
}

void evaluate_end(struct evaluation *run) {
    for (int32_t i = 0; i < run->graph->tensor_count; i++)
        free(run->storage[i]);
    free(run->storage);
}

heed_tensor evaluate_find(const struct heed_graph *graph, const char *output) {
    for (int32_t i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i].output_name != NULL &&
            strcmp(graph->tensors[i].output_name, output) == 0)
            return i;
    fail_msg("the graph has no output %s", output);
    return HEED_NO_TENSOR;
}

double evaluate_element(const struct evaluation *run, heed_tensor tensor, int64_t index) {
    const struct heed_tensor_desc *desc = &run->graph->tensors[tensor].desc;
    int64_t offset = 0;
    for (uint32_t i = desc->rank; i-- > 0;) {
        offset += index % desc->dims[i] * desc->strides[i];
        index /= desc->dims[i];
    }
    return heedi_load(first_element(run, tensor), desc->dtype, offset);
}

struct heed_graph *evaluate_lowered(struct heed_context *context, struct heed_graph *graph,
                                    enum heed_op op) {
    struct heed_graph *lowered = NULL;
    unsigned char *lower = take((size_t)graph->node_count, 1);
    for (int32_t n = 0; n < graph->node_count; n++)
        lower[n] = graph->nodes[n].op == op;
    const enum heed_status status = heedi_graph_rewrite(context, graph, lower, NULL, &lowered);
    free(lower);
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
    /* what replaces a node has a longer name, "node/part", and may be of the same operator */
    for (int32_t n = 0; n < graph->node_count; n++)
        for (int32_t m = 0; graph->nodes[n].op == op && m < lowered->node_count; m++)
            assert_string_not_equal(graph->nodes[n].name, lowered->nodes[m].name);
    return lowered;
}
