/* SPDX-License-Identifier: Apache-2.0 */
/* log_softmax: logarithms of shares, also of those too small for a number. */
#include "tests/unit/runtime/ops/op_test.h"

static void test_values(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL);
    op_give(&c, 0, HEED_F16, DIMS(2, 4), V(-1.5, 2, 0.25, -0.0, 7, 7, 7, 7));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 4));
    const double log_sum = log(exp(-1.5) + exp(2) + exp(0.25) + 1), quarter = log(0.25);
    op_expect(&c, 0,
              V(-1.5 - log_sum, 2 - log_sum, 0.25 - log_sum, -log_sum, quarter, quarter, quarter,
                quarter));
    op_end(&c);
}

/* Differences of logits survive where the shares themselves round to 0 or overflow. */
static void test_large(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(4, 2), V(1e30, 1e30, 1e5, -1e5, -900, -901, 0, -60));
    op_run(&c);
    op_expect(&c, 0, V(log(0.5), log(0.5), 0, -2e5, -log1p(exp(-1)), -1 - log1p(exp(-1)), 0, -60));
    op_end(&c);
}

static void test_special(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL); /* nothing has a share of 0 */
    op_give(&c, 0, HEED_F32, DIMS(3), V(-INFINITY, 4, 4));
    op_run(&c);
    op_expect(&c, 0, V(-INFINITY, log(0.5), log(0.5)));
    op_end(&c);
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL); /* NaN spoils its row and no other */
    op_give(&c, 0, HEED_F32, DIMS(4, 2), V(NAN, 1, 1, NAN, 2, 2, NAN, -INFINITY));
    op_run(&c);
    op_expect(&c, 0, V(NAN, NAN, NAN, NAN, log(0.5), log(0.5), NAN, NAN));
    op_end(&c);
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL); /* inf - inf */
    op_give(&c, 0, HEED_F32, DIMS(2, 2), V(INFINITY, INFINITY, -INFINITY, -INFINITY));
    op_run(&c);
    op_expect(&c, 0, V(NAN, NAN, NAN, NAN));
    op_end(&c);
}

static void test_shapes_and_views(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL); /* one element takes all */
    op_give(&c, 0, HEED_F32, DIMS(2, 1), V(-5, 1e30));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 1));
    op_expect(&c, 0, V(0, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL); /* no row */
    op_give(&c, 0, HEED_BF16, DIMS(0, 3), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_BF16, DIMS(0, 3));
    op_end(&c);
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL); /* columns */
    op_give(&c, 0, HEED_F32, DIMS(2, 2), V(0, 100, 0, 0));
    op_strides(&c, 0, DIMS(1, 2));
    op_run(&c);
    op_expect(&c, 0, V(log(0.5), log(0.5), 0, -100));
    op_end(&c);
}

/* What rounds once per addition cannot be bounded by less than the additions. */
static void test_bound(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL);
    op_describe(&c, 0, HEED_F32, DIMS(1000));
    op_infer(&c);
    assert_true(heedi_op_find(HEED_OP_LOG_SOFTMAX)->depth(&c.call) >= 1000);
}

static void test_cost(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL);
    op_describe(&c, 0, HEED_F32, DIMS(3, 100));
    op_costs(&c, 1200, 300 * 4 + 300 * 4);
}

static void test_errors(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LOG_SOFTMAX, NULL);
    op_describe(&c, 0, HEED_I8, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must be f32, f16 or bf16, but is i8");
    op_describe(&c, 0, HEED_F32, SCALAR_DIMS);
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must have rank 1 to 4, but is f32 []");
    op_describe(&c, 0, HEED_F32, DIMS(2, 0));
    op_fails(&c, HEED_ERROR_SHAPE, "the last dimension must not be empty");
    c.call.input_count = 0;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "has 0 inputs, expected 1 to 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_large),
        cmocka_unit_test(test_special), cmocka_unit_test(test_shapes_and_views),
        cmocka_unit_test(test_bound),   cmocka_unit_test(test_cost),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
