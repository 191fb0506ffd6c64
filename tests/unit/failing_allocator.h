/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for tests: fails at the n-th call, counts what lives, and checks what is returned to
 * it. Run a function with fail_at = 1, 2, 3, ... until it succeeds to visit each of its failures.
 */
#ifndef HEED_TEST_FAILING_ALLOCATOR_H
#define HEED_TEST_FAILING_ALLOCATOR_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "heed/status.h"

struct failing_allocator {
    size_t fail_at;      /* 1: the first allocation from now fails; 0: none does */
    atomic_size_t calls; /* allocations asked for */
    atomic_size_t live;  /* given and not yet released */
};

static inline void *failing_allocate(void *user, size_t bytes, size_t alignment) {
    struct failing_allocator *self = user;
    if (atomic_fetch_add(&self->calls, 1) + 1 == self->fail_at)
        return NULL;
    if (bytes > SIZE_MAX - alignment)
        return NULL;
    void *memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (memory != NULL) {
        memset(memory, 0xa5, bytes); /* nobody may count on zeros */
        atomic_fetch_add(&self->live, 1);
    }
    return memory;
}

static inline void failing_release(void *user, void *memory) {
    struct failing_allocator *self = user;
    if (memory == NULL)
        return;
    atomic_fetch_sub(&self->live, 1);
    free(memory);
}

/* The functions to give to a context; `self` must outlive all that is made with it. */
static inline struct heed_allocator failing_functions(struct failing_allocator *self) {
    return (struct heed_allocator){.struct_size = sizeof(struct heed_allocator),
                                   .user = self,
                                   .allocate = failing_allocate,
                                   .release = failing_release};
}

/* A context that allocates through `self`, quiet; NULL if its own allocation fails. */
static inline struct heed_context *failing_context(struct failing_allocator *self) {
    const struct heed_allocator functions = failing_functions(self);
    const struct heed_context_options options = {
        .struct_size = sizeof options, .allocator = &functions, .log_level = HEED_LOG_ERROR};
    struct heed_context *context = NULL;
    heed_context_create(&options, &context);
    return context;
}

/* The next `n`-th allocation fails. */
static inline void failing_arm(struct failing_allocator *self, size_t n) {
    atomic_store(&self->calls, 0);
    self->fail_at = n;
}

#endif
