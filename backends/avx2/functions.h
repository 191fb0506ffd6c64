/* SPDX-License-Identifier: Apache-2.0 */
/* exp, tanh, erf and the activations on 8 values at a time. The polynomials are minimax fits of our
 * own (Lawson's iteration, coefficients rounded to f32 one after another); the stated errors are
 * the largest over all f32 arguments, against double precision: tests/unit/backends/avx2. */
#ifndef HEEDI_AVX2_FUNCTIONS_H
#define HEEDI_AVX2_FUNCTIONS_H

#include <immintrin.h>

#include "heed/backend.h"

#define AVX2_INLINE static inline __attribute__((always_inline))

AVX2_INLINE __m256 avx2_splat(float value) {
    return _mm256_set1_ps(value);
}

AVX2_INLINE __m256 avx2_sign(__m256 x) {
    return _mm256_and_ps(x, avx2_splat(-0.0f));
}

AVX2_INLINE __m256 avx2_abs(__m256 x) {
    return _mm256_andnot_ps(avx2_splat(-0.0f), x);
}

/* 2^n for integers n in [-126, 127]. */
AVX2_INLINE __m256 avx2_power_of_two(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/* e^r for |r| <= ln 2 / 2 and n, where x = n ln 2 + r: ln 2 is taken off in two parts, the first
 * exact in 15 bits; e^r = 1 + r + r^2 P(r). */
AVX2_INLINE __m256 avx2_exp_reduced(__m256 x, __m256i *whole) {
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, avx2_splat(1.44269504089f)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, avx2_splat(0.693145751953125f), x);
    r = _mm256_fnmadd_ps(n, avx2_splat(1.42860677e-6f), r);
    __m256 p = avx2_splat(0.0013820137828588486f);
    p = _mm256_fmadd_ps(p, r, avx2_splat(0.008368685841560364f));
    p = _mm256_fmadd_ps(p, r, avx2_splat(0.04166827350854874f));
    p = _mm256_fmadd_ps(p, r, avx2_splat(0.1666652113199234f));
    p = _mm256_fmadd_ps(p, r, avx2_splat(0.4999999403953552f));
    p = _mm256_fmadd_ps(_mm256_mul_ps(r, r), p, r);
    *whole = _mm256_cvtps_epi32(n);
    return _mm256_add_ps(p, avx2_splat(1.0f));
}

/* e^x for any x, also where it is subnormal, zero, infinite, or x is NaN. 2^n in two factors, as n
 * goes from -150 to 128. What is zero, as where a score is -inf, is masked: processors take long
 * over products that underflow. */
__attribute__((noinline, unused)) static __m256 avx2_exp_any(__m256 x) {
    const __m256 some = _mm256_cmp_ps(x, avx2_splat(-104.0f), _CMP_NLT_UQ); /* result, or NaN */
    x = _mm256_and_ps(_mm256_min_ps(avx2_splat(89.0f), x), some);           /* min keeps NaN */
    __m256i whole;
    __m256 p = avx2_exp_reduced(x, &whole);
    const __m256i half = _mm256_srai_epi32(whole, 1);
    p = _mm256_mul_ps(p, avx2_power_of_two(half));
    p = _mm256_mul_ps(p, avx2_power_of_two(_mm256_sub_epi32(whole, half)));
    return _mm256_and_ps(p, some);
}

/* e^x. Where no result is out of the ordinary, 2^n is added to the exponent. */
AVX2_INLINE __m256 avx2_exp(__m256 x) {
    const __m256 ordinary = _mm256_cmp_ps(avx2_abs(x), avx2_splat(87.0f), _CMP_LT_OQ);
    if (_mm256_movemask_ps(ordinary) != 0xff)
        return avx2_exp_any(x);
    __m256i whole;
    const __m256 p = avx2_exp_reduced(x, &whole);
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(whole, 23)));
}

/* tanh x = x + x^3 P(x^2) for |x| < 0.6, else sign(x) (1 - 2 / (e^(2|x|) + 1)). */
AVX2_INLINE __m256 avx2_tanh(__m256 x) {
    const __m256 t = avx2_abs(x), s = _mm256_mul_ps(x, x);
    const __m256 e = avx2_exp(_mm256_add_ps(t, t));
    const __m256 one = avx2_splat(1.0f);
    __m256 far_out = _mm256_div_ps(avx2_splat(2.0f), _mm256_add_ps(e, one));
    far_out = _mm256_or_ps(_mm256_sub_ps(one, far_out), avx2_sign(x));
    __m256 p = avx2_splat(-0.005897966679185629f);
    p = _mm256_fmadd_ps(p, s, avx2_splat(0.02079862542450428f));
    p = _mm256_fmadd_ps(p, s, avx2_splat(-0.05378471687436104f));
    p = _mm256_fmadd_ps(p, s, avx2_splat(0.13331936299800873f));
    p = _mm256_fmadd_ps(p, s, avx2_splat(-0.33333298563957214f));
    const __m256 near_zero = _mm256_fmadd_ps(_mm256_mul_ps(s, x), p, x);
    return _mm256_blendv_ps(far_out, near_zero, _mm256_cmp_ps(t, avx2_splat(0.6f), _CMP_LT_OQ));
}

