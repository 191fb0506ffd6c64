/* SPDX-License-Identifier: Apache-2.0 */
/* cast: the same values in another type. To a float type: rounded to nearest, ties to even. To an
 * integer: truncated toward zero, saturated, NaN gives 0. */
#include <math.h>

#include "runtime/ops/op.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_cast_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *x = call->inputs[0];
    const enum heed_dtype dtype = (enum heed_dtype)attrs->dtype;
    if (dtype == HEED_Q8_0)
        return heedi_op_fail(call, HEED_ERROR_UNSUPPORTED, "to q8_0 is not supported");
    if (heed_dtype_bytes(dtype) == 0)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "unknown type %u", attrs->dtype);
    call->outputs[0] = heed_desc(dtype, x->rank, x->dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    const double elems = (double)heed_desc_elems(&call->outputs[0]);
    cost->flops = elems;
    cost->bytes = elems * (double)(heed_dtype_bytes(call->inputs[0]->dtype) +
                                   heed_dtype_bytes(call->outputs[0].dtype));
}

static double saturate(double value, double low, double high) {
    if (isnan(value))
        return 0;
    return value < low ? low : value > high ? high : trunc(value);
}

static void reference(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *x = reference->call->inputs[0];
    const enum heed_dtype to = reference->call->outputs[0].dtype;
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(x) == 0)
        return;
    do {
        double value = heedi_load(reference->data[0], x->dtype, heedi_offset(x, index));
        if (to == HEED_I32)
            value = saturate(value, -2147483648.0, 2147483647.0);
        else if (to == HEED_I8)
            value = saturate(value, -128.0, 127.0);
        reference->out[0][at] = value;
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] = 0; /* only the rounding of the output type */
        at++;
    } while (heedi_next_index(x, index));
}

const struct heedi_op heedi_op_cast = {
    .op = HEED_OP_CAST,
    .name = "cast",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs_size = sizeof(struct heed_cast_attrs),
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
