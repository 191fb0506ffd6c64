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
    if (!heedi_is_float(table->dtype) && table->dtype != HEED_I8 && table->dtype != HEED_Q8_0)
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "table is %s, expected a float type, i8 or q8_0",
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
    if (!heedi_mul_i64(table->dims[1], heed_dtype_values(table->dtype), &dims[ids->rank]))
        return heedi_op_fail(call, HEED_ERROR_LIMIT, "the table's rows are too long");
    call->outputs[0] = heed_desc(
        attrs->out_dtype == 0 ? HEED_F32 : (enum heed_dtype)attrs->out_dtype, ids->rank + 1, dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    const double elems = heedi_desc_elems(&call->outputs[0]);
    const bool scaled = call->inputs[0]->dtype == HEED_I8;
    cost->flops = scaled || call->inputs[0]->dtype == HEED_Q8_0 ? elems : 0;
    const enum heed_dtype dtype = call->inputs[0]->dtype;
    cost->bytes = elems * (double)heed_dtype_bytes(dtype) / (double)heed_dtype_values(dtype) +
                  heedi_desc_bytes(call->inputs[1]) + heedi_desc_bytes(&call->outputs[0]);
    if (scaled)
        cost->bytes += heedi_desc_elems(call->inputs[1]) * (double)heed_dtype_bytes(HEED_F32);
}

/* Value i of row `id` of the table. */
static double load(const struct heedi_reference *reference, int64_t id, int64_t i) {
    const struct heed_tensor_desc *table = reference->call->inputs[0];
    const int64_t values = heed_dtype_values(table->dtype);
    const int64_t offset = id * table->strides[0] + i / values * table->strides[1];
    if (table->dtype != HEED_Q8_0)
        return heedi_load(reference->data[0], table->dtype, offset);
    const struct heed_q8_0 *block = (const struct heed_q8_0 *)reference->data[0] + offset;
    return (double)block->values[i % values] * (double)heed_f16_to_f32(block->scale);
}

static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_tensor_desc *table = call->inputs[0], *ids = call->inputs[1];
    const bool scaled = table->dtype == HEED_I8;
    const int64_t width = table->dims[1] * heed_dtype_values(table->dtype);
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
            *y = inside ? factor * load(reference, id, i) : 0;
            if (magnitude != NULL)
                *magnitude++ = scaled ? fabs(*y) : 0;
            y++;
        }
    } while (heedi_next_index(ids, index));
}

/* One rounding, of the scale's product; a product with q8_0's f16 scale is exact. */
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
