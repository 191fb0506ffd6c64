/* SPDX-License-Identifier: Apache-2.0 */
/* What the comparison says of single elements: limits worked out by hand, special values, the edge
 * of a range, stored roundings, indices. */
#include <float.h>

#include "tests/unit/runtime/check/check_test.h"

static void expect_near(double actual, double expected) {
    if (!(fabs(actual - expected) <= 1e-5 * fabs(expected)))
        fail_msg("%.9g, expected about %.9g", actual, expected);
}

/* The verdict on `actual` as the result of an operator on two f32 values. */
static struct heedi_verdict judge_pair(enum heed_op op, double a, double b, double actual,
                                       const struct heed_numeric_profile *numeric) {
    const float stored = (float)actual;
    struct op_case c;
    op_begin(&c, op, NULL);
    op_give(&c, 0, HEED_F32, DIMS(1), V(a));
    op_give(&c, 1, HEED_F32, DIMS(1), V(b));
    const struct heedi_verdict verdict = check_judge(&c, numeric, true, &stored, NULL);
    op_end(&c);
    return verdict;
}

static bool pair_agrees(enum heed_op op, double a, double b, double actual) {
    const struct heedi_verdict verdict = judge_pair(op, a, b, actual, &check_numeric);
    assert_int_equal(verdict.unjudged, 0);
    assert_true(verdict.agrees == (verdict.hard <= 1));
    return verdict.agrees;
}

/* 1 + 2 = 3 with one rounding may err by u * 3 / (1 - u), 0.75 ULP, and by half a ULP as stored. */
static void test_limit(void **state) {
    (void)state;
    const double unit = 0x1p-22;
    struct heedi_verdict verdict = judge_pair(HEED_OP_ADD, 1, 2, 3, &check_numeric);
    assert_true(verdict.agrees && verdict.hard == 0 && verdict.ulp == 0 && verdict.unjudged == 0);
    verdict = judge_pair(HEED_OP_ADD, 1, 2, 3 - unit, &check_numeric);
    assert_true(verdict.agrees);
    expect_near(verdict.hard, 1 / 1.25);
    assert_true(verdict.statistical == 0);
    assert_true(verdict.expected == 3 && verdict.actual == 3 - unit && verdict.ulp == 1);
    verdict = judge_pair(HEED_OP_ADD, 1, 2, 3 + 2 * unit, &check_numeric);
    assert_false(verdict.agrees);
    expect_near(verdict.hard, 2 / 1.25);
    assert_true(verdict.ulp == 2);
}

/* What cancels may be off by many units in its last place, far within the bound of its terms. */
static void test_largest_ulp(void **state) {
    (void)state;
    const float actual[] = {3 - 0x1p-22f, 0x1p-23f};
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs};
    struct op_case c;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(1, 2), V(1, 1));
    op_give(&c, 1, HEED_F32, DIMS(2, 2), V(1, 1, 2, -1 + 0x1p-24));
    const struct heedi_verdict verdict = check_judge(&c, &check_numeric, true, actual, NULL);
    op_end(&c);
    assert_true(verdict.agrees && verdict.index == 0 && verdict.ulp == 1);
    assert_true(verdict.largest_ulp == 0x1p23); /* from 2^-24 to 2^-23 */
}

static void test_special_values(void **state) {
    (void)state;
    const enum heed_op add = HEED_OP_ADD;
    assert_true(pair_agrees(add, NAN, 1, NAN));
    assert_false(pair_agrees(add, NAN, 1, 0));
    assert_false(pair_agrees(add, NAN, 1, INFINITY));
    assert_false(pair_agrees(add, 1, 2, NAN));
    assert_false(pair_agrees(add, 1, 2, INFINITY));
    assert_true(pair_agrees(add, INFINITY, 1, INFINITY));
    assert_false(pair_agrees(add, INFINITY, 1, -INFINITY));
    assert_false(pair_agrees(add, INFINITY, 1, FLT_MAX));
    assert_false(pair_agrees(add, INFINITY, 1, NAN));
    assert_true(pair_agrees(add, INFINITY, -INFINITY, NAN));
    assert_false(pair_agrees(add, INFINITY, -INFINITY, 0));
    assert_true(pair_agrees(add, 1, -1, -0.0));
}

