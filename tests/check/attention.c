/* SPDX-License-Identifier: Apache-2.0 */
/* attention on every backend against its reference, in all the forms of heed/ops.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/agree.h"

enum { MOST_SEQUENCES = 5 };

static enum heed_dtype query_type(struct agree_case *it) {
    return agree_chance(&it->random, 60) ? HEED_F32 : agree_float_type(&it->random);
}

/* Of q, k and the bias. Scores of heavier tails would be beyond what f32 tells apart. */
static enum agree_values draw_values(struct agree_case *it) {
    static const enum agree_values values[] = {AGREE_NORMAL, AGREE_NORMAL, AGREE_NORMAL,
                                               AGREE_TIES,   AGREE_TIES,   AGREE_SPECIAL};
    return values[agree_range(&it->random, 0, 5)];
}

/* Of v. An infinite one is asked for only where no weight vanishes in f32 that does not in f64:
 * zero times infinity is NaN. */
static enum agree_values draw_v_values(struct agree_case *it, enum agree_values scores, int64_t d) {
    const enum agree_values values = agree_any_values(&it->random);
    return values == AGREE_SPECIAL && (scores != AGREE_NORMAL || d > 17) ? AGREE_HEAVY : values;
}

static struct heed_attention_attrs draw_attrs(struct agree_case *it) {
    struct heed_attention_attrs attrs = {.struct_size = sizeof attrs,
                                         .score = agree_chance(&it->random, 70),
                                         .causal = agree_chance(&it->random, 40),
                                         .return_weights = agree_chance(&it->random, 30)};
    if (agree_chance(&it->random, 20))
        attrs.scale = 0.5f;
    if (agree_chance(&it->random, 25))
        attrs.window = (uint32_t)agree_range(&it->random, 1, 20);
    return attrs;
}

/* key_len and q_start for `rows` entries, each there or not, also far out of range. */
static void draw_ranges(struct agree_case *it, int64_t rows, int64_t keys) {
    if (agree_chance(&it->random, 50))
        agree_integer(it, HEED_I32, 1, &rows, agree_chance(&it->random, 15) ? INT32_MIN : 0,
                      agree_chance(&it->random, 15) ? INT32_MAX : keys);
    else
        agree_absent(it);
    if (agree_chance(&it->random, 50))
        agree_integer(it, HEED_I32, 1, &rows, agree_chance(&it->random, 15) ? INT32_MIN : 0,
                      agree_chance(&it->random, 15) ? INT32_MAX : keys);
    else
        agree_absent(it);
}

static void draw_dense(struct agree_case *it) {
    struct agree_random *random = &it->random;
    const struct heed_attention_attrs attrs = draw_attrs(it);
    const int64_t kv_heads = agree_range(random, 1, 3);
    const int64_t heads = kv_heads * agree_range(random, 1, 3);
    const int64_t b = agree_chance(random, 3) ? 0 : agree_range(random, 1, 4);
    const int64_t tk = agree_dim_or_0(random, agree_chance(random, 15) ? 257 : 33);
    const int64_t tq = agree_chance(random, 40) ? 1 : agree_dim_or_0(random, 9);
    const bool table = agree_chance(random, 40);
    const int64_t bk = table ? agree_range(random, 1, 4) : b;
    const int64_t d = agree_dim(random, agree_chance(random, 10) ? 300 : 65);
    const int64_t q[] = {b, heads, tq, d}, k[] = {bk, kv_heads, tk, d};
    const int64_t v[] = {bk, kv_heads, tk,
                         agree_dim_or_0(random, agree_chance(random, 5) ? 300 : 65)};
    const enum agree_values values = draw_values(it);
    agree_float(it, query_type(it), 4, q, values);
    agree_float(it, query_type(it), 4, k, values);
    agree_float(it, query_type(it), 4, v, draw_v_values(it, values, d));
    if (agree_chance(random, 30)) {
        int64_t bias[] = {b, heads, tq, tk};
        for (int i = 0; i < 4; i++)
            if (agree_chance(random, 30))
                bias[i] = 1;
        const uint32_t dropped = (uint32_t)agree_range(random, 0, 3);
        agree_float(it, agree_float_type(random), 4 - dropped, bias + dropped,
                    agree_chance(random, 30) ? AGREE_MASK : values);
    } else {
        agree_absent(it);
    }
    draw_ranges(it, b, tk);
    if (table) {
        const int64_t rows[] = {b, tk};
        agree_integer(it, HEED_I32, agree_chance(random, 50) ? 1 : 2, rows,
                      agree_chance(random, 30) ? -2 : 0, bk - (agree_chance(random, 70) ? 1 : 0));
    }
    agree_check(it, HEED_OP_ATTENTION, &attrs);
}

