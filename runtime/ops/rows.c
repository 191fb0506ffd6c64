/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of operators that work along the last dimension, and of cost functions. */
#include "runtime/ops/rows.h"

#include <inttypes.h>

#include "runtime/base/shape.h"

void heedi_rows_begin(struct heedi_rows *rows, const struct heed_tensor_desc *desc) {
    const uint32_t last = desc->rank - 1;
    rows->outer = *desc;
    rows->outer.rank = last;
    rows->outer.dims[last] = 1;
    rows->outer.strides[last] = 0;
    for (uint32_t i = 0; i < HEED_MAX_RANK; i++)
        rows->index[i] = 0;
    rows->number = 0;
    rows->offset = 0;
    rows->length = desc->dims[last];
    rows->stride = desc->strides[last];
    rows->valid = heed_desc_elems(&rows->outer) > 0;
}

void heedi_rows_next(struct heedi_rows *rows) {
    rows->valid = heedi_next_index(&rows->outer, rows->index);
    rows->number++;
    if (rows->valid)
        rows->offset = heedi_offset(&rows->outer, rows->index);
}

struct heed_tensor_desc heedi_desc_with_last(const struct heed_tensor_desc *desc,
                                             enum heed_dtype dtype, int64_t last) {
    int64_t dims[HEED_MAX_RANK] = {0};
    uint32_t rank = desc->rank - 1;
    for (uint32_t i = 0; i < rank; i++)
        dims[i] = desc->dims[i];
    if (last >= 0)
        dims[rank++] = last;
    return heed_desc(dtype, rank, dims);
}

double heedi_desc_elems(const struct heed_tensor_desc *desc) {
    double elems = 1;
    for (uint32_t i = 0; i < desc->rank; i++)
        elems *= (double)desc->dims[i];
    return elems;
}

double heedi_desc_bytes(const struct heed_tensor_desc *desc) {
    return heedi_desc_elems(desc) * (double)heed_dtype_bytes(desc->dtype);
}

double heedi_call_bytes(const struct heedi_call *call) {
    double bytes = 0;
    for (uint32_t i = 0; i < call->input_count; i++)
        if (call->inputs[i])
            bytes += heedi_desc_bytes(call->inputs[i]);
    for (uint32_t i = 0; i < call->output_count; i++)
        bytes += heedi_desc_bytes(&call->outputs[i]);
    return bytes;
}

int64_t heedi_load_index(const struct heed_tensor_desc *desc, const void *data, int64_t index,
                         int64_t missing) {
    return desc ? ((const int32_t *)data)[index * desc->strides[0]] : missing;
}

bool heedi_is_float_code(uint32_t dtype) {
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16;
}

enum heed_status heedi_expect_float(struct heedi_call *call, uint32_t index, const char *what) {
    const struct heed_tensor_desc *desc = call->inputs[index];
    if (heedi_is_float(desc->dtype))
        return HEED_OK;
    return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s ('%s') must be f32, f16 or bf16, but is %s",
                         what, call->input_names[index], heed_dtype_name(desc->dtype));
}

enum heed_status heedi_expect_i32(struct heedi_call *call, uint32_t index, const char *what) {
    const struct heed_tensor_desc *desc = call->inputs[index];
    if (desc->dtype == HEED_I32)
        return HEED_OK;
    return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s ('%s') must be i32, but is %s", what,
                         call->input_names[index], heed_dtype_name(desc->dtype));
}

enum heed_status heedi_expect_rank(struct heedi_call *call, uint32_t index, const char *what,
                                   uint32_t min_rank, uint32_t max_rank) {
    const struct heed_tensor_desc *desc = call->inputs[index];
    struct heedi_shape_text text;
    if (desc->rank >= min_rank && desc->rank <= max_rank)
        return HEED_OK;
    if (min_rank == max_rank)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s ('%s') must have rank %u, but is %s", what,
                             call->input_names[index], (unsigned)min_rank,
                             heedi_shape_print(&text, desc));
    return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s ('%s') must have rank %u to %u, but is %s",
                         what, call->input_names[index], (unsigned)min_rank, (unsigned)max_rank,
                         heedi_shape_print(&text, desc));
}

enum heed_status heedi_expect_vector(struct heedi_call *call, uint32_t index, const char *what,
                                     int64_t length, const char *meaning) {
    const struct heed_tensor_desc *desc = call->inputs[index];
    struct heedi_shape_text text;
    if (desc->rank == 1 && desc->dims[0] == length)
        return HEED_OK;
    return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s ('%s') must be [%" PRId64 "] (%s), but is %s",
                         what, call->input_names[index], length, meaning,
                         heedi_shape_print(&text, desc));
}
