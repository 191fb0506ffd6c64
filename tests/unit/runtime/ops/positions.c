/* SPDX-License-Identifier: Apache-2.0 */
/* positions: three layouts of sines and cosines, and zeros for what is no position. */
#include "tests/unit/runtime/ops/op_test.h"

static struct heed_positions_attrs layout(uint32_t form, uint32_t width, uint32_t max_len) {
    return (struct heed_positions_attrs){.struct_size =
                                             (uint32_t)sizeof(struct heed_positions_attrs),
                                         .form = form,
                                         .width = width,
                                         .max_len = max_len};
}

/* Width 4: the frequencies are 1 and 10000^(-2/4) = 1/100. */
static void test_halves(void **state) {
    const struct heed_positions_attrs attrs = layout(HEED_POSITIONS_HALVES, 4, 512);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_give(&c, 0, HEED_I32, DIMS(3), V(0, 1, 511));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(3, 4));
    op_expect(&c, 0,
              V(0, 0, 1, 1, sin(1), sin(0.01), cos(1), cos(0.01), sin(511), sin(5.11), cos(511),
                cos(5.11)));
    op_end(&c);
}

static void test_interleaved(void **state) {
    const struct heed_positions_attrs attrs = layout(HEED_POSITIONS_INTERLEAVED, 4, 8);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_give(&c, 0, HEED_I32, DIMS(2), V(0, 3));
    op_run(&c);
    op_expect(&c, 0, V(0, 1, 0, 1, sin(3), cos(3), sin(0.03), cos(0.03)));
    op_end(&c);
}

/* Width 6: the frequencies are 10000^0, 10000^(-1/2), 10000^(-1), ends included. */
static void test_halves_t2t(void **state) {
    const struct heed_positions_attrs attrs = layout(HEED_POSITIONS_HALVES_T2T, 6, 8);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_give(&c, 0, HEED_I32, DIMS(1), V(7));
    op_run(&c);
    op_expect(&c, 0, V(sin(7), sin(0.07), sin(0.0007), cos(7), cos(0.07), cos(0.0007)));
    op_end(&c);
}

/* The narrowest: one frequency, or two for the form that divides by n/2 - 1. */
static void test_narrowest(void **state) {
    struct heed_positions_attrs attrs = layout(HEED_POSITIONS_HALVES, 2, 8);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_give(&c, 0, HEED_I32, DIMS(1), V(7));
    op_run(&c);
    op_expect(&c, 0, V(sin(7), cos(7)));
    op_end(&c);
    attrs = layout(HEED_POSITIONS_HALVES_T2T, 4, 8);
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_give(&c, 0, HEED_I32, DIMS(1), V(7));
    op_run(&c);
    op_expect(&c, 0, V(sin(7), sin(0.0007), cos(7), cos(0.0007)));
    op_end(&c);
}

static void test_outside(void **state) {
    const struct heed_positions_attrs attrs = layout(HEED_POSITIONS_HALVES, 2, 3);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_give(&c, 0, HEED_I32, DIMS(5), V(2, 3, -1, 2147483647, -2147483648.0));
    op_run(&c);
    op_expect(&c, 0, V(sin(2), cos(2), 0, 0, 0, 0, 0, 0, 0, 0));
    for (int i = 2; i < 10; i++)
        assert_true(c.magnitude[0][i] == 0);
    op_end(&c);
}

static void test_shapes_and_views(void **state) {
    const struct heed_positions_attrs attrs = layout(HEED_POSITIONS_HALVES, 2, 8);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_POSITIONS, &attrs); /* a scalar gives a vector */
    op_give(&c, 0, HEED_I32, SCALAR_DIMS, V(1));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2));
    op_expect(&c, 0, V(sin(1), cos(1)));
    op_end(&c);
    op_begin(&c, HEED_OP_POSITIONS, &attrs); /* columns, the second dimension of size 1 */
    op_give(&c, 0, HEED_I32, DIMS(2, 1, 2), V(0, 1, 2, 3));
    op_strides(&c, 0, DIMS(1, 7, 2));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 1, 2, 2));
    op_expect(&c, 0, V(0, 1, sin(2), cos(2), sin(1), cos(1), sin(3), cos(3)));
    op_end(&c);
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_give(&c, 0, HEED_I32, DIMS(2, 0), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 0, 2));
    op_end(&c);
}

static void test_cost(void **state) {
    const struct heed_positions_attrs attrs = layout(HEED_POSITIONS_HALVES, 10, 8);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_describe(&c, 0, HEED_I32, DIMS(3));
    op_costs(&c, 60, 3 * 4 + 30 * 4);
}

static void test_errors(void **state) {
    struct heed_positions_attrs attrs = layout(3, 4, 8);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_POSITIONS, &attrs);
    op_describe(&c, 0, HEED_I32, DIMS(3));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "form is 3, expected 0 to 2");
    static const uint32_t bad[] = {0, 3, (1u << 20) + 2, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        attrs = layout(HEED_POSITIONS_INTERLEAVED, bad[i], 8);
        op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "expected an even number from 2 to 2^20");
    }
    attrs = layout(HEED_POSITIONS_HALVES_T2T, 2, 8);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "width is 2, expected an even number from 4 to 2^20");
    attrs = layout(HEED_POSITIONS_HALVES, 2, 0);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "max_len is 0, expected 1 to 2^24");
    attrs = layout(HEED_POSITIONS_HALVES, 2, (1u << 24) + 1);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "max_len is 16777217, expected 1 to 2^24");
    attrs = layout(HEED_POSITIONS_HALVES, 1u << 20, 1u << 24); /* both at their limits */
    op_infer(&c);
    attrs = layout(HEED_POSITIONS_HALVES, 2, 1);
    op_infer(&c);
    op_describe(&c, 0, HEED_F32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "pos ('in0') must be i32, but is f32");
    op_describe(&c, 0, HEED_I32, DIMS(1, 1, 1, 1));
    op_fails(&c, HEED_ERROR_SHAPE, "pos ('in0') must have rank 0 to 3, but is i32 [1, 1, 1, 1]");
    op_describe(&c, 0, HEED_I32, DIMS(INT64_C(1) << 60));
    op_fails(&c, HEED_ERROR_LIMIT, "too large");
}

static void test_lowering(void **state) {
    struct op_case c;
    (void)state;
    for (uint32_t form = 0; form < 3; form++) {
        const struct heed_positions_attrs attrs = layout(form, 6, 9);
        op_begin(&c, HEED_OP_POSITIONS, &attrs);
        op_give(&c, 0, HEED_I32, DIMS(2, 2), V(0, 8, 9, -1));
        op_run(&c);
        op_lowers(&c, 6e-8); /* the table is rounded to f32 */
        op_end(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves),     cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_halves_t2t), cmocka_unit_test(test_narrowest),
        cmocka_unit_test(test_outside),    cmocka_unit_test(test_shapes_and_views),
        cmocka_unit_test(test_cost),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_lowering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
