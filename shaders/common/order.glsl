/* SPDX-License-Identifier: Apache-2.0 */
/* The order of numbers of binary32 as an order of their bits without a sign, so that no comparison
 * depends on what a device does with NaN or subnormal numbers; and the first of a workgroup's
 * candidates in it. */

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

shared candidate order_partial[HEED_MAX_WIDTH];

/* The first of all candidates of the workgroup, by a tree in shared memory of 8 bytes for each of
 * at most HEED_MAX_WIDTH invocations, a power of two. All must call, and all get the same. */
candidate order_first(candidate mine) {
    const uint t = gl_LocalInvocationID.x;
    barrier(); /* the result before this one has been read */
    order_partial[t] = mine;
    barrier();
    for (uint half_width = gl_WorkGroupSize.x / 2; half_width > 0; half_width /= 2) {
        if (t < half_width && comes_before(order_partial[t + half_width], order_partial[t]))
            order_partial[t] = order_partial[t + half_width];
        barrier();
    }
    return order_partial[0];
}
