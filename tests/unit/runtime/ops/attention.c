/* SPDX-License-Identifier: Apache-2.0 */
/* attention: what it takes and refuses, its cost, and what it lowers to. What it computes is tested
 * in attention_reference.c. */
#include "runtime/ops/attention.h"
#include "tests/unit/runtime/ops/op_test.h"

static struct heed_attention_attrs plain(void) {
    return (struct heed_attention_attrs){.struct_size =
                                             (uint32_t)sizeof(struct heed_attention_attrs)};
}

/* 2 rows of 4 heads, 3 queries and 5 keys; 2 heads of keys, of size 8, with values of size 6. */
static void begin(struct op_case *c, const struct heed_attention_attrs *attrs) {
    op_begin(c, HEED_OP_ATTENTION, attrs);
    op_describe(c, HEED_ATTENTION_Q, HEED_F16, DIMS(2, 4, 3, 8));
    op_describe(c, HEED_ATTENTION_K, HEED_BF16, DIMS(2, 2, 5, 8));
    op_describe(c, HEED_ATTENTION_V, HEED_F32, DIMS(2, 2, 5, 6));
}

/* The same packed: 2 sequences of queries in 7 positions, 3 stretches of keys in 9. */
static void begin_packed(struct op_case *c, const struct heed_attention_attrs *attrs) {
    op_begin(c, HEED_OP_ATTENTION, attrs);
    op_describe(c, HEED_ATTENTION_Q, HEED_F16, DIMS(1, 4, 7, 8));
    op_describe(c, HEED_ATTENTION_K, HEED_BF16, DIMS(1, 2, 9, 8));
    op_describe(c, HEED_ATTENTION_V, HEED_F32, DIMS(1, 2, 9, 6));
    op_describe(c, HEED_ATTENTION_Q_OFFSETS, HEED_I32, DIMS(3));
    op_describe(c, HEED_ATTENTION_KV_OFFSETS, HEED_I32, DIMS(4));
}

static void test_shapes(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin(&c, &attrs);
    op_infer(&c);
    assert_int_equal(c.call.output_count, 1);
    op_is(&c, 0, HEED_F16, DIMS(2, 4, 3, 6));
    attrs.return_weights = 1;
    op_infer(&c);
    assert_int_equal(c.call.output_count, 2);
    op_is(&c, 0, HEED_F16, DIMS(2, 4, 3, 6));
    op_is(&c, 1, HEED_F16, DIMS(2, 4, 3, 5));
    op_describe(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(2)); /* fewer or more rows of keys */
    op_describe(&c, HEED_ATTENTION_K, HEED_F32, DIMS(7, 2, 5, 8));
    op_describe(&c, HEED_ATTENTION_V, HEED_F32, DIMS(7, 2, 5, 1));
    op_infer(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 4, 3, 1));
    begin(&c, &attrs); /* one head of keys for all */
    op_describe(&c, HEED_ATTENTION_K, HEED_F32, DIMS(2, 1, 5, 8));
    op_describe(&c, HEED_ATTENTION_V, HEED_F32, DIMS(2, 1, 5, 6));
    op_infer(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 4, 3, 6));
    begin(&c, &attrs); /* no queries, no keys, no values */
    op_describe(&c, HEED_ATTENTION_Q, HEED_F16, DIMS(2, 4, 0, 8));
    op_describe(&c, HEED_ATTENTION_K, HEED_F32, DIMS(2, 2, 0, 8));
    op_describe(&c, HEED_ATTENTION_V, HEED_F32, DIMS(2, 2, 0, 0));
    op_infer(&c);
    op_is(&c, 0, HEED_F16, DIMS(2, 4, 0, 0));
    op_is(&c, 1, HEED_F16, DIMS(2, 4, 0, 0));
}

