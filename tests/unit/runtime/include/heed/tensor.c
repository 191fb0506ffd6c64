/* SPDX-License-Identifier: Apache-2.0 */
/* Element types, descriptions, and the conversions of 16-bit floats, which are compared with sums
 * of powers of two and with rounding done in double precision. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heed/tensor.h"

/* A 16-bit binary floating-point format. */
struct format {
    int mantissa_bits;
    int bias;
    double max; /* largest finite number */
    float (*widen)(uint16_t);
    uint16_t (*narrow)(float);
};

static const struct format f16 = {10, 15, 65504.0, heed_f16_to_f32, heed_f32_to_f16};
/* (2 - 2^-7) * 2^127 */
static const struct format bf16 = {7, 127, 0x1.fep127, heed_bf16_to_f32, heed_f32_to_bf16};

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Value of a finite pattern by the definition of the format. */
static double value_of(const struct format *format, uint16_t pattern) {
    const int magnitude = pattern & 0x7fff;
    const int exponent = magnitude >> format->mantissa_bits;
    const int mantissa = magnitude & ((1 << format->mantissa_bits) - 1);
    const double value = exponent == 0 ? ldexp(mantissa, 1 - format->bias - format->mantissa_bits)
                                       : ldexp((1 << format->mantissa_bits) + mantissa,
                                               exponent - format->bias - format->mantissa_bits);
    return pattern & 0x8000 ? -value : value;
}

static uint16_t infinity_of(const struct format *format) {
    return (uint16_t)(0x7fff >> format->mantissa_bits << format->mantissa_bits);
}

/* Nearest value of the format, ties to even, infinity beyond the range: in double precision. */
static double rounded(const struct format *format, double value) {
    int exponent;
    if (value == 0 || isinf(value))
        return value;
    frexp(value, &exponent); /* |value| in [2^(exponent-1), 2^exponent) */
    if (exponent - 1 < 1 - format->bias)
        exponent = 2 - format->bias;
    const int unit = exponent - 1 - format->mantissa_bits;
    const double result = ldexp(nearbyint(ldexp(value, -unit)), unit);
    return fabs(result) > format->max ? copysign((double)INFINITY, value) : result;
}

static void check_narrow(const struct format *format, float value) {
    const uint16_t pattern = format->narrow(value);
    const double expected = rounded(format, (double)value);
    const double actual = (pattern & 0x7fff) == infinity_of(format)
                              ? copysign((double)INFINITY, pattern & 0x8000 ? -1.0 : 1.0)
                              : value_of(format, pattern);
    if (actual != expected || (signbit(value) != 0) != (pattern >= 0x8000))
        fail_msg("%a gives %04x (%a), expected %a", (double)value, pattern, actual, expected);
}

static void check_widen_all(const struct format *format) {
    const uint16_t infinity = infinity_of(format);
    for (uint32_t i = 0; i <= 0xffff; i++) {
        const uint16_t pattern = (uint16_t)i;
        const float value = format->widen(pattern);
        assert_int_equal(signbit(value) != 0, pattern >= 0x8000);
        if ((pattern & 0x7fff) > infinity) {
            assert_true(isnan(value));
            const uint16_t back = format->narrow(value);
            assert_true((back & 0x7fff) > infinity);
            assert_int_equal(back & 0x8000, pattern & 0x8000);
        } else if ((pattern & 0x7fff) == infinity) {
            assert_true(isinf(value));
            assert_int_equal(format->narrow(value), pattern);
        } else {
            assert_true((double)value == value_of(format, pattern));
            assert_int_equal(format->narrow(value), pattern);
        }
    }
}

/* Between each two neighbours: the tie, and the numbers right below and above it. */
static void check_ties(const struct format *format) {
    for (uint16_t low = 0; low < infinity_of(format); low++) {
        const double a = value_of(format, low);
        const double b = value_of(format, (uint16_t)(low + 1)); /* past max: 2^16 or 2^128 */
        const float tie = (float)((a + b) / 2);
        check_narrow(format, tie);
        check_narrow(format, nextafterf(tie, 0.0f));
        check_narrow(format, nextafterf(tie, INFINITY));
        check_narrow(format, -tie);
        check_narrow(format, -nextafterf(tie, 0.0f));
        check_narrow(format, -nextafterf(tie, INFINITY));
    }
}

/* Every exponent, with mantissas from a multiplicative sequence. */
static void check_spread(const struct format *format) {
    uint32_t mantissa = 12345;
    for (uint32_t exponent = 0; exponent < 255; exponent++)
        for (int i = 0; i < 4000; i++) {
            mantissa = mantissa * 1664525u + 1013904223u;
            check_narrow(format, float_of(exponent << 23 | mantissa >> 9 | (mantissa << 31)));
        }
}

static void check_nan(const struct format *format) {
    for (int bit = 0; bit < 23; bit++) { /* payloads that the narrow format cannot hold too */
        const uint16_t plus = format->narrow(float_of(0x7f800000u | UINT32_C(1) << bit));
        const uint16_t minus = format->narrow(float_of(0xff800000u | UINT32_C(1) << bit));
        const unsigned quiet = 1u << (format->mantissa_bits - 1);
        assert_int_equal(plus & (infinity_of(format) | quiet), infinity_of(format) | quiet);
        assert_true(plus < 0x8000);
        assert_int_equal(minus, plus | 0x8000);
    }
}

