/* SPDX-License-Identifier: Apache-2.0 */
/* How many cases are judged and drawn; and checks without memory: each allocation fails once, and
 * every failure is a status, no fault that is the backend's, no crash, no leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heed/check.h"
#include "tests/unit/failing_allocator.h"

static const char text[] = "heed-check-case 1\n"
                           "op matmul\n"
                           "random 0\n"
                           "attrs 24 0 1 0 0 0\n"
                           "operand 0 f32 input stepped 2 2 3 mk\n"
                           "view 0 1 2 1 0 0 0 1 1 0\n"
                           "values 1 2 3 4 5 6\n"
                           "operand 1 f16 constant plain 2 2 3 nk\n"
                           "values 1 0 -1 2 2 2\n"
                           "operand 2 f32 input plain 1 2 n\n"
                           "values 0.5 -0.5\n"
                           "end\n";

static void ignore_failure(void *user, const struct heed_check_failure *failure) {
    (void)user;
    (void)failure;
}

/* Visits every `stride`-th failing allocation; returns how many there were. */
static size_t visit(enum heed_status (*act)(struct heed_context *context), size_t stride) {
    struct failing_allocator memory = {.fail_at = 0};
    size_t n = 1;
    for (;; n += stride) {
        struct heed_context *context = failing_context(&memory);
        assert_non_null(context);
        failing_arm(&memory, n);
        const enum heed_status status = act(context);
        const bool reached = atomic_load(&memory.calls) >= n;
        failing_arm(&memory, 0);
        if (status != HEED_OK && status != HEED_ERROR_OUT_OF_MEMORY &&
            status != HEED_ERROR_NOT_FOUND)
            fail_msg("allocation %d: %s: %s", (int)n, heed_status_name(status),
                     heed_last_error(context));
        heed_context_destroy(context);
        assert_int_equal(atomic_load(&memory.live), 0);
        if (!reached) {
            assert_int_equal(status, HEED_OK);
            return n;
        }
    }
}

static enum heed_status replay(struct heed_context *context) {
    const struct heed_check_options options = {
        .struct_size = sizeof options, .backend = "scalar", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_check_finding finding;
    return heed_check_replay(context, &options, text, sizeof text - 1, &finding);
}

static enum heed_status run(struct heed_context *context) {
    const struct heed_check_options options = {.struct_size = sizeof options,
                                               .backend = HEED_TEST_ABUSE_PLUGINS
                                               "/heed-backend-faulty.so(fault=swallowed)",
                                               .plugin_path = HEED_TEST_PLUGINS,
                                               .seed = 1,
                                               .first = 24,
                                               .cases = 1,
                                               .op = HEED_OP_RELU,
                                               .shrink = 1,
                                               .failure = ignore_failure};
    return heed_check_run(context, &options);
}

static enum heed_status probe(struct heed_context *context) {
    const struct heed_check_options options = {
        .struct_size = sizeof options, .backend = "scalar", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_check_precision precision;
    return heed_check_precision(context, &options, &precision);
}

static void test_replay(void **state) {
    (void)state;
    assert_true(visit(replay, 1) > 20);
}

static void test_run(void **state) {
    (void)state;
    assert_true(visit(run, 997) > 100);
}

static void test_precision(void **state) {
    (void)state;
    assert_true(visit(probe, 97) > 50);
}

static void test_names(void **state) {
    (void)state;
    assert_string_equal(heed_check_fault_name(HEED_CHECK_OVERRUN), "overrun");
    assert_string_equal(heed_check_fault_text(HEED_CHECK_OVERRUN),
                        "memory beside an output was written");
    assert_string_equal(heed_check_fault_name((enum heed_check_fault)99), "?");
}

/* ---- how many cases ---- */

struct count {
    int64_t cases, declined;
};

static void count_row(void *user, const struct heed_check_row *row) {
    struct count *count = user;
    count->cases += row->cases;
    count->declined += row->declined;
}

/* The plugin runs some forms of matmul and nothing of softmax. */
static struct count count_cases(enum heed_op op, int64_t cases, int64_t every, int64_t most_drawn) {
    struct count count = {0, 0};
    struct heed_context *context = NULL;
    const struct heed_check_options options = {.struct_size = sizeof options,
                                               .backend = HEED_TEST_ABUSE_PLUGINS
                                               "/heed-backend-faulty.so(fault=none)",
                                               .plugin_path = HEED_TEST_PLUGINS,
                                               .seed = 1,
                                               .cases = cases,
                                               .every = every,
                                               .op = (uint32_t)op,
                                               .row = count_row,
                                               .user = &count,
                                               .most_drawn = most_drawn};
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    if (heed_check_run(context, &options) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
    heed_context_destroy(context);
    return count;
}

static void test_declined_comes_on_top(void **state) {
    (void)state;
    struct count count = count_cases(HEED_OP_MATMUL, 12, 1, 0);
    assert_int_equal(count.cases, 12);
    assert_true(count.declined > 12);
    assert_int_equal(count_cases(HEED_OP_MATMUL, 12, 5, 0).cases, 3); /* 12 / 5, rounded up */
    count = count_cases(HEED_OP_MATMUL, 12, 1, 7);
    assert_int_equal(count.cases + count.declined, 7);
}

static void test_gives_up(void **state) {
    (void)state;
    const struct count count = count_cases(HEED_OP_SOFTMAX, 12, 1, 0);
    assert_int_equal(count.cases, 0);
    assert_int_equal(count.declined, 200);
}

static void test_usual_number_is_drawn(void **state) {
    (void)state;
    const struct count count = count_cases(HEED_OP_RELU, 0, 10, 0);
    assert_int_equal(count.cases + count.declined, 40); /* of 400 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_declined_comes_on_top),
        cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_usual_number_is_drawn),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