static void test_packed_shapes(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    attrs.max_len = 4;
    attrs.return_weights = 1;
    begin_packed(&c, &attrs);
    for (uint32_t i = HEED_ATTENTION_KEY_LEN; i <= HEED_ATTENTION_KV_ROW; i++)
        op_describe(&c, i, HEED_I32, DIMS(2)); /* one entry for each sequence of queries */
    op_infer(&c);
    op_is(&c, 0, HEED_F16, DIMS(1, 4, 7, 6));
    op_is(&c, 1, HEED_F16, DIMS(1, 4, 7, 4));       /* max_len */
    c.call.inputs[HEED_ATTENTION_Q_OFFSETS] = NULL; /* only the keys are packed */
    op_describe(&c, HEED_ATTENTION_Q, HEED_F16, DIMS(2, 4, 3, 8));
    op_infer(&c);
    op_is(&c, 1, HEED_F16, DIMS(2, 4, 3, 4));
    begin_packed(&c, &attrs); /* only the queries are packed */
    c.call.inputs[HEED_ATTENTION_KV_OFFSETS] = NULL;
    op_describe(&c, HEED_ATTENTION_K, HEED_BF16, DIMS(2, 2, 9, 8));
    op_describe(&c, HEED_ATTENTION_V, HEED_F32, DIMS(2, 2, 9, 6));
    op_infer(&c);
    op_is(&c, 1, HEED_F16, DIMS(1, 4, 7, 9));
    op_describe(&c, HEED_ATTENTION_Q_OFFSETS, HEED_I32, DIMS(1)); /* no sequence at all */
    op_describe(&c, HEED_ATTENTION_K, HEED_BF16, DIMS(0, 2, 9, 8));
    op_describe(&c, HEED_ATTENTION_V, HEED_F32, DIMS(0, 2, 9, 6));
    op_infer(&c);
}

static void test_scale(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin(&c, &attrs);
    op_describe(&c, HEED_ATTENTION_Q, HEED_F16, DIMS(2, 4, 3, 16));
    assert_true(heedi_attention_scale(&c.call) == 1);
    attrs.scale = 3; /* means nothing to a plain product */
    assert_true(heedi_attention_scale(&c.call) == 1);
    attrs.score = HEED_SCORE_SCALED;
    assert_true(heedi_attention_scale(&c.call) == 3);
    attrs.scale = 0;
    assert_true(heedi_attention_scale(&c.call) == 0.25f);
}

static void test_cost(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin(&c, &attrs);
    /* 24 queries by 5 keys: products of 8 and of 6, and 4 for the softmax */
    op_costs(&c, 24 * 5 * (2 * 14 + 4), 192 * 2 + 160 * 2 + 120 * 4 + 144 * 2);
    assert_true(heedi_op_find(HEED_OP_ATTENTION)->depth(&c.call) >= 5 + 8);
    attrs.return_weights = 1;
    op_costs(&c, 24 * 5 * (2 * 14 + 4), 192 * 2 + 160 * 2 + 120 * 4 + 144 * 2 + 120 * 2);
    attrs = plain();
    attrs.max_len = 4; /* as long as a stretch may be, not all 9 */
    begin_packed(&c, &attrs);
    op_costs(&c, 28 * 4 * (2 * 14 + 4), 224 * 2 + 144 * 2 + 108 * 4 + 3 * 4 + 4 * 4 + 168 * 2);
    attrs.max_len = 100;
    op_costs(&c, 28 * 9 * (2 * 14 + 4), 224 * 2 + 144 * 2 + 108 * 4 + 3 * 4 + 4 * 4 + 168 * 2);
}

static void test_wrong_attributes(void **state) {
    static const struct heed_attention_attrs bad[] = {
        {.score = 2}, {.causal = 2}, {.return_weights = 2}, {.scale = NAN}, {.scale = INFINITY}};
    struct op_case c;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin(&c, &bad[i]);
        op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "is out of range");
    }
    begin(&c, &bad[0]);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT,
             "score 2, causal 0, return_weights 0 or scale 0 is out of range");
}

