/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: rows of a table by id, scaled where the table is i8. */
#include "tests/unit/runtime/ops/op_test.h"

static struct heed_embedding_attrs into(uint32_t dtype) {
    return (struct heed_embedding_attrs){
        .struct_size = (uint32_t)sizeof(struct heed_embedding_attrs), .out_dtype = dtype};
}

static void test_rows(void **state) {
    const struct heed_embedding_attrs attrs = into(0);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_EMBEDDING, &attrs);
    op_give(&c, 0, HEED_F16, DIMS(3, 2), V(1, 2, 3, NAN, 5, -INFINITY));
    op_give(&c, 1, HEED_I32, DIMS(2, 2), V(2, 0, 1, 2));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(2, 2, 2)); /* not the table's type */
    op_expect(&c, 0, V(5, -INFINITY, 1, 2, 3, NAN, 5, -INFINITY));
    for (int i = 0; i < 8; i++)
        assert_true(c.magnitude[0][i] == 0); /* nothing is computed */
    assert_true(heedi_op_find(HEED_OP_EMBEDDING)->depth(&c.call) == 0);
    op_end(&c);
}

static void test_outside(void **state) {
    const struct heed_embedding_attrs attrs = into(HEED_BF16);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_EMBEDDING, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(2, 2), V(NAN, NAN, 3, 4));
    op_give(&c, 1, HEED_I32, DIMS(5), V(-1, 2, 1, 2147483647, -2147483648.0));
    op_run(&c);
    op_is(&c, 0, HEED_BF16, DIMS(5, 2));
    op_expect(&c, 0, V(0, 0, 0, 0, 3, 4, 0, 0, 0, 0));
    op_end(&c);
}

/* One scale for each row, read for no id outside the table. */
static void test_scaled(void **state) {
    const struct heed_embedding_attrs attrs = into(HEED_F16);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_EMBEDDING, &attrs);
    op_give(&c, 0, HEED_I8, DIMS(2, 3), V(127, -128, 0, 2, 4, -8));
    op_give(&c, 1, HEED_I32, DIMS(3), V(1, 0, 2));
    op_give(&c, 2, HEED_F32, DIMS(2), V(0.5, -0.25));
    op_run(&c);
    op_is(&c, 0, HEED_F16, DIMS(3, 3));
    const double expected[] = {-0.5, -1, 2, 63.5, -64, 0, 0, 0, 0};
    op_expect(&c, 0, 9, expected);
    for (int i = 0; i < 9; i++)
        assert_true(c.magnitude[0][i] == fabs(expected[i])); /* one rounding, of this size */
    assert_true(heedi_op_find(HEED_OP_EMBEDDING)->depth(&c.call) == 1);
    op_end(&c);
}

static void test_shapes(void **state) {
    const struct heed_embedding_attrs attrs = into(HEED_F32);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_EMBEDDING, &attrs); /* one id, one column */
    op_give(&c, 0, HEED_F32, DIMS(2, 1), V(1, 2));
    op_give(&c, 1, HEED_I32, SCALAR_DIMS, V(1));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(1));
    op_expect(&c, 0, V(2));
    op_end(&c);
    op_begin(&c, HEED_OP_EMBEDDING, &attrs); /* an empty table has no valid id */
    op_give(&c, 0, HEED_F32, DIMS(0, 2), NO_VALUES);
    op_give(&c, 1, HEED_I32, DIMS(2), V(0, 1));
    op_run(&c);
    op_expect(&c, 0, V(0, 0, 0, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_EMBEDDING, &attrs); /* no columns, no ids */
    op_give(&c, 0, HEED_F32, DIMS(2, 0), NO_VALUES);
    op_give(&c, 1, HEED_I32, DIMS(1, 1, 1), V(1));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(1, 1, 1, 0));
    op_end(&c);
    op_begin(&c, HEED_OP_EMBEDDING, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(1, 2), V(1, 2));
    op_give(&c, 1, HEED_I32, DIMS(3, 0), NO_VALUES);
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(3, 0, 2));
    op_end(&c);
}

static void test_views(void **state) {
    const struct heed_embedding_attrs attrs = into(0);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_EMBEDDING, &attrs); /* a transposed table, every other id and scale */
    op_give(&c, 0, HEED_I8, DIMS(3, 2), V(1, 2, 3, 4, 5, 6));
    op_strides(&c, 0, DIMS(1, 3));
    op_give(&c, 1, HEED_I32, DIMS(2), V(2, 9, 0));
    op_strides(&c, 1, DIMS(2));
    op_give(&c, 2, HEED_F32, DIMS(3), V(1, 9, 10, 9, 100));
    op_strides(&c, 2, DIMS(2));
    op_run(&c);
    op_expect(&c, 0, V(300, 600, 1, 4));
    op_end(&c);
    op_begin(&c, HEED_OP_EMBEDDING, &attrs); /* one id, repeated */
    op_give(&c, 0, HEED_F32, DIMS(2, 2), V(1, 2, 3, 4));
    op_give(&c, 1, HEED_I32, DIMS(2, 1), V(1));
    op_strides(&c, 1, DIMS(0, 0));
    op_run(&c);
    op_expect(&c, 0, V(3, 4, 3, 4));
    op_end(&c);
}

