/* SPDX-License-Identifier: Apache-2.0 */
/* log_softmax: y_i = (x_i - m) - log(sum_j exp(x_j - m)), m = max_j x_j, over the last dimension.
 * Error after Blanchard, Higham, Higham 2021, section 4. */
#include <math.h>

#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    return heedi_op_softmax.infer(call);
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    heedi_op_softmax.cost(call, cost);
}

static void reference(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *x = reference->call->inputs[0];
    struct heedi_rows rows;
    for (heedi_rows_begin(&rows, x); rows.valid; heedi_rows_next(&rows)) {
        double *y = reference->out[0] + rows.number * rows.length;
        double peak = -INFINITY, sum = 0;
        for (int64_t i = 0; i < rows.length; i++) {
            y[i] = heedi_load(reference->data[0], x->dtype, rows.offset + i * rows.stride);
            if (isnan(y[i]) || y[i] > peak)
                peak = y[i];
        }
        for (int64_t i = 0; i < rows.length; i++)
            sum += exp(y[i] - peak);
        const double log_sum = log(sum);
        for (int64_t i = 0; i < rows.length; i++) {
            y[i] = y[i] - peak - log_sum;
            /* The shift and the result round once each; the sum's relative error of n + 2 + exp's
             * enters the logarithm as an absolute one, whatever the logarithm is. */
            if (reference->magnitude[0] != NULL)
                reference->magnitude[0][rows.number * rows.length + i] =
                    isfinite(y[i]) ? fabs(y[i]) + fabs(log_sum) + 1 : 0;
        }
    }
}

static double depth(const struct heedi_call *call) {
    return heedi_op_softmax.depth(call);
}

const struct heedi_op heedi_op_log_softmax = {
    .op = HEED_OP_LOG_SOFTMAX,
    .name = "log_softmax",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .cost = cost,
    .reference = reference,
    .depth = depth,
};