/* Results beyond the largest f32 are infinite; nothing on the way is there to excuse others. */
static void test_overflow(void **state) {
    (void)state;
    assert_true(pair_agrees(HEED_OP_ADD, 3e38, 3e38, INFINITY));
    assert_false(pair_agrees(HEED_OP_ADD, 3e38, 3e38, FLT_MAX));
    assert_false(pair_agrees(HEED_OP_ADD, 3e38, 3e38, -INFINITY));
    assert_false(pair_agrees(HEED_OP_ADD, 3e38, 3e38, NAN));
    assert_false(pair_agrees(HEED_OP_MUL, 1e30, 1e30, 0));
    assert_true(pair_agrees(HEED_OP_MUL, 1e30, -1e30, -INFINITY));
    assert_true(pair_agrees(HEED_OP_MUL, FLT_MAX, 1, FLT_MAX));
    assert_false(pair_agrees(HEED_OP_MUL, FLT_MAX, 0.99, INFINITY));
}

/* Large terms that cancel: the error that they leave may be infinite in a short type, of any sign.
 */
static void test_overflow_of_error(void **state) {
    (void)state;
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs, .out_dtype = HEED_F16};
    static const double terms[] = {1e18, 1e3};
    for (int i = 0; i < 2; i++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            const uint16_t infinite = heed_f32_to_f16((float)sign * INFINITY);
            struct op_case c;
            op_begin(&c, HEED_OP_MATMUL, &attrs);
            op_give(&c, 0, HEED_F32, DIMS(1, 3), V(terms[i], terms[i], 1));
            op_give(&c, 1, HEED_F32, DIMS(3, 1), V(1, -1, 0.5));
            const struct heedi_verdict verdict =
                check_judge(&c, &check_numeric, false, &infinite, NULL);
            assert_true(verdict.agrees == (i == 0)); /* K u M is 4e11 or 4e-4 */
            assert_int_equal(verdict.unjudged, 0);
            op_end(&c);
        }
    }
}

/* Terms that overflow on the way to a result in range. */
static void test_unjudged(void **state) {
    (void)state;
    static const double weights[][2] = {{1, -1}, {1, -0.5}, {1, 1}, {0.1, 0}};
    static const float results[] = {NAN, INFINITY, INFINITY, 3e37f};
    static const int64_t unjudged[] = {1, 1, 0, 0};
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs};
    for (int i = 0; i < 4; i++) {
        struct op_case c;
        op_begin(&c, HEED_OP_MATMUL, &attrs);
        op_give(&c, 0, HEED_F32, DIMS(1, 2), V(3e38, 3e38));
        op_give(&c, 1, HEED_F32, DIMS(2, 1), 2, weights[i]);
        struct heedi_verdict verdict = check_judge(&c, &check_numeric, false, &results[i], NULL);
        assert_true(verdict.agrees);
        assert_int_equal(verdict.unjudged, unjudged[i]);
        const float wrong = 0;
        verdict = check_judge(&c, &check_numeric, false, &wrong, NULL);
        assert_true(verdict.agrees == (unjudged[i] != 0));
        op_end(&c);
    }
}

static void test_underflow(void **state) {
    (void)state;
    struct heed_numeric_profile flushing = check_numeric;
    flushing.flushes_denormals = 1;
    assert_true(pair_agrees(HEED_OP_MUL, 0x1p-100, 0x1p-100, 0));
    assert_true(pair_agrees(HEED_OP_MUL, 0x1p-100, 0x1p-100, 0x1p-149));
    assert_false(pair_agrees(HEED_OP_MUL, 0x1p-100, 0x1p-100, 0x1p-147));
    assert_false(pair_agrees(HEED_OP_MUL, 0x1p-64, 0x1p-64, 0));
    assert_true(judge_pair(HEED_OP_MUL, 0x1p-64, 0x1p-64, 0, &flushing).agrees);
    assert_false(judge_pair(HEED_OP_MUL, 0x1p-64, 0x1p-50, 0, &flushing).agrees);
    assert_true(pair_agrees(HEED_OP_MUL, 0, 5, 0)); /* exact: no magnitude, no slack */
}

