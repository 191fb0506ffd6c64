/* SPDX-License-Identifier: Apache-2.0 */
/* Backends for tests of the executor: they compute through the reference implementations, and do
 * and count what a test tells them.
 *
 * They keep what a real device would enforce: internal tensors live in one arena at the planned
 * offsets, which is filled with rubbish before each run; nothing is allocated while running. */
#ifndef HEED_TESTS_SUPPORT_FAKE_BACKEND_H
#define HEED_TESTS_SUPPORT_FAKE_BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>

#include "heed/backend.h"
#include "heed/executor.h"

struct fake_config {
    const char *name;
    bool runs[HEED_OP_COUNT_PLUS_ONE];       /* operators that are claimed */
    bool contiguous[HEED_OP_COUNT_PLUS_ONE]; /* claimed only with contiguous inputs */
    uint32_t device_type;                    /* enum heed_device_type */
    uint32_t preference;
    uint32_t plan_alignment;
    bool no_device;
    enum heed_status query_status;
    enum heed_status compile_status; /* of parts that contain `compile_fails_on` */
    enum heed_op compile_fails_on;   /* HEED_OP_NONE: of all parts */
    enum heed_status instance_status;
    enum heed_status run_status;
    int runs_until_then;           /* so many runs succeed before run_status is given */
    bool profiled;                 /* offers the profile extension */
    bool counts;                   /* offers counters: its runs */
    bool steps;                    /* offers runs of several steps */
    enum heed_status steps_status; /* of preparing them */
    uint64_t submission_ns;        /* what it says that one costs */
    bool packs;                    /* matmul packs a constant b through prepared_acquire */
    bool keep_source;
    char options[32]; /* what the last create was given */

    atomic_int creates, queries, compiles, prepares, runs_done, series_done;
    atomic_int live; /* objects of any kind that exist */
};

/* The two backends, "fake_a" and "fake_b". */
extern struct fake_config fake_a, fake_b;

/* Clears both and registers them: both are CPUs that claim every operator. */
void fake_reset(struct heed_context *context);
/* Makes a backend claim only the operators listed; ends with HEED_OP_NONE. */
void fake_runs_only(struct fake_config *config, const enum heed_op *ops);

#endif
