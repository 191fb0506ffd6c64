/* SPDX-License-Identifier: Apache-2.0 */
/* Weights: what is refused, identity, lifetime, failing allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/weight.h"
#include "tests/unit/failing_allocator.h"

static const float data[6] = {1, 2, 3, 4, 5, 6};
static const int64_t dims[2] = {2, 3};

static void count_release(void *user) {
    ++*(int *)user;
}

static void test_lifetime(void **state) {
    (void)state;
    struct heed_context *context = NULL;
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, dims);
    int released = 0;
    char name[] = "encoder.weight";
    struct heed_weight *weight = NULL, *other = NULL;
    assert_int_equal(
        heed_weight_create(context, name, &desc, data, count_release, &released, &weight), HEED_OK);
    assert_int_equal(heed_weight_create(context, "b", &desc, data, NULL, NULL, &other), HEED_OK);
    name[0] = 'x';
    heed_context_destroy(context); /* weights outlive it */
    assert_string_equal(weight->name, "encoder.weight");
    assert_true(weight->id != 0 && other->id != 0 && weight->id != other->id);
    assert_ptr_equal(weight->data, data);
    assert_false(weight->mapped);
    assert_ptr_equal(heed_weight_retain(weight), weight);
    heed_weight_release(weight);
    assert_int_equal(released, 0);
    heed_weight_release(weight);
    assert_int_equal(released, 1);
    heed_weight_release(other);
    heed_weight_release(NULL);
}

static void expect(struct heed_context *context, const struct heed_tensor_desc *desc,
                   const void *elements, enum heed_status status, const char *words) {
    int released = 0;
    struct heed_weight *weight = (void *)&released;
    assert_int_equal(
        heed_weight_create(context, "w", desc, elements, count_release, &released, &weight),
        status);
    assert_null(weight);
    assert_int_equal(released, 0);
    if (strstr(heed_last_error(context), words) == NULL)
        fail_msg("'%s' does not say '%s'", heed_last_error(context), words);
}

static void test_refusals(void **state) {
    (void)state;
    struct heed_context *context = NULL;
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, dims);
    expect(context, NULL, data, HEED_ERROR_INVALID_ARGUMENT, "must not be NULL");
    expect(context, &desc, NULL, HEED_ERROR_INVALID_ARGUMENT, "weight w: data is NULL");
    desc.strides[0] = 1;
    desc.strides[1] = 2;
    expect(context, &desc, data, HEED_ERROR_SHAPE, "weight w: must be contiguous");
    desc = heed_desc(HEED_F32, 2, dims);
    desc.rank = 5;
    expect(context, &desc, data, HEED_ERROR_SHAPE, "weight w");
    desc = heed_desc(HEED_F32, 2, dims);
    desc.dims[0] = desc.dims[1] = INT64_C(1) << 60;
    expect(context, &desc, data, HEED_ERROR_SHAPE, "weight w");
    desc = heed_desc((enum heed_dtype)42, 2, dims);
    expect(context, &desc, data, HEED_ERROR_SHAPE, "weight w");

    struct heed_weight *weight = NULL;
    assert_int_equal(heed_weight_create(context, "w", &desc, data, NULL, NULL, NULL),
                     HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(heed_weight_create(context, NULL, &desc, data, NULL, NULL, &weight),
                     HEED_ERROR_INVALID_ARGUMENT);
    assert_int_equal(heed_weight_create(NULL, "w", &desc, data, NULL, NULL, &weight),
                     HEED_ERROR_INVALID_ARGUMENT);
    const int64_t none[] = {0, 3};
    desc = heed_desc(HEED_F32, 2, none); /* without elements, without memory */
    assert_int_equal(heed_weight_create(context, "w", &desc, NULL, NULL, NULL, &weight), HEED_OK);
    heed_weight_release(weight);
    heed_context_destroy(context);
}

static void test_no_memory(void **state) {
    (void)state;
    struct failing_allocator failing = {0};
    struct heed_context *context = failing_context(&failing);
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, dims);
    struct heed_weight *weight = NULL;
    size_t n = 1;
    for (;; n++) {
        failing_arm(&failing, n);
        const enum heed_status status =
            heed_weight_create(context, "w", &desc, data, NULL, NULL, &weight);
        if (status == HEED_OK)
            break;
        assert_int_equal(status, HEED_ERROR_OUT_OF_MEMORY);
        assert_null(weight);
        assert_int_equal(atomic_load(&failing.live), 1);
    }
    assert_true(n > 1);
    heed_weight_release(weight);
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&failing.live), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetime),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
