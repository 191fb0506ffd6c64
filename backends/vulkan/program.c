/* SPDX-License-Identifier: Apache-2.0 */
/* From a sub-graph to a program: which nodes can be run, where memory lies, and the dispatches.
 * Query and compile look at a node through the same function, so what was claimed can be compiled.
 */
#include <stdio.h>
#include <string.h>

#include "fuse.h"
#include "instance.h"

static uint64_t bytes_of(const struct heed_tensor_desc *desc) {
    return (uint64_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
}

static const char *accept_tensors(const struct heed_plugin *plugin,
                                  const struct heed_subgraph *subgraph, const int32_t *indices,
                                  uint32_t count, uint32_t cuts, struct vk_tensor *tensors) {
    for (uint32_t i = 0; i < count; i++) {
        struct heed_subgraph_tensor tensor, owner;
        if (indices[i] < 0)
            continue;
        const char *reason = heedi_common_tensor(subgraph, indices[i], &tensor);
        if (reason == NULL)
            reason = heedi_common_tensor(subgraph, tensor.storage, &owner);
        if (reason != NULL)
            return reason;
        /* shaders count elements in 32 bits */
        if (bytes_of(&owner.desc) > INT32_MAX || heed_desc_elems(&tensor.desc) > INT32_MAX)
            return "a tensor has too many elements for 32 bits";
        if (bytes_of(&owner.desc) > plugin->device.limits.allocation_bytes)
            return "a tensor is larger than what this device allocates";
        const bool cut = (cuts >> i & 1u) != 0 && tensor.role == HEED_ROLE_CONSTANT;
        if (bytes_of(&owner.desc) > plugin->device.limits.range_bytes && !cut)
            return "a tensor is larger than a storage buffer of this device";
        tensors[i] = (struct vk_tensor){.desc = tensor.desc,
                                        .role = tensor.role,
                                        .storage = tensor.storage,
                                        .owner_bytes = bytes_of(&owner.desc),
                                        .offset_elems = tensor.offset_elems,
                                        .bound = tensor.bound};
    }
    return NULL;
}

/* Fills *node from entry `index` of the sub-graph. NULL if it can be run, else why not. */
static const char *accept(const struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                          uint32_t index, struct vk_node *node) {
    memset(node, 0, sizeof *node);
    struct heed_subgraph_node given;
    const char *reason = heedi_common_node(subgraph, index, &given);
    if (reason != NULL)
        return reason;
    const struct vk_operator *operator_ = heedi_vk_operators[given.op];
    if (operator_ == NULL)
        return "the operator is left to other backends";
    reason = heedi_common_attrs(&node->attrs, operator_->attrs_size, &given);
    if (reason != NULL)
        return reason;
    node->plugin = plugin;
    node->op = (enum heed_op)given.op;
    node->name = given.name;
    node->input_count = given.input_count;
    node->output_count = given.output_count;
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        node->in[i].storage = -1;
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++)
        node->out[i].storage = -1;
    reason = accept_tensors(plugin, subgraph, given.inputs, given.input_count, operator_->cuts,
                            node->in);
    if (reason == NULL)
        reason = accept_tensors(plugin, subgraph, given.outputs, given.output_count, 0, node->out);
    if (reason != NULL)
        return reason;
    if (!heedi_vk_present(&node->out[0]) || !heedi_vk_present(&node->in[0]))
        return "the first input or output is missing";
    for (uint32_t i = 0; i < node->output_count; i++)
        if (heedi_vk_present(&node->out[i]) && node->op != HEED_OP_CACHE_APPEND &&
            !heed_desc_contiguous(&node->out[i].desc))
            return "an output is not contiguous";
    return operator_->accept(node);
}

static const char *accept_alone(const struct heed_plugin *plugin,
                                const struct heed_subgraph *subgraph, uint32_t index,
                                uint32_t *contiguous) {
    struct vk_node node;
    const char *reason = accept(plugin, subgraph, index, &node);
    *contiguous = node.contiguous;
    return reason;
}

enum heed_status heedi_vk_query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct heed_claim *claims, size_t stride,
                                struct heed_error *error) {
    return heedi_common_query(plugin, subgraph, claims, stride, accept_alone, error);
}

static enum heed_status accept_nodes(const struct heed_plugin *plugin,
                                     const struct heed_subgraph *subgraph,
                                     struct heed_plugin_program *program,
                                     struct heed_error *error) {
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        struct vk_node *node = &program->nodes[i];
        const char *reason = accept(plugin, subgraph, i, node);
        program->node_count = i + 1;
        if (reason == NULL && node->contiguous != 0)
            reason = "an input is not contiguous";
        if (reason != NULL)
            return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED, "node %u (%s): %s", (unsigned)i,
                                     node->name != NULL ? node->name : "", reason);
    }
    return HEED_OK;
}

uint64_t heedi_vk_alignment(const struct heed_plugin *plugin) {
    const uint64_t align = plugin->device.limits.align_bytes;
    return align > 64 ? align : 64;
}

