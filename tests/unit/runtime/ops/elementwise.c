/* SPDX-License-Identifier: Apache-2.0 */
/* add, mul, scale and the activations. */
#include "tests/unit/runtime/ops/op_test.h"

static const enum heed_op activations[] = {HEED_OP_RELU, HEED_OP_GELU, HEED_OP_SILU, HEED_OP_TANH,
                                           HEED_OP_SIGMOID};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };
static const struct heed_gelu_attrs erf_form = {.struct_size = sizeof erf_form};
static const struct heed_gelu_attrs tanh_form = {.struct_size = sizeof tanh_form, .tanh_form = 1};

static void test_floats(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADD, NULL); /* the type of the first */
    op_give(&c, 0, HEED_F16, DIMS(4), V(1, -2, 0.5, 0));
    op_give(&c, 1, HEED_F32, DIMS(4), V(2, 2, 1e-9, -0.0));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(4));
    const double tiny = (double)(float)1e-9;
    op_expect(&c, 0, V(3, 0, 0.5 + tiny, 0));
    /* one rounding of the result: a sum that cancels is exact */
    assert_true(c.magnitude[0][0] == 3 && c.magnitude[0][1] == 0);
    assert_true(heedi_op_find(HEED_OP_ADD)->depth(&c.call) == 1);
    op_end(&c);
    op_begin(&c, HEED_OP_MUL, NULL);
    op_give(&c, 0, HEED_BF16, DIMS(4), V(1, -2, 0.5, 0));
    op_give(&c, 1, HEED_F16, DIMS(4), V(2, 2, -6, -7));
    op_run(&c);
    op_is(&c, 0, HEED_BF16, DIMS(4));
    op_expect(&c, 0, V(2, -4, -3, 0));
    assert_true(c.magnitude[0][1] == 4);
    op_end(&c);
}

static void test_special(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADD, NULL);
    op_give(&c, 0, HEED_F32, DIMS(4), V(NAN, INFINITY, INFINITY, -INFINITY));
    op_give(&c, 1, HEED_F32, DIMS(4), V(1, 1, -INFINITY, -INFINITY));
    op_run(&c);
    op_expect(&c, 0, V(NAN, INFINITY, NAN, -INFINITY));
    op_end(&c);
    op_begin(&c, HEED_OP_MUL, NULL);
    op_give(&c, 0, HEED_F32, DIMS(4), V(NAN, INFINITY, INFINITY, -INFINITY));
    op_give(&c, 1, HEED_F32, DIMS(4), V(0, -1, 0, -2));
    op_run(&c);
    op_expect(&c, 0, V(NAN, -INFINITY, NAN, INFINITY));
    op_end(&c);
}

/* i32 wraps modulo 2^32 and is exact. */
static void test_i32(void **state) {
    const double low = -2147483648.0, high = 2147483647.0;
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADD, NULL);
    op_give(&c, 0, HEED_I32, DIMS(5), V(3, high, low, high, low));
    op_give(&c, 1, HEED_I32, DIMS(5), V(-5, 1, -1, high, low));
    op_run(&c);
    op_is(&c, 0, HEED_I32, DIMS(5));
    op_expect(&c, 0, V(-2, low, high, -2, 0));
    for (int i = 0; i < 5; i++)
        assert_true(c.magnitude[0][i] == 0);
    assert_true(heedi_op_find(HEED_OP_ADD)->depth(&c.call) == 0);
    op_end(&c);
    op_begin(&c, HEED_OP_MUL, NULL);
    op_give(&c, 0, HEED_I32, DIMS(5), V(3, high, low, high, 65536));
    op_give(&c, 1, HEED_I32, DIMS(5), V(-5, 2, -1, high, 65537));
    op_run(&c);
    op_expect(&c, 0, V(-15, -2, low, 1, 65536));
    op_end(&c);
}

