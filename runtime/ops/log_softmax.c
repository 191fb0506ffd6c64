/* SPDX-License-Identifier: Apache-2.0 */
/* log_softmax: y_i = (x_i - m) - log(sum_j exp(x_j - m)), m = max_j x_j, over the last dimension.
 *
 * Error, after Blanchard, Higham and Higham 2021 (see softmax.c): with D_i = m - x_i and S the sum,
 * the difference rounds by D_i u and the result by |y_i| u; the relative error of S, (n + e + sum_j
 * p_j D_j) u, enters the logarithm as an absolute one; log itself errs by 3 ULP, near 1 by 2^-21
 * (Vulkan's limits, where u is 2^-23), so by less than 6 (1 + log S) u. With K = n + 6 + e
 *
 *   |err_i| <= K u (1 + (D_i + |y_i| + sum_j p_j D_j + 6 log S) / K) */
#include <math.h>

#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    return heedi_op_softmax.infer(call);
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    heedi_op_softmax.cost(call, cost);
}

static double depth(const struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    return (double)x->dims[x->rank - 1] + 6;
}

static void reference(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *x = reference->call->inputs[0];
    const double k = depth(reference->call);
    struct heedi_rows rows;
    for (heedi_rows_begin(&rows, x); rows.valid; heedi_rows_next(&rows)) {
        double *y = reference->out[0] + rows.number * rows.length;
        double peak = -INFINITY, sum = 0, spread = 0;
        for (int64_t i = 0; i < rows.length; i++) {
            y[i] = heedi_load(reference->data[0], x->dtype, rows.offset + i * rows.stride);
            if (isnan(y[i]) || y[i] > peak)
                peak = y[i];
        }
        for (int64_t i = 0; i < rows.length; i++) {
            const double e = exp(y[i] - peak);
            sum += e;
            spread += e > 0 ? e * (peak - y[i]) : 0;
        }
        const double log_sum = sum > 0 ? log(sum) : NAN; /* a row of -inf */
        for (int64_t i = 0; i < rows.length; i++) {
            const double distance = peak - y[i];
            y[i] = -distance - log_sum;
            if (reference->magnitude[0] != NULL)
                reference->magnitude[0][rows.number * rows.length + i] =
                    1 + (distance + fabs(y[i]) + spread / sum + 6 * log_sum) / k;
        }
    }
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
