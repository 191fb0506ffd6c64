/* SPDX-License-Identifier: Apache-2.0 */
/* broadcast: dims of size 1, and new leading ones, repeated with stride 0; a view. */
#include "runtime/base/shape.h"
#include "runtime/ops/op.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_shape_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *x = call->inputs[0];
    struct heedi_shape_text from, to;
    if (attrs->rank > HEED_MAX_RANK || attrs->rank < x->rank ||
        !heedi_shape_check(x->dtype, attrs->rank, attrs->dims, NULL, NULL))
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "new rank %u or its dimensions are out of range for %s", attrs->rank,
                             heedi_shape_print(&from, x));
    struct heed_tensor_desc y = heed_desc(x->dtype, attrs->rank, attrs->dims);
    const uint32_t lead = attrs->rank - x->rank;
    for (uint32_t i = 0; i < attrs->rank; i++) {
        const bool repeats = i < lead || (x->dims[i - lead] == 1 && y.dims[i] != 1);
        if (!repeats && x->dims[i - lead] != y.dims[i])
            return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s does not broadcast to %s",
                                 heedi_shape_print(&from, x), heedi_shape_print(&to, &y));
        y.strides[i] = repeats ? 0 : x->strides[i - lead];
    }
    call->outputs[0] = y;
    return HEED_OK;
}

const struct heedi_op heedi_op_broadcast = {
    .op = HEED_OP_BROADCAST,
    .name = "broadcast",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs_size = sizeof(struct heed_shape_attrs),
    .view = true,
    .infer = infer,
};
