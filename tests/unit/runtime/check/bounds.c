/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of an error bound, against values worked out by hand. */
#include "runtime/check/check.h"
#include "tests/unit/runtime/ops/op_test.h"

static const struct heed_numeric_profile numeric = {
    .unit_roundoff = 0x1p-24f, .exp_ulp = 3, .tanh_ulp = 5, .erf_ulp = 7, .accumulator = HEED_F32};

#define EXPECT(actual, expected)                                                                   \
    do {                                                                                           \
        const double found = (actual), wanted = (expected);                                        \
        if (!(found == wanted))                                                                    \
            fail_msg("%s is %.17g, expected %.17g", #actual, found, wanted);                       \
    } while (0)

static void test_gamma(void **state) {
    (void)state;
    EXPECT(heedi_gamma(0, 0x1p-24), 0);
    EXPECT(heedi_gamma(1, 0x1p-24), 1.0 / 16777215);
    EXPECT(heedi_gamma(4, 0.125), 1);
    EXPECT(heedi_gamma(6, 0.125), 3);
    /* From K u = 1 on every digit may be lost. */
    EXPECT(heedi_gamma(8, 0.125), INFINITY);
    EXPECT(heedi_gamma(2047, 0x1p-11), 2047);
    EXPECT(heedi_gamma(2048, 0x1p-11), INFINITY);
    EXPECT(heedi_gamma(1e9, 0x1p-24), INFINITY);
}

static double roundoff(float unit, uint32_t accumulator) {
    const struct heed_numeric_profile profile = {.unit_roundoff = unit, .accumulator = accumulator};
    return heedi_check_roundoff(&profile);
}

static void test_roundoff(void **state) {
    (void)state;
    EXPECT(roundoff(0x1p-24f, HEED_F32), 0x1p-24);
    EXPECT(roundoff(0x1p-23f, HEED_F32), 0x1p-23);
    EXPECT(roundoff(0x1p-24f, HEED_F16), 0x1p-11);
    EXPECT(roundoff(0x1p-24f, HEED_BF16), 0x1p-8);
    EXPECT(roundoff(0x1p-24f, HEED_I32), 0x1p-24);
    EXPECT(roundoff(0x1p-24f, HEED_DTYPE_NONE), 0x1p-24);
    EXPECT(roundoff(0x1p-9f, HEED_F16), 0x1p-9); /* never better than the arithmetic */
}

static void test_storage(void **state) {
    (void)state;
    EXPECT(heedi_storage_error(HEED_F32, 1), 0x1p-24);
    EXPECT(heedi_storage_error(HEED_F32, -1.999), 0x1p-24);
    EXPECT(heedi_storage_error(HEED_F32, 2), 0x1p-23);
    EXPECT(heedi_storage_error(HEED_F32, 0.999), 0x1p-25);
    EXPECT(heedi_storage_error(HEED_F32, 0x1p-125), 0x1p-149);
    EXPECT(heedi_storage_error(HEED_F32, 0x1p-126), 0x1p-150); /* as for all below */
    EXPECT(heedi_storage_error(HEED_F32, 0x1p-149), 0x1p-150);
    EXPECT(heedi_storage_error(HEED_F32, 1e-300), 0x1p-150);
    EXPECT(heedi_storage_error(HEED_F32, 0), 0x1p-150);
    EXPECT(heedi_storage_error(HEED_F16, 1), 0x1p-11);
    EXPECT(heedi_storage_error(HEED_F16, 65504), 16);
    EXPECT(heedi_storage_error(HEED_F16, 0x1p-13), 0x1p-24);
    EXPECT(heedi_storage_error(HEED_F16, 0x1p-14), 0x1p-25);
    EXPECT(heedi_storage_error(HEED_F16, 0), 0x1p-25);
    EXPECT(heedi_storage_error(HEED_BF16, 1), 0x1p-8);
    EXPECT(heedi_storage_error(HEED_BF16, -300), 1);
    EXPECT(heedi_storage_error(HEED_BF16, 0), 0x1p-134);
    EXPECT(heedi_storage_error(HEED_I32, 7), 0);
    EXPECT(heedi_storage_error(HEED_I8, 7), 0);
    EXPECT(heedi_storage_error(HEED_F32, INFINITY), 0);
    EXPECT(heedi_storage_error(HEED_F32, NAN), 0);
}

static void test_ulp_distance(void **state) {
    (void)state;
    EXPECT(heedi_ulp_distance(HEED_F32, 1, 1), 0);
    EXPECT(heedi_ulp_distance(HEED_F32, 1, 1 + 0x1p-23), 1);
    EXPECT(heedi_ulp_distance(HEED_F32, 1 - 0x1p-24, 1), 1); /* steps halve below a power of 2 */
    EXPECT(heedi_ulp_distance(HEED_F32, 1 + 0x1p-23, 1 - 0x1p-24), 2);
    EXPECT(heedi_ulp_distance(HEED_F32, -1, -1 - 0x1p-22), 2);
    EXPECT(heedi_ulp_distance(HEED_F32, 1, 1 + 0x1p-24), 0.5);
    EXPECT(heedi_ulp_distance(HEED_F32, 0, 1), 127.0 * 0x1p23);
    EXPECT(heedi_ulp_distance(HEED_F32, 0.0, -0.0), 0);
    EXPECT(heedi_ulp_distance(HEED_F32, -0x1p-149, 0x1p-149), 2);
    EXPECT(heedi_ulp_distance(HEED_F32, 0x1p-126 - 0x1p-149, 0x1p-126), 1);
    EXPECT(heedi_ulp_distance(HEED_F16, 1, 1 + 0x1p-10), 1);
    EXPECT(heedi_ulp_distance(HEED_F16, 65504, 65440), 2);
    EXPECT(heedi_ulp_distance(HEED_F16, 0, 0x1p-14), 0x1p10);
    EXPECT(heedi_ulp_distance(HEED_BF16, 1, 1 + 0x1p-7), 1);
    EXPECT(heedi_ulp_distance(HEED_BF16, 0x1p-133, 0), 1);
    EXPECT(heedi_ulp_distance(HEED_I32, 3, -4), 7);
    EXPECT(heedi_ulp_distance(HEED_F32, NAN, NAN), 0);
    EXPECT(heedi_ulp_distance(HEED_F32, INFINITY, INFINITY), 0);
    EXPECT(heedi_ulp_distance(HEED_F32, INFINITY, -INFINITY), INFINITY);
    EXPECT(heedi_ulp_distance(HEED_F32, 1, INFINITY), INFINITY);
    EXPECT(heedi_ulp_distance(HEED_F32, NAN, 1), INFINITY);
}

/* Depth of a node whose operands are of the shape [2, width]. */
static double depth(enum heed_op op, const void *attrs, uint32_t inputs, enum heed_dtype dtype,
                    int64_t width) {
    struct op_case c;
    op_begin(&c, op, attrs);
    for (uint32_t i = 0; i < inputs; i++) {
        if (op == HEED_OP_LAYER_NORM && i > 0)
            op_describe(&c, i, dtype, DIMS(width));
        else
            op_describe(&c, i, dtype, DIMS(2, width));
    }
    op_infer(&c);
    const double result = heedi_check_depth(&c.call, &numeric);
    op_end(&c);
    return result;
}

static void test_depth(void **state) {
    (void)state;
    const struct heed_layer_norm_attrs norm = {.struct_size = sizeof norm, .eps = 1e-5f};
    const struct heed_gelu_attrs erf_form = {.struct_size = sizeof erf_form};
    const struct heed_gelu_attrs tanh_form = {.struct_size = sizeof tanh_form, .tanh_form = 1};
    const struct heed_scale_attrs scale = {.struct_size = sizeof scale, .factor = 2};
    const struct heed_cast_attrs cast = {.struct_size = sizeof cast, .dtype = HEED_F16};
    /* Twice the ULPs of a function, and those of softmax's in the element and in the sum. */
    EXPECT(depth(HEED_OP_SOFTMAX, NULL, 1, HEED_F32, 10), 10 + 3 + 4 * 3);
    EXPECT(depth(HEED_OP_LOG_SOFTMAX, NULL, 1, HEED_F16, 10), 10 + 6 + 4 * 3);
    EXPECT(depth(HEED_OP_LAYER_NORM, &norm, 3, HEED_F32, 512), 512 + 16);
    EXPECT(depth(HEED_OP_GELU, &erf_form, 1, HEED_F32, 9), 4 + 2 * 7);
    EXPECT(depth(HEED_OP_GELU, &tanh_form, 1, HEED_F32, 9), 9 + 2 * 5);
    EXPECT(depth(HEED_OP_SILU, NULL, 1, HEED_F32, 9), 5 + 2 * 3);
    EXPECT(depth(HEED_OP_SIGMOID, NULL, 1, HEED_F32, 9), 4 + 2 * 3);
    EXPECT(depth(HEED_OP_TANH, NULL, 1, HEED_F32, 9), 2 * 5);
    EXPECT(depth(HEED_OP_RELU, NULL, 1, HEED_F32, 9), 0);
    EXPECT(depth(HEED_OP_SCALE, &scale, 1, HEED_F32, 9), 1);
    EXPECT(depth(HEED_OP_ADD, NULL, 2, HEED_F32, 9), 1);
    EXPECT(depth(HEED_OP_MUL, NULL, 2, HEED_BF16, 9), 1);
    EXPECT(depth(HEED_OP_ADD, NULL, 2, HEED_I32, 9), 0); /* exact */
    EXPECT(depth(HEED_OP_CAST, &cast, 1, HEED_F32, 9), 0);
    EXPECT(depth(HEED_OP_ARGMAX, NULL, 1, HEED_F32, 9), 0);
    EXPECT(depth(HEED_OP_COPY, NULL, 1, HEED_F32, 9), 0);
}

/* [5, k] times [k, 3], with a bias, with i8 weights and their scales. */
static double matmul_depth(int64_t k, bool bias, bool scale, enum heed_activation activation,
                           bool transpose) {
    const struct heed_matmul_attrs attrs = {
        .struct_size = sizeof attrs, .transpose_a = transpose, .activation = (uint32_t)activation};
    struct op_case c;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(transpose ? k : 5, transpose ? 5 : k));
    op_describe(&c, 1, scale ? HEED_I8 : HEED_F32, DIMS(k, 3));
    if (bias)
        op_describe(&c, 2, HEED_F32, DIMS(3));
    if (scale)
        op_describe(&c, 3, HEED_F32, DIMS(3));
    op_infer(&c);
    const double result = heedi_check_depth(&c.call, &numeric);
    op_end(&c);
    return result;
}

