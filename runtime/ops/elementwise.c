/* SPDX-License-Identifier: Apache-2.0 */
/* The elementwise operators: add and mul (with broadcasting), scale, and the activations, whose
 * formulas and error growth are in activation.c. */
#include <math.h>

#include "runtime/base/shape.h"
#include "runtime/ops/activation.h"
#include "runtime/ops/op.h"
#include "runtime/ops/rows.h"

/* ---- two inputs ---- */

static enum heed_status infer_binary(struct heedi_call *call) {
    const struct heed_tensor_desc *a = call->inputs[0], *b = call->inputs[1];
    const bool floats = heedi_is_float(a->dtype) && heedi_is_float(b->dtype);
    if (!floats && !(a->dtype == HEED_I32 && b->dtype == HEED_I32)) {
        struct heedi_shape_text left, right;
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s and %s: expected two floats or two i32",
                             heedi_shape_print(&left, a), heedi_shape_print(&right, b));
    }
    return heedi_broadcast_shapes(call, a, b, &call->outputs[0]);
}

static void cost_elementwise(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = (double)heed_desc_elems(&call->outputs[0]);
    cost->bytes = heedi_call_bytes(call);
}

/* Value of a broadcast operand at an index of the result. */
static double load_broadcast(const struct heedi_reference *reference, uint32_t input,
                             const struct heed_tensor_desc *y, const int64_t *index) {
    const struct heed_tensor_desc *x = reference->call->inputs[input];
    const uint32_t lead = y->rank - x->rank;
    int64_t offset = 0;
    for (uint32_t i = 0; i < x->rank; i++)
        offset += x->dims[i] == 1 ? 0 : index[i + lead] * x->strides[i];
    return heedi_load(reference->data[input], x->dtype, offset);
}

/* i32 arithmetic is modulo 2^32; sums and products are exact in 64 bits. */
static double wrap_i32(int64_t value) {
    const uint32_t low = (uint32_t)(uint64_t)value;
    return low >= 0x80000000u ? (double)low - 4294967296.0 : (double)low;
}

static void reference_binary(const struct heedi_reference *reference) {
    const struct heed_tensor_desc *y = &reference->call->outputs[0];
    const bool add = reference->call->op == HEED_OP_ADD;
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(y) == 0)
        return;
    do {
        const double a = load_broadcast(reference, 0, y, index);
        const double b = load_broadcast(reference, 1, y, index);
        double value = add ? a + b : a * b, magnitude = fabs(value);
        if (y->dtype == HEED_I32) {
            value = wrap_i32(add ? (int64_t)a + (int64_t)b : (int64_t)a * (int64_t)b);
            magnitude = 0;
        }
        reference->out[0][at] = value;
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] = magnitude;
        at++;
    } while (heedi_next_index(y, index));
}

/* One rounding. */
static double depth_one(const struct heedi_call *call) {
    return call->outputs[0].dtype == HEED_I32 ? 0 : 1;
}

/* ---- one input ---- */

static enum heed_status infer_unary(struct heedi_call *call) {
    const struct heed_tensor_desc *x = call->inputs[0];
    if (!heedi_is_float(x->dtype)) {
        struct heedi_shape_text text;
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "x is %s, expected a float type",
                             heedi_shape_print(&text, x));
    }
    call->outputs[0] = heed_desc(x->dtype, x->rank, x->dims);
    return HEED_OK;
}

static void reference_scale(const struct heedi_reference *reference) {
    const struct heed_scale_attrs *attrs = reference->call->attrs;
    const struct heed_tensor_desc *y = &reference->call->outputs[0];
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(y) == 0)
        return;
    do {
        const double value = load_broadcast(reference, 0, y, index) * (double)attrs->factor;
        reference->out[0][at] = value;
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] = fabs(value);
        at++;
    } while (heedi_next_index(y, index));
}

