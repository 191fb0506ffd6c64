/* SPDX-License-Identifier: Apache-2.0 */
/* top_k: the k greatest elements along the last dimension, descending, equals by ascending index;
 * NaN counts as less than everything. Exact. */
#include <math.h>

#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_top_k_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *x = call->inputs[0];
    enum heed_status status = heedi_expect_float(call, 0, "x");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, 0, "x", 1, HEED_MAX_RANK);
    if (status != HEED_OK)
        return status;
    const int64_t n = x->dims[x->rank - 1];
    if (n > INT32_MAX)
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "the last dimension has %lld elements, expected at most 2^31 - 1",
                             (long long)n);
    if (attrs->k < 1 || (int64_t)attrs->k > n)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "k is %u, expected 1 to %lld", attrs->k,
                             (long long)n);
    call->output_count = 2;
    call->outputs[0] = heedi_desc_with_last(x, x->dtype, (int64_t)attrs->k);
    call->outputs[1] = heedi_desc_with_last(x, HEED_I32, (int64_t)attrs->k);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = heedi_desc_elems(call->inputs[0]);
    cost->bytes = heedi_call_bytes(call);
}

/* Whether (value a at i) comes before (value b at j). */
static bool before(double a, int64_t i, double b, int64_t j) {
    if (isnan(a) != isnan(b))
        return isnan(b);
    return a > b || (!(a < b) && i < j);
}

/* Selection by k passes: each finds the first element that comes after the one found before. */
static void reference(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *x = reference->call->inputs[0];
    const struct heed_top_k_attrs *attrs = reference->call->attrs;
    struct heedi_rows rows;
    for (heedi_rows_begin(&rows, x); rows.valid; heedi_rows_next(&rows)) {
        double last_value = 0;
        int64_t last = -1;
        for (uint32_t k = 0; k < attrs->k; k++) {
            double best_value = 0;
            int64_t best = -1;
            for (int64_t i = 0; i < rows.length; i++) {
                const double value =
                    heedi_load(reference->data[0], x->dtype, rows.offset + i * rows.stride);
                const bool open = last < 0 || before(last_value, last, value, i);
                if (open && i != last && (best < 0 || before(value, i, best_value, best))) {
                    best_value = value;
                    best = i;
                }
            }
            last_value = best_value;
            last = best;
            const int64_t at = rows.number * (int64_t)attrs->k + (int64_t)k;
            reference->out[0][at] = best_value;
            reference->out[1][at] = (double)best;
            for (int output = 0; output < 2; output++)
                if (reference->magnitude[output] != NULL)
                    reference->magnitude[output][at] = 0;
        }
    }
}

const struct heedi_op heedi_op_top_k = {
    .op = HEED_OP_TOP_K,
    .name = "top_k",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs_size = sizeof(struct heed_top_k_attrs),
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
