/* SPDX-License-Identifier: Apache-2.0 */
/* Walking over rows, sizes as numbers that do not overflow, and the checks that operators share. */
#include "runtime/ops/rows.h"
#include "tests/unit/runtime/ops/op_test.h"

static void test_walk(void **state) {
    struct heed_tensor_desc desc = heed_desc(HEED_F32, DIMS(2, 3, 4));
    static const int64_t strides[] = {1, 2, 6}, offsets[] = {0, 2, 4, 1, 3, 5};
    struct heedi_rows rows;
    int count = 0;
    (void)state;
    memcpy(desc.strides, strides, sizeof strides);
    for (heedi_rows_begin(&rows, &desc); rows.valid; heedi_rows_next(&rows)) {
        assert_true(count < 6);
        assert_int_equal(rows.number, count);
        assert_int_equal(rows.offset, offsets[count++]);
        assert_int_equal(rows.length, 4);
        assert_int_equal(rows.stride, 6);
    }
    assert_int_equal(count, 6);
    desc = heed_desc(HEED_F32, DIMS(5)); /* a vector is one row */
    heedi_rows_begin(&rows, &desc);
    assert_true(rows.valid && rows.length == 5 && rows.offset == 0);
    heedi_rows_next(&rows);
    assert_false(rows.valid);
    desc = heed_desc(HEED_F32, DIMS(2, 0, 4)); /* no row; and rows without elements */
    heedi_rows_begin(&rows, &desc);
    assert_false(rows.valid);
    desc = heed_desc(HEED_F32, DIMS(2, 0));
    heedi_rows_begin(&rows, &desc);
    assert_true(rows.valid && rows.length == 0);
}

static void test_with_last(void **state) {
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, DIMS(2, 3, 4));
    static const int64_t lasts[] = {9, 0, -1};
    (void)state;
    for (int i = 0; i < 3; i++) {
        const int64_t dims[] = {2, 3, lasts[i]};
        const struct heed_tensor_desc expected = heed_desc(HEED_I32, lasts[i] < 0 ? 2 : 3, dims);
        const struct heed_tensor_desc made = heedi_desc_with_last(&desc, HEED_I32, lasts[i]);
        assert_memory_equal(&made, &expected, sizeof made);
    }
}

static void test_sizes(void **state) {
    const struct heed_tensor_desc scalar = heed_desc(HEED_F16, SCALAR_DIMS);
    const struct heed_tensor_desc huge =
        heed_desc(HEED_F32, DIMS(INT64_C(1) << 40, INT64_C(1) << 40));
    struct op_case c;
    (void)state;
    assert_true(heedi_desc_elems(&scalar) == 1 && heedi_desc_bytes(&scalar) == 2);
    assert_true(heedi_desc_elems(&huge) == 0x1p80 && heedi_desc_bytes(&huge) == 0x1p82);
    op_begin(&c, HEED_OP_TOP_K, NULL); /* an absent input; two outputs */
    op_describe(&c, 0, HEED_F32, DIMS(3));
    op_describe(&c, 2, HEED_I8, DIMS(5));
    c.call.output_count = 2;
    c.call.outputs[0] = heed_desc(HEED_F16, DIMS(7));
    c.call.outputs[1] = heed_desc(HEED_I32, DIMS(11));
    assert_true(heedi_call_bytes(&c.call) == 3 * 4 + 5 + 7 * 2 + 11 * 4);
}

static void test_load_index(void **state) {
    static const int32_t data[] = {5, 9, -6};
    struct heed_tensor_desc desc = heed_desc(HEED_I32, DIMS(2));
    (void)state;
    assert_int_equal(heedi_load_index(&desc, data, 1, 77), 9);
    desc.strides[0] = 2;
    assert_int_equal(heedi_load_index(&desc, data, 1, 77), -6);
    assert_int_equal(heedi_load_index(NULL, NULL, 1, 77), 77);
    assert_true(heedi_is_float_code(HEED_F32) && heedi_is_float_code(HEED_F16) &&
                heedi_is_float_code(HEED_BF16));
    assert_false(heedi_is_float_code(0) || heedi_is_float_code(HEED_I32) ||
                 heedi_is_float_code(HEED_I8) || heedi_is_float_code(UINT32_MAX));
}

/* A check passes, or says what it expected and found. */
static void test_checks(void **state) {
    struct op_case c;
    (void)state;
    op_begin(&c, HEED_OP_ADD, NULL);
    op_describe(&c, 0, HEED_F16, DIMS(3));
    op_describe(&c, 1, HEED_I32, DIMS(2, 3));
    assert_int_equal(heedi_expect_float(&c.call, 0, "x"), HEED_OK);
    assert_int_equal(heedi_expect_i32(&c.call, 1, "x"), HEED_OK);
    assert_int_equal(heedi_expect_rank(&c.call, 1, "x", 2, 2), HEED_OK);
    assert_int_equal(heedi_expect_rank(&c.call, 1, "x", 0, 2), HEED_OK);
    assert_int_equal(heedi_expect_vector(&c.call, 0, "x", 3, "m"), HEED_OK);
    assert_string_equal(c.error.message, "");
    assert_int_equal(heedi_expect_float(&c.call, 1, "x"), HEED_ERROR_SHAPE);
    assert_string_equal(c.error.message,
                        "add node: x ('in1') must be f32, f16 or bf16, but is i32");
    assert_int_equal(heedi_expect_i32(&c.call, 0, "x"), HEED_ERROR_SHAPE);
    assert_string_equal(c.error.message, "add node: x ('in0') must be i32, but is f16");
    assert_int_equal(heedi_expect_rank(&c.call, 1, "x", 1, 1), HEED_ERROR_SHAPE);
    assert_string_equal(c.error.message, "add node: x ('in1') must have rank 1, but is i32 [2, 3]");
    assert_int_equal(heedi_expect_rank(&c.call, 1, "x", 3, 4), HEED_ERROR_SHAPE);
    assert_string_equal(c.error.message,
                        "add node: x ('in1') must have rank 3 to 4, but is i32 [2, 3]");
    assert_int_equal(heedi_expect_vector(&c.call, 0, "x", 4, "m"), HEED_ERROR_SHAPE);
    assert_string_equal(c.error.message, "add node: x ('in0') must be [4] (m), but is f16 [3]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),   cmocka_unit_test(test_with_last),
        cmocka_unit_test(test_sizes),  cmocka_unit_test(test_load_index),
        cmocka_unit_test(test_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
