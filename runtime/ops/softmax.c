/* SPDX-License-Identifier: Apache-2.0 */
/* softmax: y_i = exp(x_i - m) / sum_j exp(x_j - m), m = max_j x_j, over the last dimension.
 *
 * Error after Blanchard, Higham, Higham 2021 (IMA J. Numer. Anal. 41(4), algorithm 4.1 with the
 * shift): |err_i| <= (n + 2 (m - x_i) + 4 + the exp's error) u y_i; the part that grows with the
 * distance to the maximum stands in the magnitude, the rest in the depth. */
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

static void reference(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *x = reference->call->inputs[0];
    struct heedi_rows rows;
    for (heedi_rows_begin(&rows, x); rows.valid; heedi_rows_next(&rows)) {
        double *y = reference->out[0] + rows.number * rows.length;
        double peak = -INFINITY, sum = 0;
        for (int64_t i = 0; i < rows.length; i++) {
            y[i] = heedi_load(reference->data[0], x->dtype, rows.offset + i * rows.stride);
            if (isnan(y[i]) || y[i] > peak)
                peak = y[i]; /* NaN wins and stays: nothing is greater */
        }
        const bool empty = peak == -INFINITY;
        for (int64_t i = 0; i < rows.length; i++)
            sum += empty ? 0 : exp(y[i] - peak);
        for (int64_t i = 0; i < rows.length; i++) {
            const double distance = peak - y[i];
            y[i] = empty ? 0 : exp(-distance) / sum;
            if (reference->magnitude[0] != NULL)
                reference->magnitude[0][rows.number * rows.length + i] =
                    y[i] == 0 ? 0 : y[i] * (1 + distance);
        }
    }
}

/* n additions, and exp's argument, division and the sum's own relative error: 6 more. */
static double depth(const struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    return (double)x->dims[x->rank - 1] + 6;
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
