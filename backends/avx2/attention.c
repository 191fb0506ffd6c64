/* SPDX-License-Identifier: Apache-2.0 */
/* attention, in all the forms that heed/ops.h describes, a tile of 64 keys at a time with the
 * softmax computed online (Milakov and Gimelshein 2018, algorithm 3; in tiles as Dao et al. 2022):
 *
 *     m' = max(m, max of the tile's scores)
 *     s' = s exp(m - m') + sum exp(score - m')
 *     y' = y exp(m - m') + sum exp(score - m') v
 *
 * and y / s at the end. Where weights are asked for, a second pass computes the scores again and
 * stores exp(score - m) / s; so y has the same bits with and without them.
 *
 * A piece of work is up to 144 neighbouring queries of one sequence and head, whose keys are packed
 * a tile at a time on the stack; one or two queries, as in decoding, read keys where they lie.
 * Tiles begin at multiples of 64 keys of the sequence, so the bits of a query depend neither on its
 * neighbours nor on where the sequence stands. */
#include <math.h>
#include <string.h>

#include "attention.h"
#include "functions.h"
#include "vector.h"

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

/* Row of the keys of a run, or -1 for a row by key, and how many there are from `base` on. False if
 * there are none. */
static bool locate_keys(const struct attention *work, struct attention_run *run, int64_t *base,
                        int64_t *length) {
    *base = 0;
    *length = work->keys;
    run->row = run->sequence;
    if (work->kv_row->desc != NULL)
        run->row = work->kv_row->desc->rank == 1 ? entry(work->kv_row, run->sequence) : -1;
    if (work->kv_offsets->desc != NULL) {
        if (!stretch(work, work->kv_offsets, run->row, work->keys, base, length))
            return false;
        run->row = 0;
    } else if (work->kv_row->desc == NULL || work->kv_row->desc->rank == 1) {
        if (run->row < 0 || run->row >= work->k->desc->dims[0])
            return false;
    }
    if (work->key_len->desc != NULL)
        *length = clamp(entry(work->key_len, run->sequence), 0, *length);
    return *length > 0;
}

/* Which of `length` keys the queries from `position` on see. */
static void find_ranges(const struct attention *work, int64_t position, int64_t length,
                        struct attention_run *run) {
    const struct heed_attention_attrs *attrs = &work->call->node->attrs.attention;
    const int64_t start = work->q_start->desc != NULL ? entry(work->q_start, run->sequence) : 0;
    for (int64_t r = 0; r < run->rows; r++) {
        const int64_t at = start + position + r;
        run->begin[r] = 0;
        run->end[r] = attrs->causal ? clamp(at + 1, 0, length) : length;
        if (attrs->window > 0)
            run->begin[r] = clamp(at - (int64_t)attrs->window + 1, 0, run->end[r]);
    }
}

/* Queries [first, last) of one sequence, which begins at query `base`. */
static void attend_sequence(const struct attention *work, int64_t batch, int64_t head,
                            int64_t sequence, int64_t base, int64_t first, int64_t last) {
    const int64_t *q = work->q->desc->strides, *k = work->k->desc->strides;
    const int64_t *v = work->v->desc->strides;
    struct attention_run run;
    int64_t keys = 0, length = 0;
    run.rows = last - first;
    run.sequence = sequence;
    run.item = (batch * work->heads + head) * work->queries + first;
    if (run.rows <= 0 || !locate_keys(work, &run, &keys, &length))
        return;
    const int64_t kv_head = head / work->group;
    run.q_offset = batch * q[0] + head * q[1] + first * q[2];
    run.k_offset = kv_head * k[1] + keys * k[2];
    run.v_offset = kv_head * v[1] + keys * v[2];
    run.bias_offset = batch * work->bias_strides[0] + head * work->bias_strides[1] +
                      first * work->bias_strides[2];
    find_ranges(work, first - base, length, &run);
    heedi_avx2_attend(work, &run);
}

/* Blocks of queries: [batch][head][block]. */
static void attention_range(void *arg, int64_t begin, int64_t end) {
    const struct attention *work = arg;
    const struct cpu_operand *y = &work->call->out[0], *weights = &work->call->out[1];
    const int64_t blocks = (work->queries + work->block - 1) / work->block;
    for (int64_t item = begin; item < end; item++) {
        const int64_t head = item / blocks % work->heads, batch = item / blocks / work->heads;
        const int64_t first = item % blocks * work->block;
        const int64_t last =
            first + work->block < work->queries ? first + work->block : work->queries;
        const int64_t row = (batch * work->heads + head) * work->queries + first;
        heedi_cpu_zero(y, row * work->dv, (last - first) * work->dv);
        if (weights->desc != NULL)
            heedi_cpu_zero(weights, row * work->weights_len, (last - first) * work->weights_len);
        if (work->q_offsets->desc == NULL) {
            attend_sequence(work, batch, head, batch, 0, first, last);
            continue;
        }
        for (int64_t i = 0; i + 1 < work->q_offsets->desc->dims[0]; i++) {
            int64_t base = 0, length = 0;
            if (stretch(work, work->q_offsets, i, work->queries, &base, &length))
                attend_sequence(work, batch, head, i, base, base > first ? base : first,
                                base + length < last ? base + length : last);
        }
    }
}

void heed_f32_attention_online__avx2(const struct cpu_call *call) {
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
    /* Keys are packed once for all queries of a piece: the more the better. */
    const int64_t width = work.d > work.dv ? work.d : work.dv;
    work.block = width <= ATTENTION_WIDTH / 2 ? ATTENTION_ROWS : ATTENTION_ROWS / 2;
    const int64_t blocks = (work.queries + work.block - 1) / work.block;
    const int64_t rows = work.queries < work.block ? work.queries : work.block;
    heedi_cpu_parallel(call, q->dims[0] * work.heads * blocks,
                       rows * visible * (work.d + work.dv + 32) / 12, attention_range, &work);
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
    if (node->in[HEED_ATTENTION_Q].desc.dims[3] > ATTENTION_WIDTH ||
        node->in[HEED_ATTENTION_V].desc.dims[3] > ATTENTION_WIDTH)
        return "heads are wider than 128";
    if (heedi_cpu_present(&node->in[HEED_ATTENTION_BIAS]) &&
        !heedi_cpu_is_float(&node->in[HEED_ATTENTION_BIAS]))
        return "the bias must be of a float type";
    for (int i = HEED_ATTENTION_KEY_LEN; i <= HEED_ATTENTION_KV_OFFSETS; i++)
        if (!absent_or_i32(&node->in[i]))
            return "lengths, starts, rows and offsets must be i32";
    if (!heedi_cpu_is_float(&node->out[0]) || node->out[0].desc.rank != 4 ||
        (attrs->return_weights != 0) != heedi_cpu_is_float(&node->out[1]))
        return "the results must be of a float type, and weights there where they are asked for";
    for (uint32_t i = HEED_ATTENTION_Q; i <= HEED_ATTENTION_V; i++)
        heedi_cpu_want_lines(node, i);
    node->kernel = &heedi_avx2_kernels[AVX2_ATTENTION];
    return NULL;
}

const struct cpu_operator heedi_avx2_attention = {.attrs_size = sizeof(struct heed_attention_attrs),
                                                  .accept = accept};