int64_t heedi_vk_reserve(struct heed_plugin_program *program, uint64_t bytes) {
    const uint64_t align = heedi_vk_alignment(program->plugin);
    const uint64_t at = (program->instance_bytes + align - 1) / align * align;
    program->instance_bytes = at + bytes;
    return (int64_t)at;
}

static enum heed_status place(struct heed_plugin_program *program,
                              const struct heed_subgraph *subgraph, uint32_t index,
                              struct heed_error *error) {
    struct heed_subgraph_tensor tensor;
    struct vk_storage *storage = &program->storages[index];
    const char *reason = heedi_common_tensor(subgraph, (int32_t)index, &tensor);
    *storage =
        (struct vk_storage){.offset_bytes = -1, .binding = -1, .first_node = -1, .last_node = -1};
    if (reason != NULL)
        return heedi_common_fail(error, HEED_ERROR_UNSUPPORTED, "tensor %u: %s", (unsigned)index,
                                 reason);
    if (tensor.storage != (int32_t)index)
        return HEED_OK;
    storage->bytes = bytes_of(&tensor.desc);
    storage->role = tensor.role;
    switch ((enum heed_role)tensor.role) {
    case HEED_ROLE_CONSTANT:
        storage->weight_id = tensor.weight_id;
        storage->data = tensor.data;
        return HEED_OK;
    case HEED_ROLE_INTERNAL:
        if (tensor.arena_offset_bytes >= 0 &&
            (uint64_t)tensor.arena_offset_bytes + storage->bytes <= subgraph->arena_bytes)
            storage->offset_bytes = tensor.arena_offset_bytes;
        storage->first_node = tensor.first_node;
        storage->last_node = tensor.last_node;
        return HEED_OK;
    case HEED_ROLE_INPUT:
    case HEED_ROLE_OUTPUT:
    case HEED_ROLE_STATE:
        break;
    }
    if (tensor.role > HEED_ROLE_STATE || tensor.binding < 0 ||
        (uint32_t)tensor.binding >= program->boundary_count)
        return heedi_common_fail(
            error, HEED_ERROR_UNSUPPORTED,
            "tensor %u has role %u and binding %d, which this version does not "
            "know",
            (unsigned)index, (unsigned)tensor.role, (int)tensor.binding);
    storage->binding = tensor.binding;
    if (tensor.role != HEED_ROLE_STATE)
        storage->offset_bytes = heedi_vk_reserve(program, storage->bytes);
    program->boundaries[tensor.binding] = (struct vk_boundary){
        .tensor = (int32_t)index, .role = tensor.role, .desc = tensor.desc, .name = tensor.name};
    return HEED_OK;
}

/* A node may only touch memory that exists when it runs. */
static enum heed_status check_storages(const struct heed_plugin_program *program,
                                       struct heed_error *error) {
    for (uint32_t i = 0; i < program->node_count; i++) {
        const struct vk_node *node = &program->nodes[i];
        for (uint32_t j = 0; j < HEED_MAX_INPUTS + HEED_MAX_OUTPUTS; j++) {
            const struct vk_tensor *tensor =
                j < HEED_MAX_INPUTS ? &node->in[j] : &node->out[j - HEED_MAX_INPUTS];
            if (!heedi_vk_present(tensor) || heed_desc_elems(&tensor->desc) == 0)
                continue;
            const struct vk_storage *storage = &program->storages[tensor->storage];
            if (storage->role != HEED_ROLE_CONSTANT && storage->binding < 0 &&
                storage->offset_bytes < 0)
                return heedi_common_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                         "node %u (%s) uses tensor %d, which has no memory",
                                         (unsigned)i, node->name, (int)tensor->storage);
        }
    }
    return HEED_OK;
}

/* Gives the areas their place, now that it is known how large they must be. */
static void place_scratch(struct heed_plugin_program *program) {
    program->instance_bytes = (program->instance_bytes + 3) / 4 * 4; /* shaders read words */
    program->all_bytes = program->instance_bytes;
    for (uint32_t i = 0; i < VK_SCRATCH_AREAS; i++)
        if (program->scratch[i] != 0) {
            struct vk_storage *storage = &program->storages[program->scratch[i]];
            storage->offset_bytes = heedi_vk_reserve(program, storage->bytes);
        }
}

/* Lays inputs and outputs side by side, for where the host reaches them in staging memory. */
static void place_staging(struct heed_plugin_program *program) {
    for (uint32_t i = 0; i < program->boundary_count; i++) {
        struct vk_boundary *boundary = &program->boundaries[i];
        if (boundary->tensor < 0 || boundary->role == HEED_ROLE_STATE)
            continue;
        boundary->staging_offset = program->staging_bytes;
        program->staging_bytes += (program->storages[boundary->tensor].bytes + 63) / 64 * 64;
    }
}

