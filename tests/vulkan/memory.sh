#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Memory that a device lacks: weights larger than a storage buffer are bound in pieces; where pieces
# are no help, where an allocation would be too large, and where the heap is exhausted, other backends
# do that part, and the translation is the same. Copies through staging memory change nothing.
. "$(dirname -- "$0")/common.sh"
need_device
text='Two dogs are running in the snow.'
expect 0 "$HEED" translate --backend scalar "$text"
cp "$work/out" "$work/wanted"

# with LIMITS: translates on the device, and by scalar what it declines
with() {
    expect 0 env HEED_VULKAN_LIMITS="$1" "$HEED" translate --verbose --backend "$device,scalar" \
        "$text"
    what="HEED_VULKAN_LIMITS=$1: $what"
    same "$work/out" "$work/wanted"
}

with unified=0
says ' on vulkan'
grep -q ' on scalar' "$work/err" && wrong "$what: not all is done on the device"
with range=65536
grep -q 'embedding *on vulkan' "$work/err" || wrong "$what: the table is not bound in pieces"
grep -q 'matmul .*on scalar' "$work/err" && wrong "$what: weights are not bound in pieces"
with range=4096
says ' on vulkan' 'storage buffer of this device'
with allocation=500000
says ' on vulkan' 'larger than what this device allocates'
with heap=1000
says 'out of device memory'

# an exhausted heap, later and later, until it is not
heap=500000
while [ "$heap" -lt 300000000 ]; do
    with "heap=$heap"
    with "heap=$heap,unified=0"
    grep -q 'out of device memory' "$work/err" || break
    heap=$((heap * 3))
done
[ "$heap" -gt 500000 ] || wrong "the heap is never exhausted"
[ "$heap" -lt 300000000 ] || wrong "the heap is always exhausted"
expect 0 env HEED_VULKAN_LIMITS=heap=1000 "$HEED" translate --backend "$device,scalar" "$text"
says 'out of device memory'
expect 6 env HEED_VULKAN_LIMITS=heap=1000 "$HEED" translate --backend "$device,only" "$text"
says 'out of device memory'
finish
