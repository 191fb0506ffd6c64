/* SPDX-License-Identifier: Apache-2.0 */
/* argmax: the index of the greatest, the lowest among equals, NaN below everything. */
#include "tests/unit/runtime/ops/op_test.h"

static void test_values(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(4, 3), V(1, 3, 2, 5, 5, 4, -1, -2, -1, -3, -2, -1));
    op_run(&c);
    op_is(&c, 0, HEED_I32, DIMS(4));
    op_expect(&c, 0, V(1, 0, 0, 2));
    for (int i = 0; i < 4; i++)
        assert_true(c.magnitude[0][i] == 0);
    op_end(&c);
    op_begin(&c, HEED_OP_ARGMAX, NULL); /* both zeros are equal; the ends of f16 */
    op_give(&c, 0, HEED_F16, DIMS(2, 3), V(-0.0, 0, -0.0, -65504, 6e-8, 65504));
    op_run(&c);
    op_expect(&c, 0, V(0, 2));
    op_end(&c);
}

static void test_special(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_give(&c, 0, HEED_BF16, DIMS(6, 3),
            V(NAN, 1, 2, 2, NAN, 1, NAN, NAN, NAN, NAN, -INFINITY, NAN, -INFINITY, -INFINITY,
              -INFINITY, INFINITY, 3, INFINITY));
    op_run(&c);
    op_expect(&c, 0, V(2, 0, 0, 1, 0, 0));
    op_end(&c);
}

static void test_shapes(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ARGMAX, NULL); /* a vector gives a scalar */
    op_give(&c, 0, HEED_F32, DIMS(2), V(1, 2));
    op_run(&c);
    op_is(&c, 0, HEED_I32, SCALAR_DIMS);
    op_expect(&c, 0, V(1));
    op_end(&c);
    op_begin(&c, HEED_OP_ARGMAX, NULL); /* one element to choose from */
    op_give(&c, 0, HEED_F32, DIMS(2, 1, 1), V(NAN, 7));
    op_run(&c);
    op_is(&c, 0, HEED_I32, DIMS(2, 1));
    op_expect(&c, 0, V(0, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_ARGMAX, NULL); /* no row */
    op_give(&c, 0, HEED_F32, DIMS(2, 0, 3), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_I32, DIMS(2, 0));
    op_end(&c);
}

/* The transpose of a matrix, and every other element of a row that is repeated. */
static void test_views(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(3, 2), V(1, 2, 9, 4, 8, 6));
    op_strides(&c, 0, DIMS(1, 3));
    op_run(&c);
    op_expect(&c, 0, V(1, 1, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(2, 3), V(1, 9, 2, 9, 3));
    op_strides(&c, 0, DIMS(0, 2));
    op_run(&c);
    op_expect(&c, 0, V(2, 2));
    op_end(&c);
}

static void test_cost(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_describe(&c, 0, HEED_F16, DIMS(3, 100));
    op_costs(&c, 300, 300 * 2 + 3 * 4);
}

static void test_errors(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "has 0 inputs, expected 1 to 1");
    op_describe(&c, 0, HEED_I32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must be f32, f16 or bf16, but is i32");
    op_describe(&c, 0, HEED_F32, SCALAR_DIMS);
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must have rank 1 to 4, but is f32 []");
    op_describe(&c, 0, HEED_F32, DIMS(2, 0));
    op_fails(&c, HEED_ERROR_SHAPE, "the last dimension must have 1 to 2^31 - 1 elements");
    op_describe(&c, 0, HEED_F32, DIMS(INT64_C(1) << 31)); /* one too many */
    op_fails(&c, HEED_ERROR_SHAPE, "the last dimension must have 1 to 2^31 - 1 elements");
    op_describe(&c, 0, HEED_F32, DIMS((INT64_C(1) << 31) - 1));
    op_infer(&c);
    op_describe(&c, 1, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "has 2 inputs, expected 1 to 1");
}

static void test_lowering(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(2, 2, 3), V(1, 3, 2, 5, 5, 4, NAN, -2, -1, -3, -2, -2));
    op_run(&c);
    op_expect(&c, 0, V(1, 0, 2, 1));
    op_lowers(&c, 0);
    op_end(&c);
    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(3), V(NAN, NAN, NAN));
    op_run(&c);
    op_lowers(&c, 0);
    op_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_special),
        cmocka_unit_test(test_shapes),   cmocka_unit_test(test_views),
        cmocka_unit_test(test_cost),     cmocka_unit_test(test_errors),
        cmocka_unit_test(test_lowering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
