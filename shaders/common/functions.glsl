/* SPDX-License-Identifier: Apache-2.0 */
/* exp, tanh, erf and the activations. GLSL leaves their errors open, or has them not: these are
 * minimax fits of our own, the same as those of the AVX2 backend. */

/* e^r for |r| <= ln 2 / 2 and n, where x = n ln 2 + r: ln 2 is taken off in two parts, the first
 * exact in 15 bits; e^r = 1 + r + r^2 P(r). */
float exp_reduced(float x, out int whole) {
    const float n = roundEven(x * 1.44269504089);
    /* Products with the first part are exact; a compiler that joined the parts would lose that. */
    precise float r = x - n * 0.693145751953125;
    r = r - n * 1.42860677e-6;
    float p = 0.0013820137828588486;
    p = fma(p, r, 0.008368685841560364);
    p = fma(p, r, 0.04166827350854874);
    p = fma(p, r, 0.1666652113199234);
    p = fma(p, r, 0.4999999403953552);
    p = fma(r * r, p, r);
    whole = int(n);
    return p + 1.0;
}

float power_of_two(int n) {
    return uintBitsToFloat(uint(n + 127) << 23);
}

/* e^x for any x: 2^n in two factors, as n goes from -150 to 128. */
float heed_exp(float x) {
    if (x < -104.0)
        return 0.0;
    if (x > 89.0)
        return uintBitsToFloat(0x7f800000u);
    if (!(x == x))
        return x;
    int whole;
    const float p = exp_reduced(x, whole);
    const int first = whole >> 1;
    return p * power_of_two(first) * power_of_two(whole - first);
}

/* tanh x = x + x^3 P(x^2) for |x| < 0.6, else sign(x) (1 - 2 / (e^(2|x|) + 1)). */
float heed_tanh(float x) {
    const float t = abs(x), s = x * x;
    if (t < 0.6) {
        float p = -0.005897966679185629;
        p = fma(p, s, 0.02079862542450428);
        p = fma(p, s, -0.05378471687436104);
        p = fma(p, s, 0.13331936299800873);
        p = fma(p, s, -0.33333298563957214);
        return fma(s * x, p, x);
    }
    const float y = 1.0 - 2.0 / (heed_exp(t + t) + 1.0);
    return x < 0.0 ? -y : y;
}

/* erf x = x + x P(x^2) for |x| < 0.925, else sign(x) (1 - e^Q(|x|)); 1 from 4 on. */
float heed_erf(float x) {
    const float s = x * x;
    if (abs(x) < 0.925) {
        float p = -0.0005959583795629442;
        p = fma(p, s, 0.004987352527678013);
        p = fma(p, s, -0.026762966066598892);
        p = fma(p, s, 0.11281730979681015);
        p = fma(p, s, -0.37612488865852356);
        p = fma(p, s, 0.12837915122509003);
        return fma(p, x, x);
    }
    const float t = abs(x) > 4.0 ? 4.0 : abs(x);
    float q = 0.00019593311299104244;
    q = fma(q, t, -0.003043178468942642);
    q = fma(q, t, 0.02222677879035473);
    q = fma(q, t, -0.10393134504556656);
    q = fma(q, t, -0.6371824741363525);
    q = fma(q, t, -1.1276755332946777);
    q = fma(q, t, -0.00019568692368920892);
    const float y = 1.0 - heed_exp(q);
    return x < 0.0 ? -y : y;
}

/* factor / (1 + e^-x), where no exponential overflows; far out, where e^x alone would be subnormal,
 * by its square root, so that silu keeps what the factor can save. */
float heed_logistic(float x, float factor) {
    if (x < -80.0) {
        const float root = heed_exp(x * 0.5);
        return factor * root * root;
    }
    const float e = heed_exp(x < 0.0 ? x : -x);
    return (x < 0.0 ? factor * e : factor) / (1.0 + e);
}

/* `kind`: HEED_UNARY_*, the activations. */
float heed_activate(uint kind, float x) {
    if (kind == HEED_UNARY_RELU)
        return x < 0.0 ? 0.0 : x;
    if (kind == HEED_UNARY_GELU_ERF) /* Hendrycks and Gimpel 2016 */
        return 0.5 * x * (1.0 + heed_erf(x * 0.70710678118654752440));
    if (kind == HEED_UNARY_GELU_TANH)
        return 0.5 * x * (1.0 + heed_tanh(0.79788456080286535588 * fma(0.044715 * (x * x), x, x)));
    if (kind == HEED_UNARY_SILU)
        return heed_logistic(x, x);
    if (kind == HEED_UNARY_TANH)
        return heed_tanh(x);
    if (kind == HEED_UNARY_SIGMOID)
        return heed_logistic(x, 1.0);
    return x;
}