static void test_wrong_operands(void **state) {
    const struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin(&c, &attrs);
    op_describe(&c, 0, HEED_I8, DIMS(2, 4, 3, 8));
    op_fails(&c, HEED_ERROR_SHAPE, "q ('in0') must be f32, f16 or bf16, but is i8");
    op_describe(&c, 0, HEED_F32, DIMS(4, 3, 8));
    op_fails(&c, HEED_ERROR_SHAPE, "q ('in0') must have rank 4, but is f32 [4, 3, 8]");
    begin(&c, &attrs);
    op_describe(&c, 1, HEED_I32, DIMS(2, 2, 5, 8));
    op_fails(&c, HEED_ERROR_SHAPE, "k ('in1') must be f32, f16 or bf16, but is i32");
    op_describe(&c, 1, HEED_F32, DIMS(2, 2, 5, 7));
    op_fails(&c, HEED_ERROR_SHAPE,
             "q is f16 [2, 4, 3, 8], k is f32 [2, 2, 5, 7]: the head sizes differ");
    op_describe(&c, 1, HEED_F32, DIMS(2, 3, 5, 8));
    op_describe(&c, 2, HEED_F32, DIMS(2, 3, 5, 8));
    op_fails(&c, HEED_ERROR_SHAPE, "4 heads of q are no multiple of 3 heads of k");
    op_describe(&c, 1, HEED_F32, DIMS(2, 0, 5, 8));
    op_describe(&c, 2, HEED_F32, DIMS(2, 0, 5, 8));
    op_fails(&c, HEED_ERROR_SHAPE, "4 heads of q are no multiple of 0 heads of k");
    for (int wrong = 0; wrong < 3; wrong++) {
        int64_t dims[] = {2, 2, 5, 6};
        dims[wrong]++;
        begin(&c, &attrs);
        op_describe(&c, 2, HEED_F32, 4, dims);
        op_fails(&c, HEED_ERROR_SHAPE, "k is bf16 [2, 2, 5, 8], v is f32 [");
        assert_non_null(strstr(c.error.message, "expected the same but for the last dimension"));
    }
    op_describe(&c, 2, HEED_F32, DIMS(2, 2, 5));
    op_fails(&c, HEED_ERROR_SHAPE, "v ('in2') must have rank 4, but is f32 [2, 2, 5]");
    begin(&c, &attrs); /* heads without elements have no scores */
    op_describe(&c, 0, HEED_F16, DIMS(2, 4, 3, 0));
    op_describe(&c, 1, HEED_F16, DIMS(2, 2, 5, 0));
    op_fails(&c, HEED_ERROR_SHAPE, "q is f16 [2, 4, 3, 0]");
    begin(&c, &attrs);
    op_describe(&c, 0, HEED_F16, DIMS(3, 4, 3, 8));
    op_fails(&c, HEED_ERROR_SHAPE, "k has 2 rows, q has 3, and kv_row is absent");
}

static void test_wrong_dynamic(void **state) {
    static const char *const names[] = {"key_len", "q_start", "kv_row"};
    const struct heed_attention_attrs attrs = plain();
    struct op_case c;
    char words[64];
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t input = HEED_ATTENTION_KEY_LEN + i;
        begin(&c, &attrs);
        op_describe(&c, input, HEED_F32, DIMS(2));
        snprintf(words, sizeof words, "%s ('in%u') must be i32, but is f32", names[i], input);
        op_fails(&c, HEED_ERROR_SHAPE, words);
        op_describe(&c, input, HEED_I32, DIMS(3));
        snprintf(words, sizeof words, "%s is i32 [3], expected one entry for each of 2 rows",
                 names[i]);
        op_fails(&c, HEED_ERROR_SHAPE, words);
        op_describe(&c, input, HEED_I32, SCALAR_DIMS);
        op_fails(&c, HEED_ERROR_SHAPE, "is i32 [], expected one entry for each of 2 rows");
        op_describe(&c, input, HEED_I32, DIMS(2, 5)); /* only kv_row has one for each key */
        if (input == HEED_ATTENTION_KV_ROW)
            op_infer(&c);
        else
            op_fails(&c, HEED_ERROR_SHAPE, "is i32 [2, 5], expected one entry for each of 2 rows");
    }
    begin(&c, &attrs);
    op_describe(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(2, 4));
    op_fails(&c, HEED_ERROR_SHAPE,
             "kv_row is i32 [2, 4], expected one entry for each of 2 rows (and each key)");
}

