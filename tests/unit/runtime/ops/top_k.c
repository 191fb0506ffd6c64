/* SPDX-License-Identifier: Apache-2.0 */
/* top_k: the greatest in descending order, equals by ascending index, NaN last. */
#include "tests/unit/runtime/ops/op_test.h"

static struct heed_top_k_attrs best(uint32_t k) {
    return (struct heed_top_k_attrs){.struct_size = (uint32_t)sizeof(struct heed_top_k_attrs),
                                     .k = k};
}

static void test_values(void **state) {
    const struct heed_top_k_attrs attrs = best(3);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_TOP_K, &attrs);
    op_give(&c, 0, HEED_F16, DIMS(2, 4), V(1, 4, 2, 3, 7, 8, 7, 8));
    op_run(&c);
    assert_int_equal(c.call.output_count, 2);
    op_is(&c, 0, HEED_F16, DIMS(2, 3));
    op_is(&c, 1, HEED_I32, DIMS(2, 3));
    op_expect(&c, 0, V(4, 3, 2, 8, 8, 7));
    op_expect(&c, 1, V(1, 3, 2, 1, 3, 0));
    for (int i = 0; i < 6; i++)
        assert_true(c.magnitude[0][i] == 0 && c.magnitude[1][i] == 0);
    op_end(&c);
}

/* k = n sorts, stably. */
static void test_all(void **state) {
    const struct heed_top_k_attrs attrs = best(6);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_TOP_K, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(1, 6), V(0, -0.0, 5, -1, 5, 0));
    op_run(&c);
    op_expect(&c, 0, V(5, 5, 0, 0, 0, -1));
    op_expect(&c, 1, V(2, 4, 0, 1, 5, 3));
    op_end(&c);
}

static void test_special(void **state) {
    const struct heed_top_k_attrs attrs = best(4);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_TOP_K, &attrs);
    op_give(&c, 0, HEED_BF16, DIMS(3, 4),
            V(NAN, 1, NAN, 2, -INFINITY, NAN, INFINITY, -INFINITY, NAN, NAN, NAN, NAN));
    op_run(&c);
    op_expect(&c, 0, V(2, 1, NAN, NAN, INFINITY, -INFINITY, -INFINITY, NAN, NAN, NAN, NAN, NAN));
    op_expect(&c, 1, V(3, 1, 0, 2, 2, 0, 3, 1, 0, 1, 2, 3));
    op_end(&c);
}

static void test_shapes_and_views(void **state) {
    const struct heed_top_k_attrs one = best(1), two = best(2);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_TOP_K, &one); /* the dimension stays, with one element */
    op_give(&c, 0, HEED_F32, DIMS(1), V(3));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(1));
    op_expect(&c, 0, V(3));
    op_expect(&c, 1, V(0));
    op_end(&c);
    op_begin(&c, HEED_OP_TOP_K, &two); /* no row */
    op_give(&c, 0, HEED_F32, DIMS(0, 2), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(0, 2));
    op_is(&c, 1, HEED_I32, DIMS(0, 2));
    op_end(&c);
    op_begin(&c, HEED_OP_TOP_K, &two); /* columns */
    op_give(&c, 0, HEED_F32, DIMS(2, 3), V(1, 6, 3, 4, 5, 2));
    op_strides(&c, 0, DIMS(1, 2));
    op_run(&c);
    op_expect(&c, 0, V(5, 3, 6, 4));
    op_expect(&c, 1, V(2, 1, 0, 1));
    op_end(&c);
    op_begin(&c, HEED_OP_TOP_K, &two); /* one element, repeated */
    op_give(&c, 0, HEED_F32, DIMS(3), V(4));
    op_strides(&c, 0, DIMS(0));
    op_run(&c);
    op_expect(&c, 1, V(0, 1));
    op_end(&c);
}

static void test_cost(void **state) {
    const struct heed_top_k_attrs attrs = best(5);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_TOP_K, &attrs);
    op_describe(&c, 0, HEED_F16, DIMS(3, 100));
    op_costs(&c, 300, 300 * 2 + 15 * 2 + 15 * 4);
}

static void test_errors(void **state) {
    struct heed_top_k_attrs attrs = best(0);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_TOP_K, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_fails(&c, HEED_ERROR_SHAPE, "k is 0, expected 1 to 3");
    attrs = best(4);
    op_fails(&c, HEED_ERROR_SHAPE, "k is 4, expected 1 to 3");
    attrs = best(UINT32_MAX);
    op_fails(&c, HEED_ERROR_SHAPE, "k is 4294967295, expected 1 to 3");
    attrs = best(1);
    op_describe(&c, 0, HEED_F32, DIMS(3, 0));
    op_fails(&c, HEED_ERROR_SHAPE, "k is 1, expected 1 to 0");
    op_describe(&c, 0, HEED_F32, SCALAR_DIMS);
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must have rank 1 to 4, but is f32 []");
    op_describe(&c, 0, HEED_I8, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must be f32, f16 or bf16, but is i8");
    op_describe(&c, 0, HEED_F32, DIMS(INT64_C(1) << 31)); /* indices are i32 */
    op_fails(&c, HEED_ERROR_SHAPE, "has 2147483648 elements, expected at most 2^31 - 1");
    op_describe(&c, 0, HEED_F32, DIMS((INT64_C(1) << 31) - 1));
    op_infer(&c);
    op_describe(&c, 0, HEED_F32, DIMS(3));
    c.call.attrs = NULL;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "attributes are missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_all),
        cmocka_unit_test(test_special), cmocka_unit_test(test_shapes_and_views),
        cmocka_unit_test(test_cost),    cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
