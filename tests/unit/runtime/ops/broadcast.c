/* SPDX-License-Identifier: Apache-2.0 */
/* broadcast: repeated dims have stride 0. */
#include "tests/unit/runtime/ops/op_test.h"

static void broadcast(struct op_case *c, struct heed_shape_attrs *attrs, uint32_t rank,
                      const int64_t *dims) {
    *attrs = (struct heed_shape_attrs){.struct_size = (uint32_t)sizeof *attrs, .rank = rank};
    if (rank <= HEED_MAX_RANK)
        memcpy(attrs->dims, dims, rank * sizeof *dims);
    op_begin(c, HEED_OP_BROADCAST, attrs);
    op_describe(c, 0, HEED_F32, DIMS(3, 1));
}

static void test_repeats(void **state) {
    struct op_case c;
    struct heed_shape_attrs attrs;
    (void)state;
    broadcast(&c, &attrs, DIMS(2, 3, 5));
    op_infer(&c);
    op_is_view(&c, DIMS(2, 3, 5), (const int64_t[]){0, 1, 0}, 0);
    broadcast(&c, &attrs, DIMS(3, 1)); /* nothing to repeat */
    op_infer(&c);
    op_is_view(&c, DIMS(3, 1), (const int64_t[]){1, 1}, 0);
    broadcast(&c, &attrs, DIMS(3, 0)); /* repeated no times */
    op_infer(&c);
    op_is_view(&c, DIMS(3, 0), (const int64_t[]){1, 0}, 0);
    broadcast(&c, &attrs, DIMS(4, 2, 3, 2)); /* of a strided view */
    op_strides(&c, 0, DIMS(8, 2));
    op_infer(&c);
    op_is_view(&c, DIMS(4, 2, 3, 2), (const int64_t[]){0, 0, 8, 0}, 0);
}

static void test_errors(void **state) {
    struct op_case c;
    struct heed_shape_attrs attrs;
    (void)state;
    broadcast(&c, &attrs, DIMS(4, 5));
    op_fails(&c, HEED_ERROR_SHAPE, "f32 [3, 1] does not broadcast to f32 [4, 5]");
    broadcast(&c, &attrs, DIMS(3));
    op_fails(&c, HEED_ERROR_SHAPE, "new rank 1");
    broadcast(&c, &attrs, DIMS(1, 1, 1, 3, 1));
    op_fails(&c, HEED_ERROR_SHAPE, "new rank 5");
    broadcast(&c, &attrs, DIMS(3, -1));
    op_fails(&c, HEED_ERROR_SHAPE, "out of range");
    broadcast(&c, &attrs, DIMS(INT64_C(1) << 60, 3, INT64_C(1) << 60));
    op_fails(&c, HEED_ERROR_SHAPE, "out of range");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