static void test_wrong_bias(void **state) {
    const struct heed_attention_attrs attrs = plain();
    static const int64_t good[] = {2, 4, 3, 5};
    struct op_case c;
    (void)state;
    for (uint32_t rank = 0; rank <= 4; rank++) {
        begin(&c, &attrs);
        op_describe(&c, HEED_ATTENTION_BIAS, HEED_BF16, rank, good + 4 - rank);
        op_infer(&c);
        for (uint32_t i = 0; i < rank; i++) {
            int64_t dims[4];
            memcpy(dims, good + 4 - rank, rank * sizeof *dims);
            dims[i] = 1;
            op_describe(&c, HEED_ATTENTION_BIAS, HEED_BF16, rank, dims);
            op_infer(&c);
            dims[i] = 6;
            op_describe(&c, HEED_ATTENTION_BIAS, HEED_BF16, rank, dims);
            op_fails(&c, HEED_ERROR_SHAPE, "does not broadcast to f32 [2, 4, 3, 5]");
        }
    }
    op_describe(&c, HEED_ATTENTION_BIAS, HEED_I32, DIMS(5));
    op_fails(&c, HEED_ERROR_SHAPE, "bias ('in3') must be f32, f16 or bf16, but is i32");
}

static void test_wrong_packing(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    begin_packed(&c, &attrs);
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "max_len is 0, packed rows need 1 to 2^31 - 1");
    c.call.inputs[HEED_ATTENTION_KV_OFFSETS] = NULL; /* for queries alone */
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "max_len is 0, packed rows need 1 to 2^31 - 1");
    begin_packed(&c, &attrs);
    c.call.inputs[HEED_ATTENTION_Q_OFFSETS] = NULL; /* for keys alone */
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "max_len is 0, packed rows need 1 to 2^31 - 1");
    begin_packed(&c, &attrs);
    attrs.max_len = 1;
    op_infer(&c);
    attrs.max_len = (1u << 31) - 1;
    op_infer(&c);
    attrs.max_len = 1u << 31;
    op_fails(&c, HEED_ERROR_INVALID_ARGUMENT, "max_len is 2147483648, packed rows need 1");
    attrs.max_len = 4;
    op_describe(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(2, 9));
    op_fails(&c, HEED_ERROR_SHAPE, "kv_row is i32 [2, 9], expected one entry for each of 2 rows");
    assert_null(strstr(c.error.message, "each key"));
    op_describe(&c, HEED_ATTENTION_KV_ROW, HEED_I32, DIMS(2));
    op_describe(&c, HEED_ATTENTION_BIAS, HEED_F32, DIMS(1));
    op_fails(&c, HEED_ERROR_UNSUPPORTED, "bias cannot be combined with packed rows");
    for (uint32_t i = HEED_ATTENTION_Q_OFFSETS; i <= HEED_ATTENTION_KV_OFFSETS; i++) {
        const bool q = i == HEED_ATTENTION_Q_OFFSETS;
        begin_packed(&c, &attrs);
        op_describe(&c, i, HEED_F32, DIMS(3));
        op_fails(&c, HEED_ERROR_SHAPE,
                 q ? "q_offsets ('in7') must be i32, but is f32"
                   : "kv_offsets ('in8') must be i32, but is f32");
        op_describe(&c, i, HEED_I32, DIMS(3, 1));
        op_fails(&c, HEED_ERROR_SHAPE, "must have rank 1, but is i32 [3, 1]");
        op_describe(&c, i, HEED_I32, DIMS(0));
        op_fails(&c, HEED_ERROR_SHAPE,
                 q ? "q_offsets is empty, expected at least [1]"
                   : "kv_offsets is empty, expected at least [1]");
        begin_packed(&c, &attrs);
        op_describe(&c, HEED_ATTENTION_Q, HEED_F32, DIMS(q ? 2 : 1, 4, 7, 8));
        op_describe(&c, HEED_ATTENTION_K, HEED_F32, DIMS(q ? 1 : 2, 2, 9, 8));
        op_describe(&c, HEED_ATTENTION_V, HEED_F32, DIMS(q ? 1 : 2, 2, 9, 6));
        op_fails(&c, HEED_ERROR_SHAPE,
                 q ? "q is packed and has 2 rows, expected 1"
                   : "k is packed and has 2 rows, expected 1");
    }
}

