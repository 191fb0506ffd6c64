/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: y = act((a b) * b_scale + bias), batched; b_scale only with i8 weights.
 *
 * Error of a sum of k products in any order: |err| <= gamma(k) sum |a||b| (Higham, Accuracy and
 * Stability, section 3.1). */
#include <math.h>

#include "runtime/base/shape.h"
#include "runtime/ops/activation.h"
#include "runtime/ops/rows.h"

enum { A, B, BIAS, SCALE };

/* Rows and columns of an operand as the product sees them. */
struct matrix {
    int64_t rows, columns;
    int64_t row_stride, column_stride;
};

static struct matrix matrix_of(const struct heed_tensor_desc *desc, uint32_t transpose) {
    const uint32_t outer = desc->rank - 2, inner = desc->rank - 1;
    const uint32_t row = transpose ? inner : outer, column = transpose ? outer : inner;
    return (struct matrix){desc->dims[row], desc->dims[column], desc->strides[row],
                           desc->strides[column]};
}

static const struct heed_tensor_desc *optional(const struct heedi_call *call, uint32_t index) {
    return index < call->input_count ? call->inputs[index] : NULL;
}

static enum heed_status check_attrs(struct heedi_call *call) {
    const struct heed_matmul_attrs *attrs = call->attrs;
    if (attrs->transpose_a > 1 || attrs->transpose_b > 1)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "transpose_a is %u, transpose_b is %u, expected 0 or 1",
                             attrs->transpose_a, attrs->transpose_b);
    if (!heedi_activation_known(attrs->activation))
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "unknown activation %u",
                             attrs->activation);
    if (attrs->out_dtype != 0 && !heedi_is_float_code(attrs->out_dtype))
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "out_dtype is %u, expected a float type", attrs->out_dtype);
    return HEED_OK;
}

static enum heed_status check_optional(struct heedi_call *call, int64_t n) {
    const struct heed_tensor_desc *b = call->inputs[B], *scale = optional(call, SCALE);
    enum heed_status status = HEED_OK;
    if (optional(call, BIAS) != NULL) {
        status = heedi_expect_float(call, BIAS, "bias");
        if (status == HEED_OK)
            status = heedi_expect_vector(call, BIAS, "bias", n, "the columns of the result");
    }
    if (status != HEED_OK)
        return status;
    if ((b->dtype == HEED_I8) != (scale != NULL))
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "b of type %s %s b_scale",
                             heed_dtype_name(b->dtype), scale == NULL ? "needs a" : "takes no");
    if (scale != NULL && scale->dtype != HEED_F32)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "b_scale is %s, expected f32",
                             heed_dtype_name(scale->dtype));
    return scale == NULL
               ? HEED_OK
               : heedi_expect_vector(call, SCALE, "b_scale", n, "the columns of the result");
}

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_matmul_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *a = call->inputs[A], *b = call->inputs[B];
    enum heed_status status = check_attrs(call);
    if (status == HEED_OK)
        status = heedi_expect_float(call, A, "a");
    if (status == HEED_OK && b->dtype != HEED_I8)
        status = heedi_expect_float(call, B, "b");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, A, "a", 2, HEED_MAX_RANK);
    if (status == HEED_OK)
        status = heedi_expect_rank(call, B, "b", 2, HEED_MAX_RANK);
    if (status != HEED_OK)
        return status;
    const struct matrix left = matrix_of(a, attrs->transpose_a);
    const struct matrix right = matrix_of(b, attrs->transpose_b);
    if (left.columns != right.rows) {
        struct heedi_shape_text x, y;
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "inner dimensions differ: a ('%s') is %s%s, b ('%s') is %s%s",
                             call->input_names[A], heedi_shape_print(&x, a),
                             attrs->transpose_a ? " transposed" : "", call->input_names[B],
                             heedi_shape_print(&y, b), attrs->transpose_b ? " transposed" : "");
    }
    status = check_optional(call, right.columns);
    if (status != HEED_OK)
        return status;
    struct heed_tensor_desc lead_a = *a, lead_b = *b, lead;
    lead_a.rank -= 2;
    lead_b.rank -= 2;
    status = heedi_broadcast_shapes(call, &lead_a, &lead_b, &lead);
    if (status != HEED_OK)
        return status;
    lead.dims[lead.rank] = left.rows;
    lead.dims[lead.rank + 1] = right.columns;
    call->outputs[0] =
        heed_desc(attrs->out_dtype == 0 ? a->dtype : (enum heed_dtype)attrs->out_dtype,
                  lead.rank + 2, lead.dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    const struct heed_matmul_attrs *attrs = call->attrs;
    const struct matrix left = matrix_of(call->inputs[A], attrs->transpose_a);
    const double elems = heedi_desc_elems(&call->outputs[0]);
    cost->flops = 2 * elems * (double)left.columns + (optional(call, BIAS) != NULL ? elems : 0) +
                  (attrs->activation != HEED_ACTIVATION_NONE ? elems : 0);
    cost->bytes = heedi_call_bytes(call);
}

