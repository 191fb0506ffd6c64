/* SPDX-License-Identifier: Apache-2.0 */
/* What a workgroup knows together. All invocations must call, and all get the same.
 *
 * Without SUBGROUPS: by a tree in shared memory, of 4 bytes for each of at most HEED_MAX_WIDTH
 * invocations, a power of two. With SUBGROUPS: subgroups by themselves, in an order of the device,
 * then theirs one after another; by everybody, where these are so few that it takes no longer
 * than a barrier. Nothing is assumed of how large subgroups are, or which invocations they have. */
shared float reduce_partial[HEED_MAX_WIDTH];

#if SUBGROUPS
/* What the first invocation says. */
float reduce_told(float value) {
    if (gl_LocalInvocationID.x == 0)
        reduce_partial[0] = value;
    barrier();
    return reduce_partial[0];
}

float reduce_sum(float value) {
    barrier(); /* the result before this one has been read, and all are together again */
    const float own = subgroupAdd(value);
    if (subgroupElect())
        reduce_partial[gl_SubgroupID] = own;
    barrier();
    const bool few = gl_NumSubgroups <= 8;
    float sum = 0.0;
    if (few || gl_LocalInvocationID.x == 0)
        for (uint i = 0; i < gl_NumSubgroups; i++)
            sum += reduce_partial[i];
    return few ? sum : reduce_told(sum);
}

/* NaN counts for nothing. */
float reduce_max(float value) {
    const bool number = (floatBitsToUint(value) & 0x7fffffffu) <= 0x7f800000u;
    barrier();
    const float own = subgroupMax(number ? value : uintBitsToFloat(0xff800000u));
    if (subgroupElect())
        reduce_partial[gl_SubgroupID] = own;
    barrier();
    const bool few = gl_NumSubgroups <= 8;
    float greatest = uintBitsToFloat(0xff800000u);
    if (few || gl_LocalInvocationID.x == 0)
        for (uint i = 0; i < gl_NumSubgroups; i++)
            greatest = reduce_partial[i] > greatest ? reduce_partial[i] : greatest;
    return few ? greatest : reduce_told(greatest);
}
#else
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
#endif