/* Small numbers for all of an operand. */
static void fill(struct op_case *c, uint32_t input, uint32_t rank, const int64_t *dims) {
    double values[64];
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, rank, dims);
    const size_t count = (size_t)heed_desc_elems(&desc);
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++)
        values[i] = (double)((i * 37 + input * 11) % 16) / 8 - 1;
    op_give(c, input, HEED_F32, rank, dims, count, values);
}

static void test_lowering(void **state) {
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    for (uint32_t form = 0; form < 8; form++) {
        attrs.score = form & 1u;
        attrs.scale = form == 1 ? 2 : 0;
        attrs.return_weights = form >> 1 & 1u;
        op_begin(&c, HEED_OP_ATTENTION, &attrs);
        fill(&c, HEED_ATTENTION_Q, DIMS(2, 2, 3, 4));
        fill(&c, HEED_ATTENTION_K, DIMS(2, 2, 2, 4));
        fill(&c, HEED_ATTENTION_V, DIMS(2, 2, 2, 3));
        if (form & 4u)
            fill(&c, HEED_ATTENTION_BIAS, DIMS(2, 1, 2));
        op_run(&c);
        op_lowers(&c, 1e-6);
        op_end(&c);
    }
    op_begin(&c, HEED_OP_ATTENTION, &attrs); /* one key */
    fill(&c, HEED_ATTENTION_Q, DIMS(1, 1, 2, 4));
    fill(&c, HEED_ATTENTION_K, DIMS(1, 1, 1, 4));
    fill(&c, HEED_ATTENTION_V, DIMS(1, 1, 1, 3));
    op_run(&c);
    op_lowers(&c, 0);
    op_end(&c);
}

static void test_no_lowering(void **state) {
    static const char words[] = "have no lowering";
    struct heed_attention_attrs attrs = plain();
    struct op_case c;
    (void)state;
    for (uint32_t i = HEED_ATTENTION_KEY_LEN; i <= HEED_ATTENTION_KV_ROW; i++) {
        begin(&c, &attrs);
        op_describe(&c, 0, HEED_F32, DIMS(2, 2, 3, 8));
        op_describe(&c, i, HEED_I32, DIMS(2));
        op_lowers_not(&c, words);
    }
    begin(&c, &attrs); /* grouped heads */
    op_lowers_not(&c, words);
    attrs.causal = 1;
    op_describe(&c, 0, HEED_F32, DIMS(2, 2, 3, 8));
    op_lowers_not(&c, words);
    attrs = plain();
    attrs.window = 1;
    op_lowers_not(&c, words);
    attrs = plain();
    attrs.max_len = 4;
    begin_packed(&c, &attrs);
    op_describe(&c, HEED_ATTENTION_Q, HEED_F16, DIMS(1, 2, 7, 8));
    op_lowers_not(&c, words);
    attrs = plain();
    begin(&c, &attrs); /* softmax takes no empty row */
    op_describe(&c, 0, HEED_F32, DIMS(2, 2, 3, 8));
    op_describe(&c, 1, HEED_F32, DIMS(2, 2, 0, 8));
    op_describe(&c, 2, HEED_F32, DIMS(2, 2, 0, 6));
    op_lowers_not(&c, words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_packed_shapes),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_wrong_attributes),
        cmocka_unit_test(test_wrong_operands),
        cmocka_unit_test(test_wrong_dynamic),
        cmocka_unit_test(test_wrong_bias),
        cmocka_unit_test(test_wrong_packing),
        cmocka_unit_test(test_lowering),
        cmocka_unit_test(test_no_lowering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
