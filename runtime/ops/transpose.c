/* SPDX-License-Identifier: Apache-2.0 */
/* transpose: y.dims[i] = x.dims[perm[i]]; a view. */
#include "runtime/ops/op.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_transpose_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *x = call->inputs[0];
    struct heed_tensor_desc y = *x;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < x->rank; i++) {
        const uint32_t from = attrs->perm[i];
        if (from >= x->rank || (seen >> from & 1u))
            return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                                 "perm[%u] is %u, expected each of 0 to %u once", i, from,
                                 x->rank - 1);
        seen |= 1u << from;
        y.dims[i] = x->dims[from];
        y.strides[i] = x->strides[from];
    }
    call->outputs[0] = y;
    return HEED_OK;
}

const struct heedi_op heedi_op_transpose = {
    .op = HEED_OP_TRANSPOSE,
    .name = "transpose",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs_size = sizeof(struct heed_transpose_attrs),
    .view = true,
    .infer = infer,
};
