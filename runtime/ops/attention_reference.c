/* SPDX-License-Identifier: Apache-2.0 */
/* attention in double precision, one query at a time, straight from the definition in heed/ops.h.
 *
 * Magnitude: with scores s_j computed with an absolute error of (d + 2) u S_j, S_j = scale sum
 * |q||k| + |bias|, and S the greatest among keys with a weight, each weight w_j errs by a factor
 * within exp(+-2 (d + 2) u S) from the scores, plus (n + 2 (m - s_j) + c) u w_j as in softmax,
 * where m - s_j <= 2 S. So w_j errs by gamma(depth) w_j (1 + 4 S), and y by gamma(depth) sum_j w_j
 * |v_j| (1 + 4 S), as long as the exponent is below 1/2 for the coarsest f32 arithmetic, u = 2^-23.
 *
 * Larger scores tell little of the weights in f32. Yet what is computed are weights: none is
 * negative, and their sum is 1 but for gamma(depth). So w_j errs by less than 2 and y by less than
 * 3 max |v_j|, as long as no score overflows; this is gamma(depth) M for the finest arithmetic, u =
 * 2^-24, with M = 3 max |v_j| 2^24 / depth. The smaller of the two magnitudes holds.
 *
 * Keys far below the greatest score m, as masks of -1e9 put them, have no weight: where S_j <= 4 (m
 * - s_j), s_j errs by less than half its distance from m, and half a distance of 1492 is one at
 * which exp() is 0 in double precision, and long before in f32. */
#include <math.h>

#include "runtime/ops/attention.h"
#include "runtime/ops/rows.h"

enum { PIECE = 64 }; /* of a head that is loaded at once */

/* One query of one head: where it is, and which keys it may see. */
struct query {
    int64_t row, head, time;  /* in q */
    int64_t sequence, moment; /* in the dynamic tensors, and t in the causal predicate */
};

