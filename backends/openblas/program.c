/* SPDX-License-Identifier: Apache-2.0 */
/* From a sub-graph to a program. */
#include <stdio.h>
#include <string.h>

#include "openblas.h"

/* Copies the fixed part of a sub-graph, refusing what this version cannot know. */
static enum heed_status read_subgraph(struct heed_subgraph *known,
                                      const struct heed_subgraph *subgraph,
                                      struct heed_error *error) {
    if (!heedi_openblas_read(known, sizeof *known, subgraph, subgraph->struct_size))
        return heedi_openblas_fail(error, HEED_ERROR_UNSUPPORTED,
                                   "openblas: the sub-graph holds a field that this version does "
                                   "not know");
    if ((known->node_count > 0 && (known->nodes == NULL || known->node_stride < 4)) ||
        (known->tensor_count > 0 && (known->tensors == NULL || known->tensor_stride < 4)) ||
        known->tensor_count > INT32_MAX)
        return heedi_openblas_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                   "openblas: the sub-graph's arrays are missing or malformed");
    return HEED_OK;
}

enum heed_status heedi_openblas_query(struct heed_plugin *plugin,
                                      const struct heed_subgraph *subgraph,
                                      struct heed_claim *claims, size_t stride,
                                      struct heed_error *error) {
    struct heed_subgraph known;
    const enum heed_status status = read_subgraph(&known, subgraph, error);
    if (status != HEED_OK)
        return status;
    for (uint32_t i = 0; i < known.node_count; i++) {
        struct openblas_product product;
        struct heed_claim claim;
        struct heed_claim *target = (void *)((char *)claims + (size_t)i * stride);
        memset(&claim, 0, sizeof claim);
        claim.struct_size = target->struct_size;
        const char *reason =
            heedi_openblas_accept(plugin, &known, i, &product, &claim.contiguous_inputs);
        if (reason == NULL)
            claim.verdict = HEED_VERDICT_YES;
        else
            claim.verdict =
                claim.contiguous_inputs != 0 ? HEED_VERDICT_CONTIGUOUS : HEED_VERDICT_NO;
        if (claim.verdict == HEED_VERDICT_NO)
            snprintf(claim.reason, sizeof claim.reason, "%s", reason);
        memcpy(target, &claim, claim.struct_size < sizeof claim ? claim.struct_size : sizeof claim);
    }
    return HEED_OK;
}

static enum heed_status compile_products(struct heed_plugin *plugin,
                                         const struct heed_subgraph *subgraph,
                                         struct heed_plugin_program *program,
                                         struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        struct openblas_product *product = &program->products[i];
        uint32_t contiguous = 0;
        void *object = NULL;
        const char *reason = heedi_openblas_accept(plugin, subgraph, i, product, &contiguous);
        program->product_count = i + 1;
        if (reason != NULL)
            return heedi_openblas_fail(error, HEED_ERROR_UNSUPPORTED, "openblas: node %u (%s): %s",
                                       (unsigned)i, product->name != NULL ? product->name : "",
                                       reason);
        if (product->weight_id == 0)
            continue;
        const enum heed_status status =
            host->prepared_acquire(host->handle, product->weight_id, "f32_plain",
                                   heedi_openblas_convert, heedi_openblas_converted_destroy,
                                   (void *)(uintptr_t)host, 0, &product->prepared, &object, error);
        if (status != HEED_OK)
            return status;
        product->converted = heedi_openblas_converted_data(object);
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
        struct openblas_storage *storage = &program->storages[i];
        const char *reason = heedi_openblas_tensor(subgraph, (int32_t)i, &tensor);
        *storage = (struct openblas_storage){.arena_offset_bytes = -1, .binding = -1};
        if (reason != NULL)
            return heedi_openblas_fail(error, HEED_ERROR_UNSUPPORTED, "openblas: tensor %u: %s",
                                       (unsigned)i, reason);
        if (tensor.storage != (int32_t)i)
            continue;
        if (tensor.role == HEED_ROLE_CONSTANT) {
            storage->constant = tensor.data;
        } else if (tensor.role == HEED_ROLE_INTERNAL) {
            if (tensor.arena_offset_bytes >= 0 &&
                (uint64_t)tensor.arena_offset_bytes <= subgraph->arena_bytes)
                storage->arena_offset_bytes = tensor.arena_offset_bytes;
        } else if ((tensor.role == HEED_ROLE_INPUT || tensor.role == HEED_ROLE_OUTPUT) &&
                   tensor.binding >= 0 && (uint32_t)tensor.binding < program->binding_count) {
            storage->binding = tensor.binding;
            program->bindings[tensor.binding] =
                (struct openblas_binding){(int32_t)i, tensor.role, tensor.name};
        } else {
            return heedi_openblas_fail(error, HEED_ERROR_UNSUPPORTED,
                                       "openblas: tensor %u has role %u and binding %d, which this "
                                       "version does not know",
                                       (unsigned)i, (unsigned)tensor.role, (int)tensor.binding);
        }
    }
    return HEED_OK;
}

