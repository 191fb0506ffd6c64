/* SPDX-License-Identifier: Apache-2.0 */
/* advance: columns that go on, columns that end, columns that are idle already. */
#include "tests/unit/runtime/ops/op_test.h"

static const struct heed_advance_attrs three = {
    .struct_size = sizeof three, .eos = 9, .capacity = 4};

static void test_columns(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADVANCE, &three);
    /* goes on; ends; was idle; no position left; a position before the first */
    op_give(&c, 0, HEED_I32, DIMS(5, 5),
            V(7, 7, -1, 7, 7, 1, 0, 4, 3, -2, 2, 1, 0, 4, 1, 6, 5, -1, 3, 2, 0, 1, -1, 2, 3));
    op_give(&c, 1, HEED_I32, DIMS(5), V(8, 9, 8, 8, 8));
    op_run(&c);
    op_is(&c, 0, HEED_I32, DIMS(5, 5));
    op_expect(
        &c, 0,
        V(8, -1, -1, -1, -1, 2, 4, 4, 4, 4, 3, 0, 0, 0, 0, 6, -1, -1, -1, -1, 0, -1, -1, -1, -1));
    op_end(&c);
}

static void test_ends_of_i32(void **state) {
    struct op_case c;
    const struct heed_advance_attrs attrs = {
        .struct_size = sizeof attrs, .eos = -1, .capacity = INT32_MAX};
    (void)state;
    op_begin(&c, HEED_OP_ADVANCE, &attrs); /* columns are stored one after the other */
    op_give(&c, 0, HEED_I32, DIMS(5, 2),
            V(1, 0, 2147483647, -2147483648.0, 2147483647, 1, 2147483647, 2, 3, 4));
    op_strides(&c, 0, DIMS(1, 5));
    op_give(&c, 1, HEED_I32, DIMS(2), V(2147483647, 7, -2147483648.0));
    op_strides(&c, 1, DIMS(2));
    op_run(&c);
    op_expect(
        &c, 0,
        V(2147483647, -1, 1, 2147483647, -2147483648.0, 0, -2147483648.0, -1, 2147483647, -1));
    op_end(&c);
}

static void test_errors(void **state) {
    struct op_case c;
    struct heed_advance_attrs attrs = {.struct_size = sizeof attrs, .capacity = 0};
    (void)state;
    op_begin(&c, HEED_OP_ADVANCE, &three);
    op_describe(&c, 0, HEED_F32, DIMS(5, 2));
    op_describe(&c, 1, HEED_I32, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE, "rows ('in0') must be i32, but is f32");
    op_describe(&c, 0, HEED_I32, DIMS(4, 2));
    op_fails(&c, HEED_ERROR_SHAPE, "rows is i32 [4, 2], expected 5 rows");
    op_describe(&c, 0, HEED_I32, DIMS(5, 2));
    op_describe(&c, 1, HEED_I32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "next ('in1')");
    op_begin(&c, HEED_OP_ADVANCE, &attrs);
    op_describe(&c, 0, HEED_I32, DIMS(5, 2));
    op_describe(&c, 1, HEED_I32, DIMS(2));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "capacity is 0, expected 1 to 2^31 - 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_ends_of_i32),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
