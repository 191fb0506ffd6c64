/* SPDX-License-Identifier: Apache-2.0 */
/* attention: what it takes, what it costs, what it lowers to. The meaning is written out in
 * heed/ops.h (Vaswani et al. 2017, eq. 1) and computed in attention_reference.c. */
#include <inttypes.h>
#include <math.h>

#include "runtime/base/shape.h"
#include "runtime/ops/attention.h"
#include "runtime/ops/rows.h"

static const char *const names[] = {"q",       "k",      "v",         "bias",      "key_len",
                                    "q_start", "kv_row", "q_offsets", "kv_offsets"};

const struct heed_tensor_desc *heedi_attention_input(const struct heedi_call *call,
                                                     uint32_t index) {
    return index < call->input_count ? call->inputs[index] : NULL;
}

static enum heed_status check_shapes(struct heedi_call *call) {
    enum heed_status status = HEED_OK;
    for (uint32_t i = HEED_ATTENTION_Q; i <= HEED_ATTENTION_V && status == HEED_OK; i++) {
        status = heedi_expect_float(call, i, names[i]);
        if (status == HEED_OK)
            status = heedi_expect_rank(call, i, names[i], 4, 4);
    }
    if (status != HEED_OK)
        return status;
    const struct heed_tensor_desc *q = call->inputs[HEED_ATTENTION_Q];
    const struct heed_tensor_desc *k = call->inputs[HEED_ATTENTION_K];
    const struct heed_tensor_desc *v = call->inputs[HEED_ATTENTION_V];
    struct heedi_shape_text a, b;
    if (q->dims[3] != k->dims[3] || q->dims[3] < 1)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "q is %s, k is %s: the head sizes differ",
                             heedi_shape_print(&a, q), heedi_shape_print(&b, k));
    if (k->dims[0] != v->dims[0] || k->dims[1] != v->dims[1] || k->dims[2] != v->dims[2])
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "k is %s, v is %s: expected the same but for the last dimension",
                             heedi_shape_print(&a, k), heedi_shape_print(&b, v));
    if (k->dims[1] < 1 || q->dims[1] % k->dims[1] != 0)
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "%" PRId64 " heads of q are no multiple of %" PRId64 " heads of k",
                             q->dims[1], k->dims[1]);
    return HEED_OK;
}

/* Offsets give the number of stretches; both, where present, need one entry at least. */
static enum heed_status check_packing(struct heedi_call *call, int64_t *sequences) {
    const struct heed_attention_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *q_offsets =
        heedi_attention_input(call, HEED_ATTENTION_Q_OFFSETS);
    const struct heed_tensor_desc *kv_offsets =
        heedi_attention_input(call, HEED_ATTENTION_KV_OFFSETS);
    *sequences = call->inputs[HEED_ATTENTION_Q]->dims[0];
    for (uint32_t i = HEED_ATTENTION_Q_OFFSETS; i <= HEED_ATTENTION_KV_OFFSETS; i++) {
        const struct heed_tensor_desc *offsets = heedi_attention_input(call, i);
        if (offsets == NULL)
            continue;
        enum heed_status status = heedi_expect_i32(call, i, names[i]);
        if (status == HEED_OK)
            status = heedi_expect_rank(call, i, names[i], 1, 1);
        if (status != HEED_OK)
            return status;
        if (offsets->dims[0] < 1)
            return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s is empty, expected at least [1]",
                                 names[i]);
        const struct heed_tensor_desc *packed =
            call->inputs[i == HEED_ATTENTION_Q_OFFSETS ? HEED_ATTENTION_Q : HEED_ATTENTION_K];
        if (packed->dims[0] != 1)
            return heedi_op_fail(call, HEED_ERROR_SHAPE,
                                 "%s is packed and has %" PRId64 " rows, expected 1",
                                 i == HEED_ATTENTION_Q_OFFSETS ? "q" : "k", packed->dims[0]);
    }
    if (q_offsets != NULL)
        *sequences = q_offsets->dims[0] - 1;
    if (q_offsets == NULL && kv_offsets == NULL)
        return HEED_OK;
    if (attrs->max_len < 1 || attrs->max_len > INT32_MAX)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "max_len is %" PRIu32 ", packed rows need 1 to 2^31 - 1",
                             attrs->max_len);
    if (heedi_attention_input(call, HEED_ATTENTION_BIAS) != NULL)
        return heedi_op_fail(call, HEED_ERROR_UNSUPPORTED,
                             "bias cannot be combined with packed rows");
    return HEED_OK;
}

