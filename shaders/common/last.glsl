/* SPDX-License-Identifier: Apache-2.0 */
/* The last workgroup of several that write pieces of one result goes on with all of it.
 *
 * Each workgroup writes its piece, makes it visible to the device, and counts itself; who finds
 * that all others have counted themselves is the last. Nobody waits for anybody, so nothing is
 * asked of how a device schedules workgroups; and what the last one computes depends on the pieces
 * alone, so it does not matter which it is.
 *
 * Why it may read what others wrote, with Vulkan 1.1 and without its memory model extension:
 *  - the pieces lie in a buffer declared `coherent`, so that loads and stores reach memory that all
 *    invocations of the device share;
 *  - an invocation's stores come before its memoryBarrierBuffer() (a fence of release and acquire
 *    at the scope of the device), that before the barrier() of its workgroup, that before the fence
 *    and the atomicAdd of invocation 0;
 *  - atomics on one word happen in one order, so the last workgroup's atomicAdd comes after those
 *    of all others; its fence, barrier() and fence then come before its loads.
 * barrier() is met by all invocations, and the answer comes to them through shared memory, so what
 * follows is uniform over the workgroup.
 *
 * The includer declares `uint y[]` in a coherent buffer. Counters are zero before a dispatch; the
 * last workgroup, after which nobody counts, sets its counter to zero again. */
shared uint last_found;

/* Whether this workgroup is the last of `arrivals` that count on y[counter]. */
bool last_to_arrive(uint counter, uint arrivals) {
    memoryBarrierBuffer();
    barrier();
    if (gl_LocalInvocationID.x == 0) {
        memoryBarrierBuffer();
        last_found = atomicAdd(y[counter], 1) + 1 == arrivals ? 1 : 0;
        if (last_found != 0)
            atomicExchange(y[counter], 0);
        memoryBarrierBuffer();
    }
    barrier();
    memoryBarrierBuffer();
    return last_found != 0;
}
