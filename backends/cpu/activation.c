/* SPDX-License-Identifier: Apache-2.0 */
/* The activations in plain C, in f32. */
#include <math.h>
#include <string.h>

#include "cpu.h"

#define SQRT_HALF 0.70710678118654752440f
#define SQRT_TWO_OVER_PI 0.79788456080286535588f

/* factor / (1 + exp(-x)), where no exponential overflows; far out, where the exponential alone
 * would be subnormal, by its square root, so that silu keeps what the factor can save. */
static float logistic(float x, float factor) {
    if (x < -80.0f) {
        const float root = expf(0.5f * x);
        return factor * root * root;
    }
    const float e = expf(-fabsf(x));
    return x < 0.0f ? factor * e / (1.0f + e) : factor / (1.0f + e);
}

void heedi_cpu_activate(enum heed_activation activation, float *y, const float *x, int64_t count) {
    switch (activation) {
    case HEED_ACTIVATION_NONE:
        if (count > 0 && y != x)
            memcpy(y, x, (size_t)count * sizeof *y);
        break;
    case HEED_ACTIVATION_RELU:
        for (int64_t i = 0; i < count; i++)
            y[i] = x[i] < 0.0f ? 0.0f : x[i];
        break;
    case HEED_ACTIVATION_GELU_ERF: /* Hendrycks and Gimpel 2016 */
        for (int64_t i = 0; i < count; i++)
            y[i] = 0.5f * x[i] * (1.0f + erff(x[i] * SQRT_HALF));
        break;
    case HEED_ACTIVATION_GELU_TANH:
        for (int64_t i = 0; i < count; i++) {
            const float cubic = x[i] + 0.044715f * x[i] * x[i] * x[i];
            y[i] = 0.5f * x[i] * (1.0f + tanhf(SQRT_TWO_OVER_PI * cubic));
        }
        break;
    case HEED_ACTIVATION_SILU: /* Elfwing et al. 2018 */
        for (int64_t i = 0; i < count; i++)
            y[i] = logistic(x[i], x[i]);
        break;
    case HEED_ACTIVATION_TANH:
        for (int64_t i = 0; i < count; i++)
            y[i] = tanhf(x[i]);
        break;
    case HEED_ACTIVATION_SIGMOID:
        for (int64_t i = 0; i < count; i++)
            y[i] = logistic(x[i], 1.0f);
        break;
    }
}

enum heed_activation heedi_cpu_activation(const struct cpu_node *node) {
    switch (node->op) {
    case HEED_OP_RELU:
        return HEED_ACTIVATION_RELU;
    case HEED_OP_SILU:
        return HEED_ACTIVATION_SILU;
    case HEED_OP_TANH:
        return HEED_ACTIVATION_TANH;
    case HEED_OP_SIGMOID:
        return HEED_ACTIVATION_SIGMOID;
    case HEED_OP_GELU:
        return node->attrs.gelu.tanh_form ? HEED_ACTIVATION_GELU_TANH : HEED_ACTIVATION_GELU_ERF;
    default:
        return HEED_ACTIVATION_NONE;
    }
}
