/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of an element: gamma(K) M + output rounding + underflow, where K is the operator's
 * depth plus what the functions of the C library err by, and M the magnitude that its reference
 * computes (Higham, Accuracy and Stability, section 3.1; underflow as in section 2.1). */
#include "tests/support/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/shape.h"

static const char *current_operator = "", *current_replay = "";

void compare_where(const char *operator_name, const char *replay) {
    current_operator = operator_name;
    current_replay = replay;
}

const char *compare_replay(void) {
    return current_replay;
}

void compare_store(void *data, enum heed_dtype dtype, int64_t offset_elems, float value) {
    if (dtype == HEED_F32)
        ((float *)data)[offset_elems] = value;
    else if (dtype == HEED_F16)
        ((uint16_t *)data)[offset_elems] = heed_f32_to_f16(value);
    else
        ((uint16_t *)data)[offset_elems] = heed_f32_to_bf16(value);
}

struct format {
    double unit_roundoff, smallest; /* subnormal */
    double largest;
};

static struct format format_of(enum heed_dtype dtype) {
    switch (dtype) {
    case HEED_F16:
        return (struct format){0x1p-11, 0x1p-24, 65504.0};
    case HEED_BF16:
        return (struct format){0x1p-8, 0x1p-133, 0x1.fep127};
    case HEED_F32:
        return (struct format){0x1p-24, 0x1p-149, 0x1.fffffep127};
    case HEED_I32:
    case HEED_I8:
    case HEED_DTYPE_NONE:
        break;
    }
    return (struct format){0, 0, INFINITY};
}

/* The backend states 2 ULP, at most 4 unit roundoffs, for exp, tanh and erf; two of them may meet
 * in one element (a correction of the online softmax and an exponential). */
static double library_depth(const struct heedi_call *call) {
    switch (call->op) {
    case HEED_OP_MATMUL:
    case HEED_OP_GELU:
    case HEED_OP_SILU:
    case HEED_OP_TANH:
    case HEED_OP_SIGMOID:
        return 4;
    case HEED_OP_ATTENTION:
    case HEED_OP_SOFTMAX:
    case HEED_OP_LOG_SOFTMAX:
        return 8;
    default:
        return 0;
    }
}

static double bound_of(const struct heedi_call *call, uint32_t output, double reference,
                       double magnitude, double largest) {
    const struct heedi_op *op = heedi_op_find(call->op);
    const struct format format = format_of(call->outputs[output].dtype);
    const double u = 0x1p-24;
    double bound = 0;
    if (op->depth != NULL) {
        const double depth = op->depth(call) + library_depth(call);
        bound = depth * u / (1 - depth * u) * magnitude;
        bound += depth * 0x1p-149 * (1 + largest);
    }
    if (call->outputs[output].dtype != HEED_F32 || op->depth == NULL)
        bound += (fabs(reference) + bound) * format.unit_roundoff + format.smallest / 2;
    return bound;
}

void compare_output(const struct heedi_call *call, uint32_t output, const double *reference,
                    const double *magnitude, double largest, const void *actual) {
    const struct heed_tensor_desc *desc = &call->outputs[output];
    const struct format format = format_of(desc->dtype);
    const int64_t elems = heed_desc_elems(desc);
    for (int64_t i = 0; i < elems; i++) {
        const double expected = reference[i], found = heedi_load(actual, desc->dtype, i);
        if (expected == found || (isnan(expected) && isnan(found)))
            continue;
        const double bound = bound_of(call, output, expected, magnitude[i], largest);
        if (fabs(expected - found) <= bound ||
            (isinf(found) && found * expected > 0 && fabs(expected) + bound > format.largest))
            continue;
        struct heedi_shape_text text;
        for (uint32_t j = 0; j < call->input_count; j++)
            if (call->inputs[j] != NULL)
                print_error("input %u: %s\n", (unsigned)j,
                            heedi_shape_print(&text, call->inputs[j]));
        fail_msg("%s, %s: output %u, %s, element %lld: expected %.9g, found %.9g, error %.3g, "
                 "bound %.3g",
                 current_operator, current_replay, (unsigned)output, heedi_shape_print(&text, desc),
                 (long long)i, expected, found, fabs(expected - found), bound);
    }
}
