/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: y = act((a b) * b_scale + bias), batched; b_scale only with i8 weights. With quantised
 * rows of a, see enum heed_quantization.
 *
 * Error of a sum of k products in any order: |err| <= gamma(k) sum |a||b| (Higham, Accuracy and
 * Stability, section 3.1). */
#include <math.h>

#include "runtime/base/shape.h"
#include "runtime/ops/activation.h"
#include "runtime/ops/rows.h"

enum { A, B, BIAS, SCALE };

/* Rows and columns of an operand as the product sees them, in elements of its type. */
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
    if (attrs->a_quantization > HEED_QUANTIZE_ROWS)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "unknown quantization %u of a",
                             attrs->a_quantization);
    if (attrs->out_dtype != 0 && !heedi_is_float_code(attrs->out_dtype))
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "out_dtype is %u, expected a float type", attrs->out_dtype);
    return HEED_OK;
}

/* Types of b, and what they ask of the attributes. */
static enum heed_status check_b(struct heedi_call *call) {
    const struct heed_matmul_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *b = call->inputs[B];
    struct heedi_shape_text text;
    if (b->dtype == HEED_Q8_0) {
        if (attrs->a_quantization == HEED_QUANTIZE_NONE)
            return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                                 "b ('%s') is q8_0, which needs the rows of a to be quantised",
                                 call->input_names[B]);
        if (attrs->transpose_b != 1 || b->rank != 2 || !heed_desc_contiguous(b))
            return heedi_op_fail(call, HEED_ERROR_SHAPE,
                                 "b ('%s') is %s, but a q8_0 b must be contiguous [n, k / 32] with "
                                 "transpose_b",
                                 call->input_names[B], heedi_shape_print(&text, b));
        return HEED_OK;
    }
    if (b->dtype == HEED_I8)
        return HEED_OK;
    if (attrs->a_quantization != HEED_QUANTIZE_NONE)
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "b ('%s') is %s, but quantised rows of a need an i8 or q8_0 b",
                             call->input_names[B], heed_dtype_name(b->dtype));
    return heedi_expect_float(call, B, "b");
}

