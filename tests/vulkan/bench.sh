#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# heed bench on a device: it is named, has limits and a clock of its own. No figure is looked at.
. "$(dirname -- "$0")/common.sh"
need_device

small='--seconds 1 --threads 1'
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --op matmul --shape 8x64x64 --dtype f16 --backends "$device,scalar"
says_nothing
for word in "$device: vulkan" "limits of $device: " 'its best product' 'device memory' 'on device'; do
    grep -qF "$word" "$work/out" || wrong "the table lacks '$word'"
done
[ "$(grep -c '^limits of ' "$work/out")" -eq 1 ] || wrong "more than the device has limits of its own"

# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --op attention --shape 1x2x4x4x8 --backends "$device" --json
says_nothing
for word in '"device_seconds"' '"share_of_ideal"' '"device memory"'; do
    grep -qF "$word" "$work/out" || wrong "JSON lacks $word"
done
grep -q '"share_of_ideal":[[:space:]]*null' "$work/out" && wrong "JSON has no share of the roofline"

printf 'A dog runs.\n' >"$work/text"
# shellcheck disable=SC2086
expect 0 "$HEED" bench $small --translate "$work/text" --max-length 6 --backends "$device"
for word in 'on the device' 'times the ideal' 'ran on vulkan'; do
    grep -qF "$word" "$work/out" || wrong "the table lacks '$word'"
done
finish
