/* SPDX-License-Identifier: Apache-2.0 */
/* What the comparison is there for: honest f32 kernels pass on random data, also by the statistical
 * limit, and the faults that kernels have are caught: coarse inputs, short sums, dropped products,
 * lost elements, NaN swallowed, one-pass variance, results in the wrong place. */
#include "tests/unit/runtime/check/check_test.h"

/* ---- matmul ---- */

enum { M = 24, N = 24, MOST_K = 2048 };

enum fault { HONEST, COARSE_INPUTS, SHORT_SUM, SHORT_BY_ONE, TRANSPOSED_RESULT };

/* Rounded to 11 significant bits, as the inputs of tf32 units are. */
static float coarse(float value) {
    union {
        float value;
        uint32_t bits;
    } x = {value};
    x.bits = (x.bits + 0xfffu + (x.bits >> 13 & 1)) & ~0x1fffu;
    return x.value;
}

static float dot(const float *a, const float *b, int64_t k, enum fault fault) {
    float sum = 0;
    const int64_t terms = fault == SHORT_BY_ONE ? k - 1 : k;
    for (int64_t i = 0; i < terms; i++) {
        const bool rough = fault == COARSE_INPUTS;
        sum += rough ? coarse(a[i]) * coarse(b[i]) : a[i] * b[i];
        if (fault == SHORT_SUM)
            sum = heed_f16_to_f32(heed_f32_to_f16(sum));
    }
    return sum;
}

struct product {
    struct op_case c;
    float *a, *b; /* [M, k], [N, k] */
    float y[M * N];
    int64_t k;
};

static void begin_product(struct product *product, uint64_t seed, int64_t k) {
    static const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs, .transpose_b = 1};
    struct heedi_random random = {seed};
    op_begin(&product->c, HEED_OP_MATMUL, &attrs);
    product->a = check_give_normal(&product->c, &random, 0, DIMS(M, k));
    product->b = check_give_normal(&product->c, &random, 1, DIMS(N, k));
    product->k = k;
}

static void compute(struct product *product, enum fault fault) {
    for (int64_t i = 0; i < M; i++)
        for (int64_t j = 0; j < N; j++)
            product->y[fault == TRANSPOSED_RESULT ? j * M + i : i * N + j] =
                dot(product->a + i * product->k, product->b + j * product->k, product->k, fault);
}

static struct heedi_verdict judge_product(struct product *product, bool random_data) {
    return check_judge(&product->c, &check_numeric, random_data, product->y, NULL);
}

static void test_matmul_honest(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 2, 7, 36, 64, 300, 512, 1021, MOST_K};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct product product;
        begin_product(&product, 7 + i, lengths[i]);
        compute(&product, HONEST);
        const struct heedi_verdict verdict = judge_product(&product, true);
        if (!verdict.agrees || verdict.unjudged != 0)
            fail_msg("k = %lld: %g of the hard, %g of the statistical limit", (long long)lengths[i],
                     verdict.hard, verdict.statistical);
        /* Judged, and far from the limits: there is room for other orders of summation. */
        assert_true(verdict.hard > 0 && (verdict.statistical > 0) == (lengths[i] >= 36));
        assert_true(verdict.statistical < 0.6);
        op_end(&product.c);
    }
}

static void test_matmul_faults(void **state) {
    (void)state;
    static const struct {
        enum fault fault;
        int64_t k;
    } rows[] = {
        {COARSE_INPUTS, 64},     {COARSE_INPUTS, 512},     {COARSE_INPUTS, MOST_K},
        {SHORT_SUM, 8},          {SHORT_SUM, 64},          {SHORT_SUM, MOST_K},
        {SHORT_BY_ONE, 7},       {SHORT_BY_ONE, MOST_K},   {TRANSPOSED_RESULT, 1},
        {TRANSPOSED_RESULT, 64}, {TRANSPOSED_RESULT, 512}, {TRANSPOSED_RESULT, MOST_K},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct product product;
        begin_product(&product, 100 + i, rows[i].k);
        compute(&product, rows[i].fault);
        const struct heedi_verdict verdict = judge_product(&product, true);
        if (verdict.agrees)
            fail_msg("fault %d at k = %lld: %g of the hard, %g of the statistical limit",
                     (int)rows[i].fault, (long long)rows[i].k, verdict.hard, verdict.statistical);
        assert_true(verdict.actual == (double)product.y[verdict.index]);
        op_end(&product.c);
    }
}