/* Dims are aligned at the right; 1 repeats. */
static void test_broadcast(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADD, NULL);
    op_give(&c, 0, HEED_F32, DIMS(2, 1), V(10, 20));
    op_give(&c, 1, HEED_F32, DIMS(3), V(1, 2, 3));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 3));
    op_expect(&c, 0, V(11, 12, 13, 21, 22, 23));
    op_end(&c);
    op_begin(&c, HEED_OP_MUL, NULL); /* a scalar; the first operand may be the smaller */
    op_give(&c, 0, HEED_F32, SCALAR_DIMS, V(3));
    op_give(&c, 1, HEED_F16, DIMS(1, 2, 1), V(1, 2));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(1, 2, 1));
    op_expect(&c, 0, V(3, 6));
    op_end(&c);
    op_begin(&c, HEED_OP_ADD, NULL); /* repeated no times */
    op_give(&c, 0, HEED_F32, DIMS(2, 1), V(1, 2));
    op_give(&c, 1, HEED_F32, DIMS(2, 0), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_ADD, NULL); /* strides of dims of size 1 mean nothing */
    op_give(&c, 0, HEED_F32, DIMS(2, 1), V(1, 9, 2));
    op_strides(&c, 0, DIMS(2, 1000));
    op_give(&c, 1, HEED_F32, DIMS(2, 2), V(10, 20, 30, 40));
    op_strides(&c, 1, DIMS(1, 2));
    op_run(&c);
    op_expect(&c, 0, V(11, 31, 22, 42));
    op_end(&c);
}

static void test_scale(void **state) {
    const struct heed_scale_attrs attrs = {.struct_size = sizeof attrs, .factor = -0.5};
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SCALE, &attrs);
    op_give(&c, 0, HEED_F16, DIMS(2, 2), V(1, 4, INFINITY, NAN));
    op_strides(&c, 0, DIMS(1, 2));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 2));
    op_expect(&c, 0, V(-0.5, -INFINITY, -2, NAN));
    assert_true(c.magnitude[0][2] == 2);
    op_end(&c);
}

/* Written out here once more; for the erf and tanh forms of gelu see test_gelu. */
static double formula(enum heed_op op, double x) {
    switch (op) {
    case HEED_OP_RELU:
        return x > 0 ? x : 0;
    case HEED_OP_GELU:
        return x * (0.5 - 0.5 * erf(-x / sqrt(2)));
    case HEED_OP_SILU:
        return x * (0.5 + 0.5 * tanh(x / 2));
    case HEED_OP_TANH:
        return 1 - 2 / (exp(2 * x) + 1);
    default:
        return 0.5 + 0.5 * tanh(x / 2);
    }
}

static void test_activations(void **state) {
    const double x[] = {-6, -1.5, -0.25, -0.0, 0, 0.25, 1, 2.5, 8};
    double expected[9];
    struct op_case c;
    (void)state;
    for (int a = 0; a < ACTIVATIONS; a++) {
        op_begin(&c, activations[a], &erf_form);
        op_give(&c, 0, HEED_BF16, DIMS(3, 3), 9, x);
        op_run(&c);
        op_is(&c, 0, HEED_BF16, DIMS(3, 3));
        for (int i = 0; i < 9; i++)
            expected[i] = formula(activations[a], x[i]);
        op_expect(&c, 0, 9, expected);
        op_end(&c);
    }
}

/* The limits at both ends, and NaN, which relu keeps too. */
static void test_activation_ends(void **state) {
    static const double x[] = {NAN, INFINITY, 1e30, -1e30};
    static const double expected[ACTIVATIONS][4] = {
        {NAN, INFINITY, 1, 0}, {NAN, INFINITY, 1, 0}, {NAN, INFINITY, 1, 0},
        {NAN, 1, 1, -1},       {NAN, 1, 1, 0},
    };
    struct op_case c;
    (void)state;
    for (int a = 0; a < ACTIVATIONS; a++) {
        op_begin(&c, activations[a], &erf_form);
        op_give(&c, 0, HEED_F32, DIMS(4), 4, x);
        op_run(&c);
        if (a < 3) /* x itself */
            c.out[0][2] /= (double)(float)1e30;
        op_expect(&c, 0, 4, expected[a]);
        op_end(&c);
    }
}

/* Values of the two forms that tables of the normal distribution give: gelu(1) = 0.8413447460685429
 * = Phi(1), gelu(-2) = -2 Phi(-2). The tanh form differs from the fourth digit on. */
