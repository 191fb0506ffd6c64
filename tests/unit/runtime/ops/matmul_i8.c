/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows: HEED_QUANTIZE_ROWS with i8 and q8_0 weights. */
#include "tests/unit/runtime/ops/op_test.h"

static struct heed_matmul_attrs rows(void) {
    return (struct heed_matmul_attrs){.struct_size = (uint32_t)sizeof(struct heed_matmul_attrs),
                                      .transpose_b = 1,
                                      .a_quantization = HEED_QUANTIZE_ROWS};
}

static double depth(const struct op_case *c) {
    return heedi_op_find(HEED_OP_MATMUL)->depth(&c->call);
}

/* Row 0: scale 1, q = 127, -64 (a tie), 0, whose products are 127 - 128 + 0 and -16256 + 0 + 0.
 * Row 1: scale 1/127, q = 64 (63.5), 127, -64. */
static void test_i8(void **state) {
    struct heed_matmul_attrs attrs = rows();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(2, 3), V(127, -63.5, 0.4, 0.5, 1, -0.5));
    op_give(&c, 1, HEED_I8, DIMS(2, 3), V(1, 2, 3, -128, 0, 127));
    op_give(&c, 2, HEED_F16, DIMS(2), V(10, 20));
    op_give(&c, 3, HEED_F32, DIMS(2), V(0.5, 0.25));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 2));
    const double scale = (double)(1.0f / 127.0f);
    op_expect(&c, 0,
              V(-1 * 0.5 + 10, -16256 * 0.25 + 20, (64 + 254 - 192) * scale * 0.5 + 10,
                (-8192 - 8128) * scale * 0.25 + 20));
    /* sums are exact: their size counts, not that of their terms */
    assert_true(c.magnitude[0][0] == 10.5 && c.magnitude[0][1] == 16256 * 0.25 + 20);
    assert_true(depth(&c) == 4);
    op_costs(&c, 2 * 4 * 3 + 4, 6 * 4 + 6 + 2 * 2 + 2 * 4 + 4 * 4);
    op_lowers_not(&c, "this form has no lowering");
    op_end(&c);
}

/* The same numbers from other layouts, strides and types. */
static void test_layouts(void **state) {
    struct heed_matmul_attrs attrs = rows();
    struct op_case c;
    (void)state;
    attrs.transpose_a = 1;
    attrs.transpose_b = 0;
    attrs.out_dtype = HEED_F32;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F16, DIMS(2, 2), V(127, 2, -63.5, 1));
    op_give(&c, 1, HEED_I8, DIMS(2, 2), V(1, 9, 3, 9, 2, 9, 4, 9));
    op_strides(&c, 1, DIMS(4, 2));
    op_give(&c, 3, HEED_F32, DIMS(2), V(1, 1));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 2));
    const double scale = (double)(2.0f / 127.0f);
    op_expect(&c, 0, V(127 - 128, 381 - 256, (127 + 2 * 64) * scale, (381 + 4 * 64) * scale));
    assert_true(depth(&c) == 3);
    op_end(&c);
    attrs = rows();
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* a batch, each with a row of its own */
    op_give(&c, 0, HEED_F32, DIMS(2, 1, 1), V(5, -7));
    op_give(&c, 1, HEED_I8, DIMS(2, 1, 1), V(1, 2));
    op_give(&c, 3, HEED_F32, DIMS(1), V(1));
    op_run(&c);
    op_expect(&c, 0, V(127 * (double)(5.0f / 127.0f), -254 * (double)(7.0f / 127.0f)));
    op_end(&c);
}

static void test_special_rows(void **state) {
    struct heed_matmul_attrs attrs = rows();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(5, 2), V(0, 0, 1e-31, -1e-31, NAN, 1, 1, -INFINITY, 1, 1e-31));
    op_give(&c, 1, HEED_I8, DIMS(1, 2), V(3, 4));
    op_give(&c, 2, HEED_F32, DIMS(1), V(-2));
    op_give(&c, 3, HEED_F32, DIMS(1), V(1));
    op_run(&c);
    op_expect(&c, 0, V(-2, -2, NAN, NAN, 381 * (double)(1.0f / 127.0f) - 2));
    op_end(&c);
    op_begin(&c, HEED_OP_MATMUL, &attrs); /* sums of nothing */
    op_give(&c, 0, HEED_F32, DIMS(1, 0), NO_VALUES);
    op_give(&c, 1, HEED_I8, DIMS(2, 0), NO_VALUES);
    op_give(&c, 2, HEED_F32, DIMS(2), V(5, 6));
    op_give(&c, 3, HEED_F32, DIMS(2), V(1, 1));
    op_run(&c);
    op_expect(&c, 0, V(5, 6));
    op_end(&c);
}