/* Casts and a product of one term, into the short types: the nearest value, at a tie both. */
static void test_stored_rounding(void **state) {
    (void)state;
    static const struct {
        enum heed_dtype dtype;
        double value, actual;
        bool agrees;
    } rows[] = {
        {HEED_F16, 1.0003, 1, true},
        {HEED_F16, 1.0003, 1 + 0x1p-10, false},
        {HEED_F16, 1.0003, 1 - 0x1p-11, false},
        {HEED_F16, 1 + 0x1p-11, 1, true},
        {HEED_F16, 1 + 0x1p-11, 1 + 0x1p-10, true},
        {HEED_F16, 1 + 0x1p-11, 1 + 0x1p-9, false},
        {HEED_F16, 65504, INFINITY, false},
        {HEED_F16, 65504, 65504, true},
        {HEED_F16, 65519, 65504, true},
        {HEED_F16, 65521, INFINITY, true},
        {HEED_F16, 65521, 65504, false},
        {HEED_F16, -1e6, -INFINITY, true},
        {HEED_F16, 0x1p-24, 0x1p-24, true},
        {HEED_F16, 0x1p-24, 0, false},
        {HEED_BF16, 1.003, 1, true},
        {HEED_BF16, 1.003, 1 + 0x1p-7, false},
        {HEED_BF16, 1 + 0x1p-8, 1 + 0x1p-7, true},
        {HEED_BF16, 1e38, INFINITY, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct heed_cast_attrs cast = {.struct_size = sizeof cast,
                                             .dtype = (uint32_t)rows[i].dtype};
        const struct heed_matmul_attrs product = {.struct_size = sizeof product,
                                                  .out_dtype = (uint32_t)rows[i].dtype};
        for (int form = 0; form < 2; form++) {
            float actual[1]; /* room for any type */
            struct op_case c;
            op_store(actual, rows[i].dtype, 0, rows[i].actual);
            op_begin(&c, form == 0 ? HEED_OP_CAST : HEED_OP_MATMUL,
                     form == 0 ? (const void *)&cast : &product);
            op_give(&c, 0, HEED_F32, DIMS(1, 1), V(rows[i].value));
            if (form == 1)
                op_give(&c, 1, HEED_F32, DIMS(1, 1), V(1));
            const struct heedi_verdict verdict =
                check_judge(&c, &check_numeric, true, actual, NULL);
            if (verdict.agrees != rows[i].agrees)
                fail_msg("row %zu: %.9g stored as %.9g, form %d", i, rows[i].value, rows[i].actual,
                         form);
            op_end(&c);
        }
    }
}

/* The worst of several is named, and errors where exactness is demanded are infinitely bad. */
static void test_worst_element(void **state) {
    (void)state;
    struct op_case c;
    op_begin(&c, HEED_OP_COPY, NULL);
    op_give(&c, 0, HEED_F32, DIMS(2, 3), V(1, 2, 3, 4, 5, 6));
    const float y[] = {1, 2 + 0x1p-22f, 3, 4 - 0x1p-20f, 5 + 0x1p-21f, 6};
    const struct heedi_verdict verdict = check_judge(&c, &check_numeric, false, y, NULL);
    assert_false(verdict.agrees);
    assert_int_equal(verdict.output, 0);
    assert_int_equal(verdict.index, 3);
    assert_true(verdict.expected == 4 && verdict.actual == (double)y[3] && verdict.ulp == 4);
    assert_true(verdict.hard > 1);
    op_end(&c);
}

static void test_indices(void **state) {
    (void)state;
    const struct heed_top_k_attrs attrs = {.struct_size = sizeof attrs, .k = 2};
    struct op_case c;
    op_begin(&c, HEED_OP_TOP_K, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(2, 4), V(1, 5, 3, 2, 9, 9, 7, 8));
    const float values[] = {5, 3, 9, 9}, swapped[] = {5, 3, 9, 8};
    const int32_t indices[] = {1, 2, 0, 1}, wrong[] = {1, 2, 1, 0};
    assert_true(check_judge(&c, &check_numeric, true, values, indices).agrees);
    struct heedi_verdict verdict = check_judge(&c, &check_numeric, true, values, wrong);
    assert_false(verdict.agrees);
    assert_int_equal(verdict.output, 1);
    assert_int_equal(verdict.index, 2);
    assert_true(verdict.expected == 0 && verdict.actual == 1 && verdict.ulp == 1);
    assert_true(isinf(verdict.hard));
    const float lost[] = {5, 3, 9, NAN}; /* as bad as the wrong indices, and found first */
    verdict = check_judge(&c, &check_numeric, true, lost, wrong);
    assert_int_equal(verdict.output, 0);
    assert_int_equal(verdict.index, 3);
    verdict = check_judge(&c, &check_numeric, true, swapped, indices);
    assert_false(verdict.agrees);
    assert_int_equal(verdict.output, 0);
    assert_int_equal(verdict.index, 3);
    op_end(&c);

    op_begin(&c, HEED_OP_ARGMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(2, 3), V(1, 5, 3, 4, 4, 0));
    const int32_t best[] = {1, 0}, second[] = {1, 1};
    assert_true(check_judge(&c, &check_numeric, true, best, NULL).agrees);
    verdict = check_judge(&c, &check_numeric, true, second, NULL);
    assert_false(verdict.agrees);
    assert_int_equal(verdict.index, 1);
    op_end(&c);
}

/* Nothing to compare; and a sum of nothing, which is exactly 0. */
static void test_empty(void **state) {
    (void)state;
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs};
    struct op_case c;
    op_begin(&c, HEED_OP_SOFTMAX, NULL);
    op_give(&c, 0, HEED_F32, DIMS(0, 3), NO_VALUES);
    struct heedi_verdict verdict = check_judge(&c, &check_numeric, true, c.data[0], NULL);
    assert_true(verdict.agrees && verdict.hard == 0 && verdict.statistical == 0);
    assert_true(verdict.output == 0 && verdict.index == 0 && verdict.unjudged == 0);
    op_end(&c);
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(1, 0), NO_VALUES);
    op_give(&c, 1, HEED_F32, DIMS(0, 2), NO_VALUES);
    const float zeros[] = {0, 0}, nearly[] = {0, 0x1p-149f};
    assert_true(check_judge(&c, &check_numeric, true, zeros, NULL).agrees);
    verdict = check_judge(&c, &check_numeric, true, nearly, NULL);
    assert_false(verdict.agrees);
    assert_int_equal(verdict.index, 1);
    op_end(&c);
}

