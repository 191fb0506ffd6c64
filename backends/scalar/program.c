/* SPDX-License-Identifier: Apache-2.0 */
/* From a sub-graph to a program: which nodes can be run, and by which kernel. Query and compile
 * look at a node through the same function, so what was claimed can be compiled. */
#include <stdio.h>
#include <string.h>

#include "scalar.h"

const struct scalar_kernel heedi_scalar_kernels[SCALAR_KERNEL_COUNT] = {
#define KERNEL(ID, function) [SCALAR_##ID] = {#function, function},
#include "kernels.inc"
#undef KERNEL
};

static const struct scalar_operator *const operators[HEED_OP_COUNT_PLUS_ONE] = {
    [HEED_OP_MATMUL] = &heedi_scalar_matmul,
    [HEED_OP_ATTENTION] = &heedi_scalar_attention,
    [HEED_OP_SOFTMAX] = &heedi_scalar_softmax,
    [HEED_OP_LOG_SOFTMAX] = &heedi_scalar_log_softmax,
    [HEED_OP_LAYER_NORM] = &heedi_scalar_layer_norm,
    [HEED_OP_ADD] = &heedi_scalar_binary,
    [HEED_OP_MUL] = &heedi_scalar_binary,
    [HEED_OP_SCALE] = &heedi_scalar_scale,
    [HEED_OP_RELU] = &heedi_scalar_unary,
    [HEED_OP_GELU] = &heedi_scalar_gelu,
    [HEED_OP_SILU] = &heedi_scalar_unary,
    [HEED_OP_TANH] = &heedi_scalar_unary,
    [HEED_OP_SIGMOID] = &heedi_scalar_unary,
    [HEED_OP_EMBEDDING] = &heedi_scalar_embedding,
    [HEED_OP_POSITIONS] = &heedi_scalar_positions,
    [HEED_OP_CONCAT] = &heedi_scalar_concat,
    [HEED_OP_COPY] = &heedi_scalar_copy,
    [HEED_OP_CAST] = &heedi_scalar_cast,
    [HEED_OP_ARGMAX] = &heedi_scalar_argmax,
    [HEED_OP_TOP_K] = &heedi_scalar_top_k,
    [HEED_OP_CACHE_APPEND] = &heedi_scalar_cache_append,
    [HEED_OP_GATHER_ROWS] = &heedi_scalar_gather_rows,
};

/* Reads entry `index` of the sub-graph's tensors. NULL or what is wrong with it. */
static const char *read_tensor(const struct heed_subgraph *subgraph, int32_t index,
                               struct heed_subgraph_tensor *tensor) {
    if (index < 0 || (uint32_t)index >= subgraph->tensor_count)
        return "a tensor index is out of range";
    const struct heed_subgraph_tensor *given = heed_subgraph_tensor_at(subgraph, index);
    if (!heedi_scalar_read(tensor, sizeof *tensor, given, given->struct_size))
        return "a tensor holds a field that this version does not know";
    if (heed_dtype_bytes(tensor->desc.dtype) == 0)
        return "a tensor has an element type that this version does not know";
    if (tensor->desc.rank > HEED_MAX_RANK)
        return "a tensor has more dimensions than this version knows";
    if (tensor->storage < 0 || (uint32_t)tensor->storage >= subgraph->tensor_count)
        return "the storage of a tensor is out of range";
    return NULL;
}

static const char *accept_tensors(const struct heed_subgraph *subgraph, const int32_t *indices,
                                  uint32_t count, struct scalar_tensor *tensors) {
    for (uint32_t i = 0; i < count; i++) {
        struct heed_subgraph_tensor tensor;
        tensors[i].storage = -1;
        if (indices[i] < 0)
            continue;
        const char *reason = read_tensor(subgraph, indices[i], &tensor);
        if (reason != NULL)
            return reason;
        if (tensor.desc.dtype == HEED_Q8_0 && tensor.role != HEED_ROLE_CONSTANT)
            return "only constants may be q8_0";
        tensors[i].desc = tensor.desc;
        tensors[i].storage = tensor.storage;
        tensors[i].offset_bytes =
            tensor.offset_elems * (int64_t)heed_dtype_bytes(tensor.desc.dtype);
    }
    return NULL;
}

