/* SPDX-License-Identifier: Apache-2.0 */
/* Elements as floats, read from buffers of 32-bit words, as no device must offer more. Element
 * `index` of `type`, a float type or i8, is heed_float(type, words[heed_word(type, index)], index);
 * conversions are exact. */

uint heed_word(uint type, uint index) {
    return type == HEED_TYPE_F32 ? index : type == HEED_TYPE_I8 ? index >> 2 : index >> 1;
}

float heed_float(uint type, uint word, uint index) {
    if (type == HEED_TYPE_F32)
        return uintBitsToFloat(word);
    if (type == HEED_TYPE_I8)
        return float(bitfieldExtract(int(word), int(index & 3) * 8, 8));
    if (type == HEED_TYPE_BF16)
        return uintBitsToFloat((index & 1) == 0 ? word << 16 : word & 0xffff0000u);
    const vec2 halves = unpackHalf2x16(word);
    return (index & 1) == 0 ? halves.x : halves.y;
}