static int64_t dynamic(const struct heedi_reference *reference, uint32_t input, int64_t index,
                       int64_t missing) {
    return heedi_load_index(heedi_attention_input(reference->call, input), reference->data[input],
                            index, missing);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

/* The stretch [*begin, *end) of packed rows, clamped to `total` and to max_len rows. */
static void stretch(const struct heedi_reference *reference, uint32_t input, int64_t index,
                    int64_t total, int64_t *begin, int64_t *end) {
    const struct heed_attention_attrs *attrs = reference->call->attrs;
    *begin = clamp(dynamic(reference, input, index, 0), 0, total);
    *end = clamp(dynamic(reference, input, index + 1, 0), *begin, total);
    if (*end - *begin > (int64_t)attrs->max_len)
        *end = *begin + (int64_t)attrs->max_len;
}

/* Where the vector of a row, a head and a moment begins. */
static int64_t offset4(const struct heed_tensor_desc *desc, int64_t row, int64_t head,
                       int64_t time) {
    return row * desc->strides[0] + head * desc->strides[1] + time * desc->strides[2];
}

static double load_bias(const struct heedi_reference *reference, const struct query *query,
                        int64_t key) {
    const struct heed_tensor_desc *bias =
        heedi_attention_input(reference->call, HEED_ATTENTION_BIAS);
    if (bias == NULL)
        return 0;
    const int64_t full[] = {query->row, query->head, query->time, key};
    int64_t offset = 0;
    for (uint32_t i = 0; i < bias->rank; i++)
        offset += bias->dims[i] == 1 ? 0 : full[HEED_MAX_RANK - bias->rank + i] * bias->strides[i];
    return heedi_load(reference->data[HEED_ATTENTION_BIAS], bias->dtype, offset);
}

/* Row of k and v that holds key j, or -1 when the key is not visible. */
static int64_t key_row(const struct heedi_reference *reference, const struct query *query,
                       int64_t key) {
    const struct heed_attention_attrs *attrs = reference->call->attrs;
    const struct heed_tensor_desc *table =
        heedi_attention_input(reference->call, HEED_ATTENTION_KV_ROW);
    const int64_t start = dynamic(reference, HEED_ATTENTION_Q_START, query->sequence, 0);
    if (attrs->causal && key > start + query->moment)
        return -1;
    if (attrs->window > 0 && key <= start + query->moment - (int64_t)attrs->window)
        return -1;
    int64_t row = query->sequence;
    if (table != NULL)
        row = ((const int32_t *)reference
                   ->data[HEED_ATTENTION_KV_ROW])[query->sequence * table->strides[0] +
                                                  (table->rank == 2 ? key * table->strides[1] : 0)];
    const struct heed_tensor_desc *offsets =
        heedi_attention_input(reference->call, HEED_ATTENTION_KV_OFFSETS);
    const int64_t rows =
        offsets != NULL ? offsets->dims[0] - 1 : reference->call->inputs[HEED_ATTENTION_K]->dims[0];
    return row >= 0 && row < rows ? row : -1;
}

/* Keys of a row: [*begin, *begin + result) along the time of k. */
static int64_t key_range(const struct heedi_reference *reference, int64_t row, int64_t *begin) {
    const int64_t total = reference->call->inputs[HEED_ATTENTION_K]->dims[2];
    *begin = 0;
    if (heedi_attention_input(reference->call, HEED_ATTENTION_KV_OFFSETS) == NULL)
        return total;
    int64_t end;
    stretch(reference, HEED_ATTENTION_KV_OFFSETS, row, total, begin, &end);
    return end - *begin;
}

/* Score of a key; *visible says whether it takes part, *absolute is S_j, *row and *at where it is.
 */
static double score(const struct heedi_reference *reference, const struct query *query, int64_t key,
                    bool *visible, double *absolute, int64_t *row, int64_t *at) {
    const struct heed_tensor_desc *q = reference->call->inputs[HEED_ATTENTION_Q];
    const struct heed_tensor_desc *k = reference->call->inputs[HEED_ATTENTION_K];
    const bool packed = heedi_attention_input(reference->call, HEED_ATTENTION_KV_OFFSETS) != NULL;
    *visible = false;
    *row = key_row(reference, query, key);
    if (*row < 0)
        return 0;
    const int64_t length = key_range(reference, *row, at);
    if (key >=
        clamp(dynamic(reference, HEED_ATTENTION_KEY_LEN, query->sequence, length), 0, length))
        return 0;
    *visible = true;
    *at += key;
    *row = packed ? 0 : *row;
    const int64_t kv_head = query->head / (q->dims[1] / k->dims[1]);
    const double scale = (double)heedi_attention_scale(reference->call);
    const double bias = load_bias(reference, query, key);
    const int64_t q_at = offset4(q, query->row, query->head, query->time);
    const int64_t k_at = offset4(k, *row, kv_head, *at);
    double sum = 0, sum_absolute = 0;
    for (int64_t begin = 0; begin < q->dims[3]; begin += PIECE) {
        const int64_t rest = q->dims[3] - begin, count = rest < PIECE ? rest : PIECE;
        double left[PIECE], right[PIECE];
        heedi_load_many(reference->data[HEED_ATTENTION_Q], q->dtype, q_at + begin * q->strides[3],
                        q->strides[3], count, left);
        heedi_load_many(reference->data[HEED_ATTENTION_K], k->dtype, k_at + begin * k->strides[3],
                        k->strides[3], count, right);
        for (int64_t i = 0; i < count; i++) {
            sum += left[i] * right[i];
            sum_absolute += fabs(left[i] * right[i]);
        }
    }
    *absolute = fabs(scale) * sum_absolute + fabs(bias);
    return scale * sum + bias;
}

/* What is known of a query's keys before their values are summed. */
struct keys {
    double peak, sum; /* of the scores, of their exponentials */
    double growth;    /* 1 + 4 S, infinite where S tells nothing */
    double convex;    /* 3 * 2^24 / depth, infinite where a score may overflow */
};

/* Whether a key has no weight in any arithmetic. */
static bool vanishes(double s, double absolute, double peak) {
    const double distance = peak - s;
    return s == -INFINITY || (distance > 1492 && absolute <= 4 * distance);
}

static struct keys look_at_keys(const struct heedi_reference *reference,
                                const struct query *query) {
    const struct heedi_call *call = reference->call;
    const int64_t keys = call->inputs[HEED_ATTENTION_K]->dims[2];
    const double d = (double)call->inputs[HEED_ATTENTION_Q]->dims[3];
    const double unscaled = fmin(1, fabs((double)heedi_attention_scale(call)));
    struct keys it = {.peak = -INFINITY};
    double spread = 0, greatest = 0, absolute = 0; /* S of keys with a weight, of all */
    bool visible;
    int64_t row, at;
    for (int64_t j = 0; j < keys; j++) {
        const double s = score(reference, query, j, &visible, &absolute, &row, &at);
        if (visible && (isnan(s) || s > it.peak))
            it.peak = s; /* NaN stays: nothing is greater */
    }
    for (int64_t j = 0; j < keys && it.peak != -INFINITY; j++) {
        const double s = score(reference, query, j, &visible, &absolute, &row, &at);
        if (!visible)
            continue;
        it.sum += exp(s - it.peak);
        if (s != -INFINITY && absolute > greatest)
            greatest = absolute;
        if (!vanishes(s, absolute, it.peak) && absolute > spread)
            spread = absolute;
    }
    it.growth = 2 * (d + 2) * 0x1p-23 * spread < 0.5 ? 1 + 4 * spread : INFINITY;
    it.convex = greatest < 0x1p126 * unscaled
                    ? 3 * 0x1p24 / heedi_op_find(HEED_OP_ATTENTION)->depth(call)
                    : INFINITY;
    return it;
}

/* The smaller of the two; 0 times an infinite growth has no bound. */
static double magnitude_of(const struct keys *keys, double weighted, double greatest) {
    const double grown = isfinite(keys->growth) ? weighted * keys->growth : INFINITY;
    return fmin(grown, isfinite(keys->convex) ? greatest * keys->convex : INFINITY);
}

static void one_query(const struct heedi_reference *reference, const struct query *query) {
    const struct heedi_call *call = reference->call;
    const struct heed_tensor_desc *q = call->inputs[HEED_ATTENTION_Q];
    const struct heed_tensor_desc *k = call->inputs[HEED_ATTENTION_K];
    const struct heed_tensor_desc *v = call->inputs[HEED_ATTENTION_V];
    const int64_t width = call->outputs[0].dims[3];
    const int64_t kv_head = query->head / (q->dims[1] / k->dims[1]);
    const int64_t at_row = (query->row * q->dims[1] + query->head) * q->dims[2] + query->time;
    const int64_t limit = call->output_count > 1 ? call->outputs[1].dims[3] : 0;
    double *y = reference->out[0] + at_row * width;
    double *magnitude =
        reference->magnitude[0] == NULL ? NULL : reference->magnitude[0] + at_row * width;
    double greatest = 0, absolute = 0;
    bool visible;
    int64_t row, at;
    const struct keys keys = look_at_keys(reference, query);
    if (keys.peak == -INFINITY) /* no key is visible */
        return;
    for (int64_t j = 0; j < k->dims[2]; j++) {
        const double s = score(reference, query, j, &visible, &absolute, &row, &at);
        if (!visible)
            continue;
        const double weight = exp(s - keys.peak) / keys.sum;
        const int64_t v_at = offset4(v, row, kv_head, at);
        for (int64_t i = 0; i < width; i++) {
            const double value =
                heedi_load(reference->data[HEED_ATTENTION_V], v->dtype, v_at + i * v->strides[3]);
            y[i] += weight * value;
            greatest = fmax(greatest, fabs(value));
            if (magnitude != NULL)
                magnitude[i] += fabs(weight * value);
        }
        if (j < limit) {
            reference->out[1][at_row * limit + j] = weight;
            if (reference->magnitude[1] != NULL)
                reference->magnitude[1][at_row * limit + j] = magnitude_of(&keys, weight, 1);
        }
    }
    for (int64_t i = 0; i < width && magnitude != NULL; i++)
        magnitude[i] = magnitude_of(&keys, magnitude[i], greatest);
}

static void clear_outputs(const struct heedi_reference *reference) {
    for (uint32_t output = 0; output < reference->call->output_count; output++) {
        const int64_t elems = heed_desc_elems(&reference->call->outputs[output]);
        for (int64_t i = 0; i < elems; i++) {
            reference->out[output][i] = 0;
            if (reference->magnitude[output] != NULL)
                reference->magnitude[output][i] = 0;
        }
    }
}

void heedi_attention_reference(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *q = reference->call->inputs[HEED_ATTENTION_Q];
    const struct heed_tensor_desc *offsets =
        heedi_attention_input(reference->call, HEED_ATTENTION_Q_OFFSETS);
    const int64_t sequences = offsets == NULL ? q->dims[0] : offsets->dims[0] - 1;
    clear_outputs(reference);
    for (int64_t i = 0; i < sequences; i++) {
        int64_t begin = 0, end = q->dims[2];
        if (offsets != NULL)
            stretch(reference, HEED_ATTENTION_Q_OFFSETS, i, q->dims[2], &begin, &end);
        for (int64_t head = 0; head < q->dims[1]; head++)
            for (int64_t t = begin; t < end; t++) {
                const struct query query = {.row = offsets == NULL ? i : 0,
                                            .head = head,
                                            .time = t,
                                            .sequence = i,
                                            .moment = t - begin};
                one_query(reference, &query);
            }
    }
}