static void test_gelu(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_GELU, &erf_form);
    op_give(&c, 0, HEED_F32, DIMS(3), V(1, -2, 0));
    op_run(&c);
    op_expect(&c, 0, V(0.8413447460685429, -2 * 0.022750131948179195, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_GELU, &tanh_form);
    op_give(&c, 0, HEED_F32, DIMS(3), V(1, -2, 0));
    op_run(&c);
    /* tanh(z) = 1 - 2 / (e^2z + 1), so x/2 (1 + tanh z) = x / (1 + e^-2z) */
    const double root = sqrt(2 / acos(-1));
    op_expect(
        &c, 0,
        V(1 / (1 + exp(-2 * root * 1.044715)), -2 / (1 + exp(2 * root * (2 + 0.044715 * 8))), 0));
    assert_true(fabs(c.out[0][0] - 0.8411919906) < 1e-10); /* digits worked out elsewhere */
    op_end(&c);
}

static void test_unary_shapes(void **state) {
    struct op_case c;
    (void)state;
    for (int a = 0; a < ACTIVATIONS; a++) {
        op_begin(&c, activations[a], &erf_form);
        op_give(&c, 0, HEED_F32, SCALAR_DIMS, V(0.5));
        op_run(&c);
        op_is(&c, 0, HEED_F32, SCALAR_DIMS);
        op_end(&c);
        op_begin(&c, activations[a], &erf_form);
        op_give(&c, 0, HEED_F16, DIMS(2, 0), NO_VALUES);
        op_run(&c);
        op_is(&c, 0, HEED_F16, DIMS(2, 0));
        op_end(&c);
        op_begin(&c, activations[a], &erf_form); /* columns; one row of memory for all */
        op_give(&c, 0, HEED_F32, DIMS(2, 2, 2), V(1, -1, 3, -3));
        op_strides(&c, 0, DIMS(0, 1, 2));
        op_run(&c);
        for (int i = 0; i < 8; i++) {
            static const double x[] = {1, 3, -1, -3};
            assert_true(fabs(c.out[0][i] - formula(activations[a], x[i % 4])) < 1e-14);
        }
        op_end(&c);
    }
}

static void test_cost(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADD, NULL);
    op_describe(&c, 0, HEED_F16, DIMS(5, 1));
    op_describe(&c, 1, HEED_F32, DIMS(3));
    op_costs(&c, 15, 5 * 2 + 3 * 4 + 15 * 2);
    op_begin(&c, HEED_OP_TANH, NULL);
    op_describe(&c, 0, HEED_F32, DIMS(7));
    op_costs(&c, 7, 7 * 4 + 7 * 4);
}

static void test_errors(void **state) {
    struct heed_gelu_attrs gelu = {.struct_size = sizeof gelu, .tanh_form = 2};
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADD, NULL);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "has 1 inputs, expected 2 to 2");
    op_describe(&c, 1, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE, "f32 [2, 3] and f32 [2] do not broadcast");
    op_describe(&c, 1, HEED_I32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "f32 [2, 3] and i32 [3]: expected two floats or two i32");
    op_describe(&c, 0, HEED_I8, DIMS(3));
    op_describe(&c, 1, HEED_I8, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "i8 [3] and i8 [3]: expected two floats or two i32");
    op_describe(&c, 0, HEED_F32, DIMS(INT64_C(1) << 40, 1));
    op_describe(&c, 1, HEED_F32, DIMS(1, INT64_C(1) << 40));
    op_fails(&c, HEED_ERROR_LIMIT, "too large");
    op_begin(&c, HEED_OP_GELU, &gelu);
    op_describe(&c, 0, HEED_F32, DIMS(3));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "tanh_form is 2, expected 0 or 1");
    op_begin(&c, HEED_OP_SCALE, NULL);
    op_describe(&c, 0, HEED_F32, DIMS(3));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "attributes are missing");
    for (int a = 0; a < ACTIVATIONS; a++) {
        op_begin(&c, activations[a], &erf_form);
        op_describe(&c, 0, HEED_I32, DIMS(3));
        op_fails(&c, HEED_ERROR_SHAPE, "x is i32 [3], expected a float type");
    }
}

static void test_lowering(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_SILU, NULL);
    op_give(&c, 0, HEED_F32, DIMS(2, 3), V(-20, -1, 0, 0.5, 3, NAN));
    op_run(&c);
    op_lowers(&c, 2e-7);
    op_end(&c);
    op_begin(&c, HEED_OP_TANH, NULL); /* nothing simpler exists */
    op_describe(&c, 0, HEED_F32, DIMS(3));
    op_infer(&c);
    op_lowers_not(&c, "has no lowering");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_i32),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_activation_ends),
        cmocka_unit_test(test_gelu),
        cmocka_unit_test(test_unary_shapes),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_lowering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
