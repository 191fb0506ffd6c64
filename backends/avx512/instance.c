/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: the memory to run a program, the run itself, and its profile. */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "avx512.h"

enum heed_status heedi_avx512_instance_create(struct heed_plugin_program *program,
                                              struct heed_plugin_instance **instance,
                                              struct heed_error *error) {
    const struct heed_host *host = program->host;
    *instance = NULL;
    struct heed_plugin_instance *made = heedi_avx512_calloc(host, 1, sizeof *made);
    if (made == NULL)
        return heedi_avx512_fail(error, HEED_ERROR_OUT_OF_MEMORY, "avx512: out of memory");
    made->program = program;
    made->memory = heedi_avx512_calloc(host, program->tensor_count, sizeof *made->memory);
    made->bound = heedi_avx512_calloc(host, program->binding_count, sizeof *made->bound);
    made->entries = heedi_avx512_calloc(host, program->product_count, sizeof *made->entries);
    made->arena = host->allocate(host->handle, program->arena_bytes > 0 ? program->arena_bytes : 1,
                                 program->arena_alignment);
    made->scratch =
        host->allocate(host->handle, program->scratch_bytes > 0 ? program->scratch_bytes : 1, 64);
    if (made->scratch == NULL || made->memory == NULL || made->bound == NULL ||
        made->entries == NULL || made->arena == NULL)
        goto fail;
    for (uint32_t i = 0; i < program->tensor_count; i++) {
        const struct avx512_storage *storage = &program->storages[i];
        if (storage->arena_offset_bytes >= 0)
            made->memory[i] = (char *)made->arena + storage->arena_offset_bytes;
        else if (storage->constant != NULL)
            made->memory[i] = (void *)(uintptr_t)storage->constant; /* products only read it */
    }
    *instance = made;
    return HEED_OK;

fail:
    heedi_avx512_instance_destroy(made);
    return heedi_avx512_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                             "avx512: out of memory for an instance with an arena of %zu bytes",
                             program->arena_bytes);
}

void heedi_avx512_instance_destroy(struct heed_plugin_instance *instance) {
    if (instance == NULL)
        return;
    const struct heed_host *host = instance->program->host;
    heedi_avx512_free(host, instance->arena);
    heedi_avx512_free(host, instance->scratch);
    heedi_avx512_free(host, instance->entries);
    heedi_avx512_free(host, instance->bound);
    heedi_avx512_free(host, instance->memory);
    heedi_avx512_free(host, instance);
}

enum heed_status heedi_avx512_bind(struct heed_plugin_instance *instance, uint32_t binding,
                                   void *memory, struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    if (binding >= program->binding_count || program->bindings[binding].tensor < 0)
        return heedi_avx512_fail(error, HEED_ERROR_INVALID_ARGUMENT,
                                 "avx512: binding %u does not exist, the program has %u",
                                 (unsigned)binding, (unsigned)program->binding_count);
    instance->memory[program->bindings[binding].tensor] = memory;
    instance->bound[binding] = true;
    return HEED_OK;
}

static void *locate(const struct heed_plugin_instance *instance,
                    const struct avx512_operand *operand) {
    char *memory = operand->storage < 0 ? NULL : instance->memory[operand->storage];
    return memory != NULL ? memory + operand->offset_bytes : NULL;
}

static void run_product(const struct heed_plugin_instance *instance,
                        const struct avx512_product *product) {
    const struct avx512_run run = {.product = product,
                                   .a = locate(instance, &product->a),
                                   .b_scale = locate(instance, &product->b_scale),
                                   .bias = locate(instance, &product->bias),
                                   .y = locate(instance, &product->y),
                                   .scratch = instance->scratch};
    heedi_avx512_matmul(instance->program->host, &run);
}

/* timespec_get is all that C11 offers; it may step when the clock is set, which a profile can
 * bear. */
static uint64_t now_ns(void) {
    struct timespec now;
    if (timespec_get(&now, TIME_UTC) != TIME_UTC)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

enum heed_status heedi_avx512_submit(struct heed_plugin_instance *instance,
                                     struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    for (uint32_t i = 0; i < program->binding_count; i++)
        if (program->bindings[i].tensor >= 0 && !instance->bound[i])
            return heedi_avx512_fail(
                error, HEED_ERROR_INVALID_ARGUMENT, "avx512: nothing is bound to %s (binding %u)",
                program->bindings[i].name != NULL ? program->bindings[i].name : "", (unsigned)i);
    instance->entry_count = 0;
    for (uint32_t i = 0; i < program->product_count; i++) {
        const struct avx512_product *product = &program->products[i];
        if (!instance->profiled) {
            run_product(instance, product);
            continue;
        }
        struct heed_profile_entry *entry = &instance->entries[instance->entry_count++];
        *entry =
            (struct heed_profile_entry){.struct_size = sizeof *entry,
                                        .node = i,
                                        .kernel = product->blocks ? "heed_q8_0_matmul_4x16__avx512"
                                                                  : "heed_i8_matmul_4x64__avx512"};
        entry->begin_ns = now_ns();
        run_product(instance, product);
        entry->end_ns = now_ns();
    }
    return HEED_OK;
}

/* ---- the extension "heed.profile/1" ---- */

static void enable(struct heed_plugin_instance *instance, uint32_t on) {
    instance->profiled = on != 0;
    instance->entry_count = 0;
}

static uint32_t entries(struct heed_plugin_instance *instance,
                        const struct heed_profile_entry **first) {
    *first = instance->entries;
    return instance->entry_count;
}

const struct heed_profile_extension heedi_avx512_profile = {
    .struct_size = sizeof(struct heed_profile_extension), .enable = enable, .entries = entries};
