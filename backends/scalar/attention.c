/* SPDX-License-Identifier: Apache-2.0 */
/* attention, in all the forms that heed/ops.h describes, one query at a time with the softmax
 * computed online (Milakov and Gimelshein 2018, algorithm 3; in blocks of keys as Dao et al. 2022):
 *
 *     m' = max(m, max of the block's scores)
 *     s' = s exp(m - m') + sum exp(score - m')
 *     y' = y exp(m - m') + sum exp(score - m') v
 *
 * and y / s at the end. Where weights are asked for, a second pass computes the scores again and
 * stores exp(score - m) / s; so y has the same bits with and without them. */
#include <math.h>
#include <string.h>

#include "scalar.h"

enum { KEYS = 64 }; /* keys of a block */

struct attention {
    const struct cpu_call *call;
    const struct cpu_operand *q, *k, *v, *bias, *key_len, *q_start, *kv_row;
    const struct cpu_operand *q_offsets, *kv_offsets;
    int64_t heads, queries, keys, d, dv; /* h, tq, tk, d, dv */
    int64_t group;                       /* query heads per key head */
    int64_t bias_strides[HEED_MAX_RANK]; /* along [b, h, tq, tk], 0 where it repeats */
    int64_t weights_len;                 /* last dimension of the returned weights */
    float scale;
};

/* One query and the keys that it may see. */
struct query {
    int64_t batch, head, kv_head;
    int64_t sequence;   /* entry of key_len, q_start, kv_row */
    int64_t position;   /* t within the sequence */
    int64_t q_offset;   /* of q[batch, head, t, 0] */
    int64_t begin, end; /* visible keys, as far as ranges go */
    int64_t row;        /* of k and v; -1: by key, from kv_row */
    int64_t base;       /* where the row's keys begin in packed keys, else 0 */
    int64_t bias_offset;
    const float *q; /* d elements, or NULL if they are too many for the buffer */
};

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static int64_t entry(const struct cpu_operand *x, int64_t index) {
    return heedi_cpu_load_i32(x, index * x->desc->strides[0]);
}

/* Stretch `row` of packed rows [0, total), at most max_len long. False if there is none. */
static bool stretch(const struct attention *work, const struct cpu_operand *offsets, int64_t row,
                    int64_t total, int64_t *base, int64_t *length) {
    if (row < 0 || row + 1 >= offsets->desc->dims[0])
        return false;
    *base = clamp(entry(offsets, row), 0, total);
    const int64_t end = clamp(entry(offsets, row + 1), 0, total);
    *length = clamp(end - *base, 0, (int64_t)work->call->node->attrs.attention.max_len);
    return true;
}

/* Sequence and position of query t. False if it belongs to none. */
static bool locate_query(const struct attention *work, int64_t t, struct query *query) {
    query->sequence = query->batch;
    query->position = t;
    if (work->q_offsets->desc == NULL)
        return true;
    for (int64_t i = 0; i + 1 < work->q_offsets->desc->dims[0]; i++) {
        int64_t base = 0, length = 0;
        if (stretch(work, work->q_offsets, i, work->queries, &base, &length) && t >= base &&
            t < base + length) {
            query->sequence = i;
            query->position = t - base;
            return true;
        }
    }
    return false;
}

/* Row of the keys and range of the visible ones. False if there are none. */
static bool locate_keys(const struct attention *work, struct query *query) {
    const struct heed_attention_attrs *attrs = &work->call->node->attrs.attention;
    int64_t length = work->keys;
    query->base = 0;
    query->row = query->sequence;
    if (work->kv_row->desc != NULL)
        query->row = work->kv_row->desc->rank == 1 ? entry(work->kv_row, query->sequence) : -1;
    if (work->kv_offsets->desc != NULL) {
        if (!stretch(work, work->kv_offsets, query->row, work->keys, &query->base, &length))
            return false;
        query->row = 0;
    } else if (work->kv_row->desc == NULL || work->kv_row->desc->rank == 1) {
        if (query->row < 0 || query->row >= work->k->desc->dims[0])
            return false;
    }
    const int64_t start = work->q_start->desc != NULL ? entry(work->q_start, query->sequence) : 0;
    query->begin = 0;
    query->end = length;
    if (work->key_len->desc != NULL)
        query->end = clamp(entry(work->key_len, query->sequence), 0, length);
    if (attrs->causal)
        query->end = clamp(start + query->position + 1, 0, query->end);
    if (attrs->window > 0)
        query->begin = clamp(start + query->position - (int64_t)attrs->window + 1, 0, query->end);
    return query->begin < query->end;
}

