/* SPDX-License-Identifier: Apache-2.0 */
/* slice: offsets, strides, and what does not fit. */
#include "tests/unit/runtime/ops/op_test.h"

static void slice(struct op_case *c, struct heed_slice_attrs *attrs, int64_t start, int64_t size,
                  int64_t step) {
    *attrs = (struct heed_slice_attrs){.struct_size = (uint32_t)sizeof *attrs,
                                       .start = {start, 1},
                                       .size = {size, 2},
                                       .step = {step}};
    op_begin(c, HEED_OP_SLICE, attrs);
    op_describe(c, 0, HEED_F32, DIMS(7, 3));
}

static void test_slices(void **state) {
    struct op_case c;
    struct heed_slice_attrs attrs;
    (void)state;
    slice(&c, &attrs, 2, 3, 0);
    op_infer(&c);
    op_is_view(&c, DIMS(3, 2), (const int64_t[]){3, 1}, 7);
    slice(&c, &attrs, 1, 3, 3); /* rows 1, 4 and 7: one too far */
    op_fails(&c, HEED_ERROR_SHAPE, "start 1, size 3, step 3 do not fit into 7");
    slice(&c, &attrs, 0, 3, 3);
    op_infer(&c);
    op_is_view(&c, DIMS(3, 2), (const int64_t[]){9, 1}, 1);
    slice(&c, &attrs, 1, 2, 2); /* of a view: strides multiply, offsets add */
    op_strides(&c, 0, DIMS(10, 4));
    op_infer(&c);
    op_is_view(&c, DIMS(2, 2), (const int64_t[]){20, 4}, 14);
}

static void test_empty(void **state) {
    struct op_case c;
    struct heed_slice_attrs attrs;
    (void)state;
    slice(&c, &attrs, 7, 0, 1);
    op_infer(&c);
    assert_int_equal(c.call.outputs[0].dims[0], 0);
    assert_true(c.call.view_offset >= 0 && c.call.view_offset < 21);
    slice(&c, &attrs, 8, 0, 1);
    op_fails(&c, HEED_ERROR_SHAPE, "start 8, size 0");
}

static void test_errors(void **state) {
    struct op_case c;
    struct heed_slice_attrs attrs;
    (void)state;
    slice(&c, &attrs, -1, 1, 1);
    op_fails(&c, HEED_ERROR_SHAPE, "dimension 0: start -1");
    slice(&c, &attrs, 0, -1, 1);
    op_fails(&c, HEED_ERROR_SHAPE, "size -1");
    slice(&c, &attrs, 0, 1, -1);
    op_fails(&c, HEED_ERROR_SHAPE, "step -1");
    slice(&c, &attrs, 5, 3, 1);
    op_fails(&c, HEED_ERROR_SHAPE, "start 5, size 3, step 1 do not fit into 7");
    slice(&c, &attrs, INT64_MAX, 1, 1);
    op_fails(&c, HEED_ERROR_SHAPE, "do not fit");
    slice(&c, &attrs, 1, INT64_MAX, INT64_MAX);
    op_fails(&c, HEED_ERROR_SHAPE, "do not fit");
    /* the step of a single element is never taken */
    slice(&c, &attrs, 6, 1, INT64_MAX);
    op_infer(&c);
    op_is_view(&c, DIMS(1, 2), (const int64_t[]){3, 1}, 19);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
