#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shapes of workgroups by options and by the file that a device was tuned to: used where they fit,
# left out with one line where they do not, and the same translation whatever they are. What a
# submission costs is measured once.
. "$(dirname -- "$0")/common.sh"
need_device
line='Two dogs are running.'

translate() {
    expect 0 "$HEED" translate --backend "$1,only" --max-length 8 "$line"
}

translate "$device"
says_nothing
cp "$work/out" "$work/expected"
stored=$(find "$work/heed" -name 'vulkan-*' ! -name '*.*' | head -n 1)
[ -n "$stored" ] || wrong "there is no pipeline cache"

# options
translate "$device(skinny=32x4,attention=32,tile.large=8x2x8x8)"
says_nothing
same "$work/out" "$work/expected"
expect 6 "$HEED" translate --backend "$device(tiles=8x8x4x4),only" "$line"
says "unknown option 'tiles=8x8x4x4'" tile.large
expect 6 "$HEED" translate --backend "$device(skinny),only" "$line"
says "unknown option 'skinny'"
expect 6 "$HEED" translate --backend "$device(attention=48),only" "$line"
says "'attention=48': there is no such shape"
expect 6 env HEED_VULKAN_LIMITS=workgroup=128 \
    "$HEED" translate --backend "$device(skinny=16x16),only" "$line"
says 'too many invocations'

# the file: what is not right for this device is left out as a whole, and said
bad() {
    printf "$1" >"$stored.tune"
    translate "$device"
    says "$stored.tune is left out" "$2"
    [ "$(wc -l <"$work/err")" -eq 1 ] || wrong "$2: more than one line"
    same "$work/out" "$work/expected"
}
bad 'nonsense\n' 'does not begin'
bad '' 'does not begin'
bad 'heed-vulkan-tuning 2\n' 'does not begin'
bad 'heed-vulkan-tuning 1\ndevice 1002:73bf 00000001\nskinny=32x8\n' 'is not for'
header="heed-vulkan-tuning 1\n$(sed -n "s/.*is not for '\(.*\)'.*/\1/p" "$work/err")\n"
bad "${header}skinny=32x8\nattention=48\n" 'no such shape'
bad "${header}attention" 'cut off'
bad "${header}$(head -c 300 /dev/zero | tr '\0' 'x')\n" 'too long'

# a good one is taken, and an option goes before it
printf "${header}skinny=32x8\nattention=32\n" >"$stored.tune"
translate "$device"
says_nothing
same "$work/out" "$work/expected"
# where it allows too much for the limits of the day, it is left out
expect 0 env HEED_VULKAN_LIMITS=workgroup=128 \
    "$HEED" translate --backend "$device,only" --max-length 8 "$line"
says 'is left out' 'too many invocations'

# submissions: what the file says is shown and left alone; what is no such file is measured anew
shown() {
    expect 0 env "$@" "$HEED" devices
    sed -n 's/^    submission *\([0-9.]* ms\) .*/\1/p' "$work/out"
}
good() {
    [ "$(head -n 1 "$stored.submission")" = 'heed-vulkan-submission 1' ] &&
        [ "$(sed 1d "$stored.submission" | grep -c '^[1-9][0-9]*$')" -eq 1 ] &&
        [ "$(wc -l <"$stored.submission")" -eq 2 ] || wrong "$1: submissions are not measured"
}
rm -f "$stored.tune"
good 'the first start'
[ -n "$(shown A=file)" ] || wrong "devices does not show what submissions cost"
[ -z "$(shown HEED_VULKAN_CACHE=off)" ] || wrong "devices shows what is not there"
printf 'heed-vulkan-submission 1\n123456\n' >"$stored.submission"
[ "$(shown A=file)" = '0.123 ms' ] || wrong "devices does not show what the file says"
translate "$device"
[ "$(tail -n 1 "$stored.submission")" = 123456 ] || wrong "what the file says is measured anew"
for text in '' nonsense 'heed-vulkan-submission 2\n5000\n' 'heed-vulkan-submission 1\n' \
    'heed-vulkan-submission 1\n0\n' 'heed-vulkan-submission 1\n5000' \
    'heed-vulkan-submission 1\n99999999999\n' 'heed-vulkan-submission 1\n5000\nmore\n'; do
    printf "$text" >"$stored.submission"
    [ -z "$(shown A=file)" ] || wrong "$text: is believed"
    translate "$device"
    says_nothing
    same "$work/out" "$work/expected"
    good "$text"
done
finish
