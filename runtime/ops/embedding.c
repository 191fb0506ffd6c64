/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: y[.., :] = table[ids[..], :] (* table_scale[ids[..]]); zeros for an id outside the
 * table. */
#include <math.h>

#include "runtime/base/shape.h"
#include "runtime/ops/rows.h"

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_embedding_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *table = call->inputs[0], *ids = call->inputs[1];
    const bool scaled = call->input_count > 2 && call->inputs[2] != NULL;
    enum heed_status status = heedi_expect_rank(call, 0, "table", 2, 2);
    if (status == HEED_OK)
        status = heedi_expect_i32(call, 1, "ids");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, 1, "ids", 0, HEED_MAX_RANK - 1);
    if (status != HEED_OK)
        return status;
    if (!heedi_is_float(table->dtype) && table->dtype != HEED_I8)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "table is %s, expected a float type or i8",
                             heed_dtype_name(table->dtype));
    if (scaled != (table->dtype == HEED_I8))
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "a table of %s %s table_scale",
                             heed_dtype_name(table->dtype), scaled ? "takes no" : "needs a");
    if (scaled && call->inputs[2]->dtype != HEED_F32)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "table_scale is %s, expected f32",
                             heed_dtype_name(call->inputs[2]->dtype));
    if (scaled)
        status =
            heedi_expect_vector(call, 2, "table_scale", table->dims[0], "the rows of the table");
    if (status != HEED_OK)
        return status;
    if (attrs->out_dtype != 0 && !heedi_is_float_code(attrs->out_dtype))
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "out_dtype is %u, expected a float type", attrs->out_dtype);
    int64_t dims[HEED_MAX_RANK] = {0};
    for (uint32_t i = 0; i < ids->rank; i++)
        dims[i] = ids->dims[i];
    dims[ids->rank] = table->dims[1];
    call->outputs[0] = heed_desc(
        attrs->out_dtype == 0 ? HEED_F32 : (enum heed_dtype)attrs->out_dtype, ids->rank + 1, dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    const double elems = heedi_desc_elems(&call->outputs[0]);
    const bool scaled = call->inputs[0]->dtype == HEED_I8;
    cost->flops = scaled ? elems : 0;
    cost->bytes = elems * (double)heed_dtype_bytes(call->inputs[0]->dtype) +
                  heedi_desc_bytes(call->inputs[1]) + heedi_desc_bytes(&call->outputs[0]);
    if (scaled)
        cost->bytes += heedi_desc_elems(call->inputs[1]) * (double)heed_dtype_bytes(HEED_F32);
}

static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_tensor_desc *table = call->inputs[0], *ids = call->inputs[1];
    const bool scaled = table->dtype == HEED_I8;
    const int64_t width = table->dims[1];
    int64_t index[HEED_MAX_RANK] = {0};
    double *y = reference->out[0], *magnitude = reference->magnitude[0];
    if (heed_desc_elems(ids) == 0)
        return;
    do {
        const int64_t id = ((const int32_t *)reference->data[1])[heedi_offset(ids, index)];
        const bool inside = id >= 0 && id < table->dims[0];
        double factor = 1;
        if (scaled && inside)
            factor = heedi_load(reference->data[2], HEED_F32, id * call->inputs[2]->strides[0]);
        for (int64_t i = 0; i < width; i++) {
            *y = inside ? factor * heedi_load(reference->data[0], table->dtype,
                                              id * table->strides[0] + i * table->strides[1])
                        : 0;
            if (magnitude != NULL)
                *magnitude++ = scaled ? fabs(*y) : 0;
            y++;
        }
    } while (heedi_next_index(ids, index));
}

/* One rounding, of the scale's product. */
static double depth(const struct heedi_call *call) {
    return call->inputs[0]->dtype == HEED_I8 ? 1 : 0;
}

const struct heedi_op heedi_op_embedding = {
    .op = HEED_OP_EMBEDDING,
    .name = "embedding",
    .version = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .attrs_size = sizeof(struct heed_embedding_attrs),
    .infer = infer,
    .cost = cost,
    .reference = reference,
    .depth = depth,
};
