/* SPDX-License-Identifier: Apache-2.0 */
/* cache_append: where elements land, and which are dropped. */
#include "tests/unit/runtime/ops/op_test.h"

static void test_positions(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_CACHE_APPEND, NULL);
    op_give(&c, 0, HEED_F16, DIMS(2, 3, 1), V(1, 2, 3, 4, 5, 6));
    op_give(&c, 1, HEED_F32, DIMS(2, 2, 1), V(10, 11, 20, 21));
    op_give(&c, 2, HEED_I32, DIMS(2), V(1, 2)); /* the second row runs over the end */
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 3, 1));
    op_expect(&c, 0, V(1, 10, 11, 4, 5, 20));
    op_end(&c);
    op_begin(&c, HEED_OP_CACHE_APPEND, NULL); /* idle rows, from before the start */
    op_give(&c, 0, HEED_F32, DIMS(3, 2, 2), V(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    op_give(&c, 1, HEED_F32, DIMS(3, 2, 2), V(-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12));
    op_give(&c, 2, HEED_I32, DIMS(3), V(2, -1, -2147483648.0));
    op_run(&c);
    op_expect(&c, 0, V(1, 2, 3, 4, -7, -8, 7, 8, 9, 10, 11, 12));
    op_end(&c);
}

static void test_rows(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_CACHE_APPEND, NULL);
    op_give(&c, 0, HEED_BF16, DIMS(3, 1, 2), V(1, 2, 3, 4, 5, 6));
    op_give(&c, 1, HEED_BF16, DIMS(4, 1, 2), V(10, 30, 50, 70, 20, 40, 60, 80));
    op_strides(&c, 1, DIMS(1, 1, 4));
    op_give(&c, 2, HEED_I32, DIMS(4), V(0));
    op_strides(&c, 2, DIMS(0));
    op_give(&c, 3, HEED_I32, DIMS(4), V(2, -1, 3, 0));
    op_run(&c);
    op_expect(&c, 0, V(70, 80, 3, 4, 10, 20));
    op_end(&c);
    op_begin(&c, HEED_OP_CACHE_APPEND, NULL); /* more rows than the state has, none named */
    op_give(&c, 0, HEED_F32, DIMS(1, 1, 1), V(1));
    op_give(&c, 1, HEED_F32, DIMS(2, 1, 1), V(5, 6));
    op_give(&c, 2, HEED_I32, DIMS(2), V(0, 0));
    op_run(&c);
    op_expect(&c, 0, V(5));
    op_end(&c);
}

static void test_empty(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_CACHE_APPEND, NULL);
    op_give(&c, 0, HEED_F32, DIMS(1, 0, 3), NO_VALUES);
    op_give(&c, 1, HEED_F32, DIMS(1, 1, 3), V(1, 2, 3));
    op_give(&c, 2, HEED_I32, DIMS(1), V(0));
    op_run(&c);
    op_expect(&c, 0, NO_VALUES);
    op_end(&c);
    op_begin(&c, HEED_OP_CACHE_APPEND, NULL);
    op_give(&c, 0, HEED_F32, DIMS(1, 1, 1), V(7));
    op_give(&c, 1, HEED_F32, DIMS(0, 5, 1), NO_VALUES);
    op_give(&c, 2, HEED_I32, DIMS(0), NO_VALUES);
    op_run(&c);
    op_expect(&c, 0, V(7));
    op_end(&c);
}

static void test_errors(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_CACHE_APPEND, NULL);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3, 4));
    op_describe(&c, 1, HEED_F32, DIMS(2, 1, 5));
    op_describe(&c, 2, HEED_I32, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE, "x is f32 [2, 1, 5], state is f32 [2, 3, 4]");
    op_describe(&c, 1, HEED_F32, DIMS(2, 4));
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in1') must have rank 3, but is f32 [2, 4]");
    op_describe(&c, 1, HEED_I32, DIMS(2, 1, 4));
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in1') must be f32, f16 or bf16, but is i32");
    op_describe(&c, 1, HEED_F16, DIMS(2, 1, 4));
    op_describe(&c, 2, HEED_I32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "pos ('in2') must be [2] (the rows of x), but is i32 [3]");
    op_describe(&c, 2, HEED_I8, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE, "pos ('in2') must be i32, but is i8");
    op_describe(&c, 2, HEED_I32, DIMS(2));
    op_describe(&c, 3, HEED_I32, DIMS(2, 1));
    op_fails(&c, HEED_ERROR_SHAPE, "row ('in3') must be [2]");
    op_describe(&c, 0, HEED_I8, DIMS(2, 3, 4));
    op_fails(&c, HEED_ERROR_SHAPE, "state ('in0') must be f32");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
