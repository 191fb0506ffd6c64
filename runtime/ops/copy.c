/* SPDX-License-Identifier: Apache-2.0 */
/* copy: the same elements, contiguous. Any type; exact. */
#include "runtime/ops/op.h"
#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    call->outputs[0] = heed_desc(x->dtype, x->rank, x->dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = 0;
    cost->bytes = 2 * heedi_desc_bytes(&call->outputs[0]);
}

static void reference(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *x = reference->call->inputs[0];
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(x) == 0)
        return;
    do {
        reference->out[0][at] = heedi_load(reference->data[0], x->dtype, heedi_offset(x, index));
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] = 0;
        at++;
    } while (heedi_next_index(x, index));
}

const struct heedi_op heedi_op_copy = {
    .op = HEED_OP_COPY,
    .name = "copy",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
