/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: products of matrices and what may follow them. */
#include "tests/unit/runtime/ops/op_test.h"

static struct heed_matmul_attrs plain(void) {
    return (struct heed_matmul_attrs){.struct_size = (uint32_t)sizeof(struct heed_matmul_attrs)};
}

static double depth(const struct op_case *c) {
    return heedi_op_find(HEED_OP_MATMUL)->depth(&c->call);
}

static void test_product(void **state) {
    const struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F16, DIMS(2, 3), V(1, 2, 3, 4, 5, 6));
    op_give(&c, 1, HEED_F32, DIMS(3, 2), V(1, -2, 0, 1, 2, 0.5));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 2)); /* the type of a */
    op_expect(&c, 0, V(7, 1.5, 16, 0));
    /* sums of |a||b| */
    const double magnitude[] = {7, 5.5, 16, 16};
    for (int i = 0; i < 4; i++)
        assert_true(c.magnitude[0][i] == magnitude[i]);
    assert_true(depth(&c) == 3);
    op_end(&c);
}

/* The same product from every layout of its operands. */
static void test_transposes(void **state) {
    static const double a[] = {1, 2, 3, 4, 5, 6}, a_t[] = {1, 4, 2, 5, 3, 6};
    static const double b[] = {1, -2, 0, 1, 2, 0.5}, b_t[] = {1, 0, 2, -2, 1, 0.5};
    struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    for (uint32_t form = 0; form < 4; form++) {
        attrs.transpose_a = form & 1u;
        attrs.transpose_b = form >> 1;
        op_begin(&c, HEED_OP_MATMUL, &attrs);
        op_give(&c, 0, HEED_F32, 2,
                attrs.transpose_a ? (const int64_t[]){3, 2} : (const int64_t[]){2, 3}, 6,
                attrs.transpose_a ? a_t : a);
        op_give(&c, 1, HEED_F32, 2,
                attrs.transpose_b ? (const int64_t[]){2, 3} : (const int64_t[]){3, 2}, 6,
                attrs.transpose_b ? b_t : b);
        op_run(&c);
        op_is(&c, 0, HEED_F32, DIMS(2, 2));
        op_expect(&c, 0, V(7, 1.5, 16, 0));
        assert_true(depth(&c) == 3);
        op_costs(&c, 2 * 4 * 3, (6 + 6 + 4) * 4);
        op_end(&c);
    }
    attrs = plain(); /* and from strides */
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(2, 3), 6, a_t);
    op_strides(&c, 0, DIMS(1, 2));
    op_give(&c, 1, HEED_F32, DIMS(3, 2), V(1, 9, -2, 9, 0, 9, 1, 9, 2, 9, 0.5));
    op_strides(&c, 1, DIMS(4, 2));
    op_run(&c);
    op_expect(&c, 0, V(7, 1.5, 16, 0));
    op_end(&c);
}

/* Leading dims broadcast: one matrix for all, and rows of matrices against columns of them. */
static void test_batches(void **state) {
    struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(2, 1, 2), V(1, 2, 3, 4));
    op_give(&c, 1, HEED_F32, DIMS(2, 1), V(10, 1));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 1, 1));
    op_expect(&c, 0, V(12, 34));
    op_end(&c);
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(2, 1, 1, 1), V(2, 3));
    op_give(&c, 1, HEED_F32, DIMS(3, 1, 1), V(5, 7, 11));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 3, 1, 1));
    op_expect(&c, 0, V(10, 14, 22, 15, 21, 33));
    op_end(&c);
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* both leading dims on both sides */
    op_give(&c, 0, HEED_F32, DIMS(2, 2, 1, 1), V(2, 3, 5, 7));
    op_give(&c, 1, HEED_F32, DIMS(2, 2, 1, 1), V(1, 10, 100, 1000));
    op_run(&c);
    op_expect(&c, 0, V(2, 30, 500, 7000));
    op_end(&c);
    attrs.transpose_b = 1; /* a batch that is a view: stride 0 */
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(2, 1, 2), V(1, 2));
    op_strides(&c, 0, DIMS(0, 2, 1));
    op_give(&c, 1, HEED_F32, DIMS(2, 2, 2), V(1, 0, 0, 1, 1, 1, 1, -1));
    op_run(&c);
    op_expect(&c, 0, V(1, 2, 3, -1));
    op_end(&c);
}

static void test_empty(void **state) {
    const struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* sums of nothing, plus bias */
    op_give(&c, 0, HEED_F32, DIMS(2, 0), NO_VALUES);
    op_give(&c, 1, HEED_F32, DIMS(0, 2), NO_VALUES);
    op_give(&c, 2, HEED_F32, DIMS(2), V(5, -6));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 2));
    op_expect(&c, 0, V(5, -6, 5, -6));
    op_end(&c);
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* no row */
    op_give(&c, 0, HEED_F32, DIMS(0, 3), NO_VALUES);
    op_give(&c, 1, HEED_F32, DIMS(3, 1), V(1, 2, 3));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(0, 1));
    op_end(&c);
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* no batch */
    op_give(&c, 0, HEED_F32, DIMS(1, 1, 1), V(1));
    op_give(&c, 1, HEED_F32, DIMS(0, 1, 1), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(0, 1, 1));
    op_end(&c);
}

