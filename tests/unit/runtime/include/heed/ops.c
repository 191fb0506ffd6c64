/* SPDX-License-Identifier: Apache-2.0 */
/* The formula that quantises rows, against its description. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heed/ops.h"

static void test_rounding(void **state) {
    (void)state;
    const struct {
        float value;
        int32_t expected;
    } ties[] = {{0.0f, 0},       {-0.0f, 0},       {0.5f, 0},        {-0.5f, 0},
                {1.5f, 2},       {-1.5f, -2},      {2.5f, 2},        {-2.5f, -2},
                {3.5f, 4},       {126.5f, 126},    {-126.5f, -126},  {127.0f, 127},
                {-127.0f, -127}, {0.49999997f, 0}, {0.50000006f, 1}, {127.00001f, 127}};
    for (size_t i = 0; i < sizeof ties / sizeof *ties; i++)
        assert_int_equal(heed_quantize(ties[i].value, 1.0f), ties[i].expected);
    for (float value = -127.0f; value <= 127.0f; value += 0.01f) {
        const float product = value * 0.75f;
        assert_int_equal(heed_quantize(value, 0.75f), (int32_t)nearbyint((double)product));
    }
    assert_int_equal(heed_quantize(NAN, 0.0f), 0);
    assert_int_equal(heed_quantize(-INFINITY, 0.0f), 0);
    assert_int_equal(heed_quantize(FLT_MAX, 0.0f), 0);
}

/* The greatest element becomes 127 whatever it is, and never more; both quotients are normal. */
static void test_range(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int i = 0; i < 200000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const float mantissa = 1.0f + (float)(random >> 41) * 0x1p-23f;
        const float greatest = ldexpf(mantissa, (int)(random % 228) - 100);
        float factor, scale = heed_quantize_scale(greatest, &factor);
        assert_true(isnormal(scale) && isnormal(factor));
        assert_true(scale == greatest / 127.0f && factor == 127.0f / greatest);
        assert_int_equal(heed_quantize(greatest, factor), 127);
        assert_int_equal(heed_quantize(-greatest, factor), -127);
        assert_int_equal(heed_quantize(greatest * 0.25f, factor), 32); /* 31.75 */
    }
}

static void test_special_rows(void **state) {
    (void)state;
    const float tiny[] = {0.0f, -0.0f, FLT_TRUE_MIN, FLT_MIN, nextafterf(0x1p-100f, 0.0f)};
    float factor;
    for (size_t i = 0; i < sizeof tiny / sizeof *tiny; i++) {
        factor = 1.0f;
        assert_true(heed_quantize_scale(tiny[i], &factor) == 0.0f && factor == 0.0f);
    }
    assert_true(heed_quantize_scale(0x1p-100f, &factor) == 0x1p-100f / 127.0f);
    assert_true(heed_quantize(0x1p-100f, factor) == 127);
    assert_true(isnormal(heed_quantize_scale(FLT_MAX, &factor)) && isnormal(factor));
    const float bad[] = {INFINITY, NAN, -NAN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        factor = 1.0f;
        assert_true(isnan(heed_quantize_scale(bad[i], &factor)) && factor == 0.0f);
    }
}

static void test_limits(void **state) {
    (void)state;
    assert_true((int64_t)127 * 128 * HEED_QUANTIZE_MAX_K <= INT32_MAX);
    assert_true((int64_t)127 * 128 * (HEED_QUANTIZE_MAX_K + 2048) > INT32_MAX);
    assert_int_equal(sizeof(struct heed_q8_0), heed_dtype_bytes(HEED_Q8_0));
    assert_int_equal(_Alignof(struct heed_q8_0), 2);
    assert_int_equal(heed_dtype_values(HEED_Q8_0), 32);
    assert_int_equal(heed_dtype_values(HEED_I8), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_special_rows),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
