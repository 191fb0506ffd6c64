/* SPDX-License-Identifier: Apache-2.0 */
/* gather_rows: y[i] = x[index[i]]; zeros where the index is outside x. Any type; exact. */
#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    enum heed_status status = heedi_expect_rank(call, 0, "x", 1, HEED_MAX_RANK);
    if (status == HEED_OK)
        status = heedi_expect_i32(call, 1, "index");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, 1, "index", 1, 1);
    if (status != HEED_OK)
        return status;
    int64_t dims[HEED_MAX_RANK];
    for (uint32_t i = 0; i < HEED_MAX_RANK; i++)
        dims[i] = x->dims[i];
    dims[0] = call->inputs[1]->dims[0];
    call->outputs[0] = heed_desc(x->dtype, x->rank, dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = 0;
    cost->bytes = 2 * heedi_desc_bytes(&call->outputs[0]) + heedi_desc_bytes(call->inputs[1]);
}

static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_tensor_desc *x = call->inputs[0], *y = &call->outputs[0];
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(y) == 0)
        return;
    do {
        int64_t from[HEED_MAX_RANK];
        for (uint32_t i = 0; i < y->rank; i++)
            from[i] = index[i];
        from[0] = heedi_load_index(call->inputs[1], reference->data[1], index[0], 0);
        const bool inside = from[0] >= 0 && from[0] < x->dims[0];
        reference->out[0][at] =
            inside ? heedi_load(reference->data[0], x->dtype, heedi_offset(x, from)) : 0;
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] = 0;
        at++;
    } while (heedi_next_index(y, index));
}

const struct heedi_op heedi_op_gather_rows = {
    .op = HEED_OP_GATHER_ROWS,
    .name = "gather_rows",
    .version = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
