/* SPDX-License-Identifier: Apache-2.0 */
/* argmax: index of the greatest element along the last dimension; the lowest index among equals;
 * NaN counts as less than everything. Exact. */
#include <math.h>

#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    enum heed_status status = heedi_expect_float(call, 0, "x");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, 0, "x", 1, HEED_MAX_RANK);
    if (status == HEED_OK && (x->dims[x->rank - 1] < 1 || x->dims[x->rank - 1] > INT32_MAX))
        status = heedi_op_fail(call, HEED_ERROR_SHAPE,
                               "the last dimension must have 1 to 2^31 - 1 elements");
    if (status == HEED_OK)
        call->outputs[0] = heedi_desc_with_last(x, HEED_I32, -1);
    return status;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = heedi_desc_elems(call->inputs[0]);
    cost->bytes = heedi_call_bytes(call);
}

static void reference(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *x = reference->call->inputs[0];
    struct heedi_rows rows;
    for (heedi_rows_begin(&rows, x); rows.valid; heedi_rows_next(&rows)) {
        int64_t best = 0;
        double peak = NAN;
        for (int64_t i = 0; i < rows.length; i++) {
            const double value =
                heedi_load(reference->data[0], x->dtype, rows.offset + i * rows.stride);
            if (value > peak || (isnan(peak) && !isnan(value))) {
                peak = value;
                best = i;
            }
        }
        reference->out[0][rows.number] = (double)best;
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][rows.number] = 0;
    }
}

/* argmax(x) = top_k(x, 1).indices without its last dimension */
static enum heed_status lower(struct heed_graph *graph, const struct heedi_call *call,
                              const heed_tensor *inputs, heed_tensor *outputs) {
    heed_tensor indices = HEED_NO_TENSOR;
    const struct heed_tensor_desc *y = &call->outputs[0];
    heed_graph_top_k(graph, "top_1", inputs[0], 1, NULL, &indices);
    return heed_graph_reshape(graph, "indices", indices, y->rank, y->dims, &outputs[0]);
}

const struct heedi_op heedi_op_argmax = {
    .op = HEED_OP_ARGMAX,
    .name = "argmax",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .cost = cost,
    .reference = reference,
    .lower = lower,
};
