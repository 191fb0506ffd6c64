#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A decoder layer takes at most six dispatches a step, whatever the number of rows, and the choice of a
# token one; the profile shows how many. Where nothing may be fused there are more, so the count counts.
. "$(dirname -- "$0")/common.sh"
need_device
lines=$(dirname -- "$0")/../golden/multi30k_100.en

# counted MOST ENVIRONMENT...: dispatches for each part of a decoder's step with the model $of; code 1
# where a layer has more than MOST.
counted() {
    most=$1
    shift
    expect 0 env "$@" "$HEED" translate --model "$of" --backend "$device,only" --max-length 4 \
        --input "$work/lines" --profile "$work/profile"
    sed -n 's/.*"name":"\([^"]*\)".*"graph":"decoder".*"dispatches":\([0-9]*\).*/\1 \2/p' \
        "$work/profile" >"$work/dispatches"
    awk -v most="$most" '
        { part = $1 }
        /^decoder\.[0-9]/ { sub(/^decoder\./, "", part); sub(/\..*/, "", part); part = "layer " part }
        /^decoder\.embed/ { part = "embedding"; }
        /^(logits|next|log_probs?) / { part = "choice" }
        $1 ~ /^decoder\.0\.fc1/ { steps++ }
        { count[part] += $2 }
        END {
            for (part in count) {
                each = steps > 0 ? count[part] / steps : 0
                print part ": " each
                if (part ~ /^layer/) layers++
                if ((part ~ /^layer/ && each > most) || (part == "choice" && each > 1)) bad = 1
            }
            exit bad || layers == 0
        }' "$work/dispatches" >"$work/counts"
}

for type in f16 int8 q8_0; do
    of=$model
    [ $type = f16 ] || {
        of=$work/$type.gguf
        expect 0 "$HEED" convert "$model" -o "$of" --type $type
    }
    for count in 1 20; do
        head -n "$count" "$lines" >"$work/lines"
        counted 6 A=plain || {
            wrong "$type, $count lines: a decoder layer takes more than 6 dispatches"
            cat "$work/counts"
        }
    done
    head -n 1 "$lines" >"$work/lines"
    counted 6 HEED_VULKAN_LIMITS="workgroup=128,shared=16384,subgroup=0,align=256" || {
        wrong "$type, a small device: a decoder layer takes more than 6 dispatches"
        cat "$work/counts"
    }
done
of=$model
counted 6 HEED_VULKAN_LIMITS="fuse=0" && wrong "nothing is fused, and yet there are not more"
finish
