/* SPDX-License-Identifier: Apache-2.0 */
/* slice: y.dims[i] = size[i], y[j] = x[start + j * step]; a view. */
#include <inttypes.h>

#include "runtime/ops/op.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_slice_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *x = call->inputs[0];
    struct heed_tensor_desc y = *x;
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t start = attrs->start[i], size = attrs->size[i];
        const int64_t step = attrs->step[i] == 0 ? 1 : attrs->step[i];
        int64_t last = start;
        if (start < 0 || size < 0 || step < 1 || start > x->dims[i] ||
            (size > 0 && (!heedi_mul_i64(size - 1, step, &last) ||
                          !heedi_add_i64(last, start, &last) || last >= x->dims[i])))
            return heedi_op_fail(call, HEED_ERROR_SHAPE,
                                 "dimension %" PRIu32 ": start %" PRId64 ", size %" PRId64
                                 ", step %" PRId64 " do not fit into %" PRId64 " elements",
                                 i, start, size, step, x->dims[i]);
        y.dims[i] = size;
        y.strides[i] = size > 1 ? x->strides[i] * step : x->strides[i]; /* one: any step fits */
        /* An empty slice has no first element: its offset stays inside the storage. */
        call->view_offset += size == 0 ? 0 : start * x->strides[i];
    }
    call->outputs[0] = y;
    return HEED_OK;
}

const struct heedi_op heedi_op_slice = {
    .op = HEED_OP_SLICE,
    .name = "slice",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs_size = sizeof(struct heed_slice_attrs),
    .view = true,
    .infer = infer,
};