static enum heed_status check_depth(struct heedi_call *call, int64_t k) {
    const struct heed_matmul_attrs *attrs = call->attrs;
    if (attrs->a_quantization == HEED_QUANTIZE_NONE || k <= HEED_QUANTIZE_MAX_K)
        return HEED_OK;
    return heedi_op_fail(call, HEED_ERROR_LIMIT,
                         "the inner dimension is %lld, with quantised rows at most %d",
                         (long long)k, HEED_QUANTIZE_MAX_K);
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
    if (status == HEED_OK)
        status = check_b(call);
    if (status == HEED_OK)
        status = heedi_expect_rank(call, A, "a", 2, HEED_MAX_RANK);
    if (status == HEED_OK)
        status = heedi_expect_rank(call, B, "b", 2, HEED_MAX_RANK);
    if (status != HEED_OK)
        return status;
    const struct matrix left = matrix_of(a, attrs->transpose_a);
    const struct matrix right = matrix_of(b, attrs->transpose_b);
    if (left.columns / heed_dtype_values(b->dtype) != right.rows ||
        left.columns % heed_dtype_values(b->dtype) != 0) {
        struct heedi_shape_text x, y;
        return heedi_op_fail(call, HEED_ERROR_SHAPE,
                             "inner dimensions differ: a ('%s') is %s%s, b ('%s') is %s%s",
                             call->input_names[A], heedi_shape_print(&x, a),
                             attrs->transpose_a ? " transposed" : "", call->input_names[B],
                             heedi_shape_print(&y, b), attrs->transpose_b ? " transposed" : "");
    }
    status = check_depth(call, left.columns);
    if (status == HEED_OK)
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

/* What an element's sum is made of. */
struct dot {
    const struct heedi_reference *reference;
    const struct heed_tensor_desc *a, *b;
    int64_t k;
    int64_t row, column;        /* offsets of the first elements */
    int64_t a_stride, b_stride; /* along k */
    double sum, absolute;       /* of the products, and of their magnitudes */
};

enum { PIECE = 64 };

static void real_dot(struct dot *dot) {
    double a[PIECE], b[PIECE];
    for (int64_t k = 0; k < dot->k; k += PIECE) {
        const int64_t count = dot->k - k < PIECE ? dot->k - k : PIECE;
        heedi_load_many(dot->reference->data[A], dot->a->dtype, dot->row + k * dot->a_stride,
                        dot->a_stride, count, a);
        heedi_load_many(dot->reference->data[B], dot->b->dtype, dot->column + k * dot->b_stride,
                        dot->b_stride, count, b);
        for (int64_t i = 0; i < count; i++) {
            dot->sum += a[i] * b[i];
            dot->absolute += fabs(a[i] * b[i]);
        }
    }
}

static float load_a(const struct dot *dot, int64_t k) {
    return (float)heedi_load(dot->reference->data[A], dot->a->dtype, dot->row + k * dot->a_stride);
}

/* The same of the quantised row: operands as they are after quantisation, which is exact here as
 * everywhere, so that only the roundings of what follows the integer sums are left to judge. */
static void quantized_dot(struct dot *dot) {
    float greatest = 0, factor;
    for (int64_t k = 0; k < dot->k; k++) {
        const float magnitude = fabsf(load_a(dot, k));
        if (!(magnitude <= greatest)) /* keeps a NaN */
            greatest = isnan(greatest) ? greatest : magnitude;
    }
    const double scale = (double)heed_quantize_scale(greatest, &factor);
    const int64_t block = heed_dtype_values(dot->b->dtype);
    const struct heed_q8_0 *blocks = dot->reference->data[B];
    for (int64_t k = 0; k < dot->k; k += block) {
        const struct heed_q8_0 *part = &blocks[dot->column + k / block];
        double sum = 0;
        for (int64_t i = 0; i < block; i++) {
            const double b = block > 1 ? (double)part->values[i]
                                       : heedi_load(dot->reference->data[B], HEED_I8,
                                                    dot->column + k * dot->b_stride);
            sum += heed_quantize(load_a(dot, k + i), factor) * b;
        }
        if (block > 1)
            sum *= (double)heed_f16_to_f32(part->scale);
        dot->sum += sum;
        dot->absolute += fabs(sum);
    }
    if (block == 1) /* an exact sum: only its size counts */
        dot->absolute = fabs(dot->sum);
    dot->sum *= scale;
    dot->absolute *= scale;
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
        struct dot dot = {
            .reference = reference,
            .a = a,
            .b = b,
            .k = left.columns,
            .row = batch_offset(a, index, y->rank - 2) + m * left.row_stride,
            .column = batch_offset(b, index, y->rank - 2) + n * right.column_stride,
            .a_stride = left.column_stride,
            .b_stride = right.row_stride,
        };
        if (attrs->a_quantization == HEED_QUANTIZE_ROWS)
            quantized_dot(&dot);
        else
            real_dot(&dot);
        if (scale != NULL) {
            const double factor =
                heedi_load(reference->data[SCALE], HEED_F32, n * scale->strides[0]);
            dot.sum *= factor;
            dot.absolute *= fabs(factor);
        }
        if (bias != NULL) {
            const double value =
                heedi_load(reference->data[BIAS], bias->dtype, n * bias->strides[0]);
            dot.sum += value;
            dot.absolute += fabs(value);
        }
        reference->out[0][at] = heedi_activation(activation, dot.sum);
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] =
                heedi_activation_magnitude(activation, dot.sum, dot.absolute);
        at++;
    } while (heedi_next_index(y, index));
}

/* Quantised: an exact sum becomes f32, the two scales are multiplied, then all three: 3 roundings;
 * with q8_0 a product and a sum per block, then the scale's product. */
static double depth(const struct heedi_call *call) {
    const struct heed_matmul_attrs *attrs = call->attrs;
    const struct matrix left = matrix_of(call->inputs[A], attrs->transpose_a);
    const enum heed_dtype dtype = call->inputs[B]->dtype;
    const double after = (optional(call, BIAS) != NULL ? 1 : 0) +
                         heedi_activation_depth((enum heed_activation)attrs->activation);
    const int64_t blocks = left.columns / HEED_Q8_0_VALUES;
    if (attrs->a_quantization == HEED_QUANTIZE_ROWS)
        return after + (dtype == HEED_Q8_0 ? (double)blocks + 1 : 3);
    return after + (double)left.columns + (optional(call, SCALE) != NULL ? 1 : 0);
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
    if (optional(call, SCALE) != NULL || attrs.a_quantization != HEED_QUANTIZE_NONE ||
        (!biased && activation == HEED_ACTIVATION_NONE))
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