/* Offset of the matrix of `desc` that belongs to a batch index of the result. */
static int64_t batch_offset(const struct heed_tensor_desc *desc, const int64_t *index,
                            uint32_t batch_rank) {
    const uint32_t own = desc->rank - 2;
    int64_t offset = 0;
    for (uint32_t i = 0; i < own; i++)
        offset += desc->dims[i] == 1 ? 0 : index[i + batch_rank - own] * desc->strides[i];
    return offset;
}

static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_matmul_attrs *attrs = call->attrs;
    const enum heed_activation activation = (enum heed_activation)attrs->activation;
    const struct heed_tensor_desc *a = call->inputs[A], *b = call->inputs[B];
    const struct heed_tensor_desc *bias = optional(call, BIAS), *scale = optional(call, SCALE);
    const struct heed_tensor_desc *y = &call->outputs[0];
    const struct matrix left = matrix_of(a, attrs->transpose_a);
    const struct matrix right = matrix_of(b, attrs->transpose_b);
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(y) == 0)
        return;
    do {
        const int64_t m = index[y->rank - 2], n = index[y->rank - 1];
        const int64_t row = batch_offset(a, index, y->rank - 2) + m * left.row_stride;
        const int64_t column = batch_offset(b, index, y->rank - 2) + n * right.column_stride;
        double sum = 0, absolute = 0;
        for (int64_t k = 0; k < left.columns; k++) {
            const double product =
                heedi_load(reference->data[A], a->dtype, row + k * left.column_stride) *
                heedi_load(reference->data[B], b->dtype, column + k * right.row_stride);
            sum += product;
            absolute += fabs(product);
        }
        if (scale != NULL) {
            const double factor =
                heedi_load(reference->data[SCALE], HEED_F32, n * scale->strides[0]);
            sum *= factor;
            absolute *= fabs(factor);
        }
        if (bias != NULL) {
            const double value =
                heedi_load(reference->data[BIAS], bias->dtype, n * bias->strides[0]);
            sum += value;
            absolute += fabs(value);
        }
        reference->out[0][at] = heedi_activation(activation, sum);
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] = heedi_activation_magnitude(activation, sum, absolute);
        at++;
    } while (heedi_next_index(y, index));
}

static double depth(const struct heedi_call *call) {
    const struct heed_matmul_attrs *attrs = call->attrs;
    const struct matrix left = matrix_of(call->inputs[A], attrs->transpose_a);
    return (double)left.columns + (optional(call, BIAS) != NULL ? 1 : 0) +
           (optional(call, SCALE) != NULL ? 1 : 0) +
           heedi_activation_depth((enum heed_activation)attrs->activation);
}

static enum heed_status lower_activation(struct heed_graph *graph, uint32_t activation,
                                         heed_tensor x, heed_tensor *y) {
    switch ((enum heed_activation)activation) {
    case HEED_ACTIVATION_RELU:
        return heed_graph_unary(graph, HEED_OP_RELU, "activation", x, y);
    case HEED_ACTIVATION_GELU_ERF:
        return heed_graph_gelu(graph, "activation", x, 0, y);
    case HEED_ACTIVATION_GELU_TANH:
        return heed_graph_gelu(graph, "activation", x, 1, y);
    case HEED_ACTIVATION_SILU:
        return heed_graph_unary(graph, HEED_OP_SILU, "activation", x, y);
    case HEED_ACTIVATION_TANH:
        return heed_graph_unary(graph, HEED_OP_TANH, "activation", x, y);
    case HEED_ACTIVATION_SIGMOID:
        return heed_graph_unary(graph, HEED_OP_SIGMOID, "activation", x, y);
    case HEED_ACTIVATION_NONE:
        break;
    }
    *y = x;
    return HEED_OK;
}

/* act(add(matmul(a, b), bias)); the bare product, and i8 weights, have no simpler form. */
static enum heed_status lower(struct heed_graph *graph, const struct heedi_call *call,
                              const heed_tensor *inputs, heed_tensor *outputs) {
    struct heed_matmul_attrs attrs = *(const struct heed_matmul_attrs *)call->attrs;
    const uint32_t activation = attrs.activation;
    const bool biased = optional(call, BIAS) != NULL;
    if (optional(call, SCALE) != NULL || (!biased && activation == HEED_ACTIVATION_NONE))
        return heedi_error(call->error, HEED_ERROR_UNSUPPORTED,
                           "matmul %s: this form has no lowering", call->name);
    attrs.activation = HEED_ACTIVATION_NONE;
    heed_tensor value = HEED_NO_TENSOR;
    heed_graph_matmul(graph, "product", inputs[A], inputs[B], &attrs, &value);
    if (biased)
        heed_graph_binary(graph, HEED_OP_ADD, "bias", value, inputs[BIAS], &value);
    return lower_activation(graph, activation, value, &outputs[0]);
}

const struct heedi_op heedi_op_matmul = {
    .op = HEED_OP_MATMUL,
    .name = "matmul",
    .version = 1,
    .min_inputs = 2,
    .max_inputs = 4,
    .attrs_size = sizeof(struct heed_matmul_attrs),
    .infer = infer,
    .cost = cost,
    .reference = reference,
    .depth = depth,
    .lower = lower,
};
