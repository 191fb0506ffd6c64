/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for tests: counts, and fails the call that it is told to fail. */
#ifndef HEED_TESTS_SUPPORT_MEMORY_H
#define HEED_TESTS_SUPPORT_MEMORY_H

#include <stdatomic.h>

#include "heed/status.h"

struct test_memory {
    struct heed_allocator allocator; /* for heed_context_options */
    atomic_long calls;
    atomic_long live;
    atomic_long fail_at; /* the call with this number (from 1) fails; 0: none */
};

void test_memory_init(struct test_memory *memory);

/* Log lines of a context, kept one after another, each ending with '\n'. */
struct test_log {
    char text[16384];
    size_t used;
    unsigned lines;
};
void test_log_line(void *log, enum heed_log_level level, const char *line);
void test_log_clear(struct test_log *log);

/* A context with such an allocator and log; either may be NULL. */
struct heed_context *test_context(struct test_memory *memory, struct test_log *log,
                                  enum heed_log_level level);

#endif