static enum heed_status fill(struct heed_plugin_program *program,
                             const struct heed_subgraph *subgraph, struct heed_error *error) {
    enum heed_status status = accept_nodes(program->plugin, subgraph, program, error);
    program->instance_bytes = subgraph->arena_bytes;
    for (uint32_t i = 0; i < program->boundary_count; i++)
        program->boundaries[i].tensor = -1;
    for (uint32_t i = 0; status == HEED_OK && i < program->tensor_count; i++)
        status = place(program, subgraph, i, error);
    if (status == HEED_OK)
        status = check_storages(program, error);
    /* who asks what compilers make of shaders wants all pipelines, on a device without memory too
     */
    const bool whole = program->plugin->stats;
    for (uint32_t i = 0, count;
         (status == HEED_OK || (whole && status == HEED_ERROR_DEVICE_MEMORY)) &&
         i < program->node_count;
         i += count) {
        const enum heed_status built = heedi_vk_build(program, i, &count, error);
        status = status == HEED_OK ? built : status;
    }
    place_scratch(program);
    place_staging(program);
    if (status == HEED_OK)
        status = heedi_vk_check_ranges(program, error);
    heedi_vk_cut(program);
    return status;
}

enum heed_status heedi_vk_add_storage(struct heed_plugin_program *program,
                                      const struct vk_storage *storage, int32_t *index,
                                      struct heed_error *error) {
    const struct heed_host *host = program->plugin->host;
    const uint32_t count = program->storage_count;
    struct vk_storage *more = heedi_common_calloc(host, (size_t)count + 1, sizeof *more);
    if (more == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    memcpy(more, program->storages, count * sizeof *more);
    more[count] = *storage;
    heedi_common_free(host, program->storages);
    program->storages = more;
    program->storage_count = count + 1;
    *index = (int32_t)count;
    return HEED_OK;
}

enum heed_status heedi_vk_scratch(struct heed_plugin_program *program, uint64_t bytes,
                                  int32_t *storage, struct heed_error *error) {
    const uint32_t area = program->scratch_asked++ % VK_SCRATCH_AREAS;
    if (program->scratch[area] == 0) {
        const struct vk_storage added = {
            .offset_bytes = -1, .binding = -1, .role = HEED_ROLE_INTERNAL};
        const enum heed_status status =
            heedi_vk_add_storage(program, &added, &program->scratch[area], error);
        if (status != HEED_OK)
            return status;
    }
    *storage = program->scratch[area];
    if (program->storages[*storage].bytes < bytes)
        program->storages[*storage].bytes = bytes;
    return HEED_OK;
}

enum heed_status heedi_vk_compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                  struct heed_plugin_program **program, struct heed_error *error) {
    return heedi_vk_compile_as(plugin, subgraph, 0, program, error);
}

enum heed_status heedi_vk_compile_as(struct heed_plugin *plugin,
                                     const struct heed_subgraph *subgraph, uint32_t granted_forms,
                                     struct heed_plugin_program **program,
                                     struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    struct heed_subgraph known;
    *program = NULL;
    enum heed_status status = heedi_common_subgraph(&known, subgraph, error);
    if (status != HEED_OK)
        return status;
    struct heed_plugin_program *made = heedi_common_calloc(host, 1, sizeof *made);
    if (made == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    made->plugin = plugin;
    made->granted_forms = granted_forms;
    made->tensor_count = known.tensor_count;
    made->storage_count = known.tensor_count;
    made->boundary_count = known.binding_count;
    made->nodes = heedi_common_calloc(host, known.node_count, sizeof *made->nodes);
    made->rooms =
        heedi_common_calloc(host, known.node_count, HEED_MAX_OUTPUTS * sizeof *made->rooms);
    made->storages = heedi_common_calloc(host, known.tensor_count, sizeof *made->storages);
    made->boundaries = heedi_common_calloc(host, known.binding_count, sizeof *made->boundaries);
    if (made->nodes == NULL || made->rooms == NULL || made->storages == NULL ||
        made->boundaries == NULL)
        status = heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                   "out of memory for a program of %u nodes",
                                   (unsigned)known.node_count);
    else
        status = fill(made, &known, error);
    if (status != HEED_OK) {
        heedi_vk_program_destroy(made);
        return status;
    }
    *program = made;
    return HEED_OK;
}

void heedi_vk_program_destroy(struct heed_plugin_program *program) {
    if (program == NULL)
        return;
    const struct heed_host *host = program->plugin->host;
    for (uint32_t i = 0; program->storages != NULL && i < program->storage_count; i++) {
        if (program->storages[i].prepared != NULL)
            host->prepared_release(host->handle, program->storages[i].prepared);
        heedi_vk_table_release(program->plugin, program->storages[i].table);
    }
    heedi_common_free(host, program->nodes);
    heedi_common_free(host, program->storages);
    heedi_common_free(host, program->boundaries);
    heedi_common_free(host, program->dispatches);
    heedi_common_free(host, program->rooms);
    heedi_common_free(host, program);
}
