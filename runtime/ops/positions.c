/* SPDX-License-Identifier: Apache-2.0 */
/* positions: sinusoidal position vectors (Vaswani et al. 2017, section 3.5) in three layouts:
 *   halves        sin(p w_i) for i < n/2, then cos(p w_i), w_i = 10000^(-2i/n)
 *   halves_t2t    the same halves with w_i = 10000^(-i/(n/2 - 1))
 *   interleaved   sin and cos of w_i alternate
 * Computed in double and rounded once, also in the table of the lowering. */
#include <math.h>
#include <stddef.h>

#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_positions_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *pos = call->inputs[0];
    enum heed_status status = heedi_expect_i32(call, 0, "pos");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, 0, "pos", 0, HEED_MAX_RANK - 1);
    if (status != HEED_OK)
        return status;
    if (attrs->form > HEED_POSITIONS_INTERLEAVED)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "form is %u, expected 0 to 2",
                             attrs->form);
    const uint32_t least = attrs->form == HEED_POSITIONS_HALVES_T2T ? 4 : 2;
    if (attrs->width < least || attrs->width % 2 != 0 || attrs->width > 1u << 20)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "width is %u, expected an even number from %u to 2^20", attrs->width,
                             least);
    if (attrs->max_len < 1 || attrs->max_len > 1u << 24)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "max_len is %u, expected 1 to 2^24",
                             attrs->max_len);
    int64_t dims[HEED_MAX_RANK] = {0};
    for (uint32_t i = 0; i < pos->rank; i++)
        dims[i] = pos->dims[i];
    dims[pos->rank] = (int64_t)attrs->width;
    call->outputs[0] = heed_desc(HEED_F32, pos->rank + 1, dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = 2 * heedi_desc_elems(&call->outputs[0]);
    cost->bytes = heedi_call_bytes(call);
}

static double element(const struct heed_positions_attrs *attrs, double position, uint32_t column) {
    const uint32_t half = attrs->width / 2;
    const bool interleaved = attrs->form == HEED_POSITIONS_INTERLEAVED;
    const bool cosine = interleaved ? column % 2 == 1 : column >= half;
    const uint32_t i = interleaved ? column / 2 : cosine ? column - half : column;
    const double exponent = attrs->form == HEED_POSITIONS_HALVES_T2T
                                ? (double)i / (double)(half - 1)
                                : 2.0 * (double)i / (double)attrs->width;
    const double angle = position / pow(10000.0, exponent);
    return cosine ? cos(angle) : sin(angle);
}

static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_positions_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *pos = call->inputs[0];
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(pos) == 0)
        return;
    do {
        const int64_t p = ((const int32_t *)reference->data[0])[heedi_offset(pos, index)];
        const bool inside = p >= 0 && p < (int64_t)attrs->max_len;
        for (uint32_t i = 0; i < attrs->width; i++, at++) {
            reference->out[0][at] = inside ? element(attrs, (double)p, i) : 0;
            if (reference->magnitude[0] != NULL) /* two doubles may round to neighbouring floats */
                reference->magnitude[0][at] = fabs(reference->out[0][at]);
        }
    } while (heedi_next_index(pos, index));
}

/* The result is a double rounded to f32 by all who follow the formula: one rounding. */
static double depth(const struct heedi_call *call) {
    (void)call;
    return 1;
}

struct table {
    struct heedi_env env;
    float values[];
};

static void release_table(void *user) {
    struct table *table = user;
    const struct heedi_env env = table->env;
    heedi_free(&env, table);
}

/* embedding(table made on the host, pos) */
static enum heed_status lower(struct heed_graph *graph, const struct heedi_call *call,
                              const heed_tensor *inputs, heed_tensor *outputs) {
    const struct heed_positions_attrs *attrs = call->attrs;
    struct heed_context *context = call->context;
    size_t bytes;
    if (!heedi_mul_size((size_t)attrs->max_len * attrs->width, sizeof(float), &bytes) ||
        !heedi_add_size(bytes, offsetof(struct table, values), &bytes))
        return heedi_fail_memory(context, "a table of positions", SIZE_MAX);
    struct table *table = heedi_alloc_aligned(&context->env, bytes, 64);
    if (table == NULL)
        return heedi_fail_memory(context, "a table of positions", bytes);
    table->env = context->env;
    for (uint32_t p = 0; p < attrs->max_len; p++)
        for (uint32_t i = 0; i < attrs->width; i++)
            table->values[(size_t)p * attrs->width + i] = (float)element(attrs, (double)p, i);
    const int64_t dims[] = {(int64_t)attrs->max_len, (int64_t)attrs->width};
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, dims);
    struct heed_weight *weight;
    enum heed_status status = heed_weight_create(context, "position_table", &desc, table->values,
                                                 release_table, table, &weight);
    if (status != HEED_OK) {
        release_table(table);
        return status;
    }
    heed_tensor constant = HEED_NO_TENSOR;
    heed_graph_constant(graph, weight, &constant);
    heed_weight_release(weight);
    return heed_graph_embedding(graph, "embedding", constant, inputs[0], &outputs[0]);
}

const struct heedi_op heedi_op_positions = {
    .op = HEED_OP_POSITIONS,
    .name = "positions",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs_size = sizeof(struct heed_positions_attrs),
    .infer = infer,
    .cost = cost,
    .reference = reference,
    .depth = depth,
    .lower = lower,
};
