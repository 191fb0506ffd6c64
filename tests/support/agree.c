/* SPDX-License-Identifier: Apache-2.0 */
/* Fixtures of the agreement checks. */
#include "tests/support/agree.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/check.h"
#include "tests/support/backends.h"

/* ---- suites ---- */

/* The smallest pieces that the contract allows, last one first. */
static void backwards(void *user, int64_t count, int64_t grain, heed_range_fn fn, void *arg) {
    (void)user;
    for (int64_t begin = (count - 1) / grain * grain; begin >= 0; begin -= grain)
        fn(arg, begin, begin + grain < count ? begin + grain : count);
}

static const struct support_backend *backend; /* of the suites */

/* One case of how many is enough, so that all backends together take a minute: faults of kernels
 * show in the first dozens of cases (tests/check/faults.c). Devices in software compile anew for
 * most shapes, and sanitizers are looked at for what touches memory, not for rare values.
 * HEED_TEST_EVERY=1 takes all cases, `heed check --minutes` any number. */
static int64_t usual_step(void) {
    if (backend->software)
        return HEED_TEST_SANITIZED ? 40 : 4;
    return HEED_TEST_SANITIZED ? 4 : 1;
}

static int setup(void **state) {
    static struct agree_suite suite;
    static const uint32_t threads[AGREE_EXECUTORS] = {1, 2, 4, 4};
    memset(&suite, 0, sizeof suite);
    const char *seed = getenv("HEED_SEED"), *only = getenv("HEED_CASE"),
               *every = getenv("HEED_TEST_EVERY");
    suite.seed = seed != NULL ? strtoull(seed, NULL, 0) : 20240229;
    suite.only_case = only != NULL ? strtoll(only, NULL, 0) : -1;
    suite.every = usual_step();
    if (every != NULL && strtoll(every, NULL, 0) > 0)
        suite.every = strtoll(every, NULL, 0);
    *state = &suite;
    suite.backend = backend->name;
    suite.rows_vary = backend->rows_vary;
    suite.pool_count = backend->software ? 1 : AGREE_EXECUTORS;
    if (heed_context_create(NULL, &suite.context) != HEED_OK)
        return -1;
    for (int i = 0; i < AGREE_EXECUTORS; i++) {
        struct heed_pool_options pool = {.struct_size = sizeof pool, .threads = threads[i]};
        if (i == AGREE_EXECUTORS - 1)
            pool.parallel_for = backwards;
        struct heed_executor_options options = {.struct_size = sizeof options,
                                                .backends = backend->name,
                                                .plugin_path = HEED_TEST_PLUGINS};
        if (heed_pool_create(suite.context, &pool, &suite.pools[i]) == HEED_OK) {
            options.pool = suite.pools[i];
            if (heed_executor_create(suite.context, &options, &suite.executors[i]) == HEED_OK)
                continue;
        }
        print_error("%s\n", heed_last_error(suite.context));
        return -1;
    }
    return 0;
}

static int teardown(void **state) {
    struct agree_suite *suite = *state;
    for (int i = 0; i < AGREE_EXECUTORS; i++) {
        heed_executor_release(suite->executors[i]);
        heed_pool_release(suite->pools[i]);
    }
    heed_context_destroy(suite->context);
    return 0;
}

int agree_main(const struct CMUnitTest *tests, size_t count) {
    struct support_backend backends[SUPPORT_BACKENDS];
    const size_t backend_count = support_backends(backends);
    int failed = backend_count == 0;
    for (size_t i = 0; i < backend_count; i++) {
        backend = &backends[i];
        failed += _cmocka_run_group_tests(backend->name, tests, count, setup, teardown);
    }
    return failed;
}

static void count_row(void *user, const struct heed_check_row *row) {
    int64_t *failed = user;
    *failed += row->failed;
}

static void print_failure(void *user, const struct heed_check_failure *failure) {
    (void)user;
    print_error("%.*s", (int)failure->text_bytes, failure->text);
}

void agree_operator(struct agree_suite *suite, enum heed_op op) {
    int64_t failed = 0;
    const struct heed_check_options options = {
        .struct_size = sizeof options,
        .backend = suite->backend,
        .plugin_path = HEED_TEST_PLUGINS,
        .seed = suite->seed,
        .first = suite->only_case >= 0 ? suite->only_case : 0,
        .cases = suite->only_case >= 0,
        .most_drawn = suite->only_case >= 0,
        .every = suite->every,
        .op = (uint32_t)op,
        .pools = suite->pools,
        .pool_count = suite->pool_count,
        .shrink = 1,
        .row = count_row,
        .failure = print_failure,
        .user = &failed,
    };
    if (heed_check_run(suite->context, &options) != HEED_OK)
        fail_msg("%s", heed_last_error(suite->context));
    if (failed > 0)
        fail_msg("%s: %" PRId64 " cases of HEED_SEED=%" PRIu64 " fail", heed_op_name(op), failed,
                 suite->seed);
}

heed_tensor agree_constant(struct agree_suite *suite, struct heed_graph *graph, const char *name,
                           enum heed_dtype dtype, uint32_t rank, const int64_t *dims,
                           const void *data) {
    const struct heed_tensor_desc desc = heed_desc(dtype, rank, dims);
    struct heed_weight *weight = NULL;
    heed_tensor tensor = HEED_NO_TENSOR;
    assert_int_equal(heed_weight_create(suite->context, name, &desc, data, NULL, NULL, &weight),
                     HEED_OK);
    heed_graph_constant(graph, weight, &tensor);
    heed_weight_release(weight);
    return tensor;
}
