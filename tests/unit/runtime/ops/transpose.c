/* SPDX-License-Identifier: Apache-2.0 */
/* transpose: dims and strides change places. */
#include "tests/unit/runtime/ops/op_test.h"

static void transpose(struct op_case *c, struct heed_transpose_attrs *attrs, uint32_t a, uint32_t b,
                      uint32_t d) {
    *attrs =
        (struct heed_transpose_attrs){.struct_size = (uint32_t)sizeof *attrs, .perm = {a, b, d}};
    op_begin(c, HEED_OP_TRANSPOSE, attrs);
}

static void test_permutes(void **state) {
    struct op_case c;
    struct heed_transpose_attrs attrs;
    (void)state;
    transpose(&c, &attrs, 2, 0, 1);
    op_describe(&c, 0, HEED_BF16, DIMS(5, 1, 3));
    op_infer(&c);
    op_is_view(&c, DIMS(3, 5, 1), (const int64_t[]){1, 3, 3}, 0);
    /* of a view, and without elements */
    transpose(&c, &attrs, 1, 0, 2);
    op_describe(&c, 0, HEED_I32, DIMS(2, 0, 4));
    op_strides(&c, 0, DIMS(0, 40, 10));
    op_infer(&c);
    op_is_view(&c, DIMS(0, 2, 4), (const int64_t[]){40, 0, 10}, 0);
    transpose(&c, &attrs, 9, 9, 9); /* entries beyond the rank do not count */
    op_describe(&c, 0, HEED_I32, SCALAR_DIMS);
    op_infer(&c);
    op_is_view(&c, 0, NULL, NULL, 0);
}

static void test_errors(void **state) {
    struct op_case c;
    struct heed_transpose_attrs attrs;
    (void)state;
    transpose(&c, &attrs, 0, 1, 1);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3, 4));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "perm[2] is 1, expected each of 0 to 2 once");
    transpose(&c, &attrs, 0, 1, 3);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3, 4));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "perm[2] is 3");
    transpose(&c, &attrs, 0, 1, UINT32_MAX);
    op_describe(&c, 0, HEED_F32, DIMS(2, 3, 4));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "perm[2] is 4294967295");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutes),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
