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

#include "backends/cpu/attention.h"
#include "scalar.h"

enum { KEYS = 64 }; /* keys of a block */

/* One query and the keys that it may see. */
struct query {
    int64_t batch, head, kv_head;
    int64_t sequence; /* entry of key_len, q_start, kv_row */
    int64_t position; /* t within the sequence */
    int64_t q_offset; /* of q[batch, head, t, 0] */
    struct cpu_attention_keys keys;
    int64_t begin, end; /* visible ones, as far as ranges go */
    int64_t bias_offset;
    const float *q; /* d elements, or NULL if they are too many for the buffer */
};

/* Sequence and position of query t. False if it belongs to none. */
static bool locate_query(const struct cpu_attention *work, int64_t t, struct query *query) {
    query->sequence = query->batch;
    query->position = t;
    if (work->q_offsets->desc == NULL)
        return true;
    for (int64_t i = 0; i + 1 < work->q_offsets->desc->dims[0]; i++) {
        int64_t base = 0, length = 0;
        if (heedi_cpu_attention_stretch(work, work->q_offsets, i, work->queries, &base, &length) &&
            t >= base && t < base + length) {
            query->sequence = i;
            query->position = t - base;
            return true;
        }
    }
    return false;
}

/* False if no key is visible. */
static bool locate_keys(const struct cpu_attention *work, struct query *query) {
    if (!heedi_cpu_attention_keys(work, query->sequence, &query->keys))
        return false;
    heedi_cpu_attention_range(work, &query->keys, query->position, &query->begin, &query->end);
    return query->begin < query->end;
}

static float dot_key(const struct cpu_attention *work, const struct query *query,
                     int64_t k_offset) {
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
static float score_block(const struct cpu_attention *work, const struct query *query, int64_t first,
                         int64_t count, float scores[KEYS], int64_t rows[KEYS]) {
    const int64_t *strides = work->k->desc->strides;
    float max = -INFINITY;
    for (int64_t j = 0; j < count; j++) {
        const int64_t key = first + j;
        rows[j] = query->keys.row >= 0 ? query->keys.row
                                       : heedi_cpu_attention_key_row(work, query->sequence, key);
        if (rows[j] < 0)
            continue;
        scores[j] = work->scale * dot_key(work, query,
                                          rows[j] * strides[0] + query->kv_head * strides[1] +
                                              (query->keys.base + key) * strides[2]);
        if (work->bias->desc != NULL)
            scores[j] +=
                heedi_scalar_load_one(work->bias, query->bias_offset + key * work->bias_strides[3]);
        if (scores[j] > max || scores[j] != scores[j])
            max = scores[j];
    }
    return max;
}

/* y += weight * v, for all dv elements. */
static void add_value(const struct cpu_attention *work, float *y, float weight, int64_t v_offset) {
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
static void online(const struct cpu_attention *work, const struct query *query, float *y,
                   float *max, float *sum) {
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
                          (query->keys.base + first + j) * strides[2]);
        }
    }
    if (*sum == 0.0f)
        return;
    for (int64_t i = 0; i < work->dv; i++)
        y[i] /= *sum;
}

static void store_weights(const struct cpu_attention *work, const struct query *query,
                          int64_t offset, float max, float sum) {
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

static void attend(const struct cpu_attention *work, int64_t item) {
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
    struct cpu_attention work = heedi_cpu_attention(call);
    heedi_cpu_parallel(call, work.q->desc->dims[0] * work.heads * work.queries,
                       work.visible * (work.d + work.dv + 32), attention_range, &work);
}

static enum heed_status prepare(struct heed_plugin *plugin, struct cpu_node *node,
                                struct heed_error *error) {
    (void)plugin;
    (void)error;
    if (node->out[0].desc.dtype != HEED_F32)
        node->scratch_bytes = (size_t)heed_desc_elems(&node->out[0].desc) * sizeof(float);
    return HEED_OK;
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_scalar_kernels[SCALAR_ATTENTION];
    return heedi_cpu_accept_attention(node);
}

const struct cpu_operator heedi_scalar_attention = {
    .attrs_size = sizeof(struct heed_attention_attrs), .accept = accept, .prepare = prepare};
