/* SPDX-License-Identifier: Apache-2.0 */
/* A counting, failing allocator and a log kept in memory. */
#include "tests/support/memory.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(void *user, size_t bytes, size_t alignment) {
    struct test_memory *memory = user;
    const long call = atomic_fetch_add(&memory->calls, 1) + 1;
    if (call == atomic_load(&memory->fail_at))
        return NULL;
    void *result = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (result != NULL)
        atomic_fetch_add(&memory->live, 1);
    return result;
}

static void release(void *user, void *block) {
    struct test_memory *memory = user;
    if (block != NULL)
        atomic_fetch_sub(&memory->live, 1);
    free(block);
}

void test_memory_init(struct test_memory *memory) {
    memset(&memory->allocator, 0, sizeof memory->allocator);
    memory->allocator.struct_size = (uint32_t)sizeof memory->allocator;
    memory->allocator.user = memory;
    memory->allocator.allocate = allocate;
    memory->allocator.release = release;
    atomic_init(&memory->calls, 0);
    atomic_init(&memory->live, 0);
    atomic_init(&memory->fail_at, 0);
}

void test_log_line(void *user, enum heed_log_level level, const char *line) {
    struct test_log *log = user;
    const size_t length = strlen(line);
    (void)level;
    log->lines++;
    if (log->used + length + 2 > sizeof log->text)
        return;
    memcpy(log->text + log->used, line, length);
    memcpy(log->text + log->used + length, "\n", 2);
    log->used += length + 1;
}

void test_log_clear(struct test_log *log) {
    memset(log, 0, sizeof *log);
}

struct heed_context *test_context(struct test_memory *memory, struct test_log *log,
                                  enum heed_log_level level) {
    struct heed_context *context = NULL;
    const struct heed_context_options options = {.struct_size = (uint32_t)sizeof options,
                                                 .allocator =
                                                     memory != NULL ? &memory->allocator : NULL,
                                                 .log = log != NULL ? test_log_line : NULL,
                                                 .log_user = log,
                                                 .log_level = level};
    heed_context_create(&options, &context);
    return context;
}
