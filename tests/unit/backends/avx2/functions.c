/* SPDX-License-Identifier: Apache-2.0 */
/* exp, tanh and erf of the AVX2 backend against double precision: the errors that its numeric
 * profile declares are not exceeded, over f32 arguments a prime number of steps apart and all those
 * around the places where one formula gives way to another. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#include "backends/avx2/ulp.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#include "backends/avx2/functions.h"

static void exp_8(float y[8], const float x[8]) {
    _mm256_storeu_ps(y, avx2_exp(_mm256_loadu_ps(x)));
}
static void tanh_8(float y[8], const float x[8]) {
    _mm256_storeu_ps(y, avx2_tanh(_mm256_loadu_ps(x)));
}
static void erf_8(float y[8], const float x[8]) {
    _mm256_storeu_ps(y, avx2_erf(_mm256_loadu_ps(x)));
}
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t to_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Distance in units in the last place of f32 at `want`. */
static double ulp(float found, double want) {
    int exponent;
    if (isnan(found) || isnan(want))
        return isnan(found) && isnan(want) ? 0 : INFINITY;
    if (isinf(found)) /* what rounds to more than FLT_MAX */
        return fabs(want) >= 0x1.ffffffp127 && (found > 0) == (want > 0) ? 0 : INFINITY;
    frexp(want, &exponent);
    return fabs((double)found - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

struct function {
    const char *name;
    void (*eight)(float y[8], const float x[8]);
    double (*reference)(double x);
    double most;
};

static void check(const struct function *function, uint64_t first, uint64_t last, uint64_t step) {
    for (uint64_t i = first; i <= last; i += 8 * step) {
        float x[8], y[8];
        for (uint64_t j = 0; j < 8; j++)
            x[j] = from_bits((uint32_t)(i + j * step));
        function->eight(y, x);
        for (int j = 0; j < 8; j++) {
            const double error = ulp(y[j], function->reference((double)x[j]));
            if (!(error <= function->most))
                fail_msg("%s(%a) is %a, %g ULP away", function->name, (double)x[j], (double)y[j],
                         error);
        }
    }
}

static void test_errors(void **state) {
    static const struct function functions[] = {{"exp", exp_8, exp, AVX2_EXP_ULP},
                                                {"tanh", tanh_8, tanh, AVX2_TANH_ULP},
                                                {"erf", erf_8, erf, AVX2_ERF_ULP}};
    static const float seams[] = {0.6f, 0.925f, 4.0f, 87.0f, 88.72284f, 89.0f, 103.972f, 104.0f};
    unsigned a, b, c, d;
    (void)state;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_FMA) == 0 || (c & bit_OSXSAVE) == 0 ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & bit_AVX2) == 0)
        skip();
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        check(&functions[i], 0, UINT32_MAX, 1009);
        for (size_t j = 0; j < sizeof seams / sizeof *seams; j++)
            for (uint32_t sign = 0; sign < 2; sign++) {
                const uint32_t at = to_bits(seams[j]) | sign << 31;
                check(&functions[i], at - 4000, at + 4000, 1);
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void) {
    return 0;
}
#endif
