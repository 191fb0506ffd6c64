#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The validation layer has nothing to say about translations, in memory that the host writes itself
# and through staging memory; and that it sees hazards is shown by leaving barriers out.
. "$(dirname -- "$0")/common.sh"
need_device
head -n 4 "$(dirname -- "$0")/../golden/multi30k_100.en" >"$work/lines"
expect 0 "$HEED" translate --backend scalar --input "$work/lines"
cp "$work/out" "$work/wanted"
need_validation

# watched LIMITS STEPS: so many decoding steps for a submission
watched() {
    expect 0 env HEED_VULKAN_LIMITS="$1" "$HEED" translate --backend "$device,scalar" \
        --steps-per-submit "$2" --input "$work/lines" --output "$work/found" \
        --profile "$work/profile"
    what="HEED_VULKAN_LIMITS=$1: $what"
    same "$work/found" "$work/wanted"
    validated
}
watched '' 1
watched '' 3
watched unified=0 3
watched range=65536 1

for limits in '' unified=0; do
    what="without barriers, HEED_VULKAN_LIMITS=$limits"
    HEED_VULKAN_FAULT=barriers HEED_VULKAN_LIMITS=$limits "$HEED" translate \
        --backend "$device,scalar" --output "$work/found" 'A man.' >"$work/out" 2>"$work/err"
    cat "$work/out" "$work/err" >"$work/watched"
    grep -q 'SYNC-HAZARD' "$work/watched" || wrong "$what: the validation layer sees no hazard"
done
finish
