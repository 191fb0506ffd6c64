/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of any type in buffers that are declared as words, `uint`: no device need have storage
 * of 8 or 16 bits. An element is moved as it is; whoever writes elements of less than a word writes
 * whole words, so that no two invocations share one. Everything is exact, and in integers where
 * GLSL leaves rounding or subnormal numbers open. */

/* Elements per word, as a shift. `type` is a specialization constant, so one branch is left. */
uint word_shift(uint type) {
    return type == HEED_TYPE_I8 ? 2 : type == HEED_TYPE_F16 || type == HEED_TYPE_BF16 ? 1 : 0;
}

/* Bits of element `at` in the word that holds it. */
uint element_in(uint word, uint type, uint at) {
    if (type == HEED_TYPE_I8)
        return word >> ((at & 3) * 8) & 0xffu;
    if (type == HEED_TYPE_F16 || type == HEED_TYPE_BF16)
        return word >> ((at & 1) * 16) & 0xffffu;
    return word;
}

/* Bits of element `at` of `buffer`. */
#define ELEMENT(buffer, type, at) element_in(buffer[(at) >> word_shift(type)], type, at)

/* binary16 as the bits of the same number in binary32. */
uint widened_f16(uint bits) {
    const uint sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, mantissa = bits & 0x3ffu;
    if (exponent == 31)
        return sign | 0x7f800000u | mantissa << 13;
    if (exponent != 0)
        return sign | (exponent + 112) << 23 | mantissa << 13;
    return sign | floatBitsToUint(float(mantissa) * 5.9604644775390625e-08); /* 2^-24 */
}

/* An element of a float type, or of i8, as the bits of the same number in binary32. */
uint widened(uint bits, uint type) {
    if (type == HEED_TYPE_F16)
        return widened_f16(bits);
    if (type == HEED_TYPE_BF16)
        return bits << 16;
    if (type == HEED_TYPE_I8)
        return floatBitsToUint(float(int(bits << 24) >> 24));
    return bits;
}

/* The bits of binary32 rounded to nearest, ties to even, by leaving out `shift` > 0 of them. */
uint rounded(uint bits, uint shift) {
    return (bits + (1u << (shift - 1)) - 1 + (bits >> shift & 1)) >> shift;
}

/* The bits of a binary32 rounded to binary16; overflow gives infinity, NaN stays NaN. */
uint narrowed_f16(uint bits) {
    const uint sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return sign | 0x7e00u | magnitude >> 13 & 0x3ffu;
    if (magnitude >= 0x477ff000u) /* 65520 */
        return sign | 0x7c00u;
    if (magnitude <= 0x33000000u) /* 2^-25 */
        return sign;
    if (magnitude < 0x38800000u) /* 2^-14: the result is subnormal */
        return sign | rounded(magnitude & 0x7fffffu | 0x800000u, 126 - (magnitude >> 23));
    return sign | rounded(magnitude - 0x38000000u, 13);
}

/* The bits of a binary32 as those of a float type. */
uint narrowed(uint bits, uint type) {
    if (type == HEED_TYPE_F16)
        return narrowed_f16(bits);
    if (type == HEED_TYPE_BF16)
        return (bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded(bits, 16);
    return bits;
}
