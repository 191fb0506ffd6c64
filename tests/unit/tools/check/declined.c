/* SPDX-License-Identifier: Apache-2.0 */
/* What backends may decline: shares of what is drawn, and what chance makes of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tools/check/check.h"

/* Of `drawn` cases of an operator, over two types. */
static bool too_much(const char *name, enum heed_op op, int64_t drawn, int64_t declined) {
    static struct heedi_checked_backend backend;
    backend = (struct heedi_checked_backend){
        .rows = {{.op = (uint32_t)op, .dtype = HEED_F32, .cases = drawn - declined, .declined = 1},
                 {.op = (uint32_t)op, .dtype = HEED_F16, .declined = declined - 1},
                 {.op = HEED_OP_COPY, .dtype = HEED_F32, .cases = 1, .declined = 1000}},
        .row_count = 3};
    (void)snprintf(backend.name, sizeof backend.name, "%s", name);
    return heedi_check_declines_too_much(&backend, op);
}

/* The share may be exceeded by four standard deviations, sqrt(drawn share (1 - share)). */
static void test_share(void **state) {
    (void)state;
    const double share = heedi_check_may_decline("avx2", HEED_OP_MATMUL);
    assert_true(share > 0.05 && share < 0.3);
    for (int64_t drawn = 100; drawn <= 1000000; drawn *= 10) {
        const double limit = (double)drawn * share + 4 * sqrt((double)drawn * share * (1 - share));
        assert_false(too_much("avx2", HEED_OP_MATMUL, drawn, (int64_t)limit));
        assert_true(too_much("avx2", HEED_OP_MATMUL, drawn, (int64_t)limit + 1));
    }
}

static void test_none(void **state) {
    (void)state;
    assert_true(heedi_check_may_decline("scalar", HEED_OP_MATMUL) == 0);
    assert_true(too_much("scalar", HEED_OP_MATMUL, 100000, 1));
}

/* Of backends that do not come with heed nothing is known. */
static void test_others(void **state) {
    (void)state;
    assert_true(heedi_check_may_decline("other", HEED_OP_MATMUL) == 1);
    assert_false(too_much("other", HEED_OP_MATMUL, 200, 200));
    assert_false(too_much("openblas", HEED_OP_ADD, 200, 200));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