/* Two blocks per column; block j of column n holds the constant 10 n + j + 1 with scale 2^-(n + j).
 */
static void give_blocks(struct op_case *c) {
    op_describe(c, 1, HEED_Q8_0, DIMS(2, 2));
    struct heed_q8_0 *blocks = malloc(4 * sizeof *blocks);
    assert_non_null(blocks);
    for (int n = 0; n < 2; n++)
        for (int j = 0; j < 2; j++) {
            blocks[n * 2 + j].scale = heed_f32_to_f16(ldexpf(1, -(n + j)));
            for (int i = 0; i < 32; i++)
                blocks[n * 2 + j].values[i] = (int8_t)(10 * n + j + 1);
        }
    c->data[1] = blocks;
}

static void test_q8_0(void **state) {
    struct heed_matmul_attrs attrs = rows();
    double a[64];
    struct op_case c;
    (void)state;
    for (int i = 0; i < 64; i++)
        a[i] = i < 32 ? 127 : 2; /* scale 1: sums of 32 * 127 and 32 * 2 */
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(1, 64), 64, a);
    give_blocks(&c);
    op_give(&c, 2, HEED_F32, DIMS(2), V(-1, 1));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(1, 2));
    const double first = 4064 * 1 + 64 * 2 * 0.5, second = 4064 * 11 * 0.5 + 64 * 12 * 0.25;
    op_expect(&c, 0, V(first - 1, second + 1));
    assert_true(c.magnitude[0][0] == first + 1);
    assert_true(depth(&c) == 2 + 1 + 1);
    op_costs(&c, 2 * 2 * 64 + 2, 64 * 4 + 4 * 34 + 2 * 4 + 2 * 4);
    op_end(&c);
}

static void test_wrong(void **state) {
    struct heed_matmul_attrs attrs = rows();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(2, 64));
    op_describe(&c, 1, HEED_F32, DIMS(4, 64));
    op_fails(&c, HEED_ERROR_SHAPE,
             "b ('in1') is f32, but quantised rows of a need an i8 or q8_0 b");
    op_describe(&c, 1, HEED_I8, DIMS(4, 64));
    op_fails(&c, HEED_ERROR_SHAPE, "b of type i8 needs a b_scale");
    attrs.a_quantization = 2;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "unknown quantization 2 of a");
    attrs = rows();
    op_describe(&c, 1, HEED_Q8_0, DIMS(4, 3));
    op_fails(&c, HEED_ERROR_SHAPE, "inner dimensions differ");
    op_describe(&c, 1, HEED_Q8_0, DIMS(4, 2));
    op_infer(&c);
    op_describe(&c, 0, HEED_F32, DIMS(2, 65));
    op_fails(&c, HEED_ERROR_SHAPE, "inner dimensions differ");
    op_describe(&c, 0, HEED_F32, DIMS(2, 64));
    attrs.transpose_b = 0;
    op_fails(&c, HEED_ERROR_SHAPE, "must be contiguous [n, k / 32] with transpose_b");
    attrs = rows();
    op_describe(&c, 1, HEED_Q8_0, DIMS(1, 4, 2));
    op_fails(&c, HEED_ERROR_SHAPE, "must be contiguous [n, k / 32] with transpose_b");
    op_describe(&c, 1, HEED_Q8_0, DIMS(4, 2));
    op_strides(&c, 1, DIMS(3, 1));
    op_fails(&c, HEED_ERROR_SHAPE, "must be contiguous [n, k / 32] with transpose_b");
    op_describe(&c, 1, HEED_Q8_0, DIMS(4, 2));
    attrs.a_quantization = HEED_QUANTIZE_NONE;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "needs the rows of a to be quantised");
    attrs = rows();
    op_describe(&c, 3, HEED_F32, DIMS(4));
    op_fails(&c, HEED_ERROR_SHAPE, "b of type q8_0 takes no b_scale");
}

static void test_depth_limit(void **state) {
    struct heed_matmul_attrs attrs = rows();
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(1, HEED_QUANTIZE_MAX_K));
    op_describe(&c, 1, HEED_I8, DIMS(1, HEED_QUANTIZE_MAX_K));
    op_describe(&c, 3, HEED_F32, DIMS(1));
    op_infer(&c);
    op_describe(&c, 0, HEED_F32, DIMS(1, HEED_QUANTIZE_MAX_K + 1));
    op_describe(&c, 1, HEED_I8, DIMS(1, HEED_QUANTIZE_MAX_K + 1));
    op_fails(&c, HEED_ERROR_LIMIT, "131073, with quantised rows at most 131072");
    attrs.a_quantization = HEED_QUANTIZE_NONE;
    op_infer(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_i8),           cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_special_rows), cmocka_unit_test(test_q8_0),
        cmocka_unit_test(test_wrong),        cmocka_unit_test(test_depth_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
