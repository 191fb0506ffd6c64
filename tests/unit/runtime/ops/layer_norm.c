/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm: rows of mean 0 and (biased) variance 1, scaled and shifted. */
#include "tests/unit/runtime/ops/op_test.h"

static struct heed_layer_norm_attrs with_eps(float eps) {
    return (struct heed_layer_norm_attrs){
        .struct_size = (uint32_t)sizeof(struct heed_layer_norm_attrs), .eps = eps};
}

/* 0, 2, 4, 10 has the mean 4 and the variance 14; with eps = 2 the deviation is 4. */
static void test_values(void **state) {
    const struct heed_layer_norm_attrs attrs = with_eps(2);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs);
    op_give(&c, 0, HEED_F16, DIMS(2, 4), V(0, 2, 4, 10, 10, 4, 2, 0));
    op_give(&c, 1, HEED_F32, DIMS(4), V(1, 2, 3, -4));
    op_give(&c, 2, HEED_BF16, DIMS(4), V(0, 1, -7, 100));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 4));
    op_expect(&c, 0, V(-1, 0, -7, 94, 1.5, 1, -8.5, 104));
    op_end(&c);
}

/* Where all elements are equal the result is beta, whatever their size. */
static void test_constant_row(void **state) {
    const struct heed_layer_norm_attrs attrs = with_eps((float)1e-5);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(3, 2), V(7, 7, 0, 0, -1e30, -1e30));
    op_give(&c, 1, HEED_F32, DIMS(2), V(5, 6));
    op_give(&c, 2, HEED_F32, DIMS(2), V(3, -4));
    op_run(&c);
    op_expect(&c, 0, V(3, -4, 3, -4, 3, -4));
    op_end(&c);
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs); /* a row of one element is constant */
    op_give(&c, 0, HEED_F32, DIMS(2, 1), V(7, -9));
    op_give(&c, 1, HEED_F32, DIMS(1), V(5));
    op_give(&c, 2, HEED_F32, DIMS(1), V(3));
    op_run(&c);
    op_expect(&c, 0, V(3, 3));
    op_end(&c);
}

/* Two elements m + d and m - d give d / sqrt(d^2 + eps): neither a large mean nor squares that
 * overflow or vanish in f32 get in the way. */
static void test_range(void **state) {
    const float eps = (float)1e-6;
    const struct heed_layer_norm_attrs attrs = with_eps(eps);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(4, 2), V(8388609, 8388607, 1e30, -1e30, 1e-30, -1e-30, 3, 1));
    op_give(&c, 1, HEED_F32, DIMS(2), V(1, 1));
    op_give(&c, 2, HEED_F32, DIMS(2), V(0, 0));
    op_run(&c);
    const double one = 1 / sqrt(1 + (double)eps), tiny = 1e-30 / sqrt((double)eps);
    op_expect(&c, 0, V(one, -one, 1, -1, tiny, -tiny, one, -one));
    op_end(&c);
}

static void test_special(void **state) {
    const struct heed_layer_norm_attrs attrs = with_eps(1);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(3, 2), V(NAN, 1, INFINITY, 1, 4, 4));
    op_give(&c, 1, HEED_F32, DIMS(2), V(1, 0));
    op_give(&c, 2, HEED_F32, DIMS(2), V(0, 0));
    op_run(&c);
    op_expect(&c, 0, V(NAN, NAN, NAN, NAN, 0, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs); /* gamma and beta touch their column only */
    op_give(&c, 0, HEED_F32, DIMS(3), V(1, 1, 1));
    op_give(&c, 1, HEED_F32, DIMS(3), V(NAN, 1, 1));
    op_give(&c, 2, HEED_F32, DIMS(3), V(0, -INFINITY, 2));
    op_run(&c);
    op_expect(&c, 0, V(NAN, -INFINITY, 2));
    op_end(&c);
}

static void test_shapes_and_views(void **state) {
    const struct heed_layer_norm_attrs attrs = with_eps(2);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs); /* columns, every other gamma, one beta */
    op_give(&c, 0, HEED_F32, DIMS(2, 4), V(0, 10, 2, 4, 4, 2, 10, 0));
    op_strides(&c, 0, DIMS(1, 2));
    op_give(&c, 1, HEED_F32, DIMS(4), V(1, 9, 2, 9, 3, 9, 4));
    op_strides(&c, 1, DIMS(2));
    op_give(&c, 2, HEED_F32, DIMS(4), V(10));
    op_strides(&c, 2, DIMS(0));
    op_run(&c);
    op_expect(&c, 0, V(9, 9, 10, 16, 11.5, 10, 8.5, 6));
    op_end(&c);
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs); /* no row */
    op_give(&c, 0, HEED_BF16, DIMS(2, 0, 1), NO_VALUES);
    op_give(&c, 1, HEED_F32, DIMS(1), V(1));
    op_give(&c, 2, HEED_F32, DIMS(1), V(1));
    op_run(&c);
    op_is(&c, 0, HEED_BF16, DIMS(2, 0, 1));
    op_end(&c);
}

static void test_cost(void **state) {
    const struct heed_layer_norm_attrs attrs = with_eps(1);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs);
    op_describe(&c, 0, HEED_F16, DIMS(3, 100));
    op_describe(&c, 1, HEED_F32, DIMS(100));
    op_describe(&c, 2, HEED_F32, DIMS(100));
    op_costs(&c, 2400, 300 * 2 + 300 * 2 + 100 * 4 + 100 * 4);
    assert_true(heedi_op_find(HEED_OP_LAYER_NORM)->depth(&c.call) >= 100);
}

static void test_errors(void **state) {
    struct heed_layer_norm_attrs attrs = with_eps(1);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_LAYER_NORM, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_describe(&c, 1, HEED_F32, DIMS(3));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "has 2 inputs, expected 3 to 3");
    op_describe(&c, 2, HEED_F32, DIMS(3));
    op_infer(&c);
    c.call.inputs[1] = NULL;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "input 1 is missing");
    op_describe(&c, 1, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE,
             "gamma ('in1') must be [3] (the last dimension of x), but is f32 [2]");
    op_describe(&c, 1, HEED_F32, DIMS(1, 3));
    op_fails(&c, HEED_ERROR_SHAPE, "gamma ('in1') must be [3]");
    op_describe(&c, 1, HEED_I32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "gamma ('in1') must be f32, f16 or bf16, but is i32");
    op_describe(&c, 1, HEED_F32, DIMS(3));
    op_describe(&c, 2, HEED_I8, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "beta ('in2') must be f32, f16 or bf16, but is i8");
    op_describe(&c, 2, HEED_F32, SCALAR_DIMS);
    op_fails(&c, HEED_ERROR_SHAPE,
             "beta ('in2') must be [3] (the last dimension of x), but is f32 []");
    op_describe(&c, 2, HEED_F32, DIMS(3));
    static const float bad[] = {0, -1, NAN, INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        attrs = with_eps(bad[i]);
        op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "eps is ");
        assert_non_null(strstr(c.error.message, "expected more than 0"));
    }
    attrs = with_eps(1);
    op_describe(&c, 0, HEED_F32, SCALAR_DIMS);
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must have rank 1 to 4, but is f32 []");
    op_describe(&c, 0, HEED_I32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "x ('in0') must be f32, f16 or bf16, but is i32");
    op_describe(&c, 0, HEED_F32, DIMS(3, 0));
    op_fails(&c, HEED_ERROR_SHAPE, "the last dimension must not be empty");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_constant_row),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_shapes_and_views),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
