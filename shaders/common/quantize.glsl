/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as 8-bit integers, with the bits that heed_quantize_scale() and heed_quantize() of
 * heed/ops.h give: GLSL's division may be off by 2.5 ulp, so quotients are made in integers. */

/* a / b rounded to nearest, ties to even; both and the quotient are positive and normal. */
float divide_exactly(float a, float b) {
    const uint x = floatBitsToUint(a), y = floatBitsToUint(b);
    const uint divisor = (y & 0x7fffffu) | 0x800000u;
    uint rest = (x & 0x7fffffu) | 0x800000u, exponent = (x >> 23) + 127 - (y >> 23), quotient = 0;
    if (rest < divisor) {
        rest <<= 1;
        exponent--;
    }
    for (uint bit = 0; bit < 24; bit++) {
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1;
        }
        rest <<= 1;
    }
    if (rest > divisor || (rest == divisor && (quotient & 1) != 0))
        quotient++;
    return uintBitsToFloat((exponent << 23) + quotient - 0x800000u);
}

/* `greatest`: the bits of the greatest magnitude of the row; a NaN's are the greatest of all. What
 * the row's integers are to be multiplied by, and what makes integers of its elements. */
float quantize_scale(uint greatest, out float factor) {
    factor = 0.0;
    if (greatest >= 0x7f800000u)
        return uintBitsToFloat(0x7fc00000u);
    if (greatest < 0x0d800000u) /* 2^-100 */
        return 0.0;
    factor = divide_exactly(127.0, uintBitsToFloat(greatest));
    return divide_exactly(uintBitsToFloat(greatest), 127.0);
}

/* round(value * factor), ties to even: a sum with 1.5 * 2^23 has a last bit that weighs 1. */
int quantize(float value, float factor) {
    precise float scaled = value * factor;
    precise float rounded = scaled + 12582912.0;
    return factor == 0.0 ? 0 : floatBitsToInt(rounded) - 0x4b400000;
}
