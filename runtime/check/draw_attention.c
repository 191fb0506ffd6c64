/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of attention, in all the forms of heed/ops.h. */
#include "runtime/check/draw.h"

enum { MOST_SEQUENCES = 5 };

static enum heed_dtype query_type(struct heedi_random *random) {
    return heedi_random_chance(random, 60) ? HEED_F32 : heedi_random_float_type(random);
}

/* Of q and k. Hostile scores, of outliers and of logits that spread over thousands, tell little of
 * the weights in f32: what is left to judge is in runtime/ops/attention_reference.c. */
static enum heedi_values draw_values(struct heedi_random *random) {
    static const enum heedi_values values[] = {
        HEEDI_VALUES_NORMAL, HEEDI_VALUES_NORMAL, HEEDI_VALUES_NORMAL,   HEEDI_VALUES_NORMAL,
        HEEDI_VALUES_TIES,   HEEDI_VALUES_TIES,   HEEDI_VALUES_SPECIAL,  HEEDI_VALUES_HEAVY,
        HEEDI_VALUES_TINY,   HEEDI_VALUES_LARGE,  HEEDI_VALUES_OUTLIERS,
    };
    return values[heedi_random_range(random, 0, sizeof values / sizeof *values - 1)];
}

/* What meets q: the same half of the time, else mild, so that scores are as q is. */
static enum heedi_values draw_k_values(struct heedi_random *random, enum heedi_values q_values) {
    return heedi_random_chance(random, 50) ? q_values : HEEDI_VALUES_NORMAL;
}

/* Of v. An infinite one is asked for only where no weight vanishes in f32 that does not in f64:
 * zero times infinity is NaN. */
static enum heedi_values draw_v_values(struct heedi_random *random, enum heedi_values q_values,
                                       enum heedi_values bias_values, int64_t d) {
    const enum heedi_values values = heedi_random_values(random);
    const bool vanishes =
        q_values != HEEDI_VALUES_NORMAL || bias_values == HEEDI_VALUES_LARGE || d > 17;
    return values == HEEDI_VALUES_SPECIAL && vanishes ? HEEDI_VALUES_HEAVY : values;
}

/* Logits that the model adds, masks of both kinds, or what q is like. */
static enum heedi_values draw_bias_values(struct heedi_random *random, enum heedi_values q_values) {
    const int64_t kind = heedi_random_range(random, 0, 9);
    return kind < 3   ? HEEDI_VALUES_MASK
           : kind < 4 ? HEEDI_VALUES_FINITE_MASK
           : kind < 6 ? HEEDI_VALUES_LARGE
                      : q_values;
}

static void draw_attrs(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    struct heed_attention_attrs *attrs = &drawing->it->attrs.attention;
    attrs->struct_size = sizeof *attrs;
    attrs->score = heedi_random_chance(random, 70);
    attrs->causal = heedi_random_chance(random, 40);
    attrs->return_weights = heedi_random_chance(random, 30);
    if (heedi_random_chance(random, 20))
        attrs->scale = 0.5f;
    if (heedi_random_chance(random, 25))
        attrs->window = (uint32_t)heedi_random_range(random, 1, 20);
}

/* key_len and q_start for `rows` entries, each there or not, also far out of range. */
static void draw_ranges(struct heedi_drawing *drawing, int64_t rows, const char *axes,
                        int64_t keys) {
    struct heedi_random *random = &drawing->random;
    for (int i = 0; i < 2; i++) {
        if (!heedi_random_chance(random, 50)) {
            heedi_draw_absent(drawing);
            continue;
        }
        const int64_t low = heedi_random_chance(random, 15) ? INT32_MIN : 0;
        const int64_t high = heedi_random_chance(random, 15) ? INT32_MAX : keys;
        heedi_draw_integer(drawing, HEED_I32, 1, &rows, axes, low, high);
    }
}

static void draw_bias(struct heedi_drawing *drawing, const int64_t dims[4],
                      enum heedi_values values) {
    struct heedi_random *random = &drawing->random;
    int64_t bias[HEED_MAX_RANK];
    for (int i = 0; i < 4; i++)
        bias[i] = heedi_random_chance(random, 30) ? 1 : dims[i];
    const uint32_t dropped = (uint32_t)heedi_random_range(random, 0, 3);
    const enum heed_dtype dtype = heedi_random_float_type(random);
    heedi_draw_float(drawing, dtype, 4 - dropped, bias + dropped, &"bhqk"[dropped], values);
}

