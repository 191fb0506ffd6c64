/* SPDX-License-Identifier: Apache-2.0 */
/* The meaning of attention: which keys a query sees, and what it makes of them.
 *
 * Visibility is tested with queries of 0, which weigh all the keys that they see alike, and the
 * values 2^0, 2^1, 2^2, ... in the order of memory: a result is the sum of the values seen, that is
 * a set of bits, divided by their number. */
#include "tests/unit/runtime/ops/op_test.h"

static struct heed_attention_attrs plain(void) {
    return (struct heed_attention_attrs){.struct_size =
                                             (uint32_t)sizeof(struct heed_attention_attrs)};
}

/* q is [rows, heads, queries, 1], k and v are [kv_rows, kv_heads, keys, 1]. */
static void begin(struct op_case *c, const struct heed_attention_attrs *attrs, const int64_t q[3],
                  const int64_t k[3]) {
    static const double zeros[32];
    double bits[32];
    for (int i = 0; i < 32; i++)
        bits[i] = ldexp(1, i);
    const int64_t q_dims[] = {q[0], q[1], q[2], 1}, k_dims[] = {k[0], k[1], k[2], 1};
    op_begin(c, HEED_OP_ATTENTION, attrs);
    op_give(c, HEED_ATTENTION_Q, HEED_F32, 4, q_dims, (size_t)(q[0] * q[1] * q[2]), zeros);
    op_give(c, HEED_ATTENTION_K, HEED_F32, 4, k_dims, (size_t)(k[0] * k[1] * k[2]), zeros);
    op_give(c, HEED_ATTENTION_V, HEED_F32, 4, k_dims, (size_t)(k[0] * k[1] * k[2]), bits);
}
#define SHAPE(...)                                                                                 \
    (const int64_t[3]) {                                                                           \
        __VA_ARGS__                                                                                \
    }

/* Runs and ends. One set of bits for each query, in the order of memory. */
static void sees(struct op_case *c, size_t count, const double *sets) {
    double means[32];
    assert_true(count <= 32);
    op_run(c);
    for (size_t i = 0; i < count; i++) {
        int seen = 0;
        for (uint32_t bit = 0; bit < 32; bit++)
            seen += (int)((uint32_t)sets[i] >> bit & 1u);
        means[i] = seen == 0 ? 0 : sets[i] / seen;
    }
    op_expect(c, 0, count, means);
    op_end(c);
}

static void test_heads(void **state) {
    const struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin(&c, &attrs, SHAPE(2, 2, 1), SHAPE(2, 2, 2));
    sees(&c, V(0x3, 0xc, 0x30, 0xc0));
    begin(&c, &attrs, SHAPE(1, 4, 2), SHAPE(1, 2, 3)); /* two heads of q share one of k */
    sees(&c, V(0x7, 0x7, 0x7, 0x7, 0x38, 0x38, 0x38, 0x38));
    begin(&c, &attrs, SHAPE(1, 3, 1), SHAPE(1, 1, 1));
    sees(&c, V(1, 1, 1));
    begin(&c, &attrs, SHAPE(1, 2, 1), SHAPE(1, 1, 0)); /* no key to see */
    sees(&c, V(0, 0));
}

static void test_causal(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.causal = 1;
    begin(&c, &attrs, SHAPE(1, 1, 3), SHAPE(1, 1, 4));
    sees(&c, V(0x1, 0x3, 0x7));
    begin(&c, &attrs, SHAPE(4, 1, 2), SHAPE(4, 1, 4)); /* before, within, at and past the end */
    op_give(&c, HEED_ATTENTION_Q_START, HEED_I32, DIMS(4), V(-1, 1, 3, 2147483647));
    sees(&c, V(0, 0x1, 0x30, 0x70, 0xf00, 0xf00, 0xf000, 0xf000));
    attrs.causal = 0; /* q_start alone hides nothing */
    begin(&c, &attrs, SHAPE(1, 1, 1), SHAPE(1, 1, 2));
    op_give(&c, HEED_ATTENTION_Q_START, HEED_I32, DIMS(1), V(-5));
    sees(&c, V(0x3));
}

static void test_key_len(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin(&c, &attrs, SHAPE(5, 1, 1), SHAPE(5, 1, 3)); /* clamped at both ends */
    op_give(&c, HEED_ATTENTION_KEY_LEN, HEED_I32, DIMS(5), V(0, 1, 3, 4, -2147483648.0));
    sees(&c, V(0, 0x8, 0x1c0, 0xe00, 0));
    attrs.causal = 1;
    begin(&c, &attrs, SHAPE(1, 1, 3), SHAPE(1, 1, 3));
    op_give(&c, HEED_ATTENTION_KEY_LEN, HEED_I32, DIMS(1), V(2));
    sees(&c, V(0x1, 0x3, 0x3));
}

