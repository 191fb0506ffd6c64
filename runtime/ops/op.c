/* SPDX-License-Identifier: Apache-2.0 */
/* The operator table and what the operator files share. */
#include "runtime/ops/op.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/shape.h"

const struct heedi_op *heedi_op_find(enum heed_op op) {
    switch (op) {
#define CASE(NAME, value, name)                                                                    \
    case HEED_OP_##NAME:                                                                           \
        return &heedi_op_##name;
        HEED_OP_LIST(CASE)
#undef CASE
    case HEED_OP_NONE:
    case HEED_OP_COUNT_PLUS_ONE:
        break;
    }
    return NULL;
}

enum heed_status(heedi_op_fail)(struct heedi_call *call, enum heed_status status,
                                const char *format, ...) {
    char text[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return heedi_error(call->error, status, "%s %s: %s", heed_op_name(call->op),
                       call->name == NULL ? "(unnamed)" : call->name, text);
}

enum heed_status heedi_op_infer(struct heedi_call *call) {
    const struct heedi_op *op = heedi_op_find(call->op);
    if (op == NULL)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "unknown operator %d",
                             (int)call->op);
    if (call->input_count < op->min_inputs || call->input_count > op->max_inputs)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "has %" PRIu32 " inputs, expected %" PRIu32 " to %" PRIu32,
                             call->input_count, op->min_inputs, op->max_inputs);
    for (uint32_t i = 0; i < op->min_inputs; i++)
        if (call->inputs[i] == NULL)
            return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "input %" PRIu32 " is missing",
                                 i);
    for (uint32_t i = 0; i < call->input_count; i++)
        if (call->inputs[i] != NULL && call->inputs[i]->dtype == HEED_Q8_0 &&
            !(call->op == HEED_OP_MATMUL && i == 1) && !(call->op == HEED_OP_EMBEDDING && i == 0))
            return heedi_op_fail(call, HEED_ERROR_SHAPE,
                                 "input %" PRIu32 " ('%s') is q8_0, which only b of matmul and the "
                                 "table of embedding may be",
                                 i, call->input_names[i]);
    if (op->attrs_size > 0 && call->attrs == NULL)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "attributes are missing");
    call->view_offset = 0;
    call->output_count = 1;
    const enum heed_status status = op->infer(call);
    if (status != HEED_OK)
        return status;
    for (uint32_t i = 0; i < call->output_count; i++) {
        const struct heed_tensor_desc *out = &call->outputs[i];
        struct heedi_shape_text text;
        if (!heedi_shape_check(out->dtype, out->rank, out->dims, NULL, NULL))
            return heedi_op_fail(call, HEED_ERROR_LIMIT, "output %s is too large",
                                 heedi_shape_print(&text, out));
    }
    return HEED_OK;
}

bool heedi_is_float(enum heed_dtype dtype) {
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16;
}

enum heed_status heedi_broadcast_shapes(struct heedi_call *call, const struct heed_tensor_desc *a,
                                        const struct heed_tensor_desc *b,
                                        struct heed_tensor_desc *result) {
    const uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t dims[HEED_MAX_RANK] = {0};
    for (uint32_t i = 0; i < rank; i++) {
        const uint32_t back = rank - i; /* distance from the right */
        const int64_t x = back <= a->rank ? a->dims[a->rank - back] : 1;
        const int64_t y = back <= b->rank ? b->dims[b->rank - back] : 1;
        if (x != y && x != 1 && y != 1) {
            struct heedi_shape_text left, right;
            return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s and %s do not broadcast",
                                 heedi_shape_print(&left, a), heedi_shape_print(&right, b));
        }
        dims[i] = x == 1 ? y : x;
    }
    *result = heed_desc(a->dtype, rank, dims);
    return HEED_OK;
}

double heedi_load(const void *data, enum heed_dtype dtype, int64_t offset_elems) {
    switch (dtype) {
    case HEED_F32:
        return (double)((const float *)data)[offset_elems];
    case HEED_F16:
        return (double)heed_f16_to_f32(((const uint16_t *)data)[offset_elems]);
    case HEED_BF16:
        return (double)heed_bf16_to_f32(((const uint16_t *)data)[offset_elems]);
    case HEED_I32:
        return (double)((const int32_t *)data)[offset_elems];
    case HEED_I8:
        return (double)((const int8_t *)data)[offset_elems];
    case HEED_Q8_0: /* its elements are no numbers */
    case HEED_DTYPE_NONE:
        break;
    }
    return 0;
}

void heedi_load_many(const void *data, enum heed_dtype dtype, int64_t offset_elems, int64_t stride,
                     int64_t count, double *values) {
    const float *f32 = data;
    if (dtype == HEED_F32)
        for (int64_t i = 0; i < count; i++)
            values[i] = (double)f32[offset_elems + i * stride];
    else
        for (int64_t i = 0; i < count; i++)
            values[i] = heedi_load(data, dtype, offset_elems + i * stride);
}

int64_t heedi_offset(const struct heed_tensor_desc *desc, const int64_t *index) {
    int64_t offset = 0;
    for (uint32_t i = 0; i < desc->rank; i++)
        offset += index[i] * desc->strides[i];
    return offset;
}

bool heedi_next_index(const struct heed_tensor_desc *desc, int64_t *index) {
    for (uint32_t i = desc->rank; i-- > 0;) {
        if (++index[i] < desc->dims[i])
            return true;
        index[i] = 0;
    }
    return false;
}