static void draw_dense(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    const int64_t kv_heads = heedi_random_range(random, 1, 3);
    const int64_t heads = kv_heads * heedi_random_range(random, 1, 3);
    const int64_t b = heedi_random_chance(random, 3) ? 0 : heedi_random_range(random, 1, 4);
    const int64_t tk = heedi_random_dim_or_0(random, heedi_random_chance(random, 15) ? 257 : 33);
    const int64_t tq = heedi_random_chance(random, 40) ? 1 : heedi_random_dim_or_0(random, 9);
    const bool table = heedi_random_chance(random, 40);
    const int64_t bk = table ? heedi_random_range(random, 1, 4) : b;
    const int64_t d = heedi_random_dim(random, heedi_random_chance(random, 10) ? 300 : 65);
    const int64_t dv = heedi_random_dim_or_0(random, heedi_random_chance(random, 5) ? 300 : 65);
    const int64_t q[] = {b, heads, tq, d}, k[] = {bk, kv_heads, tk, d};
    const int64_t v[] = {bk, kv_heads, tk, dv}, scores[] = {b, heads, tq, tk};
    const enum heedi_values values = draw_values(random);
    const char row = table ? 'r' : 'b';
    const char k_axes[] = {row, 'g', 'k', 'd'}, v_axes[] = {row, 'g', 'k', 'v'};
    const char *group = heads == kv_heads ? "bgqd" : "bhqd";
    heedi_draw_float(drawing, query_type(random), 4, q, group, values);
    heedi_draw_float(drawing, query_type(random), 4, k, k_axes, draw_k_values(random, values));
    const bool biased = heedi_random_chance(random, 30);
    const enum heedi_values bias_values =
        biased ? draw_bias_values(random, values) : HEEDI_VALUES_NORMAL;
    const enum heedi_values v_values = draw_v_values(random, values, bias_values, d);
    heedi_draw_float(drawing, query_type(random), 4, v, v_axes, v_values);
    if (biased)
        draw_bias(drawing, scores, bias_values);
    else
        heedi_draw_absent(drawing);
    draw_ranges(drawing, b, "b", tk);
    if (table) {
        const int64_t rows[] = {b, tk};
        const uint32_t rank = heedi_random_chance(random, 50) ? 1 : 2;
        const int64_t low = heedi_random_chance(random, 30) ? -2 : 0;
        heedi_draw_integer(drawing, HEED_I32, rank, rows, "bk", low,
                           bk - (heedi_random_chance(random, 70) ? 1 : 0));
    }
}

/* Ascending offsets of stretches, with gaps before the first and after the last; the total. */
static int64_t draw_offsets(struct heedi_random *random, int64_t sequences, int32_t *offsets) {
    int64_t at = heedi_random_chance(random, 20) ? heedi_random_range(random, 0, 3) : 0;
    for (int64_t i = 0; i <= sequences; i++) {
        offsets[i] = (int32_t)at;
        at += heedi_random_chance(random, 15) ? 0 : heedi_random_range(random, 1, 20);
    }
    return offsets[sequences] + (heedi_random_chance(random, 30) ? 3 : 0);
}

static void draw_packed(struct heedi_drawing *drawing) {
    struct heedi_random *random = &drawing->random;
    struct heed_attention_attrs *attrs = &drawing->it->attrs.attention;
    attrs->max_len =
        heedi_random_chance(random, 70) ? 64 : (uint32_t)heedi_random_range(random, 1, 12);
    int32_t q_offsets[MOST_SEQUENCES + 1] = {0}, kv_offsets[MOST_SEQUENCES + 1] = {0};
    const bool pack_q = heedi_random_chance(random, 60);
    const bool pack_kv = !pack_q || heedi_random_chance(random, 60);
    const int64_t sequences = heedi_random_range(random, 1, MOST_SEQUENCES - 1);
    const int64_t heads = heedi_random_range(random, 1, 3), d = heedi_random_dim(random, 33);
    const bool rows = heedi_random_chance(random, 30);
    const int64_t kv_rows = rows ? heedi_random_range(random, 1, MOST_SEQUENCES) : sequences;
    const int64_t tq =
        pack_q ? draw_offsets(random, sequences, q_offsets) : heedi_random_dim(random, 4);
    const int64_t tk =
        pack_kv ? draw_offsets(random, kv_rows, kv_offsets) : heedi_random_dim(random, 17);
    const int64_t dv = heedi_random_dim(random, 33);
    const int64_t q[] = {pack_q ? 1 : sequences, heads, tq, d};
    const int64_t k[] = {pack_kv ? 1 : kv_rows, heads, tk, d}, v[] = {k[0], heads, tk, dv};
    const enum heedi_values values = draw_values(random);
    const char row = rows ? 'r' : 's', kv_row = pack_kv ? '.' : row;
    const char q_axes[] = {pack_q ? '.' : 's', 'h', 'q', 'd'};
    const char k_axes[] = {kv_row, 'h', 'k', 'd'}, v_axes[] = {kv_row, 'h', 'k', 'v'};
    heedi_draw_float(drawing, query_type(random), 4, q, q_axes, values);
    heedi_draw_float(drawing, query_type(random), 4, k, k_axes, draw_k_values(random, values));
    const enum heedi_values v_values = draw_v_values(random, values, HEEDI_VALUES_NORMAL, d);
    heedi_draw_float(drawing, query_type(random), 4, v, v_axes, v_values);
    heedi_draw_absent(drawing);
    draw_ranges(drawing, sequences, "s", tk);
    if (rows)
        heedi_draw_integer(drawing, HEED_I32, 1, &sequences, "s", -1, kv_rows);
    else
        heedi_draw_absent(drawing);
    if (heedi_random_chance(random, 10)) { /* offsets beyond the end */
        q_offsets[sequences] = INT32_MAX;
        kv_offsets[kv_rows] = INT32_MAX;
    }
    if (pack_q)
        heedi_draw_given(drawing, sequences + 1, "S", q_offsets);
    else
        heedi_draw_absent(drawing);
    if (pack_kv)
        heedi_draw_given(drawing, kv_rows + 1, rows ? "R" : "S", kv_offsets);
}

void heedi_draw_attention(struct heedi_drawing *drawing) {
    draw_attrs(drawing);
    if (heedi_random_chance(&drawing->random, 58))
        draw_dense(drawing);
    else
        draw_packed(drawing);
}