static void test_window(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.window = 2;
    begin(&c, &attrs, SHAPE(1, 1, 6), SHAPE(1, 1, 4)); /* also of later keys, unless causal */
    sees(&c, V(0xf, 0xf, 0xe, 0xc, 0x8, 0));
    attrs.causal = 1;
    begin(&c, &attrs, SHAPE(1, 1, 6), SHAPE(1, 1, 4));
    sees(&c, V(0x1, 0x3, 0x6, 0xc, 0x8, 0));
    begin(&c, &attrs, SHAPE(2, 1, 1), SHAPE(2, 1, 4));
    op_give(&c, HEED_ATTENTION_Q_START, HEED_I32, DIMS(2), V(2, -2147483648.0));
    sees(&c, V(0x6, 0));
    attrs.window = UINT32_MAX;
    begin(&c, &attrs, SHAPE(1, 1, 3), SHAPE(1, 1, 4));
    sees(&c, V(0x1, 0x3, 0x7));
}

static void test_kv_row(void **state) {
    const struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin(&c, &attrs, SHAPE(5, 1, 1), SHAPE(2, 1, 2)); /* of the five, two name no row */
    op_give(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(5), V(1, 0, 1, 2, -1));
    sees(&c, V(0xc, 0x3, 0xc, 0, 0));
    begin(&c, &attrs, SHAPE(2, 1, 1), SHAPE(3, 1, 3)); /* a row for every key */
    op_give(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(2, 3), V(2, 0, 1, 3, 1, -1));
    sees(&c, V(0x40 + 0x2 + 0x20, 0x10));
    begin(&c, &attrs, SHAPE(2, 1, 1), SHAPE(2, 1, 2)); /* with lengths, from a transposed table */
    op_give(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(2, 2), V(1, 0, 0, 1));
    op_strides(&c, HEED_ATTENTION_KV_ROW, DIMS(1, 2));
    op_give(&c, HEED_ATTENTION_KEY_LEN, HEED_I32, DIMS(2), V(2, 1));
    sees(&c, V(0x4 + 0x2, 0x1));
}

static void test_packed_keys(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.max_len = 3;
    begin(&c, &attrs, SHAPE(4, 1, 1), SHAPE(1, 1, 8)); /* the third is empty, the last is cut */
    op_give(&c, HEED_ATTENTION_KV_OFFSETS, HEED_I32, DIMS(5), V(0, 2, 4, 4, 8));
    sees(&c, V(0x3, 0xc, 0, 0x70));
    begin(&c, &attrs, SHAPE(4, 1, 1), SHAPE(1, 1, 8)); /* out of range, descending */
    op_give(&c, HEED_ATTENTION_KV_OFFSETS, HEED_I32, DIMS(5), V(-2, 2, 1, 7, 99));
    sees(&c, V(0x3, 0, 0xe, 0x80));
    begin(&c, &attrs, SHAPE(3, 1, 1), SHAPE(1, 1, 5)); /* rows and lengths count in stretches */
    op_give(&c, HEED_ATTENTION_KV_OFFSETS, HEED_I32, DIMS(3), V(0, 2, 5));
    op_give(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(3), V(1, 0, 2));
    op_give(&c, HEED_ATTENTION_KEY_LEN, HEED_I32, DIMS(3), V(2, 9, 9));
    sees(&c, V(0xc, 0x3, 0));
}

static void test_packed_queries(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.max_len = 4;
    attrs.causal = 1;
    begin(&c, &attrs, SHAPE(1, 1, 6), SHAPE(2, 1, 4)); /* time starts anew; the last is nobody's */
    op_give(&c, HEED_ATTENTION_Q_OFFSETS, HEED_I32, DIMS(3), V(0, 2, 5));
    op_give(&c, HEED_ATTENTION_Q_START, HEED_I32, DIMS(2), V(0, 1));
    op_give(&c, HEED_ATTENTION_KEY_LEN, HEED_I32, DIMS(2), V(4, 3));
    sees(&c, V(0x1, 0x3, 0x30, 0x70, 0x70, 0));
    begin(&c, &attrs, SHAPE(1, 1, 5), SHAPE(1, 1, 5)); /* both packed */
    op_give(&c, HEED_ATTENTION_Q_OFFSETS, HEED_I32, DIMS(3), V(0, 2, 5));
    op_give(&c, HEED_ATTENTION_KV_OFFSETS, HEED_I32, DIMS(3), V(0, 2, 5));
    sees(&c, V(0x1, 0x3, 0x4, 0xc, 0x1c));
    attrs.causal = 0;
    attrs.max_len = 1; /* cuts queries and keys */
    begin(&c, &attrs, SHAPE(1, 1, 5), SHAPE(1, 1, 5));
    op_give(&c, HEED_ATTENTION_Q_OFFSETS, HEED_I32, DIMS(3), V(0, 2, 5));
    op_give(&c, HEED_ATTENTION_KV_OFFSETS, HEED_I32, DIMS(3), V(0, 2, 5));
    sees(&c, V(0x1, 0, 0x4, 0, 0));
}