/* Row of key j; -1 if it is not visible. */
static int64_t key_row(const struct attention *work, const struct query *query, int64_t j) {
    if (query->row >= 0)
        return query->row;
    const int64_t *strides = work->kv_row->desc->strides;
    const int64_t row =
        heedi_cpu_load_i32(work->kv_row, query->sequence * strides[0] + j * strides[1]);
    return row >= 0 && row < work->k->desc->dims[0] ? row : -1;
}

static float dot_key(const struct attention *work, const struct query *query, int64_t k_offset) {
    const int64_t q_stride = work->q->desc->strides[3], k_stride = work->k->desc->strides[3];
    float q_buffer[CPU_BLOCK], k_buffer[CPU_BLOCK], lanes[SCALAR_LANES] = {0};
    for (int64_t i = 0; i < work->d; i += CPU_BLOCK) {
        const int64_t count = work->d - i < CPU_BLOCK ? work->d - i : CPU_BLOCK;
        const float *q = query->q;
        if (q == NULL)
            q = heedi_scalar_load(work->q, query->q_offset + i * q_stride, q_stride, count,
                                  q_buffer);
        const float *k =
            heedi_scalar_load(work->k, k_offset + i * k_stride, k_stride, count, k_buffer);
        heedi_scalar_dot(lanes, q, k, count);
    }
    return heedi_scalar_fold(lanes);
}

/* Scores of keys [first, first + count) and their rows (-1: not visible). Returns the greatest
 * score, -inf if no key is visible, NaN if one is. */
static float score_block(const struct attention *work, const struct query *query, int64_t first,
                         int64_t count, float scores[KEYS], int64_t rows[KEYS]) {
    const int64_t *strides = work->k->desc->strides;
    float max = -INFINITY;
    for (int64_t j = 0; j < count; j++) {
        const int64_t key = first + j;
        rows[j] = key_row(work, query, key);
        if (rows[j] < 0)
            continue;
        scores[j] = work->scale * dot_key(work, query,
                                          rows[j] * strides[0] + query->kv_head * strides[1] +
                                              (query->base + key) * strides[2]);
        if (work->bias->desc != NULL)
            scores[j] +=
                heedi_scalar_load_one(work->bias, query->bias_offset + key * work->bias_strides[3]);
        if (scores[j] > max || scores[j] != scores[j])
            max = scores[j];
    }
    return max;
}

/* y += weight * v, for all dv elements. */
static void add_value(const struct attention *work, float *y, float weight, int64_t v_offset) {
    const int64_t stride = work->v->desc->strides[3];
    float buffer[CPU_BLOCK];
    for (int64_t i = 0; i < work->dv; i += CPU_BLOCK) {
        const int64_t count = work->dv - i < CPU_BLOCK ? work->dv - i : CPU_BLOCK;
        const float *v = heedi_scalar_load(work->v, v_offset + i * stride, stride, count, buffer);
        for (int64_t j = 0; j < count; j++)
            y[i + j] += weight * v[j];
    }
}

