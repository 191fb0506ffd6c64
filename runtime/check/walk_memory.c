/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a walk: every storage of a graph on all sides, and states from graph to graph. */
#include <string.h>

#include "runtime/check/walk.h"

size_t heedi_walk_bytes(const struct heed_tensor_desc *desc) {
    return (size_t)heed_desc_elems(desc) * heed_dtype_bytes(desc->dtype);
}

const void *heedi_walk_first(const struct heedi_walk_memory *memory, enum heedi_walk_side side,
                             heed_tensor tensor) {
    const struct heedi_tensor *it = &memory->graph->tensors[tensor];
    return (const char *)memory->storage[side][it->storage] +
           (size_t)it->offset_elems * heed_dtype_bytes(it->desc.dtype);
}

/* ---- states ---- */

void heedi_walk_clear(struct heedi_walk *walk) {
    heedi_walk_runs_clear(walk);
    for (size_t i = 0; i < walk->state_count; i++) {
        heedi_free(&walk->context->env, walk->states[i].name);
        for (int side = 0; side < HEEDI_WALK_GROUP; side++)
            heedi_free(&walk->context->env, walk->states[i].sides[side]);
        heed_state_destroy(walk->states[i].real);
    }
    heedi_free(&walk->context->env, walk->states);
    walk->states = NULL;
    walk->state_count = 0;
}

/* A state of another size than before begins anew. */
struct heedi_walk_state *heedi_walk_find_state(struct heedi_walk *walk, const char *name,
                                               size_t bytes) {
    const struct heedi_env *env = &walk->context->env;
    for (size_t i = 0; i < walk->state_count; i++)
        if (strcmp(walk->states[i].name, name) == 0 && walk->states[i].bytes == bytes)
            return &walk->states[i];
    struct heedi_walk_state *grown = heedi_grow(env, walk->states, walk->state_count,
                                                walk->state_count + 1, sizeof *walk->states);
    if (grown == NULL)
        return NULL;
    walk->states = grown;
    struct heedi_walk_state *state = &grown[walk->state_count++];
    *state = (struct heedi_walk_state){.bytes = bytes, .name = heedi_strdup(env, name)};
    bool made = state->name != NULL;
    for (int side = 0; side < HEEDI_WALK_GROUP; side++) {
        state->sides[side] = heedi_calloc(env, bytes, 1);
        made = made && state->sides[side] != NULL;
    }
    if (made)
        return state;
    heedi_free(env, state->name);
    for (int side = 0; side < HEEDI_WALK_GROUP; side++)
        heedi_free(env, state->sides[side]);
    walk->state_count--;
    return NULL;
}

static bool add_state(struct heedi_walk_memory *memory, int32_t index, size_t bytes) {
    struct heedi_walk *walk = memory->walk;
    const struct heedi_walk_state *state =
        heedi_walk_find_state(walk, memory->graph->tensors[index].name, bytes);
    memory->before[index] = heedi_calloc(&walk->context->env, bytes, 1);
    if (state == NULL || memory->before[index] == NULL)
        return false;
    for (int side = 0; side < HEEDI_WALK_GROUP; side++)
        memory->storage[side][index] = state->sides[side];
    memory->relative[index] = state->relative;
    memcpy(memory->before[index], state->sides[HEEDI_WALK_REFERENCE], bytes);
    return true;
}

/* ---- a graph ---- */

static bool add_storage(struct heedi_walk_memory *memory, int32_t index,
                        const struct heedi_walk_sink *sink) {
    const struct heedi_tensor *tensor = &memory->graph->tensors[index];
    const size_t bytes = heedi_walk_bytes(&tensor->desc);
    memory->borrowed[index] =
        tensor->kind == HEEDI_TENSOR_CONSTANT || tensor->kind == HEEDI_TENSOR_STATE;
    if (tensor->kind == HEEDI_TENSOR_STATE)
        return add_state(memory, index, bytes);
    for (int side = 0; side < HEEDI_WALK_GROUP; side++) {
        void **storage = &memory->storage[side][index];
        if (tensor->kind == HEEDI_TENSOR_CONSTANT)
            *storage = (void *)(uintptr_t)tensor->weight->data; /* only read */
        else
            *storage = heedi_calloc(&memory->walk->context->env, bytes, 1);
        if (*storage == NULL && bytes > 0)
            return false;
        if (tensor->kind == HEEDI_TENSOR_INPUT && bytes > 0) {
            const void *from = sink->input(sink->user, tensor->name);
            if (from == NULL)
                return false;
            memcpy(*storage, from, bytes);
        }
    }
    return true;
}

enum heed_status heedi_walk_memory_make(struct heedi_walk_memory *memory,
                                        const struct heedi_walk_sink *sink) {
    const struct heedi_env *env = &memory->walk->context->env;
    const size_t count = (size_t)memory->graph->tensor_count;
    memory->borrowed = heedi_calloc(env, count, sizeof *memory->borrowed);
    memory->relative = heedi_calloc(env, count, sizeof *memory->relative);
    memory->before = heedi_calloc(env, count, sizeof *memory->before);
    bool made = memory->borrowed != NULL && memory->relative != NULL && memory->before != NULL;
    for (int side = 0; side < HEEDI_WALK_SIDES; side++) {
        memory->storage[side] = heedi_calloc(env, count, sizeof *memory->storage[side]);
        made = made && memory->storage[side] != NULL;
    }
    for (int32_t i = 0; made && i < memory->graph->tensor_count; i++)
        if (memory->graph->tensors[i].storage == i)
            made = add_storage(memory, i, sink);
    return made ? HEED_OK : heedi_fail_memory(memory->walk->context, "a graph's tensors", count);
}

/* The group's side borrows from the reference's, or is freed by who made it. */
void heedi_walk_memory_clear(struct heedi_walk_memory *memory) {
    const struct heedi_env *env = &memory->walk->context->env;
    for (int side = 0; side < HEEDI_WALK_SIDES; side++) {
        for (int32_t i = 0; memory->storage[side] != NULL && i < memory->graph->tensor_count; i++)
            if (side < HEEDI_WALK_GROUP && memory->borrowed != NULL && !memory->borrowed[i])
                heedi_free(env, memory->storage[side][i]);
        heedi_free(env, memory->storage[side]);
    }
    for (int32_t i = 0; memory->before != NULL && i < memory->graph->tensor_count; i++)
        heedi_free(env, memory->before[i]);
    heedi_free(env, memory->before);
    heedi_free(env, memory->relative);
    heedi_free(env, memory->borrowed);
}