static void test_bias(void **state) {
    const struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin(&c, &attrs, SHAPE(1, 2, 1), SHAPE(1, 1, 3)); /* for each head; -inf hides, alone too */
    op_give(&c, HEED_ATTENTION_BIAS, HEED_F16, DIMS(2, 1, 3),
            V(0, -INFINITY, 0, -INFINITY, -INFINITY, -INFINITY));
    sees(&c, V(0x5, 0));
    begin(&c, &attrs, SHAPE(2, 1, 2), SHAPE(2, 1, 2)); /* for each row, from a strided view */
    op_give(&c, HEED_ATTENTION_BIAS, HEED_F32, DIMS(2, 1, 1, 2),
            V(0, 9, -INFINITY, 9, -INFINITY, 9, 0));
    op_strides(&c, HEED_ATTENTION_BIAS, DIMS(4, 77, 77, 2));
    sees(&c, V(0x1, 0x1, 0x8, 0x8));
    begin(&c, &attrs, SHAPE(1, 1, 1), SHAPE(1, 1, 2)); /* weights of 3 : 1 */
    op_give(&c, HEED_ATTENTION_BIAS, HEED_F32, DIMS(2), V(4 + (double)(float)1.0986123, 4));
    op_run(&c);
    assert_true(fabs(c.out[0][0] - (0.75 * 1 + 0.25 * 2)) < 1e-6);
    op_end(&c);
}

static void test_weights(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.return_weights = attrs.causal = 1;
    begin(&c, &attrs, SHAPE(1, 1, 2), SHAPE(1, 1, 3)); /* 0 for what is not seen */
    op_run(&c);
    op_expect(&c, 1, V(1, 0, 0, 0.5, 0.5, 0));
    for (int i = 0; i < 6; i++)
        assert_true((c.magnitude[1][i] == 0) == (c.out[1][i] == 0));
    op_end(&c);
    attrs.causal = 0;
    attrs.max_len = 3; /* keys counted from the start of their stretch */
    begin(&c, &attrs, SHAPE(2, 1, 1), SHAPE(1, 1, 6));
    op_give(&c, HEED_ATTENTION_KV_OFFSETS, HEED_I32, DIMS(3), V(0, 2, 6));
    op_run(&c);
    op_expect(&c, 1, V(0.5, 0.5, 0, 1.0 / 3, 1.0 / 3, 1.0 / 3));
    op_end(&c);
}

/* What is not visible does not take part, whatever it holds; what is visible spoils the query. */
static void test_special(void **state) {
    const struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    for (int part = HEED_ATTENTION_K; part <= HEED_ATTENTION_V; part++)
        for (int infinite = 0; infinite < 2; infinite++) {
            begin(&c, &attrs, SHAPE(2, 1, 1), SHAPE(1, 1, 3));
            op_give(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(2), V(0, 0));
            op_give(&c, HEED_ATTENTION_KEY_LEN, HEED_I32, DIMS(2), V(2, 3));
            op_store(c.data[part], HEED_F32, 2, infinite ? INFINITY : NAN);
            op_run(&c);
            assert_true(c.out[0][0] == 1.5);
            /* 0 * inf in a score is NaN, a third of an infinite value is infinite */
            assert_true(infinite && part == HEED_ATTENTION_V ? c.out[0][1] == INFINITY
                                                             : isnan(c.out[0][1]));
            op_end(&c);
        }
}

/* Pseudo-random operands of all float types, tq x tk larger than any block of a kernel, against the
 * definition written out once more; scores are small, so exp needs no shift. */
