#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A decoding step that is replayed encodes nothing and allocates nothing, and the host's time for it
# (of its thread: waiting is not in it) is at most half of that with recording anew. Prints both.
. "$(dirname -- "$0")/common.sh"
need_device
text='Two dogs are running in the snow near a house with a red roof.'

# counter NAME: of each replayed step of the decoder, in the last profile.
counter() {
    awk -v name="$1" '$2 == "decoder" && $3 == "replayed" && $5 == name { print $6 }' "$work/err"
}

# least RECORD STEPS: leaves in $least the least host_ns of a few translations.
least() {
    least=
    for _ in 1 2 3 4 5; do
        expect 0 env HEED_VULKAN_RECORD="$1" "$HEED" translate --backend "$device,only" --verbose \
            --steps-per-submit "$2" --profile "$work/profile" "$text"
        least=$(counter host_ns | awk -v least="$least" '{ print least == "" || $1 < least ? $1 : least }')
    done
}

for steps in 1 4; do
    least always "$steps"
    anew=$least
    [ "$(counter recorded_commands)" != 0.000 ] || wrong "HEED_VULKAN_RECORD=always recorded nothing"
    least once "$steps"
    for name in recorded_commands written_descriptors device_allocations host_allocations; do
        [ "$(counter $name)" = 0.000 ] || wrong "$name of a replayed step: $(counter $name)"
    done
    echo "$steps steps in a submission: $(counter dispatches) dispatches of a step; host ns of a" \
        "step: $least replayed, $anew recorded anew"
    awk -v replayed="$least" -v anew="$anew" 'BEGIN { exit !(replayed > 0 && 2 * replayed <= anew) }' ||
        wrong "a replayed step takes more than half of the host's time of one recorded anew"
done
finish
