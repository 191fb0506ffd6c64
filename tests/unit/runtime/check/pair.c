/* SPDX-License-Identifier: Apache-2.0 */
/* Two backends may differ by the sum of their bounds: by hand, for a product of one term. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/check/check.h"
#include "tests/support/memory.h"

static const struct heed_numeric_profile fine = {
    .struct_size = sizeof fine, .unit_roundoff = 0x1p-24f, .accumulator = HEED_F32};
static const struct heed_numeric_profile coarse = {
    .struct_size = sizeof coarse, .unit_roundoff = 0x1p-12f, .accumulator = HEED_F32};

/* What y = 3 * 1 may be on the two sides, as a share of the sum of the bounds. */
static double share(struct heed_context *context, const struct heed_numeric_profile *a_profile,
                    const struct heed_numeric_profile *b_profile, float a, float b) {
    const int64_t dims[1] = {1};
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 1, dims);
    const float x = 3, y = 1;
    const void *const inputs[HEED_MAX_INPUTS] = {&x, &y};
    struct heed_error error = {.struct_size = sizeof error};
    struct heedi_call call = {.op = HEED_OP_MUL,
                              .name = "mul",
                              .input_count = 2,
                              .inputs = {&desc, &desc},
                              .input_names = {"x", "y"},
                              .error = &error};
    const struct heedi_side sides[2] = {{a_profile, {&a}}, {b_profile, {&b}}};
    double worst = -1;
    assert_int_equal(heedi_op_infer(&call), HEED_OK);
    assert_true(heedi_check_depth(&call, a_profile) >= 1);
    assert_int_equal(heedi_check_pair(context, &call, inputs, sides, &worst), HEED_OK);
    return worst;
}

static void assert_near(double value, double expected, double apart) {
    if (!(fabs(value - expected) <= apart))
        fail_msg("%.9g, not %.9g", value, expected);
}

static void test_shares(void **state) {
    assert_true(share(*state, &fine, &fine, 3, 3) == 0);
    /* the same, though both are wrong: that is seen on each side for itself */
    assert_true(share(*state, &fine, &fine, 5, 5) == 0);
    const double one = share(*state, &fine, &fine, 3, 3 + 0x1p-22f);
    assert_true(one > 0 && one < 1);
    /* a difference of twice the size has twice the share, whichever side is off */
    assert_near(share(*state, &fine, &fine, 3, 3 + 0x1p-21f), 2 * one, 1e-6);
    assert_near(share(*state, &fine, &fine, 3 + 0x1p-22f, 3 - 0x1p-22f), 2 * one, 1e-6);
    /* what would be far too much between fine ones is within what a coarse one may be off */
    assert_true(share(*state, &fine, &fine, 3, 3 + 0x1p-12f) > 100);
    const double mixed = share(*state, &fine, &coarse, 3, 3 + 0x1p-12f);
    assert_true(mixed > 0 && mixed < 1);
    assert_near(share(*state, &coarse, &fine, 3, 3 + 0x1p-12f), mixed, 1e-12);
    /* two coarse ones may differ by twice as much, but for the rounding of fine ones */
    assert_near(share(*state, &coarse, &coarse, 3, 3 + 0x1p-12f), mixed / 2, 1e-3 * mixed);
    /* a NaN has no distance: each side is judged alone */
    assert_true(share(*state, &fine, &fine, 3, NAN) == 0);
}

static int setup(void **state) {
    *state = test_context(NULL, NULL, HEED_LOG_ERROR);
    return *state == NULL;
}

static int teardown(void **state) {
    heed_context_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
