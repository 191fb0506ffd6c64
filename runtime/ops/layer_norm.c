/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm: y = (x - mean) / sqrt(var + eps) * gamma + beta over the last dimension, biased
 * variance (Ba, Kiros, Hinton 2016). */
#include <float.h>
#include <math.h>

#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_layer_norm_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *x = call->inputs[0];
    enum heed_status status = heedi_expect_float(call, 0, "x");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, 0, "x", 1, HEED_MAX_RANK);
    if (status != HEED_OK)
        return status;
    const int64_t n = x->dims[x->rank - 1];
    if (n < 1)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "the last dimension must not be empty");
    if (!(attrs->eps > 0) || !isfinite(attrs->eps))
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "eps is %g, expected more than 0",
                             (double)attrs->eps);
    static const char *const names[] = {"x", "gamma", "beta"};
    for (uint32_t i = 1; i < 3 && status == HEED_OK; i++) {
        status = heedi_expect_float(call, i, names[i]);
        if (status == HEED_OK)
            status = heedi_expect_vector(call, i, names[i], n, "the last dimension of x");
    }
    if (status == HEED_OK)
        call->outputs[0] = heed_desc(x->dtype, x->rank, x->dims);
    return status;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = 8 * heedi_desc_elems(&call->outputs[0]);
    cost->bytes = heedi_call_bytes(call);
}

static double depth(const struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    return (double)x->dims[x->rank - 1] + 16;
}

/* Error of an honest f32 computation (mean first, then the squares of the differences), u the unit
 * roundoff, c_i = x_i - mean, A = mean |x|, r = 1 / sqrt(var + eps), z_i = c_i r:
 *   mean         E <= (n + 2) u A, so each difference errs by E + u |c_i|
 *   variance     E cancels to first order, because sum c_i = 0; E^2 remains, and (n + 5) u relative
 *   r            (n + 5) u / 2 and 7 u for root and division; and by E^2 the factor
 *                (1 + t^2)^(-1/2), t = E r, which is 1 - 0.31 t or more for every t
 *   y_i          3 u for the products and the sum
 * Together at most (n + 16) u M, M = |gamma| (|z_i| (1 + 0.31 A r) + A r) + |beta|. The one-pass
 * form, mean x^2 - mean^2, does not meet this where the mean is large beside the deviation, and is
 * not meant to. */
static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_layer_norm_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *x = call->inputs[0];
    const struct heed_tensor_desc *gamma = call->inputs[1], *beta = call->inputs[2];
    struct heedi_rows rows;
    for (heedi_rows_begin(&rows, x); rows.valid; heedi_rows_next(&rows)) {
        const int64_t n = rows.length, first = rows.number * n;
        double sum = 0, absolute = 0, squares = 0;
        double *y = reference->out[0] + first;
        for (int64_t i = 0; i < n; i++) {
            y[i] = heedi_load(reference->data[0], x->dtype, rows.offset + i * rows.stride);
            sum += y[i];
            absolute += fabs(y[i]);
        }
        const double mean = sum / (double)n;
        absolute /= (double)n;
        for (int64_t i = 0; i < n; i++)
            squares += (y[i] - mean) * (y[i] - mean);
        const double r = 1 / sqrt(squares / (double)n + (double)attrs->eps);
        const double offset = fmax(absolute * (double)n, squares) > FLT_MAX
                                  ? INFINITY /* the sums overflow f32 */
                                  : absolute * r;
        for (int64_t i = 0; i < n; i++) {
            const double g = heedi_load(reference->data[1], gamma->dtype, i * gamma->strides[0]);
            const double b = heedi_load(reference->data[2], beta->dtype, i * beta->strides[0]);
            const double z = (y[i] - mean) * r;
            y[i] = z * g + b;
            if (reference->magnitude[0] != NULL)
                reference->magnitude[0][first + i] =
                    fabs(g) * (fabs(z) * (1 + 0.31 * offset) + offset) + fabs(b);
        }
    }
}

const struct heedi_op heedi_op_layer_norm = {
    .op = HEED_OP_LAYER_NORM,
    .name = "layer_norm",
    .version = 1,
    .min_inputs = 3,
    .max_inputs = 3,
    .attrs_size = sizeof(struct heed_layer_norm_attrs),
    .infer = infer,
    .cost = cost,
    .reference = reference,
    .depth = depth,
};