/* Ascending offsets of stretches, with gaps before the first and after the last; the total. */
static int64_t draw_offsets(struct agree_case *it, int64_t sequences, int32_t *offsets) {
    int64_t at = agree_chance(&it->random, 20) ? agree_range(&it->random, 0, 3) : 0;
    for (int64_t i = 0; i <= sequences; i++) {
        offsets[i] = (int32_t)at;
        at += agree_chance(&it->random, 15) ? 0 : agree_range(&it->random, 1, 20);
    }
    return offsets[sequences] + (agree_chance(&it->random, 30) ? 3 : 0);
}

static void draw_packed(struct agree_case *it) {
    struct agree_random *random = &it->random;
    struct heed_attention_attrs attrs = draw_attrs(it);
    attrs.max_len = agree_chance(random, 70) ? 64 : (uint32_t)agree_range(random, 1, 12);
    int32_t q_offsets[MOST_SEQUENCES + 1], kv_offsets[MOST_SEQUENCES + 1];
    const bool pack_q = agree_chance(random, 60), pack_kv = !pack_q || agree_chance(random, 60);
    const int64_t sequences = agree_range(random, 1, MOST_SEQUENCES - 1);
    const int64_t heads = agree_range(random, 1, 3), d = agree_dim(random, 33);
    const bool rows = agree_chance(random, 30);
    const int64_t kv_rows = rows ? agree_range(random, 1, MOST_SEQUENCES) : sequences;
    const int64_t tq = pack_q ? draw_offsets(it, sequences, q_offsets) : agree_dim(random, 4);
    const int64_t tk = pack_kv ? draw_offsets(it, kv_rows, kv_offsets) : agree_dim(random, 17);
    const int64_t q[] = {pack_q ? 1 : sequences, heads, tq, d};
    const int64_t k[] = {pack_kv ? 1 : kv_rows, heads, tk, d};
    const int64_t v[] = {k[0], heads, tk, agree_dim(random, 33)};
    const enum agree_values values = draw_values(it);
    agree_float(it, query_type(it), 4, q, values);
    agree_float(it, query_type(it), 4, k, values);
    agree_float(it, query_type(it), 4, v, draw_v_values(it, values, d));
    agree_absent(it);
    draw_ranges(it, sequences, tk);
    if (rows)
        agree_integer(it, HEED_I32, 1, &sequences, -1, kv_rows);
    else
        agree_absent(it);
    if (agree_chance(random, 10)) { /* offsets beyond the end */
        q_offsets[sequences] = INT32_MAX;
        kv_offsets[kv_rows] = INT32_MAX;
    }
    if (pack_q)
        agree_given(it, sequences + 1, q_offsets);
    else
        agree_absent(it);
    if (pack_kv)
        agree_given(it, kv_rows + 1, kv_offsets);
    agree_check(it, HEED_OP_ATTENTION, &attrs);
}

static void test_dense(void **state) {
    agree_cases(*state, HEED_OP_ATTENTION, 700, draw_dense);
}

static void test_packed(void **state) {
    agree_cases(*state, HEED_OP_ATTENTION, 500, draw_packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dense), cmocka_unit_test(test_packed)};
    return agree_main(tests, sizeof tests / sizeof *tests);
}