/* erf x = x + x P(x^2) for |x| < 0.925, else sign(x) (1 - e^Q(|x|)); 1 from 4 on. */
AVX2_INLINE __m256 avx2_erf(__m256 x) {
    const __m256 s = _mm256_mul_ps(x, x);
    const __m256 t = _mm256_min_ps(avx2_splat(4.0f), avx2_abs(x)); /* keeps NaN */
    __m256 q = avx2_splat(0.00019593311299104244f);
    q = _mm256_fmadd_ps(q, t, avx2_splat(-0.003043178468942642f));
    q = _mm256_fmadd_ps(q, t, avx2_splat(0.02222677879035473f));
    q = _mm256_fmadd_ps(q, t, avx2_splat(-0.10393134504556656f));
    q = _mm256_fmadd_ps(q, t, avx2_splat(-0.6371824741363525f));
    q = _mm256_fmadd_ps(q, t, avx2_splat(-1.1276755332946777f));
    q = _mm256_fmadd_ps(q, t, avx2_splat(-0.00019568692368920892f));
    const __m256 far_out = _mm256_or_ps(_mm256_sub_ps(avx2_splat(1.0f), avx2_exp(q)), avx2_sign(x));
    __m256 p = avx2_splat(-0.0005959583795629442f);
    p = _mm256_fmadd_ps(p, s, avx2_splat(0.004987352527678013f));
    p = _mm256_fmadd_ps(p, s, avx2_splat(-0.026762966066598892f));
    p = _mm256_fmadd_ps(p, s, avx2_splat(0.11281730979681015f));
    p = _mm256_fmadd_ps(p, s, avx2_splat(-0.37612488865852356f));
    p = _mm256_fmadd_ps(p, s, avx2_splat(0.12837915122509003f));
    const __m256 near_zero = _mm256_fmadd_ps(p, x, x);
    return _mm256_blendv_ps(far_out, near_zero, _mm256_cmp_ps(t, avx2_splat(0.925f), _CMP_LT_OQ));
}

/* factor / (1 + e^-x), where no exponential overflows; far out, where e^x alone would be subnormal,
 * by its square root, so that silu keeps what the factor can save. */
AVX2_INLINE __m256 avx2_logistic(__m256 x, __m256 factor) {
    const __m256 e = avx2_exp(_mm256_or_ps(x, avx2_splat(-0.0f)));
    const __m256 negative = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
    const __m256 above = _mm256_blendv_ps(factor, _mm256_mul_ps(factor, e), negative);
    const __m256 y = _mm256_div_ps(above, _mm256_add_ps(avx2_splat(1.0f), e));
    const __m256 tiny = _mm256_cmp_ps(x, avx2_splat(-80.0f), _CMP_LT_OQ);
    if (_mm256_movemask_ps(tiny) == 0)
        return y;
    const __m256 root = avx2_exp(_mm256_mul_ps(x, avx2_splat(0.5f)));
    return _mm256_blendv_ps(y, _mm256_mul_ps(_mm256_mul_ps(factor, root), root), tiny);
}

/* x/2 (1 + f(...)): Hendrycks and Gimpel 2016. */
AVX2_INLINE __m256 avx2_gelu_erf(__m256 x) {
    const __m256 f = avx2_erf(_mm256_mul_ps(x, avx2_splat(0.70710678118654752440f)));
    return _mm256_mul_ps(_mm256_mul_ps(avx2_splat(0.5f), x), _mm256_add_ps(avx2_splat(1.0f), f));
}

AVX2_INLINE __m256 avx2_gelu_tanh(__m256 x) {
    const __m256 square = _mm256_mul_ps(x, x);
    const __m256 cubic = _mm256_fmadd_ps(_mm256_mul_ps(avx2_splat(0.044715f), square), x, x);
    const __m256 f = avx2_tanh(_mm256_mul_ps(avx2_splat(0.79788456080286535588f), cubic));
    return _mm256_mul_ps(_mm256_mul_ps(avx2_splat(0.5f), x), _mm256_add_ps(avx2_splat(1.0f), f));
}

AVX2_INLINE __m256 avx2_activate(enum heed_activation activation, __m256 x) {
    switch (activation) {
    case HEED_ACTIVATION_NONE:
        break;
    case HEED_ACTIVATION_RELU: /* the second operand where one is NaN, or both are zeros */
        return _mm256_max_ps(_mm256_setzero_ps(), x);
    case HEED_ACTIVATION_GELU_ERF:
        return avx2_gelu_erf(x);
    case HEED_ACTIVATION_GELU_TANH:
        return avx2_gelu_tanh(x);
    case HEED_ACTIVATION_SILU:
        return avx2_logistic(x, x);
    case HEED_ACTIVATION_TANH:
        return avx2_tanh(x);
    case HEED_ACTIVATION_SIGMOID:
        return avx2_logistic(x, avx2_splat(1.0f));
    }
    return x;
}

#endif
