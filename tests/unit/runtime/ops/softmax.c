/* SPDX-License-Identifier: Apache-2.0 */
/* softmax: shares of one, from logits of any size. */
#include "tests/unit/runtime/ops/op_test.h"

static void test_values(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* e^x in the proportions 1 : 2 : 5 and 1 : 1 : 1 */
    op_give(&c, 0, HEED_F32, DIMS(2, 3), V(0, (float)0.69314718, (float)1.60943791, 7, 7, 7));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 3));
    const double expected[] = {0.125, 0.25, 0.625};
    for (int i = 0; i < 3; i++)
        assert_true(fabs(c.out[0][i] - expected[i]) < 1e-8); /* logits are rounded to f32 */
    for (int i = 3; i < 6; i++)
        assert_true(fabs(c.out[0][i] - 1.0 / 3) < 1e-15);
    op_end(&c);
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* against the formula without a shift */
    op_give(&c, 0, HEED_BF16, DIMS(4), V(-1.5, 2, 0.25, -0.0));
    op_run(&c);
    op_is(&c, 0, HEED_BF16, DIMS(4));
    const double sum = exp(-1.5) + exp(2) + exp(0.25) + 1;
    op_expect(&c, 0, V(exp(-1.5) / sum, exp(2) / sum, exp(0.25) / sum, 1 / sum));
    op_end(&c);
}

/* exp of these logits overflows or vanishes without the shift. */
static void test_large(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SOFTMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(4, 2), V(1e30, 1e30, -3e38, -3e38, 1e5, -1e5, -900, -901));
    op_run(&c);
    const double e = exp(-1);
    op_expect(&c, 0, V(0.5, 0.5, 0.5, 0.5, 1, 0, 1 / (1 + e), e / (1 + e)));
    op_end(&c);
}

static void test_special(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* -inf has no share; where all are -inf, none has */
    op_give(&c, 0, HEED_F16, DIMS(2, 3), V(-INFINITY, 4, 4, -INFINITY, -INFINITY, -INFINITY));
    op_run(&c);
    op_expect(&c, 0, V(0, 0.5, 0.5, 0, 0, 0));
    assert_true(c.magnitude[0][0] == 0 && c.magnitude[0][3] == 0);
    op_end(&c);
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* NaN spoils its row and no other */
    op_give(&c, 0, HEED_F32, DIMS(4, 2), V(NAN, 1, 1, NAN, 2, 2, NAN, -INFINITY));
    op_run(&c);
    op_expect(&c, 0, V(NAN, NAN, NAN, NAN, 0.5, 0.5, NAN, NAN));
    op_end(&c);
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* inf - inf: no order of infinities */
    op_give(&c, 0, HEED_F32, DIMS(2), V(INFINITY, INFINITY));
    op_run(&c);
    op_expect(&c, 0, V(NAN, NAN));
    op_end(&c);
}

static void test_shapes(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* one element takes all */
    op_give(&c, 0, HEED_F32, DIMS(3, 1), V(-5, 1e30, -INFINITY));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(3, 1));
    op_expect(&c, 0, V(1, 1, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* no row */
    op_give(&c, 0, HEED_F32, DIMS(1, 0, 2, 3), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(1, 0, 2, 3));
    op_end(&c);
}

static void test_views(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* columns; the result is contiguous all the same */
    op_give(&c, 0, HEED_F32, DIMS(2, 2), V(0, 100, 0, 0));
    op_strides(&c, 0, DIMS(1, 2));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 2));
    op_expect(&c, 0, V(0.5, 0.5, 1, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_SOFTMAX, NULL); /* one element, repeated */
    op_give(&c, 0, HEED_F32, DIMS(2, 4), V(3));
    op_strides(&c, 0, DIMS(0, 0));
    op_run(&c);
    op_expect(&c, 0, V(0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25));
    op_end(&c);
}

/* The bound covers what any order of summation in f32 does, and grows with the row's length. */
static void test_bound(void **state) {
    struct op_case narrow, wide;
    (void)state;
    op_begin(&narrow, HEED_OP_SOFTMAX, NULL);
    op_describe(&narrow, 0, HEED_F32, DIMS(2));
    op_infer(&narrow);
    op_begin(&wide, HEED_OP_SOFTMAX, NULL);
    op_describe(&wide, 0, HEED_F32, DIMS(1000));
    op_infer(&wide);
    const struct heedi_op *op = heedi_op_find(HEED_OP_SOFTMAX);
    assert_true(op->depth(&narrow.call) >= 2);
    assert_true(op->depth(&wide.call) >= 1000);
}

static void test_cost(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SOFTMAX, NULL);
    op_describe(&c, 0, HEED_F16, DIMS(3, 100));
    op_costs(&c, 1200, 300 * 2 + 300 * 2);
    op_describe(&c, 0, HEED_F16, DIMS(0, 100));
    op_costs(&c, 0, 0);
}

static void test_errors(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SOFTMAX, NULL);
    op_describe(&c, 0, HEED_I32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must be f32, f16 or bf16, but is i32");
    op_describe(&c, 0, HEED_F32, SCALAR_DIMS);
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must have rank 1 to 4, but is f32 []");
    op_describe(&c, 0, HEED_F32, DIMS(2, 0));
    op_fails(&c, HEED_ERROR_SHAPE, "the last dimension must not be empty");
    op_describe(&c, 0, HEED_F32, DIMS(2));
    op_describe(&c, 1, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "has 2 inputs, expected 1 to 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_large),
        cmocka_unit_test(test_special), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_views),   cmocka_unit_test(test_bound),
        cmocka_unit_test(test_cost),    cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