static void test_bias_and_scale(void **state) {
    struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* every other entry of bias, in a type of its own */
    op_give(&c, 0, HEED_F32, DIMS(1, 2), V(1, 2));
    op_give(&c, 1, HEED_BF16, DIMS(2, 2), V(1, 2, 3, 4));
    op_give(&c, 2, HEED_F16, DIMS(2), V(-8, 99, 1));
    op_strides(&c, 2, DIMS(2));
    op_run(&c);
    op_expect(&c, 0, V(-1, 11));
    assert_true(c.magnitude[0][0] == 15 && c.magnitude[0][1] == 11);
    assert_true(depth(&c) == 3);
    op_end(&c);
    attrs.transpose_b = 1;
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* y = (a b) * scale + bias, in that order */
    op_give(&c, 0, HEED_F32, DIMS(1, 2), V(1, -2));
    op_give(&c, 1, HEED_I8, DIMS(2, 2), V(127, 1, -128, 2));
    op_give(&c, 2, HEED_F32, DIMS(2), V(10, 20));
    op_give(&c, 3, HEED_F32, DIMS(2), V(0.5, 9, -0.25));
    op_strides(&c, 3, DIMS(2));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(1, 2));
    op_expect(&c, 0, V(125 * 0.5 + 10, -132 * -0.25 + 20));
    assert_true(c.magnitude[0][0] == 129 * 0.5 + 10 && c.magnitude[0][1] == 132 * 0.25 + 20);
    assert_true(depth(&c) == 4);
    op_end(&c);
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* a scale without a bias */
    op_give(&c, 0, HEED_F32, DIMS(1, 1), V(3));
    op_give(&c, 1, HEED_I8, DIMS(1, 1), V(-5));
    op_give(&c, 3, HEED_F32, DIMS(1), V(2));
    op_run(&c);
    op_expect(&c, 0, V(-30));
    op_end(&c);
}

static void test_types(void **state) {
    struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.out_dtype = HEED_F16;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_BF16, DIMS(1, 1), V(3));
    op_give(&c, 1, HEED_F16, DIMS(1, 1), V(5));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(1, 1));
    op_expect(&c, 0, V(15));
    op_end(&c);
}

static void test_special(void **state) {
    const struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* 0 * inf is NaN; NaN stays in its row */
    op_give(&c, 0, HEED_F32, DIMS(4, 2), V(0, 1, NAN, 0, 1, 1, 1e30, 1e30));
    op_give(&c, 1, HEED_F32, DIMS(2, 2), V(INFINITY, 1e30, 1, -1e30));
    op_run(&c);
    op_expect(&c, 0, V(NAN, -(double)(float)1e30, NAN, NAN, INFINITY, 0, INFINITY, 0));
    op_end(&c);
}

static double activated(uint32_t activation, double x) {
    const double cube = sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x);
    switch ((enum heed_activation)activation) {
    case HEED_ACTIVATION_NONE:
        return x;
    case HEED_ACTIVATION_RELU:
        return fmax(x, 0);
    case HEED_ACTIVATION_GELU_ERF:
        return x * 0.5 * erfc(-x / sqrt(2));
    case HEED_ACTIVATION_GELU_TANH:
        return x / (1 + exp(-2 * cube));
    case HEED_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case HEED_ACTIVATION_TANH:
        return 1 - 2 / (exp(2 * x) + 1);
    case HEED_ACTIVATION_SIGMOID:
        return 1 - 1 / (1 + exp(x));
    }
    return NAN;
}

/* After the bias; and the lowering into product, sum and function gives the same. */
static void test_activations(void **state) {
    struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    for (attrs.activation = 0; attrs.activation <= HEED_ACTIVATION_SIGMOID; attrs.activation++)
        for (int biased = 0; biased < 2; biased++) {
            const double shift = biased ? 1.5 : 0;
            op_begin(&c, HEED_OP_MATMUL, &attrs);
            op_give(&c, 0, HEED_F32, DIMS(1, 3, 2), V(1, 2, -3, 1, 0, 0));
            op_give(&c, 1, HEED_F32, DIMS(2, 1), V(0.5, 0.25));
            if (biased)
                op_give(&c, 2, HEED_F32, DIMS(1), V(1.5));
            op_run(&c);
            op_expect(&c, 0,
                      V(activated(attrs.activation, 1 + shift),
                        activated(attrs.activation, -1.25 + shift),
                        activated(attrs.activation, shift)));
            op_costs(&c, 2 * 3 * 2 + 3 * biased + (attrs.activation ? 3 : 0),
                     (6 + 2 + 3 + biased) * 4);
            if (biased || attrs.activation)
                op_lowers(&c, 3e-7);
            else
                op_lowers_not(&c, "this form has no lowering");
            op_end(&c);
        }
}