/* Row 0 of the product errs by more than statistics allow but not by the hard limit, row 1 by a
 * larger part of the hard limit than row 0 but by less than statistics allow. */
static void test_statistical_limit(void **state) {
    (void)state;
    enum { K = 2048 };
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs, .out_dtype = HEED_F16};
    struct op_case c;
    static double a[2 * K], b[K];
    for (int i = 0; i < K; i++) {
        a[i] = i % 2 == 0 ? 1 : -1;
        b[i] = 1;
    }
    a[K] = 1;
    op_begin(&c, HEED_OP_MATMUL, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(2, K), 2 * K, a);
    op_give(&c, 1, HEED_F32, DIMS(K, 1), K, b);
    const uint16_t y[] = {heed_f32_to_f16(0x1p-4f), heed_f32_to_f16(1 - 0x1p-11f)};
    /* gamma = 2^-13 / (1 - 2^-13); row 0: M = 2048, so gamma M = 0.25 and half a ULP there 2^-13;
     * row 1: M = 1, half a ULP 2^-11. */
    const double statistical = 0x1p-4 / (6 * sqrt(2048) * 0x1p-24 * 2048 + 0x1p-13);
    const double row1 = 0x1p-11 / (1.0 / 8191 + 0x1p-11);
    struct heedi_verdict verdict = check_judge(&c, &check_numeric, true, y, NULL);
    assert_false(verdict.agrees);
    assert_int_equal(verdict.index, 0);
    assert_true(verdict.expected == 0 && verdict.actual == 0x1p-4);
    expect_near(verdict.hard, row1);
    expect_near(verdict.statistical, statistical);
    verdict = check_judge(&c, &check_numeric, false, y, NULL);
    assert_true(verdict.agrees);
    assert_int_equal(verdict.index, 1);
    expect_near(verdict.hard, row1);
    expect_near(verdict.statistical, statistical);
    op_end(&c);
}

