/* SPDX-License-Identifier: Apache-2.0 */
/* Four integers of 8 bits in a word, and sums of their products. By instructions for it where
 * INTEGER_DOT is 1; else as floats, in which all sums below 2^24 are exact. */

#if INTEGER_DOT
/* OpSDotKHR on words of 4 x 8 bits; written out as compilers of 2022 do not have
 * GL_EXT_integer_dot_product. */
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019],
                  id = 4450)
int signed_dot(uint a, uint b, spirv_literal uint packed_as);

#define FOUR uint
#define SUM int

FOUR unpacked(uint word) {
    return word;
}

SUM add_products(FOUR a, FOUR b, SUM sum) {
    return sum + signed_dot(a, b, 0);
}
#else
#define FOUR vec4
#define SUM float

FOUR unpacked(uint word) {
    const int bits = int(word);
    return vec4(bitfieldExtract(bits, 0, 8), bitfieldExtract(bits, 8, 8),
                bitfieldExtract(bits, 16, 8), bits >> 24);
}

SUM add_products(FOUR a, FOUR b, SUM sum) {
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}
#endif
