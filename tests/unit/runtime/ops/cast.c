/* SPDX-License-Identifier: Apache-2.0 */
/* cast: truncation, saturation, NaN; float types. */
#include "tests/unit/runtime/ops/op_test.h"

static void cast(struct op_case *c, struct heed_cast_attrs *attrs, uint32_t dtype) {
    *attrs = (struct heed_cast_attrs){.struct_size = (uint32_t)sizeof *attrs, .dtype = dtype};
    op_begin(c, HEED_OP_CAST, attrs);
}

static void test_to_i8(void **state) {
    struct op_case c;
    struct heed_cast_attrs attrs;
    (void)state;
    cast(&c, &attrs, HEED_I8);
    op_give(&c, 0, HEED_F32, DIMS(10),
            V(1.9, -1.9, 127.9, 128, -128.9, -129, NAN, INFINITY, -INFINITY, -0.5));
    op_run(&c);
    op_is(&c, 0, HEED_I8, DIMS(10));
    op_expect(&c, 0, V(1, -1, 127, 127, -128, -128, 0, 127, -128, 0));
    op_end(&c);
    cast(&c, &attrs, HEED_I8); /* from i32 */
    op_give(&c, 0, HEED_I32, DIMS(3), V(2147483647, -2147483648.0, -3));
    op_run(&c);
    op_expect(&c, 0, V(127, -128, -3));
    op_end(&c);
}

static void test_to_i32(void **state) {
    struct op_case c;
    struct heed_cast_attrs attrs;
    (void)state;
    cast(&c, &attrs, HEED_I32);
    op_give(&c, 0, HEED_F32, DIMS(2, 3), V(2147483520.0, 2147483648.0, -3e9, NAN, 2.5, -2.5));
    op_strides(&c, 0, DIMS(1, 2));
    op_run(&c);
    op_expect(&c, 0, V(2147483520.0, -2147483648.0, 2, 2147483647, 0, -2));
    op_end(&c);
    cast(&c, &attrs, HEED_I32); /* the greatest f16, and its infinity */
    op_give(&c, 0, HEED_F16, DIMS(2), V(65504, 65520));
    op_run(&c);
    op_expect(&c, 0, V(65504, 2147483647));
    op_end(&c);
}

static void test_to_float(void **state) {
    struct op_case c;
    struct heed_cast_attrs attrs;
    (void)state;
    cast(&c, &attrs, HEED_F16);
    op_give(&c, 0, HEED_I8, DIMS(2, 1), V(-128, 3));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 1));
    op_expect(&c, 0, V(-128, 3));
    op_end(&c);
    cast(&c, &attrs, HEED_BF16);
    op_give(&c, 0, HEED_F32, DIMS(0), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_BF16, DIMS(0));
    op_end(&c);
}

static void test_errors(void **state) {
    struct op_case c;
    struct heed_cast_attrs attrs;
    (void)state;
    cast(&c, &attrs, 7);
    op_describe(&c, 0, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "unknown type 7");
    cast(&c, &attrs, HEED_Q8_0);
    op_describe(&c, 0, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_UNSUPPORTED, "to q8_0 is not supported");
    cast(&c, &attrs, HEED_F32);
    op_describe(&c, 0, HEED_Q8_0, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE,
             "input 0 ('in0') is q8_0, which only b of matmul and the table of embedding may be");
    cast(&c, &attrs, 0);
    op_describe(&c, 0, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "unknown type 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_i8),
        cmocka_unit_test(test_to_i32),
        cmocka_unit_test(test_to_float),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
