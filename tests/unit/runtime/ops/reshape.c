/* SPDX-License-Identifier: Apache-2.0 */
/* reshape: which strides allow a view, and what they become. */
#include "tests/unit/runtime/ops/op_test.h"

static void reshape(struct op_case *c, struct heed_shape_attrs *attrs, uint32_t rank,
                    const int64_t *dims) {
    memset(attrs, 0, sizeof *attrs);
    attrs->struct_size = (uint32_t)sizeof *attrs;
    attrs->rank = rank;
    if (rank > 0 && rank <= HEED_MAX_RANK)
        memcpy(attrs->dims, dims, rank * sizeof *dims);
    op_begin(c, HEED_OP_RESHAPE, attrs);
}

/* x described by dims and strides becomes a view of the expected dims and strides. */
static void check_view(const int64_t *x_strides, uint32_t x_rank, const int64_t *x_dims,
                       uint32_t rank, const int64_t *dims, const int64_t *strides) {
    struct op_case c;
    struct heed_shape_attrs attrs;
    reshape(&c, &attrs, rank, dims);
    op_describe(&c, 0, HEED_F16, x_rank, x_dims);
    op_strides(&c, 0, x_rank, x_strides);
    op_infer(&c);
    op_is_view(&c, rank, dims, strides, 0);
}

static void check_copy(const int64_t *x_strides, uint32_t x_rank, const int64_t *x_dims,
                       uint32_t rank, const int64_t *dims) {
    struct op_case c;
    struct heed_shape_attrs attrs;
    reshape(&c, &attrs, rank, dims);
    op_describe(&c, 0, HEED_F32, x_rank, x_dims);
    op_strides(&c, 0, x_rank, x_strides);
    op_fails(&c, HEED_ERROR_UNSUPPORTED, "allow no view");
}

#define S(...) ((const int64_t[]){__VA_ARGS__})

static void test_contiguous(void **state) {
    (void)state;
    check_view(S(12, 4, 1), DIMS(2, 3, 4), DIMS(6, 4), S(4, 1));
    check_view(S(12, 4, 1), DIMS(2, 3, 4), DIMS(24), S(1));
    check_view(S(1), DIMS(7), DIMS(7, 1), S(1, 1));
    check_view(S(1), DIMS(1), SCALAR_DIMS, S(0));
    check_view(S(1), DIMS(0), DIMS(0, 5), S(5, 1));
}

static void test_strided(void **state) {
    (void)state;
    /* [2, 4] out of rows of 6: the outer dim may be cut, the inner one too, not merged */
    check_view(S(6, 1), DIMS(4, 4), DIMS(2, 2, 2, 2), S(12, 6, 2, 1));
    check_copy(S(6, 1), DIMS(2, 4), DIMS(8));
    /* transposed [3, 2] */
    check_copy(S(1, 3), DIMS(3, 2), DIMS(6));
    check_view(S(1, 3), DIMS(3, 2), DIMS(1, 3, 1, 2), S(3, 1, 6, 3));
    /* [2, 3, 4] with the first two swapped: the last stays contiguous in itself */
    check_view(S(4, 12, 1), DIMS(3, 2, 4), DIMS(3, 2, 2, 2), S(4, 12, 2, 1));
    check_copy(S(4, 12, 1), DIMS(3, 2, 4), DIMS(6, 4));
    /* dims of 1 may have any stride */
    check_view(S(100, 2, 77), DIMS(1, 3, 1), DIMS(3), S(2));
}

static void test_broadcast(void **state) {
    (void)state;
    /* repeated elements are no run of elements, whichever dim repeats */
    check_copy(S(1, 0), DIMS(2, 3), DIMS(6));
    check_copy(S(0, 1), DIMS(2, 3), DIMS(6));
    check_view(S(0, 0), DIMS(2, 3), DIMS(6), S(0));
    check_view(S(0, 1), DIMS(6, 2), DIMS(2, 3, 2), S(0, 0, 1));
}

static void test_inferred(void **state) {
    struct op_case c;
    struct heed_shape_attrs attrs;
    (void)state;
    reshape(&c, &attrs, DIMS(2, -1, 3));
    op_describe(&c, 0, HEED_I8, DIMS(5, 6));
    op_infer(&c);
    op_is_view(&c, DIMS(2, 5, 3), S(15, 3, 1), 0);
    reshape(&c, &attrs, DIMS(-1, 5));
    op_describe(&c, 0, HEED_I8, DIMS(0, 6));
    op_infer(&c);
    op_is_view(&c, DIMS(0, 5), S(5, 1), 0);
}

static void refuse(uint32_t x_rank, const int64_t *x_dims, uint32_t rank, const int64_t *dims,
                   const char *words) {
    struct op_case c;
    struct heed_shape_attrs attrs;
    reshape(&c, &attrs, rank, dims);
    op_describe(&c, 0, HEED_F32, x_rank, x_dims);
    op_fails(&c, HEED_ERROR_SHAPE, words);
}

static void test_errors(void **state) {
    struct op_case c;
    struct heed_shape_attrs attrs;
    (void)state;
    refuse(DIMS(2, 3), DIMS(7), "f32 [2, 3] and f32 [7] differ in size");
    refuse(DIMS(2, 3), DIMS(-1, -1), "-1 once");
    refuse(DIMS(2, 3), DIMS(-2, 3), "new dimension 0 is -2");
    refuse(DIMS(2, 3), DIMS(4, -1), "f32 [2, 3] cannot be divided by the known 4");
    refuse(DIMS(2, 3), DIMS(0, -1), "cannot be divided");
    refuse(DIMS(2, 3), DIMS(1, 1, 1, 2, 3), "new rank is 5, at most 4");
    refuse(DIMS(2, 3), DIMS(INT64_C(1) << 60, INT64_C(1) << 60), "new dimension 1");
    /* without elements, but with strides that no 64 bits hold */
    reshape(&c, &attrs, DIMS(0, INT64_C(1) << 62, INT64_C(1) << 62));
    op_describe(&c, 0, HEED_F32, DIMS(0));
    op_fails(&c, HEED_ERROR_LIMIT, "too large");
    op_begin(&c, HEED_OP_RESHAPE, NULL);
    op_describe(&c, 0, HEED_F32, DIMS(1));
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "attributes are missing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contiguous), cmocka_unit_test(test_strided),
        cmocka_unit_test(test_broadcast),  cmocka_unit_test(test_inferred),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
