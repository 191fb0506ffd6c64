/* SPDX-License-Identifier: Apache-2.0 */
/* concat: x0, x1, ... joined along one axis. Any type; exact. */
#include "runtime/base/shape.h"
#include "runtime/ops/op.h"
#include "runtime/ops/rows.h"

#define MAX_PARTS 8

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_concat_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *first = call->inputs[0];
    if (attrs->axis >= first->rank)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "axis is %u, rank is %u",
                             attrs->axis, first->rank);
    struct heed_tensor_desc y = *first;
    for (uint32_t i = 1; i < call->input_count; i++) {
        const struct heed_tensor_desc *x = call->inputs[i];
        if (x == NULL)
            return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "input %u is missing", i);
        bool same = x->dtype == first->dtype && x->rank == first->rank;
        for (uint32_t d = 0; same && d < first->rank; d++)
            same = d == attrs->axis || x->dims[d] == first->dims[d];
        if (!same ||
            !heedi_add_i64(y.dims[attrs->axis], x->dims[attrs->axis], &y.dims[attrs->axis])) {
            struct heedi_shape_text a, b;
            return heedi_op_fail(
                call, HEED_ERROR_SHAPE, "input %u is %s, which does not join %s along axis %u", i,
                heedi_shape_print(&a, x), heedi_shape_print(&b, first), attrs->axis);
        }
    }
    if (!heedi_shape_check(y.dtype, y.rank, y.dims, NULL, NULL))
        return heedi_op_fail(call, HEED_ERROR_LIMIT, "the result is too large");
    call->outputs[0] = heed_desc(y.dtype, y.rank, y.dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = 0;
    cost->bytes = 2 * heedi_desc_bytes(&call->outputs[0]);
}

static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_concat_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *y = &call->outputs[0];
    int64_t start = 0; /* of the current part along the axis */
    for (uint32_t i = 0; i < call->input_count; i++) {
        const struct heed_tensor_desc *x = call->inputs[i];
        int64_t index[HEED_MAX_RANK] = {0};
        if (heed_desc_elems(x) == 0)
            continue;
        do {
            int64_t to[HEED_MAX_RANK];
            for (uint32_t d = 0; d < y->rank; d++)
                to[d] = index[d] + (d == attrs->axis ? start : 0);
            const int64_t at = heedi_offset(y, to);
            reference->out[0][at] =
                heedi_load(reference->data[i], x->dtype, heedi_offset(x, index));
            if (reference->magnitude[0] != NULL)
                reference->magnitude[0][at] = 0;
        } while (heedi_next_index(x, index));
        start += x->dims[attrs->axis];
    }
}

const struct heedi_op heedi_op_concat = {
    .op = HEED_OP_CONCAT,
    .name = "concat",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = MAX_PARTS,
    .attrs_size = sizeof(struct heed_concat_attrs),
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