/* One product missing from one element of 576, at the full length: too little for the hard limit,
 * 0.16, but not for the statistical one, 0.021. */
static void test_matmul_dropped_product(void **state) {
    (void)state;
    const int64_t row = 17, column = 5;
    struct product product;
    begin_product(&product, 3, MOST_K);
    compute(&product, HONEST);
    const float *a = product.a + row * MOST_K, *b = product.b + column * MOST_K;
    int64_t dropped = 0;
    while (fabsf(a[dropped] * b[dropped]) < 0.05f || fabsf(a[dropped] * b[dropped]) > 0.1f)
        dropped++;
    float *y = &product.y[row * N + column];
    *y -= a[dropped] * b[dropped];
    struct heedi_verdict verdict = judge_product(&product, true);
    assert_false(verdict.agrees);
    assert_int_equal(verdict.index, row * N + column);
    assert_true(verdict.actual == (double)*y);
    assert_true(fabs(fabs(verdict.expected - verdict.actual) -
                     fabs((double)a[dropped] * (double)b[dropped])) < 1e-3);
    assert_true(verdict.hard < 1 && verdict.statistical > 1 && verdict.ulp > 100);
    verdict = judge_product(&product, false);
    assert_true(verdict.agrees && verdict.statistical > 1);
    op_end(&product.c);
}

/* The f16 sums that are wrong for a backend that promises f32 are right for one that does not. */
static void test_matmul_declared_short_sum(void **state) {
    (void)state;
    struct heed_numeric_profile numeric = check_numeric;
    numeric.accumulator = HEED_F16;
    struct product product;
    begin_product(&product, 4, 64);
    compute(&product, SHORT_SUM);
    assert_true(check_judge(&product.c, &numeric, true, product.y, NULL).agrees);
    assert_false(judge_product(&product, true).agrees);
    op_end(&product.c);
    begin_product(&product, 5, MOST_K); /* K u = 1 */
    compute(&product, SHORT_SUM);
    assert_false(check_judge(&product.c, &numeric, false, product.y, NULL).agrees);
    op_end(&product.c);
}

/* One element of an honest result replaced: the verdict names it. */
static void test_matmul_one_element(void **state) {
    (void)state;
    static const float wrong[] = {NAN, INFINITY, -INFINITY, 0, 1e30f};
    struct product product;
    begin_product(&product, 6, 64);
    compute(&product, HONEST);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        float *y = &product.y[100 * i + 7];
        const float kept = *y;
        *y = wrong[i];
        const struct heedi_verdict verdict = judge_product(&product, true);
        *y = kept;
        assert_false(verdict.agrees);
        assert_int_equal(verdict.index, 100 * i + 7);
        assert_true(fabs(verdict.expected - (double)kept) < 1e-4);
        assert_true(isnan(wrong[i]) ? isnan(verdict.actual) : verdict.actual == (double)wrong[i]);
        assert_true(isfinite(wrong[i]) || (isinf(verdict.hard) && isinf(verdict.ulp)));
    }
    assert_true(judge_product(&product, true).agrees);
    op_end(&product.c);
}

/* ---- along rows ---- */

enum { ROWS = 9, MOST_N = 513 };

enum row_fault { NONE, LAST_LEFT_OUT, ROUGH_EXP, UNBIASED, ONE_PASS, OTHER_FORM };

static float exponential(float x, enum row_fault fault) {
    return fault == ROUGH_EXP ? expf(x) * 1.0001f : expf(x);
}

