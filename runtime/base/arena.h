/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is released all at once: a list of blocks with a bump pointer. */
#ifndef HEEDI_BASE_ARENA_H
#define HEEDI_BASE_ARENA_H

#include <stddef.h>

#include "runtime/base/context.h"

struct heedi_arena_block;
struct heedi_arena {
    struct heedi_env env;
    struct heedi_arena_block *blocks;
};

void heedi_arena_init(struct heedi_arena *arena, const struct heedi_env *env);
void heedi_arena_clear(struct heedi_arena *arena); /* releases everything */
/* Zero-filled, aligned to 16 bytes; NULL on failure. */
void *heedi_arena_alloc(struct heedi_arena *arena, size_t count, size_t size);
char *heedi_arena_strdup(struct heedi_arena *arena, const char *string);
void *heedi_arena_copy(struct heedi_arena *arena, const void *data, size_t bytes);

#endif