/* y, which is zero, becomes the attention's result; *max and *sum describe the softmax. */
static void online(const struct attention *work, const struct query *query, float *y, float *max,
                   float *sum) {
    const int64_t *strides = work->v->desc->strides;
    float scores[KEYS];
    int64_t rows[KEYS];
    *max = -INFINITY;
    *sum = 0.0f;
    for (int64_t first = query->begin; first < query->end; first += KEYS) {
        const int64_t count = query->end - first < KEYS ? query->end - first : KEYS;
        const float block_max = score_block(work, query, first, count, scores, rows);
        if (block_max == -INFINITY)
            continue;
        if (!(block_max <= *max)) {
            const float correction = expf(*max - block_max);
            *max = block_max;
            *sum *= correction;
            for (int64_t i = 0; i < work->dv; i++)
                y[i] *= correction;
        }
        for (int64_t j = 0; j < count; j++) {
            if (rows[j] < 0)
                continue;
            const float weight = expf(scores[j] - *max);
            *sum += weight;
            add_value(work, y, weight,
                      rows[j] * strides[0] + query->kv_head * strides[1] +
                          (query->base + first + j) * strides[2]);
        }
    }
    if (*sum == 0.0f)
        return;
    for (int64_t i = 0; i < work->dv; i++)
        y[i] /= *sum;
}

static void store_weights(const struct attention *work, const struct query *query, int64_t offset,
                          float max, float sum) {
    const struct cpu_operand *weights = &work->call->out[1];
    float scores[KEYS];
    int64_t rows[KEYS];
    for (int64_t first = query->begin; first < query->end; first += KEYS) {
        const int64_t count = query->end - first < KEYS ? query->end - first : KEYS;
        score_block(work, query, first, count, scores, rows);
        for (int64_t j = 0; j < count; j++)
            scores[j] = rows[j] >= 0 && sum != 0.0f ? expf(scores[j] - max) / sum : 0.0f;
        heedi_scalar_store(weights, offset + first, count, scores);
    }
}

static void attend(const struct attention *work, int64_t item) {
    const struct cpu_operand *result = &work->call->out[0], *weights = &work->call->out[1];
    const int64_t *strides = work->q->desc->strides;
    const int64_t t = item % work->queries;
    struct query query = {.head = item / work->queries % work->heads,
                          .batch = item / work->queries / work->heads};
    float q_buffer[CPU_BLOCK];
    query.kv_head = query.head / work->group;
    if (weights->desc != NULL)
        heedi_cpu_zero(weights, item * work->weights_len, work->weights_len);
    heedi_cpu_zero(result, item * work->dv, work->dv);
    if (!locate_query(work, t, &query) || !locate_keys(work, &query))
        return;

    query.q_offset = query.batch * strides[0] + query.head * strides[1] + t * strides[2];
    if (work->d <= CPU_BLOCK)
        query.q = heedi_scalar_load(work->q, query.q_offset, strides[3], work->d, q_buffer);
    query.bias_offset = query.batch * work->bias_strides[0] + query.head * work->bias_strides[1] +
                        t * work->bias_strides[2];

    /* Sums are kept in f32: in the result itself or, if it is narrower, in the scratch. */
    float *y =
        heedi_cpu_target(result, item * work->dv, (float *)work->call->scratch + item * work->dv);
    float max = 0.0f, sum = 0.0f;
    memset(y, 0, (size_t)work->dv * sizeof *y);
    online(work, &query, y, &max, &sum);
    heedi_scalar_store(result, item * work->dv, work->dv, y);
    if (weights->desc != NULL)
        store_weights(work, &query, item * work->weights_len, max, sum);
}

static void attention_range(void *arg, int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; item++)
        attend(arg, item);
}