static void softmax(const float *x, float *y, int64_t n, enum row_fault fault, bool logarithm) {
    float peak = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        peak = x[i] > peak ? x[i] : peak;
    for (int64_t i = 0; i < (fault == LAST_LEFT_OUT ? n - 1 : n); i++)
        sum += expf(x[i] - peak);
    for (int64_t i = 0; i < n; i++)
        y[i] = logarithm ? x[i] - peak - logf(sum) : exponential(x[i] - peak, fault) / sum;
}

static void layer_norm(const float *x, float *y, int64_t n, float eps, enum row_fault fault) {
    float sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    const float mean = sum / (float)n;
    for (int64_t i = 0; i < n; i++)
        squares += fault == ONE_PASS ? x[i] * x[i] : (x[i] - mean) * (x[i] - mean);
    float variance = squares / (float)(fault == UNBIASED ? n - 1 : n);
    if (fault == ONE_PASS)
        variance = fmaxf(variance - mean * mean, 0);
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrtf(variance + eps);
}

static float gelu(float x, bool tanh_form) {
    if (tanh_form)
        return 0.5f * x * (1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
    return 0.5f * x * (1 + erff(x * 0.7071067812f));
}

struct rows {
    struct op_case c;
    struct heed_layer_norm_attrs norm;
    struct heed_gelu_attrs gelu;
    float *x;
    float y[ROWS * MOST_N];
    int64_t n;
};

static void begin_rows(struct rows *rows, enum heed_op op, uint64_t seed, int64_t n, float offset,
                       bool tanh_form) {
    static double gamma[MOST_N], beta[MOST_N];
    struct heedi_random random = {seed};
    rows->norm = (struct heed_layer_norm_attrs){.struct_size = sizeof rows->norm, .eps = 1e-5f};
    rows->gelu = (struct heed_gelu_attrs){.struct_size = sizeof rows->gelu, .tanh_form = tanh_form};
    rows->n = n;
    op_begin(&rows->c, op,
             op == HEED_OP_LAYER_NORM ? (const void *)&rows->norm
             : op == HEED_OP_GELU     ? (const void *)&rows->gelu
                                      : NULL);
    rows->x = check_give_normal(&rows->c, &random, 0, DIMS(ROWS, n));
    for (int64_t i = 0; i < ROWS * n; i++)
        rows->x[i] += offset;
    if (op != HEED_OP_LAYER_NORM)
        return;
    for (int i = 0; i < MOST_N; i++)
        gamma[i] = 1;
    op_give(&rows->c, 1, HEED_F32, DIMS(n), (size_t)n, gamma);
    op_give(&rows->c, 2, HEED_F32, DIMS(n), (size_t)n, beta);
}

static struct heedi_verdict judge_rows(struct rows *rows, enum row_fault fault) {
    const enum heed_op op = rows->c.call.op;
    for (int64_t r = 0; r < ROWS; r++) {
        const float *x = rows->x + r * rows->n;
        float *y = rows->y + r * rows->n;
        if (op == HEED_OP_LAYER_NORM)
            layer_norm(x, y, rows->n, rows->norm.eps, fault);
        else if (op != HEED_OP_GELU)
            softmax(x, y, rows->n, fault, op == HEED_OP_LOG_SOFTMAX);
        for (int64_t i = 0; op == HEED_OP_GELU && i < rows->n; i++)
            y[i] = gelu(x[i], (rows->gelu.tanh_form != 0) != (fault == OTHER_FORM));
    }
    return check_judge(&rows->c, &check_numeric, true, rows->y, NULL);
}

static void test_rows_honest(void **state) {
    (void)state;
    static const enum heed_op ops[] = {HEED_OP_SOFTMAX, HEED_OP_LOG_SOFTMAX, HEED_OP_LAYER_NORM,
                                       HEED_OP_GELU};
    static const int64_t lengths[] = {1, 2, 7, 64, MOST_N};
    for (size_t op = 0; op < sizeof ops / sizeof *ops; op++) {
        for (size_t i = 0; i < 2 * sizeof lengths / sizeof *lengths; i++) {
            struct rows rows;
            const float offset = i % 2 == 0 ? 0 : ops[op] == HEED_OP_LAYER_NORM ? 1000 : -3;
            begin_rows(&rows, ops[op], 50 + i, lengths[i / 2], offset, i % 2 == 0);
            const struct heedi_verdict verdict = judge_rows(&rows, NONE);
            if (!verdict.agrees || verdict.unjudged != 0)
                fail_msg("%s of %lld around %g: %g of the hard, %g of the statistical limit",
                         heed_op_name(ops[op]), (long long)rows.n, (double)offset, verdict.hard,
                         verdict.statistical);
            op_end(&rows.c);
        }
    }
}

static void test_rows_faults(void **state) {
    (void)state;
    static const struct {
        enum heed_op op;
        enum row_fault fault;
        int64_t n;
        float offset;
    } rows[] = {
        {HEED_OP_SOFTMAX, LAST_LEFT_OUT, 7, 0},     {HEED_OP_SOFTMAX, LAST_LEFT_OUT, MOST_N, 0},
        {HEED_OP_SOFTMAX, ROUGH_EXP, 7, 0},         {HEED_OP_SOFTMAX, ROUGH_EXP, MOST_N, 0},
        {HEED_OP_LOG_SOFTMAX, LAST_LEFT_OUT, 7, 0}, {HEED_OP_LOG_SOFTMAX, LAST_LEFT_OUT, MOST_N, 0},
        {HEED_OP_LAYER_NORM, UNBIASED, 7, 0},       {HEED_OP_LAYER_NORM, UNBIASED, MOST_N, 0},
        {HEED_OP_LAYER_NORM, ONE_PASS, 7, 1000},    {HEED_OP_LAYER_NORM, ONE_PASS, MOST_N, 1000},
        {HEED_OP_GELU, OTHER_FORM, MOST_N, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rows it;
        begin_rows(&it, rows[i].op, 70 + i, rows[i].n, rows[i].offset, false);
        const struct heedi_verdict verdict = judge_rows(&it, rows[i].fault);
        if (verdict.agrees)
            fail_msg("%s of %lld, fault %d: %g of the hard, %g of the statistical limit",
                     heed_op_name(rows[i].op), (long long)it.n, (int)rows[i].fault, verdict.hard,
                     verdict.statistical);
        op_end(&it.c);
    }
}

/* A maximum that skips NaN, exponentials that treat it as nothing: a row of numbers where the
 * reference has none. */
static void test_rows_swallowed_nan(void **state) {
    (void)state;
    struct rows rows;
    begin_rows(&rows, HEED_OP_SOFTMAX, 90, 7, 0, false);
    rows.x[3 * 7 + 6] = -INFINITY;
    judge_rows(&rows, NONE);
    assert_true(rows.y[3 * 7 + 6] == 0);
    rows.x[3 * 7 + 6] = NAN; /* the results stay those of before */
    const struct heedi_verdict verdict = check_judge(&rows.c, &check_numeric, true, rows.y, NULL);
    assert_false(verdict.agrees);
    assert_int_equal(verdict.index, 3 * 7);
    assert_true(isnan(verdict.expected) && verdict.actual == (double)rows.y[3 * 7]);
    assert_true(isinf(verdict.hard));
    op_end(&rows.c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_honest),
        cmocka_unit_test(test_matmul_faults),
        cmocka_unit_test(test_matmul_dropped_product),
        cmocka_unit_test(test_matmul_declared_short_sum),
        cmocka_unit_test(test_matmul_one_element),
        cmocka_unit_test(test_rows_honest),
        cmocka_unit_test(test_rows_faults),
        cmocka_unit_test(test_rows_swallowed_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
