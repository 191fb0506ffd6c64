/* SPDX-License-Identifier: Apache-2.0 */
/* From a sub-graph to a program: which nodes can be run, and by which kernel. */
#include "cpu.h"

/* Notes the weight that a tensor is seen in. */
static const char *find_weight(const struct heed_subgraph *subgraph, struct cpu_tensor *tensor) {
    struct heed_subgraph_tensor storage;
    const char *reason = heedi_common_tensor(subgraph, tensor->storage, &storage);
    if (reason == NULL && storage.role == HEED_ROLE_CONSTANT &&
        storage.desc.dtype == tensor->desc.dtype && heed_desc_contiguous(&storage.desc)) {
        tensor->weight_id = storage.weight_id;
        tensor->weight = storage.desc;
    }
    return reason;
}

static const char *accept_tensors(const struct heed_subgraph *subgraph, const int32_t *indices,
                                  uint32_t count, struct cpu_tensor *tensors) {
    for (uint32_t i = 0; i < count; i++) {
        struct heed_subgraph_tensor tensor;
        tensors[i].storage = -1;
        if (indices[i] < 0)
            continue;
        const char *reason = heedi_common_tensor(subgraph, indices[i], &tensor);
        if (reason != NULL)
            return reason;
        if (tensor.desc.dtype == HEED_Q8_0 && tensor.role != HEED_ROLE_CONSTANT)
            return "only constants may be q8_0";
        tensors[i].desc = tensor.desc;
        tensors[i].role = tensor.role;
        tensors[i].storage = tensor.storage;
        tensors[i].offset_bytes =
            tensor.offset_elems * (int64_t)heed_dtype_bytes(tensor.desc.dtype);
        reason = find_weight(subgraph, &tensors[i]);
        if (reason != NULL)
            return reason;
    }
    return NULL;
}

static const char *accept(const struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                          uint32_t index, const struct heed_subgraph_node *given,
                          struct heed_plugin_program *program, uint32_t *contiguous) {
    struct cpu_node alone, *node = program != NULL ? &program->nodes[index] : &alone;
    const struct cpu_operator *operator_ = plugin->backend->operators[given->op];
    if (operator_ == NULL)
        return "the operator is left to other backends";
    *node = (struct cpu_node){.plugin = plugin,
                              .op = (enum heed_op)given->op,
                              .name = given->name,
                              .input_count = given->input_count,
                              .output_count = given->output_count};
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        node->in[i].storage = -1;
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++)
        node->out[i].storage = -1;
    const char *reason = heedi_common_attrs(&node->attrs, operator_->attrs_size, given);
    if (reason == NULL)
        reason = accept_tensors(subgraph, given->inputs, given->input_count, node->in);
    if (reason == NULL)
        reason = accept_tensors(subgraph, given->outputs, given->output_count, node->out);
    if (reason == NULL)
        reason = operator_->accept(node);
    *contiguous = node->contiguous;
    return reason;
}

enum heed_status heedi_cpu_query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                 struct heed_claim *claims, size_t stride,
                                 struct heed_error *error) {
    return heedi_common_query(plugin, subgraph, claims, stride, accept, error);
}

static enum heed_status prepare_nodes(struct heed_plugin *plugin,
                                      struct heed_plugin_program *program,
                                      struct heed_error *error) {
    for (uint32_t i = 0; i < program->node_count; i++) {
        struct cpu_node *node = &program->nodes[i];
        const struct cpu_operator *operator_ = plugin->backend->operators[node->op];
        if (operator_->prepare == NULL)
            continue;
        const enum heed_status status = operator_->prepare(plugin, node, error);
        if (status != HEED_OK)
            return status;
        node->scratch_bytes = (node->scratch_bytes + 63) / 64 * 64;
    }
    return HEED_OK;
}