static enum heed_status check_dynamic(struct heedi_call *call, int64_t sequences) {
    const struct heed_tensor_desc *k = call->inputs[HEED_ATTENTION_K];
    const bool packed = heedi_attention_input(call, HEED_ATTENTION_Q_OFFSETS) != NULL ||
                        heedi_attention_input(call, HEED_ATTENTION_KV_OFFSETS) != NULL;
    for (uint32_t i = HEED_ATTENTION_KEY_LEN; i <= HEED_ATTENTION_KV_ROW; i++) {
        const struct heed_tensor_desc *input = heedi_attention_input(call, i);
        if (input == NULL)
            continue;
        const enum heed_status status = heedi_expect_i32(call, i, names[i]);
        if (status != HEED_OK)
            return status;
        const bool table = i == HEED_ATTENTION_KV_ROW && input->rank == 2 && !packed;
        if (table ? input->dims[0] != sequences || input->dims[1] != k->dims[2]
                  : input->rank != 1 || input->dims[0] != sequences) {
            struct heedi_shape_text text;
            return heedi_op_fail(call, HEED_ERROR_SHAPE,
                                 "%s is %s, expected one entry for each of %" PRId64 " rows%s",
                                 names[i], heedi_shape_print(&text, input), sequences,
                                 i == HEED_ATTENTION_KV_ROW && !packed ? " (and each key)" : "");
        }
    }
    return HEED_OK;
}

static enum heed_status check_bias(struct heedi_call *call) {
    const struct heed_tensor_desc *bias = heedi_attention_input(call, HEED_ATTENTION_BIAS);
    const struct heed_tensor_desc *q = call->inputs[HEED_ATTENTION_Q];
    if (bias == NULL)
        return HEED_OK;
    const enum heed_status status = heedi_expect_float(call, HEED_ATTENTION_BIAS, "bias");
    if (status != HEED_OK)
        return status;
    const int64_t dims[] = {q->dims[0], q->dims[1], q->dims[2],
                            call->inputs[HEED_ATTENTION_K]->dims[2]};
    for (uint32_t i = 0; i < bias->rank; i++) {
        const int64_t expected = dims[HEED_MAX_RANK - bias->rank + i];
        if (bias->dims[i] != 1 && bias->dims[i] != expected) {
            struct heedi_shape_text a, b;
            const struct heed_tensor_desc full = heed_desc(HEED_F32, 4, dims);
            return heedi_op_fail(call, HEED_ERROR_SHAPE, "bias is %s, does not broadcast to %s",
                                 heedi_shape_print(&a, bias), heedi_shape_print(&b, &full));
        }
    }
    return HEED_OK;
}

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_attention_attrs *attrs = call->attrs;
    if (attrs->score > HEED_SCORE_SCALED || attrs->causal > 1 || attrs->return_weights > 1 ||
        !isfinite(attrs->scale))
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "score %u, causal %u, return_weights %u or scale %g is out of range",
                             attrs->score, attrs->causal, attrs->return_weights,
                             (double)attrs->scale);
    int64_t sequences = 0;
    enum heed_status status = check_shapes(call);
    if (status == HEED_OK)
        status = check_packing(call, &sequences);
    if (status == HEED_OK)
        status = check_dynamic(call, sequences);
    if (status == HEED_OK)
        status = check_bias(call);
    if (status != HEED_OK)
        return status;
    const struct heed_tensor_desc *q = call->inputs[HEED_ATTENTION_Q];
    const struct heed_tensor_desc *k = call->inputs[HEED_ATTENTION_K];
    if (heedi_attention_input(call, HEED_ATTENTION_KV_OFFSETS) == NULL &&
        heedi_attention_input(call, HEED_ATTENTION_KV_ROW) == NULL && k->dims[0] != sequences)
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "k has %" PRId64 " rows, q has %" PRId64 ", and kv_row is absent",
                             k->dims[0], sequences);
    int64_t dims[] = {q->dims[0], q->dims[1], q->dims[2], call->inputs[HEED_ATTENTION_V]->dims[3]};
    call->outputs[0] = heed_desc(q->dtype, 4, dims);
    if (attrs->return_weights) {
        const bool packed = heedi_attention_input(call, HEED_ATTENTION_KV_OFFSETS) != NULL;
        dims[3] = packed ? (int64_t)attrs->max_len : k->dims[2];
        call->outputs[1] = heed_desc(q->dtype, 4, dims);
        call->output_count = 2;
    }
    return HEED_OK;
}