static bool has_memory(const struct heed_plugin_program *program,
                       const struct openblas_operand *operand) {
    if (operand->storage < 0)
        return true; /* absent */
    const struct openblas_storage *storage = &program->storages[operand->storage];
    return storage->constant != NULL || storage->binding >= 0 || storage->arena_offset_bytes >= 0;
}

/* A product may only touch memory that exists when it runs. */
static enum heed_status check_storages(const struct heed_plugin_program *program,
                                       struct heed_error *error) {
    for (uint32_t i = 0; i < program->product_count; i++) {
        const struct openblas_product *product = &program->products[i];
        const bool result =
            product->batch_dims[0] * product->batch_dims[1] > 0 && product->m > 0 && product->n > 0;
        const bool sums = result && product->k > 0;
        if ((result &&
             (!has_memory(program, &product->y) || !has_memory(program, &product->bias))) ||
            (sums && (!has_memory(program, &product->a.operand) ||
                      (product->converted == NULL && !has_memory(program, &product->b.operand)))))
            return heedi_openblas_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                       "openblas: node %u (%s) uses a tensor that has no memory",
                                       (unsigned)i, product->name);
    }
    return HEED_OK;
}

enum heed_status heedi_openblas_compile(struct heed_plugin *plugin,
                                        const struct heed_subgraph *subgraph,
                                        struct heed_plugin_program **program,
                                        struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    struct heed_subgraph known;
    *program = NULL;
    enum heed_status status = read_subgraph(&known, subgraph, error);
    if (status != HEED_OK)
        return status;
    struct heed_plugin_program *made = heedi_openblas_calloc(host, 1, sizeof *made);
    if (made == NULL)
        return heedi_openblas_fail(error, HEED_ERROR_OUT_OF_MEMORY, "openblas: out of memory");
    made->host = host;
    made->tensor_count = known.tensor_count;
    made->binding_count = known.binding_count;
    made->arena_bytes = (size_t)known.arena_bytes;
    made->arena_alignment = known.arena_alignment > 64 ? known.arena_alignment : 64;
    made->products = heedi_openblas_calloc(host, known.node_count, sizeof *made->products);
    made->storages = heedi_openblas_calloc(host, known.tensor_count, sizeof *made->storages);
    made->bindings = heedi_openblas_calloc(host, known.binding_count, sizeof *made->bindings);
    if (made->products == NULL || made->storages == NULL || made->bindings == NULL) {
        status = heedi_openblas_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                     "openblas: out of memory for a program of %u nodes",
                                     (unsigned)known.node_count);
        goto fail;
    }
    status = compile_products(plugin, &known, made, error);
    if (status == HEED_OK)
        status = compile_storages(&known, made, error);
    if (status == HEED_OK)
        status = check_storages(made, error);
    if (status != HEED_OK)
        goto fail;
    *program = made;
    return HEED_OK;

fail:
    heedi_openblas_program_destroy(made);
    return status;
}

void heedi_openblas_program_destroy(struct heed_plugin_program *program) {
    if (program == NULL)
        return;
    const struct heed_host *host = program->host;
    for (uint32_t i = 0; program->products != NULL && i < program->product_count; i++)
        if (program->products[i].prepared != NULL)
            host->prepared_release(host->handle, program->products[i].prepared);
    heedi_openblas_free(host, program->products);
    heedi_openblas_free(host, program->storages);
    heedi_openblas_free(host, program->bindings);
    heedi_openblas_free(host, program);
}
