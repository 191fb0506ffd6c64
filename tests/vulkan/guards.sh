#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes beyond a tensor in the device's own memory: none where guards look for them, and those that
# are put there are found, by the check as "overrun".
. "$(dirname -- "$0")/common.sh"
need_device
export HEED_VULKAN_GUARDS=on

sentence="Two men are playing guitar in front of a large crowd."
HEED_VULKAN_GUARDS=off "$HEED" translate --backend "$device,only" "$sentence" >"$work/expected"
for limits in unified=1 unified=0 workgroup=128,subgroup=0,f16=0,i8=0,dot=0; do
    what="translate, HEED_VULKAN_LIMITS=$limits"
    HEED_VULKAN_LIMITS=$limits "$HEED" translate --backend "$device,only" "$sentence" \
        >"$work/out" 2>"$work/err" || wrong "$what: $(cat "$work/err")"
    cmp -s "$work/expected" "$work/out" || wrong "$what: another translation than without guards"
done

what="check --cases 4"
"$HEED" check --backend "$device" --cases 4 --save "$work" >"$work/out" 2>"$work/err" || {
    wrong "$what failed"
    grep -v '^$' "$work/out" "$work/err" | tail -n 30
}

what="an overrun"
export HEED_VULKAN_FAULT=overrun
"$HEED" check --backend "$device" --op add --cases 4 --save "$work" >"$work/out" 2>"$work/err" &&
    wrong "$what: heed check holds"
grep -q 'overrun' "$work/out" || wrong "$what: heed check does not name it"
grep -q "guards: memory of no tensor was written, at byte 1 after the end of 'node'" "$work/out" || {
    wrong "$what: heed check does not say where"
    tail -n 20 "$work/out" "$work/err"
}
"$HEED" translate --backend "$device,only" "$sentence" >"$work/out" 2>"$work/err" &&
    wrong "$what: a translation goes on"
grep -q "guards: .* after the end of 'encoder\." "$work/err" ||
    wrong "$what: no node is named: $(cat "$work/err")"
finish
