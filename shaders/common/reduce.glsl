/* SPDX-License-Identifier: Apache-2.0 */
/* What a workgroup knows together, by a tree in shared memory: 4 bytes for each of at most
 * HEED_MAX_WIDTH invocations, a power of two. All invocations must call, and all get the same. */
shared float reduce_partial[HEED_MAX_WIDTH];

float reduce_sum(float value) {
    const uint t = gl_LocalInvocationID.x;
    barrier(); /* the result before this one has been read */
    reduce_partial[t] = value;
    barrier();
    for (uint half_width = gl_WorkGroupSize.x / 2; half_width > 0; half_width /= 2) {
        if (t < half_width)
            reduce_partial[t] += reduce_partial[t + half_width];
        barrier();
    }
    return reduce_partial[0];
}

/* NaN counts for nothing. */
float reduce_max(float value) {
    const uint t = gl_LocalInvocationID.x;
    barrier();
    reduce_partial[t] = value;
    barrier();
    for (uint half_width = gl_WorkGroupSize.x / 2; half_width > 0; half_width /= 2) {
        if (t < half_width && reduce_partial[t + half_width] > reduce_partial[t])
            reduce_partial[t] = reduce_partial[t + half_width];
        barrier();
    }
    return reduce_partial[0];
}