static void test_f16(void **state) {
    (void)state;
    check_widen_all(&f16);
    check_ties(&f16);
    check_spread(&f16);
    check_nan(&f16);
    /* By hand. */
    assert_int_equal(heed_f32_to_f16(1.0f), 0x3c00);
    assert_int_equal(heed_f32_to_f16(-2.0f), 0xc000);
    assert_int_equal(heed_f32_to_f16(65504.0f), 0x7bff);
    assert_int_equal(heed_f32_to_f16(nextafterf(65520.0f, 0.0f)), 0x7bff);
    assert_int_equal(heed_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(heed_f32_to_f16(-65520.0f), 0xfc00);
    assert_int_equal(heed_f32_to_f16(0x1p-24f), 0x0001); /* least subnormal */
    assert_int_equal(heed_f32_to_f16(0x1p-25f), 0x0000); /* tie to even */
    assert_int_equal(heed_f32_to_f16(0x1.000002p-25f), 0x0001);
    assert_int_equal(heed_f32_to_f16(0x1.8p-24f), 0x0002);   /* tie to even */
    assert_int_equal(heed_f32_to_f16(0x1.ffep-15f), 0x0400); /* up to the least normal */
    assert_int_equal(heed_f32_to_f16(-0.0f), 0x8000);
    assert_int_equal(heed_f32_to_f16(float_of(1)), 0x0000); /* subnormal in binary32 */
}

static void test_bf16(void **state) {
    (void)state;
    check_widen_all(&bf16);
    check_ties(&bf16);
    check_spread(&bf16);
    check_nan(&bf16);
    assert_int_equal(heed_f32_to_bf16(1.0f), 0x3f80);
    assert_int_equal(heed_f32_to_bf16(float_of(0x3f808000u)), 0x3f80); /* tie to even: down */
    assert_int_equal(heed_f32_to_bf16(float_of(0x3f818000u)), 0x3f82); /* tie to even: up */
    assert_int_equal(heed_f32_to_bf16(float_of(0x3f808001u)), 0x3f81);
    assert_int_equal(heed_f32_to_bf16(float_of(0x7f7fffffu)), 0x7f80); /* FLT_MAX */
    assert_int_equal(heed_f32_to_bf16(float_of(0x00008000u)), 0x0000);
    assert_int_equal(heed_f32_to_bf16(float_of(0x80018000u)), 0x8002);
    assert_int_equal(bits_of(heed_bf16_to_f32(0xc020)), 0xc0200000u); /* -2.5 */
}

static void test_dtypes(void **state) {
    (void)state;
    assert_int_equal(heed_dtype_bytes(HEED_F32), 4);
    assert_int_equal(heed_dtype_bytes(HEED_F16), 2);
    assert_int_equal(heed_dtype_bytes(HEED_BF16), 2);
    assert_int_equal(heed_dtype_bytes(HEED_I32), 4);
    assert_int_equal(heed_dtype_bytes(HEED_I8), 1);
    assert_int_equal(heed_dtype_bytes(HEED_DTYPE_NONE), 0);
    assert_int_equal(heed_dtype_bytes((enum heed_dtype)77), 0);
    assert_string_equal(heed_dtype_name(HEED_BF16), "bf16");
    assert_string_equal(heed_dtype_name(HEED_DTYPE_NONE), "?");
    assert_string_equal(heed_dtype_name((enum heed_dtype)77), "?");
}

static void test_descriptions(void **state) {
    (void)state;
    const int64_t dims[] = {2, 3, 5};
    struct heed_tensor_desc desc = heed_desc(HEED_I8, 3, dims);
    const int64_t expected_dims[] = {2, 3, 5, 1}, expected_strides[] = {15, 5, 1, 0};
    assert_memory_equal(desc.dims, expected_dims, sizeof expected_dims);
    assert_memory_equal(desc.strides, expected_strides, sizeof expected_strides);
    assert_int_equal(heed_desc_elems(&desc), 30);
    assert_true(heed_desc_contiguous(&desc));
    desc.strides[0] = 16;
    assert_false(heed_desc_contiguous(&desc));
    desc.dims[0] = 1; /* never stepped along */
    assert_true(heed_desc_contiguous(&desc));
    desc.strides[2] = 2;
    assert_false(heed_desc_contiguous(&desc));
    desc.dims[1] = 0;
    assert_true(heed_desc_contiguous(&desc));
    assert_int_equal(heed_desc_elems(&desc), 0);
    desc = heed_desc(HEED_F32, 2, dims); /* [2, 3] transposed */
    desc.dims[0] = 3;
    desc.dims[1] = 2;
    desc.strides[0] = 1;
    desc.strides[1] = 3;
    assert_false(heed_desc_contiguous(&desc));
    desc = heed_desc(HEED_F32, 2, dims);
    desc.strides[0] = 0; /* broadcast rows */
    assert_false(heed_desc_contiguous(&desc));
    desc = heed_desc(HEED_F32, 0, NULL);
    assert_int_equal(heed_desc_elems(&desc), 1);
    assert_true(heed_desc_contiguous(&desc));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f16),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