void heed_f32_attention_online__scalar(const struct cpu_call *call) {
    const struct heed_attention_attrs *attrs = &call->node->attrs.attention;
    const struct heed_tensor_desc *q = call->in[HEED_ATTENTION_Q].desc;
    const struct heed_tensor_desc *k = call->in[HEED_ATTENTION_K].desc;
    const struct heed_tensor_desc *bias = call->in[HEED_ATTENTION_BIAS].desc;
    struct attention work = {
        .call = call,
        .q = &call->in[HEED_ATTENTION_Q],
        .k = &call->in[HEED_ATTENTION_K],
        .v = &call->in[HEED_ATTENTION_V],
        .bias = &call->in[HEED_ATTENTION_BIAS],
        .key_len = &call->in[HEED_ATTENTION_KEY_LEN],
        .q_start = &call->in[HEED_ATTENTION_Q_START],
        .kv_row = &call->in[HEED_ATTENTION_KV_ROW],
        .q_offsets = &call->in[HEED_ATTENTION_Q_OFFSETS],
        .kv_offsets = &call->in[HEED_ATTENTION_KV_OFFSETS],
        .heads = q->dims[1],
        .queries = q->dims[2],
        .keys = k->dims[2],
        .d = q->dims[3],
        .dv = call->in[HEED_ATTENTION_V].desc->dims[3],
        .group = k->dims[1] > 0 ? q->dims[1] / k->dims[1] : 1,
        .weights_len = call->out[1].desc != NULL ? call->out[1].desc->dims[3] : 0,
        .scale = 1.0f,
    };
    if (attrs->score == HEED_SCORE_SCALED)
        work.scale = attrs->scale != 0.0f ? attrs->scale : 1.0f / sqrtf((float)work.d);
    for (uint32_t i = 0; bias != NULL && i < bias->rank; i++)
        work.bias_strides[HEED_MAX_RANK - bias->rank + i] =
            bias->dims[i] != 1 ? bias->strides[i] : 0;
    const int64_t visible = attrs->max_len > 0 && (int64_t)attrs->max_len < work.keys
                                ? (int64_t)attrs->max_len
                                : work.keys;
    heedi_cpu_parallel(call, q->dims[0] * work.heads * work.queries,
                       visible * (work.d + work.dv + 32), attention_range, &work);
}

static enum heed_status prepare(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct cpu_node *node, struct heed_error *error) {
    (void)plugin;
    (void)subgraph;
    (void)error;
    if (node->out[0].desc.dtype != HEED_F32)
        node->scratch_bytes = (size_t)heed_desc_elems(&node->out[0].desc) * sizeof(float);
    return HEED_OK;
}

static bool absent_or_i32(const struct cpu_tensor *tensor) {
    return !heedi_cpu_present(tensor) || tensor->desc.dtype == HEED_I32;
}

static const char *accept(struct cpu_node *node) {
    const struct heed_attention_attrs *attrs = &node->attrs.attention;
    if (attrs->score > HEED_SCORE_SCALED)
        return "unknown kind of score";
    if (attrs->causal > 1 || attrs->return_weights > 1)
        return "unknown value of a flag";
    for (int i = HEED_ATTENTION_Q; i <= HEED_ATTENTION_V; i++)
        if (!heedi_cpu_is_float(&node->in[i]) || node->in[i].desc.rank != 4)
            return "q, k and v must be of a float type and have four dimensions";
    if (heedi_cpu_present(&node->in[HEED_ATTENTION_BIAS]) &&
        !heedi_cpu_is_float(&node->in[HEED_ATTENTION_BIAS]))
        return "the bias must be of a float type";
    for (int i = HEED_ATTENTION_KEY_LEN; i <= HEED_ATTENTION_KV_OFFSETS; i++)
        if (!absent_or_i32(&node->in[i]))
            return "lengths, starts, rows and offsets must be i32";
    if (!heedi_cpu_is_float(&node->out[0]) || node->out[0].desc.rank != 4 ||
        (attrs->return_weights != 0) != heedi_cpu_is_float(&node->out[1]))
        return "the results must be of a float type, and weights there where they are asked for";
    node->kernel = &heedi_scalar_kernels[SCALAR_ATTENTION];
    return NULL;
}

const struct cpu_operator heedi_scalar_attention = {
    .attrs_size = sizeof(struct heed_attention_attrs), .accept = accept, .prepare = prepare};
