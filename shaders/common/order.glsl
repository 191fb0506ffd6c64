/* SPDX-License-Identifier: Apache-2.0 */
/* The first of a workgroup's candidates. */
#include "common/keys.glsl"

shared candidate order_partial[HEED_MAX_WIDTH];

#if SUBGROUPS
/* The first of all candidates of the workgroup: of each subgroup's, then of these; by everybody,
 * where they are so few that it takes no longer than a barrier. All must call, and all get the
 * same. */
candidate order_first(candidate mine) {
    barrier(); /* the result before this one has been read, and all are together again */
    const uint key = subgroupMax(mine.key);
    const uint index = subgroupMin(mine.key == key ? mine.index : NO_CANDIDATE.index);
    if (subgroupElect())
        order_partial[gl_SubgroupID] = candidate(key, index);
    barrier();
    const bool few = gl_NumSubgroups <= 8;
    candidate first = NO_CANDIDATE;
    if (few || gl_LocalInvocationID.x == 0)
        for (uint i = 0; i < gl_NumSubgroups; i++)
            if (comes_before(order_partial[i], first))
                first = order_partial[i];
    if (few)
        return first;
    if (gl_LocalInvocationID.x == 0)
        order_partial[0] = first;
    barrier();
    return order_partial[0];
}
#else
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
#endif