/* No bound exists for 2048 additions in f16: only the exact sum agrees. */
static void test_short_accumulator(void **state) {
    (void)state;
    enum { K = 2048 };
    static double ones[K];
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs};
    struct heed_numeric_profile short_sums = check_numeric;
    short_sums.accumulator = HEED_F16;
    for (int i = 0; i < K; i++)
        ones[i] = 1;
    for (int k = K - 1; k <= K; k++) {
        struct op_case c;
        op_begin(&c, HEED_OP_MATMUL, &attrs);
        op_give(&c, 0, HEED_F32, DIMS(1, k), (size_t)k, ones);
        op_give(&c, 1, HEED_F32, DIMS(k, 1), (size_t)k, ones);
        const float exact = (float)k, near = exact + 1;
        assert_true(check_judge(&c, &short_sums, false, &exact, NULL).agrees);
        const struct heedi_verdict verdict = check_judge(&c, &short_sums, false, &near, NULL);
        assert_true(verdict.agrees == (k < K));
        assert_true(isinf(verdict.hard) == (k == K));
        assert_int_equal(verdict.unjudged, 0);
        assert_false(check_judge(&c, &check_numeric, false, &near, NULL).agrees);
        op_end(&c);
    }
}

static void test_memory(void **state) {
    (void)state;
    const struct heed_top_k_attrs attrs = {.struct_size = sizeof attrs, .k = 2};
    const float values[] = {5, 3};
    const int32_t indices[] = {1, 2};
    struct test_memory memory;
    struct heedi_verdict verdict;
    struct op_case c;
    test_memory_init(&memory);
    struct heed_context *context = test_context(&memory, NULL, HEED_LOG_ERROR);
    assert_non_null(context);
    const long live = memory.live;
    op_begin(&c, HEED_OP_TOP_K, &attrs);
    op_give(&c, 0, HEED_F32, DIMS(4), V(1, 5, 3, 2));
    enum heed_status status = HEED_ERROR_OUT_OF_MEMORY;
    long failures = 0;
    while (status != HEED_OK) {
        memory.fail_at = memory.calls + ++failures;
        status = check_try(context, &c, &check_numeric, true, values, indices, &verdict);
        assert_int_equal(memory.live, live);
        assert_true(status == HEED_OK || status == HEED_ERROR_OUT_OF_MEMORY);
        assert_true(status == HEED_OK || strlen(heed_last_error(context)) > 0);
        assert_true(failures < 100);
    }
    assert_int_equal(failures, 4 + 1); /* values and magnitudes of two outputs */
    assert_true(verdict.agrees);
    op_end(&c);
    heed_context_destroy(context);
    assert_int_equal(memory.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_largest_ulp),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_overflow_of_error),
        cmocka_unit_test(test_unjudged),
        cmocka_unit_test(test_underflow),
        cmocka_unit_test(test_stored_rounding),
        cmocka_unit_test(test_worst_element),
        cmocka_unit_test(test_indices),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_statistical_limit),
        cmocka_unit_test(test_short_accumulator),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
