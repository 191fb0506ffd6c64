/* SPDX-License-Identifier: Apache-2.0 */
/* attention: who sees which keys, by the rules of heed/ops.h. */
#include "attention.h"

#include <math.h>

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static int64_t entry(const struct cpu_operand *x, int64_t index) {
    return heedi_cpu_load_i32(x, index * x->desc->strides[0]);
}

struct cpu_attention heedi_cpu_attention(const struct cpu_call *call) {
    const struct heed_attention_attrs *attrs = &call->node->attrs.attention;
    const struct heed_tensor_desc *q = call->in[HEED_ATTENTION_Q].desc;
    const struct heed_tensor_desc *k = call->in[HEED_ATTENTION_K].desc;
    const struct heed_tensor_desc *bias = call->in[HEED_ATTENTION_BIAS].desc;
    struct cpu_attention work = {
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
        .visible = k->dims[2],
        .group = k->dims[1] > 0 ? q->dims[1] / k->dims[1] : 1,
        .weights_len = call->out[1].desc != NULL ? call->out[1].desc->dims[3] : 0,
        .scale = 1.0f,
    };
    if (attrs->score == HEED_SCORE_SCALED)
        work.scale = attrs->scale != 0.0f ? attrs->scale : 1.0f / sqrtf((float)work.d);
    for (uint32_t i = 0; bias != NULL && i < bias->rank; i++)
        work.bias_strides[HEED_MAX_RANK - bias->rank + i] =
            bias->dims[i] != 1 ? bias->strides[i] : 0;
    if (attrs->max_len > 0 && (int64_t)attrs->max_len < work.keys)
        work.visible = (int64_t)attrs->max_len;
    return work;
}

bool heedi_cpu_attention_stretch(const struct cpu_attention *work,
                                 const struct cpu_operand *offsets, int64_t row, int64_t total,
                                 int64_t *base, int64_t *length) {
    if (row < 0 || row + 1 >= offsets->desc->dims[0])
        return false;
    *base = clamp(entry(offsets, row), 0, total);
    const int64_t end = clamp(entry(offsets, row + 1), 0, total);
    *length = clamp(end - *base, 0, (int64_t)work->call->node->attrs.attention.max_len);
    return true;
}

bool heedi_cpu_attention_keys(const struct cpu_attention *work, int64_t sequence,
                              struct cpu_attention_keys *keys) {
    const struct cpu_operand *kv_row = work->kv_row;
    *keys = (struct cpu_attention_keys){.row = sequence, .length = work->keys};
    if (work->q_start->desc != NULL)
        keys->start = entry(work->q_start, sequence);
    if (kv_row->desc != NULL)
        keys->row = kv_row->desc->rank == 1 ? entry(kv_row, sequence) : -1;
    if (work->kv_offsets->desc != NULL) {
        if (!heedi_cpu_attention_stretch(work, work->kv_offsets, keys->row, work->keys, &keys->base,
                                         &keys->length))
            return false;
        keys->row = 0;
    } else if (kv_row->desc == NULL || kv_row->desc->rank == 1) {
        if (keys->row < 0 || keys->row >= work->k->desc->dims[0])
            return false;
    }
    if (work->key_len->desc != NULL)
        keys->length = clamp(entry(work->key_len, sequence), 0, keys->length);
    return keys->length > 0;
}

void heedi_cpu_attention_range(const struct cpu_attention *work,
                               const struct cpu_attention_keys *keys, int64_t position,
                               int64_t *begin, int64_t *end) {
    const struct heed_attention_attrs *attrs = &work->call->node->attrs.attention;
    const int64_t at = keys->start + position;
    *begin = 0;
    *end = attrs->causal ? clamp(at + 1, 0, keys->length) : keys->length;
    if (attrs->window > 0)
        *begin = clamp(at - (int64_t)attrs->window + 1, 0, *end);
}

int64_t heedi_cpu_attention_key_row(const struct cpu_attention *work, int64_t sequence, int64_t j) {
    const int64_t *strides = work->kv_row->desc->strides;
    const int64_t row = heedi_cpu_load_i32(work->kv_row, sequence * strides[0] + j * strides[1]);
    return row >= 0 && row < work->k->desc->dims[0] ? row : -1;
}

static bool absent_or_i32(const struct cpu_tensor *tensor) {
    return !heedi_cpu_present(tensor) || tensor->desc.dtype == HEED_I32;
}

const char *heedi_cpu_accept_attention(const struct cpu_node *node) {
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
    return NULL;
}
