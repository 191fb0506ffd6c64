/* SPDX-License-Identifier: Apache-2.0 */
/* copy: any type, any strides, the same elements. */
#include "tests/unit/runtime/ops/op_test.h"

static void test_types(void **state) {
    static const enum heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16, HEED_I32, HEED_I8};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct op_case c;
        op_begin(&c, HEED_OP_COPY, NULL);
        op_give(&c, 0, types[i], DIMS(3, 2), V(1, -2, 3, 4, 5, -128));
        op_strides(&c, 0, DIMS(1, 3)); /* as if transposed */
        op_run(&c);
        op_is(&c, 0, types[i], DIMS(3, 2));
        op_expect(&c, 0, V(1, 4, -2, 5, 3, -128));
        assert_true(c.magnitude[0][0] == 0);
        op_end(&c);
    }
}

static void test_odd_shapes(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_COPY, NULL);
    op_give(&c, 0, HEED_F32, DIMS(2, 2, 1, 2), V(NAN, INFINITY));
    op_strides(&c, 0, DIMS(0, 0, 7, 1)); /* repeated */
    op_run(&c);
    op_expect(&c, 0, V(NAN, INFINITY, NAN, INFINITY, NAN, INFINITY, NAN, INFINITY));
    op_end(&c);
    op_begin(&c, HEED_OP_COPY, NULL);
    op_give(&c, 0, HEED_F32, DIMS(3, 0), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(3, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_COPY, NULL);
    op_give(&c, 0, HEED_I8, SCALAR_DIMS, V(-7));
    op_run(&c);
    op_expect(&c, 0, V(-7));
    op_end(&c);
}

static void test_errors(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_COPY, NULL);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "has 0 inputs, expected 1 to 1");
    c.call.input_count = 1;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "input 0 is missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_odd_shapes),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
