/* SPDX-License-Identifier: Apache-2.0 */
/* From a sub-graph to a program: which nodes can be run, where memory lies, and the dispatches. */
#include <string.h>

#include "fuse.h"
#include "instance.h"
#include "ranges.h"

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

static const char *accept(const struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                          uint32_t index, const struct heed_subgraph_node *given,
                          struct heed_plugin_program *program, uint32_t *contiguous) {
    struct vk_node alone, *node = program != NULL ? &program->nodes[index] : &alone;
    const struct vk_operator *operator_ = heedi_vk_operators[given->op];
    if (operator_ == NULL)
        return "the operator is left to other backends";
    *node = (struct vk_node){.plugin = plugin,
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
        reason = accept_tensors(plugin, subgraph, given->inputs, given->input_count,
                                operator_->cuts, node->in);
    if (reason == NULL)
        reason =
            accept_tensors(plugin, subgraph, given->outputs, given->output_count, 0, node->out);
    if (reason == NULL)
        reason = operator_->accept(node);
    *contiguous = node->contiguous;
    return reason;
}

enum heed_status heedi_vk_query(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct heed_claim *claims, size_t stride,
                                struct heed_error *error) {
    return heedi_common_query(plugin, subgraph, claims, stride, accept, error);
}

uint64_t heedi_vk_alignment(const struct heed_plugin *plugin) {
    const uint64_t align = plugin->device.limits.align_bytes;
    return align > 64 ? align : 64;
}

int64_t heedi_vk_reserve(struct heed_plugin_program *program, uint64_t bytes) {
    const uint64_t align = heedi_vk_alignment(program->plugin);
    const uint64_t at = (program->instance_bytes + align - 1) / align * align;
    program->instance_bytes = at + bytes + (program->plugin->guards ? VK_GUARD_BYTES : 0);
    return (int64_t)at;
}

static enum heed_status place(struct heed_plugin_program *program,
                              const struct heed_subgraph *subgraph, uint32_t index,
                              struct heed_error *error) {
    struct heed_subgraph_tensor tensor;
    struct vk_storage *storage = &program->storages[index];
    const enum heed_status status = heedi_common_storage(subgraph, index, &tensor, error);
    *storage =
        (struct vk_storage){.offset_bytes = -1, .binding = -1, .first_node = -1, .last_node = -1};
    if (status != HEED_OK || tensor.storage != (int32_t)index)
        return status;
    storage->bytes = bytes_of(&tensor.desc);
    storage->role = tensor.role;
    storage->binding = tensor.binding;
    storage->offset_bytes = tensor.arena_offset_bytes;
    if (tensor.role == HEED_ROLE_CONSTANT) {
        storage->weight_id = tensor.weight_id;
        storage->data = tensor.data;
    } else if (tensor.role == HEED_ROLE_INTERNAL) {
        if (program->plugin->guards && storage->offset_bytes >= 0)
            storage->offset_bytes = heedi_vk_reserve(program, storage->bytes);
        storage->first_node = tensor.first_node;
        storage->last_node = tensor.last_node;
    } else {
        if (tensor.role != HEED_ROLE_STATE)
            storage->offset_bytes = heedi_vk_reserve(program, storage->bytes);
        program->boundaries[tensor.binding] = (struct vk_boundary){.tensor = (int32_t)index,
                                                                   .role = tensor.role,
                                                                   .desc = tensor.desc,
                                                                   .name = tensor.name};
    }
    return HEED_OK;
}

/* Gives the areas their place, now that it is known how large they must be. */
static void place_scratch(struct heed_plugin_program *program) {
    program->instance_bytes = (program->instance_bytes + 3) / 4 * 4; /* shaders read words */
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
    enum heed_status status =
        heedi_common_accept(program->plugin, subgraph, accept, program, error);
    program->instance_bytes = program->plugin->guards ? VK_GUARD_BYTES : subgraph->arena_bytes;
    for (uint32_t i = 0; i < program->boundary_count; i++)
        program->boundaries[i].tensor = -1;
    for (uint32_t i = 0; status == HEED_OK && i < program->tensor_count; i++)
        status = place(program, subgraph, i, error);
    if (status == HEED_OK)
        status = heedi_common_check_storages(subgraph, error);
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

static enum heed_status compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                uint32_t granted_forms, bool apart,
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
    made->plugin = plugin;
    made->granted_forms = granted_forms;
    made->node_count = known.node_count;
    made->apart = apart;
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

enum heed_status heedi_vk_compile_as(struct heed_plugin *plugin,
                                     const struct heed_subgraph *subgraph, uint32_t granted_forms,
                                     struct heed_plugin_program **program,
                                     struct heed_error *error) {
    const enum heed_status status = compile(plugin, subgraph, granted_forms, false, program, error);
    /* what a fused dispatch binds may be too much where its nodes' dispatches do with less */
    return status == HEED_ERROR_LIMIT
               ? compile(plugin, subgraph, granted_forms, true, program, error)
               : status;
}

enum heed_status heedi_vk_compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                  struct heed_plugin_program **program, struct heed_error *error) {
    return heedi_vk_compile_as(plugin, subgraph, 0, program, error);
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