static void test_depth_matmul(void **state) {
    (void)state;
    EXPECT(matmul_depth(2048, false, false, HEED_ACTIVATION_NONE, false), 2048);
    EXPECT(matmul_depth(7, false, false, HEED_ACTIVATION_NONE, true), 7);
    EXPECT(matmul_depth(0, false, false, HEED_ACTIVATION_NONE, false), 0);
    EXPECT(matmul_depth(7, true, false, HEED_ACTIVATION_RELU, false), 7 + 1);
    EXPECT(matmul_depth(7, false, true, HEED_ACTIVATION_NONE, false), 7 + 1);
    EXPECT(matmul_depth(7, true, true, HEED_ACTIVATION_GELU_ERF, false), 7 + 2 + 4 + 2 * 7);
    EXPECT(matmul_depth(7, true, false, HEED_ACTIVATION_GELU_TANH, false), 7 + 1 + 9 + 2 * 5);
    EXPECT(matmul_depth(7, false, false, HEED_ACTIVATION_SILU, false), 7 + 5 + 2 * 3);
    EXPECT(matmul_depth(7, false, false, HEED_ACTIVATION_SIGMOID, false), 7 + 4 + 2 * 3);
    EXPECT(matmul_depth(7, false, false, HEED_ACTIVATION_TANH, false), 7 + 2 * 5);
}

static void test_depth_attention(void **state) {
    (void)state;
    const struct heed_attention_attrs attrs = {.struct_size = sizeof attrs};
    struct op_case c;
    op_begin(&c, HEED_OP_ATTENTION, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(1, 2, 3, 5));
    op_describe(&c, 1, HEED_F32, DIMS(1, 2, 11, 5));
    op_describe(&c, 2, HEED_F32, DIMS(1, 2, 11, 4));
    op_infer(&c);
    EXPECT(heedi_check_depth(&c.call, &numeric), 3 * 11 + 5 + 12 + 4 * 3);
    op_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gamma),           cmocka_unit_test(test_roundoff),
        cmocka_unit_test(test_storage),         cmocka_unit_test(test_ulp_distance),
        cmocka_unit_test(test_depth),           cmocka_unit_test(test_depth_matmul),
        cmocka_unit_test(test_depth_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