/* Longest key range that a query can see. */
static int64_t key_capacity(const struct heedi_call *call) {
    const struct heed_attention_attrs *attrs = call->attrs;
    const int64_t keys = call->inputs[HEED_ATTENTION_K]->dims[2];
    const bool packed = heedi_attention_input(call, HEED_ATTENTION_KV_OFFSETS) != NULL;
    return packed && (int64_t)attrs->max_len < keys ? (int64_t)attrs->max_len : keys;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    const struct heed_tensor_desc *q = call->inputs[HEED_ATTENTION_Q];
    const double queries = (double)q->dims[0] * (double)q->dims[1] * (double)q->dims[2];
    const double width = (double)q->dims[3] + (double)call->inputs[HEED_ATTENTION_V]->dims[3];
    cost->flops = queries * (double)key_capacity(call) * (2 * width + 4);
    cost->bytes = heedi_call_bytes(call);
}

/* The score's d products and scale enter the exponent as an absolute error, which the magnitude
 * carries; the sums over the keys, of weights and of products, round once per key each, and online
 * rescaling once more per key (Milakov and Gimelshein 2018). */
static double depth(const struct heedi_call *call) {
    return 3 * (double)key_capacity(call) + (double)call->inputs[HEED_ATTENTION_Q]->dims[3] + 12;
}

/* matmul, scale, add, softmax, matmul; only where every query sees every key. */
static enum heed_status lower(struct heed_graph *graph, const struct heedi_call *call,
                              const heed_tensor *inputs, heed_tensor *outputs) {
    const struct heed_attention_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *q = call->inputs[HEED_ATTENTION_Q];
    const struct heed_tensor_desc *k = call->inputs[HEED_ATTENTION_K];
    bool dynamic = false;
    for (uint32_t i = HEED_ATTENTION_KEY_LEN; i < HEED_ATTENTION_INPUTS; i++)
        dynamic = dynamic || heedi_attention_input(call, i) != NULL;
    if (dynamic || attrs->causal || attrs->window > 0 || q->dims[1] != k->dims[1] || k->dims[2] < 1)
        return heedi_error(call->error, HEED_ERROR_UNSUPPORTED,
                           "attention %s: lengths, row tables, packed rows, causal and grouped "
                           "forms have no lowering",
                           call->name);
    const struct heed_matmul_attrs scores = {.struct_size = sizeof scores, .transpose_b = 1};
    heed_tensor value = HEED_NO_TENSOR;
    heed_graph_matmul(graph, "scores", inputs[HEED_ATTENTION_Q], inputs[HEED_ATTENTION_K], &scores,
                      &value);
    if (attrs->score == HEED_SCORE_SCALED)
        heed_graph_scale(graph, "scale", value, heedi_attention_scale(call), &value);
    if (heedi_attention_input(call, HEED_ATTENTION_BIAS) != NULL)
        heed_graph_binary(graph, HEED_OP_ADD, "bias", value, inputs[HEED_ATTENTION_BIAS], &value);
    heed_graph_unary(graph, HEED_OP_SOFTMAX, "softmax", value, &value);
    if (attrs->return_weights)
        outputs[1] = value;
    return heed_graph_matmul(graph, "mix", value, inputs[HEED_ATTENTION_V], NULL, &outputs[0]);
}

float heedi_attention_scale(const struct heedi_call *call) {
    const struct heed_attention_attrs *attrs = call->attrs;
    if (attrs->score == HEED_SCORE_DOT)
        return 1;
    if (attrs->scale != 0)
        return attrs->scale;
    return (float)(1 / sqrt((double)call->inputs[HEED_ATTENTION_Q]->dims[3]));
}

const struct heedi_op heedi_op_attention = {
    .op = HEED_OP_ATTENTION,
    .name = "attention",
    .version = 1,
    .min_inputs = 3,
    .max_inputs = HEED_ATTENTION_INPUTS,
    .attrs_size = sizeof(struct heed_attention_attrs),
    .infer = infer,
    .cost = cost,
    .reference = heedi_attention_reference,
    .depth = depth,
    .lower = lower,
};