/* Fills *node from entry `index` of the sub-graph. NULL if it can be run, else why not. */
static const char *accept(const struct heed_subgraph *subgraph, uint32_t index,
                          struct scalar_node *node) {
    memset(node, 0, sizeof *node);
    const struct heed_subgraph_node *entry = heed_subgraph_node_at(subgraph, index);
    struct heed_subgraph_node given;
    if (!heedi_scalar_read(&given, sizeof given, entry, entry->struct_size))
        return "the node holds a field that this version does not know";
    const struct scalar_operator *operator_ =
        given.op < HEED_OP_COUNT_PLUS_ONE ? operators[given.op] : NULL;
    if (operator_ == NULL)
        return "unknown operator";
    if (given.op_version != 1)
        return "unknown version of the operator";
    if (given.input_count > HEED_MAX_INPUTS || given.output_count > HEED_MAX_OUTPUTS)
        return "more inputs or outputs than this version knows";
    if (given.attrs == NULL ? operator_->attrs_size > 0 : given.attrs_size < sizeof(uint32_t))
        return "the attributes are missing";
    if (given.attrs != NULL &&
        !heedi_scalar_read(&node->attrs, operator_->attrs_size, given.attrs, given.attrs_size))
        return "the attributes hold a field that this version does not know";
    node->op = (enum heed_op)given.op;
    node->name = given.name != NULL ? given.name : "";
    node->input_count = given.input_count;
    node->output_count = given.output_count;
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        node->in[i].storage = -1;
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++)
        node->out[i].storage = -1;
    const char *reason = accept_tensors(subgraph, given.inputs, given.input_count, node->in);
    if (reason == NULL)
        reason = accept_tensors(subgraph, given.outputs, given.output_count, node->out);
    if (reason != NULL)
        return reason;
    if (!heedi_scalar_present(&node->out[0]) ||
        (node->op != HEED_OP_POSITIONS && !heedi_scalar_present(&node->in[0])))
        return "the first input or output is missing";
    for (uint32_t i = 0; i < node->output_count; i++)
        if (heedi_scalar_present(&node->out[i]) && node->op != HEED_OP_CACHE_APPEND &&
            !heed_desc_contiguous(&node->out[i].desc))
            return "an output is not contiguous";
    return operator_->accept(node);
}

/* Copies the fixed part of a sub-graph, refusing what this version cannot know. */
static enum heed_status read_subgraph(struct heed_subgraph *known,
                                      const struct heed_subgraph *subgraph,
                                      struct heed_error *error) {
    if (!heedi_scalar_read(known, sizeof *known, subgraph, subgraph->struct_size))
        return heedi_scalar_fail(error, HEED_ERROR_UNSUPPORTED,
                                 "scalar: the sub-graph holds a field that this version does not "
                                 "know");
    if ((known->node_count > 0 && (known->nodes == NULL || known->node_stride < 4)) ||
        (known->tensor_count > 0 && (known->tensors == NULL || known->tensor_stride < 4)) ||
        known->tensor_count > INT32_MAX)
        return heedi_scalar_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "scalar: the sub-graph's arrays are missing or malformed");
    return HEED_OK;
}

enum heed_status heedi_scalar_query(struct heed_plugin *plugin,
                                    const struct heed_subgraph *subgraph, struct heed_claim *claims,
                                    size_t stride, struct heed_error *error) {
    (void)plugin;
    struct heed_subgraph known;
    const enum heed_status status = read_subgraph(&known, subgraph, error);
    if (status != HEED_OK)
        return status;
    for (uint32_t i = 0; i < known.node_count; i++) {
        struct scalar_node node;
        struct heed_claim claim;
        struct heed_claim *target = (void *)((char *)claims + (size_t)i * stride);
        const char *reason = accept(&known, i, &node);
        memset(&claim, 0, sizeof claim);
        claim.struct_size = target->struct_size;
        claim.verdict = reason == NULL ? HEED_VERDICT_YES : HEED_VERDICT_NO;
        if (reason != NULL)
            snprintf(claim.reason, sizeof claim.reason, "%s", reason);
        memcpy(target, &claim, claim.struct_size < sizeof claim ? claim.struct_size : sizeof claim);
    }
    return HEED_OK;
}

static enum heed_status compile_nodes(struct heed_plugin *plugin,
                                      const struct heed_subgraph *subgraph,
                                      struct heed_plugin_program *program,
                                      struct heed_error *error) {
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        struct scalar_node *node = &program->nodes[i];
        const char *reason = accept(subgraph, i, node);
        program->node_count = i + 1;
        if (reason != NULL)
            return heedi_scalar_fail(error, HEED_ERROR_UNSUPPORTED, "scalar: node %u (%s): %s",
                                     (unsigned)i, node->name != NULL ? node->name : "", reason);
        if (operators[node->op]->prepare != NULL) {
            const enum heed_status status =
                operators[node->op]->prepare(plugin, subgraph, node, error);
            if (status != HEED_OK)
                return status;
        }
        if (node->scratch_bytes > program->scratch_bytes)
            program->scratch_bytes = node->scratch_bytes;
    }
    return HEED_OK;
}

