/* SPDX-License-Identifier: Apache-2.0 */
/* How many steps are taken at once: the cost of a submission against steps after the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/decode/decode.h"

/* What a sentence costs with n steps at a time, in half nanoseconds. */
static uint64_t cost(uint64_t submission_ns, uint64_t step_ns, uint32_t tokens, uint32_t n) {
    return 2 * submission_ns * tokens / n + step_ns * (n - 1);
}

static void lengths_are_near_the_best(void **state) {
    static const uint64_t submissions[] = {20000, HEEDI_SUBMISSION_NS, 700000};
    (void)state;
    for (size_t i = 0; i < sizeof submissions / sizeof submissions[0]; i++)
        for (uint64_t step_ns = 1000; step_ns < 1000000000; step_ns = step_ns * 3 / 2)
            for (uint32_t tokens = 1; tokens < 200; tokens += 7) {
                const uint64_t s = submissions[i];
                const uint32_t length = heedi_series_length(s, step_ns, tokens);
                uint64_t best = UINT64_MAX;
                assert_in_range(length, 1, HEEDI_SERIES_MOST);
                for (uint32_t n = 1; n <= HEEDI_SERIES_MOST; n++)
                    best = cost(s, step_ns, tokens, n) < best ? cost(s, step_ns, tokens, n) : best;
                /* the root is cut to a whole number: at most from just below 2 to 1 */
                assert_true(cost(s, step_ns, tokens, length) <= best + best / 3);
            }
}

static void lengths_at_the_ends(void **state) {
    (void)state;
    assert_int_equal(heedi_series_length(0, 0, 20), HEEDI_SERIES_UNMEASURED);
    assert_int_equal(heedi_series_length(0, 1, 20), HEEDI_SERIES_MOST);
    assert_int_equal(heedi_series_length(0, UINT64_MAX, UINT32_MAX), 1);
    assert_int_equal(heedi_series_length(0, 1000000, 20), 2); /* sqrt(2 0.1 ms 20 / 1 ms) = 2 */
    assert_int_equal(heedi_series_length(0, 1000001, 20), 1);
    assert_int_equal(heedi_series_length(400000, 1000000, 20), 4); /* sqrt(2 0.4 ms 20 / 1 ms) */
    assert_int_equal(heedi_series_length(UINT64_MAX, 1000000, 20), 2); /* not believed */
    assert_int_equal(heedi_series_length(0, 50000000, 0), 1);
}

static void a_step_is_what_the_submission_leaves(void **state) {
    (void)state;
    assert_int_equal(heedi_series_step_ns(0, 900000, 4), 200000);
    assert_int_equal(heedi_series_step_ns(20000, 900000, 4), 220000);
    assert_int_equal(heedi_series_step_ns(0, 100000, 1), 50000); /* at least half */
    assert_int_equal(heedi_series_step_ns(0, 0, 3), 1);
    assert_int_equal(heedi_series_step_ns(0, 300000, 0), 200000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lengths_are_near_the_best),
                                       cmocka_unit_test(lengths_at_the_ends),
                                       cmocka_unit_test(a_step_is_what_the_submission_leaves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
