/* SPDX-License-Identifier: Apache-2.0 */
/* Activations: meaning and error growth.
 *
 *   relu       max(x, 0)
 *   gelu_erf   x/2 (1 + erf(x / sqrt 2))                                Hendrycks and Gimpel 2016
 *   gelu_tanh  x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))            the same, section 2
 *   silu       x / (1 + exp(-x))                                        Elfwing et al. 2018
 *   tanh
 *   sigmoid    1 / (1 + exp(-x)) */
#include "runtime/ops/activation.h"

#include <math.h>

static const double SQRT_HALF = 0.70710678118654752440;
static const double SQRT_2_OVER_PI = 0.79788456080286535588;
static const double TWO_OVER_SQRT_PI = 1.12837916709551257390;

bool heedi_activation_known(uint32_t activation) {
    return activation <= HEED_ACTIVATION_SIGMOID;
}

const char *heedi_activation_name(uint32_t activation) {
    static const char *const names[] = {"none", "relu", "gelu_erf", "gelu_tanh",
                                        "silu", "tanh", "sigmoid"};
    return heedi_activation_known(activation) ? names[activation] : "?";
}

static double gelu_tanh_argument(double x) {
    return SQRT_2_OVER_PI * (x + 0.044715 * x * x * x);
}

double heedi_activation(enum heed_activation activation, double x) {
    switch (activation) {
    case HEED_ACTIVATION_NONE:
        return x;
    case HEED_ACTIVATION_RELU:
        return x < 0 ? 0 : x;
    case HEED_ACTIVATION_GELU_ERF:
        return 0.5 * x * (1 + erf(x * SQRT_HALF));
    case HEED_ACTIVATION_GELU_TANH:
        return 0.5 * x * (1 + tanh(gelu_tanh_argument(x)));
    case HEED_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case HEED_ACTIVATION_TANH:
        return tanh(x);
    case HEED_ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    }
    return x;
}

/* |x|/2 (1 + |g(t)| + |t g'(t)|) bounds the relative roundings of gelu = x/2 (1 + g(t)), g = erf or
 * tanh: one of g itself scales with |g|, one of its argument with |t g'(t)|, and those of the sum
 * and the products with the whole. The sum is not a relative bound on gelu: for x < 0, 1 + g
 * cancels in f32. */
static double gelu_magnitude(double x, double g, double t, double slope) {
    return 0.5 * fabs(x) * (1 + fabs(g) + fabs(t) * slope);
}

/* exp(-x) overflows f32 below x = -88.72, where 1 / (1 + exp(-x)) then gives 0 instead of 2^-128
 * and less, and silu 89 times that. With gamma >= 2^-22 this much in the magnitude covers both. */
static const double EXP_OVERFLOW = 0x1p-98;

/* sup |f'| carries the error that x already has (a global Lipschitz constant, so no smoothness near
 * x is assumed): relu 1, gelu 1.1290 at x = sqrt 2 (the tanh form a little less than 1.1292), silu
 * 1.0999, tanh 1, sigmoid 1/4. sigmoid, silu and tanh lose only relative accuracy on top: exp(-x)
 * enters 1 + exp(-x) > 0 without cancellation. */
double heedi_activation_magnitude(enum heed_activation activation, double x, double magnitude) {
    double t;
    switch (activation) {
    case HEED_ACTIVATION_NONE:
    case HEED_ACTIVATION_RELU:
        return magnitude;
    case HEED_ACTIVATION_GELU_ERF:
        t = x * SQRT_HALF;
        return 1.13 * magnitude + gelu_magnitude(x, erf(t), t, TWO_OVER_SQRT_PI * exp(-t * t));
    case HEED_ACTIVATION_GELU_TANH:
        t = gelu_tanh_argument(x);
        return 1.13 * magnitude + gelu_magnitude(x, tanh(t), t, 1 - tanh(t) * tanh(t));
    case HEED_ACTIVATION_SILU:
        return 1.1 * magnitude + fabs(heedi_activation(activation, x)) + EXP_OVERFLOW;
    case HEED_ACTIVATION_TANH:
        return magnitude + fabs(tanh(x));
    case HEED_ACTIVATION_SIGMOID:
        return 0.25 * magnitude + heedi_activation(activation, x) + EXP_OVERFLOW;
    }
    return magnitude;
}

/* A division counts 3: Vulkan allows it 2.5 ULP, which is 2.5 u with the u = 2^-23 that such a
 * backend declares. Constants that are not exact count one more beside their product. */
double heedi_activation_depth(enum heed_activation activation) {
    switch (activation) {
    case HEED_ACTIVATION_NONE:
    case HEED_ACTIVATION_RELU:
    case HEED_ACTIVATION_TANH:
        return 0;
    case HEED_ACTIVATION_GELU_ERF:
        return 4; /* x / sqrt 2: 2, sum, product */
    case HEED_ACTIVATION_GELU_TANH:
        return 9; /* x^3: 2, 0.044715: 2, sum, sqrt(2/pi): 2, sum, product */
    case HEED_ACTIVATION_SILU:
        return 5; /* sum, division, product */
    case HEED_ACTIVATION_SIGMOID:
        return 4; /* sum, division */
    }
    return 0;
}
