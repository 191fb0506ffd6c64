/* SPDX-License-Identifier: Apache-2.0 */
/* The order of numbers of binary32 as an order of their bits without a sign, so that no comparison
 * depends on what a device does with NaN or subnormal numbers. */

/* The greater the number, the greater its key; NaN is least, and both zeros are equal. */
uint order_key(uint bits) {
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return 0;
    if (bits == 0x80000000u)
        bits = 0;
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

struct candidate {
    uint key, index;
};

/* What comes after everything. Indices of elements are less. */
const candidate NO_CANDIDATE = candidate(0, 0xffffffffu);

/* Whether a comes before b: a greater key, and of equals the lower index. */
bool comes_before(candidate a, candidate b) {
    return a.key != b.key ? a.key > b.key : a.index < b.index;
}