/* Where each storage owner's memory comes from: constants, the arena, or a binding. */
static enum heed_status compile_storages(const struct heed_subgraph *subgraph,
                                         struct heed_plugin_program *program,
                                         struct heed_error *error) {
    for (uint32_t i = 0; i < program->binding_count; i++)
        program->bindings[i].tensor = -1;
    for (uint32_t i = 0; i < subgraph->tensor_count; i++) {
        struct heed_subgraph_tensor tensor;
        struct scalar_storage *storage = &program->storages[i];
        const char *reason = read_tensor(subgraph, (int32_t)i, &tensor);
        *storage = (struct scalar_storage){.arena_offset_bytes = -1, .binding = -1};
        if (reason != NULL)
            return heedi_scalar_fail(error, HEED_ERROR_UNSUPPORTED, "scalar: tensor %u: %s",
                                     (unsigned)i, reason);
        if (tensor.storage != (int32_t)i)
            continue;
        switch ((enum heed_role)tensor.role) {
        case HEED_ROLE_CONSTANT:
            storage->constant = tensor.data;
            continue;
        case HEED_ROLE_INTERNAL:
            if (tensor.arena_offset_bytes >= 0 &&
                (uint64_t)tensor.arena_offset_bytes <= subgraph->arena_bytes)
                storage->arena_offset_bytes = tensor.arena_offset_bytes;
            continue;
        case HEED_ROLE_INPUT:
        case HEED_ROLE_OUTPUT:
        case HEED_ROLE_STATE:
            break;
        }
        if (tensor.role > HEED_ROLE_STATE || tensor.binding < 0 ||
            (uint32_t)tensor.binding >= program->binding_count)
            return heedi_scalar_fail(error, HEED_ERROR_UNSUPPORTED,
                                     "scalar: tensor %u has role %u and binding %d, which this "
                                     "version does not know",
                                     (unsigned)i, (unsigned)tensor.role, (int)tensor.binding);
        storage->binding = tensor.binding;
        program->bindings[tensor.binding] = (struct scalar_binding){
            .tensor = (int32_t)i, .role = tensor.role, .desc = tensor.desc, .name = tensor.name};
    }
    return HEED_OK;
}

/* A node may only touch memory that exists when it runs. */
static enum heed_status check_storages(const struct heed_plugin_program *program,
                                       struct heed_error *error) {
    for (uint32_t i = 0; i < program->node_count; i++) {
        const struct scalar_node *node = &program->nodes[i];
        for (uint32_t j = 0; j < HEED_MAX_INPUTS + HEED_MAX_OUTPUTS; j++) {
            const struct scalar_tensor *tensor =
                j < HEED_MAX_INPUTS ? &node->in[j] : &node->out[j - HEED_MAX_INPUTS];
            if (!heedi_scalar_present(tensor) || heed_desc_elems(&tensor->desc) == 0)
                continue;
            const struct scalar_storage *storage = &program->storages[tensor->storage];
            if (storage->constant == NULL && storage->binding < 0 &&
                storage->arena_offset_bytes < 0)
                return heedi_scalar_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                         "scalar: node %u (%s) uses tensor %d, which has no memory",
                                         (unsigned)i, node->name, (int)tensor->storage);
        }
    }
    return HEED_OK;
}

enum heed_status heedi_scalar_compile(struct heed_plugin *plugin,
                                      const struct heed_subgraph *subgraph,
                                      struct heed_plugin_program **program,
                                      struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    struct heed_subgraph known;
    *program = NULL;
    enum heed_status status = read_subgraph(&known, subgraph, error);
    if (status != HEED_OK)
        return status;
    struct heed_plugin_program *made = heedi_scalar_calloc(host, 1, sizeof *made);
    if (made == NULL)
        return heedi_scalar_fail(error, HEED_ERROR_OUT_OF_MEMORY, "scalar: out of memory");
    made->host = host;
    made->tensor_count = known.tensor_count;
    made->binding_count = known.binding_count;
    made->arena_bytes = (size_t)known.arena_bytes;
    made->arena_alignment = known.arena_alignment > 64 ? known.arena_alignment : 64;
    made->nodes = heedi_scalar_calloc(host, known.node_count, sizeof *made->nodes);
    made->storages = heedi_scalar_calloc(host, known.tensor_count, sizeof *made->storages);
    made->bindings = heedi_scalar_calloc(host, known.binding_count, sizeof *made->bindings);
    if (made->nodes == NULL || made->storages == NULL || made->bindings == NULL) {
        status = heedi_scalar_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                   "scalar: out of memory for a program of %u nodes",
                                   (unsigned)known.node_count);
        goto fail;
    }
    status = compile_nodes(plugin, &known, made, error);
    if (status == HEED_OK)
        status = compile_storages(&known, made, error);
    if (status == HEED_OK)
        status = check_storages(made, error);
    if (status != HEED_OK)
        goto fail;
    *program = made;
    return HEED_OK;

fail:
    heedi_scalar_program_destroy(made);
    return status;
}

void heedi_scalar_program_destroy(struct heed_plugin_program *program) {
    if (program == NULL)
        return;
    const struct heed_host *host = program->host;
    for (uint32_t i = 0; program->nodes != NULL && i < program->node_count; i++) {
        if (program->nodes[i].prepared != NULL)
            host->prepared_release(host->handle, program->nodes[i].prepared);
        heedi_scalar_free(host, program->nodes[i].table);
    }
    heedi_scalar_free(host, program->nodes);
    heedi_scalar_free(host, program->storages);
    heedi_scalar_free(host, program->bindings);
    heedi_scalar_free(host, program);
}