static enum heed_activation activation_of(const struct heedi_call *call) {
    switch (call->op) {
    case HEED_OP_RELU:
        return HEED_ACTIVATION_RELU;
    case HEED_OP_GELU:
        return ((const struct heed_gelu_attrs *)call->attrs)->tanh_form ? HEED_ACTIVATION_GELU_TANH
                                                                        : HEED_ACTIVATION_GELU_ERF;
    case HEED_OP_SILU:
        return HEED_ACTIVATION_SILU;
    case HEED_OP_TANH:
        return HEED_ACTIVATION_TANH;
    case HEED_OP_SIGMOID:
        return HEED_ACTIVATION_SIGMOID;
    default:
        return HEED_ACTIVATION_NONE;
    }
}

static enum heed_status infer_gelu(struct heedi_call *call) {
    const struct heed_gelu_attrs *attrs = call->attrs;
    if (attrs->tanh_form > 1)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT, "tanh_form is %u, expected 0 or 1",
                             attrs->tanh_form);
    return infer_unary(call);
}

static void reference_activation(const struct heedi_reference *reference) {
    const enum heed_activation activation = activation_of(reference->call);
    const struct heed_tensor_desc *y = &reference->call->outputs[0];
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(y) == 0)
        return;
    do {
        const double x = load_broadcast(reference, 0, y, index);
        reference->out[0][at] = heedi_activation(activation, x);
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] = heedi_activation_magnitude(activation, x, 0);
        at++;
    } while (heedi_next_index(y, index));
}

static double depth_activation(const struct heedi_call *call) {
    return heedi_activation_depth(activation_of(call));
}

/* silu(x) = x * sigmoid(x) */
static enum heed_status lower_silu(struct heed_graph *graph, const struct heedi_call *call,
                                   const heed_tensor *inputs, heed_tensor *outputs) {
    (void)call;
    heed_tensor gate = HEED_NO_TENSOR;
    heed_graph_unary(graph, HEED_OP_SIGMOID, "sigmoid", inputs[0], &gate);
    return heed_graph_binary(graph, HEED_OP_MUL, "mul", inputs[0], gate, &outputs[0]);
}

#define BINARY(NAME, title)                                                                        \
    const struct heedi_op heedi_op_##title = {                                                     \
        .op = HEED_OP_##NAME,                                                                      \
        .name = #title,                                                                            \
        .version = 1,                                                                              \
        .min_inputs = 2,                                                                           \
        .max_inputs = 2,                                                                           \
        .infer = infer_binary,                                                                     \
        .cost = cost_elementwise,                                                                  \
        .reference = reference_binary,                                                             \
        .depth = depth_one,                                                                        \
    }
BINARY(ADD, add);
BINARY(MUL, mul);

const struct heedi_op heedi_op_scale = {
    .op = HEED_OP_SCALE,
    .name = "scale",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs_size = sizeof(struct heed_scale_attrs),
    .infer = infer_unary,
    .cost = cost_elementwise,
    .reference = reference_scale,
    .depth = depth_one,
};

#define ACTIVATION(NAME, title, attrs, check, lowering)                                            \
    const struct heedi_op heedi_op_##title = {                                                     \
        .op = HEED_OP_##NAME,                                                                      \
        .name = #title,                                                                            \
        .version = 1,                                                                              \
        .min_inputs = 1,                                                                           \
        .max_inputs = 1,                                                                           \
        .attrs_size = attrs,                                                                       \
        .infer = check,                                                                            \
        .cost = cost_elementwise,                                                                  \
        .reference = reference_activation,                                                         \
        .depth = depth_activation,                                                                 \
        .lower = lowering,                                                                         \
    }
ACTIVATION(RELU, relu, 0, infer_unary, NULL);
ACTIVATION(GELU, gelu, sizeof(struct heed_gelu_attrs), infer_gelu, NULL);
ACTIVATION(SILU, silu, 0, infer_unary, lower_silu);
ACTIVATION(TANH, tanh, 0, infer_unary, NULL);
ACTIVATION(SIGMOID, sigmoid, 0, infer_unary, NULL);