static void test_no_lowering_of_scaled(void **state) {
    struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.activation = HEED_ACTIVATION_RELU;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(1, 1));
    op_describe(&c, 1, HEED_I8, DIMS(1, 1));
    op_describe(&c, 2, HEED_F32, DIMS(1));
    op_describe(&c, 3, HEED_F32, DIMS(1));
    op_infer(&c);
    op_lowers_not(&c, "this form has no lowering");
}

static void test_wrong_attributes(void **state) {
    struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_describe(&c, 1, HEED_F32, DIMS(3, 4));
    attrs.transpose_a = 2;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT,
             "transpose_a is 2, transpose_b is 0, expected 0 or 1");
    attrs.transpose_a = 0;
    attrs.transpose_b = 2;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT,
             "transpose_a is 0, transpose_b is 2, expected 0 or 1");
    attrs = plain();
    attrs.activation = HEED_ACTIVATION_SIGMOID + 1;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "unknown activation 7");
    attrs = plain();
    attrs.out_dtype = HEED_I8;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "out_dtype is 5, expected a float type");
    attrs.out_dtype = 7;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "out_dtype is 7, expected a float type");
}

static void test_wrong_operands(void **state) {
    struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_describe(&c, 0, HEED_I8, DIMS(2, 3));
    op_describe(&c, 1, HEED_F32, DIMS(3, 4));
    op_fails(&c, HEED_ERROR_SHAPE, "a ('in0') must be f32, f16 or bf16, but is i8");
    op_describe(&c, 0, HEED_F32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "a ('in0') must have rank 2 to 4, but is f32 [3]");
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_describe(&c, 1, HEED_I32, DIMS(3, 4));
    op_fails(&c, HEED_ERROR_SHAPE, "b ('in1') must be f32, f16 or bf16, but is i32");
    op_describe(&c, 1, HEED_F32, SCALAR_DIMS);
    op_fails(&c, HEED_ERROR_SHAPE, "b ('in1') must have rank 2 to 4, but is f32 []");
    op_describe(&c, 1, HEED_F32, DIMS(4, 3));
    op_fails(&c, HEED_ERROR_SHAPE,
             "inner dimensions differ: a ('in0') is f32 [2, 3], b ('in1') is f32 [4, 3]");
    attrs.transpose_a = attrs.transpose_b = 1;
    op_fails(&c, HEED_ERROR_SHAPE,
             "a ('in0') is f32 [2, 3] transposed, b ('in1') is f32 [4, 3] transposed");
    attrs = plain();
    op_describe(&c, 0, HEED_F32, DIMS(5, 2, 3));
    op_describe(&c, 1, HEED_F32, DIMS(4, 3, 2));
    op_fails(&c, HEED_ERROR_SHAPE, "f32 [5] and f32 [4] do not broadcast");
    op_describe(&c, 0, HEED_F32, DIMS(INT64_C(1) << 40, 1));
    op_describe(&c, 1, HEED_F32, DIMS(1, INT64_C(1) << 40));
    op_fails(&c, HEED_ERROR_LIMIT, "too large");
}

static void test_wrong_options(void **state) {
    const struct heed_matmul_attrs attrs = plain();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_describe(&c, 1, HEED_F32, DIMS(3, 4));
    op_describe(&c, 2, HEED_F32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE,
             "bias ('in2') must be [4] (the columns of the result), but is f32 [3]");
    op_describe(&c, 2, HEED_F32, DIMS(1, 4));
    op_fails(&c, HEED_ERROR_SHAPE, "bias ('in2') must be [4]");
    op_describe(&c, 2, HEED_I32, DIMS(4));
    op_fails(&c, HEED_ERROR_SHAPE, "bias ('in2') must be f32, f16 or bf16, but is i32");
    op_describe(&c, 2, HEED_F16, DIMS(4));
    op_describe(&c, 3, HEED_F32, DIMS(4));
    op_fails(&c, HEED_ERROR_SHAPE, "b of type f32 takes no b_scale");
    op_describe(&c, 1, HEED_I8, DIMS(3, 4));
    op_infer(&c);
    op_describe(&c, 3, HEED_F16, DIMS(4));
    op_fails(&c, HEED_ERROR_SHAPE, "b_scale is f16, expected f32");
    op_describe(&c, 3, HEED_F32, DIMS(1));
    op_fails(&c, HEED_ERROR_SHAPE,
             "b_scale ('in3') must be [4] (the columns of the result), but is f32 [1]");
    c.call.inputs[3] = NULL;
    op_fails(&c, HEED_ERROR_SHAPE, "b of type i8 needs a b_scale");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product),
        cmocka_unit_test(test_transposes),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_bias_and_scale),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_no_lowering_of_scaled),
        cmocka_unit_test(test_wrong_attributes),
        cmocka_unit_test(test_wrong_operands),
        cmocka_unit_test(test_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
