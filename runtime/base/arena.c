/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is released all at once: blocks of at least BLOCK_BYTES, filled from the front. */
#include "runtime/base/arena.h"

#include <string.h>

#define BLOCK_BYTES ((size_t)16384)
#define ALIGNMENT ((size_t)16)

struct heedi_arena_block {
    struct heedi_arena_block *next;
    size_t used, capacity; /* bytes from the start of the block, header included */
};

#define HEADER_BYTES ((sizeof(struct heedi_arena_block) + ALIGNMENT - 1) & ~(ALIGNMENT - 1))

void heedi_arena_init(struct heedi_arena *arena, const struct heedi_env *env) {
    arena->env = *env;
    arena->blocks = NULL;
}

void heedi_arena_clear(struct heedi_arena *arena) {
    while (arena->blocks != NULL) {
        struct heedi_arena_block *next = arena->blocks->next;
        heedi_free(&arena->env, arena->blocks);
        arena->blocks = next;
    }
}

void *heedi_arena_alloc(struct heedi_arena *arena, size_t count, size_t size) {
    size_t bytes, needed;
    if (!heedi_mul_size(count, size, &bytes) || !heedi_add_size(bytes, ALIGNMENT - 1, &bytes))
        return NULL;
    bytes &= ~(ALIGNMENT - 1);
    struct heedi_arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - block->used < bytes) {
        if (!heedi_add_size(bytes, HEADER_BYTES, &needed))
            return NULL;
        const size_t capacity = needed > BLOCK_BYTES ? needed : BLOCK_BYTES;
        block = heedi_alloc_aligned(&arena->env, capacity, ALIGNMENT);
        if (block == NULL)
            return NULL;
        *block = (struct heedi_arena_block){
            .next = arena->blocks, .used = HEADER_BYTES, .capacity = capacity};
        arena->blocks = block;
    }
    void *memory = (char *)block + block->used;
    block->used += bytes;
    memset(memory, 0, bytes);
    return memory;
}

void *heedi_arena_copy(struct heedi_arena *arena, const void *data, size_t bytes) {
    void *copy = heedi_arena_alloc(arena, 1, bytes);
    if (copy != NULL && bytes > 0)
        memcpy(copy, data, bytes);
    return copy;
}

char *heedi_arena_strdup(struct heedi_arena *arena, const char *string) {
    return heedi_arena_copy(arena, string, strlen(string) + 1);
}