/* Blocks widen exactly. */
static void test_q8_0(void **state) {
    const struct heed_embedding_attrs attrs = into(0);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_EMBEDDING, &attrs);
    op_describe(&c, 0, HEED_Q8_0, DIMS(2, 2));
    struct heed_q8_0 *blocks = malloc(4 * sizeof *blocks);
    assert_non_null(blocks);
    c.data[0] = blocks;
    double expected[3 * 64] = {0};
    for (int block = 0; block < 4; block++) {
        blocks[block].scale = heed_f32_to_f16(0.1f * (float)(block + 1));
        for (int i = 0; i < 32; i++) {
            blocks[block].values[i] = (int8_t)(block * 32 + i - 70);
            if (block >= 2)
                expected[(block - 2) * 32 + i] =
                    (double)heed_f16_to_f32(blocks[block].scale) * (block * 32 + i - 70);
        }
    }
    memcpy(expected + 128, expected, 64 * sizeof *expected);
    op_give(&c, 1, HEED_I32, DIMS(3), V(1, 2, 1));
    op_run(&c);
    op_is(&c, 0, HEED_F32, DIMS(3, 64));
    op_expect(&c, 0, 192, expected);
    assert_true(c.magnitude[0][0] == 0);
    op_costs(&c, 192, 3 * 2 * 34 + 3 * 4 + 192 * 4);
    op_describe(&c, 2, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE, "a table of q8_0 takes no table_scale");
    c.call.inputs[2] = NULL;
    op_describe(&c, 0, HEED_Q8_0, DIMS(1, INT64_MAX / 34));
    op_describe(&c, 1, HEED_I32, DIMS(1));
    op_fails(&c, HEED_ERROR_LIMIT, "large");
    op_end(&c);
}

/* The rows read, not the table, count. */
static void test_cost(void **state) {
    const struct heed_embedding_attrs attrs = into(HEED_F16);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_EMBEDDING, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(50000, 10));
    op_describe(&c, 1, HEED_I32, DIMS(3));
    op_costs(&c, 0, 30 * 4 + 3 * 4 + 30 * 2);
    op_describe(&c, 0, HEED_I8, DIMS(50000, 10));
    op_describe(&c, 2, HEED_F32, DIMS(50000));
    op_costs(&c, 30, 30 + 3 * 4 + 3 * 4 + 30 * 2);
}

static void test_errors(void **state) {
    struct heed_embedding_attrs attrs = into(0);
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_EMBEDDING, &attrs);
    op_describe(&c, 0, HEED_F32, DIMS(2));
    op_describe(&c, 1, HEED_I32, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE, "table ('in0') must have rank 2, but is f32 [2]");
    op_describe(&c, 0, HEED_F32, DIMS(2, 3));
    op_describe(&c, 1, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE, "ids ('in1') must be i32, but is f32");
    op_describe(&c, 1, HEED_I32, DIMS(1, 1, 1, 1));
    op_fails(&c, HEED_ERROR_SHAPE, "ids ('in1') must have rank 0 to 3, but is i32 [1, 1, 1, 1]");
    op_describe(&c, 1, HEED_I32, DIMS(2));
    op_describe(&c, 0, HEED_I32, DIMS(2, 3));
    op_fails(&c, HEED_ERROR_SHAPE, "table is i32, expected a float type, i8 or q8_0");
    op_describe(&c, 0, HEED_I8, DIMS(2, 3));
    op_fails(&c, HEED_ERROR_SHAPE, "a table of i8 needs a table_scale");
    op_describe(&c, 2, HEED_F32, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE,
             "table_scale ('in2') must be [2] (the rows of the table), but is f32 [3]");
    op_describe(&c, 2, HEED_F16, DIMS(2));
    op_fails(&c, HEED_ERROR_SHAPE, "table_scale is f16, expected f32");
    op_describe(&c, 2, HEED_F32, DIMS(2));
    op_describe(&c, 0, HEED_F16, DIMS(2, 3));
    op_fails(&c, HEED_ERROR_SHAPE, "a table of f16 takes no table_scale");
    c.call.inputs[2] = NULL; /* present in the list, but absent */
    op_infer(&c);
    attrs = into(HEED_I32);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "out_dtype is 4, expected a float type");
    attrs = into(99);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "out_dtype is 99, expected a float type");
    attrs = into(0);
    op_describe(&c, 0, HEED_F32, DIMS(1, INT64_C(1) << 40));
    op_describe(&c, 1, HEED_I32, DIMS(INT64_C(1) << 40));
    op_fails(&c, HEED_ERROR_LIMIT, "too large");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_outside),
        cmocka_unit_test(test_scaled), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_views),  cmocka_unit_test(test_cost),
        cmocka_unit_test(test_q8_0),   cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
