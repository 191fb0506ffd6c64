/* SPDX-License-Identifier: Apache-2.0 */
/* cast: y[i] = x[i] in another type. To a float type: to nearest, ties to even, rounded once. To an
 * integer type: truncated toward zero, saturated, NaN gives 0. With elements of less than a word y
 * begins with a word, and its last is filled with zeros.
 *
 * Bindings:  0 x (read, any strides), 1 y (write, contiguous)
 * Workgroup: one word of y each
 * Dispatch:  ceil(words / width)
 * Error:     one rounding */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/words.glsl"

layout(constant_id = 1) const uint FROM = HEED_TYPE_F32;
layout(constant_id = 2) const uint TO = HEED_TYPE_F32;

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { heed_copy_params it; };

/* An i32 as the bits of binary32. Bits below the 24 that it holds are rounded to nearest; to odd
 * where another rounding follows, which then comes out as if there had been no first one (Boldo and
 * Melquiond 2008). */
uint float_of_integer(uint value, bool to_odd) {
    const uint sign = value & 0x80000000u;
    const uint magnitude = sign != 0 ? 0u - value : value;
    if (magnitude == 0)
        return 0;
    const uint top = findMSB(magnitude);
    if (top <= 23)
        return sign | ((top + 126) << 23) + (magnitude << (23 - top));
    const uint shift = top - 23;
    const uint odd = (magnitude & (1u << shift) - 1) != 0 ? 1 : 0;
    const uint kept = to_odd ? magnitude >> shift | odd : rounded(magnitude, shift);
    return sign | ((top + 126) << 23) + kept; /* a carry out of `kept` belongs to the exponent */
}

/* The bits of binary32 as an integer of `bits` bits. */
int integer_of_float(uint value, uint bits) {
    const uint magnitude = value & 0x7fffffffu;
    const bool negative = (value & 0x80000000u) != 0;
    if (magnitude > 0x7f800000u)
        return 0;
    if (magnitude >= (126 + bits) << 23) /* 2^(bits - 1) */
        return negative ? -1 << (bits - 1) : (1 << (bits - 1)) - 1;
    if (magnitude < 0x3f800000u)
        return 0;
    const uint exponent = magnitude >> 23, digits = magnitude & 0x7fffffu | 0x800000u;
    const uint whole = exponent < 150 ? digits >> (150 - exponent) : digits << (exponent - 150);
    return negative ? -int(whole) : int(whole);
}

uint converted(uint bits) {
    if (TO == HEED_TYPE_I32 && FROM == HEED_TYPE_I8)
        return uint(int(bits << 24) >> 24);
    if (TO == HEED_TYPE_I8 && FROM == HEED_TYPE_I32)
        return uint(clamp(int(bits), -128, 127)) & 0xffu;
    if (TO == FROM)
        return bits;
    if (TO == HEED_TYPE_I32)
        return uint(integer_of_float(widened(bits, FROM), 32));
    if (TO == HEED_TYPE_I8)
        return uint(integer_of_float(widened(bits, FROM), 8)) & 0xffu;
    if (FROM == HEED_TYPE_I32)
        return narrowed(float_of_integer(bits, TO != HEED_TYPE_F32), TO);
    return narrowed(widened(bits, FROM), TO);
}

void main() {
    const uint shift = word_shift(TO), per_word = 1 << shift;
    const uint first = INVOCATION << shift;
    if (first >= it.count)
        return;
    uint word = 0;
    for (uint i = 0; i < per_word && first + i < it.count; i++) {
        const uint from = it.x_offset + offset_of(first + i, it.dims, it.x_strides);
        word |= converted(ELEMENT(x, FROM, from)) << (i * (32 >> shift));
    }
    y[(it.y_offset + first) >> shift] = word;
}