/* Cuts the nodes into steps; the nodes of a step have their scratch side by side. */
static void make_steps(const struct cpu_backend *backend, struct heed_plugin_program *program) {
    for (uint32_t i = 0; i < program->node_count; i++)
        for (uint32_t j = 0; j < program->nodes[i].input_count; j++)
            if (heedi_cpu_present(&program->nodes[i].in[j]))
                program->storages[program->nodes[i].in[j].storage].readers++;
    for (uint32_t i = 0; i < program->node_count;) {
        const struct cpu_step step =
            backend->fuse != NULL
                ? backend->fuse(program, i)
                : (struct cpu_step){.first = i, .count = 1, .kernel = program->nodes[i].kernel};
        size_t scratch_bytes = 0;
        for (uint32_t j = 0; j < step.count; j++)
            scratch_bytes += program->nodes[i + j].scratch_bytes;
        if (scratch_bytes > program->scratch_bytes)
            program->scratch_bytes = scratch_bytes;
        program->steps[program->step_count++] = step;
        i += step.count;
    }
}

/* Where each storage owner's memory comes from: constants, the arena, or a binding. */
static enum heed_status compile_storages(const struct heed_subgraph *subgraph,
                                         struct heed_plugin_program *program,
                                         struct heed_error *error) {
    for (uint32_t i = 0; i < program->binding_count; i++)
        program->bindings[i].tensor = -1;
    for (uint32_t i = 0; i < subgraph->tensor_count; i++) {
        struct heed_subgraph_tensor tensor;
        const enum heed_status status = heedi_common_storage(subgraph, i, &tensor, error);
        if (status != HEED_OK)
            return status;
        program->storages[i] = (struct cpu_storage){
            .arena_offset_bytes = tensor.arena_offset_bytes,
            .bytes = heed_desc_elems(&tensor.desc) * (int64_t)heed_dtype_bytes(tensor.desc.dtype),
            .binding = tensor.binding,
            .constant = tensor.data};
        if (tensor.binding >= 0)
            program->bindings[tensor.binding] = (struct cpu_binding){.tensor = (int32_t)i,
                                                                     .role = tensor.role,
                                                                     .desc = tensor.desc,
                                                                     .name = tensor.name};
    }
    return heedi_common_check_storages(subgraph, error);
}

enum heed_status heedi_cpu_compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                   struct heed_plugin_program **program, struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    struct heed_subgraph known;
    *program = NULL;
    enum heed_status status = heedi_common_subgraph(&known, subgraph, error);
    if (status != HEED_OK)
        return status;
    struct heed_plugin_program *made = heedi_common_calloc(host, 1, sizeof *made);
    if (made == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    made->host = host;
    made->node_count = known.node_count;
    made->tensor_count = known.tensor_count;
    made->binding_count = known.binding_count;
    made->arena_bytes = (size_t)known.arena_bytes;
    made->arena_alignment = known.arena_alignment > 64 ? known.arena_alignment : 64;
    made->nodes = heedi_common_calloc(host, known.node_count, sizeof *made->nodes);
    made->steps = heedi_common_calloc(host, known.node_count, sizeof *made->steps);
    made->storages = heedi_common_calloc(host, known.tensor_count, sizeof *made->storages);
    made->bindings = heedi_common_calloc(host, known.binding_count, sizeof *made->bindings);
    if (made->nodes == NULL || made->steps == NULL || made->storages == NULL ||
        made->bindings == NULL) {
        status = heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                   "out of memory for a program of %u nodes",
                                   (unsigned)known.node_count);
        goto fail;
    }
    status = heedi_common_accept(plugin, &known, accept, made, error);
    if (status == HEED_OK)
        status = compile_storages(&known, made, error);
    if (status == HEED_OK)
        status = prepare_nodes(plugin, made, error);
    if (status != HEED_OK)
        goto fail;
    make_steps(plugin->backend, made);
    *program = made;
    return HEED_OK;

fail:
    heedi_cpu_program_destroy(made);
    return status;
}

void heedi_cpu_program_destroy(struct heed_plugin_program *program) {
    if (program == NULL)
        return;
    const struct heed_host *host = program->host;
    for (uint32_t i = 0; program->nodes != NULL && i < program->node_count; i++) {
        if (program->nodes[i].prepared != NULL)
            host->prepared_release(host->handle, program->nodes[i].prepared);
        heedi_common_free(host, program->nodes[i].table);
    }
    heedi_common_free(host, program->nodes);
    heedi_common_free(host, program->steps);
    heedi_common_free(host, program->storages);
    heedi_common_free(host, program->bindings);
    heedi_common_free(host, program);
}
