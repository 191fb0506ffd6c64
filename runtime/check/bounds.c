/* SPDX-License-Identifier: Apache-2.0 */
/* Error bounds. */
#include <math.h>

#include "runtime/check/check.h"

double heedi_check_roundoff(const struct heed_numeric_profile *numeric) {
    const double u = (double)numeric->unit_roundoff;
    switch ((enum heed_dtype)numeric->accumulator) {
    case HEED_F16:
        return fmax(u, 0x1p-11);
    case HEED_BF16:
        return fmax(u, 0x1p-8);
    default: /* i32 sums are exact; 0 is what a profile without the field says */
        return u;
    }
}

double heedi_gamma(double depth, double unit_roundoff) {
    const double product = depth * unit_roundoff;
    return product < 1 ? product / (1 - product) : INFINITY;
}

static double activation_ulp(uint32_t activation, const struct heed_numeric_profile *numeric) {
    switch ((enum heed_activation)activation) {
    case HEED_ACTIVATION_SILU:
    case HEED_ACTIVATION_SIGMOID:
        return (double)numeric->exp_ulp;
    case HEED_ACTIVATION_TANH:
    case HEED_ACTIVATION_GELU_TANH:
        return (double)numeric->tanh_ulp;
    case HEED_ACTIVATION_GELU_ERF:
        return (double)numeric->erf_ulp;
    case HEED_ACTIVATION_NONE:
    case HEED_ACTIVATION_RELU:
        break;
    }
    return 0;
}

/* ULPs of elementary functions on the way to one element. */
static double function_ulp(const struct heedi_call *call,
                           const struct heed_numeric_profile *numeric) {
    switch (call->op) {
    case HEED_OP_SOFTMAX:
    case HEED_OP_LOG_SOFTMAX:
    case HEED_OP_ATTENTION:
        return 2 * (double)numeric->exp_ulp; /* in the element and in the sum over its row */
    case HEED_OP_SILU:
    case HEED_OP_SIGMOID:
        return activation_ulp(HEED_ACTIVATION_SIGMOID, numeric);
    case HEED_OP_TANH:
        return activation_ulp(HEED_ACTIVATION_TANH, numeric);
    case HEED_OP_GELU:
        return activation_ulp(((const struct heed_gelu_attrs *)call->attrs)->tanh_form
                                  ? HEED_ACTIVATION_GELU_TANH
                                  : HEED_ACTIVATION_GELU_ERF,
                              numeric);
    case HEED_OP_MATMUL:
        return activation_ulp(((const struct heed_matmul_attrs *)call->attrs)->activation, numeric);
    default:
        return 0;
    }
}

double heedi_check_depth(const struct heedi_call *call,
                         const struct heed_numeric_profile *numeric) {
    const struct heedi_op *op = heedi_op_find(call->op);
    /* An error of e ULP is at most 2 e u relative to the value: a ULP is at most 2 u |x|. */
    return (op->depth == NULL ? 0 : op->depth(call)) + 2 * function_ulp(call, numeric);
}

/* Precision (bits of the significand) and exponent of the smallest positive value of a float type;
 * false for the others. */
static bool format_of(enum heed_dtype dtype, int *precision, int *least) {
    switch (dtype) {
    case HEED_F32:
        *precision = 24;
        *least = -149;
        return true;
    case HEED_F16:
        *precision = 11;
        *least = -24;
        return true;
    case HEED_BF16:
        *precision = 8;
        *least = -133;
        return true;
    case HEED_I32:
    case HEED_I8:
    case HEED_Q8_0:
    case HEED_DTYPE_NONE:
        break;
    }
    return false;
}

double heedi_storage_error(enum heed_dtype dtype, double value) {
    int precision, least, exponent;
    if (!format_of(dtype, &precision, &least) || !isfinite(value))
        return 0;
    frexp(value, &exponent); /* |value| in [2^(exponent - 1), 2^exponent) */
    const int unit = value == 0 || exponent - precision < least ? least : exponent - precision;
    return ldexp(0.5, unit);
}

struct heedi_bound heedi_bound_make(double depth, const struct heed_numeric_profile *numeric) {
    return (struct heedi_bound){.gamma = heedi_gamma(depth, heedi_check_roundoff(numeric)),
                                .underflow = (depth + 1) *
                                             ldexp(1, numeric->flushes_denormals ? -126 : -149)};
}

double heedi_bound_of(const struct heedi_bound *bound, enum heed_dtype dtype, double expected,
                      double magnitude, double *rest) {
    const double arithmetic = magnitude > 0 ? bound->gamma * magnitude : 0;
    *rest = heedi_storage_error(dtype, fabs(expected) + arithmetic) +
            (magnitude > 0 ? bound->underflow : 0);
    return arithmetic;
}

/* How many representable values of the format lie in (0, |value|], with the sign of the value. */
static double ordinal(int precision, int least, double value) {
    int exponent;
    const double magnitude = fabs(value);
    frexp(magnitude, &exponent);
    if (magnitude == 0 || exponent - precision < least) /* subnormal: multiples of 2^least */
        return copysign(ldexp(magnitude, -least), value);
    const double binades = (double)(exponent - precision - least);
    const double per_binade = ldexp(1, precision - 1);
    return copysign(ldexp(magnitude, precision - exponent) + binades * per_binade, value);
}

double heedi_ulp_distance(enum heed_dtype dtype, double a, double b) {
    int precision, least;
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    if (!isfinite(a) || !isfinite(b))
        return INFINITY;
    if (!format_of(dtype, &precision, &least))
        return fabs(a - b);
    return fabs(ordinal(precision, least, a) - ordinal(precision, least, b));
}
