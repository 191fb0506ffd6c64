/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes: limits of rank, dimensions, elements and bytes; printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/shape.h"

static void test_accepts(void **state) {
    (void)state;
    const int64_t dims[] = {2, 3, 128, 5};
    int64_t elems = -1;
    size_t bytes = 1;
    assert_true(heedi_shape_check(HEED_F16, 4, dims, &elems, &bytes));
    assert_int_equal(elems, 3840);
    assert_int_equal(bytes, 7680);
    assert_true(heedi_shape_check(HEED_I8, 0, NULL, &elems, &bytes)); /* a scalar */
    assert_int_equal(elems, 1);
    assert_int_equal(bytes, 1);
    const int64_t empty[] = {7, 0, 9};
    assert_true(heedi_shape_check(HEED_F32, 3, empty, &elems, &bytes));
    assert_int_equal(elems, 0);
    assert_int_equal(bytes, 0);
    assert_true(heedi_shape_check(HEED_F32, 3, dims, NULL, NULL));
}

static void test_refuses(void **state) {
    (void)state;
    const int64_t dims[] = {2, 3, 4, 5, 6};
    assert_false(heedi_shape_check(HEED_F32, 5, dims, NULL, NULL));
    assert_false(heedi_shape_check(HEED_F32, UINT64_MAX, dims, NULL, NULL));
    assert_false(heedi_shape_check(HEED_DTYPE_NONE, 1, dims, NULL, NULL));
    assert_false(heedi_shape_check((enum heed_dtype)99, 1, dims, NULL, NULL));
    const int64_t negative[] = {2, -1};
    assert_false(heedi_shape_check(HEED_F32, 2, negative, NULL, NULL));
    const int64_t least[] = {INT64_MIN};
    assert_false(heedi_shape_check(HEED_I8, 1, least, NULL, NULL));
}

static void test_absurd_sizes(void **state) {
    (void)state;
    const int64_t huge = INT64_C(1) << 60;
    int64_t elems = -1;
    size_t bytes = 0;
    const int64_t one[] = {huge};
    assert_true(heedi_shape_check(HEED_F32, 1, one, &elems, &bytes) == (sizeof(size_t) >= 8));
    if (sizeof(size_t) >= 8)
        assert_true(elems == huge && bytes == (size_t)huge * 4);
    const int64_t twice[] = {huge, 2}; /* 2^63 bytes */
    elems = -1;
    assert_false(heedi_shape_check(HEED_F32, 2, twice, &elems, &bytes));
    assert_int_equal(elems, -1); /* untouched */
    const int64_t square[] = {huge, huge};
    assert_false(heedi_shape_check(HEED_I8, 2, square, NULL, NULL));
    /* 2^64 elements: a product that wraps to 0. */
    const int64_t wraps[] = {INT64_C(1) << 32, INT64_C(1) << 32};
    assert_false(heedi_shape_check(HEED_I8, 2, wraps, NULL, NULL));
    /* No elements, but strides that would overflow. */
    const int64_t hollow[] = {0, huge, huge};
    assert_false(heedi_shape_check(HEED_I8, 3, hollow, NULL, NULL));
    const int64_t most[] = {INT64_MAX};
    assert_true(heedi_shape_check(HEED_I8, 1, most, NULL, NULL) == (sizeof(size_t) >= 8));
    assert_false(heedi_shape_check(HEED_F16, 1, most, NULL, NULL));
}

static void test_print(void **state) {
    (void)state;
    struct heedi_shape_text text;
    const int64_t dims[] = {2, 3, 128};
    struct heed_tensor_desc desc = heed_desc(HEED_F32, 3, dims);
    assert_string_equal(heedi_shape_print(&text, &desc), "f32 [2, 3, 128]");
    desc = heed_desc(HEED_I8, 0, NULL);
    assert_string_equal(heedi_shape_print(&text, &desc), "i8 []");
    /* The longest text there is. */
    desc.dtype = HEED_BF16;
    desc.rank = 4;
    for (int i = 0; i < 4; i++)
        desc.dims[i] = INT64_MIN;
    assert_string_equal(heedi_shape_print(&text, &desc),
                        "bf16 [-9223372036854775808, -9223372036854775808, "
                        "-9223372036854775808, -9223372036854775808]");
    desc.rank = 4000000000u; /* not yet checked: no further than the array */
    assert_int_equal(strlen(heedi_shape_print(&text, &desc)), 93);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
