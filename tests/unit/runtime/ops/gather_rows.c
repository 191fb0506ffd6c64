/* SPDX-License-Identifier: Apache-2.0 */
/* gather_rows: rows by index; zeros for what is outside. */
#include "tests/unit/runtime/ops/op_test.h"

static void test_rows(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_GATHER_ROWS, NULL);
    op_give(&c, 0, HEED_BF16, DIMS(3, 2), V(1, 2, 3, 4, 5, 6));
    op_give(&c, 1, HEED_I32, DIMS(5), V(2, 0, -1, 3, 2));
    op_run(&c);
    op_is(&c, 0, HEED_BF16, DIMS(5, 2));
    op_expect(&c, 0, V(5, 6, 1, 2, 0, 0, 0, 0, 5, 6));
    op_end(&c);
    op_begin(&c, HEED_OP_GATHER_ROWS, NULL); /* strided on both sides, the ends of i32 */
    op_give(&c, 0, HEED_I8, DIMS(2, 2, 1), V(1, 2, 3, 4));
    op_strides(&c, 0, DIMS(1, 2, 1));
    op_give(&c, 1, HEED_I32, DIMS(3), V(1, 7, 2147483647, 7, -2147483648.0));
    op_strides(&c, 1, DIMS(2));
    op_run(&c);
    op_expect(&c, 0, V(2, 4, 0, 0, 0, 0));
    op_end(&c);
}

static void test_odd_shapes(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_GATHER_ROWS, NULL);
    op_give(&c, 0, HEED_I32, DIMS(0), NO_VALUES);
    op_give(&c, 1, HEED_I32, DIMS(2), V(0, 1));
    op_run(&c);
    op_expect(&c, 0, V(0, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_GATHER_ROWS, NULL);
    op_give(&c, 0, HEED_F32, DIMS(1, 3), V(1, 2, 3));
    op_give(&c, 1, HEED_I32, DIMS(0), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(0, 3));
    op_end(&c);
}

static void test_errors(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_GATHER_ROWS, NULL);
    op_describe(&c, 0, HEED_F32, SCALAR_DIMS);
    op_describe(&c, 1, HEED_I32, DIMS(1));
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must have rank 1 to 4, but is f32 []");
    op_describe(&c, 0, HEED_F32, DIMS(2, 2));
    op_describe(&c, 1, HEED_F32, DIMS(1));
    op_fails(&c, HEED_ERROR_SHAPE, "index ('in1') must be i32, but is f32");
    op_describe(&c, 1, HEED_I32, DIMS(1, 1));
    op_fails(&c, HEED_ERROR_SHAPE, "index ('in1') must have rank 1, but is i32 [1, 1]");
    op_describe(&c, 0, HEED_I8, DIMS(1, INT64_C(1) << 40));
    op_describe(&c, 1, HEED_I32, DIMS(INT64_C(1) << 40));
    op_fails(&c, HEED_ERROR_LIMIT, "too large");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_odd_shapes),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
