/* SPDX-License-Identifier: Apache-2.0 */
/* softmax: y_i = exp(x_i - m) / sum_j exp(x_j - m), m = max_j x_j, over the last dimension.
 *
 * The shifted form of Blanchard, Higham and Higham 2021 (IMA J. Numer. Anal. 41(4)), with their
 * analysis kept per element: with D_i = m - x_i, rounding the difference changes exp by a relative
 * D_i u, exp adds e u (the backend's numeric profile says how much), the sum n u and the average
 * of its terms' errors, the division at most 3 u (Vulkan's 2.5 ULP, where u is 2^-23). So
 *
 *   |err_i| <= (D_i + sum_j y_j D_j + 2 e + n + 3) u y_i = K u y_i (1 + (D_i + sum_j y_j D_j) / K)
 *
 * with K = n + 3 + 2 e: the depth, and the magnitude. */
#include <math.h>

#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    enum heed_status status = heedi_expect_float(call, 0, "x");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, 0, "x", 1, HEED_MAX_RANK);
    if (status == HEED_OK && x->dims[x->rank - 1] < 1)
        status = heedi_op_fail(call, HEED_ERROR_SHAPE, "the last dimension must not be empty");
    if (status == HEED_OK)
        call->outputs[0] = heed_desc(x->dtype, x->rank, x->dims);
    return status;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = 4 * heedi_desc_elems(&call->outputs[0]);
    cost->bytes = heedi_call_bytes(call);
}

static double depth(const struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    return (double)x->dims[x->rank - 1] + 3;
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
                peak = y[i]; /* NaN wins and stays: nothing is greater */
        }
        const bool empty = peak == -INFINITY;
        for (int64_t i = 0; i < rows.length; i++) {
            const double e = empty ? 0 : exp(y[i] - peak);
            sum += e;
            spread += e > 0 ? e * (peak - y[i]) : 0; /* an x_i of -inf takes no part */
        }
        for (int64_t i = 0; i < rows.length; i++) {
            const double distance = peak - y[i];
            y[i] = empty ? 0 : exp(-distance) / sum;
            if (reference->magnitude[0] != NULL)
                reference->magnitude[0][rows.number * rows.length + i] =
                    y[i] == 0 ? 0 : y[i] * (1 + (distance + spread / sum) / k);
        }
    }
}

const struct heedi_op heedi_op_softmax = {
    .op = HEED_OP_SOFTMAX,
    .name = "softmax",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .cost = cost,
    .reference = reference,
    .depth = depth,
};
