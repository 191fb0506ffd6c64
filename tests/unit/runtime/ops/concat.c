/* SPDX-License-Identifier: Apache-2.0 */
/* concat: along every axis, with parts of every size. */
#include "tests/unit/runtime/ops/op_test.h"

static void concat(struct op_case *c, struct heed_concat_attrs *attrs, uint32_t axis) {
    *attrs = (struct heed_concat_attrs){.struct_size = (uint32_t)sizeof *attrs, .axis = axis};
    op_begin(c, HEED_OP_CONCAT, attrs);
}

static void test_axes(void **state) {
    struct op_case c;
    struct heed_concat_attrs attrs;
    (void)state;
    concat(&c, &attrs, 0);
    op_give(&c, 0, HEED_I32, DIMS(1, 2), V(1, 2));
    op_give(&c, 1, HEED_I32, DIMS(0, 2), NO_VALUES);
    op_give(&c, 2, HEED_I32, DIMS(2, 2), V(3, 5, 4, 6));
    op_strides(&c, 2, DIMS(1, 2));
    op_run(&c);
    op_is(&c, 0, HEED_I32, DIMS(3, 2));
    op_expect(&c, 0, V(1, 2, 3, 4, 5, 6));
    op_end(&c);
    concat(&c, &attrs, 1);
    op_give(&c, 0, HEED_F16, DIMS(2, 1), V(1, 4));
    op_give(&c, 1, HEED_F16, DIMS(2, 2), V(2, 3, 5, 6));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 3));
    op_expect(&c, 0, V(1, 2, 3, 4, 5, 6));
    op_end(&c);
    concat(&c, &attrs, 1); /* a middle axis */
    op_give(&c, 0, HEED_F32, DIMS(2, 1, 2), V(1, 2, 5, 6));
    op_give(&c, 1, HEED_F32, DIMS(2, 1, 2), V(3, 4, 7, 8));
    op_run(&c);
    op_expect(&c, 0, V(1, 2, 3, 4, 5, 6, 7, 8));
    op_end(&c);
}

static void test_many(void **state) {
    struct op_case c;
    struct heed_concat_attrs attrs;
    (void)state;
    concat(&c, &attrs, 0);
    for (uint32_t i = 0; i < 8; i++)
        op_give(&c, i, HEED_I8, DIMS(1), 1, (const double[]){(double)i});
    op_run(&c);
    op_expect(&c, 0, V(0, 1, 2, 3, 4, 5, 6, 7));
    op_end(&c);
    concat(&c, &attrs, 0); /* a single part is a copy */
    op_give(&c, 0, HEED_I8, DIMS(2), V(3, 4));
    op_run(&c);
    op_expect(&c, 0, V(3, 4));
    op_end(&c);
}

static void test_errors(void **state) {
    struct op_case c;
    struct heed_concat_attrs attrs;
    (void)state;
    concat(&c, &attrs, 1);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_describe(&c, 1, HEED_F32, DIMS(3, 3));
    op_fails(&c, HEED_ERROR_SHAPE, "input 1 is f32 [3, 3], which does not join f32 [2, 3]");
    op_describe(&c, 1, HEED_F16, DIMS(2, 3));
    op_fails(&c, HEED_ERROR_SHAPE, "input 1 is f16 [2, 3]");
    op_describe(&c, 1, HEED_F32, DIMS(2, 3, 1));
    op_fails(&c, HEED_ERROR_SHAPE, "input 1 is f32 [2, 3, 1]");
    op_describe(&c, 2, HEED_F32, DIMS(2, 3));
    c.call.inputs[1] = NULL;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "input 1 is missing");
    concat(&c, &attrs, 2);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "axis is 2, rank is 2");
    concat(&c, &attrs, 0);
    op_describe(&c, 0, HEED_I8, DIMS(INT64_C(1) << 62, 1));
    op_describe(&c, 1, HEED_I8, DIMS(INT64_C(1) << 62, 1));
    op_fails(&c, HEED_ERROR_SHAPE, "does not join");
    op_describe(&c, 0, HEED_F32, DIMS(INT64_C(1) << 60, 1));
    op_describe(&c, 1, HEED_F32, DIMS(INT64_C(1) << 60, 1));
    op_fails(&c, HEED_ERROR_LIMIT, "too large");
    for (uint32_t i = 0; i < 9; i++)
        op_describe(&c, i, HEED_F32, DIMS(1));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "has 9 inputs, expected 1 to 8");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