static void test_long_rows(void **state) {
    enum { HEADS = 2, QUERIES = 37, KEYS = 150, D = 5, DV = 3 };
    static double q[HEADS * QUERIES * D], k[KEYS * D], v[KEYS * DV];
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    uint32_t random = 12345;
    (void)state;
#define FILL(array)                                                                                \
    for (size_t i = 0; i < sizeof(array) / sizeof *(array); i++)                                   \
    (array)[i] = (double)((random = random * 1664525u + 1013904223u) >> 24) / 64 - 2
    FILL(q);
    FILL(k);
    FILL(v);
    attrs.causal = 1;
    attrs.score = HEED_SCORE_SCALED;
    for (int given = 0; given < 2; given++) {
        attrs.scale = given ? -0.75f : 0;
        const double scale = given ? -0.75 : (double)(float)(1 / sqrt(D));
        op_begin(&c, HEED_OP_ATTENTION, &attrs);
        op_give(&c, HEED_ATTENTION_Q, HEED_F16, DIMS(1, HEADS, QUERIES, D), HEADS * QUERIES * D, q);
        op_strides(&c, HEED_ATTENTION_Q, DIMS(0, D, HEADS * D, 1)); /* [time, head, d] in memory */
        op_give(&c, HEED_ATTENTION_K, HEED_BF16, DIMS(1, 1, KEYS, D), KEYS * D, k);
        op_give(&c, HEED_ATTENTION_V, HEED_F32, DIMS(1, 1, KEYS, DV), KEYS * DV, v);
        op_strides(&c, HEED_ATTENTION_V, DIMS(0, 0, 1, KEYS)); /* [dv, time] in memory */
        op_give(&c, HEED_ATTENTION_Q_START, HEED_I32, DIMS(1), V(100));
        op_run(&c);
        op_is(&c, 0, HEED_F16, DIMS(1, HEADS, QUERIES, DV));
        for (int h = 0; h < HEADS; h++)
            for (int t = 0; t < QUERIES; t++) {
                double sum = 0, y[DV] = {0};
                for (int j = 0; j <= 100 + t; j++) {
                    double dot = 0;
                    for (int i = 0; i < D; i++)
                        dot += q[(t * HEADS + h) * D + i] * k[j * D + i];
                    sum += exp(scale * dot);
                    for (int i = 0; i < DV; i++)
                        y[i] += exp(scale * dot) * v[i * KEYS + j];
                }
                for (int i = 0; i < DV; i++)
                    assert_true(fabs(c.out[0][(h * QUERIES + t) * DV + i] - y[i] / sum) < 1e-12);
            }
        op_end(&c);
    }
}

/* Scores of some hundreds: only their differences count. */
static void test_large_scores(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.return_weights = 1;
    op_begin(&c, HEED_OP_ATTENTION, &attrs);
    op_give(&c, HEED_ATTENTION_Q, HEED_F32, DIMS(1, 1, 2, 1), V(1, -1));
    op_give(&c, HEED_ATTENTION_K, HEED_F32, DIMS(1, 1, 3, 1), V(900, 901, -900));
    op_give(&c, HEED_ATTENTION_V, HEED_F32, DIMS(1, 1, 3, 1), V(1, 2, 4));
    op_run(&c);
    const double e = exp(1);
    op_expect(&c, 1, V(1 / (1 + e), e / (1 + e), 0, 0, 0, 1));
    op_expect(&c, 0, V((1 + 2 * e) / (1 + e), 4));
    op_end(&c);
}

/* Bounds grow with the scores of keys that have a weight, up to what weights can be off at all:
 * 3 max |v| = gamma(depth) M, with a depth of 3 * 3 keys + 1 + 12. */
static void expect_magnitude(double q, double first, double second, double third, double expected) {
    const struct heed_attention_attrs attrs = plain();
    struct op_case c;
    op_begin(&c, HEED_OP_ATTENTION, &attrs);
    op_give(&c, HEED_ATTENTION_Q, HEED_F32, DIMS(1, 1, 1, 1), V(q));
    op_give(&c, HEED_ATTENTION_K, HEED_F32, DIMS(1, 1, 3, 1), V(first, second, third));
    op_give(&c, HEED_ATTENTION_V, HEED_F32, DIMS(1, 1, 3, 1), V(1, -2, 4));
    op_run(&c);
    assert_true(c.magnitude[0][0] == expected ||
                fabs(c.magnitude[0][0] - expected) <= 1e-12 * expected);
    op_end(&c);
}

static void test_magnitude(void **state) {
    const double first = exp(0.5), last = exp(0.25);
    const double weighted = (first + 4 * last) / (first + last);
    (void)state;
    expect_magnitude(1, 0.5, -INFINITY, 0.25, (1 + 4 * 0.5) * weighted);
    expect_magnitude(1, 0.5, -1e9, 0.25, (1 + 4 * 0.5) * weighted); /* no weight: as if hidden */
    expect_magnitude(-1, 1e9, 1e9, 1e9, 3 * 4 * 0x1p24 / 22);
    expect_magnitude(1e20, 1e20, 0, 0, INFINITY); /* overflows on the way */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),          cmocka_unit_test(test_causal),
        cmocka_unit_test(test_key_len),        cmocka_unit_test(test_window),
        cmocka_unit_test(test_kv_row),         cmocka_unit_test(test_packed_keys),
        cmocka_unit_test(test_packed_queries), cmocka_unit_test(test_bias),
        cmocka_unit_test(test_weights),        cmocka_unit_test(test_special),
        cmocka_unit_test(test_long_rows),      cmocka_unit_test(test_large_scores),
        cmocka_unit_test(test_magnitude),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
