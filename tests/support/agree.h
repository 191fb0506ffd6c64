/* SPDX-License-Identifier: Apache-2.0 */
/* Running what runtime/check draws on every backend, as groups of tests, and what other checks of
 * backends share: executors that share out work in different ways. */
#ifndef HEEDI_TESTS_SUPPORT_AGREE_H
#define HEEDI_TESTS_SUPPORT_AGREE_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/heed.h"
#include "runtime/check/random.h"

enum { AGREE_EXECUTORS = 4 };

/* A context and executors that differ in how they share out work: one, two, four threads, and a
 * loop that takes the smallest pieces from the last to the first. */
struct agree_suite {
    struct heed_context *context;
    struct heed_pool *pools[AGREE_EXECUTORS];
    struct heed_executor *executors[AGREE_EXECUTORS];
    const char *backend;
    bool rows_vary; /* of the backend: see struct support_backend */
    /* Pools of agree_operator(): one where a device does the work, and the host's threads none. */
    uint32_t pool_count;
    uint64_t seed;
    int64_t only_case; /* -1: all */
    int64_t every;     /* HEED_TEST_EVERY: one case of so many; 1: all */
};
/* Runs `count` tests on every backend that there is, as a group named after it; *state of a test is
 * the suite. Returns how many failed. */
struct CMUnitTest;
int agree_main(const struct CMUnitTest *tests, size_t count);

/* Checks an operator on the suite's backend with the cases of the suite's seed; fails with the
 * smallest failing case. */
void agree_operator(struct agree_suite *suite, enum heed_op op);

/* A constant of a graph; `data` is not copied and must outlive it. */
heed_tensor agree_constant(struct agree_suite *suite, struct heed_graph *graph, const char *name,
                           enum heed_dtype dtype, uint32_t rank, const int64_t *dims,
                           const void *data);

#endif
