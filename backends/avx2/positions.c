/* SPDX-License-Identifier: Apache-2.0 */
/* positions: sinusoidal position vectors (Vaswani et al. 2017, sec. 3.5), computed in double and
 * rounded once. The wavelengths are worked out when the program is compiled.
 *
 * Sine and cosine of 4 angles at a time: with n = round(x / (pi/2)), r = x - n pi/2, pi/2 taken off
 * in two parts; the Taylor series of both at |r| <= pi/4 up to r^15 and r^16 (what is left out is
 * below 2^-54); then swapped and negated by the quadrant n mod 4. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "avx2.h"

enum { ANGLES = 4 };

/* c0 + c1 s + c2 s^2 + ... */
static __m256d series(__m256d s, const double *coefficients, int count) {
    __m256d sum = _mm256_set1_pd(coefficients[count - 1]);
    for (int i = count - 1; i-- > 0;)
        sum = _mm256_fmadd_pd(sum, s, _mm256_set1_pd(coefficients[i]));
    return sum;
}

static void sine_and_cosine(__m256d x, __m128 *sine, __m128 *cosine) {
    static const double sines[] = {
        -1.0 / 6,        1.0 / 120,        -1.0 / 5040,         1.0 / 362880,
        -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000};
    static const double cosines[] = {
        -1.0 / 2,       1.0 / 24,        -1.0 / 720,         1.0 / 40320,
        -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000};
    const __m256d n = _mm256_round_pd(_mm256_mul_pd(x, _mm256_set1_pd(0.63661977236758134308)),
                                      _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256d r = _mm256_fnmadd_pd(n, _mm256_set1_pd(1.57079632679489655800), x);
    r = _mm256_fnmadd_pd(n, _mm256_set1_pd(6.12323399573676603587e-17), r);
    const __m256d square = _mm256_mul_pd(r, r);
    const __m256d s = _mm256_fmadd_pd(_mm256_mul_pd(r, square), series(square, sines, 7), r);
    const __m256d c = _mm256_fmadd_pd(square, series(square, cosines, 8), _mm256_set1_pd(1.0));
    /* Bits 0 and 1 of the quadrant become sign bits. */
    const __m256i quadrant = _mm256_cvtepi32_epi64(_mm256_cvtpd_epi32(n));
    const __m256i next = _mm256_add_epi64(quadrant, _mm256_set1_epi64x(1));
    const __m256d swapped = _mm256_castsi256_pd(_mm256_slli_epi64(quadrant, 63));
    const __m256d sign = _mm256_set1_pd(-0.0);
    const __m256d s_sign =
        _mm256_and_pd(_mm256_castsi256_pd(_mm256_slli_epi64(quadrant, 62)), sign);
    const __m256d c_sign = _mm256_and_pd(_mm256_castsi256_pd(_mm256_slli_epi64(next, 62)), sign);
    *sine = _mm256_cvtpd_ps(_mm256_xor_pd(_mm256_blendv_pd(s, c, swapped), s_sign));
    *cosine = _mm256_cvtpd_ps(_mm256_xor_pd(_mm256_blendv_pd(c, s, swapped), c_sign));
}

static void positions_range(void *arg, int64_t begin, int64_t end) {
    const struct cpu_call *call = arg;
    const struct heed_positions_attrs *attrs = &call->node->attrs.positions;
    const struct cpu_operand *x = &call->in[0];
    const double *wavelengths = call->node->table;
    const int64_t half = attrs->width / 2, n = attrs->width;
    const bool interleaved = attrs->form == HEED_POSITIONS_INTERLEAVED;
    for (int64_t row = begin; row < end; row++) {
        const int64_t position =
            heedi_cpu_load_i32(x, heedi_cpu_offset(x->desc, x->desc->rank, row));
        float *y = (float *)call->out[0].data + row * n;
        if (position < 0 || position >= (int64_t)attrs->max_len) {
            heedi_cpu_zero(&call->out[0], row * n, n);
            continue;
        }
        for (int64_t i = 0; i < half; i += ANGLES) {
            const size_t bytes = (size_t)(half - i < ANGLES ? half - i : ANGLES) * sizeof(float);
            float pairs[2 * ANGLES];
            __m128 s, c;
            sine_and_cosine(
                _mm256_div_pd(_mm256_set1_pd((double)position), _mm256_loadu_pd(wavelengths + i)),
                &s, &c);
            _mm_storeu_ps(pairs, interleaved ? _mm_unpacklo_ps(s, c) : s);
            _mm_storeu_ps(pairs + ANGLES, interleaved ? _mm_unpackhi_ps(s, c) : c);
            if (interleaved) {
                memcpy(y + 2 * i, pairs, 2 * bytes);
            } else {
                memcpy(y + i, pairs, bytes);
                memcpy(y + half + i, pairs + ANGLES, bytes);
            }
        }
    }
}

void heed_f32_positions__avx2(const struct cpu_call *call) {
    heedi_cpu_parallel(call, heed_desc_elems(call->in[0].desc),
                       8 * (int64_t)call->node->attrs.positions.width, positions_range,
                       (void *)(uintptr_t)call);
}

static enum heed_status prepare(struct heed_plugin *plugin, struct cpu_node *node,
                                struct heed_error *error) {
    /* Whole vectors of angles; those beyond the last are not used. */
    return heedi_cpu_prepare_positions(plugin->host, node, ANGLES, error);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_avx2_kernels[AVX2_POSITIONS];
    return heedi_cpu_accept_positions(node);
}

const struct cpu_operator heedi_avx2_positions = {
    .attrs_size = sizeof(struct heed_positions_attrs), .accept = accept, .prepare = prepare};
