#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A Vulkan device that fails on the way: the next backend of the list gives the translation. (Every call
# in turn: tests/unit/backends/vulkan/long_faults.c.)
. "$(dirname -- "$0")/common.sh"

if ! "$HEED" devices 2>/dev/null | grep -q '^vulkan:0 '; then
    echo "SKIP: the vulkan plugin was not built, or has no device"
    exit 77
fi
text='Two dogs are running in the snow.'
expect 0 "$HEED" translate --backend scalar "$text"
cp "$work/out" "$work/wanted"
for fault in lost@1 lost@40 lost@150 memory@2 memory@90 host@3 timeout@120; do
    expect 0 env HEED_VULKAN_FAULT="$fault" "$HEED" translate --backend vulkan,scalar "$text"
    same "$work/out" "$work/wanted"
    expect 0 env HEED_VULKAN_FAULT="$fault" "$HEED" translate --steps-per-submit 3 \
        --backend vulkan,scalar "$text"
    same "$work/out" "$work/wanted"
done
expect 0 env HEED_VULKAN_FAULT=lost@40 "$HEED" translate --backend vulkan,scalar "$text"
says 'the device was lost'
# one that neither answers nor is lost: the two minutes that it has are all that is waited for it
for unified in 1 0; do
    expect 0 env HEED_VULKAN_LIMITS="unified=$unified" HEED_VULKAN_FAULT=hang@40 "$HEED" translate \
        --backend vulkan,scalar "$text"
    same "$work/out" "$work/wanted"
    says 'not finished in time' 'waits in vain for 120 s in all'
done
expect 0 env HEED_VULKAN_FAULT=nonsense "$HEED" translate --backend vulkan,scalar "$text"
says "found 'nonsense'"
same "$work/out" "$work/wanted"
finish
