/* SPDX-License-Identifier: Apache-2.0 */
/* The operator table and what the operator files share. */
#include "tests/unit/runtime/ops/op_test.h"

/* Every operator has an entry, with what its kind needs. */
static void test_table(void **state) {
    (void)state;
    for (int i = 1; i < HEED_OP_COUNT_PLUS_ONE; i++) {
        const struct heedi_op *op = heedi_op_find((enum heed_op)i);
        assert_non_null(op);
        assert_int_equal(op->op, i);
        assert_string_equal(op->name, heed_op_name(op->op));
        assert_true(op->version == 1);
        assert_in_range(op->min_inputs, 1, op->max_inputs);
        assert_in_range(op->max_inputs, 1, HEED_MAX_INPUTS);
        assert_non_null(op->infer);
        assert_true((op->cost == NULL) == op->view);
        assert_true((op->reference == NULL) == op->view);
        assert_true(op->attrs_size == 0 || op->attrs_size >= 2 * sizeof(uint32_t));
    }
    assert_null(heedi_op_find(HEED_OP_NONE));
    assert_null(heedi_op_find(HEED_OP_COUNT_PLUS_ONE));
    assert_null(heedi_op_find((enum heed_op)1000));
}

static void test_infer(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, (enum heed_op)1000, NULL);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "? node: unknown operator 1000");
    op_begin(&c, HEED_OP_ADD, NULL);
    op_describe(&c, 0, HEED_F32, DIMS(2));
    op_describe(&c, 2, HEED_F32, DIMS(2));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "add node: has 3 inputs, expected 2 to 2");
    c.call.input_count = 2;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "add node: input 1 is missing");
    c.call.name = NULL;
    assert_int_equal(heedi_op_infer(&c.call), HEED_ERROR_INVALID_ARGUMENT);
    assert_string_equal(c.error.message, "add (unnamed): input 1 is missing");
    c.call.error = NULL; /* nobody listens */
    assert_int_equal(heedi_op_infer(&c.call), HEED_ERROR_INVALID_ARGUMENT);
    op_describe(&c, 1, HEED_F32, DIMS(2));
    c.call.view_offset = 7; /* of a call before */
    c.call.output_count = 2;
    op_infer(&c);
    assert_int_equal(c.call.view_offset, 0);
    assert_int_equal(c.call.output_count, 1);
}

/* A message longer than its buffer is cut, not lost. */
static void test_long_message(void **state) {
    char text[2000];
    struct op_case c;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    op_begin(&c, HEED_OP_ADD, NULL);
    assert_int_equal(heedi_op_fail(&c.call, HEED_ERROR_LIMIT, "%s", text), HEED_ERROR_LIMIT);
    assert_non_null(strstr(c.error.message, "add node: xxxxxxxx"));
    c.call.name = text;
    assert_int_equal(heedi_op_fail(&c.call, HEED_ERROR_SHAPE, "end"), HEED_ERROR_SHAPE);
    assert_non_null(strstr(c.error.message, "add xxxxxxxx"));
}

static void test_is_float(void **state) {
    (void)state;
    assert_true(heedi_is_float(HEED_F32) && heedi_is_float(HEED_F16) && heedi_is_float(HEED_BF16));
    assert_false(heedi_is_float(HEED_I32) || heedi_is_float(HEED_I8));
    assert_false(heedi_is_float(HEED_DTYPE_NONE) || heedi_is_float((enum heed_dtype)99));
}

/* Dims are aligned at the right, equal or 1. */
static void test_broadcast_shapes(void **state) {
    const struct heed_tensor_desc a = heed_desc(HEED_F16, DIMS(3, 1, 5));
    const struct heed_tensor_desc b = heed_desc(HEED_I32, DIMS(7, 1, 4, 1));
    const struct heed_tensor_desc scalar = heed_desc(HEED_F32, SCALAR_DIMS);
    const struct heed_tensor_desc empty = heed_desc(HEED_F32, DIMS(0));
    const struct heed_tensor_desc two = heed_desc(HEED_F32, DIMS(2));
    struct heed_tensor_desc result, expected;
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADD, NULL);
    assert_int_equal(heedi_broadcast_shapes(&c.call, &a, &b, &result), HEED_OK);
    expected = heed_desc(HEED_F16, DIMS(7, 3, 4, 5)); /* the type of the first */
    assert_memory_equal(&result, &expected, sizeof result);
    assert_int_equal(heedi_broadcast_shapes(&c.call, &b, &a, &result), HEED_OK);
    expected.dtype = HEED_I32;
    assert_memory_equal(&result, &expected, sizeof result);
    assert_int_equal(heedi_broadcast_shapes(&c.call, &scalar, &scalar, &result), HEED_OK);
    assert_memory_equal(&result, &scalar, sizeof result);
    assert_int_equal(heedi_broadcast_shapes(&c.call, &empty, &scalar, &result), HEED_OK);
    assert_memory_equal(&result, &empty, sizeof result);
    assert_int_equal(heedi_broadcast_shapes(&c.call, &empty, &two, &result), HEED_ERROR_SHAPE);
    assert_non_null(strstr(c.error.message, "f32 [0] and f32 [2] do not broadcast"));
}

static void test_load(void **state) {
    static const float f32[] = {0, -1.5f};
    static const uint16_t f16[] = {0x3c00, 0xfbff}, bf16[] = {0x3f80, 0xc000};
    static const int32_t i32[] = {0, INT32_MIN};
    static const int8_t i8[] = {127, -128};
    (void)state;
    assert_true(heedi_load(f32, HEED_F32, 1) == -1.5);
    assert_true(heedi_load(f16, HEED_F16, 0) == 1 && heedi_load(f16, HEED_F16, 1) == -65504);
    assert_true(heedi_load(bf16, HEED_BF16, 0) == 1 && heedi_load(bf16, HEED_BF16, 1) == -2);
    assert_true(heedi_load(i32, HEED_I32, 1) == -2147483648.0);
    assert_true(heedi_load(i8, HEED_I8, 0) == 127 && heedi_load(i8, HEED_I8, 1) == -128);
}

/* All indices in row-major order, once; the offset follows the strides. */
static void test_walk(void **state) {
    struct heed_tensor_desc desc = heed_desc(HEED_F32, DIMS(2, 1, 3));
    static const int64_t strides[] = {1, 100, 2}, expected[] = {0, 2, 4, 1, 3, 5};
    int64_t index[HEED_MAX_RANK] = {0};
    int steps = 0;
    (void)state;
    memcpy(desc.strides, strides, sizeof strides);
    do {
        assert_true(steps < 6);
        assert_int_equal(heedi_offset(&desc, index), expected[steps++]);
    } while (heedi_next_index(&desc, index));
    assert_int_equal(steps, 6);
    for (int i = 0; i < HEED_MAX_RANK; i++)
        assert_int_equal(index[i], 0); /* at the start again */
    const struct heed_tensor_desc scalar = heed_desc(HEED_F32, SCALAR_DIMS);
    assert_int_equal(heedi_offset(&scalar, index), 0);
    assert_false(heedi_next_index(&scalar, index));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_infer),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_is_float),
        cmocka_unit_test(test_broadcast_shapes),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
